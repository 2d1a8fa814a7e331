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

/// Appends a text as a JSON string, quotes included.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
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
