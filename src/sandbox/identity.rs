//! Whom an element is about: the rules for `customer_id`, and for the identifiers that stand in for it
//! in workspaces with identity resolution.

use serde_json::{Map, Value};

use super::elements::{ElementFault, fault};

/// Data API, S rule: a `customer_id` is any string of more than one character; characters are
/// Unicode scalar values.
const CUSTOMER_ID_CHARS_MIN: usize = 2;

/// Data API, S rule: the strings that are no `customer_id`, compared exactly.
const CUSTOMER_IDS_DISALLOWED: [&str; 22] = [
    "unknown",
    "guest",
    "null",
    "0",
    "1",
    "true",
    "false",
    "user_attribute_unique_id",
    "(empty)",
    "na",
    "n/a",
    "",
    "dummy_seller_code",
    "user_id",
    "id",
    "customer_id",
    "uid",
    "userid",
    "none",
    "-2",
    "-1",
    "2",
];

/// Data API, U: attributes that identify a user where a `customer_id` is absent. The reference names
/// `moe_mobile` as an example; the standard attributes that are one person's are taken too.
const IDENTIFIERS: [&str; 4] = ["moe_mobile", "u_mb", "u_em", "uid"];

/// Checks the identity of an element of type `kind`.
pub(super) fn check(element: &Value, kind: &str) -> Result<(), ElementFault> {
    let id = element.get("customer_id");
    // A workspace with identity resolution takes another identifier; a device knows none.
    let is_resolved = match kind {
        "customer" => in_attributes(element).next().is_some(),
        "event" => in_event(element).next().is_some(),
        _ => false,
    };
    if id.is_none() && is_resolved { Ok(()) } else { check_customer_id(id) }
}

fn check_customer_id(id: Option<&Value>) -> Result<(), ElementFault> {
    const KEY: &str = "customer_id";
    match id {
        Some(Value::String(id)) if CUSTOMER_IDS_DISALLOWED.contains(&id.as_str()) => {
            fault("customer-id-disallowed", KEY, "none of the disallowed ids")
        }
        Some(Value::String(id)) if id.chars().count() < CUSTOMER_ID_CHARS_MIN => {
            fault("customer-id-length", KEY, "str of more than one character")
        }
        Some(Value::String(_)) => Ok(()),
        _ => fault("customer-id-type", KEY, "str"),
    }
}

/// The names and values that identify a user beside or instead of its `customer_id`.
pub(super) fn in_attributes(user: &Value) -> impl Iterator<Item = (&str, &str)> {
    let attributes = user.get("attributes").and_then(Value::as_object);
    attributes.into_iter().flat_map(|all| {
        let texts = IDENTIFIERS.iter().filter_map(|name| Some((*name, all.get(*name)?.as_str()?)));
        texts.filter(|(_, value)| is_identifier(value))
    })
}

/// The names and values in `user_identifiers` of an event.
fn in_event(event: &Value) -> impl Iterator<Item = (&str, &str)> {
    let identifiers = event.get("user_identifiers").and_then(Value::as_object);
    let pairs = identifiers.into_iter().flat_map(Map::iter);
    pairs
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .filter(|(_, value)| is_identifier(value))
}

/// An identifier is held to the rules of a `customer_id`.
fn is_identifier(value: &str) -> bool {
    !CUSTOMER_IDS_DISALLOWED.contains(&value)
        && value.chars().nth(CUSTOMER_ID_CHARS_MIN - 1).is_some()
}
