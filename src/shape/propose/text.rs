//! Words of a page: counts, comments, and TOML on one line.

use std::fmt::Write as _;

/// Characters of a line of comment, its `# ` included; words that are longer stand alone.
const LINE_CHARS: usize = 98;

/// Three digits: the others are not known.
pub fn rounded(count: u64) -> u64 {
    let unit = 10_u64.pow(count.max(1).ilog10().saturating_sub(2));
    (count + unit / 2) / unit * unit
}

/// A share in percent, never rounded to none or all.
pub fn share(part: u64, whole: u64) -> String {
    match part as f64 * 100.0 / whole as f64 {
        _ if part == whole => "100 %".into(),
        percent if percent < 1.0 => "less than 1 %".into(),
        percent if percent > 99.0 => format!("{:.1} %", percent.min(99.9)),
        percent => format!("{percent:.0} %"),
    }
}

/// With commas between thousands.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A comment, wrapped between words; what follows `lead` is aligned with it.
pub fn comment(out: &mut String, lead: &str, text: &str) {
    let indent = " ".repeat(if lead == "- " { 2 } else { 0 });
    let mut line = format!("# {lead}");
    let mut is_first = true;
    for word in text.split(' ') {
        if !is_first && line.chars().count() + 1 + word.chars().count() > LINE_CHARS {
            let _ = writeln!(out, "{}", line.trim_end());
            line = format!("# {indent}{word}");
            continue;
        }
        if !is_first {
            line.push(' ');
        }
        line.push_str(word);
        is_first = false;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

/// A key of TOML, bare where it can be.
pub fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => name.to_owned(),
        false => string(name),
    }
}

/// A string of TOML on one line.
pub fn string(text: &str) -> String {
    if text.contains('"') && !text.contains('\'') && !text.contains(char::is_control) {
        return format!("'{text}'");
    }
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Strings of TOML, for a list.
pub fn list(words: &[String]) -> String {
    words.iter().map(|word| string(word)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_come_back_from_toml() {
        for text in [
            "a",
            "a b",
            "a.b",
            "",
            "é",
            "\"",
            "'",
            "'\"",
            "a\nb\\",
            "\u{7f}\u{1}",
            "{ to = \"x\" }",
        ] {
            let line = format!("{} = {}", key(text), string(text));
            assert_eq!(line.lines().count(), 1);
            let table: toml::Table = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(table[text].as_str(), Some(text), "{line}");
        }
    }

    #[test]
    fn shares_and_counts_are_short_and_never_say_none_or_all() {
        for (part, whole, expected) in [
            (1, 1_000_000, "less than 1 %"),
            (1, 100, "1 %"),
            (1, 3, "33 %"),
            (995, 1_000, "99.5 %"),
            (999_999, 1_000_000, "99.9 %"),
            (5, 5, "100 %"),
        ] {
            assert_eq!(share(part, whole), expected);
        }
        for (count, expected) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(count), expected);
        }
        for (count, expected) in [(7, 7), (123, 123), (12_345, 12_300), (99_950, 100_000)] {
            assert_eq!(rounded(count), expected);
        }
    }

    #[test]
    fn comments_are_wrapped_between_words() {
        let mut out = String::new();
        comment(&mut out, "- ", &"word ".repeat(30));
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("# - word") && lines[1].starts_with("#   word"), "{out}");
        assert!(lines.iter().all(|line| line.len() <= LINE_CHARS), "{out}");
        let mut out = String::new();
        comment(&mut out, "", &"w".repeat(300));
        assert_eq!(out, format!("# {}\n", "w".repeat(300)));
    }
}
