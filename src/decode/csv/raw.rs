//! The raw bytes of a stretch that is no record, as far as they are kept.

use super::Dialect;

/// The raw bytes of a damaged stretch: its start, and how long it is.
pub(super) struct Raw {
    pub(super) kept: Vec<u8>,
    kept_max: usize,
    pub(super) bytes: u64,
    pub(super) line_ends: u64,
    /// The last three bytes, for its end lies beyond what is kept where it is long.
    last: [u8; 3],
}

impl Raw {
    pub(super) fn new(kept_max: usize) -> Self {
        Self { kept: Vec::new(), kept_max, bytes: 0, line_ends: 0, last: [0; 3] }
    }

    /// Adds bytes; how many line ends are among them.
    pub(super) fn push(&mut self, data: &[u8]) -> u64 {
        let room = self.kept_max - self.kept.len();
        self.kept.extend_from_slice(&data[..data.len().min(room)]);
        self.bytes += data.len() as u64;
        for &byte in &data[data.len().saturating_sub(3)..] {
            self.last = [self.last[1], self.last[2], byte];
        }
        let line_ends = line_ends(data);
        self.line_ends += line_ends;
        line_ends
    }

    /// Whether the last byte before the line end is an escape.
    pub(super) fn ends_escaped(&self, dialect: &Dialect) -> bool {
        dialect.escape.is_some_and(|escape| self.last[1] == escape)
    }

    /// Whether more was pushed than is kept.
    pub(super) fn cut(&self) -> bool {
        self.bytes > self.kept.len() as u64
    }

    /// What is kept, without the last line end of the stretch.
    pub(super) fn without_line_end(mut self) -> Vec<u8> {
        let line_end_bytes = match self.last {
            [_, b'\r', b'\n'] => 2,
            [_, _, b'\n'] => 1,
            _ => 0,
        };
        let content_bytes = self.bytes.saturating_sub(line_end_bytes);
        self.kept.truncate(usize::try_from(content_bytes).unwrap_or(usize::MAX));
        self.kept
    }
}

/// How many line ends there are.
pub(super) fn line_ends(data: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', data).count() as u64
}
