//! What is wrong at a place in a file, and the lines there: plain data, for whoever shows it.

use std::ops::Range;

use super::{Code, Severity};

/// Lines of a marked place that are kept.
const LINES_MAX: usize = 3;

/// Bytes of a line before the marked place; a place further to the right is named alone.
const BEFORE_MAX: usize = 64 << 10;

/// Bytes of a marked place in one piece, and of the line behind it: more than a screen is wide.
const PLACE_MAX: usize = 4 << 10;
const AFTER_MAX: usize = 1 << 10;

/// Stands where a text was cut.
const CUT: char = '…';

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How it counts; `None`: nothing can be done before it is mended.
    pub severity: Option<Severity>,
    /// The rule, where it is one for rows.
    pub code: Option<Code>,
    /// What is wrong.
    pub title: String,
    /// Where; the first is the place that the title is about.
    pub excerpts: Vec<Excerpt>,
    /// What was found and expected, where no mark says it.
    pub note: Option<String>,
    /// What to do.
    pub help: Option<String>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excerpt {
    /// Lines of a text, bounded.
    Lines {
        /// The file's path.
        path: String,
        /// The number of the first line, from 1.
        line: u64,
        /// The lines, from the start of the first one, without the last line end.
        text: String,
        /// Stretches of the text, the one that it is about first.
        marks: Vec<Mark>,
    },
    /// A place that is named alone.
    Named {
        /// The file's path.
        path: String,
        /// Where in it.
        place: String,
    },
}

/// A stretch of a text, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Offsets in bytes; an empty stretch is a place between two characters.
    pub span: Range<usize>,
    /// A few words.
    pub label: String,
}

impl Mark {
    /// A stretch with a label.
    pub fn new(span: Range<usize>, label: impl Into<String>) -> Self {
        Self { span, label: label.into() }
    }
}

impl Diagnostic {
    /// What an error's message says of a place: the advice behind its first `;` is the help.
    pub fn of_error(message: &str, excerpts: Vec<Excerpt>) -> Self {
        let (title, help) = advice(message);
        let (title, help) = (title.to_owned(), help.map(str::to_owned));
        Self { severity: None, code: None, title, excerpts, note: None, help }
    }
}

impl Excerpt {
    /// The lines of `text`, whose first is line `line` of the file, that hold the marks. Of a long
    /// place or line not more is kept than a screen can show.
    pub fn of(path: &str, line: u64, text: &str, mut marks: Vec<Mark>) -> Self {
        for mark in &mut marks {
            let start = boundary(text, mark.span.start);
            let end = boundary(text, mark.span.end).max(start);
            mark.span = start..start + text[start..end].trim_end_matches(['\r', '\n']).len();
        }
        // The others can be far from the one that counts.
        let Some(about) = marks.first().map(|mark| mark.span.clone()) else {
            return Self::Named { path: path.to_owned(), place: format!("line {line}") };
        };
        let start_of_line = |at: usize| text[..at].rfind('\n').map_or(0, |end| end + 1);
        let far = |span: &Range<usize>| span.start - start_of_line(span.start) > BEFORE_MAX;
        if far(&about) {
            let mut place = format!("line {}", line + line_ends(&text[..about.start]));
            if let Some(label) = marks.first().map(|mark| &mark.label).filter(|l| !l.is_empty()) {
                place = format!("{place}, {label}");
            }
            return Self::Named { path: path.to_owned(), place };
        }
        // As far as they are kept: a place is near itself, however long it is.
        let kept = |span: &Range<usize>| span.start..end_of_place(text, span);
        let about = kept(&about);
        let near = |mark: &Mark| {
            let span = kept(&mark.span);
            let between = span.end.max(about.end) - span.start.min(about.start);
            !far(&span) && between <= BEFORE_MAX
        };
        marks.retain(near);
        let from = marks.iter().map(|mark| mark.span.start).min().unwrap_or(about.start);
        let from = start_of_line(from);
        let line = line + line_ends(&text[..from]);
        let mut was_cut = false;
        for mark in &mut marks {
            let end = end_of_place(text, &mark.span);
            was_cut |= end < mark.span.end;
            mark.span = mark.span.start - from..end - from;
        }
        let last = marks.iter().map(|mark| mark.span.end).max().unwrap_or_default() + from;
        let rest = &text[last..];
        let end_of_line = rest.find('\n').unwrap_or(rest.len());
        let end = boundary(rest, end_of_line.min(if was_cut { 0 } else { AFTER_MAX }));
        let mut kept = text[from..last + end].trim_end_matches('\r').to_owned();
        marks.iter_mut().for_each(|mark| {
            mark.span.end = mark.span.end.min(kept.len());
            mark.span.start = mark.span.start.min(mark.span.end);
        });
        if end < end_of_line {
            kept.push(CUT);
        }
        Self::Lines { path: path.to_owned(), line, text: kept, marks }
    }
}

/// The end of a place as far as it is kept: some of its lines, or some of one line.
fn end_of_place(text: &str, span: &Range<usize>) -> usize {
    let place = &text[span.clone()];
    let lines = place.match_indices('\n').nth(LINES_MAX - 1).map_or(place.len(), |(at, _)| at);
    span.start + boundary(place, lines.min(PLACE_MAX))
}

/// The place itself, or the start of the character that it lies in.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn line_ends(text: &str) -> u64 {
    text.matches('\n').count() as u64
}

/// Bytes as text; each that is no part of a character, and each that stands for none of the file's
/// encoding, is one U+FFFD.
pub fn visible(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    loop {
        let (valid, invalid) = match std::str::from_utf8(bytes) {
            Ok(rest) => return text + rest,
            Err(error) => bytes.split_at(error.valid_up_to()),
        };
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        text.push(char::REPLACEMENT_CHARACTER);
        // What a decoder escapes is two bytes for one of the file.
        let is_escaped = matches!(invalid, [0xf8..=0xfb, 0x80..=0xbf, ..]);
        bytes = &invalid[if is_escaped { 2 } else { 1 }..];
    }
}

/// What a message says, and what it advises behind its first `;`. One within backticks or brackets
/// is a part of what is quoted there.
pub fn advice(message: &str) -> (&str, Option<&str>) {
    let (mut quoted, mut depth) = (false, 0_usize);
    for (at, c) in message.char_indices() {
        match c {
            '`' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ';' if !quoted && depth == 0 && message[at..].starts_with("; ") => {
                return (&message[..at], Some(&message[at + 2..]));
            }
            _ => {}
        }
    }
    (message, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ends = (usize, usize);

    fn lines(line: u64, text: &str, spans: &[Ends]) -> (u64, String, Vec<Ends>) {
        let marks = spans.iter().map(|&(start, end)| Mark::new(start..end, "")).collect();
        match Excerpt::of("f", line, text, marks) {
            Excerpt::Lines { line, text, marks, .. } => (
                line,
                text,
                marks.into_iter().map(|mark| (mark.span.start, mark.span.end)).collect(),
            ),
            Excerpt::Named { place, .. } => (0, place, Vec::new()),
        }
    }

    #[test]
    fn the_lines_of_the_marks_are_kept_and_no_others() {
        let text = "a\r\nbé,c\r\nd\r\n";
        let kept = |line, text: &str, spans: &[Ends]| (line, text.to_owned(), spans.to_vec());
        assert_eq!(lines(7, text, &[(7, 8)]), kept(8, "bé,c", &[(4, 5)]));
        assert_eq!(lines(1, "a\nb\nc\n", &[(4, 5), (0, 1)]), kept(1, "a\nb\nc", &[(4, 5), (0, 1)]));
        assert_eq!(lines(1, "a,", &[(2, 2)]), kept(1, "a,", &[(2, 2)]));
        assert_eq!(lines(1, "a,b\r\n", &[(2, 5)]), kept(1, "a,b", &[(2, 3)]));
        assert_eq!(lines(3, "", &[(0, 9)]), kept(3, "", &[(0, 0)]));
    }

    #[test]
    fn of_a_place_of_many_lines_the_first_are_kept() {
        let text = "x,\"1\n2\n3\n4\n5\",y\n";
        assert_eq!(lines(1, text, &[(2, 14)]), (1, "x,\"1\n2\n3".to_owned(), vec![(2, 8)]));
    }

    #[test]
    fn what_no_screen_can_show_is_not_kept() {
        let text = format!("{},{},{}", "a".repeat(9_000), "é".repeat(9_000), "z".repeat(9_000));
        let (_, kept, spans) = lines(1, &text, &[(9_001, 27_001)]);
        assert_eq!(spans, [(9_001, 9_001 + PLACE_MAX)]);
        assert!(kept.ends_with("é…"), "its end was cut");
        let (_, kept, _) = lines(1, &text, &[(0, 3)]);
        assert_eq!(kept, format!("{}…", "a".repeat(3 + AFTER_MAX)));
        let text = "z".repeat(BEFORE_MAX * 3);
        let (line, kept, spans) = lines(1, &text, &[(4, text.len())]);
        assert_eq!((line, spans), (1, vec![(4, 4 + PLACE_MAX)]), "a place is near itself");
        assert_eq!(kept, format!("{}…", "z".repeat(4 + PLACE_MAX)));
        let far = format!("x\n{},b", "a".repeat(BEFORE_MAX));
        let at = far.len() - 1;
        assert_eq!(lines(4, &far, &[(at, at + 1)]), (0, "line 5".to_owned(), vec![]));
        assert_eq!(lines(4, &far, &[(0, 1), (at, at + 1)]), (4, "x".to_owned(), vec![(0, 1)]));
    }

    #[test]
    fn bytes_are_told_apart_from_text() {
        assert_eq!(visible(b"a\xffb\xe2\x82"), "a\u{fffd}b\u{fffd}\u{fffd}");
        let [one, two] = super::super::escape(0x81);
        assert_eq!(visible(&[b'a', one, two, b'b']), "a\u{fffd}b");
    }

    #[test]
    fn the_advice_stands_behind_the_first_semicolon() {
        assert_eq!(advice("what; do this; or that"), ("what", Some("do this; or that")));
        assert_eq!(advice("`a; b` (c; d) is; do"), ("`a; b` (c; d) is", Some("do")));
        assert_eq!(advice("just so"), ("just so", None));
    }
}
