//! Stretches of whole records, cut from a file by counting quotes alone.
//!
//! A cut is a guess: where quoting is sound, an even number of quotes before a line end says
//! that a record ends there. Whoever scans the stretch finds out whether the guess was right.

use std::io;

use memchr::{memchr_iter, memrchr, memrchr2};

use super::scan::{Scan, Start};
use crate::model::TextRows;
use crate::source::CheckedReader;

/// How many bytes are cut at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// At most.
    pub(super) most: usize,
    /// At least, where records are small.
    pub(super) least: usize,
}

impl Sizes {
    /// Much more than one record, and little enough to stay in a cache of the processor with what
    /// is made of them.
    pub(super) const USUAL: Self = Self { most: 256 * 1024, least: 4 * 1024 };
}

/// What a cut's records may count, in bytes and overhead, for each of its bytes: where records
/// are small, less is cut at a time.
const WEIGHT: usize = 2;

/// Cuts a file from some record on.
pub(super) struct Cutter {
    input: CheckedReader,
    scan: Scan,
    /// Bytes read and not cut yet.
    left: Vec<u8>,
    /// Where they begin in the file.
    offset: u64,
    cut_bytes: usize,
    sizes: Sizes,
    is_at_end: bool,
}

/// A stretch of a file that begins and, as far as quotes tell, ends with a record.
pub struct Cut {
    /// Its bytes; rows of which only the memory is of use.
    rows: TextRows,
    ends: Ends,
    /// Where it begins in the file.
    offset: u64,
    scan: Scan,
    ticket: Ticket,
    sizes: Sizes,
}

/// The place of a cut among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) number: u64,
    /// How often cuts had been given up before.
    pub(super) epoch: u64,
}

/// A [`Cut`], read as far as its records are sound.
pub struct Scanned {
    /// Its records, their rows and lines counted from its start.
    pub(super) rows: TextRows,
    pub(super) ticket: Ticket,
    /// Where in the file the next record begins: the last of the cut where all are sound.
    pub(super) next: u64,
    /// Line ends before that.
    pub(super) lines: u64,
    pub(super) outcome: Outcome,
}

/// How far a cut was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All of it.
    Whole,
    /// As much as a block may hold: what follows is to be cut shorter.
    Full { cut_bytes: usize },
    /// Up to the last sound record, which is left: what follows it is no sound record.
    Broken,
}

impl Cutter {
    /// Cuts from where `input` stands, which is where a record begins.
    pub(super) fn new(input: CheckedReader, scan: Scan, cut_bytes: usize, sizes: Sizes) -> Self {
        let offset = input.position();
        Self { input, scan, left: Vec::new(), offset, cut_bytes, sizes, is_at_end: false }
    }

    /// Whether the file has been read to its end.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// The next stretch, in the memory of `rows`; `None` where what is left is too short to cut, or
    /// has no end that can be seen. Of a cutter that failed nothing more can be had.
    pub(super) fn next_cut(
        &mut self,
        mut rows: TextRows,
        ticket: Ticket,
    ) -> io::Result<Option<Cut>> {
        let bytes = &mut rows.bytes;
        let left = self.left.len();
        bytes.resize(self.cut_bytes.max(left), 0);
        bytes[..left].copy_from_slice(&self.left);
        let read = self.input.read_full(&mut bytes[left..])?;
        self.is_at_end = left + read < bytes.len();
        let found = if self.is_at_end { None } else { ends(bytes, self.scan.quote()) };
        let Some(ends) = found else { return Ok(None) };
        self.left.clear();
        self.left.extend_from_slice(&bytes[ends.last..]);
        let Self { offset, scan, sizes, .. } = *self;
        self.offset += ends.last as u64;
        Ok(Some(Cut { rows, ends, offset, scan, ticket, sizes }))
    }
}

/// Where the last record of a stretch begins, and where it ends with its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    last: usize,
    end: usize,
}

/// The last whole record of a stretch that begins with a record and has another one before it, as
/// far as quotes tell.
fn ends(bytes: &[u8], quote: Option<u8>) -> Option<Ends> {
    let quotes = quote.map_or(0, |quote| memchr_iter(quote, bytes).count());
    let mut inside = quotes % 2 == 1;
    let (mut left, mut end) = (bytes, None);
    loop {
        let at = match quote {
            Some(quote) => memrchr2(b'\n', quote, left)?,
            None => memrchr(b'\n', left)?,
        };
        if bytes[at] != b'\n' {
            inside = !inside;
        } else if !inside {
            match end {
                // A blank line is no record.
                Some(end) if !matches!(&bytes[at + 1..end], b"\n" | b"\r\n") => {
                    return Some(Ends { last: at + 1, end });
                }
                _ => end = Some(at + 1),
            }
        }
        left = &left[..at];
    }
}

impl Cut {
    /// Reads its records as far as they are sound.
    pub fn scan(self) -> Scanned {
        let Self { mut rows, ends, offset, scan, ticket, sizes } = self;
        let mut bytes = std::mem::take(&mut rows.bytes);
        let from = Start { rows: 0, line: 0, bytes_max: sizes.most * WEIGHT };
        let taken = scan.take(&bytes[..ends.end], from, &mut rows);
        let kept = taken.last.map_or(0, |last| last.start);
        let outcome = if (kept, taken.end) == (ends.last, ends.end) {
            Outcome::Whole
        } else if taken.full {
            Outcome::Full { cut_bytes: (taken.end / 2).clamp(sizes.least, sizes.most) }
        } else {
            Outcome::Broken
        };
        let mut lines = 0;
        if let Some(last) = taken.last {
            rows.fields.truncate(last.fields);
            rows.unescaped.truncate(last.unescaped);
            lines = rows.records.pop().map_or(0, |record| record.line);
        }
        bytes.truncate(kept);
        rows.bytes = bytes;
        Scanned { rows, ticket, next: offset + kept as u64, lines, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_with_the_last_record_that_quotes_close() {
        let found = |text: &str| ends(text.as_bytes(), Some(b'"')).map(|e| (e.last, e.end));
        assert_eq!(found("a\nb\n"), Some((2, 4)));
        assert_eq!(found("a\nb\nc"), Some((2, 4)));
        assert_eq!(found("a\n\"b\nb\"\nc,\"d\n"), Some((2, 8)));
        assert_eq!(found("a\nb\r\n\r\n\n"), Some((2, 5)), "blank lines are left to the next");
        assert_eq!(found("a\n"), None, "one record alone");
        assert_eq!(found("a,\"\nb\nc\n"), None);
        assert_eq!(found(""), None);
        assert_eq!(ends(b"a\n\"b\nc", None), Some(Ends { last: 2, end: 5 }));
    }
}
