//! The summary's words and figures, as the template takes them.

use std::{collections::BTreeMap, io};

use askama::Template;

use super::{
    SCRIPT, STYLE,
    charts::{self, ByColumn},
    flow, source_hash,
    svg::Chart,
};
use crate::model::{
    ChangeSummary, ColumnProfile, FirstPlace, Histogram, InputSummary, MarkKind, ProblemSummary,
    Summary, Throughput,
};
use crate::report::text::{duration, outcome, plain, thousands};

/// The most lines of the table of problems, and the bytes that they may take, about: the page stays
/// below 1 MB. The others are in `report.json`.
const PROBLEMS_MAX: usize = 500;
const PROBLEM_BYTES_MAX: usize = 450_000;

/// Columns in the chart of problems.
const COLUMNS_CHARTED: usize = 12;

/// Columns in the table of what they hold.
const COLUMNS_MAX: usize = 120;

/// Inputs that are named.
const INPUTS_MAX: usize = 20;

/// What to fix first.
const FIRST_MAX: usize = 3;

/// Characters of a name; beyond them it is cut.
const NAME_MAX: usize = 80;
const LABEL_MAX: usize = 17;

/// Characters at the end of a file's path that are named with a place.
const FILE_MAX: usize = 40;

/// Characters of what a problem means.
const HELP_MAX: usize = 600;

/// What a cell can hold: its name in the legend, the class of its colour, its share of a column.
type Share = fn(&ColumnProfile) -> f64;
const TYPES: [(&str, &str, Share); 5] = [
    ("text", "t-text", |held| held.text),
    ("number", "t-number", |held| held.number),
    ("date", "t-datetime", |held| held.datetime),
    ("true or false", "t-bool", |held| held.bool),
    ("list or object", "t-nested", |held| held.nested),
];

#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct Page {
    style: &'static str,
    script: &'static str,
    policy: String,
    version: &'static str,
    command: String,
    tone: &'static str,
    state: &'static str,
    verdict: String,
    destination: Option<String>,
    inputs: Vec<Input>,
    inputs_left_out: String,
    facts: Vec<Fact>,
    flow: Chart,
    /// What changed: its name, how many, and what becomes of it.
    changes: Vec<[String; 3]>,
    first: Vec<First>,
    problems: Vec<Problem>,
    problems_left_out: String,
    codes: Vec<&'static str>,
    by_column: Option<Drawing>,
    along: Option<Drawing>,
    fill: Option<Drawing>,
    throughput: Option<Drawing>,
    throughput_title: String,
    marks: Vec<[String; 4]>,
    marks_left_out: u64,
    is_import: bool,
    profile_rows: String,
    profile_of: String,
    is_sample: bool,
    columns: Vec<Column>,
    columns_left_out: String,
    /// The types that the columns hold, with the class of their colour.
    types: Vec<(&'static str, &'static str)>,
    has_warnings: bool,
    has_rows: bool,
}

struct Input {
    name: String,
    detail: String,
}

struct Fact {
    name: &'static str,
    value: String,
    detail: String,
}

struct First {
    what: String,
    code: &'static str,
    count: String,
    severity: &'static str,
    help: Vec<Span>,
    places: String,
}

/// Words, or code among them.
struct Span {
    is_code: bool,
    text: String,
}

struct Problem {
    code: &'static str,
    severity: &'static str,
    column: String,
    count: u64,
    counted: String,
    places: String,
    help: Vec<Span>,
}

/// A chart, and its numbers.
struct Drawing {
    chart: Chart,
    about: String,
    head: [&'static str; 3],
    rows: Vec<[String; 3]>,
}

struct Column {
    name: String,
    filled: String,
    mix: String,
    types: String,
}

impl Page {
    /// The page of a summary.
    ///
    /// # Errors
    /// A drawing can't be made.
    pub fn new(summary: &Summary) -> io::Result<Self> {
        let is_import = summary.command == "import";
        let (tone, state) = tone(summary);
        let names_files = summary.inputs.len() > 1;
        let (problems, problems_left_out) = problems(&summary.problems, names_files);
        let mut codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
        codes.sort_unstable();
        codes.dedup();
        let has_rows = summary.rows.read > 0;
        // Without a row there is nothing to tell of them.
        let columns = if has_rows { summary.profile.columns.as_slice() } else { &[] };
        let shown = &columns[..columns.len().min(COLUMNS_MAX)];
        let (marks, marks_left_out) = summary.throughput.as_ref().map(marks).unwrap_or_default();
        Ok(Self {
            style: STYLE,
            script: SCRIPT,
            policy: format!(
                "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; \
                 form-action 'none'",
                source_hash(STYLE),
                source_hash(SCRIPT)
            ),
            version: env!("CARGO_PKG_VERSION"),
            command: summary.command.clone(),
            tone,
            state,
            verdict: sentence(&outcome(summary)),
            destination: summary.destination.as_deref().map(|to| plain(to).into_owned()),
            inputs: summary.inputs.iter().take(INPUTS_MAX).map(input).collect(),
            inputs_left_out: more(
                summary.inputs.len().saturating_sub(INPUTS_MAX),
                "more file",
                "more files",
            ),
            facts: facts(summary),
            flow: flow::flow(summary, &told(summary))?,
            changes: summary.changes.as_ref().map(changes).unwrap_or_default(),
            first: summary
                .problems
                .iter()
                .take(FIRST_MAX)
                .map(|problem| first(problem, names_files))
                .collect(),
            problems,
            problems_left_out: more(
                problems_left_out,
                "more kind of problem, with fewer rows, is",
                "more kinds of problems, with fewer rows, are",
            ),
            codes,
            by_column: by_column(&summary.problems)?,
            along: along(&summary.rejected_at, &summary.inputs)?,
            fill: fill(summary)?,
            throughput: summary.throughput.as_ref().map(throughput).transpose()?,
            throughput_title: match summary.kind.as_str() {
                "events" => "Events delivered a minute".to_owned(),
                _ => "Users delivered a minute".to_owned(),
            },
            marks,
            marks_left_out,
            is_import,
            profile_rows: thousands(summary.profile.rows),
            // The weight of the last one reaches beyond the end.
            profile_of: thousands(summary.profile.of.min(summary.rows.read)),
            is_sample: summary.profile.rows < summary.profile.of,
            columns: shown.iter().map(column).collect::<io::Result<_>>()?,
            columns_left_out: more(
                columns.len() - shown.len(),
                "more column is",
                "more columns are",
            ),
            types: TYPES
                .into_iter()
                .filter(|&(_, _, share)| columns.iter().any(|column| share(column) > 0.0))
                .map(|(name, class, _)| (name, class))
                .collect(),
            has_warnings: summary.problems.iter().any(|problem| problem.severity != "reject"),
            has_rows,
        })
    }
}

/// How the run went, as a colour, and whether it came to its end. Of a check nothing is complete but the
/// check.
fn tone(summary: &Summary) -> (&'static str, &'static str) {
    let rows = &summary.rows;
    let is_import = summary.command == "import";
    if !summary.complete {
        ("bad", "Stopped before its end")
    } else if rows.read == 0 {
        ("warn", "Nothing to send")
    } else if rows.skipped > 0 && rows.accepted + rows.rejected == 0 {
        ("good", if is_import { "Complete: nothing changed" } else { "Checked: nothing changed" })
    } else if !is_import && rows.accepted + rows.skipped == 0 {
        ("bad", "Checked: no row can be sent")
    } else if is_import && rows.delivered + rows.skipped == 0 {
        ("bad", "Complete: no row was delivered")
    } else if rows.rejected + rows.failed > 0 {
        (
            "warn",
            if is_import { "Complete, with rows to mend" } else { "Checked, with rows to mend" },
        )
    } else if !summary.problems.is_empty() {
        ("good", if is_import { "Complete, with warnings" } else { "Checked, with warnings" })
    } else {
        ("good", if is_import { "Complete" } else { "Checked" })
    }
}

/// How many more there are, as the page says it; empty where there are none.
fn more(count: usize, one: &str, many: &str) -> String {
    match count {
        0 => String::new(),
        count => counted(count as u64, one, many),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect()
}

fn input(input: &InputSummary) -> Input {
    Input {
        name: short(&input.path, NAME_MAX * 2),
        detail: format!("{}, {}", counted(input.rows, "row", "rows"), bytes(input.bytes)),
    }
}

fn facts(summary: &Summary) -> Vec<Fact> {
    let Summary { rows, bodies, plan, requests, .. } = summary;
    let share = |part: u64| match rows.read {
        0 => "–".to_owned(),
        read => percent(part as f64 / read as f64),
    };
    let mut facts = vec![
        Fact {
            name: "Rows read",
            value: thousands(rows.read),
            detail: format!("{} to send", summary.kind),
        },
        match summary.changes {
            None => Fact {
                name: "Accepted",
                value: share(rows.accepted),
                detail: counted(rows.accepted, "row", "rows"),
            },
            Some(_) => Fact {
                name: "Changed",
                value: share(rows.accepted),
                detail: counted(rows.accepted, "row to send", "rows to send"),
            },
        },
    ];
    let rates = [(plan.users_per_minute, "users"), (plan.events_per_minute, "events")];
    let is_events = summary.kind == "events";
    let (rate, what) = rates[usize::from(is_events)];
    facts.push(Fact {
        name: "Time at the limits",
        value: match plan.seconds_at_limit {
            _ if bodies.count == 0 => "–".to_owned(),
            0.0 => "< 1 min".to_owned(),
            seconds => duration(seconds),
        },
        detail: match rate {
            Some(rate) => format!("{} {what} a minute", thousands(rate)),
            None => "no limit given".to_owned(),
        },
    });
    facts.push(Fact {
        name: "Request bodies",
        value: thousands(bodies.count),
        detail: match bodies.count {
            0 => "nothing to send".to_owned(),
            _ => format!("{}, filled to {}", bytes(bodies.bytes), percent(bodies.fill_mean)),
        },
    });
    if requests.sent > 0 {
        facts.push(Fact {
            name: "Requests sent",
            value: thousands(requests.sent),
            detail: format!(
                "{} again; {} × 429, {} × 5xx",
                thousands(requests.retried),
                thousands(requests.http_429),
                thousands(requests.http_5xx)
            ),
        });
    }
    facts
}

/// What changed, in words.
fn changes(changes: &ChangeSummary) -> Vec<[String; 3]> {
    let full = match changes.full_days {
        _ if changes.full => "sent all the same, since --full was given".to_owned(),
        None | Some(0) => changes.of_unchanged().to_owned(),
        Some(days) => format!(
            "{}; all rows were sent {} ago",
            changes.of_unchanged(),
            counted(days, "day", "days")
        ),
    };
    let unsure = match changes.cut_off {
        Some(_) => "sent; an import was cut off, and its rows count as new",
        None => "sent",
    };
    let differ = match changes.mapping_changed {
        true => "sent; the mapping is another, so every row is",
        false => "sent",
    };
    let mut rows = vec![
        ["New".to_owned(), thousands(changes.new), unsure.to_owned()],
        ["Changed".to_owned(), thousands(changes.changed), differ.to_owned()],
        ["Unchanged".to_owned(), thousands(changes.unchanged), full],
    ];
    if changes.repeated_rows > 0 {
        let ids = counted(changes.repeated_ids, "id", "ids");
        let words = format!("of {ids} that stand in several rows; all of them are sent");
        rows.push(["Repeated".to_owned(), thousands(changes.repeated_rows), words]);
    }
    if let Some(vanished @ 1..) = changes.vanished {
        let words = "known ids that are not in these files; nothing is deleted at the server";
        rows.push(["Vanished".to_owned(), thousands(vanished), words.to_owned()]);
    }
    if let Some(words) = changes.of_new_destination() {
        rows.push(["Known".to_owned(), thousands(changes.known), words.to_owned()]);
    }
    rows
}

/// The flow in words.
fn told(summary: &Summary) -> String {
    let rows = &summary.rows;
    let [read, accepted, rejected, skipped] =
        [rows.read, rows.accepted, rows.rejected, rows.skipped].map(thousands);
    let left_out = summary.left_in_doubt();
    let refused = rows.failed.saturating_sub(left_out);
    let [delivered, refused, pending] = [rows.delivered, refused, rows.pending].map(thousands);
    let left_out = match left_out {
        0 => String::new(),
        rows => format!(" {} left out in doubt,", thousands(rows)),
    };
    format!(
        "{read} rows read: {accepted} accepted, {rejected} rejected, {skipped} skipped. Of the accepted: \
         {delivered} delivered, {refused} refused by the server,{left_out} {pending} not sent."
    )
}

fn first(problem: &ProblemSummary, names_files: bool) -> First {
    First {
        what: column_name(problem.column.as_deref(), NAME_MAX),
        code: problem.code,
        count: thousands(problem.count),
        severity: problem.severity,
        help: spans(&sentence(&short(&problem.help, HELP_MAX))),
        places: places(&problem.first[..problem.first.len().min(3)], names_files),
    }
}

fn problems(all: &[ProblemSummary], names_files: bool) -> (Vec<Problem>, usize) {
    let mut shown = Vec::new();
    let mut bytes = 0;
    for problem in all.iter().take(PROBLEMS_MAX) {
        let made = Problem {
            code: problem.code,
            severity: problem.severity,
            column: column_name(problem.column.as_deref(), NAME_MAX),
            count: problem.count,
            counted: thousands(problem.count),
            places: places(&problem.first, names_files),
            help: spans(&sentence(&short(&problem.help, HELP_MAX))),
        };
        // Escaped, a character may become six.
        let escaped = |text: &str| {
            text.len() + 5 * text.bytes().filter(|byte| b"&<>\"'".contains(byte)).count()
        };
        bytes += 700 + escaped(&made.column) + escaped(&made.places) + escaped(&problem.help);
        if bytes > PROBLEM_BYTES_MAX {
            break;
        }
        shown.push(made);
    }
    let left_out = all.len() - shown.len();
    (shown, left_out)
}

/// A text with flags and what stands in backticks apart, as code.
fn spans(text: &str) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut add = |is_code: bool, text: &str| match spans.last_mut() {
        Some(last) if !is_code && !last.is_code => last.text.push_str(text),
        _ => spans.push(Span { is_code, text: text.to_owned() }),
    };
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            add(true, part);
            continue;
        }
        for word in part.split_inclusive(' ') {
            let flag = word.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
            if flag.len() > 2 && flag.starts_with("--") {
                add(true, flag);
                add(false, &word[flag.len()..]);
            } else {
                add(false, word);
            }
        }
    }
    spans
}

/// Places in words, each file named once, if at all.
fn places(first: &[FirstPlace], names_files: bool) -> String {
    let mut text = String::new();
    for group in first
        .chunk_by(|one, other| one.file == other.file && one.line.is_some() == other.line.is_some())
    {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if names_files {
            text.push_str(&tail(&group[0].file));
            text.push_str(", ");
        }
        let numbers: Vec<String> =
            group.iter().map(|place| thousands(place.line.unwrap_or(place.row))).collect();
        let what = if group[0].line.is_some() { "line" } else { "row" };
        let plural = if group.len() > 1 { "s" } else { "" };
        text.push_str(&format!("{what}{plural} {}", numbers.join("\u{a0}· ")));
    }
    text
}

/// The end of a path.
fn tail(path: &str) -> String {
    let path = plain(path);
    match path.chars().count().checked_sub(FILE_MAX) {
        None | Some(0) => path.into_owned(),
        Some(more) => ['…'].into_iter().chain(path.chars().skip(more + 1)).collect(),
    }
}

fn by_column(problems: &[ProblemSummary]) -> io::Result<Option<Drawing>> {
    let mut counts: BTreeMap<Option<&str>, (u64, u64)> = BTreeMap::new();
    for problem in problems {
        let (rejects, warnings) = counts.entry(problem.column.as_deref()).or_default();
        let count = if problem.severity == "reject" { rejects } else { warnings };
        *count += problem.count;
    }
    if counts.is_empty() {
        return Ok(None);
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(_, (rejects, warnings))| std::cmp::Reverse((rejects, warnings)));
    let shown = &counts[..counts.len().min(COLUMNS_CHARTED)];
    let bars: Vec<ByColumn> = shown
        .iter()
        .map(|&(column, (rejects, warnings))| ByColumn {
            name: column_name(column, LABEL_MAX),
            rejects,
            warnings,
        })
        .collect();
    let about = match counts.len() - shown.len() {
        0 => "Rejections and warnings of each column.".to_owned(),
        more => format!(
            "Rejections and warnings of the {COLUMNS_CHARTED} columns with the most; {} others have some.",
            thousands(more as u64)
        ),
    };
    let rows = shown.iter().map(|&(column, (rejects, warnings))| {
        [column_name(column, NAME_MAX), thousands(rejects), thousands(warnings)]
    });
    Ok(Some(Drawing {
        chart: charts::by_column(&bars, &about)?,
        head: ["Column", "Rejections", "Warnings"],
        rows: rows.collect(),
        about,
    }))
}

fn along(rejected: &Histogram, inputs: &[InputSummary]) -> io::Result<Option<Drawing>> {
    let all: u64 = rejected.counts.iter().sum();
    if all == 0 {
        return Ok(None);
    }
    let (at, &most) =
        rejected.counts.iter().enumerate().rev().max_by_key(|&(_, count)| count).unwrap_or((0, &0));
    let read: u64 = inputs.iter().map(|input| input.rows).sum();
    let range = |at: usize| {
        let from = at as u64 * rejected.width;
        let to = (from + rejected.width).min(read.max(from + 1));
        match to - from {
            1 => thousands(from + 1),
            _ => format!("{} to {}", thousands(from + 1), thousands(to)),
        }
    };
    let mut about = match rejected.width {
        1 => "Each bar is one row, in the order of the import.".to_owned(),
        rows => format!("Each bar is {} rows, in the order of the import.", thousands(rows)),
    };
    if rejected.width > 1 {
        let bars = rejected.counts.len() as u64;
        let filled = rejected.counts.iter().filter(|&&count| count > 0).count() as u64;
        let (rows, some) = (range(at), format!("{} of {}", thousands(most), thousands(all)));
        if most > all / 2 {
            about.push_str(&format!(" Most are among rows {rows}: {some}."));
        } else if most.saturating_mul(bars) < all * 2 {
            about.push_str(" They are spread over all of it.");
        } else if most.saturating_mul(filled) >= all * 2 {
            about.push_str(&format!(" The highest is rows {rows}, with {some}."));
        }
    }
    if inputs.len() > 1 {
        about.push_str(" A thin line stands where the next file begins.");
    }
    let counts = rejected.counts.iter().enumerate().filter(|&(_, &count)| count > 0);
    let rows = counts
        .map(|(at, &count)| [range(at), thousands(count), percent(count as f64 / all as f64)]);
    Ok(Some(Drawing {
        chart: charts::along(rejected, inputs, &about)?,
        head: ["Rows", "Rejected", "Share of rejected"],
        rows: rows.collect(),
        about,
    }))
}

fn fill(summary: &Summary) -> io::Result<Option<Drawing>> {
    let bodies = &summary.bodies;
    if bodies.count == 0 {
        return Ok(None);
    }
    let about = format!(
        "{} by the share of the size limit that {}; {} on average. Fuller bodies mean fewer requests.",
        counted(bodies.count, "request body", "request bodies"),
        if bodies.count == 1 { "it fills" } else { "each fills" },
        percent(bodies.fill_mean)
    );
    let rows = bodies.fill.iter().enumerate().filter(|&(_, &count)| count > 0);
    let rows = rows.map(|(at, &count)| {
        let share = percent(count as f64 / bodies.count as f64);
        [format!("{} to {} %", at * 10, (at + 1) * 10), thousands(count), share]
    });
    Ok(Some(Drawing {
        chart: charts::fill(&bodies.fill, &about)?,
        head: ["Filled", "Bodies", "Share"],
        rows: rows.collect(),
        about,
    }))
}

fn throughput(found: &Throughput) -> io::Result<Drawing> {
    let points = charts::per_minute(found);
    let most = points.iter().map(|&(_, rows)| rows).max().unwrap_or(0);
    let budget = match found.per_minute {
        Some(budget) => format!("the budget is {} a minute", thousands(budget)),
        None => "there is no budget".to_owned(),
    };
    let about = format!(
        "Rows delivered in the minute before each moment, over {} of sending in this run; at most {}, \
         and {budget}. Refusals for the rate (429) and pauses: {}.",
        duration(found.sending_ms as f64 / 1_000.0),
        thousands(most),
        thousands(found.marks.len() as u64 + found.marks_left_out)
    );
    let counts = points.iter().zip(&found.delivered.counts);
    let rows = counts
        .map(|(&(end, rows), &count)| [charts::moment(end), thousands(count), thousands(rows)]);
    Ok(Drawing {
        chart: charts::throughput(found, &about)?,
        head: ["Until", "Delivered since the line above", "In the minute before"],
        rows: rows.collect(),
        about,
    })
}

fn marks(found: &Throughput) -> (Vec<[String; 4]>, u64) {
    let rows = found.marks.iter().map(|mark| {
        let what = match mark.kind {
            MarkKind::Http429 => "refused for the rate (429)",
            MarkKind::ServerAsked => "the server asked for a pause",
            MarkKind::BackOff => "the server failed or was out of reach",
        };
        let replies = if mark.replies > 0 { thousands(mark.replies) } else { String::new() };
        let pause = match mark.pause_ms {
            0 => String::new(),
            ms => duration(ms as f64 / 1_000.0),
        };
        [charts::moment(mark.at_ms), what.to_owned(), replies, pause]
    });
    (rows.collect(), found.marks_left_out)
}

fn column(held: &ColumnProfile) -> io::Result<Column> {
    let mut types: Vec<(f64, &str)> = TYPES
        .into_iter()
        .map(|(name, _, share)| (share(held), name))
        .filter(|&(share, _)| share > 0.0)
        .collect();
    types.sort_by(|one, other| other.0.total_cmp(&one.0));
    let types = match types.as_slice() {
        [] => "no value".to_owned(),
        [(_, "number")] => "all numbers".to_owned(),
        [(_, "date")] => "all dates".to_owned(),
        [(_, "list or object")] => "all lists or objects".to_owned(),
        [(_, only)] => format!("all {only}"),
        several => {
            let shares = several.iter().map(|&(share, name)| format!("{} {name}", percent(share)));
            shares.collect::<Vec<_>>().join(", ")
        }
    };
    Ok(Column {
        name: column_name(Some(&held.column), NAME_MAX),
        filled: percent(held.filled),
        mix: charts::mix(held)?,
        types,
    })
}

fn column_name(name: Option<&str>, max: usize) -> String {
    match name {
        Some("") => "(no name)".to_owned(),
        Some(name) => short(name, max),
        None => "(whole row)".to_owned(),
    }
}

/// A text without control characters, cut to so many characters.
fn short(text: &str, max: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= max {
        return text.into_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

/// A share in percent. What is not all is never said to be, nor what is something to be nothing.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0\u{a0}%".to_owned(),
        percent if percent < 0.1 => "< 0.1\u{a0}%".to_owned(),
        percent if percent > 99.9 && share < 1.0 => "> 99.9\u{a0}%".to_owned(),
        percent if percent.fract() == 0.0 => format!("{percent:.0}\u{a0}%"),
        percent => format!("{percent:.1}\u{a0}%"),
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
