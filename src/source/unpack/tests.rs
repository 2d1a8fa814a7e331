use std::io::Write;

use super::*;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 3).unwrap()
}

/// A zstd frame as a stream writes it, which does not know how much follows.
fn zstd_stream(content: &[u8], window_log: u32) -> Vec<u8> {
    let mut to = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    to.window_log(window_log).unwrap();
    to.include_contentsize(false).unwrap();
    to.write_all(content).unwrap();
    to.finish().unwrap()
}

fn skippable(content: &[u8]) -> Vec<u8> {
    let len = (content.len() as u32).to_le_bytes();
    [&[0x53, 0x2a, 0x4d, 0x18], len.as_slice(), content].concat()
}

/// Reads in pieces of odd sizes, so that nothing depends on where one ends.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.1.min(buffer.len()).min(self.0.len());
        let (now, later) = self.0.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.0 = later;
        Ok(len)
    }
}

fn read(bytes: &[u8], piece: usize) -> Result<Vec<u8>, Error> {
    let kind = Compression::of(bytes).expect("compressed");
    let mut content = Vec::new();
    let mut before = 0;
    unpack(kind, Pieces(bytes, piece), &Windows::default(), |piece, at| {
        assert!(at >= before && at <= bytes.len() as u64);
        before = at;
        content.extend_from_slice(piece);
        true
    })?;
    Ok(content)
}

fn noise(len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    (0..len).map(|_| rng.alphanumeric() as u8).collect()
}

#[test]
fn parts_that_follow_one_another_are_one_text() {
    let (a, b) = (noise(300_000), noise(10));
    let all = [a.as_slice(), &b].concat();
    let cases = [
        [gzip(&a), gzip(&b)].concat(),
        [gzip(b""), gzip(&a), gzip(b""), gzip(&b), vec![0; 1000]].concat(),
        [zstd(&a), zstd(&b)].concat(),
        [skippable(b"index"), zstd(&a), skippable(b""), zstd(b""), zstd_stream(&b, 20)].concat(),
    ];
    for bytes in cases {
        for piece in [1, 3, 4096, usize::MAX] {
            assert!(read(&bytes, piece).expect("whole") == all, "{piece}");
        }
    }
}

#[test]
fn every_cut_is_found_but_for_one_between_parts() {
    let content = noise(300);
    for one in [gzip(&content), zstd(&content)] {
        let two = [one.as_slice(), &one].concat();
        for end in 4..two.len() {
            let result = read(&two[..end], 64);
            match result {
                Ok(found) => assert!(end == one.len() && found == content, "{end}"),
                // One byte of a header is no header.
                Err(Error::Trailing { at, .. }) => assert_eq!(at, one.len() as u64),
                Err(Error::Cut { start, end: at, number, .. }) => {
                    let first = end < one.len();
                    assert_eq!((start, number), if first { (0, 1) } else { (one.len() as u64, 2) });
                    assert_eq!(at, end as u64);
                }
                Err(error) => panic!("{end}: {error}"),
            }
        }
    }
}

#[test]
fn damage_is_found_with_its_place() {
    for one in [gzip(&noise(400_000)), zstd_stream(&noise(400_000), 20)] {
        let mut bytes = [one.as_slice(), &one].concat();
        let at = one.len() + one.len() / 2;
        bytes[at] ^= 0x10;
        let kind = Compression::of(&bytes).unwrap().name();
        match read(&bytes, 4096) {
            Err(Error::Damaged { number: 2, start, at, kind: found, .. }) => {
                assert_eq!((start, found), (one.len() as u64, kind));
                assert!(at > start);
            }
            // A zstd stream without a checksum can hold another letter.
            Ok(_) if kind == "zstd" => {}
            other => panic!("{:?}", other.map(|content| content.len())),
        }
    }
}

#[test]
fn what_follows_the_last_part_is_refused() {
    for one in [gzip(b"abc"), zstd(b"abc")] {
        for rest in ["x", "user-1,Oslo\n", "\0\0x"] {
            let error = read(&[one.as_slice(), rest.as_bytes()].concat(), 5).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&format!("at byte {}", one.len())), "{text}");
        }
    }
}

#[test]
fn a_window_is_bounded_and_a_dictionary_is_named() {
    assert_eq!(read(&zstd_stream(b"abc", 27), 9).unwrap(), b"abc");
    let text = read(&zstd_stream(&noise(5000), 28), 9).unwrap_err().to_string();
    assert!(text.contains("window of 256 MiB") && text.contains("--long=27"), "{text}");
    // A descriptor with two bytes of a dictionary's number, a window, the number.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x02, 0x00, 0x34, 0x12, 0x01, 0x00, 0x00];
    let text = read(&frame, 9).unwrap_err().to_string();
    assert!(text.contains("needs the zstd dictionary 4660"), "{text}");
}

#[test]
fn a_few_bytes_do_not_fill_a_disk() {
    let zeros = vec![0; 1 << 20];
    let bomb = zstd(&zeros).repeat(200);
    let text = read(&bomb, 4096).unwrap_err().to_string();
    assert!(text.contains("more than 1000 times"), "{text}");
    // What any file may hold is no bomb, and neither is a table that repeats itself a hundred times.
    assert_eq!(read(&zstd(&zeros).repeat(60), 4096).unwrap().len(), 60 << 20);
    let line = noise(4000).repeat(64);
    let table = zstd(&line).repeat(400);
    assert_eq!(read(&table, 4096).unwrap().len(), 400 * line.len());
}

#[test]
fn whoever_takes_the_bytes_can_stop() {
    let bytes = gzip(&noise(3 << 20));
    let mut pieces = 0;
    let stopped = unpack(Compression::Gzip, bytes.as_slice(), &Windows::default(), |_, _| {
        pieces += 1;
        pieces < 2
    });
    assert!(matches!(stopped, Err(Error::Stopped)));
    assert_eq!(pieces, 2);
}
