//! What the sender tells the log: numbers, and the type of what the server said. Never a body, nor
//! the server's message, which may quote a value of a row.

use std::time::Duration;

use crate::send::verdict::{AnswerBody, Outcome, Refusal};
use crate::send::{Error, Waiting};
use crate::wire::replies::Reply;

/// Refusals that are warned of; a file may hold a great many bad rows, and all of them stand in
/// the rejects.
const REFUSALS_WARNED: u32 = 20;

/// Longest type of an error that is logged, in bytes.
const KIND_BYTES_MAX: usize = 60;

/// One request, as it was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// The body's ordinal.
    pub body: u64,
    pub elements: u32,
    pub bytes: usize,
    /// From 1.
    pub attempt: u32,
}

/// A request is about to leave.
pub(super) fn leaving(sent: &Sent) {
    let Sent { body, elements, bytes, attempt } = *sent;
    tracing::trace!(body, elements, bytes, attempt, "request");
}

/// A request came back, or did not.
pub(super) fn landed(sent: &Sent, outcome: &Outcome, ms: u64) {
    // The request id takes a parse of the reply.
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let Sent { body, elements, bytes, attempt } = *sent;
    let Outcome::Answered(answer) = outcome else {
        let outcome = cause(outcome);
        tracing::debug!(body, elements, bytes, attempt, ms, outcome, "request without an answer");
        return;
    };
    let status = answer.status;
    let request_id = match &answer.body {
        AnswerBody::Whole(bytes) => Reply::parse(status, bytes).request_id,
        AnswerBody::Cut | AnswerBody::TooLong => None,
    };
    let request_id = request_id.as_deref().filter(|id| is_word(id));
    tracing::debug!(body, elements, bytes, attempt, status, ms, request_id, "request answered");
}

/// The server answered 429.
pub(super) fn told_to_wait(body: u64, asked_ms: Option<u64>, pause: Duration) {
    let asked_seconds = asked_ms.map(|ms| ms.div_ceil(1000));
    let pause_seconds = pause.as_secs_f64();
    tracing::warn!(body, asked_seconds, pause_seconds, "the server answered 429; all bodies wait");
}

/// A body is tried again.
pub(super) fn retry(body: u64, failures: u32, outcome: &Outcome, pause: Duration) {
    let (cause, pause_seconds) = (cause(outcome), pause.as_secs_f64());
    tracing::warn!(body, failures, cause, pause_seconds, "no verdict on a body; it is sent again");
}

/// The server refused a body for its rate that had the window to itself.
pub(super) fn too_large(body: u64, users: u64, events: u64) {
    tracing::warn!(
        body,
        users,
        events,
        "refused for the rate though nothing else was sent for a minute; it is sent in halves"
    );
}

/// The server refused a body, which is halved, or a row that stood alone. `before` counts the
/// earlier ones.
pub(super) fn refused(body: u64, elements: u32, refusal: &Refusal, before: u32) {
    let (status, kind) = (refusal.status, kind(&refusal.kind));
    let request_id = refusal.request_id.as_deref().filter(|id| is_word(id));
    let what = if elements > 1 { "a part is refused and halved" } else { "a row is refused" };
    if before < REFUSALS_WARNED {
        tracing::warn!(body, elements, status, kind, request_id, "{what}");
    } else {
        tracing::debug!(body, elements, status, kind, request_id, "{what}");
    }
    if before + 1 == REFUSALS_WARNED {
        tracing::warn!("further refusals are logged at debug only");
    }
}

/// The run ends before its end.
pub(super) fn stopping(error: Option<&Error>) {
    match error {
        None => tracing::info!("stopping, as asked"),
        Some(Error::Fatal { status, kind: words, .. }) => {
            tracing::error!(status, kind = kind(words), "stopping: no body would fare better");
        }
        Some(Error::Outage { lasted, .. }) => {
            tracing::error!(seconds = lasted.as_secs(), "stopping: no success for too long");
        }
        Some(Error::Breaker { failed, delivered, .. }) => {
            tracing::error!(failed, delivered, "stopping: the server refuses too many rows");
        }
        Some(_) => tracing::error!("stopping"),
    }
}

/// What the next body waits for.
pub(super) fn waiting(waiting: Waiting, now_ms: u64) {
    let seconds = |until_ms: u64| until_ms.saturating_sub(now_ms).div_ceil(1000);
    match waiting {
        Waiting::Budget { until_ms } => {
            tracing::debug!(seconds = seconds(until_ms), "waiting for the budget");
        }
        Waiting::ServerAsked { until_ms, .. } => {
            tracing::debug!(seconds = seconds(until_ms), "waiting as the server asked");
        }
        Waiting::BackOff { until_ms } => {
            tracing::debug!(seconds = seconds(until_ms), "waiting for the next try");
        }
    }
}

/// What a request met, without any words of the server.
fn cause(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(answer) => match (answer.status, &answer.body) {
            (status, AnswerBody::Cut) => {
                format!("status {status}, and an answer that was cut short")
            }
            (status @ 200..=299, _) => format!("status {status} without the document of a success"),
            (status, _) => format!("status {status}"),
        },
        Outcome::NeverConnected(why) => format!("no connection: {why}"),
        Outcome::Untrusted(why) => format!("not trusted: {why}"),
        Outcome::Broken(why) => format!("broken connection: {why}"),
        Outcome::TimedOut => "no answer before the deadline".to_owned(),
    }
}

/// The type of an error; only what looks like one.
fn kind(kind: &str) -> &str {
    let is_type = |kind: &str| {
        kind.len() <= KIND_BYTES_MAX && kind.chars().all(|c| c.is_ascii_alphabetic() || c == ' ')
    };
    if is_type(kind) { kind } else { "other" }
}

/// Whether a request id looks like one.
fn is_word(id: &str) -> bool {
    id.len() <= KIND_BYTES_MAX && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_and_ids_that_look_like_ones_are_logged() {
        assert_eq!(kind("MissingAttributeError"), "MissingAttributeError");
        assert_eq!(kind("Account Suspended"), "Account Suspended");
        for words in ["ann@example.com", "a\nb", "42", &"x".repeat(61)] {
            assert_eq!(kind(words), "other");
        }
        assert!(is_word("r-1_2.x") && !is_word("a@b") && !is_word("a b"));
    }
}
