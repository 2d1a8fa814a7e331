//! The type of one column by all of its values, and what is to be said of them.

use super::{names, text::string};
use crate::shape::{
    datetime::DateFormat,
    encode::EPOCH_SECONDS_MAX,
    infer::Minority,
    plan::{Plan, SourceColumn, ValueType},
    profile::{Column, Profile, Span, Verdict},
};

/// How the note on digits that are no number begins.
pub const NOT_A_NUMBER: &str = "numbers, but";

/// What the note on pairs of words says.
pub const FOR_A_BOOLEAN: &str = "for a boolean";

/// The earliest epoch seconds that are taken for a time: 2000-01-01.
const EPOCH_MIN: f64 = 946_684_800.0;

/// The type of a column, and what goes with it.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The type that all values fit.
    pub value: ValueType,
    /// Words that mean no value, where the type has no room for them.
    pub null_words: Vec<String>,
    /// The format of dates that may as well be month-first.
    pub ambiguous: Option<DateFormat>,
    /// What is to be said.
    pub notes: Vec<String>,
    dates: Verdict,
}

/// Looks at a column of the plan.
pub fn typed(
    plan: &Plan,
    minorities: &[Minority],
    profile: &Profile,
    source: &SourceColumn,
    at: usize,
) -> Typed {
    let column = &profile.columns[at];
    let dates = column.dates.verdict(column.values);
    let mut typed = Typed {
        value: plan.columns[at].value,
        null_words: Vec::new(),
        ambiguous: None,
        notes: Vec::new(),
        dates: dates.clone(),
    };
    if let Some(refusal) = &source.refusal {
        typed.notes.push(format!("can't be sent: it {refusal}"));
        return typed;
    }
    if source.nested {
        return typed;
    }
    match dates {
        Verdict::Proven(format, _) => typed.value = ValueType::DateTime(format),
        Verdict::Ambiguous(format) => typed.ambiguous = Some(format),
        Verdict::MonthFirst(_) => typed.notes.push(
            "dates, month first, which no format reads: sent as text unless the values are rewritten, as \
             YYYY-MM-DD"
                .into(),
        ),
        Verdict::Unreadable if minority(minorities, at).is_some() => {}
        Verdict::Unreadable => typed.notes.push(
            "made like dates, but no one format reads them all: sent as text unless the values are \
             rewritten, as YYYY-MM-DD"
                .into(),
        ),
        Verdict::None => {}
    }
    if matches!(typed.value, ValueType::DateTime(_)) && column.dates.zoneless > 0 {
        typed.notes.push(format!(
            "{}name no time zone and are read as UTC; if that is wrong, set timezone = \"Europe/Berlin\" or \
             another",
            some(column.dates.zoneless, column.values)
        ));
    }
    if typed.value == ValueType::Text && typed.ambiguous.is_none() {
        text_notes(&mut typed, minorities, column, at);
    } else {
        typed.null_words = column.nulls().map(|(word, _)| word.to_owned()).collect();
    }
    if typed.value == ValueType::Number
        && let Some(few) = &column.few
        && names::words(few).is_some()
    {
        boolean_note(&mut typed, column);
    }
    typed
}

/// `12 values ` or `all values `.
fn some(count: u64, of: u64) -> String {
    if count == of { "all values ".into() } else { format!("{count} values ") }
}

fn minority(minorities: &[Minority], at: usize) -> Option<&Minority> {
    minorities.iter().find(|minority| minority.column as usize == at)
}

fn text_notes(typed: &mut Typed, minorities: &[Minority], column: &Column, at: usize) {
    if let Some(minority) = minority(minorities, at) {
        let first = minority.misfits.first.first();
        let place = first.map(|at| format!(", the first in row {}", at.row)).unwrap_or_default();
        typed.notes.push(format!(
            "{} of {} values fit {}{place} does not: sent as text, unless such are mended",
            minority.values - minority.misfits.count,
            minority.values,
            minority.narrower.as_str(),
        ));
    } else if column.values > 0 && column.numbers.all == column.values {
        typed.notes.push(format!(
            "{NOT_A_NUMBER} not all plain numbers (leading zeros, a plus, an exponent, or more digits than a \
             double keeps): sent as text, as they stand"
        ));
    }
    if let Some(few) = &column.few
        && names::words(few).is_some()
    {
        boolean_note(typed, column);
    }
}

/// What is to be said of words that may mean no value, where they are sent as text.
pub fn null_note(column: &Column) -> Option<String> {
    let words: Vec<String> =
        column.nulls().map(|(word, count)| format!("{count} × `{word}`")).collect();
    let list: Vec<_> = column.nulls().map(|(word, _)| string(word)).collect();
    (!words.is_empty()).then(|| {
        format!(
            "{} is sent as text; if it means no value, add null = [{}]",
            words.join(", "),
            list.join(", ")
        )
    })
}

fn boolean_note(typed: &mut Typed, column: &Column) {
    let Some((yes, no)) = column.few.as_ref().and_then(names::words) else { return };
    let list =
        |words: &[String]| words.iter().map(|word| string(word)).collect::<Vec<_>>().join(", ");
    typed.notes.push(format!(
        "{FOR_A_BOOLEAN}: type = \"bool\", true = [{}], false = [{}]",
        list(&yes),
        list(&no)
    ));
}

impl Typed {
    /// The earliest and latest date.
    pub fn span(&self) -> Option<&Span> {
        match &self.dates {
            Verdict::Proven(_, span) | Verdict::MonthFirst(span) => Some(span),
            _ => None,
        }
    }

    /// Why the values are no time of an event, as a clause.
    pub fn time_trouble(&self, column: &Column) -> Option<&'static str> {
        if matches!(self.value, ValueType::DateTime(_)) || self.ambiguous.is_some() {
            return None;
        }
        if column.values == 0 {
            return Some("it is empty");
        }
        if column.numbers.all == column.values
            && let Some((least, most)) = &column.numbers.range
        {
            return match (least.0, most.0) {
                (_, most) if most >= EPOCH_SECONDS_MAX => {
                    Some("epoch milliseconds; the API takes seconds: divide by 1000")
                }
                (least, _) if least < EPOCH_MIN => {
                    Some("the numbers are no epoch seconds of our time")
                }
                _ => None,
            };
        }
        Some("not all values are dates in one format that can be read, or epoch seconds")
    }
}
