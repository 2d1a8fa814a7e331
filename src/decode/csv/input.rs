//! A bounded window on a stream of bytes.

use std::io::{ErrorKind, Read, Result};

/// The unread bytes of a stream, plus those read ones that may be asked for again.
///
/// Each refill brings in at least as much as was asked for, so moving the kept bytes to
/// the front costs a constant factor, however small the steps that consume them.
pub(super) struct Input<R> {
    read: R,
    buffer: Vec<u8>,
    /// Offset in the stream of the first byte in the buffer.
    base: u64,
    /// Where the unread bytes start in the buffer.
    at: usize,
    /// Where they end.
    filled: usize,
    /// Offset in the stream from which on bytes must be kept.
    keep: u64,
    ended: bool,
    /// Bytes that a refill asks for at least.
    pub(super) chunk_bytes: usize,
}

impl<R: Read> Input<R> {
    pub(super) fn new(read: R, chunk_bytes: usize) -> Self {
        Self {
            read,
            buffer: Vec::new(),
            base: 0,
            at: 0,
            filled: 0,
            keep: u64::MAX,
            ended: false,
            chunk_bytes,
        }
    }

    /// Offset in the stream of the first unread byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The unread bytes at hand, at most `bytes_max`; and whether the stream ends with them.
    pub(super) fn window(&self, bytes_max: usize) -> (&[u8], bool) {
        let unread = &self.buffer[self.at..self.filled];
        match unread.get(..bytes_max) {
            Some(part) => (part, self.ended && part.len() == unread.len()),
            None => (unread, self.ended),
        }
    }

    /// Brings in bytes until `bytes` of them are unread, or the stream ends.
    pub(super) fn ensure(&mut self, bytes: usize) -> Result<()> {
        if self.filled - self.at < bytes && !self.ended { self.refill(bytes) } else { Ok(()) }
    }

    /// Brings in more bytes than are at hand, unless the stream ends.
    pub(super) fn grow(&mut self) -> Result<()> {
        self.ensure(self.filled - self.at + 1)
    }

    fn refill(&mut self, bytes: usize) -> Result<()> {
        let kept_from = (self.keep.saturating_sub(self.base) as usize).min(self.at);
        self.buffer.copy_within(kept_from..self.filled, 0);
        self.base += kept_from as u64;
        self.at -= kept_from;
        self.filled -= kept_from;
        let target = self.at + (2 * bytes).max(self.chunk_bytes);
        if self.buffer.len() < target {
            self.buffer.resize(target, 0);
        }
        while self.filled < target && !self.ended {
            match self.read.read(&mut self.buffer[self.filled..target]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.filled += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Moves on.
    pub(super) fn consume(&mut self, bytes: usize) {
        debug_assert!(self.at + bytes <= self.filled);
        self.at += bytes;
    }

    /// Keeps bytes from this offset on, read or not; `None`: the unread ones only.
    pub(super) fn keep_from(&mut self, offset: Option<u64>) {
        self.keep = offset.unwrap_or(u64::MAX);
    }

    /// The kept bytes from an offset up to the first unread byte, and `ahead` more.
    pub(super) fn kept(&self, from: u64, ahead: usize) -> &[u8] {
        &self.buffer[from.saturating_sub(self.base) as usize..self.at + ahead]
    }
}
