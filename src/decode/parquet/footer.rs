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

/// The most that a footer may take in memory, with what is made of it. That is about
/// 100,000 column chunks: 100 columns in 1,000 row groups.
pub(super) const METADATA_BYTES_MAX: u64 = 64 << 20;

/// Largest footer that is read.
const FOOTER_BYTES_MAX: u64 = 32 << 20;

/// What is made of a column chunk, a row group, a node of the schema, a leaf of it and an
/// entry of the key-value metadata takes in memory, in bytes.
const CHUNK_BYTES: u64 = 512;
const GROUP_BYTES: u64 = 128;
const NODE_BYTES: u64 = 2_048;
const KEY_VALUE_BYTES: u64 = 256;
/// How often the names of the schema, the paths of its leaves and the key-value metadata
/// are in memory.
const NAME_COPIES: u64 = 12;
const PATH_COPIES: u64 = 4;
const KEY_VALUE_COPIES: u64 = 6;

/// Fields of `FileMetaData`.
const SCHEMA: i64 = 2;
const ROW_GROUPS: i64 = 4;
const KEY_VALUES: i64 = 5;
/// The field of a row group that holds its column chunks.
const COLUMNS: i64 = 1;
/// Fields of a schema's element: its name, and the number of its children.
const NAME: i64 = 4;
const NUM_CHILDREN: i64 = 5;
/// The field of `FileMetaData` that is there only where columns are encrypted.
const ENCRYPTION_ALGORITHM: i64 = 8;

/// The deepest schema that is read; the crate walks it by recursion.
const SCHEMA_DEPTH_MAX: usize = 64;

/// Refuses what is no Parquet file, is cut short, is encrypted, or has a footer that
/// can't be read with bounded memory.
///
/// How much memory the metadata will take, in bytes.
pub(super) fn check(read: &impl ChunkReader) -> Result<u64, Error> {
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
    let takes = footer_len.saturating_add(found.memory_bytes);
    if takes > METADATA_BYTES_MAX {
        let what = format!(
            "it would take {takes} bytes of memory, the most is {METADATA_BYTES_MAX}; it has too many columns and row groups"
        );
        return Err(Error::Footer { what });
    }
    Ok(found.memory_bytes)
}

/// What is worth knowing of a footer before it is parsed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    /// It names an encryption algorithm: such a footer can be read, its columns can't.
    encrypted: bool,
    /// The levels of its schema; one beyond the most that is read where it has more.
    depth: usize,
    /// What is made of it, in bytes of memory.
    memory_bytes: u64,
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
            let schema = schema(bytes)?;
            found.depth = schema.depth;
            found.add(schema.memory_bytes);
            Some(true)
        }
        (ROW_GROUPS, thrift::LIST) => {
            found.add(row_groups(bytes)?);
            Some(true)
        }
        (KEY_VALUES, thrift::LIST) => {
            let before = bytes.len();
            let (kind, entries) = thrift::list(bytes)?;
            for _ in 0..entries {
                thrift::skip(bytes, kind, thrift::DEPTH_MAX)?;
            }
            let bytes = (before - bytes.len()) as u64;
            found.add(entries * KEY_VALUE_BYTES + bytes * KEY_VALUE_COPIES);
            Some(true)
        }
        _ => Some(false),
    })?;
    Some(found)
}

impl Found {
    fn add(&mut self, bytes: u64) {
        self.memory_bytes = self.memory_bytes.saturating_add(bytes);
    }
}

/// What row groups take in memory.
fn row_groups(bytes: &mut &[u8]) -> Option<u64> {
    let (kind, groups) = thrift::list(bytes)?;
    if kind != thrift::STRUCT {
        return None;
    }
    let mut chunks = 0;
    for _ in 0..groups {
        thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| {
            if (id, kind) != (COLUMNS, thrift::LIST) {
                return Some(false);
            }
            let (kind, count) = thrift::list(bytes)?;
            for _ in 0..count {
                thrift::skip(bytes, kind, thrift::DEPTH_MAX)?;
            }
            chunks += count;
            Some(true)
        })?;
    }
    Some(groups * GROUP_BYTES + chunks * CHUNK_BYTES)
}

/// Levels of a schema, which is a list of its nodes, parents before children, and what it
/// takes in memory.
fn schema(bytes: &mut &[u8]) -> Option<Found> {
    let (kind, nodes) = thrift::list(bytes)?;
    if kind != thrift::STRUCT {
        return None;
    }
    let mut found = Found::default();
    // Children still to come of each node on the way down, and the bytes of its path.
    let mut open: Vec<(i64, u64)> = Vec::new();
    for _ in 0..nodes {
        let (mut children, mut name_bytes) = (0, 0);
        thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| match (id, kind) {
            (NUM_CHILDREN, thrift::I32) => {
                children = thrift::integer(bytes)?;
                Some(true)
            }
            (NAME, thrift::BINARY) => {
                name_bytes = thrift::varint(bytes)?;
                bytes.split_off(..usize::try_from(name_bytes).ok()?)?;
                Some(true)
            }
            _ => Some(false),
        })?;
        if found.depth > SCHEMA_DEPTH_MAX {
            continue;
        }
        let mut path_bytes = name_bytes + size_of::<String>() as u64;
        if let Some((left, above)) = open.last_mut() {
            *left -= 1;
            path_bytes += *above;
        }
        found.add(NODE_BYTES + name_bytes * NAME_COPIES);
        if children > 0 {
            open.push((children, path_bytes));
            found.depth = found.depth.max(open.len());
        } else {
            found.add(path_bytes.saturating_mul(PATH_COPIES));
        }
        while open.last().is_some_and(|&(left, _)| left <= 0) {
            open.pop();
        }
    }
    Some(found)
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
            schema(&mut &bytes[..]).map(|found| found.depth)
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
