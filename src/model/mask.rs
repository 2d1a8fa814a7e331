//! Values masked: how they are made is seen, and not what they say.

/// A text with its letters as `x` and `X` and its digits as `9`; blanks and ASCII punctuation
/// stay, and whatever else it holds is an `x` too. It has as many characters as before.
pub fn masked(text: &str) -> String {
    text.chars().map(masked_char).collect()
}

/// One character of a [`masked`] text.
pub fn masked_char(c: char) -> char {
    match c {
        ' ' | '…' => c,
        _ if c.is_ascii_punctuation() => c,
        _ if c.is_numeric() => '9',
        _ if c.is_uppercase() => 'X',
        _ if c.is_whitespace() || c.is_control() => ' ',
        _ => 'x',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_keeps_what_is_no_letter_or_digit() {
        for (text, mask) in [
            ("Zoë.O'Neil+1@example.com", "Xxx.X'Xxxx+9@xxxxxxx.xxx"),
            ("अनिल ४२", "xxxx 99"),
            ("a\nb\u{202e}c", "x xxx"),
            ("😀 東京", "x xx"),
        ] {
            assert_eq!(masked(text), mask, "{text}");
        }
    }
}
