//! Rows on their way to the server: what an import sends, written down before the first of them
//! leaves, and gone when it is known what became of them.
//!
//! A line of JSON with a checksum; 32 bytes for every row, in the order of sending; the number of
//! rows of each body, as runs of equal numbers; the checksums of both. A file that ends otherwise was
//! never in its place: it gets its name when it is whole.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::{
    Error,
    ids::{RECORD_BYTES, Record, push, records},
};
use crate::model::RowPrint;
use crate::private;
use crate::sealed::{line_json, push_line};

/// The name of the file in the directory of a state.
pub(super) const PENDING_FILE: &str = "pending";

/// Its name while it is being written.
pub(super) const STAGED_FILE: &str = "pending.tmp";

/// Bytes that are read or written at once.
const BUFFER_BYTES: usize = 1 << 18;

/// Longest first line that is believed.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// Which import it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The import's own name, by which its checkpoint is known: 32 hex digits.
    pub run: String,
    /// Its run directory.
    pub dir: PathBuf,
}

/// What stands behind the rows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Footer {
    rows: u64,
    /// xxh3-64 of the rows.
    checksum: u64,
    /// Numbers of rows in a body, and how many bodies in a row have so many.
    bodies: Vec<(u32, u64)>,
}

/// The file, while it is being written.
pub struct PendingWriter {
    dir: PathBuf,
    out: BufWriter<File>,
    record: Vec<u8>,
    hash: Xxh3Default,
    footer: Footer,
    is_published: bool,
}

impl std::fmt::Debug for PendingWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingWriter").field("rows", &self.footer.rows).finish_non_exhaustive()
    }
}

impl PendingWriter {
    /// Begins the file.
    ///
    /// # Errors
    /// It can't be written.
    pub(super) fn create(dir: &Path, header: &Header) -> Result<Self, Error> {
        let path = dir.join(STAGED_FILE);
        let create = || {
            private::remove(&path)?;
            let file = private::options().write(true).create_new(true).open(&path)?;
            let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
            let mut line = Vec::new();
            push_line(&mut line, header)?;
            out.write_all(&line)?;
            Ok(out)
        };
        let out = create().map_err(Error::io(&path, "write"))?;
        let (record, hash, footer) = (Vec::new(), Xxh3Default::new(), Footer::default());
        Ok(Self { dir: dir.to_owned(), out, record, hash, footer, is_published: false })
    }

    /// Takes the rows that are sent next.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn rows(&mut self, prints: &[RowPrint]) -> Result<(), Error> {
        let Self { dir, out, record, hash, footer, .. } = self;
        record.clear();
        prints.iter().for_each(|print| push(record, (print.id, print.row)));
        hash.update(record);
        footer.rows += prints.len() as u64;
        out.write_all(record).map_err(Error::io(&dir.join(STAGED_FILE), "write"))
    }

    /// The next of them are a body.
    pub fn body(&mut self, rows: u32) {
        match self.footer.bodies.last_mut() {
            Some((known, count)) if *known == rows => *count += 1,
            _ => self.footer.bodies.push((rows, 1)),
        }
    }

    /// Makes the file durable, and gives it its name.
    pub(super) fn publish(mut self) -> Result<(), Error> {
        let staged = self.dir.join(STAGED_FILE);
        let mut publish = || {
            self.footer.checksum = self.hash.digest();
            let mut footer = Vec::new();
            push_line(&mut footer, &self.footer)?;
            let len = footer.len() as u64;
            self.out.write_all(&footer)?;
            self.out.write_all(&len.to_le_bytes())?;
            self.out.flush()?;
            self.out.get_ref().sync_all()?;
            fs::rename(&staged, self.dir.join(PENDING_FILE))?;
            self.is_published = true;
            private::sync_dir(&self.dir)
        };
        publish().map_err(Error::io(&staged, "write"))
    }
}

impl Drop for PendingWriter {
    /// What was not sent after all leaves nothing behind.
    fn drop(&mut self) {
        if !self.is_published {
            let _ = fs::remove_file(self.dir.join(STAGED_FILE));
        }
    }
}

/// The file, to be read.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
    /// Which import it is of.
    pub header: Header,
    /// Kept open: the import whose it is may remove it meanwhile.
    file: File,
    /// Where the rows begin.
    start: u64,
    footer: Footer,
}

impl Pending {
    /// The file of a state, where it has one.
    ///
    /// # Errors
    /// It can't be read, or is not what was written.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(PENDING_FILE);
        let io = Error::io(&path, "read");
        let file = match private::options().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let damaged = || Error::damaged(&path, "it is not whole");
        let mut file = BufReader::new(file);
        let mut line = Vec::new();
        Read::by_ref(&mut file).take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).map_err(&io)?;
        let header = line_json(&line).and_then(|json| serde_json::from_slice(json).ok());
        let header = header.ok_or_else(damaged)?;
        let end = file.seek(SeekFrom::End(0)).map_err(&io)?;
        let mut len = [0; 8];
        let tail = end.checked_sub(8).ok_or_else(damaged)?;
        file.seek(SeekFrom::Start(tail)).and_then(|_| file.read_exact(&mut len)).map_err(&io)?;
        let (len, start) = (u64::from_le_bytes(len), line.len() as u64);
        let footer_start = tail.checked_sub(len).filter(|&at| at >= start).ok_or_else(damaged)?;
        let mut bytes = vec![0; len as usize];
        file.seek(SeekFrom::Start(footer_start))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(&io)?;
        let footer = line_json(&bytes).and_then(|json| serde_json::from_slice(json).ok());
        let footer: Footer = footer.ok_or_else(damaged)?;
        if footer.rows.checked_mul(RECORD_BYTES as u64) != Some(footer_start - start) {
            return Err(damaged());
        }
        Ok(Some(Self { path: path.clone(), header, file: file.into_inner(), start, footer }))
    }

    /// Rows in it.
    pub fn len(&self) -> u64 {
        self.footer.rows
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.footer.rows == 0
    }

    /// Calls `each` with every row, in the order of sending: its body, which of its elements it
    /// is, and its hashes.
    ///
    /// # Errors
    /// The file can't be read, is not what was written, or whatever `each` returns.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(u64, u32, Record) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let io = Error::io(&self.path, "read");
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.start)).map_err(&io)?;
        let mut hash = Xxh3Default::new();
        let bodies =
            self.footer.bodies.iter().flat_map(|&(rows, count)| (0..count).map(move |_| rows));
        let mut places = (0_u64..)
            .zip(bodies)
            .flat_map(|(seq, rows)| (0..rows).map(move |element| (seq, element)));
        let mut left = self.footer.rows as usize;
        let mut bytes = vec![0; BUFFER_BYTES];
        while left > 0 {
            let rows = left.min(BUFFER_BYTES / RECORD_BYTES);
            let bytes = &mut bytes[..rows * RECORD_BYTES];
            file.read_exact(bytes).map_err(&io)?;
            hash.update(bytes);
            for record in records(bytes) {
                let (seq, element) = places.next().ok_or_else(|| {
                    Error::damaged(&self.path, "it has more rows than its bodies")
                })?;
                each(seq, element, record)?;
            }
            left -= rows;
        }
        match hash.digest() == self.footer.checksum {
            true => Ok(()),
            false => Err(Error::damaged(&self.path, "a checksum does not fit")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_with_their_bodies_and_a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().expect("tempdir");
        let header = Header { run: "r".to_owned(), dir: "runs/a".into() };
        let print = |n: u128| RowPrint { id: n << 70, row: n };
        let mut writer = PendingWriter::create(dir.path(), &header).expect("created");
        writer.rows(&[print(1), print(2)]).expect("written");
        writer.body(1);
        writer.rows(&[print(3), print(4), print(5)]).expect("written");
        writer.body(2);
        writer.body(2);
        assert!(Pending::read(dir.path()).expect("read").is_none(), "not there before it is whole");
        writer.publish().expect("published");
        assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1);
        drop(PendingWriter::create(dir.path(), &header).expect("created"));
        assert_eq!(fs::read_dir(dir.path()).expect("read").count(), 1, "it leaves nothing");
        let pending = Pending::read(dir.path()).expect("read").expect("there");
        assert_eq!((pending.len(), &pending.header), (5, &header));
        let mut rows = Vec::new();
        let read = pending.each(|seq, element, (id, row)| {
            rows.push((seq, element, id >> 70, row));
            Ok(())
        });
        read.expect("read");
        assert_eq!(rows, [(0, 0, 1, 1), (1, 0, 2, 2), (1, 1, 3, 3), (2, 0, 4, 4), (2, 1, 5, 5)]);

        let path = dir.path().join(PENDING_FILE);
        let sound = fs::read(&path).expect("read");
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).expect("write");
            let read = Pending::read(dir.path())
                .and_then(|read| read.expect("there").each(|_, _, _| Ok(())));
            assert!(matches!(read, Err(Error::Damaged { .. })), "byte {at}: {read:?}");
        }
    }
}
