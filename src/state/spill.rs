//! Rows by the hash of their ids, through a temporary file: more rows than memory holds are sorted
//! part by part.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use super::Error;

/// Parts of all ids, by their first bits; ids are hashes, so all are about as large. With ten
/// million rows one takes 0.4 MB, with a billion 40 MB.
pub(super) const PARTS: usize = 1 << PART_BITS;

const PART_BITS: u32 = 10;

/// Bytes of one entry in the file.
const ENTRY_BYTES: usize = 40;

/// Entries of a part that are written at once, 16 KB. All parts together keep 16 MB.
const CHUNK_ENTRIES: usize = 409;

/// Entries of a part that are in memory before those of one id are folded, 12 MB. A part of a hundred
/// million different ids has fewer.
const FOLD_ENTRIES: usize = 1 << 18;

/// The part that an id belongs to.
pub(super) fn part_of(id: u128) -> usize {
    (id >> (128 - PART_BITS)) as usize
}

/// What is sorted: two hashes, and a word for the place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The hash of an id.
    pub id: u128,
    /// Where it comes from; entries of one id are sorted by it.
    pub at: u64,
    /// The hash of a row.
    pub row: u128,
}

/// Entries on their way into parts.
#[derive(Debug)]
pub struct Spill {
    parts: Vec<Part>,
    /// Has no name, so that it is gone with the process, whatever ends that.
    file: Option<File>,
    dir: PathBuf,
    /// Chunks written so far.
    chunks: u32,
}

/// One part: the chunks of it that are in the file, and the entries behind them.
#[derive(Clone, Debug, Default)]
struct Part {
    chunks: Vec<u32>,
    rest: Vec<u8>,
}

impl Spill {
    /// No entries yet. A file is made in `dir` where they are many.
    pub fn new(dir: &Path) -> Self {
        Self { parts: vec![Part::default(); PARTS], file: None, dir: dir.to_owned(), chunks: 0 }
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn push(&mut self, Entry { id, at, row }: Entry) -> Result<(), Error> {
        let part = &mut self.parts[part_of(id)];
        part.rest.extend_from_slice(&id.to_le_bytes());
        part.rest.extend_from_slice(&row.to_le_bytes());
        part.rest.extend_from_slice(&at.to_le_bytes());
        if part.rest.len() < CHUNK_ENTRIES * ENTRY_BYTES {
            return Ok(());
        }
        let written = match &mut self.file {
            Some(file) => file.write_all(&part.rest),
            none => tempfile::tempfile_in(&self.dir)
                .and_then(|file| none.insert(file).write_all(&part.rest)),
        };
        written.map_err(Error::io(&self.dir, "write a temporary file in"))?;
        part.rest.clear();
        part.chunks.push(self.chunks);
        self.chunks += 1;
        Ok(())
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.chunks.is_empty() && part.rest.is_empty())
    }

    /// All entries, to be read part by part.
    pub fn finish(self) -> Spilled {
        let Self { parts, file, dir, .. } = self;
        Spilled { parts, file: file.map(Mutex::new), dir }
    }
}

/// Entries in parts.
#[derive(Debug)]
pub struct Spilled {
    parts: Vec<Part>,
    file: Option<Mutex<File>>,
    dir: PathBuf,
}

impl Spilled {
    /// The entries of a part, sorted by id and then by place. Where they are many, `fold` is handed
    /// those so far, sorted, and may leave fewer of each id: one id can stand in any number of rows,
    /// and all of them are in one part.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn part(
        &self,
        part: usize,
        mut fold: impl FnMut(&mut Vec<Entry>),
    ) -> Result<Vec<Entry>, Error> {
        let Part { chunks, rest } = &self.parts[part];
        let all = chunks.len() * CHUNK_ENTRIES + rest.len() / ENTRY_BYTES;
        let mut entries = Vec::with_capacity(all.min(FOLD_ENTRIES));
        let mut fold_at = FOLD_ENTRIES;
        if let Some(file) = &self.file {
            // Copies from the system's memory, for the most part: one thread at a time will do.
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let mut chunk = vec![0; CHUNK_ENTRIES * ENTRY_BYTES];
            for &at in chunks {
                let offset = u64::from(at) * chunk.len() as u64;
                file.seek(SeekFrom::Start(offset))
                    .and_then(|_| file.read_exact(&mut chunk))
                    .map_err(Error::io(&self.dir, "read a temporary file in"))?;
                if entries.len() + CHUNK_ENTRIES > fold_at {
                    entries.sort_unstable_by_key(|entry: &Entry| (entry.id, entry.at));
                    fold(&mut entries);
                    // Where there is little to fold, it is not tried over and over again.
                    fold_at = FOLD_ENTRIES.max(2 * entries.len());
                }
                entries.extend(chunk.chunks_exact(ENTRY_BYTES).map(entry));
            }
        }
        entries.extend(rest.chunks_exact(ENTRY_BYTES).map(entry));
        entries.sort_unstable_by_key(|entry| (entry.id, entry.at));
        Ok(entries)
    }
}

fn entry(bytes: &[u8]) -> Entry {
    let (hashes, at) = bytes.as_chunks::<16>();
    let hash = |index: usize| hashes.get(index).map_or(0, |bytes| u128::from_le_bytes(*bytes));
    let at = at.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Entry { id: hash(0), row: hash(1), at }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries with ids all over the range, several of some ids, in no order.
    fn entries(count: u64) -> Vec<Entry> {
        let mixed = |n: u64| u128::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let entry = |n: u64| Entry {
            id: mixed(n % (count / 2).max(1)) << 64 | u128::from(n % 7),
            row: mixed(n),
            at: count - n,
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn what_goes_in_comes_out_sorted_whether_or_not_it_fits_in_memory() {
        let dir = tempfile::tempdir().expect("tempdir");
        for count in [0, 10, PARTS as u64 * CHUNK_ENTRIES as u64 * 5 / 2] {
            let mut expected = entries(count);
            let mut spill = Spill::new(dir.path());
            for &entry in &expected {
                spill.push(entry).expect("written");
            }
            assert_eq!(spill.file.is_some(), count > 10, "{count}");
            let spilled = spill.finish();
            let found: Vec<Entry> =
                (0..PARTS).flat_map(|part| spilled.part(part, |_| ()).expect("read")).collect();
            expected.sort();
            assert!(found == expected, "{count}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 0, "no file is left");
    }
}
