//! Decompression of a page: to the size that its header says, and not a byte further.
//!
//! The crate's own codecs for gzip, brotli and LZ4 frames go on until the input ends,
//! which a few bytes can put off for gigabytes.

use std::io::{ErrorKind, Read};

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

/// Decompresses `input` to `output`, all of it.
pub(super) fn decompress(codec: Compression, input: &[u8], output: &mut [u8]) -> Result<()> {
    let done = match codec {
        Compression::SNAPPY => snappy(input, output),
        Compression::GZIP(_) => limited(flate2::read::MultiGzDecoder::new(input), output),
        Compression::BROTLI(_) => match input.first() {
            Some(first) if first & 0x7f == BROTLI_LARGE_WINDOW => {
                Err("no brotli of RFC 7932".into())
            }
            _ => limited(brotli::Decompressor::new(input, 4096), output),
        },
        Compression::ZSTD(_) => zstd(input, output),
        Compression::LZ4_RAW => lz4_raw(input, output),
        Compression::LZ4 => lz4(input, output),
        other => Err(format!("codec {other} is not supported")),
    };
    done.map_err(|what| ParquetError::General(format!("a page can't be decompressed: {what}")))
}

/// What is wrong with a page that comes out at another size.
fn other_size(which: &str, bytes: usize) -> String {
    format!("it has {which} than the {bytes} bytes that its header says")
}

/// Whether as many bytes were found as there should be.
fn whole(found: usize, bytes: usize) -> Result<(), String> {
    if found == bytes { Ok(()) } else { Err(other_size("less", bytes)) }
}

/// Reads a decompressor to its end, which is where the output ends.
fn limited(mut from: impl Read, output: &mut [u8]) -> Result<(), String> {
    let bytes = output.len();
    let mut found = 0;
    loop {
        // One byte beyond the limit tells that there are more.
        let mut beyond = [0];
        let room = if found < bytes { &mut output[found..] } else { &mut beyond };
        match from.read(room) {
            Ok(0) => return whole(found, bytes),
            Ok(_) if found == bytes => return Err(other_size("more", bytes)),
            Ok(more) => found += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn snappy(input: &[u8], output: &mut [u8]) -> Result<(), String> {
    let said = snap::raw::decompress_len(input).map_err(|error| error.to_string())?;
    if said != output.len() {
        return Err(format!("it says {said} bytes and its header {}", output.len()));
    }
    let mut decoder = snap::raw::Decoder::new();
    let found = decoder.decompress(input, output).map_err(|error| error.to_string())?;
    whole(found, output.len())
}

fn zstd(input: &[u8], output: &mut [u8]) -> Result<(), String> {
    let found =
        zstd::bulk::decompress_to_buffer(input, output).map_err(|error| error.to_string())?;
    whole(found, output.len())
}

fn lz4_raw(input: &[u8], output: &mut [u8]) -> Result<(), String> {
    let found =
        lz4_flex::block::decompress_into(input, output).map_err(|error| error.to_string())?;
    whole(found, output.len())
}

/// The codec that Parquet calls LZ4 has three framings in the wild: Hadoop's, which is the
/// usual one, LZ4 frames, and none. The first that fits is it.
fn lz4(input: &[u8], output: &mut [u8]) -> Result<(), String> {
    lz4_hadoop(input, output)
        .or_else(|_| limited(lz4_flex::frame::FrameDecoder::new(input), output))
        .or_else(|_| lz4_raw(input, output))
}

fn lz4_hadoop(mut input: &[u8], mut output: &mut [u8]) -> Result<(), String> {
    while !input.is_empty() {
        let prefix = input.split_off(..HADOOP_PREFIX_BYTES).ok_or("it is cut short")?;
        let size =
            |at: usize| prefix[at..at + 4].iter().fold(0, |size, &b| size << 8 | usize::from(b));
        let block = input.split_off(..size(4)).ok_or("it is cut short")?;
        let of_block = output.split_off_mut(..size(0));
        let of_block = of_block.ok_or("it has more bytes than its header says")?;
        lz4_raw(block, of_block)?;
    }
    whole(0, output.len())
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
            // What was there before is no part of it.
            let mut output = vec![0xa5; text.len()];
            decompress(codec, &input, &mut output).unwrap();
            assert!(output == text, "{at} {codec}");
            for wrong in [0, 1, text.len() - 1, text.len() + 1] {
                let mut output = vec![0; wrong];
                let error = decompress(codec, &input, &mut output).unwrap_err();
                assert!(error.to_string().contains("a page"), "{at} {codec} {wrong}: {error}");
            }
            for cut in [0, 1, input.len() / 2, input.len() - 5] {
                let mut output = vec![0; text.len()];
                decompress(codec, &input[..cut], &mut output).unwrap_err();
            }
        }
    }

    #[test]
    fn brotli_with_a_large_window_is_refused() {
        let mut output = [0; 9];
        decompress(Compression::BROTLI(Default::default()), &[0x91, 0, 0], &mut output)
            .unwrap_err();
    }
}
