//! Reading an object from somewhere to its end: parts are asked for ahead, while the one before is
//! worked on; a server that knows no parts gives all of it in one answer.

use std::{
    collections::VecDeque,
    fmt,
    io::{self, Read},
    sync::{Mutex, PoisonError},
};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::{Pending, Remote, changed, runtime, words};

/// The first part; each one after it is twice as large, up to the largest: the head of a file is
/// often all that is wanted.
const FIRST_PART_BYTES: u64 = 256 << 10;

/// The largest part of a table that is read, and of one that is unpacked, of which there may be many.
const PART_BYTES_MAX: u64 = 8 << 20;
const UNPACKED_PART_BYTES_MAX: u64 = 1 << 20;

/// Parts under way, once they are large.
const PARTS_AHEAD: usize = 3;

/// From this size on a second part is asked for ahead. Readers of less are often given up.
const AHEAD_PART_BYTES: u64 = 1 << 20;

/// Heads that are kept, of whichever objects: a table is opened several times.
const HEADS: usize = 8;

/// Pieces of an answer without parts that wait to be taken.
const PIECES_AHEAD: usize = 16;

/// The first parts of the objects that were last opened.
static LAST_HEADS: Mutex<VecDeque<(u64, Bytes)>> = Mutex::new(VecDeque::new());

/// Reads an object part by part.
pub struct Ahead {
    remote: Remote,
    /// Where the next part that is asked for begins.
    next: u64,
    part_bytes: u64,
    part_bytes_max: u64,
    under_way: VecDeque<Pending>,
    /// What is left of the part at hand.
    part: Bytes,
}

impl Remote {
    /// Reads the object from a place to its end.
    pub fn ahead(&self, offset: u64) -> Ahead {
        self.in_parts(offset, PART_BYTES_MAX)
    }

    /// Reads all of the object in smaller parts.
    pub fn unpacked(&self) -> Ahead {
        self.in_parts(0, UNPACKED_PART_BYTES_MAX)
    }

    fn in_parts(&self, offset: u64, part_bytes_max: u64) -> Ahead {
        Ahead {
            remote: self.clone(),
            next: offset,
            part_bytes: FIRST_PART_BYTES,
            part_bytes_max,
            under_way: VecDeque::new(),
            part: Bytes::new(),
        }
    }

    /// Reads all of the object in one answer.
    ///
    /// # Errors
    /// No request can be made.
    pub fn whole(&self) -> io::Result<Incoming> {
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        let object = self.0.clone();
        runtime()?.spawn(async move {
            let answer = object.store.get_opts(&object.path, object.version.options()).await;
            let mut pieces = match answer {
                Ok(answer) if object.version.is_of(&answer.meta) => answer.into_stream(),
                Ok(_) => return drop(sender.send(Err(changed())).await),
                Err(error) if words::is_changed(&error) => {
                    return drop(sender.send(Err(changed())).await);
                }
                Err(error) => return drop(sender.send(Err(object.unreadable(&error))).await),
            };
            let mut left = object.bytes;
            while let Some(piece) = pieces.next().await {
                left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
                let piece = piece.map_err(|error| object.unreadable(&error));
                let ends = piece.is_err();
                if sender.send(piece).await.is_err() || ends {
                    return;
                }
            }
            if left > 0 {
                let _ = sender.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
            }
        });
        Ok(Incoming { pieces, piece: Bytes::new() })
    }
}

impl Ahead {
    /// The rest of the head, where the reader begins in it.
    fn head(&mut self) -> io::Result<Bytes> {
        let mut heads = LAST_HEADS.lock().unwrap_or_else(PoisonError::into_inner);
        let at = heads.iter().position(|(id, _)| *id == self.remote.0.id);
        let known = at.and_then(|at| heads.remove(at));
        let head = match known {
            Some((_, head)) => head,
            None => {
                let end = FIRST_PART_BYTES.min(self.remote.bytes());
                drop(heads);
                let head = self.remote.start_read(0..end)?.wait()?;
                heads = LAST_HEADS.lock().unwrap_or_else(PoisonError::into_inner);
                head
            }
        };
        heads.truncate(HEADS - 1);
        heads.push_front((self.remote.0.id, head.clone()));
        let rest = head.slice((self.next as usize).min(head.len())..);
        self.next = head.len() as u64;
        self.part_bytes *= 2;
        Ok(rest)
    }

    /// Asks for parts until enough are under way.
    fn ask(&mut self) -> io::Result<()> {
        loop {
            let parts = match self.part_bytes {
                size if size < AHEAD_PART_BYTES => 1,
                size if size < self.part_bytes_max => PARTS_AHEAD - 1,
                _ => PARTS_AHEAD,
            };
            if self.under_way.len() >= parts || self.next >= self.remote.bytes() {
                return Ok(());
            }
            let end = (self.next + self.part_bytes).min(self.remote.bytes());
            self.under_way.push_back(self.remote.start_read(self.next..end)?);
            self.next = end;
            self.part_bytes = (self.part_bytes * 2).min(self.part_bytes_max);
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.is_empty() && self.under_way.is_empty() && self.next < FIRST_PART_BYTES {
            self.part = self.head()?;
        }
        if self.part.is_empty() {
            self.ask()?;
            match self.under_way.pop_front() {
                Some(pending) => self.part = pending.wait()?,
                None => return Ok(0),
            }
        }
        let len = buffer.len().min(self.part.len());
        self.part.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}

impl fmt::Debug for Ahead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ahead").field("remote", &self.remote).field("next", &self.next).finish()
    }
}

/// An object that comes in one answer.
pub struct Incoming {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Incoming {
    /// Whatever comes first, and the rest of it later.
    ///
    /// # Errors
    /// The object cannot be read.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => break,
            }
        }
        Ok(&self.piece)
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.peek()?.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..len]);
        Ok(len)
    }
}
