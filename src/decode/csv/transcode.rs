//! A stream of text in any encoding, read as UTF-8.

use std::io::{ErrorKind, Read, Result};

use encoding_rs::{Decoder, DecoderResult};

use crate::model::{TextEncoding, escape};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// How far back a malformed sequence can reach before the byte at which it is known:
/// `encoding_rs` states at most 4 bytes of it and 3 behind it.
const HISTORY_BYTES: usize = 8;

/// Reads a stream as UTF-8. A byte that stands for no character comes out [`escape`]d:
/// that is no UTF-8, so whoever checks the text finds the place, and U+FFFD is only
/// ever what the source has. UTF-8 itself passes as it is.
///
/// Memory is bounded by a few chunks of 64 KiB.
pub enum Transcoder<R> {
    /// UTF-8.
    Utf8(R),
    /// Anything else.
    Other(Box<Decoded<R>>),
}

/// The state of decoding.
pub struct Decoded<R> {
    read: R,
    scheme: Scheme,
    /// [`HISTORY_BYTES`] that were decoded before, then the bytes in hand.
    raw: Vec<u8>,
    /// Decoded text, handed out up to `text_at`.
    text: Vec<u8>,
    text_at: usize,
    ended: bool,
}

enum Scheme {
    /// A character a byte; those from 128 on.
    Bytes(Box<[Option<char>; 128]>),
    Sequences(Decoder),
}

impl<R: Read> Transcoder<R> {
    /// Reads `read`, which is in `encoding`. A byte order mark becomes that of UTF-8.
    pub fn new(read: R, encoding: TextEncoding) -> Self {
        let table = || {
            let high = std::array::from_fn(|at| encoding.char_of_byte(at as u8 + 128));
            Scheme::Bytes(Box::new(high))
        };
        let scheme = match encoding.whatwg() {
            _ if encoding == TextEncoding::Utf8 => return Self::Utf8(read),
            Some(other) if !other.is_single_byte() => {
                Scheme::Sequences(other.new_decoder_without_bom_handling())
            }
            _ => table(),
        };
        Self::Other(Box::new(Decoded {
            read,
            scheme,
            raw: vec![0; HISTORY_BYTES],
            text: Vec::new(),
            text_at: 0,
            ended: false,
        }))
    }
}

impl<R: Read> Read for Transcoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Utf8(read) => read.read(buffer),
            Self::Other(decoded) => decoded.read(buffer),
        }
    }
}

impl<R: Read> Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.text_at == self.text.len() && !self.ended {
            self.refill()?;
        }
        let left = &self.text[self.text_at..];
        let bytes = left.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&left[..bytes]);
        self.text_at += bytes;
        Ok(bytes)
    }

    fn refill(&mut self) -> Result<()> {
        self.raw.drain(..self.raw.len() - HISTORY_BYTES);
        self.raw.resize(HISTORY_BYTES + CHUNK_BYTES, 0);
        let read = loop {
            match self.read.read(&mut self.raw[HISTORY_BYTES..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        // A failed read must leave no zeros behind as text.
        self.raw.truncate(HISTORY_BYTES + read.as_ref().map_or(0, |&bytes| bytes));
        self.ended = read? == 0;
        self.text.clear();
        self.text_at = 0;
        match &mut self.scheme {
            Scheme::Bytes(high) => decode_bytes(&self.raw[HISTORY_BYTES..], high, &mut self.text),
            Scheme::Sequences(decoder) => {
                decode_sequences(decoder, &self.raw, self.ended, &mut self.text);
            }
        }
        Ok(())
    }
}

fn decode_bytes(mut raw: &[u8], high: &[Option<char>; 128], text: &mut Vec<u8>) {
    while !raw.is_empty() {
        let (ascii, rest) = raw.split_at(encoding_rs::Encoding::ascii_valid_up_to(raw));
        text.extend_from_slice(ascii);
        let stretch = rest.iter().take_while(|byte| !byte.is_ascii()).count();
        for &byte in &rest[..stretch] {
            match high[usize::from(byte - 128)] {
                Some(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                None => text.extend_from_slice(&escape(byte)),
            }
        }
        raw = &rest[stretch..];
    }
}

/// Decodes everything behind the history.
fn decode_sequences(decoder: &mut Decoder, raw: &[u8], last: bool, text: &mut Vec<u8>) {
    let mut at = HISTORY_BYTES;
    // Room is made and zeroed once, not for every byte that is no character.
    let mut filled = text.len();
    loop {
        let rest = &raw[at..];
        let room = decoder.max_utf8_buffer_length_without_replacement(rest.len());
        let end = filled + room.unwrap_or(4 * rest.len()) + 16;
        if text.len() < end {
            text.resize(end, 0);
        }
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(rest, &mut text[filled..end], last);
        filled += written;
        at += read;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bytes, behind) => {
                let end = at.saturating_sub(usize::from(behind));
                let start = end.saturating_sub(usize::from(bytes));
                for escaped in raw[start..end].iter().map(|&byte| escape(byte)) {
                    text.splice(filled.min(text.len())..(filled + 2).min(text.len()), escaped);
                    filled += 2;
                }
            }
        }
    }
    text.truncate(filled);
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::super::tests::Trickle;
    use super::*;

    fn decoded(raw: &[u8], encoding: TextEncoding, sizes: Vec<usize>) -> Vec<u8> {
        let mut text = Vec::new();
        let mut reader = Transcoder::new(Trickle::new(raw, sizes), encoding);
        reader.read_to_end(&mut text).unwrap();
        text
    }

    fn whole(raw: &[u8], label: &str) -> Vec<u8> {
        decoded(raw, TextEncoding::of_label(label).unwrap(), vec![usize::MAX])
    }

    #[test]
    fn what_is_no_character_is_no_text_either() {
        let [a, b] = escape(0x81);
        assert_eq!(
            whole(b"a\x80\x81z", "windows-1252"),
            [b"a\xe2\x82\xac", &[a, b][..], b"z"].concat()
        );
        // A lone surrogate, a real U+FFFD, half of a unit.
        let surrogate = [escape(0xd8), escape(0x00)].concat();
        assert_eq!(
            whole(b"\xd8\x00\0x\xff\xfd\0", "utf-16be"),
            [&surrogate, b"x\xef\xbf\xbd".as_slice(), &escape(0)].concat()
        );
        // A lead byte before an ASCII character: only the former is lost.
        assert_eq!(whole(b"\x81\n", "shift_jis"), [&escape(0x81)[..], b"\n"].concat());
        assert_eq!(whole(b"\xff\xfex\0", "utf-16le"), b"\xef\xbb\xbfx");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 300,
            rng_seed: proptest::test_runner::RngSeed::Fixed(2),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// However the stream is cut, the bytes come back: all of them where a sequence
        /// has one reading. Where several bytes mean one character (in the multi-byte
        /// encodings of the Far East), the text does.
        #[test]
        fn any_bytes_come_back(
            raw in vec(prop_oneof![3 => any::<u8>(), 2 => select(b"\0a,\n\xd8\xdc\x81\x30".to_vec())], 0..60),
            label in select(vec![
                "latin-1", "windows-1252", "windows-1253", "koi8-r", "iso-8859-8", "macintosh",
                "utf-16le", "utf-16be", "shift_jis", "gb18030", "big5", "euc-kr", "euc-jp",
            ]),
            sizes in vec(1..9usize, 1..4),
        ) {
            let encoding = TextEncoding::of_label(label).unwrap();
            let text = whole(&raw, label);
            prop_assert_eq!(&decoded(&raw, encoding, sizes), &text);
            let mut back = Vec::new();
            encoding.encode(&text, &mut back);
            let one_reading = |other: &'static encoding_rs::Encoding| other.is_single_byte();
            if encoding.is_utf_16() || encoding.whatwg().is_none_or(one_reading) {
                prop_assert_eq!(&back, &raw);
            }
            if std::str::from_utf8(&text).is_ok() {
                prop_assert_eq!(whole(&back, label), text);
            }
        }
    }
}
