//! The encodings of text files, and how decoded text turns back into a file's bytes.
//!
//! The decoder (in `decode`) makes UTF-8 of every encoding. A byte that stands for no
//! character becomes [`escape`]d bytes, which are no UTF-8 either: the strict reader then
//! rejects that very record, and [`TextEncoding::encode`] gives its bytes back.

/// An encoding of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextEncoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-16, the lower byte first.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
    /// ISO-8859-1 to the letter: each byte is the code point of its value.
    Latin1,
    /// Any other of the WHATWG list.
    Other(&'static encoding_rs::Encoding),
}

impl TextEncoding {
    /// The encoding as `encoding_rs` has it; `None` where it has no such one.
    pub fn whatwg(self) -> Option<&'static encoding_rs::Encoding> {
        match self {
            Self::Utf8 => Some(encoding_rs::UTF_8),
            Self::Utf16Le => Some(encoding_rs::UTF_16LE),
            Self::Utf16Be => Some(encoding_rs::UTF_16BE),
            Self::Latin1 => None,
            Self::Other(other) => Some(other),
        }
    }

    /// The encoding of a label: those of the WHATWG's list, in any case. Unlike there,
    /// `latin-1` and `iso-8859-1` mean what they say and not windows-1252.
    pub fn of_label(label: &str) -> Option<Self> {
        let label = label.trim().to_ascii_lowercase();
        if label == "latin-1" {
            return Some(Self::Latin1);
        }
        let found = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())?;
        let names_latin_1 = ["8859", "latin1", "l1", "819", "ir-100"];
        Some(if found == encoding_rs::UTF_8 {
            Self::Utf8
        } else if found == encoding_rs::UTF_16LE {
            Self::Utf16Le
        } else if found == encoding_rs::UTF_16BE {
            Self::Utf16Be
        } else if found == encoding_rs::WINDOWS_1252
            && names_latin_1.iter().any(|name| label.contains(name))
        {
            Self::Latin1
        } else {
            Self::Other(found)
        })
    }

    /// The encoding whose byte order mark stands at the start of a file.
    pub fn of_mark(start: &[u8]) -> Option<Self> {
        [Self::Utf8, Self::Utf16Le, Self::Utf16Be]
            .into_iter()
            .find(|encoding| start.starts_with(encoding.mark()))
    }

    /// Its byte order mark; empty where it has none.
    pub fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => b"\xef\xbb\xbf",
            Self::Utf16Le => b"\xff\xfe",
            Self::Utf16Be => b"\xfe\xff",
            Self::Latin1 | Self::Other(_) => b"",
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Latin1 => "ISO-8859-1",
            Self::Other(encoding) => encoding.name(),
        }
    }

    /// Whether it is UTF-16 in either byte order.
    pub fn is_utf_16(self) -> bool {
        matches!(self, Self::Utf16Le | Self::Utf16Be)
    }

    /// The character of a byte, where a byte is a character: `None` where it is undefined,
    /// which for the windows code pages the WHATWG papers over with control characters.
    pub fn char_of_byte(self, byte: u8) -> Option<char> {
        match self {
            Self::Latin1 => Some(char::from(byte)),
            Self::Utf8 => byte.is_ascii().then(|| char::from(byte)),
            Self::Utf16Le | Self::Utf16Be => None,
            Self::Other(encoding) => {
                let bytes = [byte];
                let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
                let control = matches!(text.chars().next()?, '\u{80}'..='\u{9f}');
                let papered_over = control && encoding.name().starts_with("windows-");
                text.chars().next().filter(|_| !papered_over)
            }
        }
    }

    /// Appends decoded text in this encoding; escaped bytes as the bytes that they were,
    /// and `?` for a character that it does not have.
    pub fn encode(self, text: &[u8], out: &mut Vec<u8>) {
        if self == Self::Utf8 {
            out.extend_from_slice(text);
            return;
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (valid_bytes, cut) = match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.encode_text(text, out);
                    return;
                }
                Err(error) => (error.valid_up_to(), error.error_len().is_none()),
            };
            let (valid, invalid) = rest.split_at(valid_bytes);
            self.encode_text(std::str::from_utf8(valid).unwrap_or_default(), out);
            rest = match *invalid {
                [lead @ 0xf8..=0xfb, low @ 0x80..=0xbf, ..] => {
                    out.push((lead & 3) << 6 | low & 0x3f);
                    &invalid[2..]
                }
                // A part of a character, where a long record was cut.
                _ if cut || invalid.len() == 1 => return,
                _ => {
                    out.push(invalid[0]);
                    &invalid[1..]
                }
            };
        }
    }

    fn encode_text(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Latin1 => out.extend(text.chars().map(|c| u8::try_from(c).unwrap_or(b'?'))),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Other(encoding) => encode_other(encoding, text, out),
        }
    }
}

fn encode_other(encoding: &'static encoding_rs::Encoding, mut text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(text.len());
        out.reserve(room.unwrap_or(text.len()) + 8);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(text, out, true);
        text = &text[read..];
        match result {
            encoding_rs::EncoderResult::InputEmpty => return,
            encoding_rs::EncoderResult::OutputFull => {}
            encoding_rs::EncoderResult::Unmappable(_) => out.push(b'?'),
        }
    }
}

/// A byte that stands for no character, as two bytes that no UTF-8 text has.
pub fn escape(byte: u8) -> [u8; 2] {
    [0xf8 | byte >> 6, 0x80 | byte & 0x3f]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_mean_what_they_say() {
        for (label, name) in [
            ("UTF-8", "UTF-8"),
            ("utf8", "UTF-8"),
            ("latin-1", "ISO-8859-1"),
            ("Latin1", "ISO-8859-1"),
            (" ISO-8859-1 ", "ISO-8859-1"),
            ("l1", "ISO-8859-1"),
            ("windows-1252", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("ascii", "windows-1252"),
            ("utf-16", "UTF-16LE"),
            ("utf-16be", "UTF-16BE"),
            ("iso-8859-15", "ISO-8859-15"),
            ("sjis", "Shift_JIS"),
        ] {
            assert_eq!(
                TextEncoding::of_label(label).map(TextEncoding::name),
                Some(name),
                "{label}"
            );
        }
        for label in ["", "utf-7", "utf-32", "latin-0", "replacement"] {
            assert_eq!(TextEncoding::of_label(label), None, "{label}");
        }
    }

    #[test]
    fn the_holes_of_the_code_pages_are_no_characters() {
        let holes = |label: &str| -> Vec<u8> {
            let encoding = TextEncoding::of_label(label).unwrap();
            (0..=255).filter(|&byte| encoding.char_of_byte(byte).is_none()).collect()
        };
        assert_eq!(holes("windows-1252"), [0x81, 0x8d, 0x8f, 0x90, 0x9d]);
        assert_eq!(holes("windows-1251"), [0x98]);
        assert!(holes("iso-8859-1").is_empty() && holes("iso-8859-2").is_empty());
        assert_eq!(TextEncoding::of_label("cp1252").unwrap().char_of_byte(0x80), Some('€'));
        assert_eq!(TextEncoding::Latin1.char_of_byte(0x80), Some('\u{80}'));
    }

    #[test]
    fn what_an_encoding_lacks_is_a_question_mark() {
        let encoded = |label: &str, text: &str| {
            let mut out = Vec::new();
            TextEncoding::of_label(label).unwrap().encode(text.as_bytes(), &mut out);
            out
        };
        assert_eq!(encoded("windows-1252", "é€𝒳x"), b"\xe9\x80?x");
        assert_eq!(encoded("latin-1", "é€𝒳x"), b"\xe9??x");
        assert_eq!(encoded("utf-16be", "é𝒳"), b"\0\xe9\xd8\x35\xdc\xb3");
        assert_eq!(encoded("shift_jis", "表,🎉"), b"\x95\x5c,?");
    }

    #[test]
    fn escaped_bytes_come_back_and_are_no_text() {
        let all: Vec<u8> = (0..=255).flat_map(escape).collect();
        assert!(all.chunks(2).all(|pair| std::str::from_utf8(pair).is_err()));
        let mut out = Vec::new();
        TextEncoding::Latin1.encode(&[b"\xc3\xa9".as_slice(), &all, b"x"].concat(), &mut out);
        let expected: Vec<u8> = [0xe9_u8].into_iter().chain(0..=255).chain([b'x']).collect();
        assert_eq!(out, expected);
        // What is left of a character or of an escaped byte at a cut is no byte of the file.
        for cut in [b"x\xe2\x82".as_slice(), b"x\xf8"] {
            out.clear();
            TextEncoding::Utf16Le.encode(cut, &mut out);
            assert_eq!(out, b"x\0");
        }
    }
}
