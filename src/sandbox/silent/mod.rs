//! What the API does to a sound element without a word (Data API, U: its silent rules): it cuts,
//! casts, renames and drops. [`apply`] turns an element as it arrived into the one that is stored.
//!
//! `names` judges names, `values` what they hold, `dates` which strings are dates, and
//! `workspace` counts distinct names. Where the reference leaves open what is done, the comments
//! say what the emulator chose.

mod names;
mod values;
mod workspace;

pub(super) mod dates;

use serde_json::{Map, Value};

pub(super) use names::is_create_only;
pub(super) use workspace::Workspace;

use super::dropped::{Changes, Did};
use values::Cutter;

/// Data API, U: attributes kept of one event.
const EVENT_ATTRIBUTES_MAX: usize = 100;

/// Whose attributes they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    User,
    Event,
}

/// Makes a sound element the one that is stored; false where nothing of it is. `arrival` is the
/// time that an action without one gets, in ISO 8601.
pub(super) fn apply(
    element: &mut Value,
    workspace: &mut Workspace,
    arrival: &str,
    changes: &mut Changes,
) -> bool {
    let kind = element.get("type").and_then(Value::as_str);
    match kind {
        Some("customer") => {
            if let Some(attributes) = attributes_of(element) {
                keep_attributes(attributes, Owner::User, workspace, changes);
            }
            true
        }
        Some("event") => {
            let Some(Value::Array(actions)) = element.get_mut("actions") else { return false };
            actions.retain_mut(|action| keep_action(action, workspace, arrival, changes));
            !actions.is_empty()
        }
        _ => {
            if let Some(attributes) = attributes_of(element) {
                keep_device_attributes(attributes, changes);
            }
            true
        }
    }
}

fn attributes_of(holder: &mut Value) -> Option<&mut Map<String, Value>> {
    holder.get_mut("attributes").and_then(Value::as_object_mut)
}

fn keep_action(
    action: &mut Value,
    workspace: &mut Workspace,
    arrival: &str,
    changes: &mut Changes,
) -> bool {
    let arrived = match action.get_mut("action") {
        Some(Value::String(name)) => std::mem::take(name),
        _ => return false,
    };
    let Some(name) = names::event(&arrived, changes) else { return false };
    if let Err(beyond) = workspace.admit_event(&name) {
        let message = format!("a workspace has {} events, new ones fall out", beyond.names_max);
        changes.note(beyond.rule, &arrived, Did::Blacklisted, message);
        return false;
    }
    action["action"] = Value::String(name.into_owned());
    if let Some(attributes) = attributes_of(action) {
        if attributes.len() > EVENT_ATTRIBUTES_MAX {
            let count = attributes.len();
            let message = format!("{count} attributes, of which {EVENT_ATTRIBUTES_MAX} are kept");
            changes.note("event-attributes", &arrived, Did::Truncated, message);
            let first = std::mem::take(attributes).into_iter().take(EVENT_ATTRIBUTES_MAX);
            attributes.extend(first);
        }
        keep_attributes(attributes, Owner::Event, workspace, changes);
    }
    if action.get("user_time").is_none() && action.get("current_time").is_none() {
        let message = "an action without a time gets that of its arrival";
        changes.note("event-no-time", &arrived, Did::ArrivalTime, message);
        action["user_time"] = Value::String(arrival.to_owned());
    }
    true
}

fn keep_attributes(
    attributes: &mut Map<String, Value>,
    owner: Owner,
    workspace: &mut Workspace,
    changes: &mut Changes,
) {
    let kept = Map::with_capacity(attributes.len());
    let arrived = std::mem::replace(attributes, kept);
    for (arrived_name, value) in arrived {
        let Some(name) = names::attribute(&arrived_name, changes) else { continue };
        let is_standard_text = owner == Owner::User && names::is_standard_text(&name);
        if is_standard_text && breaks_dashboard(&value) {
            let message = "a standard attribute that is text, sent as number or array";
            changes.note("standard-string", &arrived_name, Did::Kept, message);
        }
        if owner == Owner::User && !names::may_have(&name, &value) {
            let message = "a standard attribute with a text that is not documented for it";
            changes.note("standard-value", &arrived_name, Did::Kept, message);
        }
        let mut cutter = Cutter { name: &arrived_name, changes };
        let kept =
            if is_standard_text { cutter.text_attribute(value) } else { cutter.attribute(value) };
        let Some(value) = kept else { continue };
        if let Err(beyond) = workspace.admit_attribute(owner, &name, holds_objects(&value)) {
            let message =
                format!("a workspace has {} of them, new ones fall out", beyond.names_max);
            changes.note(beyond.rule, &arrived_name, Did::Dropped, message);
            continue;
        }
        if attributes.insert(name.into_owned(), value).is_some() {
            // Two names that are the same in their first characters: the later one wins.
            let message = "another attribute had the same name, its value is lost";
            changes.note("name-collision", &arrived_name, Did::Dropped, message);
        }
    }
}

/// A device has the documented attributes only.
fn keep_device_attributes(attributes: &mut Map<String, Value>, changes: &mut Changes) {
    let arrived = std::mem::take(attributes);
    for (name, value) in arrived {
        if names::DEVICE_ATTRIBUTES.contains(&name.as_str()) {
            if let Some(value) = (Cutter { name: &name, changes }).text_attribute(value) {
                attributes.insert(name, value);
            }
        } else {
            let message = "a device has no such attribute";
            changes.note("device-attribute", &name, Did::Dropped, message);
        }
    }
}

fn breaks_dashboard(value: &Value) -> bool {
    value.is_number() || value.is_array()
}

/// An object, or a list of objects: the reference names object attributes and means either here.
fn holds_objects(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.first().is_some_and(Value::is_object),
        _ => false,
    }
}
