//! Seeded random files beside what they hold.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
        Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
        TimestampNanosecondArray,
    },
    datatypes::Int32Type,
};
use fastrand::Rng;
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

use crate::reference::{Cell, Column, DISALLOWED, Row, Table, Type, column};

/// How a CSV file is written.
#[derive(Clone, Copy)]
pub struct Form {
    pub delimiter: char,
    pub quote: char,
    pub line_end: &'static str,
}

pub const PLAIN: Form = Form { delimiter: ',', quote: '"', line_end: "\n" };

const WORDS: [&str; 15] = [
    "gold",
    "naïve café",
    "日本語",
    "🎉👩‍👩‍👧",
    "\u{1}\u{8}\u{b}\u{c}\u{1f}\u{7f}",
    "a\tb",
    "back\\slash/",
    "said \"no\"",
    "it's 'so'",
    "x,y;z",
    "two\nlines",
    "dos\r\nlines",
    "\u{2028}\u{feff}",
    "  padded  ",
    "𝒳",
];

/// The mapping of [`users`].
pub fn users_mapping() -> Vec<Column> {
    vec![
        column("customer_id", "customer_id", Type::Text),
        column("u_bd", "u_bd", Type::Date("")),
        column("orders", "order count", Type::Number),
        column("newsletter", "newsletter", Type::Bool),
        column("seen", "last_seen", Type::Date("DD/MM/YYYY hh:mm:ss")),
        column("note", "note \"of\" staff", Type::Text),
        column("postcode", "postcode", Type::Text),
    ]
}

/// The mapping of [`events`].
pub fn events_mapping() -> Vec<Column> {
    vec![
        column("customer_id", "customer_id", Type::Text),
        column("action", "action", Type::Text),
        column("user_time", "user_time", Type::Date("")),
        column("platform", "platform", Type::Text),
        column("device_id", "device_id", Type::Text),
        column("user_timezone_offset", "user_timezone_offset", Type::Number),
        column("price", "price", Type::Number),
        column("note", "note", Type::Text),
    ]
}

/// One row in twenty is bad in each of the ways given.
fn pick_bad<'a>(rng: &mut Rng, ways: &[&'a str]) -> &'a str {
    ways.get(rng.usize(..20)).copied().unwrap_or_default()
}

fn clock(rng: &mut Rng) -> String {
    format!("{:02}:{:02}:{:02}", rng.u8(..24), rng.u8(..60), rng.u8(..60))
}

fn day(rng: &mut Rng) -> [String; 3] {
    [
        rng.u16(1940..2026).to_string(),
        format!("{:02}", rng.u8(1..13)),
        format!("{:02}", rng.u8(1..29)),
    ]
}

fn iso(rng: &mut Rng) -> String {
    let [y, m, d] = day(rng);
    let zones = ["", "Z", "+05:30", "-0800"];
    let times = ["", "T", " "];
    match *rng.choice(&times).unwrap() {
        "" => format!("{y}-{m}-{d}"),
        t => {
            let fraction = *rng.choice(&["", ".5", ".123", ".120000"]).unwrap();
            format!("{y}-{m}-{d}{t}{}{fraction}{}", clock(rng), rng.choice(&zones).unwrap())
        }
    }
}

fn note(rng: &mut Rng) -> String {
    (0..rng.usize(..4)).map(|_| *rng.choice(&WORDS).unwrap()).collect()
}

fn bad_id(rng: &mut Rng, way: &str) -> Option<String> {
    match way {
        "id-missing" => Some(String::new()),
        "id-short" => Some((*rng.choice(&["x", "é", "🎉"]).unwrap()).to_owned()),
        "id-listed" => {
            let long: Vec<_> = DISALLOWED.iter().filter(|id| id.chars().count() > 1).collect();
            rng.choice(long).map(|id| (*id).to_owned())
        }
        _ => None,
    }
}

/// Users as a CSV table; `mapped` lets in what only a mapping makes sense of.
pub fn users(seed: u64, rows: usize, mapped: bool) -> Table {
    let mut rng = Rng::with_seed(seed);
    let names = [
        "customer_id",
        "u_fn",
        "u_bd",
        "orders",
        "newsletter",
        "seen",
        "note",
        "postcode",
        "big",
        "hardly",
    ];
    let free = ["id-missing", "id-short", "id-listed", "birthday", "damage", "damage"];
    let typed = [
        "id-missing",
        "id-short",
        "id-listed",
        "birthday",
        "damage",
        "number",
        "range",
        "bool",
        "date",
    ];
    let mut table =
        Table { columns: names.map(str::to_owned).to_vec(), rows: Vec::new(), typed: false };
    for at in 0..rows {
        let rng = &mut rng;
        let mut way = pick_bad(rng, if mapped { &typed } else { &free });
        if way == "damage" && matches!(table.rows.last(), Some(Row::Damaged(_))) {
            // Neighbours would be one stretch.
            way = "";
        }
        if way == "damage" {
            let codes =
                ["field-count", "quote-in-field", "text-after-quote", "invalid-utf8", "nul-byte"];
            table.rows.push(Row::Damaged(rng.choice(codes).unwrap()));
            continue;
        }
        let id = bad_id(rng, way).unwrap_or_else(|| match rng.u8(..30) {
            0 => (*rng.choice(&["NULL", " none", "Guest ", "N/A"]).unwrap()).to_owned(),
            1 => "0012345678901234567".to_owned(),
            2 => format!("用户-{at}🎉"),
            _ => format!("user-{at}"),
        });
        let birthday = if way == "birthday" { "1990-02-30".to_owned() } else { iso(rng) };
        let exotic = [
            "+5",
            ".5",
            "5.",
            "007",
            " 12 ",
            "-0",
            "1e5",
            "12.50",
            "1E+05",
            "9007199254740993",
            "0.1234567890123456",
        ];
        let orders = match way {
            "number" => {
                (*rng.choice(&["1,000", "NaN", "inf", "12x", "three", "0x1F", "1 2"]).unwrap())
                    .to_owned()
            }
            "range" => "1e999".to_owned(),
            _ if mapped && rng.bool() => (*rng.choice(exotic).unwrap()).to_owned(),
            _ => format!("{}.{:02}", rng.i32(-9999..9999), rng.u8(..100)),
        };
        let bools = ["true", "false", "TRUE", "False"];
        let newsletter = if way == "bool" { "yes" } else { *rng.choice(&bools).unwrap() };
        let seen = match (mapped, way) {
            (_, "date") => "31/02/2026 10:00:00".to_owned(),
            (true, _) => {
                let [y, m, d] = day(rng);
                format!("{d}/{m}/{y} {}", clock(rng))
            }
            (false, _) => iso(rng),
        };
        let big = format!("{}", 9_007_199_254_740_993_u64 + rng.u64(..1_000_000));
        let hardly = if at % 150 == 149 { "maybe".to_owned() } else { rng.bool().to_string() };
        let mut cells = vec![
            id,
            note(rng),
            birthday,
            orders,
            newsletter.to_owned(),
            seen,
            note(rng),
            format!("{:05}", rng.u32(..99_999)),
            big,
            hardly,
        ];
        for cell in &mut cells[1..] {
            // An empty cell is absent, so it leaves its row as bad as it was only elsewhere.
            if way.is_empty() && rng.u8(..10) == 0 {
                cell.clear();
            }
        }
        table.rows.push(Row::Cells(cells.into_iter().map(Cell::Text).collect()));
    }
    table
}

/// Events as a CSV table.
pub fn events(seed: u64, rows: usize) -> Table {
    let mut rng = Rng::with_seed(seed);
    let names = [
        "customer_id",
        "action",
        "user_time",
        "platform",
        "device_id",
        "user_timezone_offset",
        "price",
        "gift",
        "note",
    ];
    let ways = [
        "id-missing",
        "id-short",
        "id-listed",
        "action",
        "time",
        "millis",
        "platform",
        "offset",
        "damage",
    ];
    let mut table =
        Table { columns: names.map(str::to_owned).to_vec(), rows: Vec::new(), typed: false };
    for at in 0..rows {
        let rng = &mut rng;
        let mut way = pick_bad(rng, &ways);
        if way == "damage" && matches!(table.rows.last(), Some(Row::Damaged(_))) {
            way = "";
        }
        if way == "damage" {
            table.rows.push(Row::Damaged(
                rng.choice(["field-count", "invalid-utf8", "nul-byte"]).unwrap(),
            ));
            continue;
        }
        let id = bad_id(rng, way).unwrap_or_else(|| format!("user-{}", rng.u16(..50)));
        let action = if way == "action" {
            ""
        } else {
            *rng.choice(&["Purchase", "Küche 🎉", "a\"b"]).unwrap()
        };
        let time = match way {
            "time" => (*rng.choice(&["yesterday", "2026-13-01", "12:00"]).unwrap()).to_owned(),
            "millis" => format!("17{:011}", rng.u64(..99_999_999_999)),
            _ => match rng.u8(..10) {
                0 => String::new(),
                1..=4 => format!("17{:08}", rng.u32(..99_999_999)),
                5 => "2026-05-01T10:00:00.123456Z".to_owned(),
                _ => iso(rng),
            },
        };
        let platforms = ["ANDROID", "iOS", "web", "TV", "unknown", ""];
        let platform = if way == "platform" { "ios" } else { *rng.choice(&platforms).unwrap() };
        let offsets = ["0", "-54000", "54000", "19800", ""];
        let offset = if way == "offset" { "54001" } else { *rng.choice(&offsets).unwrap() };
        let cells = [
            id,
            action.to_owned(),
            time,
            platform.to_owned(),
            format!("dev-{at}"),
            offset.to_owned(),
            format!("{}.{:02}", rng.u16(..), rng.u8(..100)),
            rng.bool().to_string(),
            note(rng),
        ];
        table.rows.push(Row::Cells(cells.map(Cell::Text).to_vec()));
    }
    table
}

/// The same table with its columns in another order.
pub fn shuffled(table: &Table, seed: u64) -> Table {
    let mut order: Vec<usize> = (0..table.columns.len()).collect();
    Rng::with_seed(seed).shuffle(&mut order);
    let row = |row: &Row| match row {
        Row::Cells(cells) => Row::Cells(order.iter().map(|&at| cells[at].clone()).collect()),
        damaged => damaged.clone(),
    };
    Table {
        columns: order.iter().map(|&at| table.columns[at].clone()).collect(),
        rows: table.rows.iter().map(row).collect(),
        typed: table.typed,
    }
}

/// A cell as it is written: quoted where it must be.
pub fn csv_cell(text: &str, form: Form) -> String {
    if text.contains([form.delimiter, form.quote, '\r', '\n']) {
        quoted(text, form)
    } else {
        text.to_owned()
    }
}

fn quoted(text: &str, Form { quote, .. }: Form) -> String {
    format!("{quote}{}{quote}", text.replace(quote, &format!("{quote}{quote}")))
}

/// A CSV file of a table, with the raw bytes of each damaged record.
pub fn csv_bytes(table: &Table, form: Form, seed: u64) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut rng = Rng::with_seed(seed);
    let mut bytes = Vec::new();
    let mut damaged = Vec::new();
    let quote = form.quote;
    let join = |cells: &[String]| cells.join(&form.delimiter.to_string());
    let header: Vec<String> = table.columns.iter().map(|name| csv_cell(name, form)).collect();
    bytes.extend_from_slice(join(&header).as_bytes());
    bytes.extend_from_slice(form.line_end.as_bytes());
    for row in &table.rows {
        let raw = match row {
            Row::Cells(cells) => {
                let cells: Vec<String> = cells
                    .iter()
                    .map(|cell| match cell {
                        Cell::Text(text) if rng.u8(..8) == 0 => quoted(text, form),
                        Cell::Text(text) => csv_cell(text, form),
                        other => panic!("{other:?} in a CSV file"),
                    })
                    .collect();
                join(&cells).into_bytes()
            }
            Row::Damaged(code) => {
                let mut cells: Vec<String> =
                    (0..table.columns.len()).map(|at| format!("cell {at}")).collect();
                let last = cells.len() - 1;
                match *code {
                    "field-count" if rng.bool() => cells.push("one too many".to_owned()),
                    "field-count" => _ = cells.pop(),
                    "quote-in-field" => cells[last] = format!("a stray {quote} quote"),
                    "text-after-quote" => cells[last] = format!("{quote}text after{quote} it"),
                    "nul-byte" => cells[1] = "nul \0 byte".to_owned(),
                    _ => cells[1] = "latin ?".to_owned(),
                }
                let mut raw = join(&cells).into_bytes();
                if *code == "invalid-utf8" {
                    raw.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xe9);
                }
                damaged.push(raw.clone());
                raw
            }
        };
        bytes.extend_from_slice(&raw);
        bytes.extend_from_slice(form.line_end.as_bytes());
        if rng.u8(..40) == 0 && !matches!(row, Row::Damaged(_)) {
            // An empty line is no record.
            bytes.extend_from_slice(form.line_end.as_bytes());
        }
    }
    (bytes, damaged)
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("a batch");
    // Several row groups, of an odd size.
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(611)).build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
}

fn some<T>(rng: &mut Rng, rows: usize, mut make: impl FnMut(&mut Rng) -> T) -> Vec<Option<T>> {
    (0..rows).map(|_| if rng.u8(..12) == 0 { None } else { Some(make(rng)) }).collect()
}

/// Ids of a Parquet file: text, about one in seven bad.
fn ids(rng: &mut Rng, rows: usize) -> ArrayRef {
    let ids = (0..rows).map(|at| {
        let way = pick_bad(rng, &["id-missing", "id-short", "id-listed", "id-null"]);
        if way == "id-null" {
            None
        } else {
            bad_id(rng, way).or_else(|| Some(format!("user-{at}")))
        }
    });
    Arc::new(StringArray::from_iter(ids))
}

/// Users as a Parquet file with every kind of column.
pub fn users_parquet(path: &Path, seed: u64, rows: usize) {
    let rng = &mut Rng::with_seed(seed);
    let texts = some(rng, rows, note);
    let cities = some(rng, rows, |rng| *rng.choice(&["Zürich", "東京", "", "a\"b"]).unwrap());
    let cities: DictionaryArray<Int32Type> = cities.into_iter().collect();
    let money = some(rng, rows, |rng| i128::from(rng.i64(-10_000_000_000..10_000_000_000)));
    let money = Decimal128Array::from(money).with_precision_and_scale(20, 4).expect("a decimal");
    let micros = |rng: &mut Rng| {
        rng.i64(-900_000_000..1_700_000_000) * 1_000_000
            + rng.i64(..1_000_000).rem_euclid(1_000_000)
    };
    let micros = some(rng, rows, micros);
    let nanos = some(rng, rows, |rng| rng.i64(0..1_700_000_000_000) * 1_000_000);
    let floats = some(rng, rows, |rng| match rng.u8(..20) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => 1e300,
        3 => -0.1,
        _ => rng.f64() * 1e6,
    });
    write_parquet(
        path,
        vec![
            ("customer_id", ids(rng, rows)),
            ("u_fn", Arc::new(StringArray::from(texts))),
            ("city", Arc::new(cities)),
            ("money", Arc::new(money)),
            ("micros", Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))),
            ("nanos", Arc::new(TimestampNanosecondArray::from(nanos))),
            ("double", Arc::new(Float64Array::from(floats))),
            ("day", Arc::new(Date32Array::from(some(rng, rows, |rng| rng.i32(-9000..20_000))))),
            ("flag", Arc::new(BooleanArray::from(some(rng, rows, Rng::bool)))),
            ("small", Arc::new(Int32Array::from(some(rng, rows, |rng| rng.i32(..))))),
            ("big", Arc::new(Int64Array::from(some(rng, rows, |rng| rng.i64(..))))),
            (
                "safe",
                Arc::new(Int64Array::from(some(rng, rows, |rng| rng.i64(-(1 << 40)..1 << 40)))),
            ),
        ],
    );
}

/// Events as a Parquet file.
pub fn events_parquet(path: &Path, seed: u64, rows: usize) {
    let rng = &mut Rng::with_seed(seed);
    let actions = some(rng, rows, |rng| *rng.choice(&["Purchase", "Küche 🎉"]).unwrap());
    let actions: DictionaryArray<Int32Type> = actions.into_iter().collect();
    let times = some(rng, rows, |rng| rng.i64(0..1_700_000_000_000) * 1_000);
    let platforms = some(rng, rows, |rng| *rng.choice(&["iOS", "web", "ios"]).unwrap());
    let offsets = some(rng, rows, |rng| *rng.choice(&[0, 54_000, -54_000, 54_001]).unwrap());
    write_parquet(
        path,
        vec![
            ("customer_id", ids(rng, rows)),
            ("action", Arc::new(actions)),
            ("user_time", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
            ("platform", Arc::new(StringArray::from(platforms))),
            ("user_timezone_offset", Arc::new(Int32Array::from(offsets))),
            ("device_id", Arc::new(Int64Array::from(some(rng, rows, |rng| rng.i64(..))))),
            ("price", Arc::new(Float64Array::from(some(rng, rows, Rng::f64)))),
            ("note", Arc::new(StringArray::from(some(rng, rows, note)))),
        ],
    );
}

/// A mapping of [`users_parquet`].
pub fn users_parquet_mapping() -> Vec<Column> {
    vec![
        column("customer_id", "customer_id", Type::Text),
        column("city", "city", Type::Text),
        column("money", "money", Type::Number),
        column("micros", "micros", Type::Date("")),
        column("nanos", "nanos", Type::Text),
        column("double", "double", Type::Number),
        column("flag", "flag", Type::Text),
        column("big", "big", Type::Number),
        column("safe", "safe", Type::Text),
        column("u_fn", "note", Type::Number),
    ]
}
