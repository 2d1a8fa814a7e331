//! What a page header says, read without trust.

use std::io::Read;

use parquet::errors::Result;

use super::{thrift, watch::refused};

/// Largest page header. It can hold the smallest and the largest value of the page.
const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Bytes to read at first: enough for nearly every page header.
const HEADER_BYTES_FIRST: u64 = 256;

/// Fields of `PageHeader`, and of the header of each kind of page inside it.
const PAGE_TYPE: i64 = 1;
const UNCOMPRESSED_PAGE_SIZE: i64 = 2;
const COMPRESSED_PAGE_SIZE: i64 = 3;
const DATA_PAGE: i64 = 5;
const DICTIONARY_PAGE: i64 = 7;
const DATA_PAGE_V2: i64 = 8;
const NUM_VALUES: i64 = 1;
/// The value of [`PAGE_TYPE`] for a dictionary.
const TYPE_DICTIONARY: i64 = 2;

/// What a page header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub uncompressed_bytes: u64,
    /// Bytes of its body in the file.
    pub body_bytes: u64,
    pub values: u64,
    pub is_dictionary: bool,
}

/// Reads a page header into `bytes`, and a little more.
pub(super) fn read_page(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<(u64, Page)> {
    loop {
        let before = bytes.len();
        let more = HEADER_BYTES_FIRST.max(before as u64);
        Read::by_ref(from).take(more).read_to_end(bytes)?;
        let mut left = &bytes[..];
        if let Some(page) = Page::parse(&mut left) {
            return Ok(((bytes.len() - left.len()) as u64, page));
        }
        if bytes.len() == before || bytes.len() as u64 >= HEADER_BYTES_MAX {
            return Err(refused("a page header is no sound one"));
        }
    }
}

impl Page {
    /// Reads a page header (Thrift, compact protocol); `None` where its bytes end early.
    pub fn parse(bytes: &mut &[u8]) -> Option<Self> {
        let mut page = Self::default();
        thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| match (id, kind) {
            (UNCOMPRESSED_PAGE_SIZE, thrift::I32) => {
                // The crate refuses what is negative.
                page.uncompressed_bytes = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                Some(true)
            }
            (COMPRESSED_PAGE_SIZE, thrift::I32) => {
                page.body_bytes = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                Some(true)
            }
            (PAGE_TYPE, thrift::I32) => {
                page.is_dictionary = thrift::integer(bytes)? == TYPE_DICTIONARY;
                Some(true)
            }
            (DATA_PAGE | DICTIONARY_PAGE | DATA_PAGE_V2, thrift::STRUCT) => {
                thrift::read_struct(bytes, thrift::DEPTH_MAX, |id, kind, bytes| {
                    let is_count = (id, kind) == (NUM_VALUES, thrift::I32);
                    if is_count {
                        page.values = u64::try_from(thrift::integer(bytes)?).unwrap_or(0);
                    }
                    Some(is_count)
                })?;
                Some(true)
            }
            _ => Some(false),
        })?;
        Some(page)
    }
}
