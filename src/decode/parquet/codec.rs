//! Decompression of a page: to the size that its header says, and not a byte further.
//!
//! The crate's own codecs for gzip, brotli and LZ4 frames go on until the input ends,
//! which a few bytes can put off for gigabytes.

use std::io::Read;

use parquet::{
    basic::Compression,
    errors::{ParquetError, Result},
};

/// What a decompressor takes beside its input and output: brotli's window is the largest.
pub(super) const STATE_BYTES_MAX: u64 = 16 << 20;

/// The first seven bits of brotli's "large window" streams, with up to 1 GB of state.
/// Parquet's brotli is RFC 7932, where they are reserved.
const BROTLI_LARGE_WINDOW: u8 = 0x11;

/// Sizes before and after compression, ahead of each block in Hadoop's framing of LZ4.
const HADOOP_PREFIX_BYTES: usize = 8;

/// Appends the decompressed `input` to `output`: `bytes` bytes exactly.
pub(super) fn decompress(
    codec: Compression,
    input: &[u8],
    output: &mut Vec<u8>,
    bytes: usize,
) -> Result<()> {
    let start = output.len();
    output.reserve_exact(bytes);
    let done = match codec {
        Compression::SNAPPY => snappy(input, output, bytes),
        Compression::GZIP(_) => limited(flate2::read::MultiGzDecoder::new(input), output, bytes),
        Compression::BROTLI(_) => match input.first() {
            Some(first) if first & 0x7f == BROTLI_LARGE_WINDOW => {
                Err("no brotli of RFC 7932".into())
            }
            _ => limited(brotli::Decompressor::new(input, 4096), output, bytes),
        },
        Compression::ZSTD(_) => zstd(input, output, bytes),
        Compression::LZ4_RAW => lz4_raw(input, output, bytes),
        Compression::LZ4 => lz4(input, output, bytes),
        other => Err(format!("codec {other} is not supported")),
    };
    let found = output.len() - start;
    match done {
        Err(what) => Err(ParquetError::General(format!("a page can't be decompressed: {what}"))),
        Ok(()) if found == bytes => Ok(()),
        Ok(()) => {
            let more = if found > bytes { "more" } else { "less" };
            Err(ParquetError::General(format!(
                "a page decompresses to {more} than the {bytes} bytes that its header says"
            )))
        }
    }
}

/// Reads a decompressor to its end, or one byte beyond the limit.
fn limited(from: impl Read, output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    from.take(bytes as u64 + 1).read_to_end(output).map(|_| ()).map_err(|error| error.to_string())
}

fn snappy(input: &[u8], output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let said = snap::raw::decompress_len(input).map_err(|error| error.to_string())?;
    if said != bytes {
        return Err(format!("it says {said} bytes and its header {bytes}"));
    }
    let start = output.len();
    output.resize(start + bytes, 0);
    let mut decoder = snap::raw::Decoder::new();
    decoder.decompress(input, &mut output[start..]).map(|_| ()).map_err(|error| error.to_string())
}

fn zstd(input: &[u8], output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let start = output.len();
    output.resize(start + bytes, 0);
    let found = zstd::bulk::decompress_to_buffer(input, &mut output[start..])
        .map_err(|error| error.to_string())?;
    output.truncate(start + found);
    Ok(())
}

fn lz4_raw(input: &[u8], output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let start = output.len();
    output.resize(start + bytes, 0);
    let found = lz4_flex::block::decompress_into(input, &mut output[start..])
        .map_err(|error| error.to_string())?;
    output.truncate(start + found);
    Ok(())
}

/// The codec that Parquet calls LZ4 has three framings in the wild: Hadoop's, which is the
/// usual one, LZ4 frames, and none. The first that fits is it.
fn lz4(input: &[u8], output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let start = output.len();
    if lz4_hadoop(input, output, bytes).is_ok() {
        return Ok(());
    }
    output.truncate(start);
    if limited(lz4_flex::frame::FrameDecoder::new(input), output, bytes).is_ok() {
        return Ok(());
    }
    output.truncate(start);
    lz4_raw(input, output, bytes)
}

fn lz4_hadoop(mut input: &[u8], output: &mut Vec<u8>, bytes: usize) -> Result<(), String> {
    let end = output.len() + bytes;
    while !input.is_empty() {
        let prefix = input.split_off(..HADOOP_PREFIX_BYTES).ok_or("it is cut short")?;
        let size =
            |at: usize| prefix[at..at + 4].iter().fold(0, |size, &b| size << 8 | usize::from(b));
        let block = input.split_off(..size(4)).ok_or("it is cut short")?;
        if size(0) > end - output.len() {
            return Err("it has more bytes than its header says".to_owned());
        }
        let before = output.len();
        lz4_raw(block, output, size(0))?;
        if output.len() - before != size(0) {
            return Err("a block has another size than it says".to_owned());
        }
    }
    if output.len() == end { Ok(()) } else { Err("it has fewer bytes".to_owned()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A text as every framing writes it.
    fn compressed(text: &[u8]) -> Vec<(Compression, Vec<u8>)> {
        let gzip = |text: &[u8]| {
            let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            to.write_all(text).unwrap();
            to.finish().unwrap()
        };
        let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
        brotli.write_all(text).unwrap();
        let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
        frame.write_all(text).unwrap();
        let block = |text: &[u8]| lz4_flex::block::compress(text);
        let hadoop = |text: &[u8]| {
            let block = block(text);
            [&(text.len() as u32).to_be_bytes()[..], &(block.len() as u32).to_be_bytes(), &block]
                .concat()
        };
        let half = text.len() / 2;
        vec![
            (Compression::SNAPPY, snap::raw::Encoder::new().compress_vec(text).unwrap()),
            (Compression::GZIP(Default::default()), gzip(text)),
            (
                Compression::GZIP(Default::default()),
                [gzip(&text[..half]), gzip(&text[half..])].concat(),
            ),
            (Compression::BROTLI(Default::default()), brotli.into_inner()),
            (Compression::ZSTD(Default::default()), zstd::bulk::compress(text, 1).unwrap()),
            (Compression::LZ4_RAW, block(text)),
            (Compression::LZ4, hadoop(text)),
            (Compression::LZ4, [hadoop(&text[..half]), hadoop(&text[half..])].concat()),
            (Compression::LZ4, frame.finish().unwrap()),
            (Compression::LZ4, block(text)),
        ]
    }

    #[test]
    fn a_page_comes_out_at_its_size_and_at_no_other() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|n| (n / 7 % 251).to_le_bytes()).collect();
        for (at, (codec, input)) in compressed(&text).into_iter().enumerate() {
            let mut output = b"levels".to_vec();
            decompress(codec, &input, &mut output, text.len()).unwrap();
            assert!(output[..6] == *b"levels" && output[6..] == text[..], "{at} {codec}");
            for wrong in [0, 1, text.len() - 1, text.len() + 1] {
                let mut output = Vec::new();
                let error = decompress(codec, &input, &mut output, wrong).unwrap_err();
                assert!(error.to_string().contains("a page"), "{at} {codec} {wrong}: {error}");
                assert!(output.capacity() <= 2 * (wrong + 64), "{at} {codec}");
            }
            for cut in [0, 1, input.len() / 2, input.len() - 5] {
                decompress(codec, &input[..cut], &mut Vec::new(), text.len()).unwrap_err();
            }
        }
    }

    #[test]
    fn brotli_with_a_large_window_is_refused() {
        let mut output = Vec::new();
        decompress(Compression::BROTLI(Default::default()), &[0x91, 0, 0], &mut output, 9)
            .unwrap_err();
    }
}
