//! The fast way over sound records: separators and quotes as bits, 64 bytes at a time. Pure.
//!
//! It takes exactly the records that [`grammar`](super::grammar) takes too, with the right
//! field count and of valid UTF-8, and stops before the first one that is anything else: that
//! one is for the reader to weigh. Without escapes the grammar can be told from bits: outside
//! of quotes a delimiter or LF ends a field; a quote opens behind such an end, or behind a quote
//! that closes (then the two are one quote of the value); and a quote that closes stands before
//! a delimiter, a line end or such a quote.

use fearless_simd::{Level, dispatch, prelude::*, u8x64};
use memchr::memchr;

use super::{Dialect, block::record_bytes_min};
use crate::model::{Field, TextRecord, TextRows};

/// Bytes that one step looks at.
const STEP_BYTES: usize = 64;

/// Bytes that are checked to be text at a time: a record that is no sound one costs that
/// much of looking ahead, so it must not be much.
const CHECKED_BYTES: usize = 16 * 1024;

/// Fields that are written at a time.
const FIELDS_AT_ONCE: usize = 8;

/// How records are written, as far as the scan needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan {
    delimiter: u8,
    quote: Option<u8>,
    columns: usize,
    record_bytes_max: usize,
    /// The least that a record counts as: as JSON it has the names of its columns.
    record_bytes_min: usize,
}

/// What was taken from the start of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Where the next record begins: behind the last one taken and the blank lines after it.
    pub(super) end: usize,
    /// Line ends up to there.
    pub(super) lines: u64,
    /// Records.
    pub(super) records: u64,
    /// The last record, if there is any.
    pub(super) last: Option<Last>,
    /// Whether as much was taken as was asked for.
    pub(super) full: bool,
}

/// The last record taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Last {
    /// Where it begins in the slice.
    pub(super) start: usize,
    /// Its bytes, without the line end.
    pub(super) bytes: usize,
    /// Fields in the block before it.
    pub(super) fields: usize,
    /// Bytes of unescaped values in the block before it.
    pub(super) unescaped: usize,
}

/// Where in the file a slice begins, and how much may be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// Data rows before it.
    pub(super) rows: u64,
    /// The line on which it begins.
    pub(super) line: u64,
    /// Stop behind the record with which so many bytes of records and overhead are taken.
    pub(super) bytes_max: usize,
}

/// The bytes of one step as bits, the first byte the lowest.
#[derive(Clone, Copy)]
struct Bits {
    delimiter: u64,
    line_feed: u64,
    quote: u64,
}

/// What one step leaves to the next.
#[derive(Clone, Copy)]
struct Carry {
    /// All ones inside of quotes.
    inside: u64,
    /// The last byte was one before which a quote may open.
    may_open: u64,
    /// The last byte was a quote that closes.
    closed: u64,
    /// The last byte was a CR behind such a quote.
    closed_cr: u64,
}

impl Scan {
    /// The scan of a dialect; `None` where an escape makes the bits of quotes say nothing.
    pub(super) fn of(dialect: &Dialect, header: &[String]) -> Option<Self> {
        let Dialect { delimiter, quote, record_bytes_max, .. } = *dialect;
        let (columns, record_bytes_min) = (header.len(), record_bytes_min(header));
        let scan = Self { delimiter, quote, columns, record_bytes_max, record_bytes_min };
        dialect.escape.is_none().then_some(scan)
    }

    /// What encloses fields.
    pub(super) fn quote(&self) -> Option<u8> {
        self.quote
    }

    /// Takes the sound records at the start of `data` into a block, whose fields count from the
    /// bytes that the caller adds to it: `data` up to [`Taken::end`].
    pub(super) fn take(&self, data: &[u8], from: Start, rows: &mut TextRows) -> Taken {
        self.take_with(Level::new(), data, from, rows)
    }

    /// [`Scan::take`] with given vectors.
    pub(super) fn take_with(
        &self,
        level: Level,
        data: &[u8],
        from: Start,
        rows: &mut TextRows,
    ) -> Taken {
        let mut taking = Taking {
            scan: self,
            data,
            base: rows.bytes.len(),
            rows,
            row: from.rows,
            line: from.line,
            first_line: from.line,
            settled: 0,
            unescaped: 0,
            record: 0,
            field: 0,
            filled: 0,
            full: from.bytes_max,
            quoted_lines: 0,
            quotes_end: 0,
            taken: Taken::default(),
        };
        taking.begin_record(0, taking.rows.fields.len());
        dispatch!(level, simd => taking.run(simd));
        taking.finish()
    }
}

impl Bits {
    #[inline(always)]
    fn of<S: Simd>(scan: &Scan, step: u8x64<S>) -> Self {
        Self {
            delimiter: bits(step, scan.delimiter),
            line_feed: bits(step, b'\n'),
            quote: scan.quote.map_or(0, |quote| bits(step, quote)),
        }
    }
}

/// Where a byte stands in a step, as bits.
#[inline(always)]
fn bits<S: Simd>(step: u8x64<S>, byte: u8) -> u64 {
    step.simd_eq(byte).to_bitmask()
}

impl Carry {
    /// At the start of a record.
    fn new() -> Self {
        Self { inside: 0, may_open: 1, closed: 0, closed_cr: 0 }
    }

    /// The separators of a step that end a field, and the first places where it breaks the
    /// grammar.
    #[inline(always)]
    fn step<S: Simd>(&mut self, found: Bits, step: u8x64<S>) -> (u64, u64) {
        let Bits { delimiter, line_feed, quote } = found;
        let separators = delimiter | line_feed;
        if quote == 0 && self.inside == 0 && self.closed | self.closed_cr == 0 {
            self.may_open = separators >> 63;
            return (separators, 0);
        }
        // Inside behind each byte: an odd number of quotes up to it.
        let inside = prefix_xor(quote) ^ self.inside;
        let opens = quote & inside;
        let closes = quote & !inside;
        let ends = separators & !inside;
        let may_open = (ends | closes) << 1 | self.may_open;
        let behind_closed = closes << 1 | self.closed;
        let closed_cr = behind_closed & bits(step, b'\r');
        let behind_closed_cr = closed_cr << 1 | self.closed_cr;
        let breaks = (opens & !may_open)
            | (behind_closed & !(separators | quote | closed_cr))
            | (behind_closed_cr & !line_feed);
        *self = Self {
            inside: ((inside as i64) >> 63) as u64,
            may_open: (ends | closes) >> 63,
            closed: closes >> 63,
            closed_cr: closed_cr >> 63,
        };
        (ends, breaks)
    }
}

/// For each bit whether an odd number of bits up to it is set.
fn prefix_xor(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].iter().fold(bits, |bits, shift| bits ^ bits << shift)
}

/// How far the bytes are text without NUL, looked at from `from` on and no further than needed
/// for a few steps; at the end of a slice, a character that is cut counts as none.
fn text_until(data: &[u8], from: usize) -> usize {
    let mut end = data.len().min(from + CHECKED_BYTES);
    // A character that the end cuts is looked at next time.
    while end < data.len() && end > from && data[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    let end = from + memchr(0, &data[from..end]).unwrap_or(end - from);
    match simdutf8::basic::from_utf8(&data[from..end]) {
        Ok(_) => end,
        Err(_) => {
            std::str::from_utf8(&data[from..end]).map_or_else(|e| from + e.valid_up_to(), |_| end)
        }
    }
}

/// The records while they are taken.
struct Taking<'a> {
    scan: &'a Scan,
    data: &'a [u8],
    rows: &'a mut TextRows,
    /// Bytes in the block before the slice.
    base: usize,
    row: u64,
    line: u64,
    first_line: u64,
    /// Fields and unescaped bytes in the block before the record at hand.
    settled: usize,
    unescaped: usize,
    /// Where the record at hand begins.
    record: usize,
    /// Where the field at hand begins.
    field: usize,
    filled: usize,
    full: usize,
    /// Line ends in quotes in the record so far.
    quoted_lines: u64,
    /// Behind the last quote that was seen: fields that begin there or later have none so far.
    quotes_end: usize,
    taken: Taken,
}

impl Taking<'_> {
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let mut carry = Carry::new();
        let (mut at, mut text) = (0, 0);
        while at < self.data.len() {
            if text < self.data.len() && text < at + STEP_BYTES {
                text = text_until(self.data, text);
            }
            let end = (at + STEP_BYTES).min(text);
            let mut last;
            let step = match self.data[at..].first_chunk() {
                Some(step) => step,
                None => {
                    last = [0; STEP_BYTES];
                    last[..self.data.len() - at].copy_from_slice(&self.data[at..]);
                    &last
                }
            };
            let step = u8x64::from_slice(simd, step);
            let found = Bits::of(self.scan, step);
            let (mut ends, breaks) = carry.step(found, step);
            let quoted_lines = found.line_feed & !ends;
            let sound = breaks.trailing_zeros().min((end - at) as u32);
            if sound < STEP_BYTES as u32 {
                ends &= (1 << sound) - 1;
            }
            if found.quote != 0 {
                self.quotes_end = at + STEP_BYTES - found.quote.leading_zeros() as usize;
            }
            let goes_on = if self.field < self.quotes_end || quoted_lines != 0 {
                self.end_fields(at, ends, quoted_lines)
            } else {
                self.end_plain_fields(at, ends, found.line_feed)
            };
            if !goes_on || sound < STEP_BYTES as u32 {
                return;
            }
            at += STEP_BYTES;
        }
    }

    /// Ends the fields of a step without quotes; whether to go on. Fields are counted where the
    /// record ends. How many end in a step nobody can guess, so they are written a few at a time.
    #[inline(always)]
    fn end_plain_fields(&mut self, at: usize, ends: u64, line_feeds: u64) -> bool {
        let before = self.rows.fields.len();
        let (mut field, mut left) = (self.field, ends);
        while left != 0 {
            let batch = [(); FIELDS_AT_ONCE].map(|()| {
                let end = at + left.trailing_zeros() as usize;
                left &= left.wrapping_sub(1);
                let (start, len) = (self.base + field, end.wrapping_sub(field));
                field = end + 1;
                Field::raw(start, len)
            });
            self.rows.fields.extend_from_slice(&batch);
        }
        self.rows.fields.truncate(before + ends.count_ones() as usize);
        let mut feeds = ends & line_feeds;
        while feeds != 0 {
            let bit = feeds.trailing_zeros();
            let ended = before + (ends & ((1 << bit) - 1)).count_ones() as usize;
            let (field, len) = {
                let field = self.rows.fields[ended];
                (field.start as usize - self.base, field.len())
            };
            let has_cr = len > 0 && self.data[at + bit as usize - 1] == b'\r';
            if field == self.record && len == usize::from(has_cr) {
                // A blank line, which is no record: they are rare.
                self.rows.fields.truncate(ended);
                self.field = field;
                return self.end_fields(at, ends & (u64::MAX << bit), 0);
            }
            self.rows.fields[ended].shorten(usize::from(has_cr));
            if !self.end_record(at + bit as usize, has_cr, ended + 1) {
                return false;
            }
            feeds &= feeds - 1;
        }
        if ends != 0 {
            self.field = at + STEP_BYTES - ends.leading_zeros() as usize;
        }
        true
    }

    /// Ends the fields of any step; whether to go on.
    fn end_fields(&mut self, at: usize, mut ends: u64, mut quoted_lines: u64) -> bool {
        while ends != 0 {
            let bit = ends.trailing_zeros();
            ends &= ends - 1;
            let before = quoted_lines & ((1 << bit) - 1);
            quoted_lines ^= before;
            self.quoted_lines += u64::from(before.count_ones());
            if !self.end_field(at + bit as usize) {
                return false;
            }
        }
        self.quoted_lines += u64::from(quoted_lines.count_ones());
        true
    }

    /// A separator outside of quotes; whether to go on.
    fn end_field(&mut self, at: usize) -> bool {
        if self.data[at] != b'\n' {
            self.push_field(at);
            self.field = at + 1;
            return true;
        }
        let has_cr = at > self.field && self.data[at - 1] == b'\r';
        let end = at - usize::from(has_cr);
        if end == self.record {
            self.line += 1;
            self.begin_record(at + 1, self.rows.fields.len());
            return true;
        }
        self.push_field(end);
        self.end_record(at, has_cr, self.rows.fields.len())
    }

    /// The line end of a record whose fields end at `fields`; whether to go on.
    #[inline(always)]
    fn end_record(&mut self, at: usize, has_cr: bool, fields: usize) -> bool {
        let end = at - usize::from(has_cr);
        let bytes = end - self.record;
        if fields - self.settled != self.scan.columns || bytes > self.scan.record_bytes_max {
            return false;
        }
        self.row += 1;
        let raw = (self.base + self.record) as u32..(self.base + end) as u32;
        self.rows.records.push(TextRecord { row: self.row, line: self.line, raw });
        self.line += 1 + self.quoted_lines;
        let last =
            Last { start: self.record, bytes, fields: self.settled, unescaped: self.unescaped };
        self.taken.last = Some(last);
        self.taken.records += 1;
        self.taken.full = self.filled >= self.full;
        self.filled += bytes.max(self.scan.record_bytes_min) + size_of::<TextRecord>();
        self.begin_record(at + 1, fields);
        !self.taken.full
    }

    /// A record begins, behind so many fields.
    fn begin_record(&mut self, at: usize, fields: usize) {
        self.record = at;
        self.field = at;
        self.quoted_lines = 0;
        self.settled = fields;
        self.unescaped = self.rows.unescaped.len();
        self.taken.end = at;
    }

    /// The field at hand ends before `end`.
    fn push_field(&mut self, end: usize) {
        let (start, quote) = (self.field, self.scan.quote);
        if start >= self.quotes_end {
            self.push(start, end);
            return;
        }
        if quote.is_none() || Some(self.data[start]) != quote || start == end {
            self.push(start, end);
            return;
        }
        // The bits have shown that a quote closes it right before its end.
        let value = &self.data[start + 1..end - 1];
        match quote.and_then(|quote| memchr(quote, value)) {
            None => self.push(start + 1, end - 1),
            Some(first) => self.unescape(value, first),
        }
    }

    /// A value with doubled quotes, the first of them at `at`.
    fn unescape(&mut self, value: &[u8], mut at: usize) {
        let start = self.rows.unescaped.len();
        let mut rest = value;
        loop {
            self.rows.unescaped.extend_from_slice(&rest[..=at]);
            rest = &rest[at + 2..];
            match self.scan.quote.and_then(|quote| memchr(quote, rest)) {
                Some(next) => at = next,
                None => break,
            }
        }
        self.rows.unescaped.extend_from_slice(rest);
        let len = self.rows.unescaped.len() - start;
        self.rows.fields.push(Field::unescaped(start, len));
    }

    fn push(&mut self, start: usize, end: usize) {
        self.rows.fields.push(Field::raw(self.base + start, end - start));
    }

    fn finish(mut self) -> Taken {
        self.rows.fields.truncate(self.settled);
        self.rows.unescaped.truncate(self.unescaped);
        self.taken.lines = self.line - self.first_line;
        self.taken
    }
}
