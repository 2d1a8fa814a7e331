//! Texts for people: the plan, what to do next, a checkpoint's state.

use std::{path::Path, time::SystemTime};

use indicatif::{DecimalBytes, HumanCount};

use crate::journal::{FailedRow, Snapshot};
use crate::model::{ChangeSummary, Code, Kind, printable};
use crate::progress::duration;
use crate::report::{self, Look};
use crate::run::{FULL_AGE_DAYS, InDoubt, Inferred, Job, Outcome, Proposal};
use crate::shape::mapping::RESOLVED_FILE;

/// Width of the names in a table; longer ones stand out. Beyond 65,535 `format!` panics.
const NAME_WIDTH_MAX: usize = 200;

/// Names in a line of the plan.
const NAMES_MAX: usize = 3;

/// How many columns the table of types shows.
const COLUMNS_MAX: usize = 60;

/// How many stretches in doubt are listed.
const IN_DOUBT_MAX: usize = 20;

/// The plan: what will be sent, what not, how long it takes.
pub fn plan(proposal: &Proposal<'_>, job: &Job) -> String {
    let summary = proposal.summary;
    let rows = &summary.rows;
    let mut lines = Vec::new();
    lines.push(format!(
        "plan: {} {} {} to {}",
        if proposal.resumed { "resume with" } else { "send" },
        HumanCount(rows.pending),
        job.kind,
        summary.destination.as_deref().unwrap_or_default()
    ));
    lines.push(format!(
        "  rows      {} read, {} accepted, {} rejected{}{}",
        HumanCount(rows.read),
        HumanCount(rows.accepted),
        HumanCount(rows.rejected),
        match rows.skipped {
            0 => String::new(),
            skipped => format!(", {} skipped", HumanCount(skipped)),
        },
        match rows.delivered + rows.failed {
            0 => String::new(),
            done => format!(", {} done already", HumanCount(done)),
        }
    ));
    lines.extend(summary.changes.iter().flat_map(changes));
    if let Some((rows, what)) = proposal.in_doubt {
        let words = match what {
            InDoubt::Resend => {
                "sent again, so some may arrive twice (--in-doubt skip leaves them out)"
            }
            InDoubt::Skip => "left out: they count as failed and go to the rejects",
        };
        lines.push(format!(
            "  in doubt  {} sent before without an answer; {words}",
            HumanCount(rows)
        ));
    }
    for problem in summary.problems.iter().take(8) {
        let column = problem.column.as_deref().map(printable).map(|name| format!(" in `{name}`"));
        let column = column.unwrap_or_default();
        lines.push(format!(
            "            {:>7} {} ({}){column}",
            HumanCount(problem.count).to_string(),
            problem.code,
            problem.severity
        ));
    }
    lines.push(format!(
        "  requests  {} of at most {}, {} in all",
        HumanCount(summary.bodies.count),
        DecimalBytes(summary.bodies.bytes_max),
        DecimalBytes(summary.bodies.bytes)
    ));
    let seconds = summary.plan.seconds_at_limit as u64;
    lines.push(format!(
        "  time      at least {} at {}{}",
        duration(seconds),
        pace(job),
        if seconds >= 60 { format!(", until {}", utc_after(seconds)) } else { String::new() }
    ));
    for (file, columns) in &proposal.unused {
        lines.push(format!(
            "  not sent  columns of {file} that the mapping does not name: {}",
            some(columns)
        ));
    }
    lines.push(match job.kind {
        Kind::Devices => {
            "  note      a device is added to a user who exists already; others are dropped"
                .to_owned()
        }
        Kind::Users if job.rules.update_existing_only => {
            "  note      users that MoEngage does not know are left out (update_existing_only)"
                .to_owned()
        }
        Kind::Users => {
            "  note      a customer_id that MoEngage does not know creates a user".to_owned()
        }
        Kind::Events => {
            "  note      an event cannot be taken back; an unknown customer_id creates a user"
                .to_owned()
        }
    });
    lines.join("\n")
}

/// What changed, and what is to be known about it.
fn changes(changes: &ChangeSummary) -> Vec<String> {
    let mut lines = vec![format!(
        "  changes   {} new, {} changed, {} unchanged ({})",
        HumanCount(changes.new),
        HumanCount(changes.changed),
        HumanCount(changes.unchanged),
        changes.of_unchanged()
    )];
    if let Some(vanished @ 1..) = changes.vanished {
        lines.push(format!(
            "            {} known ids are not here; nothing is deleted at the server",
            HumanCount(vanished)
        ));
    }
    lines.extend(changes.of_new_destination().map(|words| format!("  sandbox   {words}")));
    if changes.mapping_changed {
        lines.push(
            "  mapping   is another than the last time, so every row counts as changed".to_owned(),
        );
    }
    if let Some(dir) = &changes.cut_off {
        lines.push(format!("  cut off   an import in {dir} was, so all of its rows count as new"));
    }
    if changes.overtaken {
        lines.push(
            "  overtaken another import was here since this one began, and may have sent later values; \
             what this one sends is sent again next time"
                .to_owned(),
        );
    }
    if let Some(days) = changes.full_days.filter(|&days| days >= FULL_AGE_DAYS && !changes.full) {
        lines.push(format!(
            "  full      {days} days ago: what the server dropped or others changed stays unseen until \
             --full sends every row again"
        ));
    }
    lines
}

/// Names as a list, and how many more there are.
fn some(names: &[String]) -> String {
    let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
    match names.len().checked_sub(NAMES_MAX) {
        None | Some(0 | 1) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES_MAX].join(", ")),
    }
}

/// The rate that the rows are held to.
fn pace(job: &Job) -> String {
    let (rate, what) = match job.kind {
        Kind::Users | Kind::Devices => (job.users, "users"),
        Kind::Events => (job.events, "events"),
    };
    match rate.per_minute() {
        Some(rate) => format!("{} {what}/min", HumanCount(rate)),
        None => "no limit".to_owned(),
    }
}

/// What was inferred, as a table; `None` where nothing was.
pub fn inferred(columns: &[Inferred], job: &Job) -> Option<String> {
    if columns.is_empty() {
        return None;
    }
    let shown = &columns[..columns.len().min(COLUMNS_MAX)];
    let width = shown.iter().map(|column| column.column.chars().count()).max().unwrap_or(0);
    let width = width.min(NAME_WIDTH_MAX);
    let mut lines = vec![format!(
        "types, inferred over all rows and kept in {} (--mapping sets others):",
        job.run_dir.join(RESOLVED_FILE).display()
    )];
    lines.extend(shown.iter().map(|Inferred { column, is_attribute, value }| {
        let what = if *is_attribute { value } else { "the element's own field" };
        format!("  {:width$}  {what}", printable(column))
    }));
    if columns.len() > shown.len() {
        lines.push(format!("  and {} more columns", columns.len() - shown.len()));
    }
    Some(lines.join("\n"))
}

/// The summary, with the first rows of its problems and what to turn to next.
pub fn summary(outcome: &Outcome, command: Option<&str>, look: &Look) -> String {
    let (page, damaged) = (outcome.page.as_deref(), outcome.damaged.as_deref());
    let next = report::Next { page, rejects: &outcome.rejects, damaged, command };
    report::to_text(&outcome.summary, &outcome.diagnostics, &next, look)
}

/// What the checkpoint of a run directory says.
pub fn status(snapshot: &Snapshot, run_dir: &Path) -> String {
    let progress = &snapshot.progress;
    let binding = &snapshot.binding;
    let failed = progress.failed.len() as u64;
    let is_left_out = |row: &&FailedRow| row.failure.code() == Code::InDoubt;
    let left_out = progress.failed.iter().filter(is_left_out).count() as u64;
    let mut lines = vec![format!("{} to {} {}", binding.kind, binding.endpoint, binding.app_id)];
    lines.push(format!("  run        {}", run_dir.display()));
    for input in &binding.inputs {
        lines.push(format!("  input      {} ({})", input.path, DecimalBytes(input.bytes)));
    }
    if let Some(plan) = &snapshot.plan {
        let pending = plan.rows_accepted.saturating_sub(progress.delivered + failed);
        lines.push(format!(
            "  rows       {} read, {} accepted, {} rejected{}",
            HumanCount(plan.rows_read),
            HumanCount(plan.rows_accepted),
            HumanCount(plan.rows_rejected),
            match plan.rows_skipped {
                0 => String::new(),
                skipped => format!(", {} unchanged", HumanCount(skipped)),
            }
        ));
        lines.push(format!(
            "  sent       {} delivered, {} refused by the server{}, {} pending",
            HumanCount(progress.delivered),
            HumanCount(failed - left_out),
            match left_out {
                0 => String::new(),
                rows => format!(", {} left out in doubt", HumanCount(rows)),
            },
            HumanCount(pending)
        ));
    }
    let requests = &progress.requests;
    lines.push(format!(
        "  requests   {} sent, {} of them again, {} answered 429, {} answered 5xx",
        HumanCount(requests.sent),
        HumanCount(requests.retried),
        HumanCount(requests.http_429),
        HumanCount(requests.http_5xx)
    ));
    let doubts: Vec<_> = progress.in_doubt().collect();
    for intent in doubts.iter().take(IN_DOUBT_MAX) {
        let file =
            |at: u32| binding.inputs.get(at as usize).map_or("?", |input| input.path.as_str());
        lines.push(format!(
            "  in doubt   {} elements of body {}: {} row {} to {} row {}",
            intent.range.len(),
            intent.seq,
            file(intent.first.file),
            intent.first.row,
            file(intent.last.file),
            intent.last.row
        ));
    }
    if doubts.len() > IN_DOUBT_MAX {
        lines.push(format!("  in doubt   and {} more bodies", doubts.len() - IN_DOUBT_MAX));
    }
    lines.push(match snapshot.finished {
        Some(code) => format!("  state      finished (exit code {code})"),
        None if doubts.is_empty() => "  state      unfinished; the same import command goes on".to_owned(),
        None => {
            "  state      unfinished; the same import command goes on and sends again what is in doubt".to_owned()
        }
    });
    lines.join("\n")
}

fn utc_after(seconds: u64) -> String {
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let end = i64::try_from(now.saturating_add(seconds)).unwrap_or(i64::MAX);
    chrono::DateTime::from_timestamp(end, 0)
        .map(|time| time.format("%Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default()
}
