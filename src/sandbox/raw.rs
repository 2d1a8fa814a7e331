//! The text of a document's elements, byte for byte as it arrived: written anew from parsed values,
//! numbers would lose digits (`1.10`, a 20-digit id) and a record would hide what a client sent.
//!
//! Expects text that was parsed as JSON before. On any other text the parts are meaningless, but
//! nothing fails.

use memchr::memchr2;

/// The text of each item of the top-level `elements` array; of the last one, as for any JSON key.
pub(super) fn elements(document: &str) -> Vec<&str> {
    let mut elements = "";
    let mut members = Parts::of(document);
    while let (Some(key), Some(value)) = (members.next(), members.next()) {
        if serde_json::from_str::<String>(key).is_ok_and(|key| key == "elements") {
            elements = value;
        }
    }
    Parts::of(elements).collect()
}

/// The items of an array, or the keys and values of an object in turn.
struct Parts<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parts<'a> {
    fn of(container: &'a str) -> Self {
        let text = container.trim_start();
        Self { text, at: 1 }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let start = self.at + rest.iter().position(|byte| !is_between(*byte))?;
        let end = value_end(self.text.as_bytes(), start);
        self.at = end;
        // At the container's own closing bracket there is no value left.
        self.text.get(start..end).filter(|part| !part.is_empty())
    }
}

fn is_between(byte: u8) -> bool {
    matches!(byte, b',' | b':' | b' ' | b'\t' | b'\n' | b'\r')
}

/// Where the value that begins at `start` ends; `start` itself at a closing bracket.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ if depth == 0 && is_between(byte) => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Where the string whose quote opens at `start` ends.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        // A backslash and what it escapes.
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_bytes() {
        let document = r#" { "type" : "transition", "x": {"elements": [0]}, "elements" :
            [ {"a":1.10, "b":"}]\"\\"} ,{"c":[[],{}]},12345678901234567890 , "é,", true ] } "#;
        let expected = [
            r#"{"a":1.10, "b":"}]\"\\"}"#,
            r#"{"c":[[],{}]}"#,
            "12345678901234567890",
            r#""é,""#,
            "true",
        ];
        assert_eq!(elements(document), expected);
    }

    #[test]
    fn the_last_of_two_keys_counts_and_escapes_in_it_are_read() {
        assert_eq!(elements(r#"{"elements":[1],"\u0065lements":[2,3]}"#), ["2", "3"]);
    }

    #[test]
    fn texts_that_are_no_envelope_yield_nothing_or_parts() {
        for text in
            ["", "{", "[]", "{}", r#"{"elements"#, r#"{"elements":"#, r#"{"elements":[]}"#, "\"\\"]
        {
            assert!(elements(text).is_empty(), "{text}");
        }
        assert_eq!(elements(r#"{"elements":[{"a"#), [r#"{"a"#]);
    }
}
