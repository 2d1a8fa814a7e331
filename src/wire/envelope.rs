//! The bulk body around the elements: `{"type":"transition","elements":[…]}`
//! (Data API, U: bulk body).

use std::ops::Range;

use bytes::Bytes;

use crate::model::Body;

/// What stands before the first element.
pub const PREFIX: &[u8] = br#"{"type":"transition","elements":["#;

/// What stands after the last element.
pub const SUFFIX: &[u8] = b"]}";

/// Bytes of a body beside its elements and the commas between them.
pub const OVERHEAD_BYTES: usize = PREFIX.len() + SUFFIX.len();

/// What closes an event element behind its last action.
pub const ACTIONS_SUFFIX: &[u8] = b"]}";

/// The body that holds only a range of another's parts: their bytes, unchanged, in an
/// envelope and in elements of their own.
pub fn part_of(body: &Body, range: &Range<u32>) -> Bytes {
    if *range == body.whole() {
        return body.bytes.clone();
    }
    let mut bytes = Vec::with_capacity(body.bytes.len());
    let mut open = None;
    for part in body.slice(range) {
        let head = (part.head_len > 0).then_some(part.head_start);
        if head.is_some() && head == open {
            bytes.push(b',');
        } else {
            if open.is_some() {
                bytes.extend_from_slice(ACTIONS_SUFFIX);
            }
            bytes.extend_from_slice(if bytes.is_empty() { PREFIX } else { b"," });
            let start = part.head_start as usize;
            bytes.extend_from_slice(&body.bytes[start..start + part.head_len as usize]);
        }
        bytes.extend_from_slice(&body.bytes[part.start as usize..(part.start + part.len) as usize]);
        open = head;
    }
    if open.is_some() {
        bytes.extend_from_slice(ACTIONS_SUFFIX);
    }
    bytes.extend_from_slice(SUFFIX);
    Bytes::from(bytes)
}
