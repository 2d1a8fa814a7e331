//! Random values: of every Unicode plane, at every edge of numbers and calendar, nested in every
//! way. Each knows the JSON that has to arrive.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use fastrand::Rng;

use crate::support::Json;

/// A value without regard to any file format.
#[derive(Clone, Debug)]
pub enum Value {
    Absent,
    Text(String),
    /// A number as the file spells it, and the digits that JSON has for it.
    Number {
        spelled: String,
        digits: String,
    },
    /// A number that the file holds as a double.
    Double(f64),
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i64),
    /// Since 1970-01-01T00:00:00Z.
    Moment {
        seconds: i64,
        nanos: u32,
    },
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// First and last day with a year of four digits.
pub const DAYS: [i64; 2] = [-719_528, 2_932_896];
const SECONDS_PER_DAY: i64 = 86_400;

impl Value {
    pub fn digits(digits: impl ToString) -> Self {
        Self::Number { spelled: digits.to_string(), digits: digits.to_string() }
    }

    /// What has to arrive; nothing of what is absent.
    pub fn json(&self) -> Option<Json> {
        Some(match self {
            Self::Absent => return None,
            Self::Text(text) => Json::text(text),
            Self::Number { digits, .. } => Json::Number(digits.clone()),
            Self::Double(value) => Json::Number(shortest(*value)),
            Self::Bool(value) => Json::Bool(*value),
            Self::Date(days) => Json::Stamp(date(*days).to_string()),
            Self::Moment { seconds, nanos } => {
                let moment = DateTime::from_timestamp(*seconds, 0).expect("in range").naive_utc();
                let clock = moment.format("%H:%M:%S");
                Json::Stamp(format!("{}T{clock}.{:03}Z", moment.date(), nanos / 1_000_000))
            }
            Self::List(items) => Json::Array(items.iter().filter_map(Self::json).collect()),
            Self::Object(fields) => Json::object(
                fields.iter().filter_map(|(name, value)| Some((name.as_str(), value.json()?))),
            ),
        })
    }

    /// What has to arrive where the mapping makes a text of it.
    pub fn json_text(&self) -> Option<Json> {
        Some(match self.json()? {
            Json::Number(digits) => Json::Text(digits),
            Json::Bool(value) => Json::Text(value.to_string()),
            other => other,
        })
    }
}

/// The fewest digits that give the double again.
fn shortest(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0.0" } else { "0" }.to_owned();
    }
    let plain = (1e-6..1e21).contains(&value.abs());
    let digits = if plain { value.to_string() } else { format!("{value:e}") };
    assert_eq!(digits.parse::<f64>().map(f64::to_bits), Ok(value.to_bits()));
    digits
}

pub fn date(days: i64) -> NaiveDate {
    DateTime::from_timestamp(days * SECONDS_PER_DAY, 0).expect("in range").date_naive()
}

pub fn one<T: Copy>(rng: &mut Rng, list: &[T]) -> T {
    list[rng.usize(..list.len())]
}

/// Where values come from. A CSV file cannot hold a NUL.
pub struct Source {
    pub rng: Rng,
    pub nul: bool,
}

impl Source {
    pub fn character(&mut self) -> char {
        const TROUBLE: &str =
            "\"\"'',;|\t\n\r\\/[]{}: \u{1}\u{b}\u{1f}\u{7f}\u{85}\u{2028}\u{feff}";
        let rng = &mut self.rng;
        loop {
            let code = match rng.u8(..10) {
                0..4 => rng.u32(0x20..0x7f),
                4 | 5 => {
                    let trouble: Vec<char> = TROUBLE.chars().collect();
                    u32::from(one(rng, &trouble))
                }
                6 => rng.u32(..0x800),
                _ => rng.u32(..17) << 16 | rng.u32(..0x1_0000),
            };
            match char::from_u32(code) {
                Some('\0') if !self.nul => {}
                Some(character) => return character,
                None => {}
            }
        }
    }

    /// Any text but the words that the mappings of this suite have for none.
    pub fn text(&mut self) -> String {
        loop {
            let text = self.any_text();
            if !crate::table::NULLS.contains(&text.as_str()) {
                return text;
            }
        }
    }

    fn any_text(&mut self) -> String {
        match self.rng.u16(..400) {
            0 => (0..512).map(|_| self.character()).collect(),
            1 => "x".repeat(512),
            2..20 => one(
                &mut self.rng,
                &[" ", "  padded\t", "\n", "\r\n", "\r", "\"", "\"\"", "''", "[]", "[a|b]", "{}"],
            )
            .to_owned(),
            20..40 => one(
                &mut self.rng,
                &[
                    "007",
                    "1e5",
                    "true",
                    "null",
                    "2024-02-30",
                    "NaN",
                    "e\u{301}",
                    "👩‍👩‍👧",
                    "\u{202e}abc",
                ],
            )
            .to_owned(),
            40..60 => String::new(),
            _ => {
                let length = self.rng.usize(1..9);
                (0..length).map(|_| self.character()).collect()
            }
        }
    }

    /// Any text that names something: blanks alone are none, as an event's action or a device's id.
    pub fn word(&mut self) -> String {
        loop {
            let text = self.text();
            if !text.trim().is_empty() {
                return text;
            }
        }
    }

    /// An id that the API takes: more than one character, and none of its 22 values.
    pub fn id(&mut self) -> String {
        loop {
            let id = match self.rng.u8(..20) {
                0 => {
                    one(&mut self.rng, &["Null", " none", "Guest ", "N/A", "0012", "10"]).to_owned()
                }
                _ => self.word(),
            };
            let dropped = ["null", "true", "false", "unknown", "guest", "none", "id", "uid", "na"];
            if id.chars().count() > 1 && !dropped.contains(&id.as_str()) && id != "-1" && id != "-2"
            {
                return id;
            }
        }
    }

    pub fn distinct_words(&mut self, count: usize) -> Vec<String> {
        let mut words = BTreeSet::new();
        while words.len() < count {
            words.insert(self.word());
        }
        let mut words: Vec<String> = words.into_iter().collect();
        self.rng.shuffle(&mut words);
        words
    }

    fn digit_run(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(b'0' + self.rng.u8(..10))).collect()
    }

    /// A number in JSON's grammar, which no double has to hold exactly.
    pub fn json_number(&mut self) -> Value {
        const EDGES: [&str; 22] = [
            "0",
            "-0",
            "-0.0",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "-9007199254740993",
            "123456789012345",
            "1234567890123456",
            "12345678901234567",
            "0.1234567890123456",
            "9223372036854775807",
            "-9223372036854775808",
            "18446744073709551615",
            "12345678901234567890123456789012345678",
            "0.00000000000000000000000000000000000001",
            "1.7976931348623157e308",
            "2.2250738585072014e-308",
            "5e-324",
            "1E+05",
            "0e999",
            "1.50",
        ];
        if self.rng.u8(..4) == 0 {
            return Value::digits(one(&mut self.rng, &EDGES));
        }
        if self.rng.u8(..4) == 0 {
            return Value::digits(format!("{:e}", self.double()));
        }
        let length = self.rng.usize(1..20);
        let integer = self.digit_run(length);
        let integer = integer.trim_start_matches('0');
        let sign = if self.rng.bool() { "-" } else { "" };
        let mut text = format!("{sign}{}", if integer.is_empty() { "0" } else { integer });
        if self.rng.bool() {
            let length = self.rng.usize(1..20);
            text = format!("{text}.{}", self.digit_run(length));
        }
        if self.rng.u8(..4) == 0 {
            let sign = one(&mut self.rng, &["e", "e+", "e-", "E", "E-0"]);
            text = format!("{text}{sign}{}", self.rng.u8(..250));
        }
        Value::digits(text)
    }

    /// A number as people write them: `+5`, `.5`, `5.`, `007`, blanks around.
    pub fn spelled_number(&mut self) -> Value {
        let Value::Number { digits, .. } = self.json_number() else { unreachable!() };
        let (sign, size) = match digits.strip_prefix('-') {
            Some(size) => ("-", size),
            None => (if self.rng.u8(..4) == 0 { "+" } else { "" }, digits.as_str()),
        };
        let bare = self.rng.u8(..3) == 0;
        let size = match size.strip_prefix("0.") {
            Some(fraction) if bare => format!(".{fraction}"),
            _ if bare && size.bytes().all(|byte| byte.is_ascii_digit()) => format!("{size}."),
            _ if self.rng.u8(..4) == 0 => format!("{}{size}", "0".repeat(self.rng.usize(1..4))),
            _ => size.to_owned(),
        };
        let mut blanks = || one(&mut self.rng, &["", "", "", "", " ", "\t "]);
        Value::Number { spelled: format!("{}{sign}{size}{}", blanks(), blanks()), digits }
    }

    /// A finite double, of any size.
    pub fn double(&mut self) -> f64 {
        const EDGES: [f64; 10] = [
            0.0,
            -0.0,
            0.1,
            f64::MAX,
            f64::MIN_POSITIVE,
            9_007_199_254_740_993.0,
            1e21,
            1e-7,
            123_456.789,
            f64::EPSILON,
        ];
        match self.rng.u8(..8) {
            0 => one(&mut self.rng, &EDGES),
            1..4 => self.rng.f64() * 1e6,
            _ => loop {
                let value = f64::from_bits(self.rng.u64(..));
                if value.is_normal() {
                    break value;
                }
            },
        }
    }

    /// Days: ends of the calendar, leap days, and any.
    pub fn days(&mut self) -> i64 {
        let edges = [(0, 2, 29), (1900, 2, 28), (1969, 12, 31), (2000, 2, 29), (2024, 2, 29)];
        match self.rng.u8(..10) {
            0 => DAYS[0],
            1 => DAYS[1],
            2 => {
                let (year, month, day) = one(&mut self.rng, &edges);
                let date = NaiveDate::from_ymd_opt(year, month, day).expect("a day");
                date.signed_duration_since(NaiveDate::default()).num_days()
            }
            3..6 => self.rng.i64(DAYS[0]..=DAYS[1]),
            _ => self.rng.i64(0..25_000),
        }
    }

    /// A moment, to `places` digits of a second.
    pub fn moment(&mut self, places: u32) -> Value {
        let second = match self.rng.u8(..6) {
            0 => 0,
            1 => SECONDS_PER_DAY - 1,
            _ => self.rng.i64(..SECONDS_PER_DAY).rem_euclid(SECONDS_PER_DAY),
        };
        let unit = 10_u32.pow(9 - places);
        let nanos = match self.rng.u8(..4) {
            0 => 0,
            1 => 1_000_000_000 - unit,
            _ => self.rng.u32(..1_000_000_000) / unit * unit,
        };
        let nanos = if places == 0 { 0 } else { nanos };
        Value::Moment { seconds: self.days() * SECONDS_PER_DAY + second, nanos }
    }

    /// What a JSON document can hold, nested up to `depth` levels.
    pub fn document(&mut self, depth: usize) -> Value {
        let kind = if depth == 0 { self.rng.u8(..5) } else { self.rng.u8(..12) };
        let length = self.rng.usize(..4);
        match kind {
            0 | 1 => Value::Text(self.text()),
            2 => self.json_number(),
            3 => Value::Bool(self.rng.bool()),
            4 => Value::Absent,
            5..8 => Value::List((0..length).map(|_| self.document(depth - 1)).collect()),
            _ => {
                let names = self.distinct_words(length);
                Value::Object(
                    names.into_iter().map(|name| (name, self.document(depth - 1))).collect(),
                )
            }
        }
    }

    /// A chain of lists and objects around one value.
    pub fn deep(&mut self, levels: usize) -> Value {
        (0..levels).fold(Value::Text(self.text()), |inner, _| match self.rng.bool() {
            true => Value::List(vec![inner]),
            false => Value::Object(vec![(self.word(), inner)]),
        })
    }
}
