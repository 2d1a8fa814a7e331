//! What the program must make of a table: slow, obvious, and written from the contract's value
//! table and the API's rules alone.

use std::{collections::BTreeMap, fs::File, path::Path};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{
        DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt32Type,
        UInt64Type,
    },
};
use chrono::{DateTime, Duration, NaiveDate, Utc};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::support::Json;

/// Data API, S rule: customer_id.
pub const DISALLOWED: [&str; 22] = [
    "unknown",
    "guest",
    "null",
    "0",
    "1",
    "true",
    "false",
    "user_attribute_unique_id",
    "(empty)",
    "na",
    "n/a",
    "",
    "dummy_seller_code",
    "user_id",
    "id",
    "customer_id",
    "uid",
    "userid",
    "none",
    "-2",
    "-1",
    "2",
];

const EVENT_FIELDS: [&str; 7] = [
    "action",
    "current_time",
    "user_time",
    "user_timezone_offset",
    "platform",
    "app_version",
    "device_id",
];

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Absent,
    /// Text; a CSV cell is always this.
    Text(String),
    Bool(bool),
    /// Integers and decimals, exactly.
    Digits(String),
    Double(f64),
    Date(String),
    Stamp {
        text: String,
        cut: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Cells(Vec<Cell>),
    /// No record, with the code of the rule that it breaks.
    Damaged(&'static str),
}

#[derive(Clone, Debug)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// The file declares its types (Parquet).
    pub typed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    Text,
    Number,
    Bool,
    /// A format of MoEngage's mapping file, or "" for what needs no telling.
    Date(&'static str),
}

#[derive(Clone, Debug)]
pub struct Column {
    pub source: String,
    pub name: String,
    pub ty: Type,
}

pub fn column(source: &str, name: &str, ty: Type) -> Column {
    Column { source: source.to_owned(), name: name.to_owned(), ty }
}

/// MoEngage's mapping file for such columns.
pub fn mapping_json(columns: &[Column], skipped: &[&str]) -> String {
    let entry = |column: &Column| {
        let (ty, format) = match column.ty {
            Type::Text => ("string", ""),
            Type::Number => ("double", ""),
            Type::Bool => ("bool", ""),
            Type::Date(format) => ("datetime", format),
        };
        let name = if column.name == "customer_id" { "uid" } else { &column.name };
        let mut entry = serde_json::json!({"column": column.source, "moe_attr": name, "type": ty, "is_skipped": false});
        if !format.is_empty() {
            entry["datetime_format"] = format.into();
        }
        entry
    };
    let mut entries: Vec<_> = columns.iter().map(entry).collect();
    entries
        .extend(skipped.iter().map(|name| serde_json::json!({"column": name, "is_skipped": true})));
    serde_json::json!({ "mapping": entries }).to_string()
}

#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub events: bool,
    pub event: Option<String>,
    pub empty_string: bool,
    pub nulls: Vec<String>,
    pub omit: bool,
    pub strict: bool,
    pub strict_ids: bool,
}

/// (code, severity, column)
pub type Counts = BTreeMap<(String, String, Option<String>), u64>;

#[derive(Debug, Default)]
pub struct Expected {
    pub elements: Vec<Json>,
    pub read: u64,
    pub rejected: u64,
    pub counts: Counts,
    /// For every row, in order: whether it is rejected.
    pub rejects: Vec<bool>,
}

impl Expected {
    /// Holds a report against it.
    pub fn assert_report(&self, report: &serde_json::Value) {
        let mut found = Counts::new();
        for problem in report["problems"].as_array().expect("problems") {
            let text = |name: &str| problem[name].as_str().map(str::to_owned);
            let key = (text("code").unwrap(), text("severity").unwrap(), text("column"));
            let count = problem["count"].as_u64().expect("a count");
            let first = problem["first"].as_array().expect("positions").len() as u64;
            assert!(first >= 1 && first <= count, "{key:?} names {first} of {count} places");
            assert!(found.insert(key, count).is_none(), "a problem is listed twice");
        }
        assert_eq!(found, self.counts, "problems (left: found, right: expected)");
        assert_eq!(report["rows"]["read"], self.read);
        assert_eq!(report["rows"]["rejected"], self.rejected);
        assert_eq!(report["rows"]["accepted"], self.elements.len() as u64);
        let kind = |events: bool| if events { self.elements.len() as u64 } else { 0 };
        let events =
            self.elements.iter().any(|element| *element.get("type") == Json::text("event"));
        assert_eq!(report["elements"]["users"], kind(!events));
        assert_eq!(report["elements"]["events"], kind(events));
    }
}

/// The problems of one row.
struct Row1<'a> {
    rules: &'a Rules,
    problems: Vec<(&'static str, bool, Option<String>)>,
}

impl Row1<'_> {
    fn reject(&mut self, code: &'static str, column: Option<&str>) {
        self.problems.push((code, true, column.map(str::to_owned)));
    }

    fn warn(&mut self, code: &'static str, column: Option<&str>) {
        self.problems.push((code, self.rules.strict, column.map(str::to_owned)));
    }
}

/// What becomes of the tables, read one after the other, without a mapping or with one.
pub fn expect(tables: &[Table], mapping: Option<&[Column]>, rules: &Rules) -> Expected {
    let mut expected = Expected::default();
    let columns = match mapping {
        Some(columns) => columns.to_vec(),
        None => by_name(tables, rules, &mut expected.counts),
    };
    for table in tables {
        for row in &table.rows {
            expected.read += 1;
            let mut state = Row1 { rules, problems: Vec::new() };
            let element = match row {
                Row::Damaged(code) => {
                    state.reject(code, None);
                    Json::Null
                }
                Row::Cells(cells) => {
                    let cell = |column: &Column| {
                        let at = table.columns.iter().position(|name| *name == column.source);
                        at.map_or(Cell::Absent, |at| cells[at].clone())
                    };
                    let values: Vec<(&Column, Cell)> =
                        columns.iter().map(|column| (column, cell(column))).collect();
                    element(&values, &mut state)
                }
            };
            let rejected = state.problems.iter().any(|&(_, reject, _)| reject);
            for (code, reject, column) in state.problems {
                let severity = if reject { "reject" } else { "warning" };
                *expected
                    .counts
                    .entry((code.to_owned(), severity.to_owned(), column))
                    .or_default() += 1;
            }
            expected.rejects.push(rejected);
            if rejected {
                expected.rejected += 1;
            } else {
                expected.elements.push(element);
            }
        }
    }
    expected
}

/// `123.0` and `1.23E+10`, as spreadsheets and data frames write whole numbers.
fn is_float(id: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = id.split(['E', 'e']).collect();
    match parts[..] {
        [number] => ["", "0"]
            .iter()
            .any(|more| number.strip_suffix(&format!(".0{more}")).is_some_and(digits)),
        [number, exponent] => {
            let number = number.split('.').collect::<Vec<_>>();
            number.len() <= 2
                && number.iter().all(|part| digits(part))
                && exponent.len() == 3
                && ["+", "-"].contains(&&exponent[..1])
                && digits(&exponent[1..])
        }
        _ => false,
    }
}

fn element(values: &[(&Column, Cell)], state: &mut Row1<'_>) -> Json {
    let rules = state.rules;
    let field = |name: &str| {
        values
            .iter()
            .find(|(column, _)| column.name == name)
            .map(|(column, cell)| (*column, present(rules, cell)))
    };
    let (id_column, id) = field("customer_id").expect("an id column");
    let id = id.map(as_text).unwrap_or_default();
    if id.is_empty() {
        state.reject("id-missing", Some(&id_column.source));
    } else if DISALLOWED.contains(&id.as_str()) {
        state.reject("id-disallowed", Some(&id_column.source));
    } else if id.chars().count() == 1 {
        state.reject("id-too-short", Some(&id_column.source));
    } else if DISALLOWED.contains(&id.trim().to_lowercase().as_str()) {
        let reject = rules.strict || rules.strict_ids;
        state.problems.push(("id-lookalike", reject, Some(id_column.source.clone())));
    } else if is_float(&id) {
        let reject = rules.strict || rules.strict_ids;
        state.problems.push(("id-as-float", reject, Some(id_column.source.clone())));
    }
    let mut attributes = BTreeMap::new();
    for (column, cell) in values {
        let own = column.name == "customer_id"
            || rules.events && EVENT_FIELDS.contains(&column.name.as_str());
        if !own && let Some(value) = attribute(column, cell, state) {
            attributes.insert(column.name.clone(), value);
        }
    }
    if !rules.events {
        return Json::object([
            ("type", Json::text("customer")),
            ("customer_id", Json::Text(id)),
            ("attributes", Json::Object(attributes)),
        ]);
    }
    let mut action = BTreeMap::from([("attributes".to_owned(), Json::Object(attributes))]);
    let mut put = |name: &str, value: Json| action.insert(name.to_owned(), value);
    match (field("action"), &rules.event) {
        (Some((_, Some(cell))), _) => _ = put("action", Json::Text(as_text(cell))),
        (_, Some(event)) => _ = put("action", Json::text(event)),
        (column, None) => state.reject("action-missing", column.map(|(c, _)| c.source.as_str())),
    }
    if let Some((_, Some(cell))) = field("app_version") {
        put("app_version", Json::Text(as_text(cell)));
    }
    if let Some((column, Some(cell))) = field("platform") {
        let platform = as_text(cell);
        if !["ANDROID", "iOS", "web", "TV", "unknown"].contains(&platform.as_str()) {
            state.reject("platform-value", Some(&column.source));
        }
        put("platform", Json::Text(platform));
    }
    if let Some((column, Some(cell))) = field("user_timezone_offset") {
        match as_text(cell).parse::<i64>() {
            Ok(seconds) if seconds.abs() <= 54_000 => {
                put("user_timezone_offset", Json::Number(seconds.to_string()));
            }
            _ => state.reject("timezone-offset", Some(&column.source)),
        }
    }
    let mut timed = false;
    for name in ["user_time", "current_time"] {
        if let Some((column, Some(cell))) = field(name) {
            timed = true;
            if let Some(time) = event_time(column, cell, state) {
                put(name, time);
            }
        }
    }
    if !timed {
        state.warn("event-no-time", None);
    }
    let mut element = vec![
        ("type", Json::text("event")),
        ("customer_id", Json::Text(id)),
        ("actions", Json::Array(vec![Json::Object(action)])),
    ];
    if let Some((_, Some(cell))) = field("device_id") {
        element.push(("device_id", Json::Text(as_text(cell))));
    }
    Json::object(element)
}

/// A cell that has a value: not empty, no null word.
fn present<'a>(rules: &Rules, cell: &'a Cell) -> Option<&'a Cell> {
    match cell {
        Cell::Absent => None,
        Cell::Text(text) if text.is_empty() || rules.nulls.contains(text) => None,
        cell => Some(cell),
    }
}

fn as_text(cell: &Cell) -> String {
    match cell {
        Cell::Absent => String::new(),
        Cell::Text(text) | Cell::Digits(text) | Cell::Date(text) | Cell::Stamp { text, .. } => {
            text.clone()
        }
        Cell::Bool(value) => value.to_string(),
        Cell::Double(value) => panic!("{value}: a double has no text of its own here"),
    }
}

fn event_time(column: &Column, cell: &Cell, state: &mut Row1<'_>) -> Option<Json> {
    let source = Some(column.source.as_str());
    let text = match cell {
        Cell::Stamp { text, cut } => {
            if *cut {
                state.warn("datetime-precision", source);
            }
            return Some(Json::Stamp(text.clone()));
        }
        cell => as_text(cell),
    };
    let format = if let Type::Date(format) = column.ty { format } else { "" };
    if let Some((date, cut)) = date(&text, format) {
        if cut {
            state.warn("datetime-precision", source);
        }
        return Some(date);
    }
    match text.parse::<f64>() {
        Ok(_) if format.is_empty() && is_day(&text) => state.reject("event-time-date", source),
        Ok(seconds) if format.is_empty() && (0.0..1e11).contains(&seconds) => {
            return Some(Json::Number(text));
        }
        Ok(seconds) if format.is_empty() && seconds >= 1e11 => {
            state.reject("event-time-milliseconds", source);
        }
        _ => state.reject("event-time", source),
    }
    None
}

/// `YYYYMMDD`, from 1900 to 2100, where the calendar has it.
fn is_day(text: &str) -> bool {
    text.len() == 8
        && text.is_ascii()
        && ("1900".."2101").contains(&&text[..4])
        && date(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..]), "").is_some()
}

fn attribute(column: &Column, cell: &Cell, state: &mut Row1<'_>) -> Option<Json> {
    let rules = state.rules;
    let source = Some(column.source.as_str());
    if *cell == Cell::Text(String::new()) && rules.empty_string && column.ty == Type::Text {
        return Some(Json::text(""));
    }
    let cell = present(rules, cell)?;
    if *cell == Cell::Double(f64::INFINITY) || matches!(cell, Cell::Double(v) if v.is_nan()) {
        state.reject("number-not-finite", source);
        return None;
    }
    let wrong = match (column.ty, cell) {
        (Type::Text, Cell::Stamp { text, cut }) => {
            if *cut {
                state.warn("datetime-precision", source);
            }
            return Some(Json::Stamp(text.clone()));
        }
        (Type::Text, cell) => return Some(Json::Text(as_text(cell))),
        (Type::Number, Cell::Double(value)) => return Some(Json::Double(*value)),
        (Type::Number, Cell::Text(text) | Cell::Digits(text)) => match number(text) {
            Some(digits) if digits.parse::<f64>().is_ok_and(f64::is_finite) => {
                if is_imprecise(&digits) {
                    state.warn("number-precision", source);
                }
                return Some(Json::Number(digits));
            }
            Some(_) => "number-range",
            None => "type-number",
        },
        (Type::Number, _) => "type-number",
        (Type::Bool, Cell::Bool(value)) => return Some(Json::Bool(*value)),
        (Type::Bool, Cell::Text(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => return Some(Json::Bool(true)),
            "false" => return Some(Json::Bool(false)),
            _ => "type-bool",
        },
        (Type::Bool, _) => "type-bool",
        (Type::Date(_), Cell::Date(text)) => return Some(Json::text(text)),
        (Type::Date(_), Cell::Stamp { text, cut }) => {
            if *cut {
                state.warn("datetime-precision", source);
            }
            return Some(Json::Stamp(text.clone()));
        }
        (Type::Date(format), Cell::Text(text)) => match date(text, format) {
            Some((date, cut)) => {
                if cut {
                    state.warn("datetime-precision", source);
                }
                return Some(date);
            }
            None => "type-datetime",
        },
        (Type::Date(_), _) => "type-datetime",
    };
    let reject = rules.strict || !rules.omit;
    state.problems.push((wrong, reject, Some(column.source.clone())));
    None
}

/// The same digits in JSON grammar.
pub fn number(text: &str) -> Option<String> {
    let text = text.trim_matches(' ');
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let at = rest.find(['e', 'E']).unwrap_or(rest.len());
    let (mantissa, exponent) = rest.split_at(at);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !exponent.is_empty() {
        let power = exponent[1..].strip_prefix(['+', '-']).unwrap_or(&exponent[1..]);
        if power.is_empty() || !digits(power) {
            return None;
        }
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{sign}{whole}{point}{fraction}{exponent}"))
}

/// More than 15 significant digits, or an integer beyond ±2^53.
fn is_imprecise(digits: &str) -> bool {
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let significant = all.trim_matches('0').len();
    let beyond = |whole: i128| whole.abs() > 1 << 53;
    significant > 15 || digits.parse().is_ok_and(beyond)
}

/// A date or date-time as it is sent, and whether digits were cut.
pub fn date(text: &str, format: &str) -> Option<(Json, bool)> {
    if !text.is_ascii() || text.len() < 10 {
        return None;
    }
    let (day, time) = text.split_at(10);
    let order = if format.is_empty() { "YYYY-MM-DD" } else { &format[..10] };
    let mut parts = BTreeMap::<char, String>::new();
    for (letter, found) in order.chars().zip(day.chars()) {
        match letter {
            '-' | '/' if letter != found => return None,
            '-' | '/' => {}
            _ if !found.is_ascii_digit() => return None,
            _ => parts.entry(letter).or_default().push(found),
        }
    }
    let part = |letter: char| parts[&letter].parse::<u32>().expect("digits");
    let day = NaiveDate::from_ymd_opt(part('Y') as i32, part('M'), part('D'))?;
    if time.is_empty() {
        let bare = format.is_empty() || format.len() == 10;
        return bare.then(|| (Json::Text(day.format("%Y-%m-%d").to_string()), false));
    }
    let separator = if format.is_empty() { &time[..1] } else { format.get(10..11)? };
    let rest = time.strip_prefix(separator).filter(|_| matches!(separator, "T" | " "))?;
    let zone_at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    if !format.is_empty() && format.ends_with("TZD") == zone.is_empty() {
        return None;
    }
    let two = |text: &str, max: u32| {
        let sound = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|&value| sound && value <= max)
    };
    let minutes_east = match zone.as_bytes() {
        b"" | b"Z" => 0,
        [sign, hours @ ..] => {
            let hours = std::str::from_utf8(hours).ok()?.replacen(':', "", 1);
            let (hours, minutes) = hours.split_at_checked(2)?;
            let minutes = i64::from(two(hours, 23)? * 60 + two(minutes, 59)?);
            if *sign == b'-' { -minutes } else { minutes }
        }
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.split(':');
    let (hour, minute) = (two(clock.next()?, 23)?, two(clock.next()?, 59)?);
    let second = match clock.next() {
        Some(second) => two(second, 59)?,
        None if format.is_empty() && fraction.is_empty() => 0,
        None => return None,
    };
    if clock.next().is_some() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}");
    let (milli, past) = thousandths.split_at(3);
    let at = day.and_hms_milli_opt(hour, minute, second, milli.parse().ok()?)?.and_utc()
        - Duration::minutes(minutes_east);
    Some((Json::Stamp(stamp(at)), past.bytes().any(|digit| digit != b'0')))
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The columns where no mapping gives them, types inferred over all rows.
fn by_name(tables: &[Table], rules: &Rules, counts: &mut Counts) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for name in tables.iter().flat_map(|table| &table.columns) {
        let seen = columns.iter().any(|column| column.source == *name);
        if !seen && !name.starts_with("_moebulk_") {
            columns.push(column(name, name, Type::Text));
        }
    }
    for column in &mut columns {
        let own = rules.events && EVENT_FIELDS.contains(&column.name.as_str());
        column.ty = match column.name.as_str() {
            "customer_id" => Type::Text,
            _ if own => Type::Text,
            "u_n" | "u_fn" | "u_ln" | "u_gd" | "u_em" | "u_mb" if !rules.events => Type::Text,
            "u_bd" if !rules.events => Type::Date(""),
            "moe_sub_w" | "push_preference" | "moe_hard_bounce" if !rules.events => Type::Bool,
            name => infer(tables, name, rules, counts),
        };
    }
    columns
}

fn infer(tables: &[Table], name: &str, rules: &Rules, counts: &mut Counts) -> Type {
    let narrow = [Type::Bool, Type::Number, Type::Date("")];
    let (mut values, mut fits) = (0, [0; 3]);
    for table in tables {
        let Some(at) = table.columns.iter().position(|column| column == name) else { continue };
        for row in &table.rows {
            let Row::Cells(cells) = row else { continue };
            let Some(cell) = present(rules, &cells[at]) else { continue };
            // What JSON cannot hold is no value of any type.
            if matches!(cell, Cell::Double(value) if !value.is_finite()) {
                continue;
            }
            values += 1;
            let fit = match cell {
                Cell::Bool(_) => Some(0),
                Cell::Double(_) => Some(1),
                Cell::Date(_) | Cell::Stamp { .. } => Some(2),
                Cell::Digits(text) => is_plain(text).then_some(1),
                Cell::Text(_) if table.typed => None,
                Cell::Text(text) => match text.to_ascii_lowercase().as_str() {
                    "true" | "false" => Some(0),
                    _ if is_plain(text) => Some(1),
                    _ => date(text, "").map(|_| 2),
                },
                Cell::Absent => unreachable!("it is present"),
            };
            if let Some(fit) = fit {
                fits[fit] += 1;
            }
        }
    }
    let best = (0..3).rev().max_by_key(|&at| fits[at]).expect("three");
    let misfits: u64 = values - fits[best];
    if values == 0 || misfits * 100 > values {
        return Type::Text;
    }
    if misfits == 0 {
        return narrow[best];
    }
    counts
        .insert(("type-minority".to_owned(), "warning".to_owned(), Some(name.to_owned())), misfits);
    Type::Text
}

/// A number that is no code, phone number or hash, and that a double keeps.
fn is_plain(text: &str) -> bool {
    let Some(digits) = number(text) else { return false };
    let whole = text.trim().trim_start_matches('-').split('.').next().unwrap_or_default();
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    !leading_zero && !text.contains(['+', 'e', 'E']) && !is_imprecise(&digits)
}

/// A well-formed CSV file, read with the `csv` crate.
pub fn read_csv(path: &Path) -> Table {
    let mut reader = csv::Reader::from_path(path).expect("a CSV file");
    let columns = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let cells = |record: csv::StringRecord| {
        Row::Cells(record.iter().map(|text| Cell::Text(text.to_owned())).collect())
    };
    let rows = reader.records().map(|record| cells(record.expect("a record"))).collect();
    Table { columns, rows, typed: false }
}

/// A Parquet file, read with the `parquet` crate.
pub fn read_parquet(path: &Path) -> Table {
    let file = File::open(path).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
    let columns = reader.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in reader.build().expect("a reader") {
        rows.extend(batch_rows(&batch.expect("a batch")));
    }
    Table { columns, rows, typed: true }
}

fn batch_rows(batch: &RecordBatch) -> Vec<Row> {
    let columns: Vec<Vec<Cell>> =
        batch.columns().iter().map(|array| array_cells(array.as_ref())).collect();
    let row = |at: usize| Row::Cells(columns.iter().map(|cells| cells[at].clone()).collect());
    (0..batch.num_rows()).map(row).collect()
}

fn array_cells(array: &dyn Array) -> Vec<Cell> {
    if let DataType::Dictionary(_, values) = array.data_type() {
        return array_cells(&cast(array, values).expect("its values"));
    }
    let cell = |at: usize| match array.data_type() {
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(at).to_owned()),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(at).to_owned()),
        DataType::Boolean => Cell::Bool(array.as_boolean().value(at)),
        DataType::Int32 => Cell::Digits(array.as_primitive::<Int32Type>().value(at).to_string()),
        DataType::Int64 => Cell::Digits(array.as_primitive::<Int64Type>().value(at).to_string()),
        DataType::UInt32 => Cell::Digits(array.as_primitive::<UInt32Type>().value(at).to_string()),
        DataType::UInt64 => Cell::Digits(array.as_primitive::<UInt64Type>().value(at).to_string()),
        DataType::Float64 => Cell::Double(array.as_primitive::<Float64Type>().value(at)),
        DataType::Decimal128(..) => {
            Cell::Digits(array.as_primitive::<Decimal128Type>().value_as_string(at))
        }
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(at);
            let day = DateTime::UNIX_EPOCH + Duration::days(days.into());
            Cell::Date(day.format("%Y-%m-%d").to_string())
        }
        DataType::Timestamp(unit, _) => {
            let (value, units_per_milli) = match unit {
                TimeUnit::Millisecond => {
                    (array.as_primitive::<TimestampMillisecondType>().value(at), 1)
                }
                TimeUnit::Microsecond => {
                    (array.as_primitive::<TimestampMicrosecondType>().value(at), 1_000)
                }
                TimeUnit::Nanosecond => {
                    (array.as_primitive::<TimestampNanosecondType>().value(at), 1_000_000)
                }
                TimeUnit::Second => panic!("Parquet has no seconds"),
            };
            let millis = value.div_euclid(units_per_milli);
            let text = stamp(DateTime::from_timestamp_millis(millis).expect("a time"));
            Cell::Stamp { text, cut: value % units_per_milli != 0 }
        }
        other => panic!("{other} is not among the test's types"),
    };
    (0..array.len()).map(|at| if array.is_null(at) { Cell::Absent } else { cell(at) }).collect()
}
