//! From bytes to rows with positions: a file per format.
//!
//! - [`csv`]: the strict reader of delimited text.
//! - [`parquet`]: row groups to Arrow batches.
//! - [`Table`]: one input, whichever its format, and its rows for any number of threads.
//!
//! It must not know what a column means.

pub mod csv;
pub mod parquet;
mod table;

pub use table::{Column, Error, Next, Settled, Table, TableReader, batch_schema};
