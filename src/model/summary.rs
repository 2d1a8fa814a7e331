//! The one summary of a run, as `report.json` (version 1) states it.

use serde::Serialize;

use super::{Code, Histogram};

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
    /// `users`, `events` or `devices`.
    pub kind: String,
    /// The files, in the order of the import.
    pub inputs: Vec<InputSummary>,
    /// Rows by what became of them.
    pub rows: RowCounts,
    /// Elements by kind.
    pub elements: ElementCounts,
    /// What changed, under `--only-changed`; `null` without.
    pub changes: Option<ChangeSummary>,
    /// The request bodies.
    pub bodies: BodyCounts,
    /// What sending takes at the limits.
    pub plan: PlanSummary,
    /// The requests.
    pub requests: RequestCounts,
    /// Problems by code and column, rejections first, most frequent first.
    pub problems: Vec<ProblemSummary>,
    /// Rows that the checks rejected along the import: `width` in rows read, over all inputs.
    pub rejected_at: Histogram,
    /// What the columns hold.
    pub profile: Profile,
    /// How sending went in this run; `null` where it sent nothing.
    pub throughput: Option<Throughput>,
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

    /// Those of the failed rows that no answer came to, and that were left out on request; the server
    /// refused the others.
    pub fn left_in_doubt(&self) -> u64 {
        let code = Code::InDoubt.as_str();
        let problems = self.problems.iter().filter(|problem| problem.code == code);
        problems.map(|problem| problem.count).sum()
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
    /// Accepted rows that the server refused, or that were left in doubt on request.
    pub failed: u64,
    /// Accepted rows not sent, or not answered, so far.
    pub pending: u64,
}

/// Rows beside what the server is known to hold, as it was when it was decided which are sent.
///
/// `rows.skipped` are those of `unchanged` that are not sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeSummary {
    /// The state's directory.
    pub state: String,
    /// `--full`: every row is sent.
    pub full: bool,
    /// Ids that were known.
    pub known: u64,
    /// Rows whose id is not known, or of which it is not sure what the server holds.
    pub new: u64,
    /// Rows whose id is known with another row.
    pub changed: u64,
    /// Rows that are as the server accepted them.
    pub unchanged: u64,
    /// Rows that are sent: new, changed, and those whose id stands in several rows.
    pub sent: u64,
    /// Ids that stand in several rows.
    pub repeated_ids: u64,
    /// Their rows.
    pub repeated_rows: u64,
    /// Known ids that are not in the inputs; nothing is deleted at the server. `null` where not all
    /// rows were read.
    pub vanished: Option<u64>,
    /// The mapping is another than the last time, so that every row counts as changed.
    pub mapping_changed: bool,
    /// Days since every row was sent; `null` = never so far.
    pub full_days: Option<u64>,
    /// The run directory of an import that was cut off: its rows count as new.
    pub cut_off: Option<String>,
    /// Another import moved the state on since this one decided what to send.
    pub overtaken: bool,
    /// Ids were known, and the destination is an emulator that is a new one for each import: it has
    /// none of them.
    pub destination_is_new: bool,
}

impl ChangeSummary {
    /// What becomes of unchanged rows, in words.
    pub fn of_unchanged(&self) -> &'static str {
        match (self.full, self.repeated_rows) {
            (true, _) => "sent all the same",
            (false, 0) => "skipped",
            (false, _) => "skipped, but for repeated ids",
        }
    }

    /// That what is known is not there, in words; `None` where it may be.
    pub fn of_new_destination(&self) -> Option<&'static str> {
        let words = "an emulator of --sandbox begins empty with each import, and has no row that is \
                     left out as unchanged; `moebulk sandbox` runs one that stays, for --endpoint";
        (self.destination_is_new && !self.full).then_some(words)
    }
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
    /// Bodies by the share of the size limit that they fill: up to a tenth, up to two, …
    pub fill: [u64; 10],
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
    /// Requests sent, retries included, and those without an answer: what was under way when a run was
    /// cut off may have been sent and counts.
    pub sent: u64,
    /// Requests that sent a stretch again after a reply or failure that called for it, or because an
    /// earlier run left some of it without an answer.
    pub retried: u64,
    /// Requests that sent part of a body to find the rows the server refuses.
    pub isolated: u64,
    /// Replies with status 429.
    pub http_429: u64,
    /// Replies with status 500 to 599.
    pub http_5xx: u64,
}

impl RequestCounts {
    /// These without others that are among them.
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(other.sent),
            retried: self.retried.saturating_sub(other.retried),
            isolated: self.isolated.saturating_sub(other.isolated),
            http_429: self.http_429.saturating_sub(other.http_429),
            http_5xx: self.http_5xx.saturating_sub(other.http_5xx),
        }
    }

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
    /// Line (CSV, NDJSON), from 1.
    pub line: Option<u64>,
    /// Row group (Parquet), from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_group: Option<u32>,
    /// Record batch (Arrow), from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
}

/// What the columns hold, from a sample of the rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Profile {
    /// Rows that were looked at: all of the first ones, and fewer and fewer of the later ones,
    /// each of which stands for more.
    pub rows: u64,
    /// Rows that these stand for: the sound ones, about.
    pub of: u64,
    /// The columns of the mapping, in its order.
    pub columns: Vec<ColumnProfile>,
}

/// What one column holds, in shares from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ColumnProfile {
    /// The source column.
    pub column: String,
    /// Share of the rows that have a value.
    pub filled: f64,
    /// Share of the values that are true or false.
    pub bool: f64,
    /// Share of the values that are plain numbers.
    pub number: f64,
    /// Share of the values that are ISO 8601 dates.
    pub datetime: f64,
    /// Share of the values that are any other text.
    pub text: f64,
    /// Share of the values that are lists or objects.
    pub nested: f64,
}

/// How sending went in one run, from its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Throughput {
    /// Milliseconds that sending took. The last bucket of `delivered` mostly reaches beyond them.
    pub sending_ms: u64,
    /// Rows delivered over time; `width` in milliseconds.
    pub delivered: Histogram,
    /// Budget of these rows; `null` = unlimited.
    pub per_minute: Option<u64>,
    /// Refusals for the rate, and pauses, in their order.
    pub marks: Vec<Mark>,
    /// Marks that came after those.
    pub marks_left_out: u64,
}

/// One refusal for the rate, or one pause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Milliseconds from the start of sending.
    pub at_ms: u64,
    /// What it is.
    pub kind: MarkKind,
    /// Replies with status 429, where that is what it is.
    pub replies: u64,
    /// How long the pause was to last when it began, in milliseconds.
    pub pause_ms: u64,
}

/// What a [`Mark`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkKind {
    /// Replies with status 429.
    Http429,
    /// The server asked for a pause.
    ServerAsked,
    /// The server failed or was out of reach.
    BackOff,
}

/// How long the run took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Timing {
    /// Wall-clock seconds of this run.
    pub seconds: f64,
    /// Rows read a second, checking and sending together.
    pub rows_per_second: f64,
}
