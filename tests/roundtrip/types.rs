//! What kinds of values a column can have, and random values of each.

use std::collections::BTreeSet;

use crate::values::{Source, Value, one};

/// Which values a column has; where it is native, also its Arrow type.
#[derive(Clone, Debug)]
pub enum Type {
    Word,
    Choice(&'static [&'static str]),
    Offset,
    Epoch,
    Text,
    Spelled,
    Bool,
    Date,
    /// With the digits of a second: 0, 3, 6 or 9.
    Moment(u32),
    Document,
    Texts(&'static str),
    Numbers,
    /// Bits, and whether there are negative ones; 48 bits lie in 64.
    Int(u32, bool),
    Decimal(usize, usize),
    Double,
    Single,
    List(Box<Type>),
    Struct(Vec<(String, Type)>),
    Map(Box<Type>),
}

/// An Arrow type of lists, structs and maps.
pub fn nested(source: &mut Source, depth: usize) -> Type {
    if depth == 0 {
        let decimal = Type::Decimal(38, 9);
        let leaves = [
            Type::Text,
            Type::Bool,
            Type::Double,
            Type::Date,
            Type::Moment(6),
            Type::Int(64, true),
            decimal,
        ];
        return leaves[source.rng.usize(..leaves.len())].clone();
    }
    match source.rng.u8(..3) {
        0 => Type::List(Box::new(nested(source, depth - 1))),
        1 => Type::Map(Box::new(nested(source, depth - 1))),
        _ => {
            let count = source.rng.usize(1..4);
            let names = source.distinct_words(count);
            Type::Struct(names.into_iter().map(|name| (name, nested(source, depth - 1))).collect())
        }
    }
}

/// A value of a type.
pub fn random(source: &mut Source, ty: &Type) -> Value {
    let maybe = |source: &mut Source, ty: &Type| match source.rng.u8(..6) {
        0 => Value::Absent,
        _ => random(source, ty),
    };
    match ty {
        Type::Word => Value::Text(source.word()),
        Type::Choice(words) => Value::Text(one(&mut source.rng, words).to_owned()),
        Type::Offset => {
            let edges = [0, 54_000, -54_000, 19_800];
            let offset = match source.rng.bool() {
                true => one(&mut source.rng, &edges),
                false => source.rng.i32(-54_000..=54_000),
            };
            let digits = offset.to_string();
            let spelled = match source.rng.u8(..4) {
                0 if offset >= 0 => format!("+{digits}"),
                1 => format!("{digits}.00"),
                _ => digits.clone(),
            };
            Value::Number { spelled, digits }
        }
        Type::Epoch => match source.rng.u8(..3) {
            0 => source.moment(9),
            1 => Value::Date(source.days()),
            _ => {
                let seconds = one(&mut source.rng, &[0, 1_700_000_000, 99_999_999_999_u64]);
                let fraction = one(&mut source.rng, &["", ".5", ".123"]);
                Value::digits(format!("{seconds}{fraction}"))
            }
        },
        Type::Text => Value::Text(source.text()),
        Type::Spelled => source.spelled_number(),
        Type::Bool => Value::Bool(source.rng.bool()),
        Type::Date => Value::Date(source.days()),
        Type::Moment(places) => match source.moment(*places) {
            // As nanoseconds in 64 bits.
            Value::Moment { seconds, nanos } if *places == 9 => {
                Value::Moment { seconds: seconds % 9_000_000_000, nanos }
            }
            moment => moment,
        },
        Type::Document => match source.rng.u8(..30) {
            0 => {
                let levels = source.rng.usize(1..40);
                source.deep(levels)
            }
            _ => source.document(3),
        },
        Type::Texts(separator) => {
            let count = source.rng.usize(..5);
            let item = |source: &mut Source| {
                Value::Text(source.text().replace(|c| separator.contains(c), ""))
            };
            Value::List((0..count).map(|_| item(source)).collect())
        }
        Type::Numbers => {
            let count = source.rng.usize(..5);
            Value::List((0..count).map(|_| source.spelled_number()).collect())
        }
        &Type::Int(bits, signed) => {
            let any = source.rng.u64(..);
            let any = match source.rng.u8(..5) {
                0 => 0,
                1 => u64::MAX,
                2 => 1 << (bits - 1),
                3 => (1 << (bits - 1)) - 1,
                _ => any,
            };
            match signed {
                true => Value::digits(any as i64 >> (63 - (bits - 1))),
                false => Value::digits(any >> (64 - bits)),
            }
        }
        &Type::Decimal(precision, scale) => {
            let length = source.rng.usize(1..=precision);
            let digits: String = match source.rng.u8(..5) {
                0 => "9".repeat(precision),
                _ => (0..length).map(|_| char::from(b'0' + source.rng.u8(..10))).collect(),
            };
            let digits = digits.trim_start_matches('0');
            let digits = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let point = if scale > 0 { "." } else { "" };
            let is_zero = digits.bytes().all(|digit| digit == b'0');
            let sign = if !is_zero && source.rng.bool() { "-" } else { "" };
            Value::digits(format!("{sign}{whole}{point}{fraction}"))
        }
        Type::Double => Value::Double(source.double()),
        Type::Single => loop {
            let value = f32::from_bits(source.rng.u32(..));
            if value.is_normal() || value == 0.0 {
                break Value::Double(value.into());
            }
        },
        Type::List(inner) => {
            let count = source.rng.usize(..4);
            Value::List((0..count).map(|_| maybe(source, inner)).collect())
        }
        Type::Struct(fields) => Value::Object(
            fields.iter().map(|(name, inner)| (name.clone(), maybe(source, inner))).collect(),
        ),
        Type::Map(inner) => {
            let count = source.rng.usize(..4);
            let names: BTreeSet<String> = (0..count).map(|_| source.text()).collect();
            Value::Object(names.into_iter().map(|name| (name, maybe(source, inner))).collect())
        }
    }
}
