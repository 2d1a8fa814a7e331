//! From bytes to rows with positions: a file per format.
//!
//! - [`arrow_ipc`]: record batches of Arrow files and streams.
//! - [`csv`]: the strict reader of delimited text.
//! - [`ndjson`]: one JSON object a line.
//! - [`parquet`]: row groups to Arrow batches.
//! - [`Table`]: one input, whichever its format, and its rows for any number of threads.
//!
//! It must not know what a column means.

pub mod arrow_ipc;
pub mod csv;
pub mod ndjson;
pub mod parquet;
mod table;
mod uuid;

pub use table::{Column, Cut, Error, Next, Scanned, Settled, Table, TableReader, batch_schema};
