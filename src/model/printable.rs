//! Texts of others, as a terminal may get them.

use std::borrow::Cow;

/// A text of one line whose control characters are replaced, line ends among them.
pub fn printable(text: &str) -> Cow<'_, str> {
    replaced(text, char::is_control)
}

/// A text whose control characters are replaced, but for line ends and tabs.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.is_control() && !matches!(c, '\n' | '\t'))
}

fn replaced(text: &str, is_other: impl Fn(char) -> bool) -> Cow<'_, str> {
    match text.contains(&is_other) {
        true => text.replace(&is_other, "\u{fffd}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_commands_a_terminal() {
        let text = "a\u{1b}[31m\u{7}\tb\u{9b}\nc";
        assert_eq!(printable(text), "a\u{fffd}[31m\u{fffd}\u{fffd}b\u{fffd}\u{fffd}c");
        assert_eq!(printable_lines(text), "a\u{fffd}[31m\u{fffd}\tb\u{fffd}\nc");
    }
}
