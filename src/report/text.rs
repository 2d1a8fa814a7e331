//! The summary for people: what happened, in figures, and what to do next. It fits a screen.

use std::{collections::BTreeSet, path::Path};

use super::{
    REPORT_FILE, RejectsFile,
    diagnostic::{Look, render},
};
pub(super) use crate::model::printable as plain;
use crate::model::{
    ChangeSummary, Code, Diagnostic, FirstPlace, ProblemSummary, Severity, Summary,
};

/// Width of a column of a table; longer cells stand out. Beyond 65,535 `format!` panics.
const CELL_WIDTH_MAX: usize = 200;

/// The screen that the summary fits, with the prompt below it, where it is not a terminal that tells.
const SCREEN_LINES: usize = 24;
const SCREEN_COLUMNS: usize = 80;

/// Lines of the table of problems; the rest is in the JSON report. Fewer, where a screen has no room.
const PROBLEMS_MAX: usize = 12;
const PROBLEMS_WANTED: usize = 5;
const PROBLEMS_MIN: usize = 3;

/// Places named for one problem.
const PLACES_MAX: usize = 3;

/// Columns of places where they are but numbers.
const PLACES_WIDTH_MAX: usize = 24;

/// Codes that are explained below the table.
const HELPS_MAX: usize = 4;

/// Characters of a file's path above the places in it, at least: where there is room, more.
const FILE_WIDTH_MIN: usize = 12;

/// Characters of a column's name in the table.
const COLUMN_WIDTH_MAX: usize = 32;

/// How the command begins that checks and sends nothing.
const CHECK: &str = "moebulk validate ";

/// What the reader can turn to next.
#[derive(Clone, Copy, Debug, Default)]
pub struct Next<'a> {
    /// The page with charts and every problem.
    pub page: Option<&'a Path>,
    /// The files with rejected rows.
    pub rejects: &'a [RejectsFile],
    /// The file with bytes that are no records.
    pub damaged: Option<&'a Path>,
    /// The command to type then.
    pub command: Option<&'a str>,
}

/// The summary as text, with a line end. Control characters in names are replaced, so
/// that a file can't write to the terminal. Of the first rows of problems those are shown for which
/// the terminal has lines.
pub fn to_text(
    summary: &Summary,
    first_rows: &[Diagnostic],
    next: &Next<'_>,
    look: &Look,
) -> String {
    let mut lines = vec![verdict(summary), String::new()];
    lines.extend(figures(summary));
    let steps = steps(summary, next);
    if !summary.problems.is_empty() {
        lines.extend([String::new(), "problems".to_owned()]);
        // A blank line and a head before the steps, and the prompt behind them.
        let width = look.width.max(1);
        let taken = height(&lines, width) + height(&steps, width) + 3;
        let (mut found, more) = problems(&summary.problems, first_rows, look, taken);
        if look.height.is_some_and(|screen| taken + more > screen) {
            (found, _) = problems(&summary.problems, &[], look, taken);
        }
        lines.extend(found);
    }
    if !steps.is_empty() {
        lines.extend([String::new(), "next".to_owned()]);
        lines.extend(steps);
    }
    lines.push(String::new());
    lines.join("\n")
}

/// The problems, and the first rows of some of them: one at least, and more where the terminal has
/// lines beside those that are taken. How many lines of a screen it is comes with it.
fn problems(
    problems: &[ProblemSummary],
    first_rows: &[Diagnostic],
    look: &Look,
    taken: usize,
) -> (Vec<String>, usize) {
    let width = look.width.max(1);
    let first = first_rows.first().map_or(0, |first| rows_of(&render(first, look)));
    let screen = look.height.map_or(SCREEN_LINES, |lines| lines.saturating_sub(first));
    let explained = &first_rows[..first_rows.len().min(1)];
    let room = screen.saturating_sub(taken);
    let (rows, meanings) = fitting(problems, explained, room, width);
    let mut lines = table(problems, rows);
    let helped = helps(problems, explained, meanings);
    let taken = taken + height(&lines, width) + height(&helped, width);
    let room = look.height.map(|height| height.saturating_sub(taken));
    let shown = shown(first_rows, look, room);
    lines.extend(helps(problems, &first_rows[..shown.len()], meanings));
    // The rows are fitted to the width, and colours have none.
    let on_screen = height(&lines, width) + shown.iter().map(|text| rows_of(text)).sum::<usize>();
    lines.extend(shown.into_iter().flat_map(|text| [String::new(), text]));
    (lines, on_screen)
}

/// Lines that a diagnostic takes, with the blank one before it.
fn rows_of(text: &str) -> usize {
    text.lines().count() + 1
}

/// The first of some diagnostics, as text, for which there is room.
fn shown(diagnostics: &[Diagnostic], look: &Look, room: Option<usize>) -> Vec<String> {
    let mut left = room.unwrap_or(usize::MAX);
    let mut shown = Vec::new();
    for diagnostic in diagnostics {
        let text = render(diagnostic, look);
        let lines = rows_of(&text);
        if lines > left && !shown.is_empty() {
            break;
        }
        left = left.saturating_sub(lines);
        shown.push(text);
    }
    shown
}

fn verdict(summary: &Summary) -> String {
    let to = summary.destination.as_deref().map(|to| format!(" to {to}")).unwrap_or_default();
    plain(&format!("{}{to}: {}", summary.command, outcome(summary))).into_owned()
}

/// What became of the rows, in a few words.
pub(super) fn outcome(summary: &Summary) -> String {
    let rows = &summary.rows;
    let [read, accepted, rejected, skipped] =
        [rows.read, rows.accepted, rows.rejected, rows.skipped].map(thousands);
    let [delivered, failed, pending] = [rows.delivered, rows.failed, rows.pending].map(thousands);
    let (all, noun) = match rows.read {
        1 => ("the only row".to_owned(), "row"),
        _ => (format!("all {read} rows"), "rows"),
    };
    match (summary.command.as_str(), summary.complete) {
        (_, true) if rows.read == 0 => "the inputs have no data rows".to_owned(),
        ("import", true) if rows.delivered == rows.read => format!("{all} delivered"),
        (_, true) if rows.rejected == rows.read => format!("{all} rejected"),
        (_, true) if rows.skipped == rows.read => {
            format!("nothing changed in {all}, so none is sent")
        }
        ("import", true) if rows.skipped > 0 => format!(
            "{delivered} of {accepted} changed rows delivered, {rejected} rejected, {failed} failed, \
             {skipped} unchanged"
        ),
        (_, true) if rows.skipped > 0 => {
            format!("{accepted} rows changed, {skipped} unchanged, {rejected} rejected")
        }
        ("import", true) => {
            format!("{delivered} of {read} {noun} delivered, {rejected} rejected, {failed} failed")
        }
        ("import", false) => format!(
            "stopped before the end: {delivered} of {accepted} accepted rows delivered, {pending} pending"
        ),
        (_, true) if rows.rejected == 0 => {
            format!("{all} {} valid", if rows.read == 1 { "is" } else { "are" })
        }
        (_, true) => format!("{rejected} of {read} rows rejected, {accepted} valid"),
        (_, false) => format!("stopped before the end, {read} {noun} read"),
    }
}

fn figures(summary: &Summary) -> Vec<String> {
    let Summary { rows, bodies, plan, requests, timing, .. } = summary;
    let [read, accepted, rejected, skipped] =
        [rows.read, rows.accepted, rows.rejected, rows.skipped].map(thousands);
    let [delivered, failed, pending] = [rows.delivered, rows.failed, rows.pending].map(thousands);
    let mut lines = vec![
        format!(
            "  rows      {read} read = {accepted} accepted + {rejected} rejected + {skipped} skipped"
        ),
        format!(
            "            {accepted} accepted = {delivered} delivered + {failed} failed + {pending} pending"
        ),
    ];
    if let Some(found) = &summary.changes {
        lines.push(changes(found));
        lines.extend(found.of_new_destination().map(|words| format!("  sandbox   {words}")));
    }
    if bodies.count > 0 {
        let [count, bytes, largest] = [bodies.count, bodies.bytes, bodies.bytes_max].map(thousands);
        let fill = bodies.fill_mean * 100.0;
        lines.push(format!(
            "  bodies    {count}, {bytes} bytes, the largest {largest}, mean fill {fill:.1} %"
        ));
    }
    if requests.sent > 0 {
        let [sent, retried, isolated, http_429, http_5xx] = [
            requests.sent,
            requests.retried,
            requests.isolated,
            requests.http_429,
            requests.http_5xx,
        ]
        .map(thousands);
        lines.push(format!(
            "  requests  {sent} sent, {retried} retried, {isolated} isolating; replies 429: {http_429}, 5xx: {http_5xx}"
        ));
    }
    let limit = (plan.seconds_at_limit > 0.0)
        .then(|| format!("; sending takes {} at the limits", duration(plan.seconds_at_limit)));
    lines.push(format!("  time      {}{}", duration(timing.seconds), limit.unwrap_or_default()));
    lines
}

/// Rows beside what was known of them, on one line.
fn changes(changes: &ChangeSummary) -> String {
    let [new, changed, unchanged] =
        [changes.new, changes.changed, changes.unchanged].map(thousands);
    let vanished = match changes.vanished {
        Some(vanished @ 1..) => format!("; {} known ids are not here", thousands(vanished)),
        _ => String::new(),
    };
    format!(
        "  changes   {new} new + {changed} changed + {unchanged} unchanged, {}{vanished}",
        changes.of_unchanged()
    )
}

/// Lines of a screen that some lines take.
fn height(lines: &[String], width: usize) -> usize {
    lines.iter().map(|line| line.chars().count().div_ceil(width).max(1)).sum()
}

/// How many problems the table has, and how many codes are explained, in so many lines of a screen where
/// that can be.
fn fitting(
    problems: &[ProblemSummary],
    explained: &[Diagnostic],
    room: usize,
    width: usize,
) -> (usize, usize) {
    let (mut rows, mut meanings) = (problems.len().min(PROBLEMS_MAX), HELPS_MAX);
    loop {
        let mut lines = table(problems, rows);
        lines.extend(helps(problems, explained, meanings));
        if height(&lines, width) <= room {
            return (rows, meanings);
        } else if meanings > 2 {
            meanings -= 1;
        } else if rows > PROBLEMS_WANTED {
            rows -= 1;
        } else if meanings > 1 {
            meanings -= 1;
        } else if rows > PROBLEMS_MIN {
            rows -= 1;
        } else {
            return (rows, meanings);
        }
    }
}

fn table(problems: &[ProblemSummary], rows: usize) -> Vec<String> {
    let shown = &problems[..rows];
    let file = only_file(shown);
    let head = ["code", "severity", "column", "count", "first at"].map(str::to_owned);
    let mut cells: Vec<[String; 5]> = std::iter::once(head)
        .chain(shown.iter().map(|problem| {
            [
                problem.code.to_owned(),
                problem.severity.to_owned(),
                problem.column.as_deref().map_or_else(|| "-".to_owned(), column),
                thousands(problem.count),
                places(problem, file.is_none()),
            ]
        }))
        .collect();
    let width = |cell: usize| cells.iter().map(|row| row[cell].chars().count()).max().unwrap_or(0);
    let width = |cell: usize| width(cell).min(CELL_WIDTH_MAX);
    let [code_width, severity_width, column_width, count_width] = [0, 1, 2, 3].map(width);
    if let (Some(head), Some(file)) = (cells.first_mut(), file) {
        let before = code_width + severity_width + column_width + count_width + 10;
        head[4] = only(file, SCREEN_COLUMNS.saturating_sub(before));
    }
    let mut lines: Vec<String> = cells
        .iter()
        .map(|[code, severity, column, count, first]| {
            format!(
                "  {code:code_width$}  {severity:severity_width$}  {column:column_width$}  {count:>count_width$}  {first}"
            )
        })
        .collect();
    if let Some(more @ 1..) = problems.len().checked_sub(rows) {
        lines.push(format!("  and {} more in {REPORT_FILE}", thousands(more as u64)));
    }
    lines
}

/// What the most important codes mean, each once, but for those that are shown with a row.
fn helps(problems: &[ProblemSummary], explained: &[Diagnostic], most: usize) -> Vec<String> {
    let mut seen: BTreeSet<&str> =
        explained.iter().filter_map(|diagnostic| diagnostic.code).map(Code::as_str).collect();
    let most = most.saturating_sub(seen.len());
    let helps = problems.iter().filter(|problem| seen.insert(problem.code)).take(most);
    helps.map(|problem| format!("  {}: {}", problem.code, problem.help)).collect()
}

/// The first of the places that are named, where all of them are in one file.
fn only_file(problems: &[ProblemSummary]) -> Option<&FirstPlace> {
    let mut places = problems.iter().flat_map(|problem| problem.first.iter().take(PLACES_MAX));
    let first = places.next()?;
    let is_alike = |place: &FirstPlace| {
        place.file == first.file && place.line.is_some() == first.line.is_some()
    };
    places.all(is_alike).then_some(first)
}

/// The head above places of one file, in so many columns: its end is kept.
fn only(first: &FirstPlace, room: usize) -> String {
    let what = if first.line.is_some() { "lines of" } else { "rows of" };
    let path = plain(&first.file);
    let most = room.saturating_sub(what.len() + 1).max(FILE_WIDTH_MIN);
    match path.chars().count().checked_sub(most) {
        None | Some(0) => format!("{what} {path}"),
        Some(more) => {
            format!("{what} …{}", path.chars().skip(more + 1).collect::<String>())
        }
    }
}

fn places(problem: &ProblemSummary, names_files: bool) -> String {
    let place = |first: &FirstPlace| match names_files {
        true => place(first),
        false => first.line.unwrap_or(first.row).to_string(),
    };
    let mut width = 0;
    let mut places: Vec<String> = problem
        .first
        .iter()
        .take(PLACES_MAX)
        .map(place)
        .take_while(|place| {
            width += place.len() + 2;
            names_files || width <= PLACES_WIDTH_MAX
        })
        .collect();
    if problem.count > places.len() as u64 {
        places.push("…".to_owned());
    }
    places.join(", ")
}

fn place(first: &FirstPlace) -> String {
    let file = plain(&first.file);
    match first.line {
        Some(line) => format!("{file}:{line}"),
        None => format!("{file} row {}", first.row),
    }
}

fn steps(summary: &Summary, next: &Next<'_>) -> Vec<String> {
    let is_doubt = |problem: &&ProblemSummary| problem.code == Code::InDoubt.as_str();
    let is_reject = |problem: &&ProblemSummary| problem.severity == Severity::Reject.as_str();
    let rejecting = || summary.problems.iter().filter(is_reject);
    let has_doubts = rejecting().any(|problem| is_doubt(&problem));
    let has_others = rejecting().any(|problem| !is_doubt(&problem));
    let shown = |path: &Path| plain(&path.to_string_lossy()).into_owned();
    let mut steps = Vec::new();
    if summary.complete && summary.rows.read == 0 {
        steps.push(
            "  nothing to send: look whether the export is whole, and at --limit, --offset"
                .to_owned(),
        );
    }
    if let Some(path) = next.page {
        steps.push(format!("  open {} in a browser: every problem, with charts", shown(path)));
    }
    for RejectsFile { path, rows } in next.rejects {
        let rows = match rows {
            1 => "1 row".to_owned(),
            rows => format!("{} rows", thousands(*rows)),
        };
        let path = shown(path);
        // The command below may be about the other rows.
        let too = match next.command {
            Some(command) if !command.contains(&path) => " too",
            _ => "",
        };
        // The server may have what is in doubt; nothing is wrong with its cells.
        steps.push(match (has_doubts, has_others) {
            (false, _) if next.command.is_some_and(|command| command.starts_with(CHECK)) => {
                format!("  mend the cells in {path} ({rows}), then check that file")
            }
            (false, _) => {
                format!("  mend the cells in {path} ({rows}), then import that file{too}")
            }
            (true, false) => format!(
                "  look {path} ({rows}) up in the dashboard; what is missing there, import{too}"
            ),
            (true, true) => format!(
                "  mend the cells in {path} ({rows}), but look rows in doubt up in the dashboard and drop \
                 what is there; then import that file{too}"
            ),
        });
    }
    if let Some(path) = next.damaged {
        steps.push(format!("  see {} for what is no record", shown(path)));
    }
    if let Some(command) = next.command {
        steps.push(format!("  {}", plain(command)));
    }
    steps
}

/// A column's name, shortened to its place in the table.
fn column(name: &str) -> String {
    let name = plain(name);
    if name.chars().count() <= COLUMN_WIDTH_MAX {
        return name.into_owned();
    }
    name.chars().take(COLUMN_WIDTH_MAX - 1).chain(['…']).collect()
}

/// A number with a comma after every third digit from the right.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds in the two largest units that fit.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let (hours, minutes) = (whole / 3600, whole / 60 % 60);
    if hours > 0 {
        format!("{} h {minutes} min", thousands(hours))
    } else {
        format!("{minutes} min {} s", whole % 60)
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
