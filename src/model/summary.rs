//! The one summary of a run, as `report.json` (version 1) states it.

use serde::Serialize;

/// What a run read, checked, packed and sent.
///
/// Conservation: `rows.read = accepted + rejected + skipped` and
/// `accepted = delivered + failed + pending`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Version of this format.
    pub version: u32,
    /// `import`, `validate` or `pack`.
    pub command: String,
    /// Whether the run came to its end.
    pub complete: bool,
    /// Where bodies were sent; `null` where none are.
    pub destination: Option<String>,
    /// `users` or `events`.
    pub kind: String,
    /// The files, in the order of the import.
    pub inputs: Vec<InputSummary>,
    /// Rows by what became of them.
    pub rows: RowCounts,
    /// Elements by kind.
    pub elements: ElementCounts,
    /// The request bodies.
    pub bodies: BodyCounts,
    /// What sending takes at the limits.
    pub plan: PlanSummary,
    /// The requests.
    pub requests: RequestCounts,
    /// Problems by code and column, rejections first, most frequent first.
    pub problems: Vec<ProblemSummary>,
    /// How long it took.
    pub timing: Timing,
}

impl Summary {
    /// Whether the two conservation laws hold.
    pub fn conserves(&self) -> bool {
        let rows = &self.rows;
        rows.read == rows.accepted + rows.rejected + rows.skipped
            && rows.accepted == rows.delivered + rows.failed + rows.pending
    }
}

/// One input file.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InputSummary {
    /// The path, as given or found.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Data rows read from it.
    pub rows: u64,
}

/// Rows by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// Data rows read.
    pub read: u64,
    /// Rows that passed every check.
    pub accepted: u64,
    /// Rows that did not.
    pub rejected: u64,
    /// Rows left out because nothing changed in them.
    pub skipped: u64,
    /// Accepted rows that the server took in.
    pub delivered: u64,
    /// Accepted rows that the server refused.
    pub failed: u64,
    /// Accepted rows not sent, or not answered, so far.
    pub pending: u64,
}

/// Accepted elements by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ElementCounts {
    /// User elements.
    pub users: u64,
    /// Event actions.
    pub events: u64,
    /// Device elements.
    pub devices: u64,
}

/// The request bodies.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BodyCounts {
    /// How many.
    pub count: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Bytes of the largest.
    pub bytes_max: u64,
    /// Mean share of the size limit that a body fills, 0 to 1.
    pub fill_mean: f64,
    /// xxh3-128 (seed 0, 32 lower-case hex digits) over the concatenated 16-byte
    /// big-endian xxh3-128 of each body in order.
    pub digest: String,
}

/// What sending takes at the limits.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlanSummary {
    /// The shortest time in which the accepted rows can be sent, in seconds.
    pub seconds_at_limit: f64,
    /// Budget of users; `null` = unlimited.
    pub users_per_minute: Option<u64>,
    /// Budget of events; `null` = unlimited.
    pub events_per_minute: Option<u64>,
}

/// The requests of an import, over all of its runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestCounts {
    /// Requests sent, retries included.
    pub sent: u64,
    /// Requests that sent a stretch again after a reply or failure that called for it.
    pub retried: u64,
    /// Requests that sent part of a body to find the rows the server refuses.
    pub isolated: u64,
    /// Replies with status 429.
    pub http_429: u64,
    /// Replies with status 500 to 599.
    pub http_5xx: u64,
}

impl RequestCounts {
    /// These and others together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            retried: self.retried + other.retried,
            isolated: self.isolated + other.isolated,
            http_429: self.http_429 + other.http_429,
            http_5xx: self.http_5xx + other.http_5xx,
        }
    }
}

/// All occurrences of one problem in one column.
#[derive(Clone, Debug, Serialize)]
pub struct ProblemSummary {
    /// The problem's code.
    pub code: &'static str,
    /// `reject` or `warning`.
    pub severity: &'static str,
    /// The source column; `null` where the row as a whole is meant.
    pub column: Option<String>,
    /// Occurrences.
    pub count: u64,
    /// The first places, in file order.
    pub first: Vec<FirstPlace>,
    /// What it means and what to do.
    pub help: String,
}

/// Where a problem was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstPlace {
    /// The file's path.
    pub file: String,
    /// Data row, from 1.
    pub row: u64,
    /// Line (CSV), from 1.
    pub line: Option<u64>,
    /// Row group (Parquet), from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_group: Option<u32>,
}

/// How long the run took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timing {
    /// Wall-clock seconds of this run.
    pub seconds: f64,
    /// Rows read a second, checking and sending together.
    pub rows_per_second: f64,
}
