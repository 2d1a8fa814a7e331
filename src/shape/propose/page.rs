//! A proposal as a commented file: what a migration engineer reads first.

use std::fmt::Write as _;

use super::{
    Becomes, Proposal, Proposed,
    text::{comment, key, list, number, rounded, share, string},
};
use crate::model::{Kind, RowCounts, Severity, Tally};
use crate::shape::{
    datetime::DateFormat,
    plan::{ValueType, own_field},
    profile::{Column, Profile, printable},
};
use crate::wire::limits;

/// Lines of rejected rows, and of candidates, at the top.
const TOP_LINES_MAX: usize = 8;

/// All that a page tells.
pub struct Page<'a> {
    /// What is proposed.
    pub proposal: &'a Proposal,
    /// What the columns hold.
    pub profile: &'a Profile,
    /// What a check with the proposed mapping finds, where one could be made.
    pub checked: Option<(RowCounts, &'a Tally)>,
    /// The inputs, as they were named.
    pub inputs: &'a [String],
    /// Flags that the inputs were read with, and are to be given again.
    pub flags: &'a str,
    /// Texts that mean no value in every column.
    pub null_values: &'a [String],
    /// Examples are shown as they stand.
    pub show_values: bool,
    /// With the tables of the configuration around the mapping.
    pub config: bool,
}

/// The mapping alone, without a comment. What is to be decided has some answer, so that rows can be
/// checked; `None` where there is none.
pub fn to_mapping(proposal: &Proposal, null_values: &[String]) -> Option<String> {
    if proposal.decide.is_some() {
        return None;
    }
    let has_id = |column: &Proposed| column.becomes == Becomes::Field("customer_id");
    let best = match proposal.columns.iter().any(has_id) {
        true => None,
        false => Some(proposal.candidates.first()?.column),
    };
    let mut out = String::new();
    head(&mut out, proposal, null_values, "");
    out.push_str("\n[columns]\n");
    for (at, column) in proposal.columns.iter().enumerate() {
        let entry = match best == Some(at) {
            true => "{ to = \"customer_id\" }".to_owned(),
            false => entry(column, proposal.kind),
        };
        let _ = writeln!(out, "{} = {entry}", key(&column.name));
    }
    Some(out)
}

/// The page.
pub fn to_page(page: &Page<'_>) -> String {
    let Page { proposal, profile, .. } = page;
    let mut out = String::new();
    top(&mut out, page);
    if page.config {
        out.push_str(&format!(
            "\n[connection]\n\
             # data_center = \"01\"            # the number in your dashboard's address: dashboard-01.moengage.com\n\
             # app_id = \"\"                   # the workspace id; the key never stands in a file like this one\n\
             \n[limits]\n\
             # users_per_minute = {:<8}   # your share of the account's budget\n\
             # events_per_minute = {}\n\
             \n[mapping]\n",
            limits::USERS_PER_MINUTE,
            limits::EVENTS_PER_MINUTE
        ));
    } else {
        out.push('\n');
    }
    head(&mut out, proposal, page.null_values, &format!("    # {}", printable(&proposal.kind_why)));
    if let Some(text) = &proposal.decide {
        let _ = writeln!(out, "decide = {}", string(text));
    }
    out.push_str(if page.config { "\n[mapping.columns]\n" } else { "\n[columns]\n" });
    for (at, column) in proposal.columns.iter().enumerate() {
        let stats = &profile.columns[at];
        comment(&mut out, "", &facts(page, column, stats, at));
        let examples = stats.examples.shown(page.show_values);
        if !examples.is_empty() {
            comment(&mut out, "such as ", &examples.join(" · "));
        }
        for note in column.notes.iter().map(String::as_str) {
            comment(&mut out, "- ", &printable(note));
        }
        for note in checked_notes(page, at) {
            comment(&mut out, "- ", &note);
        }
        let entry = match &column.decide {
            Some(text) => format!("{{ decide = {} }}", string(text)),
            None => entry(column, proposal.kind),
        };
        let _ = writeln!(out, "{} = {entry}\n", key(&column.name));
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn top(out: &mut String, page: &Page<'_>) {
    let Page { proposal, profile, .. } = page;
    let inputs = match page.inputs {
        [first] => printable(first),
        [first, rest @ ..] => format!("{} and {} more", printable(first), rest.len()),
        [] => String::new(),
    };
    let rows = profile.rows_read();
    comment(
        out,
        "",
        &format!(
            "{inputs}: {} {} of {}, {} {}, as `moebulk init` found them.",
            number(rows),
            if rows == 1 { "row" } else { "rows" },
            proposal.kind,
            proposal.columns.len(),
            if proposal.columns.len() == 1 { "column" } else { "columns" }
        ),
    );
    if !page.flags.is_empty() {
        comment(out, "", &format!("Read with {}; give the same flags to import.", page.flags));
    }
    out.push_str("#\n");
    let open: Vec<_> = proposal.open().collect();
    if open.is_empty() {
        comment(out, "", "Nothing is left to decide.");
    } else {
        comment(
            out,
            "",
            "To decide first, at the lines with `decide`; import refuses them until then:",
        );
        for (column, text) in &open {
            let question = text.split_inclusive('?').next().unwrap_or_default();
            match column {
                Some(name) => comment(out, "- ", &format!("{}: {question}", printable(name))),
                None => comment(out, "- ", question),
            }
        }
    }
    match &page.checked {
        Some((counts, tally)) => rows_that_can_be_sent(out, counts, tally, proposal),
        None => rows_that_cannot_be_read(out, profile),
    }
    if proposal.candidates.len() > 1 {
        out.push_str("#\n");
        comment(out, "", "customer_id candidates, the best first:");
        let shown = &proposal.candidates[..proposal.candidates.len().min(TOP_LINES_MAX)];
        let width = shown.iter().map(|one| one.name.chars().count()).max().unwrap_or(0).min(40);
        for one in shown {
            let unusable = match (one.unusable, one.disallowed) {
                (0, _) => "all usable".to_owned(),
                (all, 0) => format!("{} empty", number(all)),
                (all, bad) if all == bad => format!("{} disallowed", number(bad)),
                (all, bad) => format!("{} empty, {} disallowed", number(all - bad), number(bad)),
            };
            let about = if one.exact { "" } else { "about " };
            let unique = share((one.unique * 1e4) as u64, 10_000);
            let _ = writeln!(
                out,
                "#   {:width$}   {about}{unique} unique, {unusable}",
                printable(&one.name)
            );
        }
    }
    out.push_str("#\n");
    let examples = match page.show_values {
        true => "then values as they stand",
        false => "then examples, masked: a letter is x or X, a digit 9",
    };
    comment(
        out,
        "",
        &format!(
            "Above each column: type, how much is empty, distinct values, and the least and greatest or the \
         length in characters; {examples}. A column whose line is deleted is not sent."
        ),
    );
}

/// What is known of rejected rows where no check could be made.
fn rows_that_cannot_be_read(out: &mut String, profile: &Profile) {
    if profile.damaged.is_empty() {
        return;
    }
    let rows = profile.rows_read();
    let text = match profile.rows {
        0 => format!("None of the {} rows can be read:", number(rows)),
        sound => {
            format!("{} of {} rows cannot be read:", number(rows - sound), number(rows))
        }
    };
    comment(out, "", &text);
    for (code, &count) in profile.damaged.iter().take(TOP_LINES_MAX) {
        comment(out, "- ", &format!("{} × {code}: {}", number(count), code.help()));
    }
}

fn rows_that_can_be_sent(out: &mut String, counts: &RowCounts, tally: &Tally, proposal: &Proposal) {
    let apart = proposal.open().next().map_or("", |_| "Apart from that, ");
    if counts.read == 0 {
        comment(out, "", "There are no rows.");
    } else if counts.rejected == 0 {
        let all = if apart.is_empty() { "All" } else { "all" };
        comment(out, "", &format!("{apart}{all} {} rows can be sent.", number(counts.read)));
    } else {
        comment(
            out,
            "",
            &format!(
                "{} of {} rows can be sent; {} would be rejected:",
                number(counts.accepted),
                number(counts.read),
                number(counts.rejected)
            ),
        );
    }
    let whole = |column: Option<u32>| column.is_none();
    let mut lines = Vec::new();
    for (severity, code, column, entry) in tally.iter() {
        if severity == Severity::Reject || whole(column) {
            let name = column.and_then(|at| proposal.columns.get(at as usize));
            let name = name.map(|column| format!("{}: ", printable(&column.name)));
            lines.push(format!(
                "{}{} × {code}: {}",
                name.unwrap_or_default(),
                number(entry.count),
                code.help()
            ));
        }
    }
    let more = lines.len().saturating_sub(TOP_LINES_MAX);
    for line in lines.iter().take(TOP_LINES_MAX) {
        comment(out, "- ", line);
    }
    if more > 0 {
        comment(out, "- ", &format!("{more} more; `moebulk validate` lists them"));
    }
}

/// What the check says of a column. Rejections are explained at the top; what an answer may change
/// is not said of a column that waits for one.
fn checked_notes(page: &Page<'_>, at: usize) -> Vec<String> {
    let Some((_, tally)) = &page.checked else { return Vec::new() };
    if page.proposal.columns[at].decide.is_some() {
        return Vec::new();
    }
    let values = page.profile.columns[at].values;
    let of_column = tally.iter().filter(|&(_, _, column, _)| column == Some(at as u32));
    of_column
        .map(|(severity, code, _, entry)| match severity {
            Severity::Reject => format!("{} × rejected, {code}", number(entry.count)),
            Severity::Warning if entry.count >= values => format!("{code}: {}", code.help()),
            Severity::Warning => format!("{} × {code}: {}", number(entry.count), code.help()),
        })
        .collect()
}

/// The keys before the columns.
fn head(out: &mut String, proposal: &Proposal, null_values: &[String], why: &str) {
    let _ = writeln!(out, "kind = \"{}\"{why}", proposal.kind);
    if let Some(event) = &proposal.event {
        let _ = writeln!(out, "event = {}", string(event));
    }
    if !null_values.is_empty() {
        let _ = writeln!(out, "null = [{}]", list(null_values));
    }
}

/// The entry of a column.
pub(super) fn entry(column: &Proposed, kind: Kind) -> String {
    if column.becomes == Becomes::Skip {
        return "{ skip = true }".into();
    }
    let mut parts = vec![destination(column, kind)];
    match column.value {
        ValueType::Text => {}
        ValueType::DateTime(DateFormat::Iso) => parts.push("type = \"datetime\"".into()),
        ValueType::DateTime(format) => {
            parts.push(format!("type = \"datetime\", format = \"{format}\""));
        }
        value => parts.push(format!("type = \"{}\"", value.as_str())),
    }
    for (key, words) in
        [("true", &column.true_words), ("false", &column.false_words), ("null", &column.null_words)]
    {
        if !words.is_empty() {
            parts.push(format!("{key} = [{}]", list(words)));
        }
    }
    if column.optional {
        parts.push("optional = true".into());
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
}

/// `to = "…"` or `attribute = "…"`; empty where the name of the column says it.
fn destination(column: &Proposed, kind: Kind) -> String {
    match &column.becomes {
        Becomes::Field(field) => format!("to = \"{field}\""),
        Becomes::Attribute(name) if *name == column.name && own_field(kind, name).is_none() => {
            String::new()
        }
        Becomes::Attribute(name) => attribute(name),
        Becomes::Skip => "skip = true".into(),
    }
}

/// `attribute = "…"`.
pub(super) fn attribute(name: &str) -> String {
    match name.contains('.') {
        true => format!("attribute = [{}]", string(name)),
        false => format!("attribute = {}", string(name)),
    }
}

/// Type, empty, distinct, range.
fn facts(page: &Page<'_>, column: &Proposed, stats: &Column, at: usize) -> String {
    let mut parts = vec![match column.value {
        _ if column.decide.is_some() && stats.dates.alike == stats.values && stats.values > 0 => {
            "date, or string".to_owned()
        }
        ValueType::DateTime(DateFormat::Iso) => "datetime".into(),
        ValueType::DateTime(format) => format!("datetime as {format}"),
        value => value.as_str().to_owned(),
    }];
    // Words that mean no value elsewhere are text where the type is.
    let words: u64 = stats.nulls().map(|(_, count)| count).sum();
    let rows = page.profile.rows;
    let empty = rows - stats.values - words;
    parts.push(match empty {
        _ if rows == 0 => "no rows".into(),
        0 => "none empty".into(),
        _ if empty == rows => "all empty".into(),
        _ => format!("{} empty", share(empty, rows)),
    });
    if !column.null_words.is_empty() {
        let words = stats.nulls().map(|(word, count)| format!("{} × {word}", number(count)));
        parts.push(words.collect::<Vec<_>>().join(", "));
    }
    if stats.values > 0 {
        let distinct = stats.distinct.count();
        parts.push(match stats.distinct.is_exact() {
            true => format!("{} distinct", number(distinct)),
            false => format!("about {} distinct", number(rounded(distinct.min(stats.values)))),
        });
    }
    let range = match column.value {
        ValueType::Number => {
            stats.numbers.range.as_ref().map(|(least, most)| (least.1.clone(), most.1.clone()))
        }
        ValueType::DateTime(_) => page.proposal.spans[at].clone(),
        _ => None,
    };
    match (range, stats.chars) {
        (Some((least, most)), _) if least == most => parts.push(least),
        (Some((least, most)), _) => parts.push(format!("{} to {}", least.trim(), most.trim())),
        (None, Some((shortest, longest))) if column.value != ValueType::Bool => {
            parts.push(match shortest == longest {
                true if longest == 1 => "1 character".into(),
                true => format!("{} characters", number(longest as u64)),
                false => format!("{} to {} characters", shortest, number(longest as u64)),
            });
        }
        _ => {}
    }
    parts.join(" · ")
}
