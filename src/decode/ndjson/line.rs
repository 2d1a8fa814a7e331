//! One line: an object whose members are told one by one, or what keeps it from being one.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::model::Code;

/// Why a line is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) code: Code,
    /// What was found; never a value.
    pub(super) detail: String,
}

impl Flaw {
    pub(super) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// A key that stands twice in the object.
    pub(super) fn twice() -> Self {
        Self::new(Code::ObjectKeyTwice, "a key of the object stands twice")
    }

    /// What the parser says of a line, by the byte at which it says so.
    fn of(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // The place in a text of one line; the parser counts from 1.
        let what = text.split(" at line ").next().unwrap_or_default();
        let code = match what {
            _ if error.is_eof() => Code::JsonCutOff,
            // The parser's words where half of a surrogate pair stands alone.
            "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
                Code::JsonSurrogate
            }
            "trailing characters" => Code::JsonTrailing,
            _ => Code::JsonSyntax,
        };
        let what = what.replace("EOF while parsing", "it ends inside");
        Self { code, detail: format!("{what} at byte {}", error.column()) }
    }
}

/// Whether a line holds nothing: blanks alone.
pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

/// What a line opens that holds nothing but a brace or bracket.
pub(super) fn opened(line: &[u8]) -> Option<&'static str> {
    match line.trim_ascii() {
        b"{" => Some("an object"),
        b"[" => Some("an array"),
        _ => None,
    }
}

/// Tells the members of the object that a line is, keys without escapes and values as they stand.
/// Whether a key stands there twice is left to whoever is told: it may stop with a flaw.
pub(super) fn read<'l>(
    line: &'l [u8],
    mut take: impl FnMut(Cow<'l, str>, &'l str) -> Result<(), Flaw>,
) -> Result<(), Flaw> {
    let text = simdutf8::compat::from_utf8(line).map_err(|error| {
        let at = error.valid_up_to() + 1;
        Flaw::new(Code::InvalidUtf8, format!("the bytes from byte {at} on are not UTF-8"))
    })?;
    let mut parser = serde_json::Deserializer::from_str(text);
    let first = text.bytes().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
    if first != Some(b'{') {
        let value: Result<&RawValue, _> = serde::Deserialize::deserialize(&mut parser);
        value.and_then(|_| parser.end()).map_err(|error| Flaw::of(&error))?;
        let what = match first {
            Some(b'[') => "an array",
            Some(b'"') => "a string",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        };
        return Err(Flaw::new(
            Code::JsonNotObject,
            format!("{what} stands where an object should"),
        ));
    }
    let mut flaw = None;
    let told = Members { take: &mut take, flaw: &mut flaw }.deserialize(&mut parser);
    told.and_then(|()| parser.end()).map_err(|error| Flaw::of(&error))?;
    flaw.map_or(Ok(()), Err)
}

/// The members of the object. What is wrong with one of them is said when all of the line is known
/// to be JSON: a line that is none has that flaw alone.
struct Members<'f, F> {
    take: &'f mut F,
    flaw: &'f mut Option<Flaw>,
}

impl<'de, F> DeserializeSeed<'de> for Members<'_, F>
where
    F: FnMut(Cow<'de, str>, &'de str) -> Result<(), Flaw>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F> Visitor<'de> for Members<'_, F>
where
    F: FnMut(Cow<'de, str>, &'de str) -> Result<(), Flaw>,
{
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key_seed(Key)? {
            // Skipped without recursion, so however deep it is, the stack is not.
            let value: &RawValue = members.next_value()?;
            if self.flaw.is_none() {
                *self.flaw = (self.take)(key, value.get()).err();
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(key.into())
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(key.to_owned().into())
    }
}
