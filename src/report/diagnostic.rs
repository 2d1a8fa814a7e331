//! What is wrong at a place in a file, as a person sees it: the title, the place, the lines with the
//! place underlined, and what to do. The layout is that of rustc, made by `annotate-snippets`.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};

use crate::model::{Diagnostic, Excerpt, ExcerptMark, Severity};

/// Columns where nobody knows how many there are.
const WIDTH_USUAL: usize = 100;

/// The fewest columns that a text is fitted to.
const WIDTH_MIN: usize = 40;

/// Columns before a line of a file, about.
const GUTTER: usize = 9;

/// The name before the title where nothing can be done before it is mended.
const OWN_NAME: &str = "moebulk";

/// How a terminal shows text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns. Lines of a file are cut to them.
    pub width: usize,
    /// Lines, where it is a terminal.
    pub height: Option<usize>,
    /// Whether colours may be used.
    pub color: bool,
}

impl Default for Look {
    /// No terminal, but a file or a pipe.
    fn default() -> Self {
        Self { width: WIDTH_USUAL, height: None, color: false }
    }
}

/// A diagnostic as text, without a line end behind it. Whatever it holds, no control character is
/// written but line ends, and those that colour where colours are wanted.
pub fn render(diagnostic: &Diagnostic, look: &Look) -> String {
    let width = look.width.max(WIDTH_MIN);
    let (level, name) = match diagnostic.severity {
        None => (Level::ERROR, OWN_NAME),
        Some(severity @ Severity::Reject) => (Level::ERROR, severity.as_str()),
        Some(severity @ Severity::Warning) => (Level::WARNING, severity.as_str()),
    };
    let code = diagnostic.code.map(|code| code.as_str());
    let indent = name.len() + code.map_or(0, |code| code.len() + 2) + 2;
    // Only a terminal breaks lines by itself, wherever it comes to its edge.
    let fitted = |text: &str, indent: usize| match look.height {
        Some(_) => wrapped(&safe_line(text), width.saturating_sub(indent)),
        None => safe_line(text),
    };
    let mut title = level.with_name(name).primary_title(fitted(&diagnostic.title, indent));
    if let Some(code) = code {
        title = title.id(code);
    }
    let mut group = Group::with_title(title);
    let mut notes = Vec::new();
    for (index, excerpt) in diagnostic.excerpts.iter().enumerate() {
        group = group.element(element(excerpt, index == 0, width, &mut notes));
    }
    notes.extend(diagnostic.note.clone());
    // Behind `12345 = help: `.
    const MESSAGE_INDENT: usize = 14;
    for note in notes {
        group = group.element(Level::NOTE.message(fitted(&note, MESSAGE_INDENT)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(fitted(help, MESSAGE_INDENT)));
    }
    let renderer = if look.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.hyperlink(false).term_width(width);
    let text = renderer.render(&[group]);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

/// An excerpt's lines with their marks; a label for which there is no room becomes a note.
fn element<'a>(
    excerpt: &Excerpt,
    is_first: bool,
    width: usize,
    notes: &mut Vec<String>,
) -> Element<'a> {
    match excerpt {
        Excerpt::Named { path, place } => {
            Origin::path(safe_line(&format!("{path}: {place}"))).into()
        }
        Excerpt::Lines { path, line, text, marks } => {
            let line = usize::try_from(*line).unwrap_or(usize::MAX);
            let (shown, marks) = safe(text, marks);
            let mut snippet = Snippet::source(shown.clone()).line_start(line);
            snippet = snippet.path(safe_line(path));
            let about = marks.first().map(|mark| mark.span.clone()).unwrap_or_default();
            for (index, mark) in marks.iter().enumerate() {
                let span = shortened(&shown, mark.span.clone(), width / 2);
                let between = mark.span.start.min(about.start)..mark.span.end.max(about.end);
                // On one line, all that lies between two marks would be shown.
                let is_far = shown.get(between).is_some_and(|between| {
                    !between.contains('\n') && between.chars().count() > width / 2
                });
                if index > 0 && is_far {
                    continue;
                }
                let kind = if index == 0 && is_first {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                let label = safe_line(&mark.label);
                let before = shown.get(..span.end).map_or(0, column);
                let chars = label.chars().count();
                // A line that is cut has its place in the middle.
                let fits = chars <= width / 2 || before + chars + GUTTER <= width;
                let label = if fits {
                    label
                } else {
                    notes.push(label);
                    String::new()
                };
                let label = (!label.is_empty()).then_some(label);
                snippet = snippet.annotation(kind.span(span).label(label));
            }
            snippet.into()
        }
    }
}

/// The front of a stretch of one line, so many characters at most: a line is not cut within what is
/// underlined.
fn shortened(text: &str, span: Range<usize>, chars: usize) -> Range<usize> {
    match text.get(span.clone()) {
        Some(part) if !part.contains('\n') => {
            let end = part.char_indices().nth(chars).map_or(part.len(), |(at, _)| at);
            span.start..span.start + end
        }
        _ => span,
    }
}

/// Characters from the start of the last line of a text.
fn column(text: &str) -> usize {
    text.chars().rev().take_while(|&c| c != '\n').count()
}

/// A text whose characters all have a place of their own on the screen, and its marks.
fn safe(text: &str, marks: &[ExcerptMark]) -> (String, Vec<ExcerptMark>) {
    let mut out = String::with_capacity(text.len());
    let mut marks = marks.to_vec();
    let mut ends: Vec<&mut usize> =
        marks.iter_mut().flat_map(|mark| [&mut mark.span.start, &mut mark.span.end]).collect();
    ends.sort();
    let mut ends = ends.into_iter().peekable();
    let mut chars = text.char_indices();
    loop {
        let next = chars.next();
        let at = next.map_or(usize::MAX, |(at, _)| at);
        while let Some(end) = ends.next_if(|end| **end <= at) {
            *end = out.len();
        }
        let Some((_, c)) = next else { break };
        out.push(if c == '\n' { c } else { safe_char(c) });
    }
    drop(ends);
    (out, marks)
}

/// A text of one line, with no control character: those of messages the renderer leaves as they are.
fn safe_line(text: &str) -> String {
    let safe = |c: char| match c {
        '\n' | '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ if c.is_control() => char::REPLACEMENT_CHARACTER,
        _ => safe_char(c),
    };
    text.chars().map(safe).collect()
}

/// What the renderer does not make visible by itself: characters that command a terminal, and those
/// that turn the order of others.
fn safe_char(c: char) -> char {
    match c {
        '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' => {
            char::REPLACEMENT_CHARACTER
        }
        _ => c,
    }
}

/// A text with line ends in the place of blanks, so that lines are no wider than that.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let chars = word.chars().count();
        if column > 0 {
            let breaks = column + 1 + chars > width;
            out.push(if breaks { '\n' } else { ' ' });
            column = if breaks { 0 } else { column + 1 };
        }
        out.push_str(word);
        column += chars;
    }
    out
}

#[cfg(test)]
#[path = "diagnostic_tests.rs"]
mod tests;
