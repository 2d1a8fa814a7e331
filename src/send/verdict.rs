//! What to do about the outcome of a request: one pure function, the contract's table of replies.

use bytes::Bytes;

use crate::model::{Position, RowFailure};
use crate::wire::replies::{Class, Reply, State, class_of};

/// Longest wait that a server may ask for, in milliseconds: longer ones are mistakes, or
/// traffic that ends sooner.
pub const ASKED_MS_MAX: u64 = 5 * 60 * 1000;

/// Shortest and longest pause before a retry, in milliseconds (Data API, U: every 2 s).
const BACK_OFF_MS: (u64, u64) = (2_000, 30_000);

/// A number of this size is a moment in seconds since 1970, not a wait.
const EPOCH_SECONDS_MIN: f64 = 1e9;

/// What came of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered.
    Answered(Answer),
    /// No connection was made, so the server saw nothing; with the reason.
    NeverConnected(String),
    /// The server's certificate can't be trusted, so it was shown nothing; with the reason.
    Untrusted(String),
    /// The connection broke before an answer; with the reason.
    Broken(String),
    /// No whole answer came before the deadline.
    TimedOut,
}

/// A server's answer, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<String>,
    /// The `x-ratelimit-reset` header.
    pub rate_limit_reset: Option<String>,
    /// What was read of the body.
    pub body: AnswerBody,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// The connection ended before the body did.
    Cut,
    /// More than [`crate::wire::replies::REPLY_BYTES_MAX`].
    TooLong,
}

/// What a server refused, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub kind: String,
    pub message: String,
    pub request_id: Option<String>,
}

impl Refusal {
    pub fn of_row(&self, position: Position) -> RowFailure {
        RowFailure {
            position,
            status: self.status,
            kind: self.kind.clone(),
            message: self.message.clone(),
            request_id: self.request_id.clone(),
        }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server has it.
    Delivered { request_id: Option<String> },
    /// Some element is at fault: halve.
    Isolate(Refusal),
    /// The account's budget is used up: everything waits that long, where the server says
    /// how long. Uncapped.
    Wait { asked_ms: Option<u64> },
    /// Send it again after a pause.
    Retry { cause: String, in_doubt: bool },
    /// No body will pass: stop.
    Stop(Refusal),
    /// No body may be shown to this server: stop.
    Distrust(String),
}

/// The verdict on an outcome; `wall_ms` is the time in milliseconds since 1970. `hide` changes the
/// server's words that the verdict repeats, before they are cut; it has no say in what the verdict is.
pub(super) fn judge(outcome: &Outcome, wall_ms: u64, hide: impl Fn(&str) -> String) -> Verdict {
    let in_doubt = |cause: String| Verdict::Retry { cause, in_doubt: true };
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::NeverConnected(why) => {
            return Verdict::Retry { cause: why.clone(), in_doubt: false };
        }
        Outcome::Untrusted(why) => return Verdict::Distrust(why.clone()),
        Outcome::Broken(why) => return in_doubt(why.clone()),
        Outcome::TimedOut => return in_doubt("no answer before the deadline".to_owned()),
    };
    let (body, cut): (&[u8], bool) = match &answer.body {
        AnswerBody::Whole(body) => (body, false),
        AnswerBody::Cut => (b"the reply was cut short", true),
        AnswerBody::TooLong => (b"the reply is too long", false),
    };
    let reply = Reply::parse(answer.status, body);
    let class = class_of(&reply.kind);
    let shown = || Reply::hiding(answer.status, body, &hide);
    match (answer.status, reply.state) {
        // Only a whole document that says so is a delivery; a proxy's page is none.
        (200..=299, State::Success) => Verdict::Delivered { request_id: reply.request_id },
        (200..=299, State::Fail) => refused(class, shown()),
        (200..=299, State::Unclear) => in_doubt(said("a success without its document", &shown())),
        // Without its type nobody can tell a bad row from a blocked account.
        (400, _) if cut => in_doubt(said("the reply was cut short", &shown())),
        (400, _) => refused(class, shown()),
        (413, _) => Verdict::Isolate(shown().into()),
        (429, _) => Verdict::Wait { asked_ms: asked_ms(answer, wall_ms) },
        (408 | 500..=599, _) => in_doubt(said("the server is in trouble", &shown())),
        // 401, 403, 409, 415, redirects, every other 4xx, and what HTTP doesn't know.
        _ => Verdict::Stop(shown().into()),
    }
}

/// A 400, or a success that says `fail`: its type tells whether a row or the request is meant.
fn refused(class: Option<Class>, reply: Reply) -> Verdict {
    match class {
        Some(Class::Element) | None => Verdict::Isolate(reply.into()),
        Some(Class::Request | Class::RateLimit | Class::Server) => Verdict::Stop(reply.into()),
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Self {
        let Reply { status, kind, message, request_id, .. } = reply;
        Self { status, kind, message, request_id }
    }
}

fn said(what: &str, reply: &Reply) -> String {
    let words = [reply.kind.as_str(), reply.message.as_str()];
    let words = words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(": ");
    match (words.is_empty(), reply.status) {
        (true, status) => format!("{what} (status {status})"),
        (false, status) => format!("{what} (status {status}: {words})"),
    }
}

/// The larger of the two waits that the server names; `None` where it names none that lies ahead.
fn asked_ms(answer: &Answer, wall_ms: u64) -> Option<u64> {
    [&answer.retry_after, &answer.rate_limit_reset]
        .into_iter()
        .flatten()
        .filter_map(|text| wait_ms(text.trim(), wall_ms))
        .max()
}

/// Reads seconds, seconds since 1970 (which some gateways send) or an HTTP date.
fn wait_ms(text: &str, wall_ms: u64) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let ms = if let Some(seconds) = text.parse::<f64>().ok().filter(|_| is_number) {
        let ms = (seconds * 1000.0).ceil() as u64;
        if seconds >= EPOCH_SECONDS_MIN { ms.saturating_sub(wall_ms) } else { ms }
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
        (since.as_millis() as u64).saturating_sub(wall_ms)
    };
    (ms > 0).then_some(ms)
}

/// The pause before a retry, in milliseconds, from the failures so far (from 1) and a jitter
/// from 0 to 1: anywhere between 2 s and a ceiling that doubles up to 30 s.
pub(super) fn back_off_ms(failures: u32, jitter: f64) -> u64 {
    let (least, most) = BACK_OFF_MS;
    let ceiling = (least << failures.min(10)).min(most);
    least + ((ceiling - least) as f64 * jitter.clamp(0.0, 1.0)) as u64
}

/// What a person can do about a reply that stops the run.
pub(super) fn advice(status: u16, kind: &str) -> &'static str {
    match status {
        401 => {
            "check the app id, the API id and the Data API key against the dashboard, and that \
             the data center is the account's; keep the key that is in use, other integrations \
             share it"
        }
        403 => "the account is suspended; ask MoEngage's support, then run the same command again",
        409 => {
            "the app id and the API id must be those of one workspace, with a Data API key set; \
             check them against the dashboard"
        }
        400 | 200..=299 if kind.eq_ignore_ascii_case("Blacklisted") => {
            "the account is blocked; ask MoEngage's support, then run the same command again"
        }
        400 | 200..=299
            if ["InvalidParams", "ParamsRequired"].iter().any(|k| k.eq_ignore_ascii_case(kind)) =>
        {
            "check --app-id and --data-center: this server doesn't know the app id"
        }
        300..=399 => {
            "the endpoint redirects, which is not followed since the key would travel along; \
             give its final address with --endpoint"
        }
        404 | 405 => "check --endpoint: there is no Data API at this address",
        407 => "the proxy asks for a password; check HTTPS_PROXY",
        _ => {
            "check --endpoint and any proxy on the way, then run the same command again; give MoEngage's support the request id"
        }
    }
}

#[cfg(test)]
mod tests;
