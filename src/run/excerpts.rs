//! The lines of a file that a mistake is shown in: read again for the few mistakes that are shown,
//! and masked where they hold values. Where they can't be read again, nothing is shown of them.

use std::{ops::Range, sync::Arc};

use super::{
    MappingFile,
    check::Prepared,
    findings::Checked,
    inputs::InputFile,
    summary::{self, Line},
};
use crate::decode::{
    self, Table,
    csv::{self, Dialect, RecordPlace},
};
use crate::model::{
    Code, Damage, Diagnostic, Excerpt, ExcerptMark, Place, Position, Rows, TextRows, advice,
    masked_char, visible,
};
use crate::shape::{
    encode::{self, Spare, View},
    plan,
};

/// Kinds of problems whose first row is shown.
const DIAGNOSTICS_MAX: usize = 3;

/// Codes of rows that nothing in the file tells apart from others.
const NOT_IN_THE_FILE: [Code; 2] = [Code::ServerRefused, Code::InDoubt];

/// Codes that a row has among others, and not by itself.
const AMONG_OTHERS: [Code; 2] = [Code::TypeMinority, Code::FairUse];

/// The first rows of the problems that come first in the summary, a kind each.
pub fn first_rows(prepared: &Prepared<'_>, checked: &Checked) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    if !prepared.job.excerpts {
        return found;
    }
    let tally = summary::tally(prepared, checked);
    for line in summary::lines(&tally) {
        if found.len() == DIAGNOSTICS_MAX {
            break;
        }
        let is_shown = found.iter().any(|diagnostic| diagnostic.code == Some(line.code));
        let Some(&at) = line.entry.first.first() else { continue };
        if is_shown || NOT_IN_THE_FILE.contains(&line.code) {
            continue;
        }
        let Some(excerpt) = of_row(prepared, checked, &line, at) else { continue };
        let help = summary::help(line.code, prepared, checked);
        let (title, help) = advice(&help);
        found.push(Diagnostic {
            severity: Some(line.severity),
            code: Some(line.code),
            title: title.to_owned(),
            excerpts: vec![excerpt],
            note: None,
            help: help.map(str::to_owned),
        });
    }
    found
}

/// The row of a problem, with the cell that it is about.
fn of_row(
    prepared: &Prepared<'_>,
    checked: &Checked,
    line: &Line<'_>,
    at: Position,
) -> Option<Excerpt> {
    let file = prepared.inputs.files.get(at.file as usize)?;
    let column = line.column.map(|column| prepared.plan.columns[column as usize].source.as_str());
    match (&file.table, at.place) {
        (Table::Csv { dialect, .. }, Place::Line(first)) => {
            // A file that can't be read any more, or has changed, has nothing to show.
            let near = checked.lines.before(at.file, first);
            let rows = file.table.record_at(at, near).ok()??;
            let (raw, span, detail) = match rows.damage.first() {
                Some(damage) => of_damage(damage, line.code, file, dialect)?,
                None => of_cell(prepared, line, file, rows, dialect)?,
            };
            let column = column.map(|name| format!("column `{name}`"));
            let label: Vec<String> = column.into_iter().chain(detail).collect();
            let marks = vec![ExcerptMark::new(span, label.join(": "))];
            let mask = (!prepared.job.rules.show_values).then_some(dialect);
            let (text, marks) = as_text(&raw, marks, mask);
            Some(Excerpt::of(&file.input.name(), first, &text, marks))
        }
        (Table::Csv { .. }, _) => None,
        (Table::Ndjson(_) | Table::Parquet(_) | Table::Arrow(_), place) => {
            let column = column.map(|name| format!(", column `{name}`")).unwrap_or_default();
            let place = format!("{place}, row {}{column}", at.row);
            Some(Excerpt::Named { path: file.input.name(), place })
        }
    }
}

/// A record, the stretch of it that is wrong, and what was found and expected.
type Found = (Vec<u8>, Range<usize>, Option<String>);

fn of_damage(damage: &Damage, code: Code, file: &InputFile, dialect: &Dialect) -> Option<Found> {
    let raw = &damage.raw;
    let columns = file.table.columns().len();
    let span = match damage.code {
        _ if damage.code != code => return None,
        Code::FieldCount => match csv::cells(raw, dialect).get(columns) {
            // Those that are too many, or the place where more would be.
            Some(cell) => cell.start..raw.len(),
            None => raw.len()..raw.len(),
        },
        code => csv::fault_in(raw, dialect, code).unwrap_or_else(|| first_line(raw)),
    };
    Some((raw.clone(), span, Some(damage.detail.clone())))
}

fn of_cell(
    prepared: &Prepared<'_>,
    line: &Line<'_>,
    file: &InputFile,
    rows: TextRows,
    dialect: &Dialect,
) -> Option<Found> {
    let raw = rows.raw(0).to_vec();
    let rows = Arc::new(Rows::Text(rows));
    // The check once more, of this row alone: it says what was expected, and whether the row is
    // still the one that was checked.
    let shaped =
        encode::shape(&prepared.plan, &file.binding, rows, View::default(), Spare::default())
            .ok()?;
    let mut problems = shaped.rejects.iter().flat_map(|reject| &reject.problems);
    let problem = problems.find(|found| (found.code, found.column) == (line.code, line.column));
    let is_known = shaped.tally.count(line.code) > 0 || AMONG_OTHERS.contains(&line.code);
    if problem.is_none() && !is_known {
        return None;
    }
    let detail = problem.and_then(|problem| problem.detail.as_deref()).map(str::to_owned);
    let source = line.column.and_then(|column| file.binding.sources[column as usize]);
    let cell = source.and_then(|source| csv::cells(&raw, dialect).get(source).cloned());
    let span = cell.unwrap_or_else(|| first_line(&raw));
    Some((raw, span, detail))
}

fn first_line(raw: &[u8]) -> Range<usize> {
    0..raw.iter().position(|&byte| byte == b'\n').unwrap_or(raw.len())
}

/// Where an input that can't be read is wrong.
pub fn of_unreadable(path: &str, error: &decode::Error, show_values: bool) -> Vec<Excerpt> {
    let decode::Error::Csv(error) = error else { return Vec::new() };
    let Some((line, RecordPlace { raw, spans, dialect })) = error.place() else {
        return Vec::new();
    };
    let labels: &[&str] = match error {
        csv::Error::DuplicateName { .. } => &["the second", "the first"],
        csv::Error::EmptyName { .. } => &["no name"],
        _ => &[""],
    };
    let marks =
        spans.iter().zip(labels).map(|(span, label)| ExcerptMark::new(span.clone(), *label));
    let marks: Vec<_> = marks.collect();
    let mask = (!show_values).then_some(dialect);
    let (text, marks) = header_as_text(raw, marks, mask);
    vec![Excerpt::of(path, line, &text, marks)]
}

/// Where a plan does not fit a file: the mapping's line, where there is one, and the header's.
pub fn of_misfit(
    file: &InputFile,
    mapping: Option<&MappingFile>,
    error: &plan::Error,
) -> Vec<Excerpt> {
    let mapped = |column: &str, label: &str| mapping?.excerpt_of_column(column, label);
    let named = |column: &str| {
        let place = format!("column `{column}`");
        Some(Excerpt::Named { path: file.input.name(), place })
    };
    // What is probably meant stands in the hint as `; did you mean `x`?`.
    let meant = |hint: &str| hint.split('`').nth(1).map(str::to_owned);
    let places = match error {
        plan::Error::MissingColumn { column, hint, .. } => {
            let meant = meant(hint);
            let header = meant.and_then(|name| header(file, Some(&name), "did you mean this?"));
            [mapped(column, "unknown column"), header]
        }
        plan::Error::NoId { hint, .. } => {
            let header = match meant(hint) {
                Some(name) => header(file, Some(&name), "did you mean this?"),
                None => header(file, None, "no customer_id among these"),
            };
            [header, None]
        }
        plan::Error::NoAction { .. } => [header(file, None, "no action among these"), None],
        plan::Error::NoDeviceField { field, .. } => {
            [header(file, None, &format!("no {field} among these")), None]
        }
        plan::Error::Refused { column, .. }
        | plan::Error::Nested { column, .. }
        | plan::Error::FloatId { column, .. } => [named(column), mapped(column, "mapped here")],
        plan::Error::NestedType { column, mapped: value, .. } => {
            [named(column), mapped(column, &format!("mapped as {value}"))]
        }
    };
    places.into_iter().flatten().collect()
}

/// The header of a file with one of its columns marked, or all of them.
fn header(file: &InputFile, column: Option<&str>, label: &str) -> Option<Excerpt> {
    let Table::Csv { dialect, header, .. } = &file.table else { return None };
    let (line, raw) = file.table.header_record().ok()??;
    let span = match column {
        Some(name) => {
            let at = header.iter().position(|known| known == name)?;
            csv::cells(&raw, dialect).get(at)?.clone()
        }
        None => first_line(&raw),
    };
    let marks = vec![ExcerptMark::new(span, label)];
    let (text, marks) = header_as_text(&raw, marks, None);
    Some(Excerpt::of(&file.input.name(), line, &text, marks))
}

/// A header as text: names are no values. What follows its first line may be no part of it, and is
/// masked; so is all of what is no header but the first row.
fn header_as_text(
    raw: &[u8],
    marks: Vec<ExcerptMark>,
    mask: Option<&Dialect>,
) -> (String, Vec<ExcerptMark>) {
    match mask {
        Some(dialect) if dialect.header => {
            let names = first_line(raw).end;
            let rest = mask_bytes_from(raw, names, dialect);
            as_text(&rest, marks, None)
        }
        mask => as_text(raw, marks, mask),
    }
}

/// The bytes with those behind a place masked, one for one.
fn mask_bytes_from(raw: &[u8], from: usize, dialect: &Dialect) -> Vec<u8> {
    let mask = |(at, &byte): (usize, &u8)| match byte {
        _ if at < from => byte,
        _ if byte.is_ascii() => masked(char::from(byte), dialect) as u8,
        _ => b'x',
    };
    raw.iter().enumerate().map(mask).collect()
}

/// Bytes of a file as text, with marks that fit it; with values masked, where a dialect tells what
/// is none.
fn as_text(
    raw: &[u8],
    mut marks: Vec<ExcerptMark>,
    mask: Option<&Dialect>,
) -> (String, Vec<ExcerptMark>) {
    let mut text = String::with_capacity(raw.len());
    let mut ends: Vec<&mut usize> =
        marks.iter_mut().flat_map(|mark| [&mut mark.span.start, &mut mark.span.end]).collect();
    ends.sort();
    let mut add = |bytes: &[u8]| {
        let part = visible(bytes);
        match mask {
            Some(dialect) => text.extend(part.chars().map(|c| masked(c, dialect))),
            None => text.push_str(&part),
        }
        text.len()
    };
    let mut done = 0;
    for end in ends {
        let at = (*end).clamp(done, raw.len());
        *end = add(&raw[done..at]);
        done = at;
    }
    add(&raw[done..]);
    (text, marks)
}

/// A character of a record, masked where it is a part of a value.
fn masked(c: char, dialect: &Dialect) -> char {
    let own = [Some(dialect.delimiter), dialect.quote, dialect.escape, Some(b'\n'), Some(b'\r')];
    let is_own = own.into_iter().flatten().any(|byte| char::from(byte) == c);
    if is_own || c == char::REPLACEMENT_CHARACTER { c } else { masked_char(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_the_shape_of_a_record() {
        let dialect = Dialect { delimiter: b'\t', escape: Some(b'\\'), ..Dialect::default() };
        let marks = vec![ExcerptMark::new(8..12, ""), ExcerptMark::new(0..4, "")];
        let (text, marks) = as_text(b"Zo\xc3\xab\t\"1\"\tA\\\xff9\r\n", marks, Some(&dialect));
        assert_eq!(text, "Xxx\t\"9\"\tX\\\u{fffd}9\r\n");
        assert_eq!(&text[marks[0].span.clone()], "\tX\\\u{fffd}");
        assert_eq!(&text[marks[1].span.clone()], "Xxx");
    }

    #[test]
    fn only_the_first_line_of_a_header_holds_names() {
        let dialect = Dialect::default();
        let raw = b"a,\"b\nAnna,\xc3\xa9,1\n";
        let (text, _) = header_as_text(raw, Vec::new(), Some(&dialect));
        assert_eq!(text, "a,\"b\nXxxx,xx,9\n");
        let without = Dialect { header: false, ..dialect };
        let (text, _) = header_as_text(raw, Vec::new(), Some(&without));
        assert_eq!(text, "x,\"x\nXxxx,x,9\n");
    }
}
