//! How much memory pages of the delta encodings take, told before they are decoded.
//!
//! Their headers count values that no bytes stand for, and in `DELTA_BYTE_ARRAY` a text is
//! what differs from the one before: a few bytes can be any number of long texts.

use std::collections::VecDeque;

use super::thrift;

/// How many values a page of either encoding says that it has; `None` where it is no such
/// page. The lengths of all of them are set aside before the first is read.
pub(super) fn count(bytes: &[u8]) -> Option<u64> {
    Some(Ints::new(bytes)?.left)
}

/// The most text in any `together` values of a `DELTA_BYTE_ARRAY` page that follow each
/// other; `None` where the bytes are no such page.
pub(super) fn text_bytes_max(bytes: &[u8], together: usize) -> Option<u64> {
    let mut prefixes = Ints::new(bytes)?;
    let count = prefixes.left;
    while prefixes.left > 0 {
        prefixes.next()?;
    }
    let mut suffixes = Ints::new(prefixes.bytes)?;
    if suffixes.left != count {
        return None;
    }
    let mut prefixes = Ints::new(bytes)?;
    let (mut last, mut sum, mut most) = (0, 0_u64, 0);
    let mut window = VecDeque::new();
    for _ in 0..count {
        let (prefix, suffix) = (prefixes.next()?, suffixes.next()?);
        let (prefix, suffix) = (u64::try_from(prefix).ok()?, u64::try_from(suffix).ok()?);
        if suffix > bytes.len() as u64 {
            return None;
        }
        last = prefix.min(last) + suffix;
        sum = sum.saturating_add(last);
        if (together as u64) < count {
            window.push_back(last);
            if window.len() > together {
                sum -= window.pop_front().unwrap_or(0);
            }
        }
        most = most.max(sum);
    }
    Some(most)
}

/// 32-bit integers as `DELTA_BINARY_PACKED`, read one by one.
struct Ints<'a> {
    bytes: &'a [u8],
    mini_blocks: usize,
    mini_block_values: usize,
    /// Values to come.
    left: u64,
    first: bool,
    value: i32,
    min_delta: i32,
    /// Bit widths of the block's mini blocks that are to come.
    widths: &'a [u8],
    /// The mini block under way: its packed bytes, its bit width, and the values read of it.
    packed: &'a [u8],
    width: usize,
    at: usize,
}

impl<'a> Ints<'a> {
    fn new(mut bytes: &'a [u8]) -> Option<Self> {
        let block_values = thrift::varint(&mut bytes)?;
        let mini_blocks = thrift::varint(&mut bytes)?;
        let left = thrift::varint(&mut bytes)?;
        let value = thrift::integer(&mut bytes)? as i32;
        let mini_block_values = block_values.checked_div(mini_blocks)?;
        if block_values % 128 != 0 || block_values % mini_blocks != 0 || mini_block_values % 32 != 0
        {
            return None;
        }
        Some(Self {
            bytes,
            mini_blocks: usize::try_from(mini_blocks).ok()?,
            mini_block_values: usize::try_from(mini_block_values).ok()?,
            left,
            first: true,
            value,
            min_delta: 0,
            widths: &[],
            packed: &[],
            width: 0,
            at: usize::MAX,
        })
    }

    fn next(&mut self) -> Option<i32> {
        if self.left == 0 {
            return None;
        }
        if std::mem::take(&mut self.first) {
            self.left -= 1;
            return Some(self.value);
        }
        if self.at >= self.mini_block_values {
            self.next_mini_block()?;
        }
        let delta = bits(self.packed, self.at * self.width, self.width) as i32;
        self.at += 1;
        self.left -= 1;
        self.value = self.value.wrapping_add(self.min_delta).wrapping_add(delta);
        Some(self.value)
    }

    fn next_mini_block(&mut self) -> Option<()> {
        if self.widths.is_empty() {
            self.min_delta = thrift::integer(&mut self.bytes)? as i32;
            self.widths = self.bytes.split_off(..self.mini_blocks)?;
        }
        self.width = usize::from(*self.widths.split_off_first()?);
        if self.width > 32 {
            return None;
        }
        let bytes = self.width.checked_mul(self.mini_block_values)? / 8;
        // The last mini block of all may be cut behind its last value.
        let needed =
            (self.left.min(self.mini_block_values as u64) as usize * self.width).div_ceil(8);
        if self.bytes.len() < needed {
            return None;
        }
        self.packed = self.bytes.split_off(..bytes.min(self.bytes.len()))?;
        self.at = 0;
        Some(())
    }
}

/// `width` bits from a bit on, the lowest first.
fn bits(bytes: &[u8], at: usize, width: usize) -> u32 {
    let mut value = 0_u64;
    for (shift, &byte) in bytes.iter().skip(at / 8).take(5).enumerate() {
        value |= u64::from(byte) << (8 * shift);
    }
    (value >> (at % 8) & ((1 << width) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of integers as one block with two mini blocks of 64, all of one bit width.
    fn packed(values: &[i32], width: usize) -> Vec<u8> {
        let varint = |mut value: u64| {
            let mut bytes = Vec::new();
            while value > 127 {
                bytes.push(value as u8 | 128);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let zigzag = |value: i32| varint((i64::from(value) << 1 ^ i64::from(value) >> 63) as u64);
        let first = values.first().copied().unwrap_or(0);
        let mut bytes =
            [varint(128), varint(2), varint(values.len() as u64), zigzag(first)].concat();
        let deltas: Vec<i32> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for block in deltas.chunks(128) {
            let least = block.iter().copied().min().unwrap_or(0);
            bytes.extend(zigzag(least));
            bytes.extend([width as u8; 2]);
            for mini in block.chunks(64) {
                let mut out = vec![0_u8; 64 * width / 8];
                for (at, delta) in mini.iter().enumerate() {
                    let value = (delta - least) as u32;
                    for bit in (0..width).filter(|bit| value >> bit & 1 == 1) {
                        out[(at * width + bit) / 8] |= 1 << ((at * width + bit) % 8);
                    }
                }
                bytes.extend(out);
            }
        }
        bytes
    }

    #[test]
    fn integers_come_out_as_they_were_packed() {
        for (count, width) in [(0, 1), (1, 1), (2, 7), (128, 9), (129, 9), (300, 11), (193, 31)] {
            let values: Vec<i32> = (0..count).map(|n| (n * 37 % 64) - 9).collect();
            let mut bytes = packed(&values, width);
            bytes.extend(b"rest");
            let mut ints = Ints::new(&bytes).expect("a header");
            assert_eq!(ints.left, count as u64);
            let found: Vec<i32> = (0..count).map(|_| ints.next().expect("a value")).collect();
            assert_eq!((found, ints.next()), (values, None), "{count} {width}");
            // No mini block behind the last value has bytes, nor is one passed over.
            assert_eq!(ints.bytes, b"rest", "{count} {width}");
        }
    }

    #[test]
    fn texts_are_as_long_as_they_would_be() {
        let (prefixes, suffixes) = ([0, 10, 10, 4, 99], [10, 0, 5, 0, 0]);
        let page = [packed(&prefixes, 8), packed(&suffixes, 8), vec![b'x'; 15]].concat();
        assert_eq!(count(&page), Some(5));
        // Lengths: 10, 10, 15, 4, 4.
        for (together, most) in [(1, 15), (2, 25), (3, 35), (4, 39), (5, 43), (usize::MAX, 43)] {
            assert_eq!(text_bytes_max(&page, together), Some(most), "{together}");
        }
        let negative = [packed(&[0, -1], 8), packed(&[1, 1], 8)].concat();
        assert_eq!(text_bytes_max(&negative, 9), None);
        let uneven = [packed(&[0, 0], 8), packed(&[1], 8)].concat();
        assert_eq!(text_bytes_max(&uneven, 9), None);
        assert_eq!(text_bytes_max(&page[..9], 9), None);
    }
}
