//! From what a pass counted to the summary that a report states.

use std::time::Instant;

use super::{Job, changes::Changes, check::Prepared, findings::Checked, types};
use crate::model::{
    Code, ElementCounts, FirstPlace, InputSummary, Kind, PlanSummary, ProblemSummary, Severity,
    Summary, Tally, TallyEntry, Timing,
};

/// So many records that are not UTF-8 may be strays in a file that is.
const NOT_UTF8_STRAY_MAX: u64 = 5;

/// How long a run took so far.
pub fn timing(start: Instant, rows: u64) -> Timing {
    let seconds = start.elapsed().as_secs_f64();
    Timing { seconds, rows_per_second: if seconds > 0.0 { rows as f64 / seconds } else { 0.0 } }
}

/// The summary of a check; deliveries are for the caller to add.
pub fn summarise(command: &str, prepared: &Prepared, checked: &Checked) -> Summary {
    let Prepared { job, plan, .. } = prepared;
    let files = &prepared.inputs.files;
    let tally = tally(prepared, checked);
    let inputs = files
        .iter()
        .zip(&checked.rows_by_file)
        .map(|(file, &rows)| InputSummary {
            path: file.input.name(),
            bytes: file.input.bytes,
            rows,
        })
        .collect();
    let elements = match job.kind {
        Kind::Users => ElementCounts { users: checked.rows.accepted, ..ElementCounts::default() },
        Kind::Devices => {
            ElementCounts { devices: checked.rows.accepted, ..ElementCounts::default() }
        }
        Kind::Events => ElementCounts { events: checked.bodies.events, ..ElementCounts::default() },
    };
    let problems: Vec<ProblemSummary> = lines(&tally)
        .into_iter()
        .map(|Line { severity, code, column, entry }| ProblemSummary {
            code: code.as_str(),
            severity: severity.as_str(),
            column: column.map(|at| plan.columns[at as usize].source.clone()),
            count: entry.count,
            first: entry
                .first
                .iter()
                .map(|at| FirstPlace {
                    file: files[at.file as usize].input.name(),
                    row: at.row,
                    line: at.place.line(),
                    row_group: at.place.row_group(),
                    batch: at.place.batch(),
                })
                .collect(),
            help: help(code, prepared, checked),
        })
        .collect();
    Summary {
        version: 1,
        command: command.to_owned(),
        complete: false,
        destination: None,
        kind: job.kind.as_str().to_owned(),
        inputs,
        rows: checked.rows,
        elements,
        changes: prepared.changes.as_ref().and_then(Changes::summary),
        bodies: checked.bodies.counts(),
        plan: PlanSummary {
            seconds_at_limit: seconds_at_limit(job, checked.bodies.users, checked.bodies.events),
            users_per_minute: job.users.per_minute(),
            events_per_minute: job.events.per_minute(),
        },
        requests: crate::model::RequestCounts::default(),
        problems,
        rejected_at: checked.rejected_at.clone(),
        profile: checked.columns.profile(plan),
        throughput: None,
        timing: Timing::default(),
    }
}

/// All problems of a check, those of types among them.
pub fn tally(prepared: &Prepared, checked: &Checked) -> Tally {
    let mut tally = types::minority_tally(&prepared.minorities);
    tally.merge(&checked.tally);
    tally
}

/// All occurrences of one problem in one column.
pub struct Line<'t> {
    /// How it counts.
    pub severity: Severity,
    /// The rule.
    pub code: Code,
    /// The column, as an index into the plan's columns.
    pub column: Option<u32>,
    /// Where and how often.
    pub entry: &'t TallyEntry,
}

/// The problems in the order of the report: rejections first, and of either what is most frequent.
pub fn lines(tally: &Tally) -> Vec<Line<'_>> {
    let line = |(severity, code, column, entry)| Line { severity, code, column, entry };
    let mut lines: Vec<Line<'_>> = tally.iter().map(line).collect();
    lines.sort_by_key(|line| (line.severity, std::cmp::Reverse(line.entry.count)));
    lines
}

/// What a problem means and what to do. Many records that are not UTF-8 are not many
/// mistakes but one.
pub fn help(code: Code, prepared: &Prepared, checked: &Checked) -> String {
    let mut text = code.help().to_owned();
    if code != Code::InvalidUtf8 {
        return text;
    }
    let counts = checked.not_utf8_by_file.iter().zip(&checked.rows_by_file);
    let other = prepared.inputs.files.iter().zip(counts).find(|&(_, (&count, &rows))| {
        count > NOT_UTF8_STRAY_MAX && count.saturating_mul(100) > rows
    });
    if let Some((file, (count, rows))) = other {
        text += &format!(
            "; {count} of {rows} records of {} are not UTF-8, so all of it is likely in another \
             encoding: try --encoding windows-1252",
            file.input.name()
        );
    }
    text
}

/// The shortest time in which so much can be sent: one budget at once, and another each
/// time that a window has passed.
pub fn seconds_at_limit(job: &Job, users: u64, events: u64) -> f64 {
    let windows = |count: u64, rate: Option<u64>| match rate {
        Some(rate) => count.div_ceil(rate).saturating_sub(1),
        None => 0,
    };
    let windows =
        windows(users, job.users.per_minute()).max(windows(events, job.events.per_minute()));
    windows as f64 * crate::wire::limits::WINDOW.as_secs_f64()
}
