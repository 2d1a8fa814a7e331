//! The JSON of one nested value, written exactly, while the server's limits on its
//! structure are counted (Data API, U: what the server does silently).
//!
//! A [`Sink`] is told the value piece by piece, by whoever walks it: Arrow arrays,
//! JSON text, list cells. Nothing is cut to a limit; what breaks one is sent as it is,
//! and the codes say so.

use xxhash_rust::xxh3::xxh3_64;

use super::{
    json,
    number::{Fit, Number},
};
use crate::model::{Code, CodeSet};
use crate::wire::limits;

/// Bytes from which on a value is not written further. Far above every body, so the
/// row is too large anyway; what this bounds is memory, where a small file repeats a
/// long text very often.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// What a [`Sink`] reuses from value to value.
#[derive(Debug, Default)]
pub struct Buffers {
    open: Vec<Open>,
    keys: Vec<Key>,
}

/// A list or an object that has not ended yet.
#[derive(Debug)]
struct Open {
    /// Where it begins in the output.
    start: usize,
    /// Elements or entries so far.
    count: usize,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    List {
        /// A bit for each [`Kind`] among the elements.
        kinds: u8,
    },
    Object {
        /// Where an entry begins that has its key and no value yet, comma included.
        entry: Option<usize>,
        /// Its first key among the keys that are compared.
        keys: usize,
    },
}

/// A key that was written, to be compared with its siblings.
#[derive(Clone, Copy, Debug)]
struct Key {
    hash: u64,
    start: usize,
    end: usize,
}

/// A value's datatype, as a bit.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Text = 1,
    Number = 2,
    Bool = 4,
    Object = 8,
    List = 16,
}

/// Writes one value.
///
/// Calls must nest as JSON does: in an object every value follows a key. What does not
/// ([`Sink::end_list`] without a list) is ignored.
#[derive(Debug)]
pub struct Sink<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    buffers: &'a mut Buffers,
    /// Objects around what is written next: those that the value stands in, and the open ones.
    levels: usize,
    flaws: CodeSet,
    refused: Option<Code>,
}

impl<'a> Sink<'a> {
    /// Begins a value at the end of `out`, which stands in so many objects of an attribute: the
    /// server counts its levels and bytes from the attribute on.
    pub fn new(out: &'a mut Vec<u8>, buffers: &'a mut Buffers, levels: usize) -> Self {
        buffers.open.clear();
        buffers.keys.clear();
        let start = out.len();
        Self { out, start, buffers, levels, flaws: CodeSet::default(), refused: None }
    }

    /// Ends the value. Nothing was written where it is null.
    ///
    /// # Errors
    /// The rule that keeps the value from being sent; what was written of it is gone.
    pub fn finish(self) -> Result<CodeSet, Code> {
        match self.refused {
            None => Ok(self.flaws),
            Some(code) => {
                self.out.truncate(self.start);
                Err(code)
            }
        }
    }

    /// Whether the value is refused already, so that the rest of it need not be told.
    pub fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// Refuses the value; the first reason counts.
    pub fn refuse(&mut self, code: Code) {
        self.refused.get_or_insert(code);
    }

    /// Notes a limit that the value breaks.
    pub fn note(&mut self, code: Code) {
        self.flaws.insert(code);
    }

    /// Begins an object.
    pub fn begin_object(&mut self) {
        if !self.value(Kind::Object) {
            return;
        }
        self.levels += 1;
        if self.levels > limits::OBJECT_LEVELS_MAX {
            self.note(Code::ObjectDepth);
        }
        let shape = Shape::Object { entry: None, keys: self.buffers.keys.len() };
        self.buffers.open.push(Open { start: self.out.len(), count: 0, shape });
        self.out.push(b'{');
    }

    /// The key of the next entry.
    pub fn key(&mut self, key: &str) {
        if !self.entry() {
            return;
        }
        if key.contains(limits::OBJECT_KEY_CHARS_BARRED) {
            self.note(Code::ObjectKeyCharacters);
        }
        let start = self.out.len();
        json::write_string(self.out, key);
        let end = self.out.len();
        self.buffers.keys.push(Key { hash: xxh3_64(key.as_bytes()), start, end });
        self.out.push(b':');
    }

    /// The key of the next entry of an object whose keys are known to differ.
    pub fn known_key(&mut self, key: &KnownKey) {
        if !self.entry() {
            return;
        }
        if key.barred {
            self.note(Code::ObjectKeyCharacters);
        }
        self.out.extend_from_slice(&key.json);
    }

    /// Ends an object.
    pub fn end_object(&mut self) {
        let Some(&Open { start, count, shape: Shape::Object { keys, .. } }) =
            self.buffers.open.last()
        else {
            return;
        };
        self.buffers.open.pop();
        self.out.push(b'}');
        if count > limits::OBJECT_KEYS_MAX {
            self.note(Code::ObjectKeys);
        }
        self.levels -= 1;
        if self.levels == 0 && self.out.len() - start > limits::OBJECT_BYTES_MAX {
            self.note(Code::ObjectTooLarge);
        }
        let out = &*self.out;
        let text = |key: &Key| &out[key.start..key.end];
        let siblings = &mut self.buffers.keys[keys..];
        siblings.sort_unstable_by(|a, b| a.hash.cmp(&b.hash).then_with(|| text(a).cmp(text(b))));
        let twice = |pair: &[Key]| pair[0].hash == pair[1].hash && text(&pair[0]) == text(&pair[1]);
        let twice = siblings.windows(2).any(twice);
        self.buffers.keys.truncate(keys);
        if twice {
            self.refuse(Code::ObjectKeyTwice);
        }
    }

    /// Begins a list.
    pub fn begin_list(&mut self) {
        if !self.value(Kind::List) {
            return;
        }
        let shape = Shape::List { kinds: 0 };
        self.buffers.open.push(Open { start: self.out.len(), count: 0, shape });
        self.out.push(b'[');
    }

    /// Ends a list.
    pub fn end_list(&mut self) {
        let Some(&Open { count, shape: Shape::List { kinds }, .. }) = self.buffers.open.last()
        else {
            return;
        };
        self.buffers.open.pop();
        self.out.push(b']');
        let most = if kinds == Kind::Object as u8 {
            limits::OBJECT_LIST_ELEMENTS_MAX
        } else {
            limits::LIST_ELEMENTS_MAX
        };
        if count > most {
            self.note(Code::ListTooLong);
        }
        if kinds.count_ones() > 1 || kinds & Kind::List as u8 != 0 {
            self.note(Code::ListMixedTypes);
        }
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        if !self.value(Kind::Text) {
            return;
        }
        if let Some(code) = text_flaw(text) {
            self.note(code);
        }
        json::write_string(self.out, text);
    }

    /// A number, by its digits. `binary` as in [`Cell::Number`](super::cell::Cell::Number).
    pub fn number(&mut self, digits: &str, binary: bool) {
        if !self.value(Kind::Number) {
            return;
        }
        if binary {
            self.out.extend_from_slice(digits.as_bytes());
            return;
        }
        let Some(number) = Number::parse(digits) else { return self.refuse(Code::TypeNumber) };
        match number.fit() {
            Fit::Exact => {}
            Fit::Imprecise => self.note(Code::NumberPrecision),
            Fit::OutOfRange => self.refuse(Code::NumberRange),
        }
        number.write_json(self.out);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        if self.value(Kind::Bool) {
            self.out.extend_from_slice(if value { b"true" } else { b"false" });
        }
    }

    /// No value. The entry of an object is left out, key and all, as an attribute would
    /// be; an element of a list too, which is noted, since the others move up.
    pub fn null(&mut self) {
        if self.refused.is_some() {
            return;
        }
        let Some(Open { count, shape, .. }) = self.buffers.open.last_mut() else { return };
        match shape {
            Shape::List { .. } => self.note(Code::ListNull),
            Shape::Object { entry, .. } => {
                let Some(entry) = entry.take() else { return };
                *count -= 1;
                self.out.truncate(entry);
                while self.buffers.keys.last().is_some_and(|key| key.start >= entry) {
                    self.buffers.keys.pop();
                }
            }
        }
    }

    /// Prepares for a value: `false` where it is no longer written.
    fn value(&mut self, kind: Kind) -> bool {
        if self.refused.is_some() {
            return false;
        }
        if self.out.len() - self.start > VALUE_BYTES_MAX {
            self.refuse(Code::RowTooLarge);
            return false;
        }
        let Some(Open { count, shape, .. }) = self.buffers.open.last_mut() else { return true };
        match shape {
            Shape::List { kinds } => {
                if *count > 0 {
                    self.out.push(b',');
                }
                *count += 1;
                *kinds |= kind as u8;
                true
            }
            Shape::Object { entry, .. } => entry.take().is_some(),
        }
    }

    /// Prepares for a key: `false` where it is no longer written.
    fn entry(&mut self) -> bool {
        if self.refused.is_some() {
            return false;
        }
        let Some(Open { count, shape: Shape::Object { entry, .. }, .. }) =
            self.buffers.open.last_mut()
        else {
            return false;
        };
        *entry = Some(self.out.len());
        if *count > 0 {
            self.out.push(b',');
        }
        *count += 1;
        true
    }
}

/// A key that is encoded once for many values.
#[derive(Debug)]
pub struct KnownKey {
    /// `"name":`
    json: Box<[u8]>,
    /// It holds a character that the server does not allow.
    barred: bool,
}

impl KnownKey {
    /// A key of that name.
    pub fn new(name: &str) -> Self {
        let mut json = json::string(name);
        json.push(b':');
        let barred = name.contains(limits::OBJECT_KEY_CHARS_BARRED);
        Self { json: json.into(), barred }
    }
}

/// Which limit on texts a string value breaks, in an attribute or inside a nested value.
pub fn text_flaw(text: &str) -> Option<Code> {
    // No text has more characters than bytes.
    if text.len() <= limits::STRING_CHARS_MAX || text.chars().count() <= limits::STRING_CHARS_MAX {
        return None;
    }
    Some(if is_url(text) { Code::UrlTooLong } else { Code::StringTooLong })
}

/// `scheme://…` without white space; the API does not say what it takes for a URL.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && !text.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests;
