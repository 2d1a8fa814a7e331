//! What is to be said of a column's name, type and place, whatever its values are: the
//! rules of the server that a plan can break before a row is read.

use std::collections::HashMap;

use super::plan::{Plan, Target, ValueType};
use crate::model::{Code, Kind};
use crate::wire::{
    limits,
    names::{self, NameVerdict, StandardType},
};

/// Notes on every column of a plan which rules it breaks, and which values it may have. To be called
/// again where types were settled later.
pub fn review(plan: &mut Plan) {
    let kind = plan.kind;
    let objects_max = match kind {
        Kind::Users => limits::USER_OBJECTS_MAX,
        Kind::Events | Kind::Devices => limits::EVENT_OBJECTS_MAX,
    };
    let (mut attributes, mut objects) = (HashMap::new(), HashMap::new());
    for column in &mut plan.columns {
        column.remarks.clear();
        column.listed = None;
        let around = column.objects_around();
        let name = &column.path[0];
        // A user's identifiers stand among the attributes, and take up places there.
        if kind == Kind::Users && column.target == Target::Identifier {
            place_of(&mut attributes, name);
        }
        if column.target != Target::Attribute {
            continue;
        }
        if kind == Kind::Users && around == 0 {
            column.listed = names::standard_values(name);
        }
        let mut say = |broken: bool, code: Code| {
            if broken {
                column.remarks.push(code);
            }
        };
        if kind == Kind::Devices {
            say(!names::DEVICE_ATTRIBUTES.contains(&name.as_str()), Code::DeviceAttribute);
            continue;
        }
        let broken = name_code(name);
        if let Some(code) = broken {
            say(true, code);
        }
        if kind == Kind::Users {
            say(!fits_standard(name, column.value), Code::StandardType);
        }
        if matches!(broken, Some(Code::NameBlocked | Code::NamePrefix)) {
            // The server drops it before it counts: it takes up no place.
            continue;
        }
        if kind == Kind::Users {
            let place = place_of(&mut attributes, name);
            say(place >= limits::USER_ATTRIBUTES_MAX, Code::AttributeCount);
        }
        let can_hold_objects = column.value == ValueType::Json && !column.plain_lists;
        if around > 0 || can_hold_objects {
            let place = place_of(&mut objects, name);
            say(place >= objects_max, Code::ObjectAttributes);
        }
        say(around > limits::OBJECT_LEVELS_MAX, Code::ObjectDepth);
        let barred = |key: &String| key.contains(limits::OBJECT_KEY_CHARS_BARRED);
        say(column.path[1..].iter().any(barred), Code::ObjectKeyCharacters);
    }
}

/// The rule that a name breaks by itself, be it an attribute's or an event's.
pub fn name_code(name: &str) -> Option<Code> {
    let chars_max = limits::NAME_CHARS_MAX;
    if name.len() > chars_max && name.chars().nth(chars_max).is_some() {
        return Some(Code::NameTooLong);
    }
    match names::judge(name) {
        NameVerdict::Allowed => None,
        NameVerdict::Blocked => Some(Code::NameBlocked),
        NameVerdict::Reserved => Some(Code::NameReserved),
        NameVerdict::OwnPrefix => Some(Code::NamePrefix),
    }
}

/// Which of the distinct names a name is, from 0.
fn place_of(seen: &mut HashMap<String, usize>, name: &str) -> usize {
    if let Some(&place) = seen.get(name) {
        return place;
    }
    let place = seen.len();
    seen.insert(name.to_owned(), place);
    place
}

fn fits_standard(name: &str, value: ValueType) -> bool {
    match (names::standard_type(name), value) {
        (None, _)
        | (Some(StandardType::Text), ValueType::Text)
        | (Some(StandardType::Bool), ValueType::Bool)
        | (Some(StandardType::DateTime), ValueType::DateTime(_)) => true,
        (Some(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::plan::{PlanColumn, Rules, SourceColumn};

    fn remarks(kind: Kind, columns: Vec<PlanColumn>) -> Vec<Vec<Code>> {
        let plan = Plan::new(kind, columns, Rules::default());
        plan.columns.into_iter().map(|column| column.remarks).collect()
    }

    fn attribute(name: &str, value: ValueType) -> PlanColumn {
        PlanColumn::new(name, Target::Attribute, name, value)
    }

    #[test]
    fn names_types_and_places() {
        let columns = vec![
            attribute("city", ValueType::Text),
            attribute("id", ValueType::Text),
            attribute("moe_own", ValueType::Text),
            attribute("status", ValueType::Text),
            attribute("u_fn", ValueType::Number),
            attribute(&"n".repeat(200), ValueType::Text),
            attribute(&"n".repeat(201), ValueType::Text),
            PlanColumn::nested(
                "x",
                Target::Attribute,
                ["a", "b", "c", "d$"].map(str::to_owned).to_vec(),
                ValueType::Text,
            ),
        ];
        assert_eq!(
            remarks(Kind::Users, columns),
            [
                vec![],
                vec![Code::NameBlocked],
                vec![Code::NamePrefix],
                vec![Code::NameReserved],
                vec![Code::StandardType],
                vec![],
                vec![Code::NameTooLong],
                vec![Code::ObjectDepth, Code::ObjectKeyCharacters],
            ]
        );
    }

    #[test]
    fn attributes_beyond_what_a_workspace_takes() {
        let columns: Vec<_> =
            (0..257).map(|n| attribute(&format!("a{n}"), ValueType::Text)).collect();
        let said = remarks(Kind::Users, columns.clone());
        assert_eq!(said[255], []);
        assert_eq!(said[256], [Code::AttributeCount]);
        // What is dropped for its name takes up no place, an identifier does.
        let (mut with_dropped, mut with_identifier) = (columns.clone(), columns);
        with_dropped[0] = attribute("id", ValueType::Text);
        assert_eq!(remarks(Kind::Users, with_dropped)[256], []);
        with_identifier[0] =
            PlanColumn::new("m", Target::Identifier, "moe_mobile", ValueType::Text);
        assert_eq!(remarks(Kind::Users, with_identifier)[256], [Code::AttributeCount]);
        let columns: Vec<_> =
            (0..11).map(|n| attribute(&format!("a{n}"), ValueType::Json)).collect();
        let said = remarks(Kind::Users, columns.clone());
        assert_eq!((&said[9], &said[10]), (&vec![], &vec![Code::ObjectAttributes]));
        let said = remarks(Kind::Events, columns.clone());
        assert_eq!((&said[4], &said[5]), (&vec![], &vec![Code::ObjectAttributes]));
        // Lists in front of them take up no place.
        let mut plan = Plan::new(Kind::Events, columns, Rules::default());
        let list = |n: usize| SourceColumn {
            nested: true,
            plain_lists: n < 7,
            ..SourceColumn::text(&format!("a{n}"))
        };
        plan.note_lists((0..11).map(list).collect::<Vec<_>>().iter());
        assert!(plan.columns.iter().all(|column| column.remarks.is_empty()));
    }

    #[test]
    fn a_device_has_documented_attributes_alone() {
        let columns = ["model", "colour", "id"].map(|name| attribute(name, ValueType::Text));
        assert_eq!(
            remarks(Kind::Devices, columns.to_vec()),
            [vec![], vec![Code::DeviceAttribute], vec![Code::DeviceAttribute]]
        );
    }
}
