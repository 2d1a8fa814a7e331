//! Compressed inputs: gzip and zstd, told by their first bytes, as a stream within bounds.
//!
//! Members (gzip) and frames (zstd) that follow one another are one text, as `cat` makes them.
//! Every byte of a file counts: one that is cut short, damaged, or that goes on with something else
//! is refused with the place, since rows would be missing without a word.

use std::{
    io::{self, BufRead, Read},
    sync::{Condvar, Mutex, PoisonError},
};

/// The largest window of a zstd frame: what its decoder keeps in memory. It is that of `zstd --long`.
pub const ZSTD_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// What all windows that are open at a time may take, for any number of threads.
const WINDOWS_BYTES_MAX: u64 = 256 << 20;

/// No data that anybody wants to load shrinks so much. Deflate ends at 1,032 to one; zstd has no end,
/// and a few kilobytes of it can fill a disk.
const EXPANSION_MAX: u64 = 1_000;

/// What any file may hold, however small it is.
const EXPANSION_ANY_BYTES: u64 = 64 << 20;

/// Bytes read at a time, and handed on at a time.
const READ_BYTES: usize = 256 << 10;
const WRITE_BYTES: usize = 1 << 20;

/// The longest header of a zstd frame.
const ZSTD_HEADER_BYTES_MAX: usize = 18;

/// First bytes that tell a compression, or a format: of JSON there may be blanks before it.
pub const HEAD_BYTES: usize = 4096;

/// A compression that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// The compression of a file by its first bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A skippable frame, as pzstd puts before each of its own.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What its parts are called.
    fn part(self) -> &'static str {
        match self {
            Self::Gzip => "member",
            Self::Zstd => "frame",
        }
    }
}

/// The name of a compression or archive that is not read, by a file's first bytes.
pub fn unread_compression(head: &[u8]) -> Option<&'static str> {
    match head {
        [b'P', b'K', 3, 4, ..] => Some("zip"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some("bzip2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some("xz"),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some("lz4"),
        [0x37, 0xa4, 0x30, 0xec, ..] => Some("zstd dictionary"),
        _ => None,
    }
}

/// Why a compressed input cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file as such.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ends in the middle of a part.
    #[error(
        "is cut short: the {kind} {part} {number} that begins at byte {start} has no end, and the file ends at byte {end}; copy the file again, as rows are missing"
    )]
    Cut {
        /// Its compression.
        kind: &'static str,
        /// What its parts are called.
        part: &'static str,
        /// Which of them, from 1.
        number: u64,
        /// Where it begins.
        start: u64,
        /// Bytes of the file.
        end: u64,
    },
    /// A part that does not hold what it should.
    #[error(
        "is damaged: the {kind} {part} {number} that begins at byte {start} cannot be read beyond byte {at} ({reason}); copy the file again"
    )]
    Damaged {
        /// Its compression.
        kind: &'static str,
        /// What its parts are called.
        part: &'static str,
        /// Which of them, from 1.
        number: u64,
        /// Where it begins.
        start: u64,
        /// How far it was read, about.
        at: u64,
        /// What the decoder says.
        reason: String,
    },
    /// Something else behind the last part.
    #[error(
        "goes on behind its last {kind} {part} with something else, at byte {at}; whether rows are missing cannot be told: copy the file again, or cut it there"
    )]
    Trailing {
        /// Its compression.
        kind: &'static str,
        /// What its parts are called.
        part: &'static str,
        /// Where that begins.
        at: u64,
    },
    /// A frame whose decoder would take too much memory.
    #[error(
        "needs a zstd window of {} MiB for the frame that begins at byte {start}, and at most {} MiB are kept in memory; compress it with --long=27 or less",
        window.div_ceil(1 << 20),
        ZSTD_WINDOW_BYTES_MAX >> 20
    )]
    Window {
        /// Bytes of the window.
        window: u64,
        /// Where the frame begins.
        start: u64,
    },
    /// A frame that only a dictionary opens.
    #[error(
        "needs the zstd dictionary {id} for the frame that begins at byte {start}; decompress it first"
    )]
    Dictionary {
        /// The dictionary's number.
        id: u32,
        /// Where the frame begins.
        start: u64,
    },
    /// More data than anybody compressed.
    #[error(
        "grows to more than {EXPANSION_MAX} times its size: the first {read} bytes hold {written} bytes; that is no table: decompress it yourself if it is meant"
    )]
    Bomb {
        /// Compressed bytes read.
        read: u64,
        /// What they hold.
        written: u64,
    },
    /// Whoever takes the bytes wants no more.
    #[error("stopped")]
    Stopped,
}

/// The memory for windows, shared by all threads that decompress.
#[derive(Debug, Default)]
pub struct Windows {
    taken: Mutex<u64>,
    freed: Condvar,
}

impl Windows {
    /// Waits until a window of so many bytes fits.
    fn take(&self, bytes: u64) -> Held<'_> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken > 0 && *taken + bytes > WINDOWS_BYTES_MAX {
            taken = self.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Held { windows: self, bytes }
    }
}

struct Held<'a> {
    windows: &'a Windows,
    bytes: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.windows.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.windows.freed.notify_all();
    }
}

/// Decompresses all of `from`. `to` takes the content piece by piece, with how many compressed bytes
/// were read so far.
///
/// # Errors
/// See [`Error`]; [`Error::Stopped`] where `to` returned `false`.
pub fn unpack(
    kind: Compression,
    from: impl Read,
    windows: &Windows,
    mut to: impl FnMut(&[u8], u64) -> bool,
) -> Result<(), Error> {
    let mut input = Input::new(from);
    let mut piece = vec![0; WRITE_BYTES];
    let mut written = 0;
    let mut hand_on = |bytes: &[u8], read: u64| {
        written += bytes.len() as u64;
        if written > EXPANSION_ANY_BYTES && written / EXPANSION_MAX > read {
            return Err(Error::Bomb { read, written });
        }
        if to(bytes, read) { Ok(()) } else { Err(Error::Stopped) }
    };
    for number in 1.. {
        let start = input.offset;
        let head = input.peek(ZSTD_HEADER_BYTES_MAX)?.to_vec();
        let trailing = Error::Trailing { kind: kind.name(), part: kind.part(), at: start };
        let cut = |end| Error::Cut { kind: kind.name(), part: kind.part(), number, start, end };
        match (kind, head.as_slice()) {
            (_, []) => break,
            // What a tape or a disk of blocks fills up with; gzip(1) passes over it too.
            (Compression::Gzip, [0, ..]) if number > 1 => {
                return if input.only_zeros_follow()? { Ok(()) } else { Err(trailing) };
            }
            (Compression::Gzip, [0x1f, 0x8b, ..]) => {
                let mut decoder = flate2::bufread::GzDecoder::new(&mut input);
                let read = |decoder: &mut flate2::bufread::GzDecoder<&mut Input<_>>,
                            piece: &mut [u8]| {
                    let len = decoder.read(piece)?;
                    Ok((len, decoder.get_ref().offset))
                };
                let done = pump(&mut decoder, read, &mut piece, &mut hand_on);
                finish(done, &input, kind, number, start)?;
            }
            (Compression::Zstd, [0x50..=0x5f, 0x2a, 0x4d, 0x18, rest @ ..]) => {
                let Some(size) = rest.first_chunk::<4>() else { return Err(cut(input.end()?)) };
                if !input.skip(8 + u64::from(u32::from_le_bytes(*size)))? {
                    return Err(cut(input.offset));
                }
                // Bytes that are passed over may be many, and nobody else asks for them.
                hand_on(&[], input.offset)?;
            }
            (Compression::Zstd, [0x28, 0xb5, 0x2f, 0xfd, rest @ ..]) => {
                let Some(frame) = Frame::of(rest) else { return Err(cut(input.end()?)) };
                if frame.dictionary > 0 {
                    return Err(Error::Dictionary { id: frame.dictionary, start });
                }
                if frame.window > ZSTD_WINDOW_BYTES_MAX {
                    return Err(Error::Window { window: frame.window, start });
                }
                let _held = windows.take(frame.window);
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(&mut input)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_BYTES_MAX.ilog2())?;
                let read = |decoder: &mut zstd::stream::read::Decoder<'_, &mut Input<_>>,
                            piece: &mut [u8]| {
                    let len = decoder.read(piece)?;
                    Ok((len, decoder.get_ref().offset))
                };
                let done = pump(&mut decoder, read, &mut piece, &mut hand_on);
                drop(decoder);
                finish(done, &input, kind, number, start)?;
            }
            _ => return Err(trailing),
        }
    }
    Ok(())
}

/// What ends the work on a part before its end.
enum Ended {
    Decoder(io::Error),
    Taker(Error),
}

/// Hands on all of a part.
fn pump<D>(
    decoder: &mut D,
    mut read: impl FnMut(&mut D, &mut [u8]) -> io::Result<(usize, u64)>,
    piece: &mut [u8],
    hand_on: &mut impl FnMut(&[u8], u64) -> Result<(), Error>,
) -> Result<(), Ended> {
    loop {
        // Filled up first: decoders give little at a time.
        let mut len = 0;
        let (end, position) = loop {
            let (more, at) = read(decoder, &mut piece[len..]).map_err(Ended::Decoder)?;
            len += more;
            if more == 0 || len == piece.len() {
                break (more == 0, at);
            }
        };
        hand_on(&piece[..len], position).map_err(Ended::Taker)?;
        if end {
            return Ok(());
        }
    }
}

/// Says why a part has no end.
fn finish<R>(
    done: Result<(), Ended>,
    input: &Input<R>,
    kind: Compression,
    number: u64,
    start: u64,
) -> Result<(), Error> {
    let (part, at) = (kind.part(), input.offset);
    match done {
        Ok(()) => Ok(()),
        Err(Ended::Taker(error)) => Err(error),
        Err(Ended::Decoder(error)) if input.failed => Err(error.into()),
        Err(Ended::Decoder(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Error::Cut { kind: kind.name(), part, number, start, end: at })
        }
        Err(Ended::Decoder(error)) => {
            let reason = error.to_string();
            Err(Error::Damaged { kind: kind.name(), part, number, start, at, reason })
        }
    }
}

/// What the header of a zstd frame says (RFC 8878, 3.1.1.1).
struct Frame {
    window: u64,
    dictionary: u32,
}

impl Frame {
    /// Reads what follows the magic number; `None` where it is cut short.
    fn of(head: &[u8]) -> Option<Self> {
        let (&descriptor, mut rest) = head.split_first()?;
        let is_single = descriptor & 0x20 != 0;
        let mut number = |bytes: usize| {
            let (now, later) = rest.split_at_checked(bytes)?;
            rest = later;
            Some(now.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte)))
        };
        let mut window = 0;
        if !is_single {
            let byte = number(1)?;
            let base = 1_u64 << (10 + (byte >> 3));
            window = base + base / 8 * (byte & 7);
        }
        let dictionary = number([0, 1, 2, 4][usize::from(descriptor & 3)])? as u32;
        if is_single {
            // All of it is the window.
            window = number([1, 2, 4, 8][usize::from(descriptor >> 6)])?;
        }
        Some(Self { window, dictionary })
    }
}

/// A reader that knows where it is, and that can look ahead.
struct Input<R> {
    from: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes handed out.
    offset: u64,
    /// Reading failed, rather than decoding.
    failed: bool,
}

impl<R: Read> Input<R> {
    fn new(from: R) -> Self {
        Self { from, buffer: vec![0; READ_BYTES], start: 0, end: 0, offset: 0, failed: false }
    }

    /// The next bytes, fewer at the end.
    fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.end - self.start < len {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.fill()? == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + len)])
    }

    /// Reads on behind what is there.
    fn fill(&mut self) -> io::Result<usize> {
        loop {
            match self.from.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failed = true;
                    return Err(error);
                }
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
            }
        }
    }

    /// Passes over bytes; whether there were so many.
    fn skip(&mut self, mut bytes: u64) -> io::Result<bool> {
        while bytes > 0 {
            let now = self.fill_buf()?.len().min(usize::try_from(bytes).unwrap_or(usize::MAX));
            if now == 0 {
                return Ok(false);
            }
            self.consume(now);
            bytes -= now as u64;
        }
        Ok(true)
    }

    /// Where the file ends.
    fn end(&mut self) -> io::Result<u64> {
        self.skip(u64::MAX)?;
        Ok(self.offset)
    }

    fn only_zeros_follow(&mut self) -> io::Result<bool> {
        loop {
            let rest = self.fill_buf()?;
            if rest.iter().any(|&byte| byte != 0) {
                return Ok(false);
            }
            match rest.len() {
                0 => return Ok(true),
                len => self.consume(len),
            }
        }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.fill_buf()?;
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl<R: Read> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            self.fill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }
}

#[cfg(test)]
#[path = "unpack/tests.rs"]
mod tests;
