//! Is a request acceptable as a whole: its app id, authentication, content type, body and envelope.
//!
//! The order is the emulator's own, since the API documents none: what a gateway can tell without
//! the account comes first (413, no app id), then who asks (401), then for which app (400, 409),
//! then the content (415, 400). The first fault found is the answer.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

use super::budget::Units;
use super::raw;
use super::replies::{self, Refusal, Row};
use super::route::Endpoint;

/// Data API, S rule: a body above 128 KB is answered 413; read as 128 × 1,024 bytes.
pub(super) const BODY_BYTES_MAX: usize = 131_072;
/// Data API, S rule: a body is at most 100 KB, in the strict reading. The server itself lets a body
/// between the two pass, so this is listed, not refused.
pub(super) const BODY_BYTES_ADVISED: usize = 100_000;

/// A body as it arrived.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// At most [`BODY_BYTES_MAX`] bytes of it.
    pub(super) kept: Vec<u8>,
    /// All that arrived, kept or not.
    pub(super) bytes: usize,
}

/// Whom the emulator knows.
pub(super) struct Account {
    app_id: String,
    /// A second app with the same key: what a mismatch between path and authentication needs.
    other_app_id: String,
    api_key: String,
}

impl Account {
    pub(super) fn new(app_id: String, api_key: String) -> Self {
        Self { other_app_id: format!("{app_id}-OTHER"), app_id, api_key }
    }

    fn knows(&self, app_id: &str) -> bool {
        app_id == self.app_id || app_id == self.other_app_id
    }

    /// Checks who asks, and for which app; `app_id` is the one in path or query.
    pub(super) fn check(
        &self,
        app_id: Option<&str>,
        headers: &HeaderMap,
        body: &Body,
    ) -> Result<(), &'static Row> {
        if body.bytes > BODY_BYTES_MAX {
            return Err(&replies::PAYLOAD_TOO_LARGE);
        }
        let app_id = app_id.ok_or(&replies::APP_ID_MISSING)?;
        let user = self.authenticate(headers)?;
        if !self.knows(app_id) {
            return Err(&replies::APP_ID_UNKNOWN);
        }
        if app_id != user {
            return Err(&replies::APP_ID_MISMATCH);
        }
        Ok(())
    }

    /// The user name that `Authorization: Basic base64(user:password)` proves.
    fn authenticate(&self, headers: &HeaderMap) -> Result<String, &'static Row> {
        let header =
            headers.get(AUTHORIZATION).ok_or(&replies::AUTH_MISSING)?.as_bytes().trim_ascii();
        if header.is_empty() {
            return Err(&replies::AUTH_EMPTY);
        }
        let identity = decode_basic(header).ok_or(&replies::AUTH_UNDECODABLE)?;
        let (user, password) = identity.split_once(':').ok_or(&replies::AUTH_UNDECODABLE)?;
        if user.is_empty() {
            return Err(&replies::AUTH_NO_USER);
        }
        if password.is_empty() {
            return Err(&replies::AUTH_NO_PASSWORD);
        }
        if !self.knows(user) {
            return Err(&replies::AUTH_WRONG_USER);
        }
        if password != self.api_key {
            return Err(&replies::AUTH_WRONG_PASSWORD);
        }
        Ok(user.to_owned())
    }
}

fn decode_basic(header: &[u8]) -> Option<String> {
    let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let identity = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    String::from_utf8(identity).ok()
}

/// Checks that a document is announced as JSON.
pub(super) fn check_content_type(headers: &HeaderMap) -> Result<(), &'static Row> {
    let header = headers
        .get(CONTENT_TYPE)
        .filter(|value| !value.is_empty())
        .ok_or(&replies::CONTENT_TYPE_MISSING)?;
    // `application/json; charset=utf-8` is the same media type.
    let media_type = header.to_str().ok().and_then(|text| text.split(';').next());
    match media_type {
        Some(name) if name.trim().eq_ignore_ascii_case("application/json") => Ok(()),
        _ => Err(&replies::MEDIA_TYPE),
    }
}

/// The JSON document that a body should be.
pub(super) struct Document<'a> {
    endpoint: Endpoint,
    value: Value,
    /// The whole body, as it arrived.
    text: &'a str,
    /// What it is charged.
    pub(super) units: Units,
}

impl<'a> Document<'a> {
    /// Reads a body that was sent to `endpoint`.
    pub(super) fn parse(endpoint: Endpoint, body: &'a Body) -> Result<Self, &'static Row> {
        if body.kept.is_empty() {
            return Err(&replies::BODY_EMPTY);
        }
        let text = std::str::from_utf8(&body.kept).map_err(|_| &replies::MALFORMED_JSON)?;
        match serde_json::from_str(text) {
            Ok(Value::String(_)) => Err(&replies::BODY_IS_STRING),
            Ok(value) => Ok(Self { endpoint, units: units(endpoint, &value), value, text }),
            Err(_) => Err(&replies::MALFORMED_JSON),
        }
    }

    /// The elements: those of a bulk envelope, or the document itself.
    pub(super) fn elements(&self) -> Result<&[Value], Refusal> {
        if self.endpoint != Endpoint::Bulk {
            return Ok(std::slice::from_ref(&self.value));
        }
        let wrong = |message: &str| Err(Refusal::missing_attribute(message.to_owned()));
        match self.value.get("type") {
            Some(Value::String(kind)) if kind == "transition" => {}
            Some(Value::String(_)) => return wrong("type is expected to be transition"),
            _ => return wrong("type is expected to be str"),
        }
        match self.value.get("elements") {
            Some(Value::Array(elements)) if elements.is_empty() => {
                wrong("elements is expected to be non-empty list")
            }
            Some(Value::Array(elements)) if !elements.iter().all(Value::is_object) => {
                wrong("elements is expected to be list of dict")
            }
            Some(Value::Array(elements)) => Ok(elements),
            _ => wrong("elements is expected to be list"),
        }
    }

    /// The text of each element, as it arrived; of a document whose elements were found sound.
    pub(super) fn element_texts(&self) -> Vec<&'a str> {
        match self.endpoint {
            Endpoint::Bulk => raw::elements(self.text),
            _ => vec![self.text.trim()],
        }
    }

    /// The document itself.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The elements that [`Self::elements`] found.
    pub(super) fn into_elements(mut self) -> Vec<Value> {
        match (self.endpoint, self.value.get_mut("elements")) {
            (Endpoint::Bulk, Some(Value::Array(elements))) => std::mem::take(elements),
            _ => vec![self.value],
        }
    }
}

/// What a document is charged, sound or not: a user or device element 1 user, each action 1 event.
fn units(endpoint: Endpoint, document: &Value) -> Units {
    let elements = match (endpoint, document.get("elements")) {
        (Endpoint::Bulk, Some(Value::Array(elements))) => elements.as_slice(),
        (Endpoint::Bulk | Endpoint::Export | Endpoint::Authentication, _) => &[],
        _ => std::slice::from_ref(document),
    };
    let mut units = Units::default();
    for element in elements {
        match element.get("type").and_then(Value::as_str) {
            Some("customer" | "device") => units.users += 1,
            Some("event") => {
                let actions = element.get("actions").and_then(Value::as_array);
                units.events += actions.map_or(0, |actions| actions.len() as u64);
            }
            _ => {}
        }
    }
    units
}
