//! From what the user named to files that can be read: find, fingerprint, open.
//!
//! - [`find`]: files, globs and directories to a list of inputs with their format.
//! - [`Remote`]: objects of S3, GCS, Azure and HTTPS servers, read by position too.
//! - [`unpack`]: the content of compressed files, as a stream within bounds.
//! - [`Fingerprint`] and [`CheckedFile`]: what a file holds, and a reader that stops
//!   where it no longer holds that.
//!
//! It must not know what a row is.

mod checked;
mod find;
mod mistaken;
mod remote;
pub mod unpack;

pub use checked::{Changed, CheckedFile, CheckedReader, Fingerprint, Fingerprinter, Place};
pub use find::{
    Error as FindError, Format, Found, Input, Partitions, RUN_FILES, RUNS_DIR, STDIN, STDIN_NAME,
    Unpacking, find, local_files, shown, stem,
};
pub use remote::Remote;
