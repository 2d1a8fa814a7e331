//! Plain data that travels between the rooms: where a row stands, what is wrong
//! with it, the rows themselves, request bodies, what became of them, and the summary.
//!
//! Imports nothing of ours and does no I/O. A size or a hash travels with the
//! thing that it belongs to, so that nothing is measured twice.

mod body;
mod code_set;
mod diagnostic;
mod duration;
mod encoding;
mod guard;
mod histogram;
mod host;
#[cfg(test)]
mod levels;
mod mask;
mod outcome;
mod position;
mod print;
mod printable;
mod problem;
mod row_set;
mod rows;
mod shaped;
mod shell;
mod summary;
mod units;

pub use body::{Body, Part};
pub use code_set::CodeSet;
pub use diagnostic::{Diagnostic, Excerpt, Mark as ExcerptMark, advice, visible};
pub use duration::{push_duration, push_fraction};
pub use encoding::{TextEncoding, escape};
pub use guard::{GUARD, GUARDED_COLUMN, needs_guard, unguarded};
pub use histogram::Histogram;
pub use host::is_loopback;
#[cfg(test)]
pub use levels::levels;
pub use mask::{masked, masked_char};
pub use outcome::{Intent, RowFailure, Settled, Settlement, Turn};
pub use position::{Place, Position};
pub use print::{PrintKeys, RowPrint};
pub use printable::{printable, printable_lines};
pub use problem::{Code, FIRST_POSITIONS_MAX, Problem, Severity, Tally, TallyEntry};
pub use row_set::RowSet;
pub use rows::{
    ArrowRows, Damage, Field, JsonKind, JsonMember, JsonRecord, JsonRows, LinePlace, Rows,
    TextRecord, TextRows,
};
pub use shaped::{Element, Frequent, Reject, Shaped};
pub use shell::{is_dashed, shell_path, shell_word};
pub use summary::{
    BodyCounts, ChangeSummary, ColumnProfile, ElementCounts, FirstPlace, InputSummary, Mark,
    MarkKind, PlanSummary, ProblemSummary, Profile, RequestCounts, RowCounts, Summary, Throughput,
    Timing,
};
pub use units::{Kind, Rate};
