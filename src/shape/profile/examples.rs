//! A few values of a column to look at, masked unless they were asked for.

use crate::model::masked;

/// How many are shown.
pub const EXAMPLES_MAX: usize = 3;

/// Characters of an example.
const CHARS_MAX: usize = 40;

/// The first distinct values, and the first that are made differently.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    /// The first distinct ones.
    first: Vec<String>,
    /// The first of each mask.
    alike: Vec<(String, String)>,
}

impl Examples {
    /// Whether a value could still change them, where `early` values count for their mask too.
    pub fn are_open(&self, early: bool) -> bool {
        self.first.len() < EXAMPLES_MAX || (early && self.alike.len() < EXAMPLES_MAX)
    }

    /// Takes in a value; `early` where it stands near the start of its file.
    pub fn add(&mut self, text: &str, early: bool) {
        let text = shortened(text);
        if early && self.alike.len() < EXAMPLES_MAX {
            let mask = masked(&text);
            if self.alike.iter().all(|(known, _)| *known != mask) {
                self.alike.push((mask, text.clone()));
            }
        }
        if self.first.len() < EXAMPLES_MAX && !self.first.contains(&text) {
            self.first.push(text);
        }
    }

    /// Takes in those of the rows that follow.
    pub fn merge(&mut self, next: &Self) {
        for (mask, text) in &next.alike {
            if self.alike.len() < EXAMPLES_MAX && self.alike.iter().all(|(known, _)| known != mask)
            {
                self.alike.push((mask.clone(), text.clone()));
            }
        }
        for text in &next.first {
            if self.first.len() < EXAMPLES_MAX && !self.first.contains(text) {
                self.first.push(text.clone());
            }
        }
    }

    /// Those to show: made differently first, as far as there are such.
    pub fn shown(&self, values: bool) -> Vec<String> {
        let mut chosen: Vec<&String> = self.alike.iter().map(|(_, text)| text).collect();
        for text in &self.first {
            if chosen.len() < EXAMPLES_MAX && !chosen.contains(&text) {
                chosen.push(text);
            }
        }
        let show = |text: &String| if values { printable(text) } else { masked(text) };
        chosen.into_iter().map(show).collect()
    }

    /// Bytes on the heap, about.
    pub fn memory_bytes(&self) -> u64 {
        let alike = self.alike.iter().map(|(mask, text)| mask.capacity() + text.capacity());
        let first = self.first.iter().map(String::capacity);
        alike.chain(first).sum::<usize>() as u64
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text for one line of a comment: nothing in it ends the line or turns its order.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || turns || matches!(c, '\u{2028}' | '\u{2029}') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Examples {
        let mut whole = Examples::default();
        for value in values {
            let mut one = Examples::default();
            one.add(value, true);
            whole.merge(&one);
        }
        whole
    }

    #[test]
    fn a_long_value_is_shortened_and_nothing_ends_the_line() {
        assert_eq!(masked(&shortened(&"a1".repeat(30))).chars().count(), CHARS_MAX + 1);
        assert_eq!(printable("a\nb\u{202e}c"), "a\\u{a}b\\u{202e}c");
    }

    #[test]
    fn values_that_are_made_differently_come_first() {
        let found = of(&["AB", "CD", "CD", "12", "EF", "a@b.c", "x y"]);
        assert_eq!(found.shown(false), ["XX", "99", "x@x.x"]);
        assert_eq!(found.shown(true), ["AB", "12", "a@b.c"]);
        assert_eq!(of(&["AB", "CD", "AB", "EF", "GH"]).shown(true), ["AB", "CD", "EF"]);
        assert_eq!(of(&["AB", "AB"]).shown(false), ["XX"]);
        assert!(of(&[]).shown(false).is_empty());
    }

    #[test]
    fn parts_of_any_size_give_the_same() {
        let values: Vec<String> = (0..40).map(|n| format!("{}", n % 11 * n % 7 * 5)).collect();
        let whole = of(&values.iter().map(String::as_str).collect::<Vec<_>>()).shown(true);
        for size in [1, 2, 3, 7, 40] {
            let mut merged = Examples::default();
            for part in values.chunks(size) {
                let mut one = Examples::default();
                part.iter().for_each(|value| one.add(value, true));
                merged.merge(&one);
            }
            assert_eq!(merged.shown(true), whole, "{size}");
        }
    }
}
