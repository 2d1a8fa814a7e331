//! Values as the text of a cell, the CSV file, and the mapping in TOML.

use chrono::{DateTime, Datelike, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use fastrand::Rng;
use toml::Value as Toml;

use crate::{
    table::{Column, FALSE, Format, Kind, NULLS, Reading, TRUE, Table},
    values::{Value, date, one},
};

/// What every mapping of the suite sets for each row; [`Table::element`] knows it too. Objects
/// stand before flat values, which is not the order in which TOML is usually written.
const CONSTANTS: &str = r#"
[constants]
"constant.object" = { b = { y = true, x = 1 }, a = [2.5, -3] }
"constant.text" = "O'Neil \"\n\u0001😀"
"constant.whole" = -9223372036854775808
"constant.large" = 1e300
"constant.zero" = -0.0
"constant.local" = 2024-07-01T12:00:00.5
"constant.day" = 0000-02-29
"#;

/// The mapping of a table, its columns in the table's order.
pub fn mapping(table: &Table) -> String {
    let mut columns = toml::Table::new();
    for column in &table.columns {
        columns.insert(column.source.clone(), Toml::Table(entry(column)));
    }
    let gone = [("attribute", Toml::from("gone")), ("optional", Toml::from(true))];
    columns.insert(
        "gone".into(),
        Toml::Table(gone.map(|(key, v)| (key.to_owned(), v)).into_iter().collect()),
    );
    let skip = [("skip".to_owned(), Toml::from(true))].into_iter().collect();
    columns.insert("skipped".into(), Toml::Table(skip));
    let mut file = toml::Table::new();
    file.insert("kind".into(), table.kind.as_str().into());
    if let Some(zone) = table.zone {
        file.insert("timezone".into(), zone.name().into());
    }
    file.insert("null".into(), NULLS.to_vec().into());
    file.insert("true".into(), TRUE[2..].to_vec().into());
    file.insert("false".into(), FALSE[2..].to_vec().into());
    if table.update_existing_only {
        file.insert("update_existing_only".into(), true.into());
    }
    file.insert("columns".into(), columns.into());
    format!("{file}{CONSTANTS}")
}

fn entry(column: &Column) -> toml::Table {
    let mut entry = toml::Table::new();
    match column.own {
        true => entry.insert("to".into(), column.path[0].as_str().into()),
        false => entry.insert("attribute".into(), column.path.clone().into()),
    };
    let ty = match &column.reading {
        Reading::Text => "string",
        Reading::Number => "double",
        Reading::Bool => "bool",
        Reading::Date(format, zone) => {
            if !format.is_empty() {
                entry.insert("format".into(), (*format).into());
            }
            if let Some(zone) = zone {
                entry.insert("timezone".into(), zone.name().into());
            }
            "datetime"
        }
        Reading::Array(separator, items) => {
            entry.insert("separator".into(), (*separator).into());
            entry.insert("items".into(), (*items).into());
            "array"
        }
        Reading::Json => "json",
    };
    entry.insert("type".into(), ty.into());
    entry
}

/// Whether a value has a text in its column that no other value has.
pub fn fits(value: &Value, reading: &Reading, zone: Option<Tz>) -> bool {
    match (reading, value) {
        (Reading::Array(..), Value::List(items)) => {
            !matches!(items.as_slice(), [Value::Text(text)] if text.is_empty())
        }
        (Reading::Date(format, own), Value::Moment { seconds, .. }) => {
            format.is_empty() || format.ends_with("TZD") || local(*seconds, own.or(zone)).is_some()
        }
        _ => true,
    }
}

/// The text of a cell.
pub fn cell(rng: &mut Rng, value: &Value, column: &Column, table: &Table) -> String {
    match (&column.reading, value) {
        // An empty cell of a string would be the empty string where that is asked for.
        (Reading::Text, Value::Absent) if table.empty == "string" => one(rng, &NULLS).to_owned(),
        // `null` is a document without a value, but no empty cell.
        (Reading::Json, Value::Absent) if table.empty != "unset" && rng.bool() => "null".to_owned(),
        (_, Value::Absent) => one(rng, &["", "", NULLS[0], NULLS[1], NULLS[2]]).to_owned(),
        (Reading::Json, value) => {
            let mut text = String::new();
            json(rng, value, &mut text);
            text
        }
        (Reading::Array(separator, _), Value::List(items)) => {
            let texts: Vec<&str> = items
                .iter()
                .map(|item| match item {
                    Value::Text(text) | Value::Number { spelled: text, .. } => text.as_str(),
                    other => panic!("{other:?} in an array"),
                })
                .collect();
            let inner = texts.join(separator);
            let bracketed = inner.starts_with('[') && inner.ends_with(']');
            let bare = !inner.is_empty() && !bracketed && !NULLS.contains(&inner.as_str());
            if bare && rng.bool() { inner } else { format!("[{inner}]") }
        }
        (_, Value::Text(text)) => text.clone(),
        (Reading::Text, Value::Number { digits, .. }) => digits.clone(),
        (_, Value::Number { spelled, .. }) => spelled.clone(),
        (_, Value::Bool(value)) => one(rng, if *value { &TRUE } else { &FALSE }).to_owned(),
        (Reading::Date(format, _), Value::Date(days)) => day(date(*days), format),
        (Reading::Date(format, own), Value::Moment { seconds, nanos }) => {
            moment(rng, *seconds, *nanos, format, own.or(table.zone))
        }
        (reading, value) => panic!("{value:?} as {reading:?}"),
    }
}

fn day(date: impl Datelike, format: &str) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let separator = if format.contains('/') { '/' } else { '-' };
    match format.starts_with("DD") {
        true => format!("{day:02}{separator}{month:02}{separator}{year:04}"),
        false => format!("{year:04}{separator}{month:02}{separator}{day:02}"),
    }
}

/// The clock of a zone, where it shows that time once and with four digits of a year.
fn local(seconds: i64, zone: Option<Tz>) -> Option<NaiveDateTime> {
    let utc = DateTime::from_timestamp(seconds, 0)?.naive_utc();
    let zone = zone.unwrap_or(Tz::UTC);
    let offset = zone.offset_from_utc_datetime(&utc).fix();
    let local = utc.checked_add_offset(offset)?;
    let once = matches!(zone.from_local_datetime(&local), LocalResult::Single(_));
    (once && (0..=9999).contains(&local.year())).then_some(local)
}

fn moment(rng: &mut Rng, seconds: i64, nanos: u32, format: &str, zone: Option<Tz>) -> String {
    let zoned = format.ends_with("TZD") || (format.is_empty() && rng.bool());
    let at_zone = if zoned { None } else { local(seconds, zone) };
    let (clock, suffix) = match at_zone {
        Some(clock) => (clock, String::new()),
        None => {
            let minutes = one(rng, &[0, 330, -480, 1439, -1439, 60]);
            let shifted = DateTime::from_timestamp(seconds + minutes * 60, 0).expect("in range");
            let size = minutes.abs();
            let sign = if minutes < 0 { '-' } else { '+' };
            let colon = if format.is_empty() && rng.bool() { "" } else { ":" };
            if minutes == 0 || !(0..=9999).contains(&shifted.year()) {
                let clock = DateTime::from_timestamp(seconds, 0).expect("in range").naive_utc();
                (clock, "Z".to_owned())
            } else {
                let offset = format!("{sign}{:02}{colon}{:02}", size / 60, size % 60);
                (shifted.naive_utc(), offset)
            }
        }
    };
    let blank = format.contains(' ') || (format.is_empty() && rng.bool());
    let digits = format!("{nanos:09}");
    let needed = digits.trim_end_matches('0').len();
    let fraction = match format {
        _ if needed > 0 => format!(".{}", &digits[..rng.usize(needed..=9)]),
        "" if rng.bool() => String::new(),
        _ if format.is_empty() || format.contains("ss.s") => {
            format!(".{}", &digits[..rng.usize(1..=9)])
        }
        _ => String::new(),
    };
    let time = clock.format("%H:%M:%S").to_string();
    let time = match time.strip_suffix(":00") {
        Some(short) if format.is_empty() && fraction.is_empty() && rng.bool() => short.to_owned(),
        _ => time,
    };
    let between = if blank { ' ' } else { 'T' };
    format!("{}{between}{time}{fraction}{suffix}", day(clock.date(), format))
}

/// A JSON document, with blanks and escapes where they may be.
fn json(rng: &mut Rng, value: &Value, out: &mut String) {
    let blank = |rng: &mut Rng, out: &mut String| {
        out.push_str(one(rng, &["", "", "", "", "", " ", "\n", "\r\n\t"]));
    };
    blank(rng, out);
    match value {
        Value::Absent => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number { digits, .. } => out.push_str(digits),
        Value::Text(text) => json_string(rng, text, out),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json(rng, item, out);
            }
            blank(rng, out);
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                blank(rng, out);
                json_string(rng, name, out);
                blank(rng, out);
                out.push(':');
                json(rng, value, out);
            }
            blank(rng, out);
            out.push('}');
        }
        other => panic!("{other:?} in a document"),
    }
    blank(rng, out);
}

fn json_string(rng: &mut Rng, text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '/' if rng.bool() => out.push_str("\\/"),
            '\n' if rng.bool() => out.push_str("\\n"),
            _ if character < ' ' || rng.u8(..8) == 0 => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str(&match rng.bool() {
                        true => format!("\\u{unit:04x}"),
                        false => format!("\\u{unit:04X}"),
                    });
                }
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// How the CSV file of a seed is written, and the flags that say what cannot be seen.
struct Dialect {
    delimiter: char,
    quote: char,
    line_end: &'static str,
    mark: bool,
    flags: Vec<String>,
}

impl Dialect {
    fn random(rng: &mut Rng) -> Self {
        let delimiter = one(rng, &[',', ',', ';', '\t', '|', '^', ':']);
        let quote = one(rng, &['"', '"', '\'']);
        let mut flags = Vec::new();
        if "^:".contains(delimiter) {
            flags.push(format!("--delimiter={delimiter}"));
        }
        if quote != '"' {
            flags.push(format!("--quote={quote}"));
        }
        let line_end = one(rng, &["\n", "\r\n"]);
        Self { delimiter, quote, line_end, mark: rng.bool(), flags }
    }

    fn field(&self, rng: &mut Rng, text: &str, out: &mut String) {
        let must = text.contains([self.delimiter, self.quote, '\r', '\n']);
        if must || rng.u8(..8) == 0 {
            out.push(self.quote);
            for character in text.chars() {
                if character == self.quote {
                    out.push(character);
                }
                out.push(character);
            }
            out.push(self.quote);
        } else {
            out.push_str(text);
        }
    }
}

/// The CSV file of a table, its columns in an order of its own, and the flags to read it.
pub fn csv(table: &Table, seed: u64) -> (String, Vec<String>) {
    assert_eq!(table.format, Format::Csv);
    let rng = &mut Rng::with_seed(seed ^ 0xc5f);
    let dialect = Dialect::random(rng);
    let mut out = String::new();
    // Two more columns that go nowhere.
    let mut order: Vec<usize> = (0..table.columns.len() + 2).collect();
    rng.shuffle(&mut order);
    // Where no mark stands before it, a name that begins like one loses its first character.
    let first = table.columns.get(order[0]);
    if dialect.mark || first.is_some_and(|column| column.source.starts_with('\u{feff}')) {
        out.push('\u{feff}');
    }
    let line =
        |out: &mut String, rng: &mut Rng, text: &mut dyn FnMut(&mut Rng, usize) -> String| {
            for (at, &column) in order.iter().enumerate() {
                if at > 0 {
                    out.push(dialect.delimiter);
                }
                let text = text(rng, column);
                dialect.field(rng, &text, out);
            }
            out.push_str(dialect.line_end);
        };
    let extra =
        |column: usize| ["skipped", "not mapped"].get(column.wrapping_sub(table.columns.len()));
    line(&mut out, rng, &mut |_, at| match extra(at) {
        Some(name) => (*name).to_owned(),
        None => table.columns[at].source.clone(),
    });
    for row in &table.rows {
        line(&mut out, rng, &mut |rng, at| match extra(at) {
            Some(_) => "x".repeat(rng.usize(..3)),
            None => cell(rng, &row[at], &table.columns[at], table),
        });
    }
    if rng.bool() {
        // The last line need not end.
        out.truncate(out.len() - dialect.line_end.len());
    }
    (out, dialect.flags)
}

/// Flags that every command on a table needs, but for the dialect.
pub fn flags(table: &Table, mapped: bool) -> Vec<&'static str> {
    let mut flags = vec!["--kind", table.kind.as_str(), "--empty", table.empty];
    if !mapped && table.kind == Kind::Users && table.update_existing_only {
        flags.push("--update-existing-only");
    }
    flags
}
