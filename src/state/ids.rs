//! The file of ids: 32 bytes each, sorted, a checksum for every part.
//!
//! Records (hash of the id, hash of its row; little-endian) stand part by part. Behind them stands
//! for every part its number of records and their xxh3-64, and then what makes the file known.

use std::{
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{
    Error,
    spill::{PARTS, part_of},
};
use crate::private;

/// What the file ends with: the last two digits are the format's version.
const MAGIC: &[u8; 8] = b"MOEIDS01";

/// Bytes of one record.
pub(super) const RECORD_BYTES: usize = 32;

const INDEX_BYTES: usize = PARTS * 16;

/// An id, and the row that the server accepted last; both hashes.
pub(super) type Record = (u128, u128);

/// A file of ids, open for reading.
#[derive(Debug)]
pub struct Ids {
    path: PathBuf,
    file: Mutex<File>,
    /// Of every part where it begins, its records, and their checksum.
    index: Vec<(u64, u64, u64)>,
}

impl Ids {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let io = Error::io(path, "read");
        let mut file = private::options().read(true).open(path).map_err(&io)?;
        let end = file.seek(SeekFrom::End(0)).map_err(&io)?;
        let tail = (INDEX_BYTES + MAGIC.len()) as u64;
        let Some(records_end) = end.checked_sub(tail) else {
            return Err(Error::damaged(path, "it is too short"));
        };
        let mut bytes = vec![0; tail as usize];
        file.seek(SeekFrom::Start(records_end)).map_err(&io)?;
        file.read_exact(&mut bytes).map_err(&io)?;
        let Some(rows) = bytes.strip_suffix(MAGIC) else {
            return Err(Error::damaged(path, "its end is missing"));
        };
        let mut index = Vec::with_capacity(PARTS);
        let mut start = 0_u64;
        for [count, checksum] in rows.as_chunks::<8>().0.as_chunks::<2>().0 {
            let count = u64::from_le_bytes(*count);
            index.push((start, count, u64::from_le_bytes(*checksum)));
            start = start.saturating_add(count.saturating_mul(RECORD_BYTES as u64));
        }
        if start != records_end {
            return Err(Error::damaged(path, "its size is not what its index says"));
        }
        Ok(Self { path: path.to_owned(), file: Mutex::new(file), index })
    }

    /// Ids in it.
    pub(super) fn len(&self) -> u64 {
        self.index.iter().map(|(_, count, _)| count).sum()
    }

    /// The records of a part, sorted by id, each id once.
    pub(super) fn part(&self, part: usize) -> Result<Vec<Record>, Error> {
        let (start, count, checksum) = self.index[part];
        let mut bytes = vec![0; count as usize * RECORD_BYTES];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(Error::io(&self.path, "read"))?;
        }
        if xxh3_64(&bytes) != checksum {
            return Err(Error::damaged(&self.path, "a checksum does not fit"));
        }
        Ok(records(&bytes).collect())
    }

    /// Reads all of it, and holds it against what every file of ids is.
    pub(super) fn verify(&self) -> Result<(), Error> {
        for part in 0..PARTS {
            let records = self.part(part)?;
            let sorted = records.is_sorted_by(|one, next| one.0 < next.0);
            if !sorted || records.iter().any(|&(id, _)| part_of(id) != part) {
                return Err(Error::damaged(&self.path, "its ids are not in order"));
            }
        }
        Ok(())
    }
}

/// The records that bytes hold.
pub(super) fn records(bytes: &[u8]) -> impl Iterator<Item = Record> + '_ {
    bytes
        .as_chunks::<16>()
        .0
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[id, row]| (u128::from_le_bytes(*id), u128::from_le_bytes(*row)))
}

/// Appends a record.
pub(super) fn push(bytes: &mut Vec<u8>, (id, row): Record) {
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.extend_from_slice(&row.to_le_bytes());
}

/// A file of ids that is being made, part after part.
#[derive(Debug)]
pub(super) struct IdsWriter {
    path: PathBuf,
    out: BufWriter<File>,
    index: Vec<u8>,
    ids: u64,
}

impl IdsWriter {
    /// Begins a file, in the place of one that a crash left.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let io = Error::io(path, "write");
        private::remove(path).map_err(&io)?;
        let file = private::options().write(true).create_new(true).open(path).map_err(&io)?;
        let index = Vec::with_capacity(INDEX_BYTES);
        Ok(Self {
            path: path.to_owned(),
            out: BufWriter::with_capacity(1 << 20, file),
            index,
            ids: 0,
        })
    }

    /// Takes the records of the next part, as bytes.
    pub fn part(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let count = (bytes.len() / RECORD_BYTES) as u64;
        self.index.extend_from_slice(&count.to_le_bytes());
        self.index.extend_from_slice(&xxh3_64(bytes).to_le_bytes());
        self.ids += count;
        self.out.write_all(bytes).map_err(Error::io(&self.path, "write"))
    }

    /// Makes the file durable; how many ids it has.
    pub fn finish(mut self) -> Result<u64, Error> {
        let Self { out, index, .. } = &mut self;
        debug_assert_eq!(index.len(), INDEX_BYTES, "a part is missing");
        out.write_all(index)
            .and_then(|()| out.write_all(MAGIC))
            .and_then(|()| out.flush())
            .and_then(|()| out.get_ref().sync_all())
            .map_err(Error::io(&self.path, "write"))?;
        Ok(self.ids)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_what_was_written_or_it_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("ids");
        let record = |part: u128, n: u128| (part << 118 | n, n * n);
        let mut writer = IdsWriter::create(&path).expect("created");
        for part in 0..PARTS as u128 {
            let mut bytes = Vec::new();
            (0..part % 3).for_each(|n| push(&mut bytes, record(part, n)));
            writer.part(&bytes).expect("written");
        }
        let count = writer.finish().expect("written");
        let ids = Ids::open(&path).expect("opened");
        assert_eq!((count, ids.len()), (1_023, 1_023));
        ids.verify().expect("sound");
        assert_eq!(ids.part(0).expect("read"), []);
        assert_eq!(ids.part(1_022).expect("read"), [record(1_022, 0), record(1_022, 1)]);

        let sound = fs::read(&path).expect("read");
        let end = sound.len();
        for (at, what) in
            [(40, "checksum"), (end - 12, "checksum"), (end - 20, "size"), (end - 1, "end")]
        {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).expect("write");
            let error = Ids::open(&path).and_then(|ids| ids.verify()).expect_err("damaged");
            assert!(error.to_string().contains(what), "{at}: {error}");
        }
        for cut in [0, 30, sound.len() - 1] {
            fs::write(&path, &sound[..cut]).expect("write");
            assert!(matches!(Ids::open(&path), Err(Error::Damaged { .. })), "{cut}");
        }
    }
}
