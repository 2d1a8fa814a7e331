//! The reader: a stream of bytes to blocks of records and damage.

use std::io::Read;

use memchr::memchr;

use super::{
    Dialect, Error,
    block::{Block, Mark},
    grammar::{self, Broken, Cells, Extent, Parsed, Slice},
    held::{Held, HeldRows},
    input::Input,
    places::{self, RecordPlace},
    raw::{Raw, line_ends},
    resync::{self, Tail, Verdict},
    scan::{Scan, Start},
};
use crate::model::{
    Code, Damage, GUARDED_COLUMN, Place, Position, TextEncoding, TextRows, unguarded,
};

/// Raw bytes in a block, about: enough work for a task, few enough to keep many in flight.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes that are at hand at least before they are scanned, unless the file ends.
const SCANNED_BYTES_MIN: usize = 64 * 1024;

/// Records that are read one by one at most before sound ones are scanned for again.
const SLOW_RECORDS_MAX: u32 = 255;

/// So many sound records in a row show that the file is sound here.
const SOUND_RECORDS_MIN: u64 = 16;

/// Byte order marks of other encodings; the longer ones first.
pub(super) const FOREIGN_MARKS: [(&[u8], &str); 4] = [
    (b"\xff\xfe\0\0", "UTF-32LE"),
    (b"\0\0\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
];

/// The last column of a rejects file. Nothing else has one of this name.
const OWN_LAST_COLUMN: &str = "_moebulk_message";

/// Reads the records of one CSV file, in order.
///
/// Memory is bounded by a few times [`Dialect::record_bytes_max`] and a block.
pub struct CsvReader<R: Read> {
    input: Input<R>,
    file: u32,
    dialect: Dialect,
    header: Vec<String>,
    rows_read: u64,
    /// The line on which the unread bytes start.
    line: u64,
    block_bytes: usize,
    /// Record by record, for tests of the fast way against this one.
    pub(super) is_slow: bool,
    /// Records to read before sound ones are scanned for again, and after the next time in vain.
    slow_records: u32,
    slow_next: u32,
    held: HeldRows,
    scan: Option<Scan>,
    /// Where the stream begins in the file.
    base: u64,
    /// The block in the making; empty but for held rows between two calls.
    block: Block,
}

/// A place in a file where a record begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ResumePlace {
    /// Offset in bytes.
    pub(super) offset: u64,
    /// Data rows before it.
    pub(super) rows: u64,
    /// The line, from 1.
    pub(super) line: u64,
}

impl<R: Read> CsvReader<R> {
    /// Opens a CSV file: passes over a UTF-8 byte order mark and
    /// [`Dialect::skip_lines`] lines, and reads the header. `file` is its index among the
    /// inputs, for positions.
    ///
    /// A rejects file has a header and nothing before it, whatever its source had: so the
    /// flags that read the source read it as well.
    ///
    /// # Errors
    /// The bytes can't be read or are in another encoding, the dialect contradicts itself,
    /// or there is no sound header. See [`Error`].
    pub fn open(read: R, file: u32, dialect: Dialect) -> Result<Self, Error> {
        Self::open_sized(read, file, dialect, BLOCK_BYTES)
    }

    /// [`CsvReader::open`] with another block size, for tests.
    ///
    /// # Errors
    /// As for [`CsvReader::open`].
    #[doc(hidden)]
    pub fn open_sized(
        read: R,
        file: u32,
        dialect: Dialect,
        block_bytes: usize,
    ) -> Result<Self, Error> {
        let mut reader = Self::begin(read, file, dialect, block_bytes)?;
        if (!reader.dialect.header || reader.dialect.skip_lines > 0) && reader.is_own_file()? {
            reader.dialect.header = true;
            reader.dialect.skip_lines = 0;
        }
        reader.skip_to_rows()?;
        Ok(reader)
    }

    /// [`CsvReader::open_sized`] with no look at whether it is a rejects file.
    pub(super) fn open_as_given(
        read: R,
        file: u32,
        dialect: Dialect,
        block_bytes: usize,
    ) -> Result<Self, Error> {
        let mut reader = Self::begin(read, file, dialect, block_bytes)?;
        reader.skip_to_rows()?;
        Ok(reader)
    }

    /// A reader that stands before the header, for a look at that.
    pub(super) fn before_header(
        read: R,
        dialect: Dialect,
        block_bytes: usize,
    ) -> Result<Self, Error> {
        let mut reader = Self::begin(read, 0, dialect, block_bytes)?;
        if reader.dialect.skip_lines > 0 && reader.is_own_file()? {
            reader.dialect.skip_lines = 0;
        }
        for _ in 0..reader.dialect.skip_lines {
            reader.take_line(&mut Raw::new(0))?;
        }
        reader.skip_blank_lines()?;
        Ok(reader)
    }

    fn begin(read: R, file: u32, dialect: Dialect, block_bytes: usize) -> Result<Self, Error> {
        dialect.check().map_err(Error::Dialect)?;
        let mut reader = Self {
            input: Input::new(read, block_bytes),
            file,
            dialect,
            header: Vec::new(),
            rows_read: 0,
            line: 1,
            block_bytes,
            is_slow: false,
            slow_records: 0,
            slow_next: 0,
            held: HeldRows::default(),
            scan: None,
            base: 0,
            block: Block::default(),
        };
        reader.skip_mark()?;
        Ok(reader)
    }

    /// Goes on in a file whose header is known, at a place where a record begins.
    pub(super) fn resume(
        read: R,
        file: u32,
        dialect: &Dialect,
        header: &[String],
        place: ResumePlace,
        block_bytes: usize,
    ) -> Self {
        Self {
            input: Input::new(read, block_bytes),
            file,
            dialect: dialect.clone(),
            header: header.to_vec(),
            rows_read: place.rows,
            line: place.line,
            block_bytes,
            is_slow: false,
            slow_records: 0,
            slow_next: 0,
            held: HeldRows::default(),
            scan: Scan::of(dialect, header),
            base: place.offset,
            block: Block::new(file, header),
        }
    }

    /// Where in the file another way of reading can go on, and whatever it finds means the same as
    /// it would here: at the last record, where it is sound, or behind what is settled.
    pub(super) fn resume_place(&self) -> Option<ResumePlace> {
        let rows = &self.block.rows;
        match self.held.first() {
            None => Some(ResumePlace {
                offset: self.base + self.input.offset(),
                rows: self.rows_read,
                line: self.line,
            }),
            Some(held) if self.held.len() == 1 && rows.records.len() == 1 => Some(ResumePlace {
                offset: self.base + held.start,
                rows: held.row - 1,
                line: held.line,
            }),
            Some(_) => None,
        }
    }

    fn skip_to_rows(&mut self) -> Result<(), Error> {
        for _ in 0..self.dialect.skip_lines {
            self.take_line(&mut Raw::new(0))?;
        }
        self.read_header()?;
        self.scan = Scan::of(&self.dialect, &self.header);
        self.block = Block::new(self.file, &self.header);
        Ok(())
    }

    /// Whether these are the column names of a rejects file.
    pub(super) fn ends_own_header(names: &[String]) -> bool {
        names.last().is_some_and(|name| name == OWN_LAST_COLUMN)
    }

    /// Whether the record at the very start is the header of a rejects file.
    fn is_own_file(&mut self) -> Result<bool, Error> {
        let first = self.peek()?;
        Ok(first
            .is_some_and(|first| first.cell(0, first.columns - 1) == OWN_LAST_COLUMN.as_bytes()))
    }

    /// The record at the start of the unread bytes, where it keeps the grammar. It stays
    /// unread.
    pub(super) fn peek(&mut self) -> Result<Option<TextRows>, Error> {
        let mut block = Block::default();
        let Parsed::Record(extent) = self.parse(&mut block)? else { return Ok(None) };
        let (data, _) = self.input.window(extent.end);
        block.rows.columns = extent.fields;
        block.push_record(1, self.line, data);
        Ok(Some(block.rows))
    }

    /// How the file is written; a rejects file has a header whatever was given.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The column names; `column_1`, `column_2`, … where the file has no header.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Data rows read so far, damaged stretches included.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// The next block of rows; `None` at the end of the file.
    ///
    /// # Errors
    /// The bytes can't be read.
    pub fn next_block(&mut self) -> Result<Option<TextRows>, Error> {
        let mut block = std::mem::take(&mut self.block);
        loop {
            let settled = self.held.first().map_or_else(|| block.mark(), |row| row.mark);
            if settled.filled() >= self.block_bytes {
                self.block = block.split_off(settled);
                self.held.rebase(&settled);
                break;
            }
            if self.take_sound(&mut block)? {
                continue;
            }
            if !self.read_row(&mut block)? {
                self.held.clear();
                self.block = Block::new(self.file, &self.header);
                break;
            }
        }
        Ok((!block.is_empty()).then_some(block.rows))
    }

    /// Takes what sound records stand at the start of the unread bytes, the fast way; whether
    /// there were any.
    fn take_sound(&mut self, block: &mut Block) -> Result<bool, Error> {
        let columns = self.header.len();
        if self.slow_records > 0 {
            self.slow_records -= 1;
            return Ok(false);
        }
        let Some(scan) = self.scan.filter(|_| !self.is_slow) else {
            return Ok(false);
        };
        self.input.ensure(SCANNED_BYTES_MIN.min(self.block_bytes))?;
        let (data, _) = self.input.window(usize::MAX);
        let before = block.mark();
        let start = self.input.offset();
        let from = Start {
            rows: self.rows_read,
            line: self.line,
            bytes_max: self.block_bytes.saturating_sub(before.filled()),
        };
        let taken = scan.take(data, from, &mut block.rows);
        // Where little is sound, looking ahead in vain would cost more than it saves.
        self.slow_next = match taken.records {
            0 => (self.slow_next * 2 + 1).min(SLOW_RECORDS_MAX),
            1..SOUND_RECORDS_MIN => self.slow_next / 2,
            _ => 0,
        };
        self.slow_records = self.slow_next;
        let Some(last) = taken.last else {
            // Blank lines alone.
            self.line += taken.lines;
            self.input.consume(taken.end);
            return Ok(false);
        };
        let mark = block.extend(before, &data[..taken.end], taken.records, last);
        self.rows_read += taken.records;
        self.line += taken.lines;
        self.input.consume(taken.end);
        let row = Held {
            mark,
            start: start + last.start as u64,
            row: self.rows_read,
            line: block.rows.records.last().map_or(self.line, |record| record.line),
            fields: columns,
        };
        self.held.clear();
        let end = row.start + last.bytes as u64;
        self.held.push(row, end, columns, self.dialect.record_bytes_max);
        self.input.keep_from(Some(row.start));
        Ok(true)
    }

    /// Reads a record or a damaged stretch; whether there was one.
    fn read_row(&mut self, block: &mut Block) -> Result<bool, Error> {
        if !self.skip_blank_lines()? {
            return Ok(false);
        }
        let mark = block.mark();
        match self.parse(block)? {
            Parsed::Record(extent) => self.take_record(block, mark, extent),
            Parsed::Broken(broken) => {
                block.rewind(mark);
                match self.cut_record(broken)? {
                    Some((head, tail)) => self.take_cut_record(block, &head, tail),
                    None => self.take_stretch(block, broken)?,
                }
            }
            Parsed::Incomplete => return Ok(false),
        }
        // What a later row may show to be a piece of a larger record stays at hand.
        self.input.keep_from(self.held.first().map(|row| row.start));
        Ok(true)
    }

    /// Parses the record at the start of the unread bytes into the block. Never
    /// [`Parsed::Incomplete`].
    fn parse(&mut self, block: &mut Block) -> Result<Parsed, Error> {
        let mark = block.mark();
        let max = self.dialect.record_bytes_max;
        loop {
            let (data, ended) = self.input.window(self.lookahead());
            let slice = Slice { data, ended, dialect: &self.dialect };
            let mut cells = Cells {
                base: block.rows.bytes.len(),
                fields: &mut block.rows.fields,
                unescaped: &mut block.rows.unescaped,
                keep: if self.header.is_empty() { usize::MAX } else { self.header.len() },
                fields_max: usize::MAX,
            };
            let parsed = grammar::parse(slice, &mut cells);
            // Judged by what lies within the maximum alone, lest the outcome depend on how
            // much is at hand.
            let over = match parsed {
                Parsed::Record(extent) => extent.end > max,
                Parsed::Broken(Broken { code: Code::UnclosedQuote, .. }) => data.len() > max,
                Parsed::Broken(broken) => broken.at >= max,
                Parsed::Incomplete if data.len() < self.lookahead() => {
                    block.rewind(mark);
                    self.input.grow()?;
                    continue;
                }
                Parsed::Incomplete => true,
            };
            return Ok(if over {
                Parsed::Broken(Broken { code: Code::RecordTooLong, field: 0, at: 0 })
            } else {
                parsed
            });
        }
    }

    /// How far the record at the start of the unread bytes can reach, with its line end.
    fn lookahead(&self) -> usize {
        self.dialect.record_bytes_max + 2
    }

    /// The unread bytes as far as one record can reach, however the stream is cut.
    fn scene(&mut self) -> Result<Slice<'_>, Error> {
        // One byte more tells whether the file ends there.
        self.input.ensure(self.lookahead() + 1)?;
        let (data, ended) = self.input.window(self.lookahead());
        Ok(Slice { data, ended, dialect: &self.dialect })
    }

    /// Adds a record with sound bounds to the block, or the damage that it is.
    fn take_record(&mut self, block: &mut Block, mark: Mark, extent: Extent) {
        let start = self.input.offset();
        self.rows_read += 1;
        let (data, _) = self.input.window(extent.end);
        let columns = self.header.len();
        match self.fault(data, extent.fields) {
            None => block.push_record(self.rows_read, self.line, data),
            Some((code, detail)) => {
                let raw = data.to_vec();
                block.rewind(mark);
                block.push_damage(self.damage(self.rows_read, self.line, code, detail, raw));
            }
        }
        let row = Held { mark, start, row: self.rows_read, line: self.line, fields: extent.fields };
        let end = start + extent.end as u64;
        self.held.push(row, end, columns, self.dialect.record_bytes_max);
        self.input.consume(extent.next);
        self.line += extent.lines;
    }

    /// What is wrong with a record whose bounds are sound. Bytes that are no text come
    /// first: they explain a wrong count rather than the other way around.
    fn fault(&self, raw: &[u8], fields: usize) -> Option<(Code, String)> {
        if let Some(fault) = self.encoding_fault(raw) {
            return Some(fault);
        }
        let columns = self.header.len();
        let of = if self.dialect.header { "header" } else { "first record" };
        (fields != columns).then(|| {
            (Code::FieldCount, format!("{}, the {of} has {columns}", plural(fields, "field")))
        })
    }

    /// The held row that heads the broken record, where its opening quote is missing, and
    /// where that record ends.
    fn cut_record(&mut self, broken: Broken) -> Result<Option<(Held, Tail)>, Error> {
        let quote_amiss = matches!(broken.code, Code::QuoteInField | Code::TextAfterQuote);
        if !quote_amiss || self.held.first().is_none() {
            return Ok(None);
        }
        let columns = self.header.len();
        let Some(tail) = resync::tail_of_cut_record(self.scene()?, columns) else {
            return Ok(None);
        };
        let end = self.input.offset() + tail.end as u64;
        let head = self.held.head(tail.fields_after, end, columns, self.dialect.record_bytes_max);
        Ok(head.map(|head| (head, tail)))
    }

    /// Takes back the rows from the head on: they and the broken one are one record that
    /// has lost a quote. Taken for rows, its first line would be sent as a cut row.
    fn take_cut_record(&mut self, block: &mut Block, head: &Held, tail: Tail) {
        block.rewind(head.mark);
        self.rows_read = head.row;
        let raw = self.input.kept(head.start, tail.end).to_vec();
        let (data, _) = self.input.window(tail.next);
        self.line += line_ends(data);
        self.input.consume(tail.next);
        let detail = format!(
            "a quote closes a cell that no quote opens; the record seems to start on line {} and \
             to end on line {}",
            head.line,
            head.line + line_ends(&raw),
        );
        block.push_damage(self.damage(head.row, head.line, Code::QuoteInField, detail, raw));
        self.held.clear();
    }

    /// Adds the stretch from a record with broken quoting up to the next sound record.
    fn take_stretch(&mut self, block: &mut Block, broken: Broken) -> Result<(), Error> {
        self.rows_read += 1;
        self.held.clear();
        self.input.keep_from(None);
        let first_line = self.line;
        let columns = self.header.len();
        let mut raw = Raw::new(self.dialect.record_bytes_max);
        let mut more = self.take_line(&mut raw)?;
        while more {
            // A line end behind an escape is a part of a field, in whatever state.
            if !raw.ends_escaped(&self.dialect) {
                match resync::judge(self.scene()?, columns) {
                    Verdict::Record => break,
                    Verdict::NoRecord => {}
                    Verdict::Quoted { closed } => self.take(closed, &mut raw),
                }
            }
            more = self.take_line(&mut raw)?;
        }
        let mut detail = self.describe(broken);
        if raw.line_ends > 1 {
            let last_line = first_line + raw.line_ends - 1;
            detail += &format!("; no sound record starts before line {}", last_line + 1);
        }
        if broken.code == Code::RecordTooLong || raw.cut() {
            detail += &format!("; {} in all", plural(raw.bytes as usize, "byte"));
        }
        if raw.cut() {
            detail += &format!(", of which the first {} are kept", raw.kept.len());
        }
        let raw = raw.without_line_end();
        block.push_damage(self.damage(self.rows_read, first_line, broken.code, detail, raw));
        Ok(())
    }

    fn damage(&self, row: u64, line: u64, code: Code, detail: String, raw: Vec<u8>) -> Damage {
        let position = Position { file: self.file, row, place: Place::Line(line) };
        Damage { position, code, detail, raw }
    }

    /// Bytes that are no text.
    fn encoding_fault(&self, raw: &[u8]) -> Option<(Code, String)> {
        if let Some(at) = memchr(0, raw) {
            return Some((Code::NulByte, format!("{} is NUL", self.byte(at))));
        }
        let at = std::str::from_utf8(raw).err()?.valid_up_to();
        let code = match self.dialect.encoding {
            TextEncoding::Utf8 => Code::InvalidUtf8,
            _ => Code::InvalidEncoding,
        };
        Some((code, format!("{} is not {}", self.byte(at), self.dialect.encoding.name())))
    }

    /// A place in a record, from 0, in words.
    fn byte(&self, at: usize) -> String {
        let counted = match self.dialect.encoding {
            TextEncoding::Utf8 => "",
            _ => " (counted in UTF-8)",
        };
        format!("byte {} of the record{counted}", at + 1)
    }

    /// What was found, never what a cell holds.
    fn describe(&self, Broken { code, field, at }: Broken) -> String {
        let (field, byte) = (field + 1, self.byte(at));
        match code {
            Code::QuoteInField => format!("a quote in unquoted field {field}, {byte}"),
            Code::TextAfterQuote => {
                format!("text after the closing quote of field {field}, {byte}")
            }
            Code::UnclosedQuote => {
                format!("the quote that opens field {field}, {byte}, is not closed")
            }
            _ => format!("no end within {} bytes", self.dialect.record_bytes_max),
        }
    }

    /// Moves everything up to the next line start to `raw`; whether anything follows.
    fn take_line(&mut self, raw: &mut Raw) -> Result<bool, Error> {
        loop {
            self.input.ensure(1)?;
            let (data, ended) = self.input.window(usize::MAX);
            let end = memchr(b'\n', data);
            let bytes = end.map_or(data.len(), |end| end + 1);
            self.take(bytes, raw);
            if end.is_some() {
                self.input.ensure(1)?;
                return Ok(!self.input.window(1).0.is_empty());
            }
            if ended {
                return Ok(false);
            }
        }
    }

    fn take(&mut self, bytes: usize, raw: &mut Raw) {
        let (data, _) = self.input.window(bytes);
        let line_ends = raw.push(data);
        self.line += line_ends;
        self.input.consume(bytes);
    }

    /// Passes over empty lines; whether anything follows.
    fn skip_blank_lines(&mut self) -> Result<bool, Error> {
        loop {
            self.input.ensure(2)?;
            let blank_bytes = match self.input.window(2).0 {
                [] => return Ok(false),
                [b'\n', ..] => 1,
                [b'\r', b'\n'] => 2,
                _ => return Ok(true),
            };
            self.input.consume(blank_bytes);
            self.line += 1;
        }
    }

    fn skip_mark(&mut self) -> Result<(), Error> {
        self.input.ensure(4)?;
        let (start, _) = self.input.window(4);
        if let Some((_, encoding)) = FOREIGN_MARKS.iter().find(|(mark, _)| start.starts_with(mark))
        {
            return Err(Error::NotUtf8 { encoding });
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            self.input.consume(3);
        }
        Ok(())
    }

    /// Reads the header, or counts the fields of the first record where there is none.
    fn read_header(&mut self) -> Result<(), Error> {
        if !self.skip_blank_lines()? {
            return Err(Error::Empty);
        }
        let line = self.line;
        let mut block = Block::default();
        let extent = match self.parse(&mut block)? {
            Parsed::Record(extent) => extent,
            Parsed::Broken(broken) => return Err(self.header_damaged(broken)),
            Parsed::Incomplete => return Err(Error::Empty),
        };
        let (data, _) = self.input.window(extent.end);
        if let Some(at) = self.find_bare_cr(data, true) {
            return Err(self.bare_cr(at));
        }
        if !self.dialect.header {
            self.header = (1..=extent.fields).map(|column| format!("column_{column}")).collect();
            return Ok(());
        }
        let (data, _) = self.input.window(extent.end);
        if let Some((code, detail)) = self.encoding_fault(data) {
            let spans = places::fault_in(data, &self.dialect, code);
            let place = RecordPlace::new(data, spans.into_iter().collect(), &self.dialect);
            return Err(Error::HeaderDamaged { line, code, detail, place });
        }
        block.rows.columns = extent.fields;
        block.push_record(0, line, data);
        self.header = (0..extent.fields)
            .map(|column| String::from_utf8_lossy(block.rows.cell(0, column)).into_owned())
            .collect();
        if self.header.iter().any(|name| name == GUARDED_COLUMN) {
            self.header.iter_mut().for_each(|name| *name = unguarded(name).to_owned());
        }
        let place = |columns: &[usize]| {
            let cells = places::cells(data, &self.dialect);
            let spans = columns.iter().filter_map(|column| cells.get(column - 1).cloned());
            RecordPlace::new(data, spans.collect(), &self.dialect)
        };
        check_names(&self.header, line, place)?;
        self.input.consume(extent.next);
        self.line += extent.lines;
        Ok(())
    }

    /// The record at the start of the unread bytes, as the header that can't be read.
    fn header_damaged(&self, broken: Broken) -> Error {
        let (data, ended) = self.input.window(self.lookahead());
        // What ends in no line end is too long, and quotes stand at odd places where one is missed.
        let cr = self.find_bare_cr(data, ended);
        if let Some(at) = cr.filter(|&at| broken.code == Code::RecordTooLong || at <= broken.at) {
            return self.bare_cr(at);
        }
        // Behind its line it may be rows that the quote has swallowed.
        let line_end = || memchr(b'\n', &data[broken.at..]).map_or(data.len(), |at| broken.at + at);
        let end = match broken.code {
            Code::UnclosedQuote | Code::RecordTooLong => line_end(),
            _ => broken.at + 1,
        };
        let place =
            RecordPlace::new(data, std::iter::once(broken.at..end).collect(), &self.dialect);
        let (line, code, detail) = (self.line, broken.code, self.describe(broken));
        Error::HeaderDamaged { line, code, detail, place }
    }

    /// The first CR that stands alone in a header. Where the text before it is in another encoding
    /// than it is taken for, that is what has to be said: an LF may follow in that one.
    fn find_bare_cr(&self, data: &[u8], ended: bool) -> Option<usize> {
        let at = places::bare_cr(data, ended, &self.dialect)?;
        self.encoding_fault(&data[..at]).is_none().then_some(at)
    }

    /// The record at the start of the unread bytes, as the header that has a CR alone in it.
    fn bare_cr(&self, at: usize) -> Error {
        // Behind it are rows, whose values are not to be shown.
        let (data, _) = self.input.window(at + 1);
        let place = RecordPlace::new(data, std::iter::once(at..at + 1).collect(), &self.dialect);
        let of = if self.dialect.header { "header" } else { "first record" };
        Error::BareCr { line: self.line, of, byte: at + 1, place }
    }
}

fn check_names(
    names: &[String],
    line: u64,
    place: impl Fn(&[usize]) -> Box<RecordPlace>,
) -> Result<(), Error> {
    let mut seen = std::collections::HashMap::with_capacity(names.len());
    for (name, column) in names.iter().zip(1..) {
        if name.is_empty() {
            return Err(Error::EmptyName { line, column, place: place(&[column]) });
        }
        if let Some(first) = seen.insert(name.as_str(), column) {
            let place = place(&[column, first]);
            let (name, second) = (name.clone(), column);
            return Err(Error::DuplicateName { line, name, first, second, place });
        }
    }
    Ok(())
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
