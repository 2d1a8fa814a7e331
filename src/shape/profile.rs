//! What the columns of the inputs hold, from every value: how much is empty, how many are distinct,
//! which range and which shape. It is observed block by block, and the blocks are merged in order;
//! how they were cut changes nothing.
//!
//! - `distinct`: how many distinct values;
//! - `dates`: the date formats that all values fit;
//! - `examples`: a few values, masked.

mod dates;
mod distinct;
mod examples;

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    cell::Cell,
    cells::{ArrowCells, Cells, TextCells},
    infer::{Inference, Minority},
    json_cells::JsonCells,
    number::Number,
    plan::{Binding, Plan},
};
use crate::model::{Code, Rows};
use crate::wire::ids::{self, IdVerdict};

pub use dates::{Dates, Span, Verdict};
pub use distinct::Distinct;
pub use examples::{EXAMPLES_MAX, Examples, printable};

/// Texts that exports write where there is no value. They are counted, and types are found without
/// them.
pub const NULL_WORDS: [&str; 12] =
    ["NULL", "null", "Null", "N/A", "n/a", "#N/A", "NA", "NaN", "nan", "None", "\\N", "-"];

/// The longest of them, in bytes.
const NULL_WORD_BYTES_MAX: usize = 4;

/// Rows at the start of each file whose values are compared by how they are made.
const EARLY_ROWS: u64 = 1_000;

/// Values of a column that are kept while there are no more.
const FEW_MAX: usize = 8;

/// Bytes of such a value.
const FEW_BYTES_MAX: usize = 24;

/// Digits that a telephone number has (ITU-T E.164: at most 15; the least is a short local one).
const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What the values of all columns of a plan are.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Sound rows.
    pub rows: u64,
    /// Damaged stretches, each of which counts as one rejected row, by the rule that they break.
    pub damaged: BTreeMap<Code, u64>,
    /// By column of the plan.
    pub columns: Vec<Column>,
    /// Their types.
    pub types: Inference,
}

/// What the values of one column are.
#[derive(Clone, Debug)]
pub struct Column {
    /// Values: cells that are neither empty nor mean none.
    pub values: u64,
    /// Rows of inputs that have no such column.
    pub missing: u64,
    /// Cells whose text means no value, by [`NULL_WORDS`].
    pub null_words: [u64; NULL_WORDS.len()],
    /// Distinct values.
    pub distinct: Distinct,
    /// Characters of the shortest and of the longest value.
    pub chars: Option<(usize, usize)>,
    /// The values that are numbers.
    pub numbers: Numbers,
    /// The values that are dates.
    pub dates: Dates,
    /// Values that are made as e-mail addresses are.
    pub emails: u64,
    /// Values that are made as telephone numbers are.
    pub phones: u64,
    /// Values that the API refuses as a customer_id.
    pub disallowed: u64,
    /// Values that trimmed and in lower case are such.
    pub lookalikes: u64,
    /// All distinct values, where they are few and short.
    pub few: Option<BTreeSet<String>>,
    /// Some of them.
    pub examples: Examples,
}

/// The numbers of a column.
#[derive(Clone, Debug, Default)]
pub struct Numbers {
    /// Values that are numbers in any form.
    pub all: u64,
    /// Those that are whole, of digits alone.
    pub whole: u64,
    /// Those with an exponent.
    pub exponents: u64,
    /// The smallest and the largest, with their digits as they stand.
    pub range: Option<((f64, String), (f64, String))>,
}

impl Numbers {
    fn add(&mut self, digits: &str, number: &Number<'_>) {
        self.all += 1;
        self.whole += u64::from(number.is_integer());
        self.exponents += u64::from(digits.contains(['e', 'E']));
        let Ok(value) = digits.trim().parse::<f64>() else { return };
        self.widen(value, digits);
    }

    fn widen(&mut self, value: f64, digits: &str) {
        let Some((least, most)) = &mut self.range else {
            self.range = Some(((value, digits.to_owned()), (value, digits.to_owned())));
            return;
        };
        if value < least.0 {
            *least = (value, digits.to_owned());
        }
        if value > most.0 {
            *most = (value, digits.to_owned());
        }
    }

    fn merge(&mut self, next: &Self) {
        self.all += next.all;
        self.whole += next.whole;
        self.exponents += next.exponents;
        for (value, digits) in next.range.iter().flat_map(|(least, most)| [least, most]) {
            self.widen(*value, digits);
        }
    }
}

impl Profile {
    /// Nothing seen yet.
    pub fn new(plan: &Plan) -> Self {
        let columns = plan.columns.len();
        Self {
            rows: 0,
            damaged: BTreeMap::new(),
            columns: (0..columns).map(|_| Column::one_of(columns)).collect(),
            types: Inference::new(plan),
        }
    }

    /// Looks at all values of a block, by a plan whose rules name, after the null words that were
    /// given, [`NULL_WORDS`]. `Err` names a column that cannot be read.
    pub fn observe(plan: &Plan, binding: &Binding, rows: &Rows) -> Result<Self, String> {
        let mut seen = Self::new(plan);
        seen.types = Inference::observe(plan, binding, rows, &[])?;
        seen.rows = rows.len() as u64;
        for damage in rows.damage() {
            *seen.damaged.entry(damage.code).or_default() += 1;
        }
        match rows {
            Rows::Text(text) => seen.look(plan, binding, rows, &TextCells::new(text, binding)),
            Rows::Json(json) => {
                seen.look(plan, binding, rows, &JsonCells::new(json, plan, binding));
            }
            Rows::Arrow(arrow) => {
                seen.look(plan, binding, rows, &ArrowCells::new(arrow, plan, binding)?);
            }
        }
        Ok(seen)
    }

    /// Takes in what the rows that follow hold.
    pub fn merge(&mut self, next: &Self) {
        self.rows += next.rows;
        for (&code, count) in &next.damaged {
            *self.damaged.entry(code).or_default() += count;
        }
        self.types.merge(&next.types);
        for (ours, theirs) in self.columns.iter_mut().zip(&next.columns) {
            ours.merge(theirs);
        }
    }

    /// Rows, damaged stretches among them.
    pub fn rows_read(&self) -> u64 {
        self.rows + self.damaged.values().sum::<u64>()
    }

    /// Whether there are rows, and none of them could be read.
    pub fn is_unreadable(&self) -> bool {
        self.rows == 0 && !self.damaged.is_empty()
    }

    /// Gives every column of the plan its type, and tells which types a few values decided.
    pub fn resolve(&self, plan: &mut Plan) -> Vec<Minority> {
        self.types.resolve(plan)
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        let columns = self.columns.iter().map(|column| {
            size_of::<Column>() as u64
                + column.distinct.memory_bytes()
                + column.dates.memory_bytes()
                + column.examples.memory_bytes()
        });
        columns.sum::<u64>() + self.types.memory_bytes()
    }

    fn look<C: Cells>(&mut self, plan: &Plan, binding: &Binding, rows: &Rows, cells: &C) {
        let mut scratch = String::new();
        let nulls = plan.rules.null_values.as_slice();
        let given = &nulls[..nulls.len().saturating_sub(NULL_WORDS.len())];
        for (at, column) in self.columns.iter_mut().enumerate() {
            if binding.sources[at].is_none() {
                column.missing += rows.len() as u64;
                continue;
            }
            for row in 0..rows.len() {
                let early = rows.position(row).row <= EARLY_ROWS;
                match cells.cell(row, at, &mut scratch) {
                    Cell::Absent | Cell::Bad(_) | Cell::Text("") => {}
                    Cell::Text(text) if given.iter().any(|null| null == text) => {}
                    Cell::Text(text) => match null_word(text) {
                        Some(word) => column.null_words[word] += 1,
                        None => column.text(text, early, C::UNTYPED),
                    },
                    Cell::Number { digits, .. } => {
                        if let Some(number) = Number::parse(digits) {
                            column.numbers.add(digits, &number);
                        }
                        column.value(digits, early);
                    }
                    Cell::Bool(value) => column.value(if value { "true" } else { "false" }, early),
                    Cell::DateTime { text, .. } => {
                        column.dates.add_typed(text);
                        column.value(text, early);
                    }
                    Cell::Json { json, .. } => column.value(json, early),
                }
            }
        }
    }
}

impl Column {
    fn one_of(columns: usize) -> Self {
        Self {
            values: 0,
            missing: 0,
            null_words: [0; NULL_WORDS.len()],
            distinct: Distinct::one_of(columns),
            chars: None,
            numbers: Numbers::default(),
            dates: Dates::default(),
            emails: 0,
            phones: 0,
            disallowed: 0,
            lookalikes: 0,
            few: Some(BTreeSet::new()),
            examples: Examples::default(),
        }
    }

    /// The shape of a text, beside what is counted of every value.
    fn text(&mut self, text: &str, early: bool, untyped: bool) {
        let begins = matches!(text.as_bytes()[0], b'0'..=b'9' | b'-' | b'+' | b'.' | b' ' | b'\t');
        if untyped
            && begins
            && let Some(number) = Number::parse(text)
        {
            self.numbers.add(text, &number);
        }
        self.dates.add(text);
        self.emails += u64::from(is_email(text));
        self.phones += u64::from(is_phone(text));
        self.value(text, early);
    }

    fn value(&mut self, text: &str, early: bool) {
        self.values += 1;
        self.distinct.add(xxh3_64(text.as_bytes()));
        if !ids::is_plainly_allowed(text.as_bytes()) {
            match ids::judge(text) {
                IdVerdict::Allowed | IdVerdict::Float => {}
                IdVerdict::Lookalike => self.lookalikes += 1,
                IdVerdict::Missing | IdVerdict::TooShort | IdVerdict::Disallowed => {
                    self.disallowed += 1;
                }
            }
        }
        let (shortest, longest) = self.chars.unwrap_or((usize::MAX, 0));
        // A character has one to four bytes: most need no counting.
        if text.len() > longest || text.len() / 4 < shortest {
            let chars = text.chars().count();
            self.chars = Some((shortest.min(chars), longest.max(chars)));
        }
        self.add_few(text);
        if self.examples.are_open(early) {
            self.examples.add(text, early);
        }
    }

    fn add_few(&mut self, text: &str) {
        let Some(few) = &mut self.few else { return };
        if few.contains(text) {
            return;
        }
        if few.len() == FEW_MAX || text.len() > FEW_BYTES_MAX {
            self.few = None;
        } else {
            few.insert(text.to_owned());
        }
    }

    fn merge(&mut self, next: &Self) {
        self.values += next.values;
        self.missing += next.missing;
        for (ours, theirs) in self.null_words.iter_mut().zip(&next.null_words) {
            *ours += theirs;
        }
        self.distinct.merge(&next.distinct);
        self.chars = match (self.chars, next.chars) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (ours, theirs) => ours.or(theirs),
        };
        self.numbers.merge(&next.numbers);
        self.dates.merge(&next.dates);
        self.emails += next.emails;
        self.phones += next.phones;
        self.disallowed += next.disallowed;
        self.lookalikes += next.lookalikes;
        match &next.few {
            Some(few) => few.iter().for_each(|text| self.add_few(text)),
            None => self.few = None,
        }
        self.examples.merge(&next.examples);
    }

    /// Words that mean no value and occur.
    pub fn nulls(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NULL_WORDS.into_iter().zip(self.null_words).filter(|&(_, count)| count > 0)
    }
}

/// Which of [`NULL_WORDS`] a text is.
fn null_word(text: &str) -> Option<usize> {
    (text.len() <= NULL_WORD_BYTES_MAX)
        .then(|| NULL_WORDS.iter().position(|word| *word == text))
        .flatten()
}

/// `x@y.z`, without a blank.
fn is_email(text: &str) -> bool {
    if memchr::memchr(b'@', text.as_bytes()).is_none() {
        return false;
    }
    let Some((name, host)) = text.trim().rsplit_once('@') else { return false };
    let (left, right) = host.rsplit_once('.').unwrap_or_default();
    !name.is_empty()
        && !left.is_empty()
        && !right.is_empty()
        && !text.trim().contains(char::is_whitespace)
}

/// Digits with a sign, blanks and the usual punctuation between them.
fn is_phone(text: &str) -> bool {
    let rest = text.strip_prefix('+').unwrap_or(text);
    let mut digits = 0;
    for byte in rest.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b' ' | b'-' | b'(' | b')' | b'.' | b'/' => {}
            _ => return false,
        }
    }
    PHONE_DIGITS.contains(&digits)
}

#[cfg(test)]
mod tests;
