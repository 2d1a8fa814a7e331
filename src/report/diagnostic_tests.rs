use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::model::{Code, visible};

const PIPE: Look = Look { width: 80, height: None, color: false };
const TERMINAL: Look = Look { width: 60, height: Some(24), color: true };

fn of(text: &str, span: std::ops::Range<usize>, label: &str) -> Diagnostic {
    Diagnostic {
        severity: Some(Severity::Reject),
        code: Some(Code::TypeNumber),
        title: "the cell is not a number".to_owned(),
        excerpts: vec![Excerpt::of("u.csv", 3, text, vec![ExcerptMark::new(span, label)])],
        note: None,
        help: Some("write digits".to_owned()),
    }
}

/// The lines that show the file: those of its text and those of its marks.
fn shown(text: &str, span: std::ops::Range<usize>, label: &str) -> String {
    let text = render(&of(text, span, label), &PIPE);
    let lines = text.lines().filter(|line| line.contains(" | "));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_cell_is_underlined_with_all_that_is_to_be_said() {
    assert_eq!(
        render(&of("id-1,12a,x\r\nid-2,3,y\r\n", 5..8, "column `n`"), &PIPE),
        "\
reject[type-number]: the cell is not a number
 --> u.csv:3:6
  |
3 | id-1,12a,x
  |      ^^^ column `n`
  |
  = help: write digits"
    );
    let mut warning = of("", 0..0, "");
    warning.severity = Some(Severity::Warning);
    let place = "row group 0, row 17, column `n`".to_owned();
    warning.excerpts = vec![Excerpt::Named { path: "u.parquet".to_owned(), place }];
    assert_eq!(
        render(&warning, &PIPE),
        "\
warning[type-number]: the cell is not a number
--> u.parquet: row group 0, row 17, column `n`
 = help: write digits"
    );
}

#[test]
fn a_long_cell_is_underlined_at_its_front() {
    let text = format!("a,{},b", "x".repeat(300));
    let shown = shown(&text, 2..302, "column `n`");
    assert!(shown.lines().all(|line| line.chars().count() <= PIPE.width), "{shown}");
    assert_eq!(shown.matches('^').count(), PIPE.width / 2, "{shown}");
    assert!(shown.contains("^ column `n`"), "{shown}");
}

#[test]
fn the_underline_stands_below_the_cell() {
    assert_eq!(shown("a\tbc\td", 2..4, "l"), "3 | a    bc    d\n  |      ^^ l");
    assert_eq!(shown("東京,é,🎉,x", 10..14, "l"), "3 | 東京,é,🎉,x\n  |        ^^ l");
    assert_eq!(shown("e\u{301},b", 4..5, "l"), "3 | e\u{301},b\n  |   ^ l");
    assert_eq!(shown("a,,b", 2..2, "l"), "3 | a,,b\n  |   ^ l");
    assert_eq!(shown("a,b", 3..3, "l"), "3 | a,b\n  |    ^ l");
    assert_eq!(shown("a,\u{1b}[1m\0\u{9b},b", 2..9, "l"), "3 | a,␛[1m␀�,b\n  |   ^^^^^^ l");
    assert_eq!(shown("a,\"b\nc\",d", 2..7, "l"), "3 |   a,\"b\n  |  ___^\n4 | | c\",d\n  | |__^ l");
}

#[test]
fn a_long_line_is_cut_around_the_cell() {
    let text = format!("{},12a,{}", "x".repeat(500), "y".repeat(500));
    let shown = shown(&text, 501..504, "column `n`");
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{shown}");
    assert!(lines[0].starts_with("3 | ...xxx") && lines[0].ends_with("yyy..."), "{shown}");
    let at = lines[0].find("12a").expect("the cell is there");
    assert_eq!(lines[1].find("^^^ column `n`"), Some(at), "{shown}");
    assert!(render(&of(&text, 501..504, ""), &PIPE).contains("u.csv:3:502\n"));
    let far = format!("a,{},a", "b,".repeat(200));
    let mut two = of("", 0..0, "");
    let marks = [far.len() - 1..far.len(), 0..1].map(|span| ExcerptMark::new(span, "here"));
    two.excerpts = vec![Excerpt::of("u.csv", 1, &far, marks.to_vec())];
    let text = render(&two, &PIPE);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert_eq!(text.matches("here").count(), 1, "{text}");
}

#[test]
fn a_label_without_room_is_a_note_and_a_terminal_gets_whole_words() {
    let label = "column `n`: expected a date such as 2026-01-31 or 2026-01-31T23:59:59Z";
    let plain = Look { color: false, ..TERMINAL };
    let mut long = of("a,b", 2..3, label);
    long.help =
        Some("write digits with a point for decimals and nothing else, or map it".to_owned());
    let text = render(&long, &plain);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(&format!("= note: {label} = help: write digits with")), "{text}");
    let piped = render(&long, &PIPE);
    assert!(
        piped
            .contains("= help: write digits with a point for decimals and nothing else, or map it")
    );
}

#[test]
fn colours_are_the_only_difference_that_they_make() {
    let diagnostic = of("id-1,12a,x", 5..8, "column `n`");
    let colored = render(&diagnostic, &Look { color: true, ..PIPE });
    assert!(colored.starts_with("\u{1b}[1m\u{1b}[91mreject"), "{colored:?}");
    assert_eq!(without_colors(&colored).expect("colours alone"), render(&diagnostic, &PIPE));
}

/// A text without the sequences that colour; `None` where there are others.
fn without_colors(text: &str) -> Option<String> {
    let mut parts = text.split('\u{1b}');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (sequence, rest) = part.strip_prefix('[')?.split_once('m')?;
        if !sequence.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') {
            return None;
        }
        out.push_str(rest);
    }
    Some(out)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 600,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the bytes and the marks: no panic, and nothing that commands a terminal.
    #[test]
    fn any_bytes_can_be_shown(
        raw in vec(prop_oneof![
            3 => any::<u8>().prop_map(|byte| vec![byte]),
            2 => select(vec!["\r\n", "\n", "\t", "\u{1b}[31m", "\u{9b}", "東", "🎉", "\u{202e}", "e\u{301}"])
                .prop_map(|text| text.as_bytes().to_vec()),
            1 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
        ], 0..200),
        spans in vec((0..220usize, 0..220usize), 1..3),
        line in prop_oneof![1..2000u64, Just(u64::MAX - 300)],
        width in 0..120usize,
        color in any::<bool>(),
        height in proptest::option::of(1..50usize),
        words in "\\PC{0,90}|.{0,30}",
    ) {
        let text = visible(&raw.concat());
        let marks = spans
            .into_iter()
            .map(|(one, other)| ExcerptMark::new(one.min(other)..one.max(other), words.clone()))
            .collect();
        let diagnostic = Diagnostic {
            severity: None,
            code: None,
            title: words.clone(),
            excerpts: vec![Excerpt::of(&words, line, &text, marks)],
            note: Some(words.clone()),
            help: Some(words),
        };
        let shown = render(&diagnostic, &Look { width, height, color });
        let plain = if color { without_colors(&shown) } else { Some(shown.clone()) };
        let plain = plain.ok_or_else(|| TestCaseError::fail(format!("{shown:?}")))?;
        prop_assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", shown);
    }
}
