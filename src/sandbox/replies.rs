//! Every answer in the API's own words: the rows of its response table, and how an answer is written.

use std::borrow::Cow;

use serde_json::json;

use super::budget::Shortage;

/// One row of the Data API's response table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) code: u16,
    pub(super) kind: &'static str,
    pub(super) message: &'static str,
}

const fn row(code: u16, kind: &'static str, message: &'static str) -> Row {
    Row { code, kind, message }
}

pub(super) static CONTENT_TYPE_MISSING: Row =
    row(400, "Missing header value", "The Content-Type Header is required");
/// The table lists this row twice, once with a full stop; the first form is sent.
pub(super) static BODY_EMPTY: Row =
    row(400, "Empty request body", "A valid JSON document is required");
pub(super) static MALFORMED_JSON: Row = row(
    400,
    "Malformed JSON",
    "Could not decode the request body. The JSON was incorrect or not encoded as UTF-8.",
);
pub(super) static APP_ID_UNKNOWN: Row = row(400, "InvalidParams", "given app_id is invalid.");
pub(super) static APP_ID_MISSING: Row =
    row(400, "ParamsRequired", "app_id is required in path/query params.");
pub(super) static BODY_IS_STRING: Row =
    row(400, "Body type is not JSON", "A valid JSON document is required.");
/// Data API, S rule: the example of a failure, `TypeError` with `expected string`.
pub(super) static TYPE_ERROR: Row = row(400, "TypeError", "expected string");
pub(super) static AUTH_MISSING: Row =
    row(401, "Authentication Required", "Authentication Header Required");
pub(super) static AUTH_EMPTY: Row =
    row(401, "Authentication required", "No identity information found");
pub(super) static AUTH_UNDECODABLE: Row =
    row(401, "Authentication required", "Invalid identity information found");
pub(super) static AUTH_NO_USER: Row =
    row(401, "Authentication required", "APP_KEY missing in the authentication header");
pub(super) static AUTH_NO_PASSWORD: Row =
    row(401, "Authentication required", "APP_SECRET missing in the authentication header");
pub(super) static AUTH_WRONG_PASSWORD: Row = row(
    401,
    "Authentication required",
    "App Secret key mismatch. Please login to the dashboard to verify key",
);
pub(super) static AUTH_WRONG_USER: Row =
    row(401, "Authentication required", "Invalid APP_ID used in Authentication Header");
pub(super) static APP_ID_MISMATCH: Row =
    row(409, "Authentication Mismatch", "App key mismatch in params and authentication");
pub(super) static PAYLOAD_TOO_LARGE: Row =
    row(413, "Payload too large", "The payload can not exceed 128KB");
pub(super) static MEDIA_TYPE: Row = row(415, "Unsupported Media Type", "Unsupported Media Type");
pub(super) static RATE_LIMIT: Row =
    row(429, "Rate Limit Exceeded", "Rate Limits for User / Event exceeded");
pub(super) const SERVER_ERROR: Row = row(500, "Server Error", "Any other exception");

/// The emulator's own rows: the API's table says nothing of paths and methods it does not know.
pub(super) static NOT_FOUND: Row = row(404, "Not Found", "no such path");
pub(super) static METHOD_NOT_ALLOWED: Row =
    row(405, "Method Not Allowed", "this path takes another method, see the Allow header");

/// The rows that depend on the account's or the server's state, and so can only be scripted.
/// The first of a code is the one that the code alone names.
pub(super) static STATE_ROWS: [Row; 5] = [
    row(400, "Blacklisted", "Your account is blacklisted, Please contact MoEngage."),
    row(403, "Account Suspended", "Account Suspended"),
    row(403, "Account Temporarily Suspended", "Account Temporarily Suspended"),
    row(
        409,
        "Authentication required",
        "App Secret key is not set. Please login to the dashboard to set a key",
    ),
    SERVER_ERROR,
];

/// Why a request was not accepted.
#[derive(Debug)]
pub(super) struct Refusal {
    code: u16,
    kind: &'static str,
    message: Cow<'static, str>,
    headers: Vec<(&'static str, String)>,
}

impl From<&Row> for Refusal {
    fn from(row: &Row) -> Self {
        Self {
            code: row.code,
            kind: row.kind,
            message: Cow::Borrowed(row.message),
            headers: Vec::new(),
        }
    }
}

impl Refusal {
    /// The row `MissingAttributeError`, whose message names the attribute and what it should be.
    pub(super) fn missing_attribute(message: String) -> Self {
        Self {
            code: 400,
            kind: "MissingAttributeError",
            message: Cow::Owned(message),
            headers: Vec::new(),
        }
    }

    /// The 429 of a budget that is spent, with the headers that say when to come back.
    pub(super) fn rate_limit(shortage: Shortage) -> Self {
        let Shortage { limit, remaining, reset_seconds } = shortage;
        Self::from(&RATE_LIMIT)
            .with("x-ratelimit-limit", limit)
            .with("x-ratelimit-remaining", remaining)
            .retry_after(reset_seconds)
    }

    /// Names the seconds after which a retry makes sense, in both headers that the API uses.
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        self.with("retry-after", seconds).with("x-ratelimit-reset", seconds)
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// An answer, ready to be sent.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    /// A 200 with a document of the emulator's own.
    pub(super) fn document(body: String) -> Self {
        Self { status: 200, headers: Vec::new(), body }
    }

    /// The 200 of an accepted request: taken, which says nothing of its elements.
    pub(super) fn accepted(request_id: &str) -> Self {
        let body = json!({
            "status": "success",
            "message": "Your request has been accepted and will be processed soon.",
            "request_id": request_id,
        });
        Self::document(body.to_string())
    }

    /// The answer to a refused request.
    pub(super) fn refused(refusal: Refusal, request_id: &str) -> Self {
        let body = json!({
            "status": "fail",
            "error": {
                "message": refusal.message,
                "type": refusal.kind,
                "request_id": request_id,
            },
        });
        Self { status: refusal.code, headers: refusal.headers, body: body.to_string() }
    }
}
