//! As much of Thrift's compact protocol as it takes to look at sizes before anything
//! is parsed. No count in the bytes makes any of this longer than the bytes are.

/// The deepest nesting of structs and lists; Parquet's own go five deep.
pub(super) const DEPTH_MAX: u32 = 16;

/// Type codes of fields and elements.
pub(super) const I32: u8 = 5;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;

/// The type and id of the next field, whose struct has not ended.
fn field(bytes: &mut &[u8], last_id: i64) -> Option<(u8, i64)> {
    match byte(bytes)? {
        short if short >> 4 > 0 => Some((short & 15, last_id.checked_add(i64::from(short >> 4))?)),
        kind => Some((kind, integer(bytes)?)),
    }
}

/// Reads a struct to its end. `take` is shown each field's id, type and bytes, and says
/// whether it has read the value; where it has not, it is skipped.
pub(super) fn read_struct(
    bytes: &mut &[u8],
    depth: u32,
    mut take: impl FnMut(i64, u8, &mut &[u8]) -> Option<bool>,
) -> Option<()> {
    let mut id = 0;
    while *bytes.first()? != 0 {
        let (kind, next) = field(bytes, id)?;
        id = next;
        if !take(id, kind, bytes)? {
            skip(bytes, kind, depth)?;
        }
    }
    *bytes = &bytes[1..];
    Some(())
}

/// The element type of a list, and how many there are: no more than bytes are left.
pub(super) fn list(bytes: &mut &[u8]) -> Option<(u8, u64)> {
    let head = byte(bytes)?;
    let count = if head >> 4 == 15 { varint(bytes)? } else { u64::from(head >> 4) };
    (count <= bytes.len() as u64).then_some((head & 15, count))
}

/// A signed integer of 16 to 64 bits.
pub(super) fn integer(bytes: &mut &[u8]) -> Option<i64> {
    let zigzag = varint(bytes)?;
    Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
}

/// Skips a value. Every element takes a byte at least, so that no count in the
/// bytes can make this longer than they are.
pub(super) fn skip(bytes: &mut &[u8], kind: u8, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        1 | 2 => {}
        3 => _ = byte(bytes)?,
        4..=6 => _ = varint(bytes)?,
        7 => _ = bytes.split_off(..8)?,
        BINARY => {
            let len = usize::try_from(varint(bytes)?).ok()?;
            bytes.split_off(..len)?;
        }
        LIST | 10 => {
            let (kind, count) = list(bytes)?;
            for _ in 0..count {
                match kind {
                    1 | 2 => _ = byte(bytes)?,
                    kind => skip(bytes, kind, depth)?,
                }
            }
        }
        STRUCT => read_struct(bytes, depth, |_, _, _| Some(false))?,
        _ => return None,
    }
    Some(())
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    bytes.split_off_first().copied()
}

/// An unsigned integer, seven bits a byte.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let next = byte(bytes)?;
        value |= u64::from(next & 127) << shift;
        if next < 128 {
            return Some(value);
        }
    }
    None
}
