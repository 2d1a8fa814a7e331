//! Why a report can't be written.

use std::{io, path::Path, path::PathBuf};

use parquet::errors::ParquetError;

/// Why a file of the report can't be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be written.
    #[error("cannot write {}: {source}; check the directory's permissions and free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Rows that can't be written as Parquet.
    #[error("cannot write the rejected rows to {}: {source}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        source: ParquetError,
    },
    /// A row of an input that was not declared, or not in that format: a bug of the caller.
    #[error("input {0} was not declared in the format of its rows")]
    Undeclared(u32),
}

impl Error {
    /// Adapts an I/O error, for `map_err`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// Adapts an error of the Parquet writer, for `map_err`.
    pub(super) fn parquet<E: Into<ParquetError>>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_owned();
        move |source| Self::Parquet { path, source: source.into() }
    }
}
