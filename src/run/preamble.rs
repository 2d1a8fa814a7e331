//! What a line is that stands where a header should, and is none.

use crate::decode::{Table, csv};

/// What to do where the header of a file seems to be none; `None` where it does not. It is meant for
/// those who have found that its columns are not the ones that are looked for.
pub fn hint(table: &Table) -> Option<String> {
    let (line, raw) = table.header_record().ok()??;
    hint_of(line, &raw)
}

/// The same of a header that can't be read.
pub fn hint_of_unreadable(error: &csv::Error) -> Option<String> {
    match error {
        csv::Error::EmptyName { .. }
        | csv::Error::DuplicateName { .. }
        | csv::Error::HeaderDamaged { .. } => {
            let (line, place) = error.place()?;
            place.dialect.header.then(|| hint_of(line, &place.raw))?
        }
        _ => None,
    }
}

/// The delimiter that a first line for Excel names, and nothing else.
fn named_delimiter(raw: &[u8]) -> Option<u8> {
    let line = raw.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(raw);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => {
            // What a terminal obeys, or a shell takes for a quote, is not shown in a command.
            let is_shown = delimiter.is_ascii_punctuation() && !b"'\"".contains(delimiter);
            (*delimiter == b'\t' || is_shown).then_some(*delimiter)
        }
        _ => None,
    }
}

fn hint_of(line: u64, raw: &[u8]) -> Option<String> {
    if let Some(delimiter) = named_delimiter(raw) {
        let (shown, given) = match delimiter {
            b'\t' => ("sep=(tab)".to_owned(), "tab".to_owned()),
            byte => (format!("sep={}", char::from(byte)), format!("'{}'", char::from(byte))),
        };
        return Some(format!(
            "line {line} (`{shown}`) tells Excel the delimiter and is no header: pass over it with \
             --skip-lines {line} --delimiter {given}"
        ));
    }
    raw.starts_with(b"#").then(|| {
        format!(
            "line {line} begins with `#`: if it is a comment, pass over it with --skip-lines {line}"
        )
    })
}
