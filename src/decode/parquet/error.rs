//! Why a Parquet file can't be read.

use std::{any::Any, fmt};

/// Why a Parquet file can't be read. The path is the caller's to add.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The magic is missing at both ends.
    #[error("this is not a Parquet file; check the file and its ending")]
    NotParquet,
    /// It begins as one and does not end as one.
    #[error(
        "the Parquet file is cut short: its footer is missing or incomplete; copy or export it again"
    )]
    CutShort,
    /// The footer, or columns under a plain footer, are encrypted.
    #[error("the Parquet file is encrypted; write it without Parquet encryption")]
    Encrypted,
    /// The footer can't be parsed or contradicts itself.
    #[error("the footer of the Parquet file can't be read ({what}); export the file again")]
    Footer {
        /// What was found.
        what: String,
    },
    /// Two top-level columns of one name.
    #[error("columns {first} and {second} are both named `{name}`; rename one of them")]
    DuplicateName {
        /// The name.
        name: String,
        /// The first column of that name, from 1.
        first: usize,
        /// The second, from 1.
        second: usize,
    },
    /// A column is compressed in a way that is not supported.
    #[error(
        "column `{column}` is compressed with {codec}, which is not supported; write the file with zstd, snappy, gzip, lz4, brotli or no compression"
    )]
    Codec {
        /// Dotted path of the column.
        column: String,
        /// The codec's name.
        codec: String,
    },
    /// A row group can't be decoded.
    #[error("row group {row_group} of the Parquet file is broken ({what}); export the file again")]
    Broken {
        /// The row group, from 0.
        row_group: usize,
        /// What was found.
        what: String,
    },
}

/// The crate's words without the names of its layers.
pub(super) fn words(error: impl fmt::Display) -> String {
    let text = error.to_string();
    let mut rest = text.as_str();
    while let Some(inner) = ["Parquet argument error: ", "Parquet error: ", "External: "]
        .iter()
        .find_map(|layer| rest.strip_prefix(layer))
    {
        rest = inner;
    }
    rest.to_owned()
}

/// What a panic inside the crate said.
pub(super) fn panic_words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words =
        words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("its decoder gave up: {words}")
}
