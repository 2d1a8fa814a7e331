//! The users that the elements made: their merged attributes and their devices.
//!
//! A device needs a user that exists, and `update_existing_only` creates none (Data API, U). Other
//! user elements create one, and so does an event whose `customer_id` is unknown: the reference says
//! nothing of it, and a bare user is what the API is known to make of one.

use std::collections::HashMap;
use std::fmt::Write;

use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::Xxh3;

use super::dropped::{Changes, Did};
use super::identity;
use super::silent::{dates, is_create_only};

/// Headroom for a rehearsal; what is beyond it is judged, counted and not kept.
const BYTES_MAX: usize = 256 * 1024 * 1024;

/// A `customer_id` and the four other identifiers; a user whose identifiers change on and on must
/// not take up more and more.
const PLACES_PER_USER: usize = 5;

struct User {
    /// `None` where another identifier stands for it.
    customer_id: Option<Box<str>>,
    /// A JSON object: a parsed one takes up ten times as much.
    attributes: Box<str>,
    devices: Vec<Device>,
}

struct Device {
    id: Box<str>,
    /// A JSON object.
    attributes: Box<str>,
}

/// Every user of the workspace.
pub(super) struct Users {
    users: Vec<User>,
    /// By the digest of a `customer_id` or another identifier.
    places: HashMap<u128, u32>,
    users_max: usize,
    /// Held by ids, attributes and devices.
    bytes: usize,
    /// Whether a user was not kept since the bound is reached.
    is_full: bool,
}

impl Users {
    pub(super) fn new(users_max: usize) -> Self {
        Self { users: Vec::new(), places: HashMap::new(), users_max, bytes: 0, is_full: false }
    }

    /// Whether a user exists; where the bound is reached any may.
    pub(super) fn may_exist(&self, customer_id: &str) -> bool {
        self.is_full || self.place(customer_id).is_some()
    }

    /// Creates or updates the user of an element that has passed the silent rules; false where the
    /// element is left out.
    pub(super) fn take_user(&mut self, element: &Value, changes: &mut Changes) -> bool {
        let customer_id = element.get("customer_id").and_then(Value::as_str);
        let place = match customer_id {
            Some(id) => self.place(id),
            None => identity::in_attributes(element)
                .find_map(|(name, value)| self.places.get(&digest(name, value)).copied()),
        };
        if place.is_none() && element.get("update_existing_only") == Some(&Value::Bool(true)) {
            if !self.is_full {
                changes.note_element("unknown-user", "update_existing_only, and no such user");
            }
            return self.is_full;
        }
        let place = match place {
            Some(place) => Some(place),
            None => self.create(customer_id),
        };
        // A user beyond the bound is not kept; the element still counts as stored.
        let Some(place) = place else { return true };
        for (name, value) in identity::in_attributes(element) {
            if self.places.len() < self.users_max.saturating_mul(PLACES_PER_USER) {
                self.places.entry(digest(name, value)).or_insert(place);
            }
        }
        self.merge(place, element, changes);
        true
    }

    fn create(&mut self, customer_id: Option<&str>) -> Option<u32> {
        if self.users.len() >= self.users_max || self.bytes >= BYTES_MAX {
            self.is_full = true;
            return None;
        }
        let place = u32::try_from(self.users.len()).ok()?;
        if let Some(id) = customer_id {
            self.bytes += id.len();
            self.places.insert(digest(CUSTOMER_ID, id), place);
        }
        let customer_id = customer_id.map(Box::from);
        self.users.push(User { customer_id, attributes: "{}".into(), devices: Vec::new() });
        Some(place)
    }

    fn merge(&mut self, place: u32, element: &Value, changes: &mut Changes) {
        let Some(user) = self.users.get_mut(place as usize) else { return };
        let mut merged = parsed(&user.attributes);
        let arrived = element.get("attributes").and_then(Value::as_object);
        for (name, value) in arrived.into_iter().flatten() {
            match merged.get_mut(name) {
                Some(held) if is_create_only(name) => {
                    if held != value {
                        let message = "it can be created and not updated";
                        changes.note("create-only", name, Did::Dropped, message);
                    }
                }
                Some(held) => held.clone_from(value),
                None => {
                    merged.insert(name.clone(), value.clone());
                }
            }
        }
        let unset = element.get("unset_attributes").and_then(Value::as_array);
        let unset = unset.into_iter().flatten();
        for name in unset.filter_map(|entry| entry.get("attr").and_then(Value::as_str)) {
            merged.shift_remove(name);
        }
        let text = written(merged);
        replace(&mut user.attributes, text, &mut self.bytes, &mut self.is_full);
    }

    /// Creates the user of an event where its `customer_id` is unknown. Another identifier creates
    /// none: which name in `user_identifiers` is whose attribute is the workspace's setting.
    pub(super) fn take_event(&mut self, element: &Value) {
        if let Some(id) = element.get("customer_id").and_then(Value::as_str)
            && self.place(id).is_none()
        {
            self.create(Some(id));
        }
    }

    /// Creates or updates a device of a user that exists; false where it is left out.
    pub(super) fn take_device(&mut self, element: &Value, changes: &mut Changes) -> bool {
        let text = |key| element.get(key).and_then(Value::as_str).unwrap_or_default();
        let Some(place) = self.place(text("customer_id")) else {
            if !self.is_full {
                changes.note_element("unknown-user", "a device of no user that exists");
            }
            return self.is_full;
        };
        let Some(user) = self.users.get_mut(place as usize) else { return true };
        let attributes = element.get("attributes").and_then(Value::as_object).cloned();
        let attributes = written(attributes.unwrap_or_default());
        let id = text("device_id");
        let index = user.devices.iter().position(|device| &*device.id == id).unwrap_or_else(|| {
            self.bytes += id.len();
            user.devices.push(Device { id: id.into(), attributes: "{}".into() });
            user.devices.len() - 1
        });
        let held = &mut user.devices[index].attributes;
        replace(held, attributes, &mut self.bytes, &mut self.is_full);
        true
    }

    /// The attributes of a user, its `customer_id` among them; `None` where it is unknown.
    pub(super) fn attributes(&self, customer_id: &str) -> Option<Map<String, Value>> {
        let user = self.users.get(self.place(customer_id)? as usize)?;
        let mut attributes = parsed(&user.attributes);
        attributes.insert(CUSTOMER_ID.to_owned(), json!(customer_id));
        Some(attributes)
    }

    fn place(&self, customer_id: &str) -> Option<u32> {
        self.places.get(&digest(CUSTOMER_ID, customer_id)).copied()
    }

    /// The users from `offset`, at most `limit`, in the order in which they were created; or the
    /// one with `customer_id`.
    pub(super) fn to_json(&self, offset: usize, limit: usize, customer_id: Option<&str>) -> String {
        let (offset, limit) = match customer_id.map(|id| self.place(id)) {
            None => (offset, limit),
            Some(None) => (0, 0),
            Some(Some(place)) => (place as usize, 1),
        };
        let (count, is_full) = (self.users.len(), self.is_full);
        let mut json = format!(r#"{{"count":{count},"full":{is_full},"users":["#);
        for (index, user) in self.users.iter().skip(offset).take(limit).enumerate() {
            let comma = if index > 0 { "," } else { "" };
            // Writing to a `String` can't fail.
            let _ = write!(json, "{comma}{}", user.to_json());
        }
        json.push_str("]}");
        json
    }
}

impl User {
    fn to_json(&self) -> Value {
        let attributes = parsed(&self.attributes);
        let types: Map<String, Value> = attributes
            .iter()
            .map(|(name, value)| (name.clone(), json!(stored_type(value))))
            .collect();
        let devices: Vec<Value> = self
            .devices
            .iter()
            .map(|device| json!({"device_id": device.id, "attributes": parsed(&device.attributes)}))
            .collect();
        json!({
            "customer_id": self.customer_id,
            "attributes": attributes,
            "types": types,
            "devices": devices,
        })
    }
}

/// Puts a text in the place of another where the bound leaves room.
fn replace(held: &mut Box<str>, text: Box<str>, bytes: &mut usize, is_full: &mut bool) {
    let bytes_after = bytes.saturating_sub(held.len()) + text.len();
    if bytes_after <= BYTES_MAX {
        *bytes = bytes_after;
        *held = text;
    } else {
        *is_full = true;
    }
}

const CUSTOMER_ID: &str = "customer_id";

/// The datatype that the server gives a value.
fn stored_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "double",
        Value::String(text) if dates::is_stored_as_date(text) => "datetime",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn digest(name: &str, value: &str) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(name.as_bytes());
    // No UTF-8 holds this byte, so no two pairs are written alike.
    hasher.update(&[0xff]);
    hasher.update(value.as_bytes());
    hasher.digest128()
}

/// What [`written`] wrote.
fn parsed(attributes: &str) -> Map<String, Value> {
    serde_json::from_str(attributes).unwrap_or_default()
}

fn written(attributes: Map<String, Value>) -> Box<str> {
    Value::Object(attributes).to_string().into_boxed_str()
}
