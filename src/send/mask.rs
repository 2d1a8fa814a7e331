//! Keeps a server's words without the values that they quote: they go to the checkpoint, to
//! reports and to the terminal, where nobody's data belongs. The row itself stands beside
//! them in the rejects.

use std::collections::BTreeSet;

use serde_json::Value;

/// What stands in the place of a value.
const MASK: &str = "…";

/// Shorter values tell nothing of anybody, and are parts of too many words.
const CHARS_MIN: usize = 3;

/// The words without the values of a body.
pub(super) fn masked(words: &str, body: &[u8]) -> String {
    let mut values = BTreeSet::new();
    if let Ok(body) = serde_json::from_slice(body) {
        collect(&body, &mut values);
    }
    // A number may be quoted as it is written, or as it is read.
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E');
    let numbers = words.split(|c: char| !is_part(c)).map(|part| part.trim_end_matches('.'));
    values.extend(numbers.filter(|part| is_number_of(part, body)).map(str::to_owned));
    let mut found: Vec<String> =
        values.into_iter().filter(|value| words.contains(value.as_str())).collect();
    // A value can be a part of another.
    found.sort_by_key(|value| std::cmp::Reverse(value.len()));
    found.iter().fold(words.to_owned(), |words, value| hide(&words, value))
}

/// The values in a document, but for what says which kind of element it is.
fn collect(value: &Value, values: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => values.extend(forms(text)),
        Value::Number(number) => {
            let text = number.to_string();
            if text.len() >= CHARS_MIN {
                values.insert(text);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != "type");
            members.for_each(|(_, member)| collect(member, values));
        }
        Value::Bool(_) | Value::Null => {}
    }
}

/// How a server may quote a text: as it is, without the blanks around it, on one line, or as it
/// stands in the document that it was sent.
fn forms(text: &str) -> impl Iterator<Item = String> {
    let trimmed = text.trim();
    let is_on_one_line = !trimmed.contains(char::is_control);
    let escaped = serde_json::to_string(trimmed).unwrap_or_default();
    let escaped =
        escaped.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(str::to_owned);
    let one_line = (!is_on_one_line).then(|| trimmed.replace(char::is_control, " "));
    let escaped = escaped.filter(|escaped| escaped != trimmed);
    let forms = [Some(trimmed.to_owned()), one_line, escaped];
    forms.into_iter().flatten().filter(|form| form.chars().count() >= CHARS_MIN)
}

/// Whether a text stands as a number in a document.
fn is_number_of(text: &str, document: &[u8]) -> bool {
    let begins = |byte: Option<&u8>| matches!(byte, Some(b':' | b',' | b'['));
    let ends = |byte: Option<&u8>| matches!(byte, Some(b',' | b'}' | b']'));
    text.len() >= CHARS_MIN
        && memchr::memmem::find_iter(document, text)
            .any(|at| begins(document[..at].last()) && ends(document.get(at + text.len())))
}

/// Puts the mask in the place of a value wherever it stands as words of its own.
fn hide(words: &str, value: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(at) = rest.find(value) {
        let (before, from) = rest.split_at(at);
        let after = &from[value.len()..];
        let inside = |edge: Option<char>| edge.is_some_and(char::is_alphanumeric);
        let goes_on_before = inside(before.chars().next_back()) && inside(value.chars().next());
        let goes_on_after = inside(after.chars().next()) && inside(value.chars().next_back());
        out.push_str(before);
        out.push_str(if goes_on_before || goes_on_after { value } else { MASK });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"type":"transition","elements":[{"type":"customer",
        "customer_id":"user-17","attributes":{"name":"Ana Lima","city":"Ana","age":"12a",
        "score":17.25,"price":1.50,"id":9223372036854775899,"ok":true,"short":"no"}}]}"#;

    #[test]
    fn values_are_hidden_and_words_are_kept() {
        for (words, expected) in [
            ("expected number for age, found '12a'", "expected number for age, found '…'"),
            ("customer user-17 (Ana Lima): 17.25 is no date", "customer … (…): … is no date"),
            ("Banana user-171 no true", "Banana user-171 no true"),
            ("1.50 and 1.5, 9223372036854775899.", "… and …, …."),
            ("", ""),
        ] {
            assert_eq!(masked(words, BODY), expected);
        }
        assert_eq!(masked("not JSON: user-17", b"{"), "not JSON: user-17");
    }

    #[test]
    fn a_text_is_found_however_it_is_quoted() {
        let body = br#"{"elements":[{"street":" 1 Main St\nFlat \"B\"\n"}]}"#;
        for quoted in [
            " 1 Main St\nFlat \"B\"\n",
            "1 Main St\nFlat \"B\"",
            "1 Main St Flat \"B\"",
            r#"1 Main St\nFlat \"B\""#,
        ] {
            let words = masked(&format!("`{quoted}` is no date"), body);
            assert_eq!(words.replace([' ', '\n'], ""), "`…`isnodate", "{quoted:?}");
        }
    }
}
