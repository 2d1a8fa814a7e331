//! Plain values: cells that are sent as they stand. Most cells are: a text without anything to
//! escape, a number in JSON's own grammar, a date in the server's own form. They are told by
//! their bytes, a step at a time, and copied; what a typed file has, its column writes.
//!
//! Whatever is not plain, or not allowed, is declined and goes the general way, which would
//! have written the same for a plain one. A property test holds the two together.

use fearless_simd::{Level, Simd, dispatch};

use super::Node;
use crate::shape::{
    arrow_cells::Put,
    cells::RowCells,
    datetime::DateFormat,
    json,
    lanes::{self, STEP_BYTES, Step, step_of},
    plan::{Empty, Plan, Target, ValueType},
};
use crate::wire::limits;

/// Bytes of a key's copy, one size for all so that it needs no call: longer keys go the general way.
const KEY_BYTES_MAX: usize = 64;

/// Bytes that wait to be moved to the block's JSON: the members of a few rows.
const STAGE_BYTES: usize = 4096;

/// The longest value that is looked at: a longer one may have more characters than the server keeps.
const VALUE_BYTES_MAX: usize = limits::STRING_CHARS_MAX;

/// The longest text that is escaped here: it has room whatever its bytes are.
const ESCAPED_BYTES_MAX: usize = VALUE_BYTES_MAX / json::ESCAPED_BYTES;

/// Bytes that writing a member may touch: key, value, and what a step copies behind it.
const MEMBER_BYTES_MAX: usize = KEY_BYTES_MAX + VALUE_BYTES_MAX + 2 * STEP_BYTES;

/// A cell of a text file: the bytes around it, and where it lies in them.
#[derive(Clone, Copy)]
pub(in crate::shape) struct Span<'a> {
    pub(in crate::shape) bytes: &'a [u8],
    pub(in crate::shape) start: usize,
    pub(in crate::shape) len: usize,
}

impl<'a> Span<'a> {
    /// The bytes of the cell.
    pub(in crate::shape) fn value(&self) -> &'a [u8] {
        &self.bytes[self.start..self.start + self.len]
    }
}

/// Room for a member.
type Room = [u8; MEMBER_BYTES_MAX];

/// An attribute whose cells may be plain.
pub(super) struct PlainColumn {
    /// `"name":`, and the quote that opens a text.
    key: [u8; KEY_BYTES_MAX],
    key_len: u8,
    form: Form,
    /// What stands behind the value: a comma, of a text behind its quote.
    closing: [u8; 2],
    closing_len: u8,
    /// Index of the column in the plan.
    at: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    /// A text of which one that looks like a date is worth a word.
    DatedText,
    Number,
    Bool,
    Date,
}

impl PlainColumn {
    #[inline(always)]
    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// The column as one of plain cells; `None` where its cells need more than a look.
    pub(super) fn of(plan: &Plan, at: usize) -> Option<Self> {
        let column = &plan.columns[at];
        let form = match column.value {
            ValueType::Text if column.inferred => Form::DatedText,
            ValueType::Text => Form::Text,
            ValueType::Number => Form::Number,
            ValueType::Bool => Form::Bool,
            ValueType::DateTime(DateFormat::Iso) => Form::Date,
            _ => return None,
        };
        let is_simple = column.target == Target::Attribute
            && column.constant.is_none()
            && column.remarks.is_empty()
            && column.listed.is_none()
            && column.reading.null_words.is_empty()
            && plan.rules.null_values.is_empty()
            && plan.rules.empty == Empty::Omit
            && plan.rules.body_bytes_max > limits::STRING_CHARS_MAX;
        let is_quoted = matches!(form, Form::Text | Form::DatedText | Form::Date);
        let key_len = column.key.len() + usize::from(is_quoted);
        if !is_simple || key_len > KEY_BYTES_MAX {
            return None;
        }
        let mut key = [b'"'; KEY_BYTES_MAX];
        key[..column.key.len()].copy_from_slice(&column.key);
        Some(Self {
            key,
            key_len: key_len as u8,
            form,
            closing: if is_quoted { *b"\"," } else { *b",," },
            closing_len: 1 + u8::from(is_quoted),
            at: at as u32,
        })
    }
}

/// Plain members on their way to the JSON of a block. A buffer of one size, which stays in the
/// cache, takes whole steps at a time with no look at its room.
pub(super) struct Stage {
    bytes: Box<[u8; STAGE_BYTES]>,
    len: usize,
    level: Level,
}

impl Default for Stage {
    fn default() -> Self {
        Self { bytes: Box::new([0; STAGE_BYTES]), len: 0, level: Level::new() }
    }
}

impl Stage {
    /// Bytes that it holds.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves what it holds.
    pub(super) fn flush(&mut self, json: &mut Vec<u8>) {
        json.extend_from_slice(&self.bytes[..self.len]);
        self.len = 0;
    }

    /// Writes a text as it stands.
    #[inline(always)]
    pub(super) fn push<const BYTES: usize>(&mut self, text: &[u8; BYTES], json: &mut Vec<u8>) {
        if self.len > STAGE_BYTES - BYTES {
            self.flush(json);
        }
        self.bytes[self.len..self.len + BYTES].copy_from_slice(text);
        self.len += BYTES;
    }

    /// Writes a key and a text in quotes, where the text needs no escape; whether it did.
    #[inline(always)]
    pub(super) fn push_text<const BYTES: usize>(
        &mut self,
        key: &[u8; BYTES],
        text: Span<'_>,
        json: &mut Vec<u8>,
    ) -> bool {
        let Span { bytes, start, len } = text;
        if len > VALUE_BYTES_MAX {
            return false;
        }
        if self.len > STAGE_BYTES - MEMBER_BYTES_MAX {
            self.flush(json);
        }
        let out = &mut self.bytes[self.len..];
        out[..BYTES].copy_from_slice(key);
        out[BYTES] = b'"';
        let value = &mut out[BYTES + 1..];
        let level = self.level;
        let is_plain = dispatch!(level, simd => copy_text(simd, &bytes[start..], len, value));
        if is_plain {
            value[len] = b'"';
            self.len += BYTES + len + 2;
        }
        is_plain
    }

    /// Takes back the last byte that was written.
    pub(super) fn pop(&mut self, json: &mut Vec<u8>) {
        match self.len.checked_sub(1) {
            Some(len) => self.len = len,
            None => _ = json.pop(),
        }
    }

    /// Writes the members at the front of an object that are plain, each with a comma behind it; how
    /// many stand there, with those that are absent. `written` counts those that are in the object.
    /// A function of its own: it is where most of the time goes, and its few variables stay in
    /// registers.
    #[inline(never)]
    pub(super) fn run<R: RowCells>(
        &mut self,
        members: &[Node],
        cells: &R,
        written: &mut usize,
        json: &mut Vec<u8>,
    ) -> usize {
        let level = self.level;
        dispatch!(level, simd => self.run_with(simd, members, cells, written, json))
    }

    #[inline(always)]
    fn run_with<R: RowCells, S: Simd>(
        &mut self,
        simd: S,
        members: &[Node],
        cells: &R,
        written: &mut usize,
        json: &mut Vec<u8>,
    ) -> usize {
        let mut run = Run { len: self.len, written: *written, members };
        let bytes = &mut *self.bytes;
        // A loop for each form: it holds nothing but what its own form needs.
        while let Some(form) = run.members.first().and_then(Node::form) {
            let goes_on = match form {
                Form::Text => run.write(Form::Text, simd, bytes, cells, json),
                Form::DatedText => run.write(Form::DatedText, simd, bytes, cells, json),
                Form::Number => run.write(Form::Number, simd, bytes, cells, json),
                Form::Bool => run.write(Form::Bool, simd, bytes, cells, json),
                Form::Date => run.write(Form::Date, simd, bytes, cells, json),
            };
            if !goes_on {
                break;
            }
        }
        (self.len, *written) = (run.len, run.written);
        members.len() - run.members.len()
    }
}

/// How far a run of plain members is.
struct Run<'n> {
    /// Bytes that are staged.
    len: usize,
    /// Members in the object.
    written: usize,
    /// The members that are left.
    members: &'n [Node],
}

impl Run<'_> {
    /// Writes the members of one form that come next; whether all of them were plain.
    #[inline(always)]
    fn write<R: RowCells, S: Simd>(
        &mut self,
        form: Form,
        simd: S,
        bytes: &mut [u8; STAGE_BYTES],
        cells: &R,
        json: &mut Vec<u8>,
    ) -> bool {
        while let [Node::Value { plain: Some(column), .. }, left @ ..] = self.members
            && column.form == form
        {
            if self.len > STAGE_BYTES - MEMBER_BYTES_MAX {
                json.extend_from_slice(&bytes[..self.len]);
                self.len = 0;
            }
            let Some(out) = bytes[self.len..].first_chunk_mut() else { return false };
            let member = match cells.span(column.at as usize) {
                Some(cell) => column.write(form, simd, cell, out),
                None => column.write_typed(cells, out),
            };
            let Some(member) = member else { return false };
            self.len += member;
            self.written += usize::from(member > 0);
            self.members = left;
        }
        true
    }
}

impl PlainColumn {
    /// Writes `"name":value,` of a plain cell; its bytes, none of an empty cell. `None` where it has
    /// to go the general way. `form` is the column's.
    #[inline(always)]
    fn write<S: Simd>(&self, form: Form, simd: S, cell: Span<'_>, out: &mut Room) -> Option<usize> {
        let Span { bytes, start, len } = cell;
        let at = self.write_key(out);
        let first = &step_of(&bytes[start..]);
        out[at..at + STEP_BYTES].copy_from_slice(first);
        if len > STEP_BYTES {
            return self.write_long(simd, &bytes[start..], len, at, out);
        }
        let is_empty = len == 0;
        let is_plain = match form {
            Form::Text => lanes::is_plain_text(simd, first, len),
            Form::DatedText => {
                lanes::is_plain_text(simd, first, len)
                    && (is_empty
                        || !first[0].is_ascii_digit()
                        || is_no_doubtful_date(simd, first, len))
            }
            Form::Date => {
                let is_date = is_empty | lanes::is_date(simd, first, len);
                if !is_date && let Some(date) = lanes::to_utc(simd, first, len) {
                    out[at..at + STEP_BYTES].copy_from_slice(&date);
                    return Some(self.close(at, lanes::UTC_BYTES, out));
                }
                is_date
            }
            Form::Number => is_empty | lanes::is_number(simd, first, len),
            Form::Bool => is_empty | lanes::is_bool(first, len),
        };
        if !is_plain {
            return match form {
                Form::Text | Form::DatedText => {
                    self.write_escaped(bytes.get(start..start + len)?, at, out)
                }
                _ => None,
            };
        }
        let end = self.close(at, len, out);
        // Not branched on: nobody can guess which cells are empty.
        Some(std::hint::select_unpredictable(is_empty, 0, end))
    }

    /// The same of a cell that is longer than a step, which only a text is.
    #[inline(never)]
    fn write_long<S: Simd>(
        &self,
        simd: S,
        text: &[u8],
        len: usize,
        at: usize,
        out: &mut Room,
    ) -> Option<usize> {
        if !self.is_one_text(text) || len > VALUE_BYTES_MAX {
            return None;
        }
        let is_plain = simd.vectorize(
            #[inline(always)]
            || copy_text(simd, text, len, &mut out[at..]),
        );
        if is_plain {
            return Some(self.close(at, len, out));
        }
        self.write_escaped(text.get(..len)?, at, out)
    }

    /// The same of a text in which something needs an escape.
    #[inline(never)]
    fn write_escaped(&self, text: &[u8], at: usize, out: &mut Room) -> Option<usize> {
        if !self.is_one_text(text) || text.len() > ESCAPED_BYTES_MAX {
            return None;
        }
        let len = json::put_escaped(&mut out[at..], text)?;
        Some(self.close(at, len, out))
    }

    /// Whether the column is one of texts, and this is no list and nothing that may look like a date.
    fn is_one_text(&self, text: &[u8]) -> bool {
        match self.form {
            Form::Text => text.first() != Some(&b'['),
            Form::DatedText => !matches!(text.first(), Some(b'[' | b'0'..=b'9')),
            _ => false,
        }
    }

    /// The same of a cell of a typed file that is no text: its column writes it.
    #[inline(always)]
    fn write_typed<R: RowCells>(&self, cells: &R, out: &mut Room) -> Option<usize> {
        let at = self.write_key(out);
        match cells.put(self.at as usize, out[at..].first_chunk_mut()?) {
            Put::Bytes(len) => Some(self.close(at, len, out)),
            Put::Absent => Some(0),
            Put::Declined => None,
        }
    }

    /// Closes a value; where the member ends.
    #[inline(always)]
    fn close(&self, at: usize, len: usize, out: &mut Room) -> usize {
        out[at + len..at + len + 2].copy_from_slice(&self.closing);
        at + len + usize::from(self.closing_len)
    }

    /// Writes the key; where the value goes.
    #[inline(always)]
    fn write_key(&self, out: &mut Room) -> usize {
        // One half is enough for most.
        let (first_half, rest) = self.key.split_at(KEY_BYTES_MAX / 2);
        out[..KEY_BYTES_MAX / 2].copy_from_slice(first_half);
        if usize::from(self.key_len) > KEY_BYTES_MAX / 2 {
            out[KEY_BYTES_MAX / 2..KEY_BYTES_MAX].copy_from_slice(rest);
        }
        // The remainder is the same, and shows that there is room.
        usize::from(self.key_len) % (2 * KEY_BYTES_MAX)
    }
}

/// Whether a text that begins with a digit is a number, which has no two separators, or a date as
/// the server keeps it: either is worth no word.
#[inline(always)]
fn is_no_doubtful_date<S: Simd>(simd: S, first: &Step, len: usize) -> bool {
    lanes::is_number(simd, first, len) || lanes::is_date(simd, first, len)
}

/// Copies the first `len` bytes, a text, where nothing in it needs an escape; whether it did.
#[inline(always)]
fn copy_text<S: Simd>(simd: S, text: &[u8], len: usize, out: &mut [u8]) -> bool {
    let mut done = 0;
    while done < len {
        let step = &step_of(&text[done..]);
        if lanes::has_escape(simd, step, len - done) {
            return false;
        }
        out[done..done + STEP_BYTES].copy_from_slice(step);
        done += STEP_BYTES;
    }
    true
}
