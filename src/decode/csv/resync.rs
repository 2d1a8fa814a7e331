//! Where records go on after broken quoting, by the evidence of the quotes. Pure.
//!
//! A line that reads as a sound record may still be a line of a quoted cell. The quotes
//! that follow tell: read as if the line started outside of quotes, and as if inside, one
//! of the two soon breaks the grammar.
//!
//! Time is linear. Judging a line as a record reads up to the next break of the grammar,
//! which the reader reaches next; judging it as quoted passes over everything up to the
//! closing quote; and [`RUNS_MAX`] bounds how often a byte can be weighed before that.
//! Parsing candidates that fail costs no more than two passes: the quotes of a line flip
//! what an earlier candidate is in, so it ends at the next line with an odd number of them.

use memchr::{memchr, memrchr};

use super::grammar::{self, Boundary, Cells, Parsed, Slice};

/// How many runs of quotes are weighed; both readings stay legal that long only where
/// quotes tell nothing, as in rows of empty quoted cells.
const RUNS_MAX: usize = 64;

/// What a line start is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A record with the right field count starts here.
    Record,
    /// No such record.
    NoRecord,
    /// The line lies in a quoted field that is closed by the quote before this offset.
    Quoted { closed: usize },
}

/// A run of quotes.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
}

/// One reading of the quotes: whether the next byte lies inside of a quoted field.
struct Reading {
    inside: bool,
}

/// The end of a record that has lost an opening quote on an earlier line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// Where it ends, its line end not counted.
    pub(super) end: usize,
    /// Where the next line starts.
    pub(super) next: usize,
    /// Fields after the cell that the closing quote closes.
    pub(super) fields_after: usize,
}

/// Judges the line start at the start of the slice.
pub(super) fn judge(slice: Slice<'_>, columns: usize) -> Verdict {
    if parses(slice, columns) { weigh(slice, columns) } else { Verdict::NoRecord }
}

fn parses(slice: Slice<'_>, columns: usize) -> bool {
    let blank = matches!(slice.boundary(0), Boundary::LineEnd(_) | Boundary::FileEnd);
    let (mut fields, mut unescaped) = (Vec::new(), Vec::new());
    let mut cells = Cells {
        fields: &mut fields,
        unescaped: &mut unescaped,
        base: 0,
        keep: 0,
        fields_max: columns,
    };
    let fits = |parsed| match parsed {
        Parsed::Record(extent) => {
            extent.fields == columns && extent.end <= slice.dialect.record_bytes_max
        }
        Parsed::Broken(_) | Parsed::Incomplete => false,
    };
    !blank && fits(grammar::parse(slice, &mut cells))
}

/// Weighs "a record starts here" against "here is the inside of a quoted field", for a
/// line that reads as a record. Without evidence the former: rows without quotes are
/// common, cells that hold whole rows are not.
fn weigh(slice: Slice<'_>, columns: usize) -> Verdict {
    let (mut outside, mut inside) = (Reading { inside: false }, Reading { inside: true });
    let mut from = 0;
    for _ in 0..RUNS_MAX {
        let Some(run) = slice.next_run(from) else {
            return Verdict::Record;
        };
        match (outside.takes(slice, run), inside.takes(slice, run)) {
            (true, true) => from = run.end,
            (false, true) => {
                let closed = slice.closing_run(0).unwrap_or(run).end;
                // A row with a stray quote, as in `27"`, looks as if it closed a field.
                return match slice.line_around(closed - 1) {
                    Some(line) if slice.literal_fields(&line) != columns => {
                        Verdict::Quoted { closed }
                    }
                    _ => Verdict::Record,
                };
            }
            (true, false) | (false, false) => return Verdict::Record,
        }
    }
    Verdict::Record
}

/// Whether the slice, which starts with a record whose quotes are amiss, rather starts
/// inside of a cell whose opening quote is missing; and where the
/// record ends that holds this cell.
///
/// A line that has the right field count when its quotes are taken literally is a whole
/// row with a stray quote instead.
pub(super) fn tail_of_cut_record(slice: Slice<'_>, columns: usize) -> Option<Tail> {
    let closing = slice.closing_run(0)?;
    let line = slice.line_around(closing.start)?;
    if slice.literal_fields(&line) == columns {
        return None;
    }
    let fields_after = slice.literal_fields(&(closing.end..line.end)) - 1;
    let next = match slice.boundary(line.end) {
        Boundary::LineEnd(next) => next,
        _ => line.end,
    };
    Some(Tail { end: line.end, next, fields_after })
}

impl Reading {
    /// Reads on over a run of quotes; whether the grammar allows it.
    fn takes(&mut self, slice: Slice<'_>, run: Run) -> bool {
        let odd = (run.end - run.start) % 2 == 1;
        let was_inside = self.inside;
        self.inside ^= odd;
        match (was_inside, odd) {
            // Doubled quotes.
            (true, false) => true,
            // The last one closes.
            (true, true) => slice.field_may_end(run.end),
            // The first one opens.
            (false, true) => slice.field_may_start(run.start),
            // The first one opens, the last one closes.
            (false, false) => slice.field_may_start(run.start) && slice.field_may_end(run.end),
        }
    }
}

impl Slice<'_> {
    /// The next run of quotes that lies in the slice, with the byte after it.
    fn next_run(self, mut from: usize) -> Option<Run> {
        loop {
            let start = self.find_in_quoted(from)?;
            if Some(self.data[start]) == self.dialect.escape {
                from = start + 2;
                continue;
            }
            let quotes = |&&byte: &&u8| Some(byte) == self.dialect.quote;
            let end = start + self.data[start..].iter().take_while(quotes).count();
            return (self.boundary(end) != Boundary::Incomplete).then_some(Run { start, end });
        }
    }

    /// The run that closes the quoted field in which `from` lies.
    fn closing_run(self, mut from: usize) -> Option<Run> {
        loop {
            let run = self.next_run(from)?;
            if (run.end - run.start) % 2 == 1 {
                return self.field_may_end(run.end).then_some(run);
            }
            from = run.end;
        }
    }

    fn field_may_start(self, at: usize) -> bool {
        match at.checked_sub(1) {
            None => true,
            Some(before) => {
                matches!(self.data[before], b'\n') || self.data[before] == self.dialect.delimiter
            }
        }
    }

    fn field_may_end(self, at: usize) -> bool {
        matches!(self.boundary(at), Boundary::Delimiter | Boundary::LineEnd(_) | Boundary::FileEnd)
    }

    /// The line in which a byte lies, without its line end; `None` where it goes on
    /// beyond the slice.
    fn line_around(self, at: usize) -> Option<std::ops::Range<usize>> {
        let start = memrchr(b'\n', &self.data[..at]).map_or(0, |end| end + 1);
        let end = match memchr(b'\n', &self.data[at..]) {
            Some(length) => at + length,
            None if self.ended => return Some(start..self.data.len()),
            None => return None,
        };
        let crlf = end > start && self.data[end - 1] == b'\r';
        Some(start..end - usize::from(crlf))
    }

    /// How many fields a line, or a part of one, has where quotes mean nothing.
    fn literal_fields(self, range: &std::ops::Range<usize>) -> usize {
        let mut fields = 1;
        let mut bytes = self.data[range.clone()].iter();
        while let Some(&byte) = bytes.next() {
            if Some(byte) == self.dialect.escape {
                bytes.next();
            }
            fields += usize::from(byte == self.dialect.delimiter);
        }
        fields
    }
}
