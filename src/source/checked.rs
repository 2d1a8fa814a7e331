//! What a file holds, and a reader that stops where it no longer holds that.
//!
//! An import reads its inputs more than once, possibly days apart. Every block is
//! hashed once, before anything is sent, and compared whenever it is read again, so
//! that an edit in between is found before a row of the edited block is used.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

use super::remote::{Ahead, Remote};

/// Bytes that one hash covers. A hash takes 8 bytes, so a terabyte needs 8 MB of them.
pub const BLOCK_BYTES: usize = 1 << 20;

/// Bytes of an object elsewhere that are asked for at a time where not much is wanted.
const LITTLE_BYTES: usize = 64 << 10;

/// What a file held when it was fingerprinted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Size in bytes.
    pub bytes: u64,
    /// xxh3-128 of the content, as 32 lower-case hex digits; of an object elsewhere what its server
    /// calls this content.
    pub content: String,
    /// xxh3-64 of each block.
    blocks: Arc<[u64]>,
}

impl Fingerprint {
    /// Reads a whole file. `on_bytes` hears how many bytes were read since the last call.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(path: &Path, mut on_bytes: impl FnMut(u64)) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut print = Fingerprinter::default();
        let mut block = Vec::with_capacity(BLOCK_BYTES);
        loop {
            block.clear();
            let read = Read::by_ref(&mut file).take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
            if read == 0 {
                return Ok(print.finish());
            }
            print.add(&block);
            on_bytes(read as u64);
        }
    }
}

impl Fingerprint {
    /// Of what has a version instead of a hash, as the server that holds it says.
    pub(super) fn of_version(bytes: u64, content: String) -> Self {
        Self { bytes, content, blocks: Arc::default() }
    }
}

/// Where the bytes of an input are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    File(PathBuf),
    /// An object elsewhere.
    Remote(Remote),
}

impl Place {
    /// What it holds now: of a file by reading it, `on_bytes` hearing how much was read since the
    /// last call; of an object by what its server says.
    ///
    /// # Errors
    /// It cannot be read, or the server says nothing.
    pub fn fingerprint(&self, on_bytes: impl FnMut(u64)) -> io::Result<Fingerprint> {
        match self {
            Self::File(path) => Fingerprint::of(path, on_bytes),
            Self::Remote(remote) => remote.fingerprint().ok_or_else(|| {
                io::Error::other(
                    "its server says neither ETag nor time, so that a change could not be told; download it \
                     first",
                )
            }),
        }
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        Self::File(path.clone())
    }
}

/// Makes a [`Fingerprint`] of bytes as they pass.
#[derive(Default)]
pub struct Fingerprinter {
    bytes: u64,
    whole: Xxh3Default,
    /// Of the block at hand.
    block: Xxh3Default,
    blocks: Vec<u64>,
}

impl Fingerprinter {
    /// The next bytes, however many.
    pub fn add(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let left = BLOCK_BYTES - (self.bytes % BLOCK_BYTES as u64) as usize;
            let (now, later) = bytes.split_at(left.min(bytes.len()));
            self.block.update(now);
            self.bytes += now.len() as u64;
            if now.len() == left {
                self.end_block();
            }
            bytes = later;
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint of all of them.
    pub fn finish(mut self) -> Fingerprint {
        if !self.bytes.is_multiple_of(BLOCK_BYTES as u64) {
            self.end_block();
        }
        let content = format!("{:032x}", self.whole.digest128());
        Fingerprint { bytes: self.bytes, content, blocks: self.blocks.into() }
    }

    fn end_block(&mut self) {
        self.blocks.push(self.block.digest());
        self.block.reset();
    }
}

/// A file read by position, held against its fingerprint where there is one.
#[derive(Clone, Debug)]
pub struct CheckedFile {
    file: Bytewise,
    bytes: u64,
    /// `None` for an object elsewhere too: each of its requests is held to its version.
    fingerprint: Option<Fingerprint>,
}

/// What is read by position.
#[derive(Clone, Debug)]
enum Bytewise {
    File(Arc<File>),
    Remote(Remote),
}

impl CheckedFile {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be opened, or no longer has the size of its fingerprint.
    pub fn open(place: impl Into<Place>, fingerprint: Option<Fingerprint>) -> io::Result<Self> {
        let path = match place.into() {
            Place::File(path) => path,
            Place::Remote(remote) => {
                let bytes = remote.bytes();
                return Ok(Self { file: Bytewise::Remote(remote), bytes, fingerprint: None });
            }
        };
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        if fingerprint.as_ref().is_some_and(|print| print.bytes != bytes) {
            return Err(changed());
        }
        Ok(Self { file: Bytewise::File(Arc::new(file)), bytes, fingerprint })
    }

    /// Size in bytes.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The bytes from `start` on, `len` of them, or fewer at the end of the file.
    ///
    /// # Errors
    /// The file cannot be read, or a block that holds some of them has changed.
    pub fn read_at(&self, start: u64, len: usize) -> io::Result<Bytes> {
        let end = start.saturating_add(len as u64).min(self.bytes);
        if start >= end {
            return Ok(Bytes::new());
        }
        if let Bytewise::Remote(remote) = &self.file {
            return remote.read_at(start, (end - start) as usize);
        }
        if self.fingerprint.is_none() {
            let mut bytes = BytesMut::zeroed((end - start) as usize);
            self.read_exactly(start, &mut bytes)?;
            return Ok(bytes.freeze());
        }
        // A hash covers a whole block, so whole blocks have to be read.
        let block_bytes = BLOCK_BYTES as u64;
        let aligned = start / block_bytes * block_bytes;
        let aligned_end = end.div_ceil(block_bytes).saturating_mul(block_bytes).min(self.bytes);
        let mut bytes = BytesMut::zeroed((aligned_end - aligned) as usize);
        self.read_exactly(aligned, &mut bytes)?;
        let bytes = bytes.freeze();
        let first = aligned / block_bytes;
        for (block, at) in bytes.chunks(BLOCK_BYTES).zip(first..) {
            self.check_block(at, block)?;
        }
        Ok(bytes.slice((start - aligned) as usize..(end - aligned) as usize))
    }

    /// Reads the file from its start to its end.
    pub fn reader(&self) -> CheckedReader {
        self.reader_at(0)
    }

    /// Reads the file from a place to its end.
    pub fn reader_at(&self, offset: u64) -> CheckedReader {
        let ahead = match &self.file {
            Bytewise::Remote(remote) => Some(Box::new(remote.ahead(offset))),
            Bytewise::File(_) => None,
        };
        CheckedReader { ahead, ..self.reader_of_little(offset) }
    }

    /// Reads the file from a place, of which not much is wanted.
    fn reader_of_little(&self, offset: u64) -> CheckedReader {
        let file = self.clone();
        CheckedReader { file, ahead: None, position: offset, block: Vec::new(), at: 0 }
    }

    fn read_exactly(&self, start: u64, bytes: &mut [u8]) -> io::Result<()> {
        let file = match &self.file {
            Bytewise::File(file) => file,
            Bytewise::Remote(remote) => {
                bytes.copy_from_slice(&remote.read_at(start, bytes.len())?);
                return Ok(());
            }
        };
        read_exact_at(file, bytes, start).map_err(|error| match error.kind() {
            // Shorter than a moment ago.
            io::ErrorKind::UnexpectedEof => changed(),
            _ => error,
        })
    }

    /// Holds a block against its hash, where there is one.
    fn check_block(&self, at: u64, block: &[u8]) -> io::Result<()> {
        match &self.fingerprint {
            Some(print) if print.blocks.get(at as usize) != Some(&xxh3_64(block)) => Err(changed()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer = &mut buffer[read..];
        offset += read as u64;
    }
    Ok(())
}

pub(super) fn changed() -> io::Error {
    io::Error::other(Changed)
}

/// The file no longer holds what was checked.
#[derive(Debug, thiserror::Error)]
#[error("the file changed while the import was running; nothing of the changed part was used")]
pub struct Changed;

/// A [`CheckedFile`] from start to end.
#[derive(Debug)]
pub struct CheckedReader {
    file: CheckedFile,
    /// An object elsewhere, asked for ahead.
    ahead: Option<Box<Ahead>>,
    position: u64,
    /// The block at hand, and how much of it was handed out.
    block: Vec<u8>,
    at: usize,
}

impl CheckedReader {
    /// Bytes handed out so far.
    pub fn position(&self) -> u64 {
        self.position - (self.block.len() - self.at) as u64
    }
}

impl CheckedReader {
    /// Fills a buffer with the next bytes, or its front at the end of the file; how many.
    ///
    /// # Errors
    /// The file cannot be read, or a block that holds some of them has changed.
    pub fn read_full(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at_hand = (self.block.len() - self.at) as u64;
        let left = at_hand + self.file.bytes.saturating_sub(self.position);
        let len = left.min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..len];
        if let Some(ahead) = &mut self.ahead {
            ahead.read_exact(buffer)?;
            self.position += len as u64;
        } else if self.file.fingerprint.is_none() && at_hand == 0 {
            self.file.read_exactly(self.position, buffer)?;
            self.position += len as u64;
        } else {
            self.read_exact(buffer)?;
        }
        Ok(len)
    }

    /// Reads up to the end of the block that is next, into the same memory.
    fn next_block(&mut self) -> io::Result<()> {
        let block_bytes = BLOCK_BYTES as u64;
        let end = (self.position / block_bytes + 1).saturating_mul(block_bytes);
        let len = end.min(self.file.bytes).saturating_sub(self.position) as usize;
        if matches!(self.file.file, Bytewise::Remote(_)) {
            self.block = self.file.read_at(self.position, len.min(LITTLE_BYTES))?.into();
        } else if self.file.fingerprint.is_some() && !self.position.is_multiple_of(block_bytes) {
            // A hash covers a whole block, the start of which is not asked for.
            self.block = self.file.read_at(self.position, len)?.into();
        } else {
            self.block.resize(len, 0);
            self.file.read_exactly(self.position, &mut self.block)?;
            if len > 0 {
                self.file.check_block(self.position / block_bytes, &self.block)?;
            }
        }
        self.at = 0;
        self.position += self.block.len() as u64;
        Ok(())
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(ahead) = &mut self.ahead {
            let read = ahead.read(buffer)?;
            self.position += read as u64;
            return Ok(read);
        }
        if self.at == self.block.len() {
            self.next_block()?;
        }
        let rest = &self.block[self.at..];
        let len = buffer.len().min(rest.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

impl parquet::file::reader::Length for CheckedFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl parquet::file::reader::ChunkReader for CheckedFile {
    type T = io::BufReader<CheckedReader>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(io::BufReader::new(self.reader_of_little(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.read_at(start, length)?;
        if bytes.len() < length {
            return Err(parquet::errors::ParquetError::EOF(format!(
                "{length} bytes at offset {start} are wanted, the file has {}",
                self.bytes
            )));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn an_edit_of_one_byte_is_found_where_it_is() {
        let mut file = tempfile::NamedTempFile::new().expect("tempfile");
        let content: Vec<u8> = (0..BLOCK_BYTES * 5 / 2).map(|at| (at / 7) as u8).collect();
        file.write_all(&content).expect("write");
        let mut heard = 0;
        let print = Fingerprint::of(file.path(), |bytes| heard += bytes).expect("read");
        let mut pieces = Fingerprinter::default();
        content.chunks(700_001).for_each(|piece| pieces.add(piece));
        assert_eq!(pieces.finish(), print, "however it is cut");
        assert_eq!(heard, content.len() as u64);
        assert_eq!(print.content, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&content)));

        let open = || CheckedFile::open(file.path(), Some(print.clone())).expect("open");
        let mut read = Vec::new();
        open().reader().read_to_end(&mut read).expect("read");
        assert!(read == content);
        let across = BLOCK_BYTES - 3;
        assert_eq!(open().read_at(across as u64, 7).expect("read"), &content[across..across + 7]);
        assert_eq!(open().read_at(content.len() as u64 - 2, 7).expect("read").len(), 2);

        let mut edited = content.clone();
        edited[BLOCK_BYTES + 5] ^= 1;
        fs::write(file.path(), &edited).expect("write");
        assert!(open().read_at(0, BLOCK_BYTES).is_ok(), "the first block is as it was");
        let error = open().reader().read_to_end(&mut Vec::new()).expect_err("changed");
        assert!(error.get_ref().is_some_and(|inner| inner.is::<Changed>()));
        fs::write(file.path(), &content[1..]).expect("write");
        assert!(CheckedFile::open(file.path(), Some(print.clone())).is_err());
    }
}
