//! What the last bytes of a Parquet file say before anything is parsed: whether it
//! is one, whole, and in the clear.

use parquet::file::reader::ChunkReader;

use super::{Error, thrift};

/// The magic at both ends of a file with a readable footer.
const MAGIC: &[u8] = b"PAR1";
/// The magic at both ends of a file whose footer is encrypted.
const MAGIC_ENCRYPTED: &[u8] = b"PARE";
/// The footer's length and the magic, at the end of the file.
const TAIL_BYTES: usize = 8;

/// Largest footer that is read: what the crate makes of it takes several times as much.
/// A file of 1,000 columns and 1,000 row groups has one of about 100 MB.
const FOOTER_BYTES_MAX: u64 = 256 << 20;

/// The field of `FileMetaData` that holds the schema, and the one of a schema's element
/// that holds the number of its children.
const SCHEMA: i64 = 2;
const NUM_CHILDREN: i64 = 5;
/// The field of `FileMetaData` that is there only where columns are encrypted.
const ENCRYPTION_ALGORITHM: i64 = 8;

/// The deepest schema that is read; the crate walks it by recursion.
const SCHEMA_DEPTH_MAX: usize = 64;

/// Refuses what is no Parquet file, is cut short, is encrypted, or has a footer that
/// can't be read with bounded memory.
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
    if footer_len > FOOTER_BYTES_MAX {
        let what = format!("it has {footer_len} bytes, the most is {FOOTER_BYTES_MAX}");
        return Err(Error::Footer { what });
    }
    let found = look(&mut &fetch(start, footer)?[..]).ok_or_else(|| {
        let what = "its bytes are no metadata of Parquet".to_owned();
        Error::Footer { what }
    })?;
    if found.encrypted {
        return Err(Error::Encrypted);
    }
    if found.depth > SCHEMA_DEPTH_MAX {
        let what = format!("its columns are nested more than {SCHEMA_DEPTH_MAX} levels deep");
        return Err(Error::Footer { what });
    }
    Ok(())
}

/// What is worth knowing of a footer before it is parsed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// It names an encryption algorithm: such a footer can be read, its columns can't.
    encrypted: bool,
    /// The levels of its schema; one beyond the most that is read where it has more.
    depth: usize,
}

/// Walks `FileMetaData` (Thrift, compact protocol) to its end; `None` where it has none.
fn look(bytes: &mut &[u8]) -> Option<Found> {
    let mut found = Found::default();
    thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| match (id, kind) {
        (ENCRYPTION_ALGORITHM, _) => {
            found.encrypted = true;
            Some(false)
        }
        (SCHEMA, thrift::LIST) => {
            found.depth = schema_depth(bytes)?;
            Some(true)
        }
        _ => Some(false),
    })?;
    Some(found)
}

/// The levels of a schema, which is a list of its nodes, parents before children.
fn schema_depth(bytes: &mut &[u8]) -> Option<usize> {
    let (kind, nodes) = thrift::list(bytes)?;
    if kind != thrift::STRUCT {
        return None;
    }
    let mut depth = 0;
    // Children still to come of each node on the way down.
    let mut open: Vec<i64> = Vec::new();
    for _ in 0..nodes {
        let mut children = 0;
        thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| {
            let is_count = (id, kind) == (NUM_CHILDREN, thrift::I32);
            if is_count {
                children = thrift::integer(bytes)?;
            }
            Some(is_count)
        })?;
        if depth > SCHEMA_DEPTH_MAX {
            continue;
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            open.push(children);
            depth = depth.max(open.len());
        }
        while open.last().is_some_and(|&left| left <= 0) {
            open.pop();
        }
    }
    Some(depth)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// version = 1, a schema of nothing, num_rows = 0, no row groups; its end is left out.
    const PLAIN: [u8; 8] = [0x15, 0x02, 0x19, 0x0c, 0x16, 0x00, 0x19, 0x0c];

    #[test]
    fn an_encryption_algorithm_is_found_behind_other_fields() {
        assert_eq!(look(&mut &[&PLAIN[..], &[0]].concat()[..]), Some(Found::default()));
        // Field 8, a struct.
        let found = look(&mut &[&PLAIN[..], &[0x4c, 0x1c, 0, 0, 0]].concat()[..]);
        assert!(found.expect("sound").encrypted);
    }

    #[test]
    fn the_depth_of_a_schema_counts_its_groups() {
        // Field 5, an i32 in zigzag.
        let node = |children: u8| [0x55, children * 2, 0];
        let depth = |children: &[u8]| {
            let nodes: Vec<u8> = children.iter().flat_map(|&count| node(count)).collect();
            let bytes = [&[0x1c | 0xf0, children.len() as u8][..], &nodes].concat();
            schema_depth(&mut &bytes[..])
        };
        // A root of two columns; a list in a struct, then a flat column.
        assert_eq!(depth(&[2, 0, 0]), Some(1));
        assert_eq!(depth(&[2, 1, 1, 1, 0, 0]), Some(4));
        assert_eq!(depth(&[1; 64]), Some(64));
        assert_eq!(depth(&[1; 66]), Some(65));
    }

    #[test]
    fn hostile_thrift_ends_where_its_bytes_end() {
        assert_eq!(look(&mut &[][..]), None);
        assert_eq!(look(&mut &PLAIN[..]), None, "the struct does not end");
        // A binary and a list that claim 2^63 bytes and elements.
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(look(&mut &[&[0x18], &huge[..]].concat()[..]), None);
        assert_eq!(look(&mut &[&[0x19, 0xf1], &huge[..]].concat()[..]), None);
        // Lists in lists, deeper than any stack.
        assert_eq!(look(&mut &[0x19; 100_000][..]), None);
        assert_eq!(look(&mut &[0x1c; 100_000][..]), None);
    }
}
