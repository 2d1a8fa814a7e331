//! A file in stretches of whole lines, and the rows of a stretch.

use std::{borrow::Cow, collections::HashSet, io, sync::Arc};

use memchr::{memchr, memchr_iter, memrchr};

use super::{
    Error,
    columns::Columns,
    line::{self, Flaw},
};
use crate::model::{
    Code, Damage, Field, JsonKind, JsonMember, JsonRecord, JsonRows, Place, Position,
};
use crate::source::{CheckedFile, CheckedReader};

/// Bytes that are cut at a time, where no line is longer: little enough to stay in a cache of the
/// processor with what is made of them.
const STRETCH_BYTES: usize = 256 * 1024;

/// The most lines of a stretch: each of them may be damaged, and that takes more than its bytes.
const STRETCH_LINES_MAX: usize = 16_384;

/// A stretch that is longer, since its line is, is scanned by whoever has the feed, so that there is
/// one at a time.
const SHARED_BYTES_MAX: usize = 4 << 20;

/// The mark that some programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whole lines of a file, one after the other.
pub(super) struct Bytes {
    bytes: Vec<u8>,
    /// It is the start of one line, which has so many bytes in all.
    too_long: Option<u64>,
}

/// One line of a stretch, without its end.
pub(super) struct Line<'b> {
    /// Where in the stretch it begins.
    start: usize,
    pub(super) bytes: &'b [u8],
    /// What keeps it from being looked at.
    pub(super) flaw: Option<Flaw>,
}

impl Bytes {
    /// The lines.
    pub(super) fn lines(&self, line_bytes_max: usize) -> impl Iterator<Item = Line<'_>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = next;
            let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            next = start + end + 1;
            let bytes = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            let len = self.too_long.unwrap_or(bytes.len() as u64);
            let flaw = (len > line_bytes_max as u64).then(|| too_long(len, line_bytes_max));
            Some(Line { start, bytes, flaw })
        })
    }
}

fn too_long(bytes: u64, line_bytes_max: usize) -> Flaw {
    let detail = format!(
        "the line has {bytes} bytes, the most is {line_bytes_max}; the first {line_bytes_max} are kept"
    );
    Flaw::new(Code::RecordTooLong, detail)
}

/// Cuts a file at line ends.
pub(super) struct Lines {
    input: CheckedReader,
    /// Bytes read and not cut yet.
    left: Vec<u8>,
    line_bytes_max: usize,
    is_at_start: bool,
    is_at_end: bool,
}

impl Lines {
    pub(super) fn new(file: &CheckedFile, line_bytes_max: usize) -> Self {
        let input = file.reader();
        Self { input, left: Vec::new(), line_bytes_max, is_at_start: true, is_at_end: false }
    }

    /// The next stretch; `None` at the end of the file.
    pub(super) fn next_stretch(&mut self) -> io::Result<Option<Bytes>> {
        let mut bytes = std::mem::take(&mut self.left);
        let mut wanted = STRETCH_BYTES;
        loop {
            self.fill(&mut bytes, wanted)?;
            if std::mem::take(&mut self.is_at_start) && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            let end = match memrchr(b'\n', &bytes) {
                _ if self.is_at_end => bytes.len(),
                Some(end) => end + 1,
                // With a line end of two bytes it may just fit.
                None if bytes.len() > self.line_bytes_max.saturating_add(2) => {
                    return self.skip_line(bytes).map(Some);
                }
                None => {
                    wanted = bytes.len().saturating_mul(2);
                    continue;
                }
            };
            if end == 0 {
                return Ok(None);
            }
            let last = memchr_iter(b'\n', &bytes[..end]).nth(STRETCH_LINES_MAX - 1);
            let end = last.map_or(end, |last| last + 1);
            self.left = bytes.split_off(end);
            return Ok(Some(Bytes { bytes, too_long: None }));
        }
    }

    /// Reads until there are so many bytes, or the file ends.
    fn fill(&mut self, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        let have = bytes.len();
        if self.is_at_end || have >= wanted {
            return Ok(());
        }
        bytes.resize(wanted, 0);
        let read = self.input.read_full(&mut bytes[have..])?;
        bytes.truncate(have + read);
        self.is_at_end = have + read < wanted;
        Ok(())
    }

    /// Reads a line that is too long to its end, and keeps its start.
    fn skip_line(&mut self, mut bytes: Vec<u8>) -> io::Result<Bytes> {
        let mut len = bytes.len() as u64;
        let mut last = bytes.last().copied();
        bytes.truncate(self.line_bytes_max);
        let mut rest = Vec::new();
        loop {
            rest.clear();
            self.fill(&mut rest, STRETCH_BYTES)?;
            if let Some(end) = memchr(b'\n', &rest) {
                last = rest[..end].last().copied().or(last);
                // The CR may be the last byte of what was read before, and is counted there.
                len += end as u64;
                len -= u64::from(last == Some(b'\r'));
                self.left = rest.split_off(end + 1);
                break;
            }
            last = rest.last().copied().or(last);
            len += rest.len() as u64;
            if self.is_at_end {
                break;
            }
        }
        Ok(Bytes { bytes, too_long: Some(len) })
    }
}

/// What all stretches of a file are read by.
struct Reading {
    index: u32,
    line_bytes_max: usize,
    columns: Arc<Columns>,
    /// By column, whether its values are kept.
    wanted: Vec<bool>,
}

/// A stretch of a file, to be scanned.
pub struct Stretch {
    bytes: Bytes,
    ticket: u64,
    reading: Arc<Reading>,
}

/// The rows of a [`Stretch`], numbered from its start.
pub struct Scanned {
    rows: JsonRows,
    ticket: u64,
    lines: u64,
    /// Damaged lines among them.
    count: u64,
}

/// What a [`Reader`] has next.
pub enum Next {
    /// Rows.
    Rows(JsonRows),
    /// A stretch to scan, and to settle then.
    Stretch(Box<Stretch>),
    /// Nothing, until a stretch that was given out is settled.
    Wait,
    /// Nothing more.
    End,
}

/// What became of a scanned stretch.
pub enum Settled {
    /// Its rows; there may be none.
    Rows(JsonRows),
    /// Stretches before it are to be settled first.
    NotYet(Box<Scanned>),
    /// It is not wanted any more.
    Void,
}

/// Gives out the rows of one file.
pub struct Reader {
    lines: Lines,
    reading: Arc<Reading>,
    /// A stretch that is not given out.
    large: Option<Box<Stretch>>,
    /// The next stretch to give out, and the next to settle.
    given: u64,
    taken: u64,
    /// Rows and lines that are settled.
    rows: u64,
    line: u64,
    is_ended: bool,
}

impl Reader {
    pub(super) fn new(
        file: &CheckedFile,
        index: u32,
        line_bytes_max: usize,
        columns: &Arc<Columns>,
        wanted: &[usize],
    ) -> Self {
        let is_wanted = (0..columns.all().len()).map(|at| wanted.contains(&at)).collect();
        let columns = Arc::clone(columns);
        let reading = Reading { index, line_bytes_max, columns, wanted: is_wanted };
        Self {
            lines: Lines::new(file, line_bytes_max),
            reading: Arc::new(reading),
            large: None,
            given: 0,
            taken: 0,
            rows: 0,
            line: 0,
            is_ended: false,
        }
    }

    /// Data rows settled so far, damaged lines included.
    pub fn rows_read(&self) -> u64 {
        self.rows
    }

    /// Gives out nothing more.
    pub fn end(&mut self) {
        self.is_ended = true;
        self.large = None;
    }

    /// What comes next in the file.
    ///
    /// # Errors
    /// The bytes can't be read.
    pub fn next_piece(&mut self) -> Result<Next, Error> {
        loop {
            if self.is_ended {
                return Ok(Next::End);
            }
            if self.large.is_some() && self.taken < self.given {
                return Ok(Next::Wait);
            }
            if let Some(stretch) = self.large.take() {
                self.given += 1;
                match self.settle(Box::new(stretch.scan())) {
                    Settled::Rows(rows) => return Ok(Next::Rows(rows)),
                    Settled::NotYet(_) | Settled::Void => continue,
                }
            }
            let Some(bytes) = self.lines.next_stretch()? else {
                if self.taken < self.given {
                    return Ok(Next::Wait);
                }
                self.is_ended = true;
                continue;
            };
            let is_large = bytes.bytes.len() > SHARED_BYTES_MAX;
            let reading = Arc::clone(&self.reading);
            let stretch = Box::new(Stretch { bytes, ticket: self.given, reading });
            if is_large {
                self.large = Some(stretch);
            } else {
                self.given += 1;
                return Ok(Next::Stretch(stretch));
            }
        }
    }

    /// Takes a scanned stretch, if it is its turn, and numbers its rows.
    pub fn settle(&mut self, scanned: Box<Scanned>) -> Settled {
        // One of an earlier file, which has ended without it, says nothing here.
        if self.is_ended || scanned.rows.file != self.reading.index {
            return Settled::Void;
        }
        if scanned.ticket != self.taken {
            return Settled::NotYet(scanned);
        }
        let Scanned { mut rows, lines, count, .. } = *scanned;
        self.taken += 1;
        for record in &mut rows.records {
            record.row += self.rows;
            record.line += self.line;
        }
        for Damage { position, .. } in &mut rows.damage {
            position.row += self.rows;
            if let Place::Line(line) = &mut position.place {
                *line += self.line;
            }
        }
        self.rows += count;
        self.line += lines;
        Settled::Rows(rows)
    }
}

impl Stretch {
    /// Reads its lines.
    pub fn scan(self) -> Scanned {
        let Self { bytes: stretch, ticket, reading } = self;
        let file = reading.index;
        let mut scan = Scan {
            seen: vec![0; reading.columns.all().len()],
            reading: &reading,
            rows: JsonRows { file, ..JsonRows::default() },
            unknown: Unknown::default(),
        };
        let (mut lines, mut count) = (0, 0);
        for Line { start, bytes, flaw } in stretch.lines(reading.line_bytes_max) {
            lines += 1;
            let read = match flaw {
                None if line::is_blank(bytes) => continue,
                None => scan.object(bytes, start, (count + 1, lines)),
                Some(flaw) => Err(flaw),
            };
            count += 1;
            if let Err(Flaw { code, detail }) = read {
                let position = Position { file, row: count, place: Place::Line(lines) };
                let raw = bytes[..bytes.len().min(reading.line_bytes_max)].to_vec();
                scan.rows.damage.push(Damage { position, code, detail, raw });
            }
        }
        let mut rows = scan.rows;
        rows.bytes = stretch.bytes;
        Scanned { rows, ticket, lines, count }
    }
}

/// The rows of a stretch in the making.
struct Scan<'r> {
    reading: &'r Reading,
    rows: JsonRows,
    /// By column, the last line that has it.
    seen: Vec<u64>,
    unknown: Unknown,
}

impl Scan<'_> {
    /// Reads the object on a line, which begins at byte `start` of the stretch.
    fn object(&mut self, line: &[u8], start: usize, (row, number): (u64, u64)) -> Result<(), Flaw> {
        let Self { reading, rows, seen, unknown } = self;
        let members = rows.members.len();
        let texts = rows.unescaped.len();
        let (mut guess, mut is_sorted) = (0, true);
        unknown.clear();
        let read = line::read(line, |key, value| {
            let Some(at) = reading.columns.place(&key, guess) else {
                return if unknown.insert(key) { Ok(()) } else { Err(Flaw::twice()) };
            };
            if std::mem::replace(&mut seen[at], number) == number {
                return Err(Flaw::twice());
            }
            is_sorted &= at >= guess;
            guess = at + 1;
            if reading.wanted[at] {
                // A part of the line, so it begins no further on.
                let offset = start + (value.as_ptr().addr() - line.as_ptr().addr());
                let (kind, value) = read_value(value, offset, &mut rows.unescaped);
                rows.members.push(JsonMember { column: at as u32, kind, value });
            }
            Ok(())
        });
        if let Err(flaw) = read {
            rows.members.truncate(members);
            rows.unescaped.truncate(texts);
            return Err(flaw);
        }
        if !is_sorted {
            rows.members[members..].sort_unstable_by_key(|member| member.column);
        }
        // A stretch has fewer bytes than that, and fewer members.
        let raw = start as u32..(start + line.len()) as u32;
        let members = members as u32..rows.members.len() as u32;
        rows.records.push(JsonRecord { row, line: number, raw, members });
        Ok(())
    }
}

/// What a value is, and where it lies: it stands at byte `start` of the stretch.
fn read_value(value: &str, start: usize, unescaped: &mut Vec<u8>) -> (JsonKind, Field) {
    let kind = match value.as_bytes()[0] {
        b'"' => {
            let inner = &value[1..value.len() - 1];
            if memchr(b'\\', inner.as_bytes()).is_none() {
                return (JsonKind::String, Field::raw(start + 1, inner.len()));
            }
            let from = unescaped.len();
            // The parser has seen its escapes already; what it has not seen is which are halves.
            return match serde_json::from_str::<String>(value) {
                Ok(text) => {
                    unescaped.extend_from_slice(text.as_bytes());
                    (JsonKind::String, Field::unescaped(from, text.len()))
                }
                Err(_) => (JsonKind::LoneSurrogate, Field::unescaped(from, 0)),
            };
        }
        b'n' => JsonKind::Null,
        b't' | b'f' => JsonKind::Bool,
        b'{' | b'[' => JsonKind::Nested,
        _ => JsonKind::Number,
    };
    (kind, Field::raw(start, value.len()))
}

/// Keys of one line that are no columns.
#[derive(Default)]
struct Unknown {
    few: Vec<String>,
    many: HashSet<String>,
}

impl Unknown {
    /// So many are compared with one another.
    const FEW: usize = 16;

    fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }

    /// Adds a key; `false` where it is one of them.
    fn insert(&mut self, key: Cow<'_, str>) -> bool {
        if self.few.iter().any(|known| *known == key) {
            return false;
        }
        if self.few.len() < Self::FEW {
            self.few.push(key.into_owned());
            return true;
        }
        self.many.insert(key.into_owned())
    }
}
