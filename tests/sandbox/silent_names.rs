//! The silent rules for names, and for how many of them a workspace and an event have.

use moebulk::sandbox::{Options, Sandbox};
use serde_json::{Map, Value, json};

use crate::client::{dropped, look, send_bulk, start, stored};

type Done = (String, Option<String>, String);

fn did(rule: &str, name: &str, did: &str) -> Done {
    (rule.to_owned(), Some(name.to_owned()), did.to_owned())
}

fn user_with(attributes: Value) -> Value {
    json!({"type": "customer", "customer_id": "u1", "attributes": attributes})
}

fn action(name: &str, attributes: Value) -> Value {
    json!({"action": name, "attributes": attributes, "user_time": 1_700_000_000})
}

fn event_of(actions: &[Value]) -> Value {
    json!({"type": "event", "customer_id": "u1", "actions": actions})
}

/// Sends one element; answers what is stored of it and what was done.
fn store(sandbox: &Sandbox, element: Value) -> (Value, Vec<Done>) {
    let before = dropped(sandbox).len();
    send_bulk(sandbox, &[element]);
    (stored(sandbox).pop().expect("a record"), dropped(sandbox).split_off(before))
}

#[track_caller]
fn kept_whole(sandbox: &Sandbox, element: Value) {
    assert_eq!(store(sandbox, element.clone()), (element, vec![]));
}

#[test]
fn names_have_200_characters() {
    let sandbox = start(Options::default());
    let (fits, long) = ("é".repeat(200), "é".repeat(201));
    kept_whole(&sandbox, user_with(json!({fits.as_str(): 1})));
    kept_whole(&sandbox, event_of(&[action(&fits, json!({fits.as_str(): 1}))]));
    let cut = did("name-length", &long, "truncated");
    let sent = user_with(json!({long.as_str(): 1}));
    let expected = user_with(json!({fits.as_str(): 1}));
    assert_eq!(store(&sandbox, sent), (expected, vec![cut.clone()]));
    let sent = event_of(&[action(&long, json!({long.as_str(): 1}))]);
    let expected = event_of(&[action(&fits, json!({fits.as_str(): 1}))]);
    assert_eq!(store(&sandbox, sent), (expected, vec![cut.clone(), cut.clone()]));

    // Cut, two names may be one.
    let sent = user_with(json!({fits.as_str(): 1, long.as_str(): 2}));
    let collision = did("name-collision", &long, "dropped");
    let expected = user_with(json!({fits.as_str(): 2}));
    assert_eq!(store(&sandbox, sent), (expected, vec![cut, collision]));
}

#[test]
fn blocked_names_are_dropped() {
    let sandbox = start(Options::default());
    let blocked =
        |names: [&str; 3]| names.map(|name| did("name-blocked", name, "dropped")).to_vec();
    let attributes = json!({"": 1, "id": 2, "_id": 3, "ID": 4, "__id": 5, "order_id": 6});
    let kept = json!({"ID": 4, "__id": 5, "order_id": 6});
    let all = ["", "id", "_id"];
    assert_eq!(
        store(&sandbox, user_with(attributes.clone())),
        (user_with(kept.clone()), blocked(all))
    );
    let sent = event_of(&[action("Buy", attributes)]);
    assert_eq!(store(&sandbox, sent), (event_of(&[action("Buy", kept)]), blocked(all)));

    let sent = event_of(&[action("id", json!({})), action("Buy", json!({}))]);
    let expected = event_of(&[action("Buy", json!({}))]);
    assert_eq!(store(&sandbox, sent), (expected, vec![did("name-blocked", "id", "dropped")]));
    let (nothing, _) = store(&sandbox, event_of(&[action("_id", json!({}))]));
    assert_eq!(nothing, Value::Null);
}

#[test]
fn the_prefix_moe_is_reserved() {
    let sandbox = start(Options::default());
    let documented = json!({"moe_wa_subscription": true, "moe_em_unsub_categories": ["x"],
        "moe_sub_w": true, "moe_spam": false, "moe_unsubscribe": true, "moe_hard_bounce": false,
        "moe_sms_subscription": "x", "moe_email_optin_status": "OPTED_OUT", "moe_gaid": "x",
        "Moe_x": 1, "moex": 1});
    kept_whole(&sandbox, user_with(documented));
    let (kept, done) = store(&sandbox, user_with(json!({"moe_": 1, "moe_city": 2, "city": 3})));
    assert_eq!(kept, user_with(json!({"city": 3})));
    let gone = |name| did("name-moe-prefix", name, "blacklisted");
    assert_eq!(done, [gone("moe_"), gone("moe_city")]);
    let sent = event_of(&[action("moe_buy", json!({})), action("Buy", json!({"moe_price": 1}))]);
    let expected = event_of(&[action("Buy", json!({}))]);
    assert_eq!(store(&sandbox, sent), (expected, vec![gone("moe_buy"), gone("moe_price")]));
}

#[test]
fn reserved_names_are_kept_and_told() {
    let sandbox = start(Options::default());
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
    let attributes: Map<_, _> = names.map(|name| (name.to_owned(), json!(1))).into_iter().collect();
    let element = user_with(Value::Object(attributes));
    let expected = names.map(|name| did("name-reserved", name, "kept")).to_vec();
    assert_eq!(store(&sandbox, element.clone()), (element, expected));
    let element = event_of(&[action("INSTALL", json!({"source": 1}))]);
    let expected = ["INSTALL", "source"].map(|name| did("name-reserved", name, "kept")).to_vec();
    assert_eq!(store(&sandbox, element.clone()), (element, expected));
    kept_whole(&sandbox, event_of(&[action("Install", json!({"Source": 1}))]));
}

#[test]
fn a_dot_in_an_event_name_is_a_space() {
    let sandbox = start(Options::default());
    let sent = event_of(&[action("a.b.c", json!({"x.y": 1}))]);
    let expected = event_of(&[action("a b c", json!({"x.y": 1}))]);
    assert_eq!(store(&sandbox, sent), (expected, vec![did("event-name-dot", "a.b.c", "renamed")]));
}

#[test]
fn a_workspace_has_10_and_5_object_attributes() {
    let sandbox = start(Options::default());
    let objects = |count: usize| -> Value {
        let object = |index: usize| if index == 0 { json!([{"k": 1}]) } else { json!({"k": 1}) };
        (0..count)
            .map(|index| (format!("o{index:02}"), object(index)))
            .collect::<Map<_, _>>()
            .into()
    };
    kept_whole(&sandbox, user_with(objects(10)));
    let (kept, done) = store(&sandbox, user_with(objects(11)));
    assert_eq!(
        (kept, done),
        (user_with(objects(10)), vec![did("object-attributes", "o10", "dropped")])
    );
    // What is no object still fits, and the events of a workspace have their own.
    kept_whole(&sandbox, user_with(json!({"o10": 1, "list": [1]})));
    kept_whole(&sandbox, event_of(&[action("Buy", objects(5))]));
    let (kept, done) = store(&sandbox, event_of(&[action("Sell", objects(6))]));
    let expected = event_of(&[action("Sell", objects(5))]);
    assert_eq!((kept, done), (expected, vec![did("object-attributes", "o05", "dropped")]));
}

#[test]
fn a_workspace_has_256_user_attributes() {
    let sandbox = start(Options::default());
    let attributes = |names: std::ops::Range<usize>| -> Value {
        names.map(|index| (format!("a{index:03}"), json!(1))).collect::<Map<_, _>>().into()
    };
    kept_whole(&sandbox, user_with(attributes(0..200)));
    kept_whole(&sandbox, user_with(attributes(200..256)));
    let (kept, done) = store(&sandbox, user_with(attributes(255..258)));
    assert_eq!(kept, user_with(json!({"a255": 1})));
    let gone = |name| did("user-attributes-distinct", name, "dropped");
    assert_eq!(done, [gone("a256"), gone("a257")]);
    // An event's attributes are not counted.
    kept_whole(&sandbox, event_of(&[action("Buy", json!({"price": 1}))]));
}

#[test]
fn a_workspace_has_512_events() {
    let sandbox = start(Options::default());
    let named = |index: usize| action(&format!("e{index:03}"), json!({}));
    kept_whole(&sandbox, event_of(&(0..512).map(named).collect::<Vec<_>>()));
    let (kept, done) = store(&sandbox, event_of(&[named(512), named(0)]));
    assert_eq!(kept, event_of(&[named(0)]));
    assert_eq!(done, [did("events-distinct", "e512", "blacklisted")]);
}

#[test]
fn an_event_has_100_attributes() {
    let sandbox = start(Options::default());
    let attributes = |count: usize| -> Value {
        (0..count).map(|index| (format!("a{index:03}"), json!(1))).collect::<Map<_, _>>().into()
    };
    kept_whole(
        &sandbox,
        event_of(&[action("Buy", attributes(100)), action("Sell", attributes(100))]),
    );
    let (kept, done) = store(&sandbox, event_of(&[action("Buy", attributes(101))]));
    assert_eq!(kept, event_of(&[action("Buy", attributes(100))]));
    assert_eq!(done, [did("event-attributes", "Buy", "truncated")]);
    // A user may have more.
    kept_whole(&sandbox, user_with(attributes(101)));
}

#[test]
fn changes_are_found_by_request_and_element() {
    let sandbox = start(Options::default());
    send_bulk(&sandbox, &[user_with(json!({"a": 1}))]);
    send_bulk(&sandbox, &[user_with(json!({"a": 1})), user_with(json!({"id": "private"}))]);
    let page = look(&sandbox, "dropped");
    assert_eq!(page["count"], 1);
    let entry = page["dropped"][0].as_object().expect("an entry");
    let keys: Vec<_> = entry.keys().map(String::as_str).collect();
    assert_eq!(keys, ["rule", "request", "element", "name", "did", "message"]);
    assert_eq!((&entry["request"], &entry["element"]), (&json!(2), &json!(1)));
    // No value of a user is shown here.
    assert!(!page.to_string().contains("private"));
    assert_eq!(look(&sandbox, "violations")["count"], 0);
    // As it arrived and as it is stored.
    let records = look(&sandbox, "records?stored=1&offset=2");
    assert_eq!(records["records"][0]["element"], user_with(json!({"id": "private"})));
    assert_eq!(records["records"][0]["stored"], user_with(json!({})));
}
