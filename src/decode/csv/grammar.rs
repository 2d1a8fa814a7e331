//! The grammar: one record at the start of a slice. Pure.

use memchr::{memchr, memchr2, memchr3};

use super::Dialect;
use crate::model::{Code, Field};

/// What stands at the start of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// A record whose bounds are sound.
    Record(Extent),
    /// A record that breaks the grammar.
    Broken(Broken),
    /// The slice ends before the record does, and is not the end of the file.
    Incomplete,
}

/// The bounds of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Where it ends, its line end not counted.
    pub(super) end: usize,
    /// Where the next line starts.
    pub(super) next: usize,
    /// How many fields it has.
    pub(super) fields: usize,
    /// How many line ends it takes up, its own included.
    pub(super) lines: u64,
}

/// Where a record breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) code: Code,
    /// The field, from 0.
    pub(super) field: usize,
    /// Offset of the offending byte; of the opening quote for [`Code::UnclosedQuote`].
    pub(super) at: usize,
}

/// Where a record's fields go.
pub(super) struct Cells<'a> {
    pub(super) fields: &'a mut Vec<Field>,
    pub(super) unescaped: &'a mut Vec<u8>,
    /// Where the record's raw bytes will start in the block.
    pub(super) base: usize,
    /// How many fields to keep; more are counted only, so that a line of a million
    /// delimiters takes no room.
    pub(super) keep: usize,
    /// Give up with [`Code::FieldCount`] beyond so many fields.
    pub(super) fields_max: usize,
}

/// What follows a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Boundary {
    Delimiter,
    /// Where the next line starts.
    LineEnd(usize),
    FileEnd,
    Text,
    /// Only the next bytes can tell.
    Incomplete,
}

/// A piece of a file, and whether the file ends with it.
#[derive(Clone, Copy)]
pub(super) struct Slice<'a> {
    pub(super) data: &'a [u8],
    pub(super) ended: bool,
    pub(super) dialect: &'a Dialect,
}

/// A field's value while it is read: one stretch of the record for as long as no escape
/// has to be resolved.
struct Value {
    /// Where the value starts in the unescaped bytes, once there is any.
    copied: Option<usize>,
    /// Where the part that is not copied starts in the slice.
    from: usize,
}

/// Reads the record at the start of the slice. On anything but a record, what was put
/// into `cells` is to be taken back by the caller.
pub(super) fn parse(slice: Slice<'_>, cells: &mut Cells<'_>) -> Parsed {
    slice.record(cells).unwrap_or_else(|stopped| stopped)
}

impl Slice<'_> {
    fn record(self, cells: &mut Cells<'_>) -> Result<Parsed, Parsed> {
        let (mut at, mut fields, mut one_line) = (0, 0, true);
        loop {
            if fields == cells.fields_max {
                return Err(broken(Code::FieldCount, fields, at));
            }
            let keep = fields < cells.keep;
            let mut value = Value { copied: None, from: at };
            let end = if self.dialect.quote.is_some()
                && self.data.get(at) == self.dialect.quote.as_ref()
            {
                one_line = false;
                self.quoted(at, fields, &mut value, keep, cells)?
            } else {
                self.unquoted(at, fields, &mut value, keep, cells)?
            };
            if keep {
                let value = value.finish(self.data, end.value, cells);
                cells.fields.push(value);
            }
            fields += 1;
            let next = match self.boundary(end.field) {
                Boundary::Delimiter => {
                    at = end.field + 1;
                    continue;
                }
                Boundary::LineEnd(next) => next,
                Boundary::FileEnd | Boundary::Text => self.data.len(),
                Boundary::Incomplete => return Err(Parsed::Incomplete),
            };
            // Only quotes and escapes carry a record over a line end.
            let lines = if one_line && self.dialect.escape.is_none() {
                u64::from(next > end.field)
            } else {
                memchr::memchr_iter(b'\n', &self.data[..next]).count() as u64
            };
            return Ok(Parsed::Record(Extent { end: end.field, next, fields, lines }));
        }
    }

    /// Reads on in an unquoted field, from `at`.
    fn unquoted(
        self,
        mut at: usize,
        field: usize,
        value: &mut Value,
        keep: bool,
        cells: &mut Cells<'_>,
    ) -> Result<End, Parsed> {
        // From here on a CR before the LF belongs to the line end.
        let mut free = at;
        loop {
            let Some(found) = self.find_in_unquoted(at) else {
                return if self.ended {
                    Ok(End::both(self.data.len()))
                } else {
                    Err(Parsed::Incomplete)
                };
            };
            let byte = self.data[found];
            if byte == self.dialect.delimiter {
                return Ok(End::both(found));
            }
            if byte == b'\n' {
                let crlf = found > free && self.data[found - 1] == b'\r';
                return Ok(End::both(found - usize::from(crlf)));
            }
            if Some(byte) == self.dialect.escape {
                if found + 1 == self.data.len() {
                    // With nothing after it, it is a character like any other.
                    return if self.ended {
                        Ok(End::both(found + 1))
                    } else {
                        Err(Parsed::Incomplete)
                    };
                }
                value.skip(self.data, found, keep, cells);
                at = found + 2;
                free = at;
            } else if self.dialect.lenient_quotes {
                at = found + 1;
            } else {
                return Err(broken(Code::QuoteInField, field, found));
            }
        }
    }

    /// Reads the quoted field whose opening quote stands at `open`.
    fn quoted(
        self,
        open: usize,
        field: usize,
        value: &mut Value,
        keep: bool,
        cells: &mut Cells<'_>,
    ) -> Result<End, Parsed> {
        value.from = open + 1;
        let mut at = open + 1;
        loop {
            let found = self.find_in_quoted(at);
            let next = found.and_then(|found| self.data.get(found + 1));
            let (Some(found), next) = (found, next) else {
                return Err(self.unclosed(field, open));
            };
            if Some(self.data[found]) == self.dialect.escape {
                if next.is_none() {
                    return Err(self.unclosed(field, open));
                }
                value.skip(self.data, found, keep, cells);
                at = found + 2;
            } else if next.is_some() && next == self.dialect.quote.as_ref() {
                value.skip(self.data, found, keep, cells);
                at = found + 2;
            } else {
                return match self.boundary(found + 1) {
                    Boundary::Incomplete => Err(Parsed::Incomplete),
                    Boundary::Text if self.dialect.lenient_quotes => {
                        value.skip(self.data, found, keep, cells);
                        self.unquoted(found + 1, field, value, keep, cells)
                    }
                    Boundary::Text => Err(broken(Code::TextAfterQuote, field, found + 1)),
                    _ => Ok(End { value: found, field: found + 1 }),
                };
            }
        }
    }

    fn unclosed(self, field: usize, open: usize) -> Parsed {
        if self.ended { broken(Code::UnclosedQuote, field, open) } else { Parsed::Incomplete }
    }

    /// What stands right behind a field that ends at `at`.
    pub(super) fn boundary(self, at: usize) -> Boundary {
        match self.data.get(at) {
            None if self.ended => Boundary::FileEnd,
            None => Boundary::Incomplete,
            Some(&byte) if byte == self.dialect.delimiter => Boundary::Delimiter,
            Some(b'\n') => Boundary::LineEnd(at + 1),
            Some(b'\r') => match self.data.get(at + 1) {
                Some(b'\n') => Boundary::LineEnd(at + 2),
                None if !self.ended => Boundary::Incomplete,
                _ => Boundary::Text,
            },
            Some(_) => Boundary::Text,
        }
    }

    fn find_in_unquoted(self, from: usize) -> Option<usize> {
        let Dialect { delimiter, quote, escape, .. } = *self.dialect;
        let rest = self.data.get(from..)?;
        let found = match (quote, escape) {
            (None, None) => memchr2(delimiter, b'\n', rest),
            (Some(one), None) | (None, Some(one)) => memchr3(delimiter, b'\n', one, rest),
            (Some(quote), Some(escape)) => {
                rest.iter().position(|&byte| [delimiter, b'\n', quote, escape].contains(&byte))
            }
        };
        found.map(|found| from + found)
    }

    /// The next quote or escape.
    pub(super) fn find_in_quoted(self, from: usize) -> Option<usize> {
        let rest = self.data.get(from..)?;
        let found = match (self.dialect.quote?, self.dialect.escape) {
            (quote, None) => memchr(quote, rest),
            (quote, Some(escape)) => memchr2(quote, escape, rest),
        };
        found.map(|found| from + found)
    }
}

/// Where a field's value ends, and the field with its closing quote.
struct End {
    value: usize,
    field: usize,
}

impl End {
    fn both(at: usize) -> Self {
        Self { value: at, field: at }
    }
}

impl Value {
    /// Leaves out the byte at `at`, and takes the one after it as it is.
    fn skip(&mut self, data: &[u8], at: usize, keep: bool, cells: &mut Cells<'_>) {
        if keep {
            self.copied.get_or_insert(cells.unescaped.len());
            cells.unescaped.extend_from_slice(&data[self.from..at]);
        }
        self.from = at + 1;
    }

    fn finish(self, data: &[u8], end: usize, cells: &mut Cells<'_>) -> Field {
        match self.copied {
            None => Field::raw(cells.base + self.from, end - self.from),
            Some(start) => {
                cells.unescaped.extend_from_slice(&data[self.from..end]);
                Field::unescaped(start, cells.unescaped.len() - start)
            }
        }
    }
}

fn broken(code: Code, field: usize, at: usize) -> Parsed {
    Parsed::Broken(Broken { code, field, at })
}
