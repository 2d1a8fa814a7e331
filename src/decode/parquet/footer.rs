//! What the last bytes of a Parquet file say before anything is parsed: whether it
//! is one, whole, and in the clear.

use parquet::file::reader::ChunkReader;

use super::Error;

/// The magic at both ends of a file with a readable footer.
const MAGIC: &[u8] = b"PAR1";
/// The magic at both ends of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// The footer's length and the magic, at the end of the file.
const TAIL_BYTES: usize = 8;

/// The field of `FileMetaData` that is there only where columns are encrypted.
const ENCRYPTION_ALGORITHM: i64 = 8;
/// Footers nest five deep; more is no footer.
const DEPTH_MAX: u32 = 16;

/// Refuses what is no Parquet file, is cut short, or is encrypted.
pub(super) fn check(read: &impl ChunkReader) -> Result<(), Error> {
    let len = read.len();
    let fetch = |start, length| {
        read.get_bytes(start, length).map_err(|error| Error::Footer { what: error.to_string() })
    };
    if len < (MAGIC.len() + TAIL_BYTES) as u64 {
        return Err(Error::NotParquet);
    }
    let head = fetch(0, MAGIC.len())?;
    let tail = fetch(len - TAIL_BYTES as u64, TAIL_BYTES)?;
    let (footer_len, magic) = tail.split_at(TAIL_BYTES - MAGIC.len());
    if magic == MAGIC_ENCRYPTED {
        return Err(Error::Encrypted);
    }
    if magic != MAGIC {
        let begun = *head == *MAGIC || *head == *MAGIC_ENCRYPTED;
        return Err(if begun { Error::CutShort } else { Error::NotParquet });
    }
    let footer_len = footer_len.iter().rev().fold(0, |len, &byte| len << 8 | u64::from(byte));
    let start = (len - TAIL_BYTES as u64).checked_sub(footer_len).ok_or(Error::CutShort)?;
    let footer = usize::try_from(footer_len).map_err(|_| Error::CutShort)?;
    if names_encryption(&mut &fetch(start, footer)?[..]) { Err(Error::Encrypted) } else { Ok(()) }
}

/// Whether `FileMetaData` (Thrift, compact protocol) names an encryption algorithm:
/// such a footer can be read, its columns can't. What is no Thrift says no.
fn names_encryption(bytes: &mut &[u8]) -> bool {
    let mut id = 0;
    while let Some((kind, next)) = field(bytes, id) {
        id = next;
        if id == ENCRYPTION_ALGORITHM {
            return true;
        }
        if skip(bytes, kind, DEPTH_MAX).is_none() {
            return false;
        }
    }
    false
}

/// The type and id of the next field; `None` at the end of the struct.
fn field(bytes: &mut &[u8], last_id: i64) -> Option<(u8, i64)> {
    match byte(bytes)? {
        0 => None,
        short if short >> 4 > 0 => Some((short & 15, last_id.checked_add(i64::from(short >> 4))?)),
        kind => {
            let zigzag = varint(bytes)?;
            Some((kind, (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)))
        }
    }
}

/// Skips a value. Every element takes a byte at least, so that no count in the
/// bytes can make this longer than they are.
fn skip(bytes: &mut &[u8], kind: u8, depth: u32) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        1 | 2 => {}
        3 => _ = byte(bytes)?,
        4..=6 => _ = varint(bytes)?,
        7 => _ = bytes.split_off(..8)?,
        8 => {
            let len = usize::try_from(varint(bytes)?).ok()?;
            bytes.split_off(..len)?;
        }
        9 | 10 => {
            let head = byte(bytes)?;
            let count = if head >> 4 == 15 { varint(bytes)? } else { u64::from(head >> 4) };
            for _ in 0..count {
                match head & 15 {
                    1 | 2 => _ = byte(bytes)?,
                    kind => skip(bytes, kind, depth)?,
                }
            }
        }
        12 => loop {
            match *bytes.first()? {
                0 => {
                    *bytes = &bytes[1..];
                    break;
                }
                _ => {
                    let (kind, _) = field(bytes, 0)?;
                    skip(bytes, kind, depth)?;
                }
            }
        },
        _ => return None,
    }
    Some(())
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    bytes.split_off_first().copied()
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encryption_algorithm_is_found_behind_other_fields() {
        // version = 1, an empty schema, num_rows = 0, no row groups.
        let plain = [0x15, 0x02, 0x19, 0x0c, 0x16, 0x00, 0x19, 0x0c];
        assert!(!names_encryption(&mut &[&plain[..], &[0]].concat()[..]));
        // … then field 8, a struct.
        assert!(names_encryption(&mut &[&plain[..], &[0x4c, 0x1c, 0, 0, 0]].concat()[..]));
    }

    #[test]
    fn hostile_thrift_ends_where_its_bytes_end() {
        assert!(!names_encryption(&mut &[][..]));
        // A binary and a list that claim 2^63 bytes and elements.
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(!names_encryption(&mut &[&[0x18], &huge[..]].concat()[..]));
        assert!(!names_encryption(&mut &[&[0x19, 0xf1], &huge[..]].concat()[..]));
        // Lists in lists, deeper than any stack.
        assert!(!names_encryption(&mut &[0x19; 100_000][..]));
        assert!(!names_encryption(&mut &[0x1c; 100_000][..]));
    }
}
