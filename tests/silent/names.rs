//! Names: of attributes, of events, of what a device has.

use super::{Case, texts};

/// A file with columns that break the rule beside one that does not; row 1 has no cell in them.
fn columns(names: &[&str], code: &'static str, rule: &'static str) -> Case {
    let mut header = texts(["city"]);
    header.extend(names.iter().map(|&name| name.to_owned()));
    let cells = |cell: &str| {
        let mut row = texts(["Oslo"]);
        row.resize(names.len() + 1, cell.to_owned());
        row
    };
    Case {
        header,
        rows: vec![cells(""), cells("x"), cells("y")],
        warnings: names.iter().map(|&name| (code, Some(name.to_owned()), vec![2, 3])).collect(),
        changes: names.iter().flat_map(|_| [(rule, 2), (rule, 3)]).collect(),
        ..Case::default()
    }
}

/// A file of events whose names break the rule behind those that do not.
fn events(sound: &[&str], broken: &[&str], code: &'static str, rule: &'static str) -> Case {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    Case::of("action", &owned(sound), &owned(broken), code, rule).events()
}

#[test]
fn a_name_has_200_characters() {
    let (fits, long) = ("é".repeat(200), "é".repeat(201));
    let mut case = columns(&[&long], "name-too-long", "name-length");
    case.header.push(format!("a{}", "b".repeat(199)));
    for row in &mut case.rows {
        row.push("z".to_owned());
    }
    case.hold();
    events(&["Buy", &fits], &[&long], "name-too-long", "name-length").hold();
}

#[test]
fn the_prefix_moe_is_not_ours() {
    let mut case = columns(&["moe_vip", "moe_"], "name-prefix", "name-moe-prefix");
    // The documented names are standard attributes, and other cases name others.
    case.header.extend(texts(["moe_sms_subscription", "moe_mobile", "Moe_x"]));
    for row in &mut case.rows {
        row.extend(texts(["in", "in", "in"]));
    }
    case.hold();
    columns(&["moe_price"], "name-prefix", "name-moe-prefix").events().hold();
    events(&["Moe", "Amoe_"], &["moe_buy"], "name-prefix", "name-moe-prefix").hold();
}

#[test]
fn id_is_no_name() {
    // A header without a name is refused before a row is read.
    columns(&["id", "_id"], "name-blocked", "name-blocked").hold();
    columns(&["id", "_id"], "name-blocked", "name-blocked").events().hold();
    events(&["ID", "__id"], &["id", "_id"], "name-blocked", "name-blocked").hold();
}

#[test]
fn reserved_names() {
    let names = [
        "USER_ATTRIBUTE_UNIQUE_ID",
        "USER_ATTRIBUTE_USER_EMAIL",
        "USER_ATTRIBUTE_USER_MOBILE",
        "USER_ATTRIBUTE_USER_NAME",
        "USER_ATTRIBUTE_USER_GENDER",
        "USER_ATTRIBUTE_USER_FIRST_NAME",
        "USER_ATTRIBUTE_USER_LAST_NAME",
        "USER_ATTRIBUTE_USER_BDAY",
        "USER_ATTRIBUTE_NOTIFICATION_PREF",
        "USER_ATTRIBUTE_OLD_ID",
        "MOE_TIME_FORMAT",
        "MOE_TIME_TIMEZONE",
        "USER_ATTRIBUTE_DND_START_TIME",
        "USER_ATTRIBUTE_DND_END_TIME",
        "MOE_GAID",
        "INSTALL",
        "UPDATE",
        "MOE_ISLAT",
        "status",
        "user_id",
        "source",
    ];
    columns(&names, "name-reserved", "name-reserved").hold();
    columns(&names, "name-reserved", "name-reserved").events().hold();
    events(&["Status", "install"], &["INSTALL", "status"], "name-reserved", "name-reserved").hold();
}

#[test]
fn a_dot_in_an_event_name() {
    events(&["cart updated"], &["cart.updated", "."], "event-name-dot", "event-name-dot").hold();
}

#[test]
fn an_event_without_a_time_gets_that_of_its_arrival() {
    let mut case = Case::of(
        "user_time",
        &texts(["2026-01-01", "1700000000"]),
        &texts([""]),
        "event-no-time",
        "event-no-time",
    );
    case.warnings[0].1 = None;
    case.events().hold();
}
