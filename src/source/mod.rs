//! From what the user named to files that can be read: find, fingerprint, open.
//!
//! - [`find`]: files, globs and directories to a list of inputs with their format.
//! - [`Fingerprint`] and [`CheckedFile`]: what a file holds, and a reader that stops
//!   where it no longer holds that.
//!
//! It must not know what a row is.

mod checked;
mod find;

pub use checked::{Changed, CheckedFile, CheckedReader, Fingerprint};
pub use find::{Error as FindError, Format, Input, find};
