//! How many names a workspace and an event take.

use super::Case;

/// A file with so many columns, the last of which is empty in the first row.
fn wide(count: usize) -> Case {
    let full = vec!["x".to_owned(); count];
    let mut first = full.clone();
    first[count - 1].clear();
    let header = (0..count).map(|index| format!("a{index:03}")).collect();
    Case { header, rows: vec![first, full.clone(), full], ..Case::default() }
}

fn last(case: &Case) -> Option<String> {
    case.header.last().cloned()
}

#[test]
fn a_workspace_has_256_user_attributes() {
    let mut case = wide(257);
    case.warnings = vec![("attribute-count", last(&case), vec![2, 3])];
    case.changes = vec![("user-attributes-distinct", 2), ("user-attributes-distinct", 3)];
    case.hold();
}

#[test]
fn an_event_has_100_attributes() {
    let mut case = wide(101);
    case.warnings = vec![("event-attribute-count", None, vec![2, 3])];
    case.changes = vec![("event-attributes", 2), ("event-attributes", 3)];
    case.events().hold();
}

#[test]
fn a_workspace_has_10_user_and_5_event_attributes_of_objects() {
    let case = |count: usize| {
        let mut case = wide(count);
        case.warnings = vec![("object-attributes", last(&case), vec![2, 3])];
        case.changes = vec![("object-attributes", 2), ("object-attributes", 3)];
        let columns =
            case.header.iter().map(|name| format!("{name} = {{ attribute = \"{name}.k\" }}\n"));
        let columns: String = columns.collect();
        case.mapped(columns)
    };
    case(11).hold();
    case(6).events().hold();
}

#[test]
fn a_workspace_has_512_events() {
    let names: Vec<String> = (0..513).map(|index| format!("event {index}")).collect();
    let (mut sound, broken) = (names[..512].to_vec(), [names[512].clone()]);
    sound.push(names[0].clone());
    Case::of("action", &sound, &broken, "event-count", "events-distinct").events().hold();
}
