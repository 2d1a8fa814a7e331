//! What a file's first bytes and records tell of how it is written.
//!
//! A byte order mark tells the encoding. Delimiter and quote, where no flag gives them, are
//! judged with the strict reader itself on the first [`SAMPLE_BYTES`], by the strongest
//! evidence that there is:
//!
//! 1. Our own last column ends the header: a rejects file.
//! 2. Of the names that the import looks for, one delimiter finds the most in the header.
//! 3. Under one delimiter alone all sampled records have one field count of at least two,
//!    and the header's names are distinct and not empty.
//!
//! Where two delimiters pass the third, the one of the file's name is taken, and else the
//! file is refused: cells cut in the wrong place would be sent as data. Where none does,
//! the file has one column or is damaged, and the default leaves each record its reject.
//!
//! `'` is taken for the quote where it encloses every name of the header, or where the
//! records fit with it, not with `"`, and it encloses something. That there is no quote at
//! all is never guessed: a stray `"` would look the same.

use std::{collections::HashSet, io::Read};

use memchr::{memchr, memrchr};

use super::{
    Dialect, Error, places,
    reader::{CsvReader, FOREIGN_MARKS},
};
use crate::model::{Code, TextEncoding, TextRows};

/// Decoded bytes that are looked at.
const SAMPLE_BYTES: usize = 1 << 20;

/// Bytes of a sample between two looks at what was found.
const STEP_BYTES: usize = 16 * 1024;

/// What may separate fields without being named.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// What may enclose fields without being named.
const QUOTES: [Option<u8>; 2] = [Some(b'"'), Some(b'\'')];

/// How a file is written as far as the user and its name say.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// What holds where nothing is to be found.
    pub dialect: &'a Dialect,
    /// The encoding; `None` = by the byte order mark, else UTF-8.
    pub encoding: Option<TextEncoding>,
    /// Whether [`Dialect::delimiter`] was given, so that none is to be found.
    pub delimiter_given: bool,
    /// Whether [`Dialect::quote`] was given.
    pub quote_given: bool,
    /// What the file's name suggests where no delimiter was given.
    pub delimiter_by_name: u8,
    /// Column names that the header should have.
    pub names: &'a [String],
}

/// The encoding of a file that starts with these bytes (four, or all of them).
///
/// # Errors
/// An encoding that can't be read, or a mark that contradicts the flag.
pub fn encoding(start: &[u8], given: Option<TextEncoding>) -> Result<TextEncoding, Error> {
    let foreign = FOREIGN_MARKS.iter().find(|(mark, _)| start.starts_with(mark));
    if let Some((_, encoding)) = foreign.filter(|(mark, _)| mark.len() == 4) {
        return Err(Error::NotUtf8 { encoding });
    }
    match (TextEncoding::of_mark(start), given) {
        (None, given) => Ok(given.unwrap_or_default()),
        // `utf-16` names no byte order; the mark does.
        (Some(found), Some(given)) if found.is_utf_16() && given.is_utf_16() => Ok(found),
        (Some(found), Some(given)) if found != given => {
            Err(Error::Mark { found: found.name(), given: given.name() })
        }
        (Some(found), _) => Ok(found),
    }
}

/// The dialect of a file, whose decoded text is `read`.
///
/// # Errors
/// The bytes can't be read, or two delimiters fit.
pub fn dialect(read: impl Read, given: &Given<'_>) -> Result<Dialect, Error> {
    let mut usual = given.dialect.clone();
    if !given.delimiter_given {
        usual.delimiter = given.delimiter_by_name;
    }
    if given.delimiter_given && given.quote_given {
        return Ok(usual);
    }
    let sample = Sample::of(read)?;
    let delimiters = if given.delimiter_given { &[usual.delimiter][..] } else { &DELIMITERS };
    let quotes = if given.quote_given { &[usual.quote][..] } else { &QUOTES };
    let with = |delimiter, quote| Dialect { delimiter, quote, ..usual.clone() };

    for (&quote, &delimiter) in quotes.iter().flat_map(|q| delimiters.iter().map(move |d| (q, d))) {
        let own = Dialect { skip_lines: 0, ..with(delimiter, quote) };
        if sample.first(&own).is_some_and(|first| CsvReader::<&[u8]>::ends_own_header(&first.names))
        {
            return Ok(with(delimiter, quote));
        }
    }
    let quoted = |delimiter| with(delimiter, sample.quote(quotes, &with(delimiter, usual.quote)));
    let candidates: Vec<Dialect> = delimiters
        .iter()
        .map(|&delimiter| quoted(delimiter))
        .filter(|dialect| dialect.check().is_ok())
        .collect();
    if given.delimiter_given {
        return Ok(candidates.into_iter().next().unwrap_or(usual));
    }
    if usual.header
        && let Some(found) = by_names(&sample, &candidates, given.names)
    {
        return Ok(found.clone());
    }
    let fitting: Vec<(&Dialect, usize)> = candidates
        .iter()
        .filter_map(|dialect| {
            let First { names, has_bare_cr, .. } = sample.first(dialect)?;
            // Where CR ends the lines, all of the file is one record, and fits whatever cuts it.
            let named = names.len() > 1 && !has_bare_cr && (!dialect.header || are_names(&names));
            (named && sample.look(dialect).fits).then_some((dialect, names.len()))
        })
        .collect();
    match fitting[..] {
        [] => Ok(quoted(usual.delimiter)),
        [(found, _)] => Ok(found.clone()),
        [(one, columns), (other, other_columns), ..] => {
            let by_name = fitting
                .iter()
                .find(|(dialect, _)| dialect.delimiter == b'\t' && usual.delimiter == b'\t');
            by_name.map(|(found, _)| (*found).clone()).ok_or(Error::TwoDelimiters {
                one: delimiter_name(one.delimiter),
                columns,
                other: delimiter_name(other.delimiter),
                other_columns,
            })
        }
    }
}

/// A delimiter in a message.
pub fn delimiter_name(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() }
}

/// The dialect under which the first record has more of the names than under any other.
fn by_names<'a>(
    sample: &Sample,
    candidates: &'a [Dialect],
    names: &[String],
) -> Option<&'a Dialect> {
    let names: HashSet<&str> = names.iter().map(String::as_str).collect();
    let counts: Vec<usize> = candidates
        .iter()
        .map(|dialect| match sample.first(dialect) {
            Some(first) if first.names.len() > 1 => {
                first.names.iter().filter(|name| names.contains(name.as_str())).count()
            }
            _ => 0,
        })
        .collect();
    let most = counts.iter().copied().max().filter(|&most| most > 0)?;
    let mut best = candidates.iter().zip(&counts).filter(|(_, count)| **count == most);
    match (best.next(), best.next()) {
        (Some((found, _)), None) => Some(found),
        _ => None,
    }
}

fn are_names(names: &[String]) -> bool {
    let mut seen = HashSet::new();
    names.iter().all(|name| !name.is_empty() && seen.insert(name))
}

/// The first bytes of a file.
struct Sample {
    text: Vec<u8>,
    /// Whether that is all of it.
    whole: bool,
}

/// The first record under a dialect.
struct First {
    names: Vec<String>,
    /// Whether every field is enclosed in quotes.
    enclosed: bool,
    /// Whether a CR stands alone in it, outside of quotes.
    has_bare_cr: bool,
}

/// A sample under a dialect.
#[derive(Default)]
struct Look {
    /// Whether all records keep the grammar and have one field count.
    fits: bool,
    /// Whether any field is enclosed in quotes.
    encloses: bool,
    /// Whether a value starts or ends with `"`.
    double_at_edge: bool,
}

impl Sample {
    fn of(read: impl Read) -> std::io::Result<Self> {
        let mut text = Vec::new();
        read.take(SAMPLE_BYTES as u64 + 1).read_to_end(&mut text)?;
        let whole = text.len() <= SAMPLE_BYTES;
        if !whole {
            // Most likely the end of a record; a quoted cell that goes on is found later.
            text.truncate(memrchr(b'\n', &text).map_or(0, |end| end + 1));
        }
        Ok(Self { text, whole })
    }

    /// The quote for a delimiter.
    fn quote(&self, quotes: &[Option<u8>], usual: &Dialect) -> Option<u8> {
        let single = Some(b'\'');
        let possible = quotes.contains(&single) && !usual.lenient_quotes;
        if !possible || memchr(b'\'', &self.text).is_none() {
            return usual.quote;
        }
        let dialect = Dialect { quote: single, ..usual.clone() };
        let Some(first) = self.first(&dialect) else { return usual.quote };
        let takes = dialect.header && first.enclosed || {
            let look = self.look(&dialect);
            look.fits && look.encloses && !look.double_at_edge && !self.look(usual).fits
        };
        if takes { single } else { usual.quote }
    }

    /// The first record, where it is sound.
    fn first(&self, dialect: &Dialect) -> Option<First> {
        let first = self.reader(dialect)?.peek().ok()??;
        std::str::from_utf8(first.raw(0)).is_ok().then(|| First::of(&first, dialect))
    }

    fn look(&self, dialect: &Dialect) -> Look {
        let mut look = Look::default();
        let Some(mut reader) = self.reader(dialect) else { return look };
        while let Ok(Some(block)) = reader.next_block() {
            look.encloses |= (0..block.records.len())
                .any(|row| (0..block.columns).any(|column| is_enclosed(&block, row, column)));
            look.double_at_edge |= (0..block.records.len()).any(|row| {
                (0..block.columns)
                    .map(|column| block.cell(row, column))
                    .any(|cell| cell.first() == Some(&b'"') || cell.last() == Some(&b'"'))
            });
            for damage in &block.damage {
                match damage.code {
                    // How many fields it would have nobody knows.
                    Code::InvalidUtf8 | Code::InvalidEncoding | Code::NulByte => {}
                    // The cell that the sample's end cuts in two.
                    Code::UnclosedQuote if !self.whole => {
                        look.fits = true;
                        return look;
                    }
                    _ => return look,
                }
            }
        }
        look.fits = true;
        look
    }

    fn reader(&self, dialect: &Dialect) -> Option<CsvReader<&[u8]>> {
        let dialect = Dialect { header: false, ..dialect.clone() };
        CsvReader::open_as_given(self.text.as_slice(), 0, dialect, STEP_BYTES).ok()
    }
}

impl First {
    fn of(block: &TextRows, dialect: &Dialect) -> Self {
        let names = (0..block.columns)
            .map(|column| String::from_utf8_lossy(block.cell(0, column)).into_owned())
            .collect();
        let enclosed = (0..block.columns).all(|column| is_enclosed(block, 0, column));
        let has_bare_cr = places::bare_cr(block.raw(0), true, dialect).is_some();
        Self { names, enclosed, has_bare_cr }
    }
}

fn is_enclosed(block: &TextRows, row: usize, column: usize) -> bool {
    let field = block.fields[row * block.columns + column];
    let raw = &block.records[row].raw;
    // Without an escape character only enclosed fields have anything to resolve.
    field.is_unescaped()
        || field.start > raw.start && matches!(block.bytes[field.start as usize - 1], b'\'' | b'"')
}
