//! Words of the commands that are printed to be typed, as a shell takes them.

use std::path::Path;

/// A path as a word of a command, which takes it for no flag.
pub fn shell_path(named: &Path) -> String {
    let typed = named.to_string_lossy();
    if is_dashed(&typed) { shell_word(&format!("./{typed}")) } else { shell_word(&typed) }
}

/// A word as a shell takes it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=%+,@".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether a word would be a flag; `-` alone is the standard input.
pub fn is_dashed(word: &str) -> bool {
    word.starts_with('-') && word != "-"
}
