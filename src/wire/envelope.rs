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

/// The body that holds only a range of another's elements: its bytes, unchanged,
/// in an envelope of their own.
pub fn part_of(body: &Body, range: &Range<u32>) -> Bytes {
    if *range == body.whole() {
        return body.bytes.clone();
    }
    let parts = body.slice(range);
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
        return Bytes::new();
    };
    let elements = &body.bytes[first.start as usize..(last.start + last.len) as usize];
    let mut bytes = Vec::with_capacity(elements.len() + OVERHEAD_BYTES);
    bytes.extend_from_slice(PREFIX);
    bytes.extend_from_slice(elements);
    bytes.extend_from_slice(SUFFIX);
    Bytes::from(bytes)
}
