//! JSON strings, written byte by byte into a reused buffer.

use fearless_simd::{Level, dispatch};

use super::lanes;

/// What a byte needs inside a JSON string: 0 = nothing, `u` = `\u00XX`, else `\` and itself.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The most that a byte becomes in a JSON string.
pub const ESCAPED_BYTES: usize = "\\u0000".len();

/// Appends a text as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if dispatch!(Level::new(), simd => lanes::needs_no_escape(simd, bytes)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut clean = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = ESCAPES[byte as usize];
        if escape == 0 {
            continue;
        }
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + 1;
        if escape == b'u' {
            out.extend_from_slice(b"\\u00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        } else {
            out.extend_from_slice(&[b'\\', escape]);
        }
    }
    out.extend_from_slice(&bytes[clean..]);
    out.push(b'"');
}

/// Writes the bytes of a text as they stand in a JSON string, without quotes; how many they are, or
/// `None` where there is no room for them.
pub fn put_escaped(out: &mut [u8], text: &[u8]) -> Option<usize> {
    let mut len = 0;
    for &byte in text {
        let to: &mut [u8; ESCAPED_BYTES] = out[len..].first_chunk_mut()?;
        len += match ESCAPES[usize::from(byte)] {
            0 => {
                to[0] = byte;
                1
            }
            b'u' => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                *to = [b'\\', b'u', b'0', b'0', digits[0], digits[1]];
                ESCAPED_BYTES
            }
            escape => {
                to[..2].copy_from_slice(&[b'\\', escape]);
                2
            }
        };
    }
    Some(len)
}

/// A text as a JSON string.
pub fn string(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_string(&mut out, text);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_reads_back(text in any::<String>()) {
            let json = super::string(&text);
            prop_assert_eq!(&serde_json::from_slice::<String>(&json).expect("JSON"), &text);
            prop_assert_eq!(&json, &serde_json::to_vec(&text).expect("text"));
            let mut room = vec![0; text.len() * super::ESCAPED_BYTES];
            let len = super::put_escaped(&mut room, text.as_bytes()).expect("room");
            prop_assert_eq!(&room[..len], &json[1..json.len() - 1]);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            super::string("a\u{1}\"\\\n\u{7f}é"),
            "\"a\\u0001\\\"\\\\\\n\u{7f}é\"".as_bytes()
        );
    }
}
