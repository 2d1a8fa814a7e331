//! A random table, and the element that each of its rows has to become.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::{
    spell,
    support::Json,
    types::{Type, nested, random},
    values::{Source, Value, one},
};

pub const ROWS: usize = 10_000;

/// Texts that the mappings have for no value.
pub const NULLS: [&str; 3] = ["NULL", "\\N", "∅"];
pub const TRUE: [&str; 4] = ["true", "TRUE", "yes", "はい"];
pub const FALSE: [&str; 4] = ["false", "False", "no", "いいえ"];

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Users,
    Events,
    Devices,
}

pub const KINDS: [Kind; 3] = [Kind::Users, Kind::Events, Kind::Devices];

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Events => "events",
            Self::Devices => "devices",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Csv,
    Parquet,
    /// Without a mapping.
    BareParquet,
}

/// What the mapping says of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    Text,
    Number,
    Bool,
    /// Format, or "", and zone.
    Date(&'static str, Option<Tz>),
    Array(&'static str, &'static str),
    Json,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub source: String,
    /// Names by level; an own field has one.
    pub path: Vec<String>,
    pub own: bool,
    pub values: Type,
    pub reading: Reading,
    /// Of its own Arrow type, and not text.
    pub native: bool,
}

pub struct Table {
    pub kind: Kind,
    pub format: Format,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
    /// `--empty`
    pub empty: &'static str,
    /// Of the whole mapping.
    pub zone: Option<Tz>,
    pub update_existing_only: bool,
}

impl Table {
    pub fn random(seed: u64, kind: Kind, format: Format, rows: usize) -> Self {
        let serial = seed * 9 + kind as u64 * 3 + format as u64;
        let rng = fastrand::Rng::with_seed(serial);
        let mut source = Source { rng, nul: format != Format::Csv };
        let empties: &[_] = match kind {
            Kind::Users => &["omit", "string", "unset"],
            _ => &["omit", "string"],
        };
        let mut table = Self {
            kind,
            format,
            columns: Vec::new(),
            rows: Vec::new(),
            empty: empties[seed as usize % empties.len()],
            zone: (format != Format::BareParquet && seed % 2 == 1).then_some(Tz::Asia__Kolkata),
            update_existing_only: kind == Kind::Users && seed % 4 == 3,
        };
        table.own_columns(&mut source);
        table.attributes(&mut source);
        for _ in 0..rows {
            let row = table.row(&mut source);
            table.rows.push(row);
        }
        table.infer();
        table
    }

    fn own(&mut self, name: &str, values: Type, reading: Reading, native: bool) {
        let source = match self.format {
            Format::BareParquet => name.to_owned(),
            _ => format!("the \"{name}\", ;"),
        };
        let path = vec![name.to_owned()];
        self.columns.push(Column { source, path, own: true, values, reading, native });
    }

    fn own_columns(&mut self, source: &mut Source) {
        let native = |source: &mut Source| match self.format {
            Format::Csv => false,
            Format::Parquet => source.rng.bool(),
            Format::BareParquet => true,
        };
        let (id_native, time_native, offset_native) =
            (native(source), native(source), native(source));
        let id = if id_native && source.rng.bool() { Type::Int(64, false) } else { Type::Word };
        self.own("customer_id", id, Reading::Text, id_native);
        match self.kind {
            Kind::Users => {}
            Kind::Events => {
                let bare = self.format == Format::BareParquet;
                let date =
                    |source: &mut Source| Reading::Date("", if bare { None } else { zone(source) });
                self.own("action", Type::Word, Reading::Text, id_native);
                self.own("device_id", Type::Word, Reading::Text, false);
                self.own(
                    "platform",
                    Type::Choice(&["ANDROID", "iOS", "web", "TV", "unknown"]),
                    Reading::Text,
                    id_native,
                );
                self.own("app_version", Type::Word, Reading::Text, false);
                let places = one(&mut source.rng, &[0, 3, 6, 9]);
                self.own("user_time", Type::Moment(places), date(source), time_native);
                self.own("current_time", Type::Epoch, date(source), false);
                self.own("user_timezone_offset", Type::Offset, Reading::Number, offset_native);
            }
            Kind::Devices => {
                self.own("device_id", Type::Word, Reading::Text, false);
                let platforms = Type::Choice(&["ANDROID", "iOS", "web", "TV"]);
                self.own("platform", platforms, Reading::Text, false);
                self.own("push_id", Type::Word, Reading::Text, id_native);
                let opted = Type::Choice(&["True", "False"]);
                self.own("moe_push_opted", opted, Reading::Text, false);
            }
        }
    }

    /// One column of every type, below names of every kind; two objects of several columns.
    fn attributes(&mut self, source: &mut Source) {
        let text_types = |source: &mut Source| {
            let separators = ["|", ";", ", ", "::", "·"];
            let (texts, numbers) =
                (one(&mut source.rng, &separators), one(&mut source.rng, &separators));
            let (format, places) = one(
                &mut source.rng,
                &[
                    ("DD/MM/YYYY hh:mm:ss", 0),
                    ("YYYY/MM/DD hh:mm:ss.s", 9),
                    ("DD-MM-YYYYThh:mm:ss.s", 3),
                    ("YYYY-MM-DDThh:mm:ssTZD", 0),
                    ("YYYY/MM/DDThh:mm:ss.sTZD", 6),
                ],
            );
            let days = ["YYYY-MM-DD", "YYYY/MM/DD", "DD/MM/YYYY", "DD-MM-YYYY", ""];
            let day = one(&mut source.rng, &days);
            vec![
                (Type::Text, Reading::Text),
                (Type::Spelled, Reading::Number),
                (Type::Bool, Reading::Bool),
                (Type::Date, Reading::Date(day, None)),
                (Type::Moment(places), Reading::Date(format, zone(source))),
                (Type::Moment(9), Reading::Date("", zone(source))),
                (Type::Texts(texts), Reading::Array(texts, "string")),
                (Type::Numbers, Reading::Array(numbers, "double")),
                (Type::Document, Reading::Json),
                (Type::Spelled, Reading::Text),
            ]
        };
        let native_types = |source: &mut Source| {
            let list = |inner| Type::List(Box::new(inner));
            let places = one(&mut source.rng, &[0, 3, 6]);
            vec![
                (Type::Text, Reading::Text),
                (Type::Bool, Reading::Bool),
                (Type::Date, Reading::Date("", None)),
                (Type::Moment(places), Reading::Date("", None)),
                (Type::Moment(9), Reading::Date("", None)),
                (Type::Int(one(&mut source.rng, &[8, 16, 32, 48]), true), Reading::Number),
                (Type::Int(64, true), Reading::Number),
                (Type::Int(one(&mut source.rng, &[8, 16, 32, 64]), false), Reading::Number),
                (Type::Decimal(38, source.rng.usize(..39)), Reading::Number),
                (Type::Decimal(one(&mut source.rng, &[15, 76]), 12), Reading::Number),
                (Type::Double, Reading::Number),
                (Type::Single, Reading::Number),
                (list(Type::Text), Reading::Json),
                (list(Type::Double), Reading::Json),
                (Type::Map(Box::new(nested(source, 1))), Reading::Json),
                (nested(source, 4), Reading::Json),
            ]
        };
        let mut types: Vec<(Type, Reading, bool)> = Vec::new();
        if self.format != Format::BareParquet {
            types.extend(text_types(source).into_iter().map(|(ty, how)| (ty, how, false)));
        }
        if self.format != Format::Csv {
            types.extend(native_types(source).into_iter().map(|(ty, how)| (ty, how, true)));
        }
        if self.format == Format::Parquet {
            source.rng.shuffle(&mut types);
            types.truncate(16);
            // Numbers, words and dates may also go as texts.
            for (_, reading, native) in &mut types {
                if *native && *reading != Reading::Json && source.rng.u8(..5) == 0 {
                    *reading = Reading::Text;
                }
            }
        }
        let names = source.distinct_words(types.len());
        let sources = source.distinct_words(types.len());
        for (at, (values, reading, native)) in types.into_iter().enumerate() {
            // Objects of several columns, one and two levels down.
            let path = match at % 7 {
                _ if self.format == Format::BareParquet => vec![sources[at].clone()],
                3 | 6 if self.kind != Kind::Devices => vec!["one".to_owned(), names[at].clone()],
                4 if self.kind != Kind::Devices => {
                    ["one", "two", &names[at]].map(str::to_owned).to_vec()
                }
                _ => vec![names[at].clone()],
            };
            let source = sources[at].clone();
            self.columns.push(Column { source, path, own: false, values, reading, native });
        }
        if self.kind == Kind::Devices {
            let source = "os_version".to_owned();
            let path = vec![source.clone()];
            let (values, reading) = (Type::Text, Reading::Text);
            self.columns.push(Column { source, path, own: false, values, reading, native: false });
        }
        source.rng.shuffle(&mut self.columns);
    }

    fn row(&mut self, source: &mut Source) -> Vec<Value> {
        // Half of all events follow one of the same user, most of those of the same device.
        let previous = (self.kind == Kind::Events && source.rng.bool())
            .then(|| self.rows.last().cloned())
            .flatten();
        let sticks = source.rng.u8(..4) > 0;
        let columns = self.columns.iter().enumerate();
        let cell = |(at, column): (usize, &Column)| {
            let name = column.path[0].as_str();
            match (&previous, column.own) {
                (Some(previous), true) if name == "customer_id" => return previous[at].clone(),
                (Some(previous), true) if name == "device_id" && sticks => {
                    return previous[at].clone();
                }
                _ => {}
            }
            let required = column.own
                && match name {
                    "device_id" | "platform" => self.kind == Kind::Devices,
                    "customer_id" | "action" | "push_id" => true,
                    _ => false,
                };
            if !required && source.rng.bool() {
                return Value::Absent;
            }
            loop {
                let value = match (&column.values, name) {
                    (Type::Word, "customer_id") if column.own => Value::Text(source.id()),
                    (values, "customer_id") if column.own => match random(source, values) {
                        Value::Number { digits, .. } if digits.len() > 1 => Value::digits(digits),
                        _ => continue,
                    },
                    (values, _) => random(source, values),
                };
                if column.native || spell::fits(&value, &column.reading, self.zone) {
                    return value;
                }
            }
        };
        columns.map(cell).collect()
    }

    /// Without a mapping, numbers that a double would not keep make their column text.
    fn infer(&mut self) {
        if self.format != Format::BareParquet {
            return;
        }
        for (at, column) in self.columns.iter_mut().enumerate() {
            let exact = |row: &Vec<Value>| match &row[at] {
                Value::Number { digits, .. } => {
                    let significant: String = digits.replace(['-', '.'], "");
                    let significant = significant.trim_matches('0').len();
                    let whole = digits.parse::<i128>().unwrap_or_default();
                    significant <= 15 && (digits.contains('.') || whole.abs() <= 1 << 53)
                }
                _ => true,
            };
            if !column.own && column.reading == Reading::Number && !self.rows.iter().all(exact) {
                column.reading = Reading::Text;
            }
        }
    }

    /// The element that a row has to become; an event with its one action.
    pub fn element(&self, row: &[Value]) -> Json {
        let (mut own, mut attributes) = (BTreeMap::new(), BTreeMap::new());
        let mut unset = Vec::new();
        for (column, value) in self.columns.iter().zip(row) {
            let name = column.path[0].as_str();
            let json = match (&column.reading, value) {
                (Reading::Text, Value::Text(text)) if text.is_empty() => {
                    (self.empty == "string" && !column.own).then(|| Json::text(""))
                }
                (Reading::Text, value) => value.json_text(),
                (_, value) => value.json(),
            };
            match json {
                Some(json) if column.own => _ = own.insert(name, json),
                Some(json) => put(&mut attributes, &column.path, json),
                None if self.empty == "unset" && !column.own && column.path.len() == 1 => {
                    unset.push(Json::object([
                        ("type", Json::text("equals")),
                        ("attr", Json::text(name)),
                    ]));
                }
                None => {}
            }
        }
        if self.format != Format::BareParquet {
            for (path, json) in self.constants() {
                put(&mut attributes, &path.map(str::to_owned), json);
            }
        }
        let mut element = BTreeMap::new();
        let mut action = BTreeMap::new();
        for (name, json) in own {
            match (self.kind, name) {
                (_, "customer_id" | "device_id") => _ = element.insert(name.to_owned(), json),
                (Kind::Events, _) => _ = action.insert(name.to_owned(), json),
                _ => _ = attributes.insert(name.to_owned(), json),
            }
        }
        let attributes = Json::Object(attributes);
        let kind = match self.kind {
            Kind::Users => "customer",
            Kind::Events => "event",
            Kind::Devices => "device",
        };
        element.insert("type".to_owned(), Json::text(kind));
        if self.kind == Kind::Events {
            action.insert("attributes".to_owned(), attributes);
            element.insert("actions".to_owned(), Json::Array(vec![Json::Object(action)]));
        } else {
            element.insert("attributes".to_owned(), attributes);
        }
        if self.update_existing_only {
            element.insert("update_existing_only".to_owned(), Json::Bool(true));
        }
        if !unset.is_empty() {
            element.insert("unset_attributes".to_owned(), Json::Array(unset));
        }
        Json::Object(element)
    }

    /// What [`spell::CONSTANTS`] adds to every row.
    fn constants(&self) -> [([&'static str; 2], Json); 7] {
        let number = |digits: &str| Json::Number(digits.to_owned());
        let local = if self.zone.is_some() { "06:30:00.500Z" } else { "12:00:00.500Z" };
        let object = Json::object([
            ("b", Json::object([("y", Json::Bool(true)), ("x", number("1"))])),
            ("a", Json::Array(vec![number("2.5"), number("-3")])),
        ]);
        [
            (["constant", "object"], object),
            (["constant", "text"], Json::text("O'Neil \"\n\u{1}😀")),
            (["constant", "whole"], number("-9223372036854775808")),
            (["constant", "large"], Json::Double(1e300)),
            (["constant", "zero"], Json::Double(-0.0)),
            (["constant", "local"], Json::Stamp(format!("2024-07-01T{local}"))),
            (["constant", "day"], Json::text("0000-02-29")),
        ]
    }
}

fn put(object: &mut BTreeMap<String, Json>, path: &[String], json: Json) {
    let [name, inner @ ..] = path else { return };
    if inner.is_empty() {
        object.insert(name.clone(), json);
        return;
    }
    let below = object.entry(name.clone()).or_insert_with(|| Json::Object(BTreeMap::new()));
    if let Json::Object(below) = below {
        put(below, inner, json);
    }
}

fn zone(source: &mut Source) -> Option<Tz> {
    let zones = [None, None, Some(Tz::Europe__Berlin), Some(Tz::Australia__Lord_Howe)];
    one(&mut source.rng, &zones)
}
