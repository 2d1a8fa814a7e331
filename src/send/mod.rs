//! Sends bodies to the Data API: inside the account's budget, with every reply judged,
//! and with what was meant and what became of it told to a [`Ledger`].
//!
//! - `sender`: the one task that decides, in one fixed order
//! - `jobs`: open bodies, their retries and halves, the order per user
//! - `budget`, `ratelog`: what is charged to the account, in memory and across processes
//! - `health`, `breaker`: pauses, and when to give up
//! - `verdict`: what a reply means for its body; `mask`: its words without the rows' values
//! - `client`: HTTP; `probe`: the test of a connection; `clock`: time
//!
//! Knows nothing of files, mappings or the journal's format. Async, as are the emulator and
//! `source/remote`.

mod breaker;
mod budget;
mod client;
mod clock;
mod health;
mod jobs;
mod mask;
mod probe;
mod ratelog;
mod sender;
#[cfg(test)]
mod simulation;
mod verdict;

use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use indicatif::HumanCount;
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};

use crate::model::{Body, Rate, RequestCounts, Turn};
use crate::wire::api::Api;

pub use client::{Client, ClientError};
pub use clock::Clock;
pub use probe::{Finding, Obstacle, Probe, probe_blocking};
pub use ratelog::{RateLog, RateLogError};
pub use verdict::{ASKED_MS_MAX, Answer, AnswerBody, Outcome};

/// Most connections that are opened without being asked for.
const CONNECTIONS_MAX: usize = 64;

/// Connections where no budget tells how many are of use.
const CONNECTIONS_UNLIMITED: usize = 16;

/// Where and how fast to send.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Scheme, host and port; `/v1/{api}/{app_id}` is appended.
    pub endpoint: String,
    /// Which API takes the bodies.
    pub api: Api,
    /// The workspace's id.
    pub app_id: String,
    /// The user name of the Data API; by default the app id.
    pub api_id: String,
    /// The Data API key.
    pub key: SecretString,
    /// Budget of users in any 60 s.
    pub users: Rate,
    /// Budget of events in any 60 s.
    pub events: Rate,
    /// Requests under way at a time, at least 1; `None` = as many as one window has bodies.
    pub connections: Option<usize>,
    /// How long the server may be in trouble, without any success, before the run stops.
    pub retry_for: Duration,
    /// From a body's charge to the end of its answer.
    pub request_deadline: Duration,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// Between two pieces of an answer, once it has begun.
    pub idle_timeout: Duration,
    /// Users of the largest body: a lowered rate stops there.
    pub largest_users: u64,
    /// Events of the largest body.
    pub largest_events: u64,
    /// Users of a body on average, for the number of connections.
    pub mean_users: f64,
    /// Events of a body on average.
    pub mean_events: f64,
    /// Whether the server's words may quote values of the rows.
    pub show_values: bool,
    /// Go straight to the server, whatever the system says of proxies.
    pub no_proxy: bool,
    /// Seeds all that the sender leaves to chance: the length of its pauses.
    pub seed: u64,
}

impl Settings {
    /// Settings with the defaults of everything but the account and its budget.
    pub fn new(
        endpoint: String,
        app_id: String,
        key: SecretString,
        users: Rate,
        events: Rate,
    ) -> Self {
        Self {
            endpoint,
            api: Api::Bulk,
            api_id: app_id.clone(),
            app_id,
            key,
            users,
            events,
            connections: None,
            retry_for: Duration::from_secs(3600),
            request_deadline: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(15),
            largest_users: 0,
            largest_events: 0,
            mean_users: 0.0,
            mean_events: 0.0,
            show_values: false,
            no_proxy: false,
            seed: fastrand::u64(..),
        }
    }

    /// Requests that may be under way at a time. Where it is not given: as many as one window has
    /// bodies, so that their shares come free together and no answer is waited for; more could
    /// never leave.
    pub fn connections(&self) -> usize {
        if let Some(connections) = self.connections {
            return connections.max(1);
        }
        let bodies = |rate: Rate, mean: f64| match rate.per_minute() {
            Some(rate) if mean > 0.0 => Some((rate as f64 / mean).ceil()),
            _ => None,
        };
        let windows = [bodies(self.users, self.mean_users), bodies(self.events, self.mean_events)];
        windows
            .into_iter()
            .flatten()
            .reduce(f64::min)
            .map_or(CONNECTIONS_UNLIMITED, |bodies| (bodies as usize).clamp(1, CONNECTIONS_MAX))
    }

    /// Bodies that the channel to the sender holds, at most: so many that no connection waits for
    /// the packer.
    pub fn ready(&self) -> usize {
        jobs::waiting_max(self.connections())
    }
}

/// One body to send, or what an earlier run left of it.
#[derive(Clone, Debug)]
pub struct Work {
    /// The body.
    pub body: Body,
    /// Its elements that are still to be sent, in order.
    pub pending: Vec<Range<u32>>,
    /// Stretches that an earlier run sent and got no answer for.
    pub in_doubt: Vec<Range<u32>>,
}

/// What the ledger could not do.
pub type LedgerError = Box<dyn std::error::Error + Send + Sync>;

/// Where the sender writes down what it is about to do and what came of it.
///
/// An error is final: the run stops at once and claims nothing that was not durable.
pub trait Ledger {
    /// Writes a turn down: everything that was answered since the last one, the requests of this
    /// run so far, and the stretches that leave next. It is durable, as one step, when the future
    /// is ready; requests under way go on until then, so what takes long is to be done elsewhere.
    ///
    /// A stretch that is intended and never settled is in doubt; one that is tried again is
    /// intended again. Once a stretch of a body went unanswered, no later answer says that it was
    /// not taken, so only a delivery or a refusal is settled.
    ///
    /// # Errors
    /// Where the turn could not be made durable.
    fn turn(&mut self, turn: Turn) -> impl Future<Output = Result<(), LedgerError>>;

    /// Where the run stands; called whenever that changes and what led to it is durable.
    fn progress(&mut self, progress: &SendProgress);
}

/// Carries one body to the server.
pub trait Transport: Clone + Send + Sync + 'static {
    /// Sends a body and reads the answer. The caller drops it at the deadline.
    fn send(&self, body: Bytes) -> impl Future<Output = Outcome> + Send;
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendProgress {
    /// Users delivered in this run.
    pub users: u64,
    /// Events delivered in this run.
    pub events: u64,
    /// Bodies settled to their last element in this run.
    pub bodies: u64,
    /// Rows that the server refused in this run.
    pub failed: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// The users a minute that hold now; lowered after a 429.
    pub users_per_minute: Option<u64>,
    /// The events a minute that hold now.
    pub events_per_minute: Option<u64>,
    /// What the next body waits for.
    pub waiting: Option<Waiting>,
    /// Users and events of the first body that the server refused for its rate although nothing
    /// else of this run was in its window; it went in halves.
    pub too_large: Option<(u64, u64)>,
}

/// What the next body waits for; times are those of [`Clock::now_ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The budget of the account.
    Budget {
        /// When it allows the body, at the latest.
        until_ms: u64,
    },
    /// The server asked for a pause (429).
    ServerAsked {
        /// When it ends.
        until_ms: u64,
        /// What the server asked for, in milliseconds; at most five minutes are waited.
        asked_ms: u64,
    },
    /// The server fails, or can't be reached.
    BackOff {
        /// When the next try is due.
        until_ms: u64,
    },
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every body was settled.
    Complete,
    /// It was asked to stop.
    Interrupted,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Its requests.
    pub requests: RequestCounts,
    /// Rows delivered.
    pub delivered: u64,
    /// Rows that the server refused.
    pub failed: u64,
}

/// Why a run stopped before its end. Everything answered until then is settled (but for
/// [`Error::Ledger`]), and a later run can go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A reply that no other body would fare better with.
    #[error(
        "the server answered {status}{}{}; {advice}", words(.kind, .message), id(.request_id.as_deref())
    )]
    Fatal {
        /// The HTTP status.
        status: u16,
        /// The server's error type.
        kind: String,
        /// The server's message.
        message: String,
        /// The server's request id.
        request_id: Option<String>,
        /// What to do.
        advice: &'static str,
    },
    /// The server has no certificate that can be trusted. Nothing was sent to it.
    #[error(
        "the server can't be trusted: {cause}; check --endpoint, this machine's certificates and \
         clock, and whether a proxy opens TLS on the way"
    )]
    Untrusted {
        /// What is wrong with it.
        cause: String,
    },
    /// The server was in trouble, or out of reach, for too long.
    #[error(
        "no success for {} s, which is all that --retry-for allows; last: {cause}; resume when \
         the server is back", .lasted.as_secs()
    )]
    Outage {
        /// How long it lasted.
        lasted: Duration,
        /// What the last request met.
        cause: String,
    },
    /// The server refuses too many rows.
    #[error(
        "the server refused {} rows and took {}, most often with `{words}`; mend \
         the mapping rather than the rows and import with --restart, which sends those that were \
         taken once more, or go on with the rest as it is",
        HumanCount(*failed), HumanCount(*delivered)
    )]
    Breaker {
        /// Rows refused.
        failed: u64,
        /// Rows delivered.
        delivered: u64,
        /// What the server said most often.
        words: String,
    },
    /// A row that the budget never allows.
    #[error(
        "a row of body {seq} counts as {} users and {} events, more than a minute \
         allows; raise --users-per-minute or --events-per-minute",
        HumanCount(*users), HumanCount(*events)
    )]
    OverRate {
        /// The body.
        seq: u64,
        /// Its users.
        users: u64,
        /// Its events.
        events: u64,
    },
    /// The record of what is done can't be written.
    #[error("the checkpoint can't be written: {0}")]
    Ledger(#[source] LedgerError),
    /// The record of what was charged can't be written.
    #[error(transparent)]
    RateLog(#[from] RateLogError),
    /// No client, or no runtime.
    #[error(transparent)]
    Client(#[from] ClientError),
}

fn words(kind: &str, message: &str) -> String {
    match (kind, message) {
        ("", "") => String::new(),
        ("", words) | (words, "") => format!(" `{words}`"),
        (kind, message) => format!(" `{kind}: {message}`"),
    }
}

fn id(request_id: Option<&str>) -> String {
    request_id.map_or_else(String::new, |id| format!(" (request {id})"))
}

/// Sends all bodies that arrive, in order, until the channel closes or `stop` turns true.
///
/// # Errors
/// [`Error`] says why it stopped early; all of them can be resumed from the ledger.
pub async fn run<T: Transport>(
    settings: &Settings,
    work: mpsc::Receiver<Work>,
    ledger: &mut impl Ledger,
    log: RateLog,
    clock: Clock,
    transport: &T,
    stop: watch::Receiver<bool>,
) -> Result<Finished, Error> {
    sender::Sender::new(settings, ledger, log, clock, transport.clone()).run(work, stop).await
}

/// [`run`] over HTTP, on a runtime of its own in the calling thread.
///
/// # Errors
/// As [`run`], and [`Error::Client`] where no client or runtime can be made.
pub fn run_blocking(
    settings: &Settings,
    work: mpsc::Receiver<Work>,
    ledger: &mut impl Ledger,
    log: RateLog,
    clock: Clock,
    stop: watch::Receiver<bool>,
) -> Result<Finished, Error> {
    let runtime = client::runtime()?;
    let client = Client::new(settings, &clock)?;
    runtime.block_on(run(settings, work, ledger, log, clock, &client, stop))
}

/// Whether an answer counts as a delivery, for tests from outside: a whole 2xx document that
/// says so (contract, Replies).
#[doc(hidden)]
pub fn is_delivery(status: u16, body: &[u8]) -> bool {
    let body = verdict::AnswerBody::Whole(bytes::Bytes::copy_from_slice(body));
    let answer = verdict::Answer { status, retry_after: None, rate_limit_reset: None, body };
    matches!(
        verdict::judge(&verdict::Outcome::Answered(answer), 0, str::to_owned),
        verdict::Verdict::Delivered { .. }
    )
}
