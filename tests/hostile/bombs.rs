//! Parquet pages that are small in the file and would be gigabytes in memory.

use std::io::Write;

use crate::{
    forge::{self, *},
    watched::Cage,
};

/// A file with one column of ids.
fn ids(codec: i64, encoding: i64, pages: Vec<Page>, rows: i64) -> Vec<u8> {
    forge::file(&[Column::texts("customer_id", codec, encoding, pages)], rows, 1)
}

const GROUP: &str = "row group 0 of the Parquet file is broken";

#[test]
fn the_forge_makes_files_that_are_read() {
    let cage = Cage::new();
    let body = plain(&[b"id1", b"id2", b"id3"]);
    for (name, codec) in [("uncompressed", 0), ("gzip", 2)] {
        let stored = if codec == 2 { gzip(&body) } else { body.clone() };
        let page = data_page(3, PLAIN, body.len() as i64, &stored);
        cage.write("good.parquet", ids(codec, PLAIN, vec![page], 3));
        let ran = cage.run(&["validate", "good.parquet"]);
        assert_eq!(ran.code, 0, "{name}: {}", ran.stderr);
    }
    // Delta texts: `id0` three times.
    let body = [delta_steps(3, 0, 0), delta_steps(3, 3, 0), b"id1id2id3".to_vec()].concat();
    let page = data_page(3, DELTA_BYTES, body.len() as i64, &body);
    cage.write("delta.parquet", ids(0, DELTA_BYTES, vec![page], 3));
    assert_eq!(cage.run(&["validate", "delta.parquet"]).code, 0);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(bytes).expect("compressed");
    to.finish().expect("compressed")
}

#[test]
fn pages_that_go_on_beyond_their_header_are_cut_off() {
    let cage = Cage::new();
    let zeros = vec![0; 16 << 20];
    // Members follow one another: 1 GB.
    let gzip = gzip(&zeros).repeat(64);
    let mut brotli = brotli::CompressorWriter::new(Vec::new(), 4096, 1, 22);
    brotli.write_all(&zeros).expect("compressed");
    let mut frame = lz4_flex::frame::FrameEncoder::new(Vec::new());
    frame.write_all(&zeros).expect("compressed");
    let block = lz4_flex::block::compress(&zeros);
    let sizes = [(zeros.len() as u32).to_be_bytes(), (block.len() as u32).to_be_bytes()].concat();
    for (name, codec, body) in [
        ("snappy", 1, snap::raw::Encoder::new().compress_vec(&zeros).expect("compressed")),
        ("gzip", 2, gzip),
        ("brotli", 4, brotli.into_inner()),
        ("lz4-frame", 5, frame.finish().expect("compressed")),
        ("lz4-hadoop", 5, [&sizes[..], &block].concat()),
        ("zstd", 6, zstd::bulk::compress(&zeros, 1).expect("compressed").repeat(100)),
        ("lz4-raw", 7, block),
    ] {
        for said in [0, 1_000, 24 << 20] {
            let page = data_page(1_000, PLAIN, said, &body);
            let file = ids(codec, PLAIN, vec![page], 1_000);
            cage.refuses(&format!("{name}-{said}.parquet"), file, &[GROUP]);
        }
    }
}

#[test]
fn pages_that_claim_gigabytes_are_refused_before_they_are_read() {
    let cage = Cage::new();
    for (name, codec) in CODECS {
        let page = data_page(1, PLAIN, i64::from(i32::MAX), &[9; 40]);
        let words = [GROUP, "a page of column `customer_id` takes 2147483647 bytes"];
        cage.refuses(&format!("{name}.parquet"), ids(codec, PLAIN, vec![page], 1), &words);
        let page = dictionary_page(i64::from(i32::MAX), 40, &[9; 40]);
        let file = ids(codec, RLE_DICTIONARY, vec![page, data_page(1, 8, 2, &[1, 2])], 1);
        let words = [GROUP, "a dictionary of 2147483647 values"];
        cage.refuses(&format!("{name}-dictionary.parquet"), file, &words);
    }
    // A brotli stream with a window of 1 GB.
    let page = data_page(1, PLAIN, 9, &[0x11, 0x1e, 0, 0, 0, 0, 0]);
    cage.refuses("window.parquet", ids(4, PLAIN, vec![page], 1), &[GROUP, "RFC 7932"]);
}

#[test]
fn texts_that_are_what_differs_from_the_last_are_counted_first() {
    let cage = Cage::new();
    let rows = 100_000_u64;
    let long = vec![b'x'; 1 << 20];
    // The first is 1 MB, every other one the same again: all of what stands before, and
    // nothing more. The steps of the second list are one down, and then none.
    let first = 1 << 20;
    let block = rows.next_multiple_of(128);
    let width = 21;
    let mut steps = vec![0_u8; block as usize / 8 * width];
    for bit in (1..block as usize).map(|at| at * width + width - 1) {
        steps[bit / 8] |= 1 << (bit % 8);
    }
    let head = [varint(block), varint(1), varint(rows), zigzag(first), zigzag(-first)];
    let suffixes = [head.concat(), vec![width as u8], steps].concat();
    let body = [delta_steps(rows, first, 0), suffixes, long].concat();
    let zipped = zstd::bulk::compress(&body, 1).expect("compressed");
    assert!(zipped.len() < 200_000, "{}", zipped.len());
    let page = data_page(rows as i64, DELTA_BYTES, body.len() as i64, &zipped);
    let words = [GROUP, "the pages of one batch of rows take"];
    cage.refuses("texts.parquet", ids(6, DELTA_BYTES, vec![page], rows as i64), &words);

    // Lengths that no bytes stand for.
    for (name, encoding) in [("lengths", DELTA_LENGTH), ("prefixes", DELTA_BYTES)] {
        for (at, count) in [1 << 31, 1 << 40, u64::MAX >> 1].into_iter().enumerate() {
            let body = [delta_steps(count, 0, 0), delta_steps(count, 0, 0)].concat();
            let page = data_page(1_000, encoding, body.len() as i64, &body);
            let file = ids(0, encoding, vec![page], 1_000);
            cage.refuses(&format!("{name}-{at}.parquet"), file, &[GROUP]);
        }
        let count = i64::from(i32::MAX);
        let body = [delta_steps(count as u64, 0, 0), delta_steps(count as u64, 0, 0)].concat();
        let page = data_page(count, encoding, body.len() as i64, &body);
        let file = ids(0, encoding, vec![page], 1_000);
        cage.refuses(&format!("{name}-all.parquet"), file, &[GROUP]);
    }
}

#[test]
fn long_texts_of_a_dictionary_are_not_multiplied_in_memory() {
    let cage = Cage::new();
    let rows = 200;
    // One text with nothing but characters that JSON writes as six bytes.
    let body = plain(&[&vec![1; 600_000]]);
    let zipped = zstd::bulk::compress(&body, 1).expect("compressed");
    let dictionary = dictionary_page(1, body.len() as i64, &zipped);
    // Indices of one bit: a run of zeros.
    let indices = [&[1][..], &varint(rows << 1), &[0]].concat();
    let zipped = zstd::bulk::compress(&indices, 1).expect("compressed");
    let data = data_page(rows as i64, RLE_DICTIONARY, indices.len() as i64, &zipped);
    let id = plain(&[b"id1"]).repeat(rows as usize);
    let zipped = zstd::bulk::compress(&id, 1).expect("compressed");
    let ids = data_page(rows as i64, PLAIN, id.len() as i64, &zipped);
    let mut columns = vec![Column::texts("customer_id", 6, PLAIN, vec![ids])];
    columns.push(Column::texts("text", 6, RLE_DICTIONARY, vec![dictionary, data]));
    cage.write("repeated.parquet", forge::file(&columns, rows as i64, 2));
    for threads in ["2", "64"] {
        let ran = cage.run(&["validate", "repeated.parquet", "--threads", threads]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
    }
}

#[test]
fn a_row_whose_list_is_gigabytes_is_refused() {
    let cage = Cage::new();
    let items = 5_000_u64;
    let body = plain(&[&vec![b'x'; 1 << 20]]);
    let zipped = zstd::bulk::compress(&body, 1).expect("compressed");
    let dictionary = dictionary_page(1, body.len() as i64, &zipped);
    // Levels: the first item starts the row, the others go on; all are there.
    let repetition = [varint(1 << 1), vec![0], varint((items - 1) << 1), vec![1]].concat();
    let definition = [varint(items << 1), vec![1]].concat();
    let with_len = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes()[..], bytes].concat();
    let indices = [&[1][..], &varint(items << 1), &[0]].concat();
    let data = [with_len(&repetition), with_len(&definition), indices].concat();
    let zipped = zstd::bulk::compress(&data, 1).expect("compressed");
    let data = data_page(items as i64, RLE_DICTIONARY, data.len() as i64, &zipped);
    let id = plain(&[b"id1"]);
    let ids = data_page(1, PLAIN, id.len() as i64, &id);
    let list =
        Column { list: true, ..Column::texts("list", 6, RLE_DICTIONARY, vec![dictionary, data]) };
    let columns = [Column::texts("customer_id", 0, PLAIN, vec![ids]), list];
    let file = forge::file(&columns, 1, 1);
    cage.refuses("list.parquet", file, &[GROUP, "a row takes", "the most is"]);
}

#[test]
fn threads_do_not_multiply_large_pages() {
    let cage = Cage::new();
    // Dictionaries of 24 MB in three columns: 72 MB a row group, of which a row shows two
    // bytes.
    let rows = 100;
    let mut texts: Vec<&[u8]> = vec![b"ab"];
    let long = vec![b'v'; 1 << 20];
    texts.extend(vec![&long[..]; 24]);
    let body = plain(&texts);
    let zipped = zstd::bulk::compress(&body, 1).expect("compressed");
    let dictionary = dictionary_page(texts.len() as i64, body.len() as i64, &zipped);
    let indices = [&[5][..], &varint(rows << 1), &[0]].concat();
    let zipped = zstd::bulk::compress(&indices, 1).expect("compressed");
    let data = data_page(rows as i64, RLE_DICTIONARY, indices.len() as i64, &zipped);
    let columns = ["customer_id", "a", "b"]
        .map(|name| Column::texts(name, 6, RLE_DICTIONARY, vec![dictionary.clone(), data.clone()]));
    cage.write("wide.parquet", forge::file(&columns, rows as i64, 12));
    for threads in ["4", "200"] {
        let ran = cage.run(&["validate", "wide.parquet", "--threads", threads]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let cage = Cage::new();
    let body = plain(&[b"id1"]);
    let len = body.len() as i64;
    let header = |fields: Thrift| [fields.end(), body.clone()].concat();
    let inner = |values: i64| Thrift::default().i32(1, values).i32(2, 0).i32(3, 3).i32(4, 3);
    let start = || Thrift::default().i32(1, 0).i32(2, len).i32(3, len);
    let huge = varint(1 << 40);
    for (name, page) in [
        // Two kinds of page in one: which count is it?
        ("twice", header(start().inner(5, inner(i64::from(i32::MAX))).inner(7, inner(1)))),
        // The size as another type, which a lax reader takes.
        ("type", header(Thrift::default().i32(1, 0).i32(2, len).i64(3, len).inner(5, inner(1)))),
        ("sizes", header(start().i32(3, 1 << 30).inner(5, inner(1)))),
        ("negative", header(start().i32(2, -1).inner(5, inner(1)))),
        ("unknown", header(Thrift::default().i32(1, 99).i32(2, len).i32(3, len))),
        ("statistics", [&start().end()[..0], &[8], &zigzag(9), &huge].concat()),
        ("list", [&[9][..], &zigzag(9), &[0xf5], &huge].concat()),
        ("deep", vec![0x1c; 100_000]),
        ("empty", vec![]),
    ] {
        let file = ids(0, PLAIN, vec![page], 1);
        cage.refuses(&format!("{name}.parquet"), file, &[GROUP]);
    }
    // Levels longer than the page, in the second version of pages.
    for levels in [100, i64::from(i32::MAX)] {
        let inner = Thrift::default().i32(1, 1).i32(2, 0).i32(3, 1).i32(4, 0).i32(5, levels);
        let page = page(3, len, 8, inner.i32(6, levels).flag(7, false), &body);
        cage.refuses("levels.parquet", ids(0, PLAIN, vec![page], 1), &[GROUP]);
    }
    // Fixed values of 2 GB: no column can be read as an id.
    let column = Column {
        physical: FIXED,
        type_length: i64::from(i32::MAX),
        text: false,
        ..Column::texts("customer_id", 0, PLAIN, vec![data_page(1, PLAIN, len, &body)])
    };
    cage.write("fixed.parquet", forge::file(&[column], 1, 1));
    let ran = cage.run(&["validate", "fixed.parquet"]);
    assert!([2, 4].contains(&ran.code), "{}", ran.stderr);
}
