//! JSON strings, written byte by byte into a reused buffer.

use wide::u8x16;

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

/// Appends a text as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    if push_plain(out, bytes, 0, bytes.len()) {
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

/// Bytes that are looked at and copied at a time.
const CHUNK_BYTES: usize = 16;

/// Appends a part of `bytes` as it stands, where nothing in it needs an escape; whether it
/// did. What lies behind the part makes it faster, and is not written.
pub fn push_plain(out: &mut Vec<u8>, bytes: &[u8], start: usize, len: usize) -> bool {
    let before = out.len();
    let mut done = 0;
    while done < len {
        let left = len - done;
        let rest = &bytes[start + done..];
        let mut padded = [b' '; CHUNK_BYTES];
        let chunk = match rest.first_chunk() {
            Some(chunk) => chunk,
            None => {
                padded[..rest.len()].copy_from_slice(rest);
                &padded
            }
        };
        let mut escapes = escape_bits(chunk);
        if left < CHUNK_BYTES {
            escapes &= (1 << left) - 1;
        }
        if escapes != 0 {
            out.truncate(before);
            return false;
        }
        out.extend_from_slice(chunk);
        done += CHUNK_BYTES;
    }
    out.truncate(before + len);
    true
}

/// The bytes that need an escape in a JSON string, as bits, the first byte the lowest.
#[inline]
pub fn escape_bits(chunk: &[u8; CHUNK_BYTES]) -> u32 {
    let bytes = u8x16::new(*chunk);
    let last_control = u8x16::splat(0x1f);
    let controls = bytes.max(last_control).simd_eq(last_control);
    let quotes = bytes.simd_eq(u8x16::splat(b'"'));
    let backslashes = bytes.simd_eq(u8x16::splat(b'\\'));
    (controls | quotes | backslashes).to_bitmask()
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
            prop_assert_eq!(json, serde_json::to_vec(&text).expect("text"));
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
