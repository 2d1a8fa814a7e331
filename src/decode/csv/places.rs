//! Places in records, for people to see: a record is found again by its line, and in it the bytes
//! of a cell, or those that break the grammar. Nothing here is on the way of the rows.

use std::{
    io::{self, BufRead, BufReader},
    ops::Range,
};

use super::{
    CsvReader, Dialect, Error, Transcoder,
    grammar::{self, Broken, Cells, Parsed, Slice},
    reader::ResumePlace,
};
use crate::model::{Code, LinePlace, Place, Position, TextEncoding, TextRows};
use crate::source::CheckedFile;

/// Bytes that are read at most to find a line again: a moment's work.
const SEARCHED_BYTES_MAX: u64 = 256 << 20;

/// The same of a file that is decoded on the way, which takes longer.
const DECODED_BYTES_MAX: u64 = 64 << 20;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;

/// Bytes in the block of the record, about.
const BLOCK_BYTES: usize = 64 << 10;

/// Bytes of a record that are kept for its places.
const RECORD_BYTES_MAX: usize = 128 << 10;

/// Places in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// The record as it stands in the decoded file, or the front of a long one.
    pub raw: Vec<u8>,
    /// Stretches of it, the one that it is about first.
    pub spans: Vec<Range<usize>>,
    /// How the file is written.
    pub dialect: Dialect,
}

impl RecordPlace {
    /// Places in a record.
    pub(super) fn new(raw: &[u8], spans: Vec<Range<usize>>, dialect: &Dialect) -> Box<Self> {
        let raw = raw[..raw.len().min(RECORD_BYTES_MAX)].to_vec();
        let kept = |at: usize| at.min(raw.len());
        let spans = spans.into_iter().map(|span| kept(span.start)..kept(span.end)).collect();
        Box::new(Self { raw, spans, dialect: dialect.clone() })
    }
}

/// The header, or the first record where there is none, as it stands in the decoded file, and its
/// line.
///
/// # Errors
/// The file can't be read.
pub fn header_record(file: &CheckedFile, dialect: &Dialect) -> Result<(u64, Vec<u8>), Error> {
    let text = Transcoder::new(file.reader(), dialect.encoding);
    let mut reader = CsvReader::before_header(text, dialect.clone(), BLOCK_BYTES)?;
    let rows = reader.peek()?.ok_or(Error::Empty)?;
    let record = rows.records.first().ok_or(Error::Empty)?;
    Ok((record.line, rows.raw(0).to_vec()))
}

/// The row that stands at a position, read again: one record, or one damaged stretch. `near` is a
/// place before it, where one is known. `None` where no such row is there, or where its line is too
/// far behind that place, or the start of the file, to look for it.
///
/// # Errors
/// The file can't be read, or has changed.
pub fn record_at(
    file: &CheckedFile,
    dialect: &Dialect,
    header: &[String],
    at: Position,
    near: Option<LinePlace>,
) -> Result<Option<TextRows>, Error> {
    let Place::Line(line) = at.place else { return Ok(None) };
    let start = LinePlace { offset: 0, line: 1 };
    // Offsets in decoded text are none in the file.
    let from = near.filter(|_| dialect.encoding == TextEncoding::Utf8).unwrap_or(start);
    let text = Transcoder::new(file.reader_at(from.offset), dialect.encoding);
    let mut text = BufReader::with_capacity(CHUNK_BYTES, text);
    if from == start && text.fill_buf()?.starts_with(TextEncoding::Utf8.mark()) {
        text.consume(TextEncoding::Utf8.mark().len());
    }
    let bytes_max = match dialect.encoding {
        TextEncoding::Utf8 => SEARCHED_BYTES_MAX,
        _ => DECODED_BYTES_MAX,
    };
    if !pass_lines(&mut text, line.saturating_sub(from.line), bytes_max)? {
        return Ok(None);
    }
    let place = ResumePlace { offset: 0, rows: at.row.saturating_sub(1), line };
    let mut reader = CsvReader::resume(text, at.file, dialect, header, place, BLOCK_BYTES);
    let Some(mut rows) = reader.next_block()? else { return Ok(None) };
    rows.keep_rows(&(at.row..at.row + 1));
    let record = rows.records.first().map(|record| record.line);
    let found = record.or(rows.damage.first().and_then(|damage| damage.position.place.line()));
    Ok((found == Some(line)).then_some(rows))
}

/// Reads past so many line ends; whether they are there, within so many bytes.
fn pass_lines(text: &mut impl BufRead, mut lines: u64, mut bytes_left: u64) -> io::Result<bool> {
    while lines > 0 {
        let data = text.fill_buf()?;
        if data.is_empty() || bytes_left == 0 {
            return Ok(false);
        }
        let in_data = memchr::memchr_iter(b'\n', data).count() as u64;
        let bytes = if in_data < lines {
            lines -= in_data;
            data.len()
        } else {
            let last = memchr::memchr_iter(b'\n', data).nth(lines as usize - 1);
            lines = 0;
            last.map_or(data.len(), |at| at + 1)
        };
        bytes_left = bytes_left.saturating_sub(bytes as u64);
        text.consume(bytes);
    }
    Ok(true)
}

/// Where the cells of a record lie in it, their quotes included. Of what breaks the grammar they are
/// what delimiters make of it.
pub fn cells(raw: &[u8], dialect: &Dialect) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let (mut start, mut at, mut quoted) = (0, 0, false);
    while let Some(&byte) = raw.get(at) {
        if Some(byte) == dialect.escape {
            at += 1;
        } else if Some(byte) == dialect.quote && (quoted || at == start) {
            quoted = !quoted;
            // A doubled one opens again what it has closed.
            if !quoted && raw.get(at + 1) == dialect.quote.as_ref() {
                at += 1;
                quoted = true;
            }
        } else if byte == dialect.delimiter && !quoted {
            cells.push(start..at);
            start = at + 1;
        }
        at += 1;
    }
    cells.push(start..raw.len());
    cells
}

/// The first CR outside of quotes that no LF follows, before the first line end or the record's end.
/// `ended` says whether anything can follow the last byte.
pub(super) fn bare_cr(raw: &[u8], ended: bool, dialect: &Dialect) -> Option<usize> {
    let (mut at, mut opens, mut quoted) = (0, true, false);
    while let Some(&byte) = raw.get(at) {
        let next = raw.get(at + 1).copied();
        if Some(byte) == dialect.escape {
            (at, opens) = (at + 1, false);
        } else if Some(byte) == dialect.quote && (quoted || opens) {
            let is_doubled = quoted && next == dialect.quote;
            at += usize::from(is_doubled);
            (quoted, opens) = (is_doubled || !quoted, false);
        } else if !quoted {
            match byte {
                b'\n' => return None,
                b'\r' if next.map_or(ended, |next| next != b'\n') => return Some(at),
                _ => opens = byte == dialect.delimiter,
            }
        }
        at += 1;
    }
    None
}

/// The bytes of a record that break the rule; `None` where it is the record as a whole.
pub fn fault_in(raw: &[u8], dialect: &Dialect, code: Code) -> Option<Range<usize>> {
    match code {
        Code::NulByte => memchr::memchr(0, raw).map(|at| at..at + 1),
        Code::InvalidUtf8 | Code::InvalidEncoding => {
            let error = std::str::from_utf8(raw).err()?;
            let start = error.valid_up_to();
            let is_escaped = matches!(raw[start..], [0xf8..=0xfb, 0x80..=0xbf, ..]);
            let bytes = if is_escaped { 2 } else { 1 };
            Some(start..start + bytes)
        }
        Code::QuoteInField | Code::TextAfterQuote | Code::UnclosedQuote => {
            let mut cells = Cells {
                fields: &mut Vec::new(),
                unescaped: &mut Vec::new(),
                base: 0,
                keep: 0,
                fields_max: usize::MAX,
            };
            let slice = Slice { data: raw, ended: true, dialect };
            match grammar::parse(slice, &mut cells) {
                Parsed::Broken(Broken { code: Code::UnclosedQuote, at, .. }) => Some(at..raw.len()),
                Parsed::Broken(Broken { at, .. }) => {
                    let inside = |byte: &&u8| **byte & 0xc0 == 0x80;
                    let more = raw[at + 1..].iter().take_while(inside).count();
                    Some(at..at + 1 + more)
                }
                Parsed::Record(_) | Parsed::Incomplete => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn shown<'a>(raw: &'a str, dialect: &Dialect) -> Vec<&'a str> {
        cells(raw.as_bytes(), dialect).into_iter().map(|cell| &raw[cell]).collect()
    }

    #[test]
    fn cells_lie_between_delimiters_with_their_quotes() {
        let usual = Dialect::default();
        assert_eq!(shown("a,\"b,\"\"\nc\",", &usual), ["a", "\"b,\"\"\nc\"", ""]);
        assert_eq!(shown("", &usual), [""]);
        assert_eq!(shown("a\"b,c", &usual), ["a\"b", "c"]);
        let escaping = Dialect { escape: Some(b'\\'), quote: None, ..usual };
        assert_eq!(shown("a\\,b,\"c,d", &escaping), ["a\\,b", "\"c", "d"]);
    }

    #[test]
    fn a_cr_alone_is_one_outside_of_quotes_and_of_line_ends() {
        let usual = Dialect::default();
        let found = |raw: &[u8]| bare_cr(raw, true, &usual);
        assert_eq!(found(b"a,b\rc\n"), Some(3));
        assert_eq!(found(b"a,b\r"), Some(3));
        assert_eq!(bare_cr(b"a,b\r", false, &usual), None, "an LF may follow");
        assert_eq!(found(b"\"a\"\r\"b\"\r"), Some(3));
        assert_eq!(found(b"a,\"b\"\"\r\"\r"), Some(8));
        assert_eq!(found(b"a,\"b\rc\",d\r\ne\rf"), None);
        assert_eq!(found(b"a\"\r\"b"), Some(2), "such a quote opens nothing");
        let escaping = Dialect { escape: Some(b'\\'), ..usual.clone() };
        assert_eq!(bare_cr(b"a\\\rb\r", true, &escaping), Some(4));
        let without = Dialect { quote: None, ..usual };
        assert_eq!(bare_cr(b"\"\r\"", true, &without), Some(1));
    }

    #[test]
    fn the_bytes_that_break_a_rule_are_found() {
        let usual = Dialect::default();
        let found = |raw: &[u8], code| fault_in(raw, &usual, code);
        assert_eq!(found(b"a,b\"c", Code::QuoteInField), Some(3..4));
        assert_eq!(found(b"a,\"b\"c", Code::TextAfterQuote), Some(5..6));
        assert_eq!(found(b"a,\"bc\nd", Code::UnclosedQuote), Some(2..7));
        assert_eq!(found(b"a\xff", Code::InvalidUtf8), Some(1..2));
        let [one, two] = crate::model::escape(0x81);
        assert_eq!(found(&[b'a', one, two], Code::InvalidEncoding), Some(1..3));
        assert_eq!(found(b"a\0", Code::NulByte), Some(1..2));
        assert_eq!(found(b"a,b", Code::FieldCount), None);
    }

    #[test]
    fn a_row_that_is_no_longer_there_is_not_found() {
        let path = tempfile::NamedTempFile::new().expect("tempfile");
        std::fs::write(path.path(), "h\na\nb\nc\n").expect("write");
        let file = CheckedFile::open(path.path(), None).expect("open");
        let header = vec!["h".to_owned()];
        let find = |line, near| {
            let at = Position { file: 0, row: line - 1, place: Place::Line(line) };
            let rows = record_at(&file, &Dialect::default(), &header, at, near);
            rows.map(|rows| rows.map(|rows| rows.raw(0).to_vec()))
        };
        assert_eq!(find(4, None).expect("read"), Some(b"c".to_vec()));
        let near = Some(LinePlace { offset: 4, line: 3 });
        assert_eq!(find(4, near).expect("read"), Some(b"c".to_vec()));
        assert_eq!(find(5, None).expect("read"), None);
        assert_eq!(find(9, near).expect("read"), None);
        std::fs::write(path.path(), "h\n").expect("write");
        assert!(find(4, None).is_err(), "the file is shorter than it was");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: proptest::test_runner::RngSeed::Fixed(5),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// Every row that the reader gives is found again by its position, as it was.
        #[test]
        fn rows_are_found_again(
            pieces in vec(select(vec!["a", ",", "\"", "\n", "\r\n", "é", "b,c\n", "\"x\ny\",z\n", "\n\n"]), 0..40),
            mark in any::<bool>(),
        ) {
            let mut text = if mark { "\u{feff}h1,h2\n" } else { "h1,h2\n" }.to_owned();
            text.extend(pieces);
            let path = tempfile::NamedTempFile::new().expect("tempfile");
            std::fs::write(path.path(), &text).expect("write");
            let file = CheckedFile::open(path.path(), None).expect("open");
            let dialect = Dialect::default();
            let mut reader = CsvReader::open(text.as_bytes(), 3, dialect.clone()).expect("a header");
            let header = reader.header().to_vec();
            prop_assert_eq!(header_record(&file, &dialect).expect("read"), (1, b"h1,h2".to_vec()));
            while let Some(rows) = reader.next_block().expect("read") {
                for (index, record) in rows.records.iter().enumerate() {
                    let place = Place::Line(record.line);
                    let at = Position { file: 3, row: record.row, place };
                    let found = record_at(&file, &dialect, &header, at, None).expect("read").expect("found");
                    prop_assert_eq!(found.raw(0), rows.raw(index));
                    let lines = text.split_inclusive('\n').take(record.line as usize - 1);
                    let offset = lines.map(|line| line.len() as u64).sum();
                    let near = Some(LinePlace { offset, line: record.line });
                    let again = record_at(&file, &dialect, &header, at, near).expect("read").expect("found");
                    prop_assert_eq!(again.raw(0), rows.raw(index));
                    prop_assert_eq!(cells(found.raw(0), &dialect).len(), 2);
                }
                for damage in &rows.damage {
                    let found = record_at(&file, &dialect, &header, damage.position, None).expect("read");
                    prop_assert_eq!(&found.expect("found").damage[0], damage);
                }
            }
        }
    }
}
