//! Files that are no input, told by their first bytes.

use super::find::{self, Error, Format};

/// The format that first bytes tell where no name does.
///
/// # Errors
/// They begin an array of JSON.
pub(super) fn format(shown: &str, head: &[u8]) -> Result<Format, Error> {
    match is_json_array(head) {
        true => Err(Error::JsonArray(shown.to_owned())),
        false => Ok(find::format_by_content(head)),
    }
}

/// Whether a text begins an array of objects, or an empty one.
fn is_json_array(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let inside = text.trim_ascii_start().strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    matches!(inside, Some([b'{' | b']', ..]))
}
