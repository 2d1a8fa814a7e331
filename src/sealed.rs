//! Lines that tell whether they are whole: a checksum, a space, JSON, a line feed.

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// Hex digits of the checksum.
const CHECKSUM_LEN: usize = 16;

/// Appends a value to `out` as one line.
///
/// # Errors
/// Where the value can't be JSON.
pub fn push_line(out: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    let json = serde_json::to_vec(value)?;
    out.extend_from_slice(format!("{:016x} ", xxh3_64(&json)).as_bytes());
    out.extend_from_slice(&json);
    out.push(b'\n');
    Ok(())
}

/// The JSON of a line; `None` where the line is not whole.
pub fn line_json(line: &[u8]) -> Option<&[u8]> {
    let (checksum, rest) = line.strip_suffix(b"\n")?.split_at_checked(CHECKSUM_LEN)?;
    let json = rest.strip_prefix(b" ")?;
    (format!("{:016x}", xxh3_64(json)).as_bytes() == checksum).then_some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_whole_or_nothing() {
        let mut line = Vec::new();
        push_line(&mut line, &"value").expect("JSON");
        assert_eq!(line_json(&line), Some(&b"\"value\""[..]));
        for len in 0..line.len() {
            assert!(line_json(&line[..len]).is_none());
        }
        line[20] ^= 1;
        assert!(line_json(&line).is_none());
    }
}
