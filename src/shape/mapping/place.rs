//! Where in a mapping's text a mistake lies. It is looked up when one was made: what is read of a
//! mapping that is sound keeps no places.

use std::{borrow::Cow, ops::Range};

use serde::Deserialize;
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::{Error, is_json};
use crate::model::ExcerptMark;
use crate::shape::suggest::did_you_mean;

/// What the TOML parser says, and what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub reason: String,
    /// The key that it is about, where it is named.
    pub key: Option<String>,
    /// Whether that key is one that nobody knows.
    pub is_unknown: bool,
    /// Where the parser stood, in bytes of the text.
    pub span: Option<Range<usize>>,
}

impl Fault {
    /// What a parser's error says.
    pub fn of(error: &toml::de::Error) -> Self {
        let (message, span) = (error.message().trim_end(), error.span());
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        if let Some((written, rest)) = unknown {
            let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
            let hint = did_you_mean(written, known.iter().copied());
            let hint = match (hint.is_empty(), known.is_empty()) {
                (true, false) => format!("; the fields are {}", known.join(", ")),
                _ => hint,
            };
            let reason = format!("unknown field `{written}`{hint}");
            return Self { reason, key: Some(written.to_owned()), is_unknown: true, span };
        }
        // Where there is no text to point into, the key stands in the last line.
        let shown = error.to_string();
        let keys =
            shown.trim_end().rsplit_once("\nin `").and_then(|(_, keys)| keys.split_once('`'));
        let key = keys.and_then(|(keys, _)| keys.split('.').next()).map(str::to_owned);
        let named = key.as_ref().map(|key| format!("`{key}`: ")).unwrap_or_default();
        // Some messages have a line for each thing that was expected.
        let reason = format!("{named}{}", message.replace('\n', ", "));
        Self { reason, key, is_unknown: false, span }
    }

    /// The reason, with the line that it is about.
    pub fn with_line(&self, text: &str) -> String {
        let before = self.span.as_ref().and_then(|span| text.get(..span.start));
        match before {
            Some(before) => format!("line {}: {}", before.matches('\n').count() + 1, self.reason),
            None => self.reason.clone(),
        }
    }
}

/// Which part of a TOML entry is meant.
#[derive(Clone, Copy)]
enum Part {
    Key,
    Value,
}

/// Where an error lies in the mapping's text, the place that it is about first; nothing where there
/// is no one place.
pub fn place(text: &str, error: &Error) -> Vec<ExcerptMark> {
    let bytes_before = text.len() - text.trim_start_matches('\u{feff}').len();
    let text = &text[bytes_before..];
    let marks = if is_json(text) { in_json(text, error) } else { in_toml(text, error) };
    let moved = |mark: ExcerptMark| ExcerptMark {
        span: mark.span.start + bytes_before..mark.span.end + bytes_before,
        ..mark
    };
    marks.into_iter().map(moved).collect()
}

/// Where a mapping names a source column.
pub fn column(text: &str, name: &str) -> Option<Range<usize>> {
    let bytes_before = text.len() - text.trim_start_matches('\u{feff}').len();
    let text = &text[bytes_before..];
    let found = match is_json(text) {
        true => entries(text).into_iter().find(|entry| entry.is(name)).map(|entry| entry.column),
        false => find_part(text, &["columns", name], Part::Key)
            .and_then(|(span, is_whole)| is_whole.then_some(span)),
    };
    found.map(|span| span.start + bytes_before..span.end + bytes_before)
}

/// Where the value of a key stands in a TOML file, such as `["limits", "threads"]`; its key where
/// it is a table.
pub fn value_in_toml(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let file = DeTable::parse(text).ok()?;
    find_in(file.get_ref(), path, Part::Value).map(|(span, _)| span)
}

fn in_toml(text: &str, error: &Error) -> Vec<ExcerptMark> {
    let mark = |path: &[&str], part, label: &str| {
        find(text, path, part).map(|span| ExcerptMark::new(span, label))
    };
    let of_entry =
        |column: &str, key: &str, label: &str| mark(&["columns", column, key], Part::Value, label);
    let marks = match error {
        Error::Toml { span: Some(span), .. } => vec![Some(ExcerptMark::new(span.clone(), ""))],
        Error::Toml { key: Some(key), reason, .. } => {
            vec![mark(&[key], part_of(reason), "")]
        }
        Error::Entry { column, key: Some(key), reason } => {
            vec![mark(&["columns", column, key], part_of(reason), "")]
        }
        Error::Entry { column, key: None, .. } => vec![mark(&["columns", column], Part::Key, "")],
        Error::Undecided { column: Some(column), .. } => {
            vec![of_entry(column, "decide", "to be decided")]
        }
        Error::Undecided { column: None, .. } => {
            vec![mark(&["decide"], Part::Value, "to be decided")]
        }
        Error::Constant { name, .. } => vec![mark(&["constants", name], Part::Value, "")],
        Error::Type { column, .. } => vec![of_entry(column, "type", "no such type")],
        Error::Format { column, .. } => vec![of_entry(column, "format", "no such format")],
        Error::AttributeTwice { first, second, .. } => {
            vec![of_source(text, second, "the second"), of_source(text, first, "the first")]
        }
        Error::ValueAndObject { value, member, .. } => {
            vec![of_source(text, member, "a part of it"), of_source(text, value, "a value")]
        }
        Error::Kind { .. } => vec![mark(&["kind"], Part::Value, "")],
        Error::NoId(_) => vec![mark(&["columns"], Part::Key, "none of these")],
        Error::Toml { .. } | Error::Json { .. } | Error::ColumnTwice(_) | Error::NoAttribute(_) => {
            Vec::new()
        }
    };
    marks.into_iter().flatten().collect()
}

/// A key is named where it is the key that is wrong.
fn part_of(reason: &str) -> Part {
    if reason.starts_with("unknown field") { Part::Key } else { Part::Value }
}

/// The key of a column, or of a constant, which a plan calls `constant x`.
fn of_source(text: &str, source: &str, label: &str) -> Option<ExcerptMark> {
    let constant = || find(text, &["constants", source.strip_prefix("constant ")?], Part::Key);
    let span = constant().or_else(|| find(text, &["columns", source], Part::Key))?;
    Some(ExcerptMark::new(span, label))
}

/// A key of a mapping or its value, or what was found on the way to it.
fn find(text: &str, path: &[&str], part: Part) -> Option<Range<usize>> {
    find_part(text, path, part).map(|(span, _)| span)
}

/// The same, and whether it is the whole way. The mapping may be a table of its file.
fn find_part(text: &str, path: &[&str], part: Part) -> Option<(Range<usize>, bool)> {
    let file = DeTable::parse(text).ok()?;
    let file = file.get_ref();
    let mapping = file.get("mapping").and_then(|value| value.get_ref().as_table());
    find_in(mapping.unwrap_or(file), path, part)
}

fn find_in(mut table: &DeTable<'_>, path: &[&str], part: Part) -> Option<(Range<usize>, bool)> {
    let mut found = None;
    for (index, name) in path.iter().enumerate() {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        let is_last = index + 1 == path.len();
        let span = match (part, value.get_ref()) {
            (Part::Value, DeValue::Table(_)) | (Part::Key, _) => key.span(),
            (Part::Value, _) if is_last => value.span(),
            (Part::Value, _) => key.span(),
        };
        found = Some((span, is_last));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

/// The places of an entry in MoEngage's form.
struct JsonEntry {
    name: String,
    column: Range<usize>,
    attribute: Option<Range<usize>>,
    value: Option<Range<usize>>,
    format: Option<Range<usize>>,
}

impl JsonEntry {
    fn is(&self, name: &str) -> bool {
        self.name == name
    }
}

#[derive(Deserialize)]
struct RawFile<'a> {
    #[serde(borrow)]
    mapping: Vec<RawEntry<'a>>,
}

#[derive(Deserialize)]
struct RawEntry<'a> {
    #[serde(borrow)]
    column: &'a RawValue,
    #[serde(borrow, default)]
    moe_attr: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    datetime_format: Option<&'a RawValue>,
}

/// The entries with their places; none where the text is not of the form.
fn entries(text: &str) -> Vec<JsonEntry> {
    let Ok(RawFile { mapping }) = serde_json::from_str(text) else { return Vec::new() };
    let place = |raw: &RawValue| {
        let start = (raw.get().as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        start..start.saturating_add(raw.get().len())
    };
    let entry = |raw: &RawEntry<'_>| JsonEntry {
        name: serde_json::from_str::<Cow<'_, str>>(raw.column.get())
            .unwrap_or_default()
            .into_owned(),
        column: place(raw.column),
        attribute: raw.moe_attr.map(place),
        value: raw.value.map(place),
        format: raw.datetime_format.map(place),
    };
    mapping.iter().map(entry).collect()
}

fn in_json(text: &str, error: &Error) -> Vec<ExcerptMark> {
    let entries = entries(text);
    let of = |name: &str| entries.iter().find(|entry| entry.is(name));
    let mark = |span: Option<&Range<usize>>, label: &str| {
        span.map(|span| ExcerptMark::new(span.clone(), label))
    };
    let attribute_of =
        |name: &str, label: &str| of(name).and_then(|entry| mark(entry.attribute.as_ref(), label));
    let marks = match error {
        Error::Json { at, .. } => {
            let end =
                text.get(*at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
            vec![Some(ExcerptMark::new(*at..at + end, ""))]
        }
        Error::Type { column, .. } => {
            vec![of(column).and_then(|entry| mark(entry.value.as_ref(), "no such type"))]
        }
        Error::Format { column, .. } => {
            vec![of(column).and_then(|entry| mark(entry.format.as_ref(), "no such format"))]
        }
        Error::NoAttribute(column) => vec![of(column).and_then(|entry| {
            mark(Some(entry.attribute.as_ref().unwrap_or(&entry.column)), "no attribute")
        })],
        Error::ColumnTwice(name) => {
            let mut both = entries.iter().filter(|entry| entry.is(name));
            let (first, second) = (both.next(), both.next());
            vec![
                second.and_then(|entry| mark(Some(&entry.column), "mapped again")),
                first.and_then(|entry| mark(Some(&entry.column), "mapped here")),
            ]
        }
        Error::AttributeTwice { first, second, .. } => {
            vec![attribute_of(second, "the second"), attribute_of(first, "the first")]
        }
        Error::ValueAndObject { value, member, .. } => {
            vec![attribute_of(member, "a part of it"), attribute_of(value, "a value")]
        }
        _ => Vec::new(),
    };
    marks.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::model::Kind;

    /// What is marked of a mapping that cannot be used.
    fn marked(text: &str) -> Vec<(&str, String)> {
        let error = parse(text, Some(Kind::Users)).expect_err(text);
        let marks = place(text, &error).into_iter();
        marks.map(|mark| (&text[mark.span], mark.label)).collect()
    }

    fn first(text: &str) -> &str {
        marked(text).first().unwrap_or_else(|| panic!("no place in {text}")).0
    }

    #[test]
    fn a_mistake_in_toml_is_found() {
        let id = "[columns]\nid = { to = \"customer_id\" }\n";
        for (text, place) in [
            ("knd = \"users\"", "knd"),
            ("\u{feff}knd = \"users\"", "knd"),
            ("kind = 3", "3"),
            ("kind = \"people\"", "\"people\""),
            ("kind = \"events\"\n[columns]\n", "\"events\""),
            ("timezone = \"Europe/Berlim\"", "\"Europe/Berlim\""),
            ("event = \"x\"", "\"x\""),
            ("[columns]\na = {}\n", "columns"),
            (&format!("{id}a = {{ atribute = \"x\" }}"), "atribute"),
            (&format!("{id}a = {{ skip = 3 }}"), "3"),
            (&format!("{id}a = 3"), "a"),
            (&format!("{id}a.to = \"customer_di\""), "\"customer_di\""),
            (&format!("{id}[columns.a]\ntype = \"int\""), "\"int\""),
            (&format!("{id}a = {{ format = \"YYYY-MM-DD\" }}"), "\"YYYY-MM-DD\""),
            (&format!("{id}a = {{ type = \"datetime\", format = \"x\" }}"), "\"x\""),
            (&format!("{id}a = {{ true = [\"x\"], false = [\"x\"] }}"), "a"),
            (&format!("{id}a = {{ attribute = \"x..y\" }}"), "\"x..y\""),
            (&format!("{id}a = {{ decide = \"?\" }}"), "\"?\""),
            (&format!("decide = \"who?\"\n{id}"), "\"who?\""),
            (&format!("{id}[constants]\nc = nan"), "nan"),
            (&format!("{id}[columns"), ""),
        ] {
            assert_eq!(first(text), place, "{text}");
        }
        let twice = format!("{id}a = {{ attribute = \"x\" }}\nb = {{ attribute = \"x\" }}");
        let both = [("b", "the second".to_owned()), ("a", "the first".to_owned())];
        assert_eq!(marked(&twice), both);
        let text = format!("{id}a = {{ attribute = \"x\" }}\n[constants]\n\"x.y\" = 1");
        let both = [("\"x.y\"", "a part of it".to_owned()), ("a", "a value".to_owned())];
        assert_eq!(marked(&text), both);
    }

    #[test]
    fn a_mistake_in_json_is_found() {
        let id = r#"{"column":"ID","moe_attr":"uid","type":"string"}"#;
        let file = |entries: &str| format!("{{\"mapping\":[\n{id},\n{entries}]}}");
        for (entries, place) in [
            (r#"{"column":"a","moe_attr":"a","type":"int"}"#, r#""int""#),
            (r#"{"column":"a","moe_attr":"a","type":"datetime","datetime_format":"x"}"#, r#""x""#),
            (r#"{"column":"é\n","moe_attr":null}"#, r#""é\n""#),
            (r#"{"column":"a","moe_attr":""}"#, r#""""#),
            (r#"{"column":"a" "moe_attr":"a"}"#, r#"""#),
            (r#"{"moe_attr":"a"}"#, "}"),
        ] {
            let text = file(entries);
            assert_eq!(first(&text), place, "{text}");
        }
        let text = file(id);
        let error = parse(&text, None).expect_err("twice");
        let marks = place(&text, &error);
        assert_eq!(marks.len(), 2);
        assert!(marks[0].span.start > marks[1].span.start, "the second is the one too many");
        let text = file(r#"{"column":"b","moe_attr":"customer_id"}"#);
        let both =
            [("\"customer_id\"", "the second".to_owned()), ("\"uid\"", "the first".to_owned())];
        assert_eq!(marked(&text), both);
    }

    #[test]
    fn a_column_is_found_in_either_form() {
        let text = "\u{feff}[mapping.columns]\nid = {}\n\"e mail\".to = 'x'\n";
        assert_eq!(column(text, "e mail").map(|span| &text[span]), Some("\"e mail\""));
        assert_eq!(column(text, "x"), None);
        let text = r#"{"mapping":[{"column":"ID"},{"column":"e mail"}]}"#;
        assert_eq!(column(text, "e mail").map(|span| &text[span]), Some("\"e mail\""));
        assert_eq!(column(text, "x"), None);
    }
}
