//! What the server's replies say, as data. What to do about them is the sender's business.
//!
//! `{"status":"success"}` and `{"status":"fail","error":{"type","message"}}` are S rules;
//! `request_id` on either is U.

use serde_json::Value;

/// Most bytes of a reply that are read; real ones have a few hundred.
pub const REPLY_BYTES_MAX: usize = 64 * 1024;

/// Most characters kept of any text of the server.
const WORDS_CHARS_MAX: usize = 300;

/// What a listed error type is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One element of the body, or its size: other elements may pass.
    Element,
    /// The request as a whole, the key or the account: no body will pass.
    Request,
    /// The account's budget of this minute.
    RateLimit,
    /// The server itself.
    Server,
}

/// One error type that the API lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The HTTP status it comes with.
    pub status: u16,
    /// The error's `type`.
    pub kind: &'static str,
    /// What it is about.
    pub class: Class,
}

/// The API's table of error types (Data API, S rule: responses), repeated messages left out.
pub const LISTED: [Listed; 17] = [
    listed(400, "Missing header value", Class::Request),
    listed(400, "Empty request body", Class::Request),
    listed(400, "Malformed JSON", Class::Request),
    listed(400, "Blacklisted", Class::Request),
    listed(400, "InvalidParams", Class::Request),
    listed(400, "ParamsRequired", Class::Request),
    listed(400, "Body type is not JSON", Class::Request),
    listed(400, "MissingAttributeError", Class::Element),
    listed(401, "Authentication required", Class::Request),
    listed(403, "Account Suspended", Class::Request),
    listed(403, "Account Temporarily Suspended", Class::Request),
    listed(409, "Authentication Mismatch", Class::Request),
    listed(409, "Authentication required", Class::Request),
    listed(413, "Payload too large", Class::Element),
    listed(415, "Unsupported Media Type", Class::Request),
    listed(429, "Rate Limit Exceeded", Class::RateLimit),
    listed(500, "Server Error", Class::Server),
];

const fn listed(status: u16, kind: &'static str, class: Class) -> Listed {
    Listed { status, kind, class }
}

/// What an error type is about, whatever status it came with; `None` where the API does
/// not list it. Case is ignored, since the API's own table varies it.
pub fn class_of(kind: &str) -> Option<Class> {
    let kind = kind.trim();
    LISTED.iter().find(|row| row.kind.eq_ignore_ascii_case(kind)).map(|row| row.class)
}

/// A reply, as far as it can be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The `status` inside the document.
    pub state: State,
    /// `error.type`, or empty.
    pub kind: String,
    /// `error.message`, or `message`; where the reply is no such document, how it begins.
    pub message: String,
    /// `request_id` or `error.request_id`; MoEngage's support asks for it.
    pub request_id: Option<String>,
    /// `app_name`, the workspace's name: the test of a connection tells it (Data API, U).
    pub app_name: Option<String>,
}

/// The `status` inside a reply's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `success`.
    Success,
    /// `fail`.
    Fail,
    /// Something else, or no JSON object at all.
    Unclear,
}

impl Reply {
    /// Reads a reply from its status and whole body. Never fails: what is not understood
    /// is [`State::Unclear`].
    pub fn parse(status: u16, body: &[u8]) -> Self {
        Self::hiding(status, body, str::to_owned)
    }

    /// The same; `hide` is shown `kind` and `message` as the server wrote them, and what it leaves of
    /// them is cut and cleaned: of a value that is cut or cleaned first, it would not know the rest.
    pub fn hiding(status: u16, body: &[u8], hide: impl Fn(&str) -> String) -> Self {
        let hidden = |text: &str| words(&hide(text));
        let Ok(Value::Object(document)) = serde_json::from_slice(body) else {
            let message = hidden(&String::from_utf8_lossy(body));
            let (state, kind) = (State::Unclear, String::new());
            return Self { status, state, kind, message, request_id: None, app_name: None };
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(words);
        let error = document.get("error");
        let error_value = |name| error.and_then(|error| error.get(name));
        let error_words = |name| error_value(name).and_then(Value::as_str).map(hidden);
        Self {
            status,
            state: match document.get("status").and_then(Value::as_str) {
                Some("success") => State::Success,
                Some("fail") => State::Fail,
                _ => State::Unclear,
            },
            kind: error_words("type").unwrap_or_default(),
            message: error_words("message")
                .or_else(|| document.get("message").and_then(Value::as_str).map(hidden))
                .unwrap_or_default(),
            request_id: text(error_value("request_id"))
                .or_else(|| text(document.get("request_id"))),
            app_name: text(document.get("app_name")),
        }
    }
}

/// A text of the server made safe to show and to keep: bounded, and without the control
/// characters that could drive a terminal.
fn words(text: &str) -> String {
    text.trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(WORDS_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_documented_shapes() {
        let reply = Reply::parse(200, br#"{"status":"success","message":"ok","request_id":"r1"}"#);
        assert_eq!(reply.state, State::Success);
        assert_eq!(reply.request_id.as_deref(), Some("r1"));

        let reply = Reply::parse(
            400,
            br#"{"status":"fail","error":{"type":"TypeError","message":"expected string","request_id":"r2"}}"#,
        );
        assert_eq!((reply.state, reply.kind.as_str()), (State::Fail, "TypeError"));
        assert_eq!(reply.message, "expected string");
        assert_eq!(reply.request_id.as_deref(), Some("r2"));
    }

    #[test]
    fn anything_else_is_unclear_and_never_a_success() {
        let deep = "[".repeat(10_000);
        for body in [
            "",
            "success",
            r#""success""#,
            r#"["success"]"#,
            r#"{"status":"Success"}"#,
            r#"{"status":["success"]}"#,
            r#"{"status":"success""#,
            r#"{"status":"success"} trailing"#,
            "\u{feff}{\"status\":\"success\"}",
            deep.as_str(),
        ] {
            assert_eq!(Reply::parse(200, body.as_bytes()).state, State::Unclear, "{body:.40}");
        }
        assert_eq!(Reply::parse(200, b"\xff\xfe{").state, State::Unclear);
    }

    #[test]
    fn odd_types_beside_the_status_do_not_hide_it() {
        let reply = Reply::parse(200, br#"{"status":"success","message":{"a":1},"request_id":7}"#);
        assert_eq!((reply.state, reply.request_id), (State::Success, None));
        let reply = Reply::parse(200, br#"{"status":"fail","error":"words"}"#);
        assert_eq!((reply.state, reply.kind.as_str()), (State::Fail, ""));
    }

    #[test]
    fn words_are_bounded_and_carry_no_control_characters() {
        let reply = Reply::parse(502, format!("\x1b[31m<html>{}", "x".repeat(5000)).as_bytes());
        assert!(reply.message.chars().count() <= WORDS_CHARS_MAX);
        assert!(!reply.message.chars().any(char::is_control));
    }

    #[test]
    fn types_are_found_in_any_case() {
        assert_eq!(class_of("Authentication Required"), Some(Class::Request));
        assert_eq!(class_of("malformed json "), Some(Class::Request));
        assert_eq!(class_of("MissingAttributeError"), Some(Class::Element));
        assert_eq!(class_of("TypeError"), None);
    }
}
