//! One row of a customer table of 18 columns, made from a random number generator, and its CSV.
//!
//! Half a percent of the rows has a mistake: by halves an id that the API drops, and a value of
//! the wrong type. Both are meant to be found by every program in the comparison, so no value here
//! is one that two sound readings judge differently.

use std::io::Write;

use fastrand::Rng;

/// The columns, in order.
pub const COLUMNS: [&str; 18] = [
    "customer_id",
    "first_name",
    "last_name",
    "email",
    "mobile",
    "plan",
    "renews_at",
    "vip",
    "lifetime_value",
    "orders",
    "city",
    "last_note",
    "utm_source",
    "opt_in",
    "score",
    "last_seen",
    "device_hash",
    "segment",
];

/// Rows with a mistake, of 10,000.
const MISTAKES_PER_10_000: u32 = 50;

/// From the API's list of disallowed ids; and one that is too short.
const IDS: [&str; 8] = ["guest", "null", "0", "", "user_id", "-1", "none", "x"];
const NO_DATES: [&str; 4] = ["31/12/2026", "2026-02-30", "2025-13-01T00:00:00Z", "next week"];
const NO_BOOLS: [&str; 3] = ["perhaps", "tru", "x"];
const NO_NUMBERS: [&str; 4] = ["12;5", "1.2.3", "$40", "--3"];
const NO_COUNTS: [&str; 4] = ["12x", "ten", "0x1F", "1 2"];

const FIRST_NAMES: [&str; 16] = [
    "Asha",
    "Ben",
    "Chloé",
    "Daniel",
    "Elena",
    "Farid",
    "Grace",
    "Hiroshi",
    "Ines",
    "Jürgen",
    "Kavya",
    "Liam",
    "Małgorzata",
    "Nikhil",
    "Ольга",
    "प्रिया",
];
const LAST_NAMES: [&str; 16] = [
    "Andersson",
    "Bose",
    "Chen",
    "D'Souza",
    "Evans",
    "Fernandes",
    "García",
    "Hughes",
    "Iyer",
    "Jankowski",
    "Kim",
    "Müller",
    "Nakamura",
    "Oliveira",
    "Smith-Jones",
    "Петров",
];
const DOMAINS: [&str; 5] =
    ["example.com", "example.org", "mail.example.net", "example.co.in", "post.example"];
const PLANS: [&str; 6] = ["free", "trial", "silver", "gold", "platinum", "enterprise_annual"];
const CITIES: [&str; 16] = [
    "Bengaluru",
    "Berlin",
    "Chennai",
    "Dubai",
    "Jakarta",
    "London",
    "Los Angeles",
    "Mumbai",
    "München",
    "New Delhi",
    "Pune",
    "San Francisco",
    "São Paulo",
    "Singapore",
    "मुंबई",
    "Washington, DC",
];
const SOURCES: [&str; 6] = ["google", "newsletter", "affiliate_42", "direct", "bing", ""];
const NOTES: [&str; 6] = [
    "Asked for a refund of the last order",
    "Prefers e-mail to calls",
    "Called support about an invoice",
    "Left two carts behind this week",
    "Wants to see the new dashboard",
    "Renewal reminder was sent",
];
const QUOTED_NOTES: [&str; 5] = [
    "Called, no answer, try again on Monday",
    "Asked \"when does my order come?\", then hung up",
    "Très satisfait, recommande à ses amis 😀",
    "Refund of $12,50 was made, see ticket 48213",
    "Loves the \"gold\" plan, hates ads",
];
const LONG_NOTES: [&str; 3] = [
    "Hello,\n\nplease cancel my plan.\n\nThank you",
    "first line\nsecond line, with a comma\nthird line",
    "said \"no\"\r\nand left the shop",
];

/// A cell as it is meant to be, or a text that is none of its column's type.
#[derive(Clone, Copy)]
pub enum Cell<T> {
    Value(T),
    Wrong(&'static str),
}

impl<T> Cell<T> {
    /// The value; what is wrong is none, as in a typed file.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Wrong(_) => None,
        }
    }
}

/// A time of the proleptic Gregorian calendar, in one of the forms that exports have.
#[derive(Clone, Copy)]
pub struct Time {
    date: chrono::NaiveDate,
    /// Since midnight.
    millis: u32,
    form: Form,
}

#[derive(Clone, Copy)]
enum Form {
    Date,
    Seconds,
    Millis,
    Offset,
}

impl Time {
    fn new(rng: &mut Rng) -> Self {
        let day = rng.i32(0..5 * 365);
        let first = chrono::NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default();
        let millis = rng.u32(0..86_400_000);
        let (form, millis) = match rng.u8(0..10) {
            0..=2 => (Form::Date, 0),
            3..=6 => (Form::Seconds, millis / 1000 * 1000),
            7..=8 => (Form::Millis, millis),
            _ => (Form::Offset, millis / 1000 * 1000),
        };
        Self { date: first + chrono::Days::new(day as u64), millis, form }
    }

    /// Microseconds of the epoch.
    pub fn micros(self) -> i64 {
        let midnight = i64::from(self.date.to_epoch_days()) * 86_400_000;
        let offset = if matches!(self.form, Form::Offset) { 19_800_000 } else { 0 };
        (midnight + i64::from(self.millis) - offset) * 1000
    }

    fn write(self, out: &mut Vec<u8>) {
        use chrono::Datelike;
        let (date, seconds) = (self.date, self.millis / 1000);
        put(out, format_args!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day()));
        if matches!(self.form, Form::Date) {
            return;
        }
        let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        put(out, format_args!("T{h:02}:{m:02}:{s:02}"));
        match self.form {
            Form::Millis => put(out, format_args!(".{:03}Z", self.millis % 1000)),
            Form::Offset => out.extend(b"+05:30"),
            Form::Date | Form::Seconds => out.push(b'Z'),
        }
    }
}

/// A number with a fixed number of decimals.
#[derive(Clone, Copy)]
pub struct Decimal {
    units: u32,
    decimals: u8,
}

impl Decimal {
    fn scale(self) -> u32 {
        10_u32.pow(self.decimals.into())
    }

    pub fn value(self) -> f64 {
        f64::from(self.units) / f64::from(self.scale())
    }

    fn write(self, out: &mut Vec<u8>) {
        let (whole, part) = (self.units / self.scale(), self.units % self.scale());
        put(out, format_args!("{whole}.{part:0width$}", width = self.decimals.into()));
    }
}

/// One row.
pub struct Row {
    pub customer_id: String,
    pub has_bad_id: bool,
    pub has_bad_type: bool,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub email: String,
    pub mobile: String,
    pub plan: &'static str,
    pub renews_at: Cell<Time>,
    pub vip: Cell<bool>,
    pub lifetime_value: Cell<Decimal>,
    pub orders: Cell<i32>,
    pub city: &'static str,
    pub last_note: &'static str,
    pub utm_source: &'static str,
    pub opt_in: bool,
    pub score: Decimal,
    pub last_seen: Time,
    pub device_hash: i64,
    pub segment: String,
}

impl Row {
    /// The row of a number, which keeps ids apart.
    pub fn new(number: u64, rng: &mut Rng) -> Self {
        let is_bad = rng.u32(0..10_000) < MISTAKES_PER_10_000;
        let mistake = if is_bad { rng.u8(0..8) } else { u8::MAX };
        let bad_id = (mistake < 4).then(|| pick(rng, &IDS));
        let first_name = pick(rng, &FIRST_NAMES);
        Self {
            customer_id: match bad_id {
                Some(id) => id.to_owned(),
                None => format!("cus_{:08x}{number:08}", rng.u32(..)),
            },
            has_bad_id: bad_id.is_some(),
            has_bad_type: (4..8).contains(&mistake),
            first_name,
            last_name: pick(rng, &LAST_NAMES),
            email: format!("user{number}.{}@{}", rng.u16(0..1000), pick(rng, &DOMAINS)),
            mobile: format!("+91{}", rng.u64(6_000_000_000..10_000_000_000)),
            plan: pick(rng, &PLANS),
            renews_at: cell(mistake == 4, rng, &NO_DATES, Time::new),
            vip: cell(mistake == 5, rng, &NO_BOOLS, |rng| rng.u8(0..100) < 3),
            lifetime_value: cell(mistake == 6, rng, &NO_NUMBERS, |rng| Decimal {
                units: rng.u32(0..2_000_000),
                decimals: 2,
            }),
            orders: cell(mistake == 7, rng, &NO_COUNTS, |rng| rng.i32(0..250)),
            city: pick(rng, &CITIES),
            last_note: match rng.u8(0..100) {
                0..=54 => "",
                55..=84 => pick(rng, &NOTES),
                85..=96 => pick(rng, &QUOTED_NOTES),
                _ => pick(rng, &LONG_NOTES),
            },
            utm_source: pick(rng, &SOURCES),
            opt_in: rng.u8(0..10) < 6,
            score: Decimal { units: rng.u32(0..1_800_000), decimals: 4 },
            last_seen: Time::new(rng),
            device_hash: rng.i64(0..1 << 40),
            segment: format!("seg_{:02}", rng.u8(0..40)),
        }
    }

    /// Appends the row as a CSV record.
    pub fn write_csv(&self, out: &mut Vec<u8>) {
        for text in [&self.customer_id, self.first_name, self.last_name, &self.email] {
            out.extend(text.as_bytes());
            out.push(b',');
        }
        put(out, format_args!("{},{},", self.mobile, self.plan));
        written(self.renews_at, out, Time::write);
        written(self.vip, out, |vip, out| put(out, format_args!("{vip}")));
        written(self.lifetime_value, out, Decimal::write);
        written(self.orders, out, |orders, out| put(out, format_args!("{orders}")));
        quoted(self.city, out);
        out.push(b',');
        quoted(self.last_note, out);
        put(out, format_args!(",{},{},", self.utm_source, self.opt_in));
        self.score.write(out);
        out.push(b',');
        self.last_seen.write(out);
        put(out, format_args!(",{},{}\n", self.device_hash, self.segment));
    }
}

fn pick(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.usize(..from.len())]
}

fn cell<T>(
    is_wrong: bool,
    rng: &mut Rng,
    wrong: &[&'static str],
    value: impl FnOnce(&mut Rng) -> T,
) -> Cell<T> {
    if is_wrong { Cell::Wrong(pick(rng, wrong)) } else { Cell::Value(value(rng)) }
}

fn written<T>(cell: Cell<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    match cell {
        Cell::Value(value) => write(value, out),
        Cell::Wrong(text) => out.extend(text.as_bytes()),
    }
    out.push(b',');
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    if text.contains([',', '"', '\n', '\r']) {
        put(out, format_args!("\"{}\"", text.replace('"', "\"\"")));
    } else {
        out.extend(text.as_bytes());
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written");
}
