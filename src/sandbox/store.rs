//! What was accepted, what was wrong, and the counts: all that `/_sandbox/…` shows.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_128;

use super::budget::{Peaks, Units};

/// A client that breaks a rule breaks it often; the first ones tell all.
const VIOLATIONS_MAX: usize = 10_000;

/// Bounds the records beside their number, since an element may be as large as a body.
const RECORDS_BYTES_MAX: usize = 512 * 1024 * 1024;

/// An element that was accepted and sound.
struct Record {
    request: u64,
    /// Byte for byte as it arrived.
    element: Box<str>,
    stored: Stored,
}

/// What the silent rules left of an element.
#[derive(Debug)]
pub(super) enum Stored {
    /// All of it, so it need not be kept twice.
    AsArrived,
    /// Another element, as JSON.
    Changed(Box<str>),
    /// Nothing.
    Nothing,
}

impl Stored {
    /// The stored element as JSON, of one that arrived as `element`.
    fn as_json<'a>(&'a self, element: &'a str) -> &'a str {
        match self {
            Self::AsArrived => element,
            Self::Changed(stored) => stored,
            Self::Nothing => "null",
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Changed(stored) => stored.len(),
            Self::AsArrived | Self::Nothing => 0,
        }
    }
}

/// A rule broken by a request that was not refused for it.
#[derive(Debug)]
pub(super) struct Violation {
    pub(super) code: &'static str,
    pub(super) request: u64,
    /// The index in `elements`, from 0; `None` where the request as a whole breaks the rule.
    pub(super) element: Option<usize>,
    pub(super) message: String,
}

/// Everything kept and counted since the start.
pub(super) struct Store {
    records: Vec<Record>,
    records_count: u64,
    records_max: usize,
    records_bytes: usize,
    violations: Vec<Violation>,
    violations_count: u64,
    requests: BTreeMap<&'static str, u64>,
    statuses: BTreeMap<u16, u64>,
    resets: u64,
    accepted: Units,
    accepted_first: Option<SystemTime>,
    accepted_last: Option<SystemTime>,
    body_bytes_max: usize,
    /// Digests of the accepted bodies, at most `records_max` of them.
    bodies: HashSet<u128>,
    duplicate_bodies: u64,
}

impl Store {
    pub(super) fn new(records_max: usize) -> Self {
        Self {
            records: Vec::new(),
            records_count: 0,
            records_max,
            records_bytes: 0,
            violations: Vec::new(),
            violations_count: 0,
            requests: BTreeMap::new(),
            statuses: BTreeMap::new(),
            resets: 0,
            accepted: Units::default(),
            accepted_first: None,
            accepted_last: None,
            body_bytes_max: 0,
            bodies: HashSet::new(),
            duplicate_bodies: 0,
        }
    }

    /// Counts a request that was read whole.
    pub(super) fn count_request(&mut self, endpoint: &'static str, body_bytes: usize) {
        *self.requests.entry(endpoint).or_default() += 1;
        self.body_bytes_max = self.body_bytes_max.max(body_bytes);
    }

    /// Counts an answer by its status.
    pub(super) fn count_status(&mut self, status: u16) {
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Counts a connection that was reset instead of an answer.
    pub(super) fn count_reset(&mut self) {
        self.resets += 1;
    }

    /// Counts an accepted body.
    pub(super) fn accept(&mut self, body: &[u8], units: Units, at: SystemTime) {
        self.accepted.users += units.users;
        self.accepted.events += units.events;
        self.accepted_first.get_or_insert(at);
        self.accepted_last = Some(at);

        let digest = xxh3_128(body);
        if self.bodies.contains(&digest) {
            self.duplicate_bodies += 1;
        } else if self.bodies.len() < self.records_max {
            self.bodies.insert(digest);
        }
    }

    /// Keeps a sound element of an accepted body, or only counts it where the bound is reached.
    pub(super) fn record(&mut self, request: u64, element: &str, stored: Stored) {
        self.records_count += 1;
        let bytes = self.records_bytes + element.len() + stored.bytes();
        // Pages are cut by position, so that none is missing before the last one kept.
        let is_one_missing = self.records.len() as u64 + 1 < self.records_count;
        if self.records.len() < self.records_max && bytes <= RECORDS_BYTES_MAX && !is_one_missing {
            self.records_bytes = bytes;
            self.records.push(Record { request, element: element.into(), stored });
        }
    }

    /// Lists a broken rule, or only counts it where the bound is reached.
    pub(super) fn violate(&mut self, violation: Violation) {
        self.violations_count += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(violation);
        }
    }

    /// The records from `offset`, at most `limit`, in order of arrival; with what is stored of each
    /// where that is asked for.
    pub(super) fn records_json(&self, offset: usize, limit: usize, with_stored: bool) -> String {
        let mut json = format!(
            r#"{{"count":{},"kept":{},"records":["#,
            self.records_count,
            self.records.len()
        );
        let shown = self.records.iter().skip(offset).take(limit);
        for (index, Record { request, element, stored }) in shown.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            // Writing to a `String` can't fail.
            let _ = write!(json, r#"{comma}{{"request":{request},"element":{element}"#);
            if with_stored {
                let _ = write!(json, r#","stored":{}"#, stored.as_json(element));
            }
            json.push('}');
        }
        json.push_str("]}");
        json
    }

    /// The violations, in order of arrival.
    pub(super) fn violations_json(&self) -> String {
        let violations: Vec<Value> = self.violations.iter().map(violation_json).collect();
        json!({"count": self.violations_count, "violations": violations}).to_string()
    }

    /// The counts; `peaks` are what the busiest minutes held.
    pub(super) fn stats_json(&self, peaks: &Peaks) -> String {
        let (window, minute) = (peaks.window_max(), peaks.minute_max());
        let statuses: BTreeMap<String, u64> =
            self.statuses.iter().map(|(status, count)| (status.to_string(), *count)).collect();
        json!({
            "requests": self.requests,
            "statuses": statuses,
            "resets": self.resets,
            "users_accepted": self.accepted.users,
            "events_accepted": self.accepted.events,
            "body_bytes_max": self.body_bytes_max,
            "users_window_max": window.users,
            "events_window_max": window.events,
            "users_minute_max": minute.users,
            "events_minute_max": minute.events,
            "duplicate_bodies": self.duplicate_bodies,
            "accepted_first": self.accepted_first.map(iso_8601),
            "accepted_last": self.accepted_last.map(iso_8601),
        })
        .to_string()
    }
}

fn violation_json(violation: &Violation) -> Value {
    let mut json = json!({"code": violation.code, "request": violation.request});
    if let Some(element) = violation.element {
        json["element"] = json!(element);
    }
    json["message"] = json!(violation.message);
    json
}

/// A moment as the API writes it.
pub(super) fn iso_8601(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}
