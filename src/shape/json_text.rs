//! A JSON document in a cell, told to a sink value by value: checked, and written without
//! blanks, its digits as they stand.

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::nested::{Buffers, Sink};
use crate::model::{Code, CodeSet};

/// The most levels of objects and lists in one document. The server keeps two, and each
/// level costs a frame of the stack: without a bound a cell could end the program.
const LEVELS_MAX: usize = 128;

/// Writes the document to `out`, where it stands in `levels` objects of an attribute; `None` where
/// it is `null`, and nothing was written.
///
/// # Errors
/// The rule that the text breaks; nothing was written.
pub fn write(
    text: &str,
    out: &mut Vec<u8>,
    buffers: &mut Buffers,
    levels: usize,
) -> Result<Option<CodeSet>, Code> {
    let start = out.len();
    let Ok(document) = serde_json::from_str::<&RawValue>(text) else {
        return Err(Code::TypeJson);
    };
    let mut sink = Sink::new(out, buffers, levels);
    if tell(document, &mut sink, LEVELS_MAX).is_err() {
        sink.refuse(Code::TypeJson);
    }
    let flaws = sink.finish()?;
    Ok((out.len() > start).then_some(flaws))
}

/// Tells one value, which may have `levels` of objects and lists. The text is sound JSON
/// already; its depth is not bounded by the parser, which skips a raw value without recursion.
fn tell(value: &RawValue, sink: &mut Sink<'_>, levels: usize) -> serde_json::Result<()> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{' | b'[') => {
            let Some(levels) = levels.checked_sub(1) else {
                sink.refuse(Code::TypeJson);
                return Ok(());
            };
            let mut parser = serde_json::Deserializer::from_str(text);
            Members { sink, levels }.deserialize(&mut parser)
        }
        Some(b'"') => {
            // Its escapes were looked at; what is left is half of a surrogate pair.
            match from_text(text) {
                Ok(text) => sink.string(&text),
                Err(_) => sink.refuse(Code::JsonSurrogate),
            }
            Ok(())
        }
        Some(b't' | b'f') => {
            sink.bool(text == "true");
            Ok(())
        }
        Some(b'n') => {
            sink.null();
            Ok(())
        }
        _ => {
            sink.number(text, false);
            Ok(())
        }
    }
}

/// A string, borrowed where it has no escapes.
fn from_text(text: &str) -> serde_json::Result<std::borrow::Cow<'_, str>> {
    struct Text;
    impl<'de> Visitor<'de> for Text {
        type Value = std::borrow::Cow<'de, str>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string")
        }

        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(text.into())
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(text.to_owned().into())
        }
    }
    serde_json::Deserializer::from_str(text).deserialize_str(Text)
}

/// The members of one object or list.
struct Members<'s, 'o> {
    sink: &'s mut Sink<'o>,
    /// Levels that may be in it.
    levels: usize,
}

impl<'de> DeserializeSeed<'de> for Members<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.sink.begin_object();
        while let Some(key) = members.next_key::<String>()? {
            self.sink.key(&key);
            tell(members.next_value::<&RawValue>()?, self.sink, self.levels)
                .map_err(A::Error::custom)?;
            if self.sink.is_refused() {
                // The rest still has to be read, or the parser takes it for trailing text.
                while members.next_entry::<&RawValue, &RawValue>()?.is_some() {}
                break;
            }
        }
        self.sink.end_object();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.sink.begin_list();
        while let Some(item) = items.next_element::<&RawValue>()? {
            tell(item, self.sink, self.levels).map_err(A::Error::custom)?;
        }
        self.sink.end_list();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<Option<(String, Vec<&'static str>)>, Code> {
        let mut out = b"before".to_vec();
        let flaws = write(text, &mut out, &mut Buffers::default(), 0);
        let out = String::from_utf8(out).expect("UTF-8");
        let json = out.strip_prefix("before").expect("what stood there").to_owned();
        let flaws = flaws.inspect_err(|_| assert_eq!(json, "", "{text}"))?;
        Ok(flaws.map(|flaws| (json, flaws.iter().map(Code::as_str).collect())))
    }

    #[test]
    fn documents_come_out_as_they_stand_without_blanks() {
        for (text, json) in [
            (
                r#" { "a" : [ 1 , 2.50e3 ] ,"b":{"c":"é\n\u00e9"} } "#,
                r#"{"a":[1,2.50e3],"b":{"c":"é\né"}}"#,
            ),
            ("{}", "{}"),
            ("[]", "[]"),
            (
                r#"[{"platform":"ANDROID","active":"true"}]"#,
                r#"[{"platform":"ANDROID","active":"true"}]"#,
            ),
            (r#""text""#, r#""text""#),
            ("-0.10", "-0.10"),
            ("true", "true"),
            (r#"{"a":null,"b":1}"#, r#"{"b":1}"#),
        ] {
            assert_eq!(written(text), Ok(Some((json.to_owned(), vec![]))), "{text}");
        }
        assert_eq!(written(" null "), Ok(None));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "[".repeat(100_000);
        for text in
            ["", "{", "[1,]", "{\"a\":1} x", "nul", "'a'", "{a:1}", "NaN", "[1|2]", "01", &deep]
        {
            assert_eq!(written(text), Err(Code::TypeJson), "{text:.20}");
        }
        assert_eq!(written(r#"{"a":1,"b":{"c":1,"c":2},"d":[]}"#), Err(Code::ObjectKeyTwice));
        assert_eq!(written(r#"[1e999,"x"]"#), Err(Code::NumberRange));
    }

    #[test]
    fn depth_is_bounded_whatever_the_stack() {
        let nested = |open: &str, levels: usize, close: &str| {
            written(&format!("{}1{}", open.repeat(levels), close.repeat(levels)))
        };
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            assert_eq!(nested(open, 100_000, close), Err(Code::TypeJson), "{open}");
        }
        assert!(nested("[", LEVELS_MAX, "]").is_ok());
        assert_eq!(nested("[", LEVELS_MAX + 1, "]"), Err(Code::TypeJson));
    }

    #[test]
    fn limits_are_counted() {
        let flaws = |text: &str| written(text).expect("sound").expect("a value").1;
        assert_eq!(flaws(r#"{"a":{"b":{"c":1}}}"#), ["object-depth"]);
        assert_eq!(flaws(r#"{"a$":1}"#), ["object-key-characters"]);
        assert_eq!(flaws(r#"[1,"x"]"#), ["list-mixed-types"]);
        assert_eq!(flaws("[12345678901234567890]"), ["number-precision"]);
        assert_eq!(flaws("[null,1]"), ["list-null"]);
    }
}
