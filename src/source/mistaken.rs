//! Files that are no input, told by their first bytes.

use std::path::Path;

use memchr::memmem;

use super::{
    find::{self, Error, Format},
    unpack::unread_compression,
};

/// What Excel writes since 2007 is a zip archive of parts, and this is one that each has.
const PACKAGE_PART: &[u8] = b"[Content_Types].xml";

/// What stands at the start of a part's record in a zip archive, before its name.
const ZIP_RECORD_BYTES: usize = 30;

/// The other parts that writers put first.
const FIRST_PARTS: [&[u8]; 3] = [b"xl/", b"docProps/", b"_rels/"];

/// The first part of an OpenDocument spreadsheet, its name and content.
const OPEN_DOCUMENT: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet";

/// The start of an OLE file, which Excel wrote before 2007.
const OLE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

const EXCEL: &str = "an Excel workbook";
const EXCEL_OLD: &str = "an old Excel workbook (.xls)";
const SPREADSHEET: &str = "an OpenDocument spreadsheet";

/// Why a file with these first bytes is no input, whatever its name says; `None` where it may be one.
/// `shown` is what it is called.
pub(super) fn refusal(shown: &str, head: &[u8]) -> Option<Error> {
    let path = shown.to_owned();
    match (workbook(Path::new(shown), head), unread_compression(head)) {
        (Some(kind), _) => Some(Error::Workbook { path, kind }),
        (None, Some(kind)) => Some(Error::Compressed { path, kind }),
        (None, None) => None,
    }
}

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

/// What kind of workbook it is, by its first bytes, and its name where these say no more than that it
/// is an archive.
pub(super) fn workbook(path: &Path, head: &[u8]) -> Option<&'static str> {
    if head.starts_with(&OLE) {
        return Some(EXCEL_OLD);
    }
    if unread_compression(head) != Some("zip") {
        return None;
    }
    let first = head.get(ZIP_RECORD_BYTES..).unwrap_or_default();
    if first.starts_with(OPEN_DOCUMENT) {
        return Some(SPREADSHEET);
    }
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_deref().and_then(|extension| extension.to_str()) {
        Some("ods") => Some(SPREADSHEET),
        Some("xlsx" | "xlsm" | "xlsb") => Some(EXCEL),
        _ if memmem::find(head, PACKAGE_PART).is_some() => Some(EXCEL),
        _ => FIRST_PARTS.iter().any(|part| first.starts_with(part)).then_some(EXCEL),
    }
}

/// Whether a text begins an array of objects, or an empty one.
fn is_json_array(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let inside = text.trim_ascii_start().strip_prefix(b"[").map(<[u8]>::trim_ascii_start);
    matches!(inside, Some([b'{' | b']', ..]))
}
