//! Is one element sound: the checks that the Bulk Import API makes after its 200, silently.
//!
//! Faults here cost the whole element. An impossible date in an attribute is none: the API stores it
//! as a string. Nor is what it cuts or drops inside an element, which is `silent`'s business.

use std::borrow::Cow;

use serde_json::Value;

use super::identity;
use super::silent::dates;

/// Data API, U: the platforms a device can have.
const DEVICE_PLATFORMS: [&str; 4] = ["ANDROID", "iOS", "web", "TV"];

/// Data API, U: the platforms an action can have.
const EVENT_PLATFORMS: [&str; 5] = ["ANDROID", "iOS", "web", "TV", "unknown"];

/// Data API, U: `user_timezone_offset` in seconds, 15 hours either way.
const TIMEZONE_OFFSET_SECONDS_MAX: u64 = 54_000;

/// Data API, U: what `moe_push_opted` of a device can be. What becomes of another value is not
/// documented; it is taken as strictly as a platform.
const PUSH_OPTED: [&str; 2] = ["True", "False"];

/// What is wrong with an element.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ElementFault {
    /// A stable name for the rule.
    pub(super) code: &'static str,
    /// In the words of the API's `MissingAttributeError`.
    pub(super) message: String,
}

pub(super) fn fault<T>(
    code: &'static str,
    key: &str,
    expected: impl Into<Cow<'static, str>>,
) -> Result<T, ElementFault> {
    let expected = expected.into();
    Err(ElementFault { code, message: format!("{key} is expected to be {expected}") })
}

/// Finds the first fault of an element; `kinds` are the values of `type` that the endpoint takes.
pub(super) fn check(element: &Value, kinds: &[&str]) -> Result<(), ElementFault> {
    let Some(Value::String(kind)) = element.get("type") else {
        return fault("element-type", "type", "str");
    };
    if !kinds.contains(&kind.as_str()) {
        return fault("element-type", "type", kinds.join(" or "));
    }
    identity::check(element, kind)?;
    match kind.as_str() {
        "customer" => check_user(element),
        "event" => check_event(element),
        _ => check_device(element),
    }
}

fn check_user(user: &Value) -> Result<(), ElementFault> {
    check_attributes(user)?;
    if user.get("update_existing_only").is_some_and(|only| !only.is_boolean()) {
        return fault("update-existing-only", "update_existing_only", "bool");
    }
    match user.get("unset_attributes") {
        None => Ok(()),
        Some(Value::Array(unset)) if unset.iter().all(is_unset) => Ok(()),
        Some(_) => {
            fault("unset-attributes", "unset_attributes", "list of {type: equals, attr: str}")
        }
    }
}

fn is_unset(entry: &Value) -> bool {
    entry.get("type").and_then(Value::as_str) == Some("equals")
        && entry.get("attr").is_some_and(Value::is_string)
}

fn check_event(event: &Value) -> Result<(), ElementFault> {
    if event.get("device_id").is_some_and(|id| !id.is_string()) {
        return fault("device-id", "device_id", "str");
    }
    match event.get("actions") {
        Some(Value::Array(actions)) if actions.is_empty() => {
            fault("event-actions", "actions", "non-empty list")
        }
        Some(Value::Array(actions)) => actions.iter().try_for_each(check_action),
        _ => fault("event-actions", "actions", "list"),
    }
}

fn check_action(action: &Value) -> Result<(), ElementFault> {
    if !is_text(action.get("action")) {
        return fault("action-name", "action", "non-empty str");
    }
    check_attributes(action)?;
    if action.get("app_version").is_some_and(|version| !version.is_string()) {
        return fault("action-field", "app_version", "str");
    }
    let is_platform = |name: &Value| name.as_str().is_some_and(|it| EVENT_PLATFORMS.contains(&it));
    if action.get("platform").is_some_and(|name| !is_platform(name)) {
        return fault("action-platform", "platform", EVENT_PLATFORMS.join(" or "));
    }
    for key in ["user_time", "current_time"] {
        if action.get(key).is_some_and(|time| !is_time(time)) {
            return fault("action-time", key, "ISO 8601 str or epoch seconds");
        }
    }
    match action.get("user_timezone_offset") {
        None => Ok(()),
        Some(offset) if is_timezone_offset(offset) => Ok(()),
        Some(_) => fault(
            "action-timezone-offset",
            "user_timezone_offset",
            "int of seconds from -54000 to 54000",
        ),
    }
}

fn is_time(time: &Value) -> bool {
    match time {
        Value::Number(_) => true,
        Value::String(text) => dates::is_iso_8601(text),
        _ => false,
    }
}

fn is_timezone_offset(offset: &Value) -> bool {
    offset.as_i64().is_some_and(|seconds| seconds.unsigned_abs() <= TIMEZONE_OFFSET_SECONDS_MAX)
}

/// Data API, U: a device needs an id, a platform and a push id.
fn check_device(device: &Value) -> Result<(), ElementFault> {
    if !is_text(device.get("device_id")) {
        return fault("device-id", "device_id", "non-empty str");
    }
    check_attributes(device)?;
    let attribute = |key| device.get("attributes").and_then(|all| all.get(key));
    let platform = attribute("platform").and_then(Value::as_str);
    if !platform.is_some_and(|name| DEVICE_PLATFORMS.contains(&name)) {
        return fault("device-platform", "platform", DEVICE_PLATFORMS.join(" or "));
    }
    if !is_text(attribute("push_id")) {
        return fault("device-push-id", "push_id", "non-empty str");
    }
    let is_opted = |opted: &Value| opted.as_str().is_some_and(|it| PUSH_OPTED.contains(&it));
    if attribute("moe_push_opted").is_some_and(|opted| !is_opted(opted)) {
        return fault("device-push-opted", "moe_push_opted", PUSH_OPTED.join(" or "));
    }
    Ok(())
}

fn check_attributes(holder: &Value) -> Result<(), ElementFault> {
    match holder.get("attributes") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => fault("attributes-type", "attributes", "dict"),
    }
}

fn is_text(value: Option<&Value>) -> bool {
    value.and_then(Value::as_str).is_some_and(|text| !text.is_empty())
}
