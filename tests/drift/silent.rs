//! The limits of the silent rules: what is at one is kept whole, what is one over it is changed.

use moebulk::wire::limits;
use moebulk::wire::names::{self, NameVerdict};
use serde_json::{Map, Value, json};

use super::{Sandbox, body_of, bulk, look, start};

/// Sends one element; which rules changed it.
#[track_caller]
fn rules(sandbox: &Sandbox, element: Value) -> Vec<String> {
    let list = |page: Value| page["dropped"].as_array().expect("a list").clone();
    let before = list(look(sandbox, "dropped")).len();
    assert_eq!(bulk(sandbox, &body_of(&[element])).status, 200);
    let rule = |one: &Value| one["rule"].as_str().expect("a rule").to_owned();
    list(look(sandbox, "dropped"))[before..].iter().map(rule).collect()
}

fn user(attributes: Value) -> Value {
    json!({"type": "customer", "customer_id": "u1", "attributes": attributes})
}

fn event(name: &str, attributes: Value) -> Value {
    let action = json!({"action": name, "attributes": attributes, "current_time": 1_700_000_000});
    json!({"type": "event", "customer_id": "u1", "actions": [action]})
}

/// `a000` and on, each with the same value.
fn numbered(count: usize, value: Value) -> Value {
    let pairs = (0..count).map(|index| (format!("a{index:03}"), value.clone()));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[test]
fn of_names_and_values() {
    let sandbox = start();
    let held = |make: &dyn Fn(usize) -> Value, limit: usize, rule: &str| {
        assert_eq!(rules(&sandbox, make(limit)), [""; 0], "{rule} at {limit}");
        assert_eq!(rules(&sandbox, make(limit + 1)), [rule], "{rule} over {limit}");
    };
    let name = |chars: usize| user(json!({"é".repeat(chars): 1}));
    held(&name, limits::NAME_CHARS_MAX, "name-length");
    held(&|chars| event(&"é".repeat(chars), json!({})), limits::NAME_CHARS_MAX, "name-length");
    let value = |value: Value| user(json!({"a": value}));
    held(&|chars| value(json!("é".repeat(chars))), limits::STRING_CHARS_MAX, "string-length");
    let url = |chars: usize| value(json!(format!("https://{}", "x".repeat(chars - 8))));
    held(&url, limits::STRING_CHARS_MAX, "url-length");
    held(&|items| value(json!(vec![1; items])), limits::LIST_ELEMENTS_MAX, "list-length");
    let objects = |items: usize| value(json!(vec![json!({"k": 1}); items]));
    held(&objects, limits::OBJECT_LIST_ELEMENTS_MAX, "list-length");
    held(&|keys| value(numbered(keys, json!(1))), limits::OBJECT_KEYS_MAX, "object-keys");
    let nested = |levels: usize| value((0..levels).fold(json!(1), |inner, _| json!({"k": inner})));
    held(&nested, limits::OBJECT_LEVELS_MAX, "object-levels");
    let sized = |bytes: usize| {
        // Each of these takes up 519 bytes; the rest makes up what is missing.
        let mut object = numbered(bytes / 519 - 1, json!("x".repeat(limits::STRING_CHARS_MAX)));
        let rest = bytes - object.to_string().len() - r#","rest":"""#.len();
        object["rest"] = json!("x".repeat(rest));
        assert_eq!(object.to_string().len(), bytes);
        value(object)
    };
    held(&sized, limits::OBJECT_BYTES_MAX, "object-bytes");
    for barred in limits::OBJECT_KEY_CHARS_BARRED {
        assert_eq!(
            rules(&sandbox, value(json!({format!("k{barred}"): 1}))),
            ["object-key-characters"]
        );
    }
    let others = ('\u{20}'..'\u{7f}').filter(|c| !limits::OBJECT_KEY_CHARS_BARRED.contains(c));
    assert_eq!(rules(&sandbox, value(json!({others.collect::<String>(): 1}))), [""; 0]);
}

#[test]
fn of_a_workspace() {
    let one_over = |make: &dyn Fn(usize) -> Value, limit: usize, rule: &str| {
        let sandbox = start();
        assert_eq!(rules(&sandbox, make(limit)), [""; 0], "{rule} at {limit}");
        assert_eq!(rules(&sandbox, make(limit + 1)), [rule], "{rule} over {limit}");
    };
    let users = |count: usize| user(numbered(count, json!(1)));
    one_over(&users, limits::USER_ATTRIBUTES_MAX, "user-attributes-distinct");
    let events = |count: usize| event("Buy", numbered(count, json!(1)));
    one_over(&events, limits::EVENT_ATTRIBUTES_MAX, "event-attributes");
    let object = json!({"k": 1});
    let users = |count: usize| user(numbered(count, object.clone()));
    one_over(&users, limits::USER_OBJECTS_MAX, "object-attributes");
    let events = |count: usize| event("Buy", numbered(count, object.clone()));
    one_over(&events, limits::EVENT_OBJECTS_MAX, "object-attributes");
    let named = |count: usize| {
        let name = |index: usize| json!({"action": format!("e{index}"), "user_time": "2026-01-01"});
        let actions: Vec<_> = (0..count).map(name).collect();
        json!({"type": "event", "customer_id": "u1", "actions": actions})
    };
    one_over(&named, limits::EVENT_NAMES_MAX, "events-distinct");
}

#[test]
fn of_names_with_a_meaning() {
    let sandbox = start();
    let prefixed = format!("{}own", names::OWN_PREFIX);
    let mut candidates = vec![prefixed.as_str(), "city", "ID", "Status", "moe", "INSTALLED"];
    candidates.extend(names::BLOCKED);
    candidates.extend(names::RESERVED);
    for name in candidates {
        let expected: &[&str] = match names::judge(name) {
            NameVerdict::Allowed => &[],
            NameVerdict::Blocked => &["name-blocked"],
            NameVerdict::Reserved => &["name-reserved"],
            NameVerdict::OwnPrefix => &["name-moe-prefix"],
        };
        assert_eq!(rules(&sandbox, user(json!({name: 1}))), expected, "attribute {name:?}");
        if !name.is_empty() {
            assert_eq!(rules(&sandbox, event(name, json!({}))), expected, "event {name:?}");
        }
    }
}

#[test]
fn of_a_device() {
    let sandbox = start();
    assert_eq!(rules(&sandbox, user(json!({}))), [""; 0]);
    let mut device = json!({"type": "device", "customer_id": "u1", "device_id": "d1"});
    for name in names::DEVICE_ATTRIBUTES {
        device["attributes"][name] = json!(match name {
            "platform" => limits::DEVICE_PLATFORMS[0],
            "moe_push_opted" => limits::PUSH_OPTED[0],
            _ => "text",
        });
    }
    assert_eq!(rules(&sandbox, device.clone()), [""; 0]);
    device["attributes"]["colour"] = json!("red");
    assert_eq!(rules(&sandbox, device), ["device-attribute"]);
}
