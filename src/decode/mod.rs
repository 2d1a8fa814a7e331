//! From bytes to rows with positions: a file per format.
//!
//! - [`csv`]: the strict reader of delimited text.
//! - [`parquet`]: row groups to Arrow batches.
//! - [`Budget`]: what all of them may hold in memory.
//! - [`Table`]: one input, whichever its format, and its rows in tasks.
//!
//! It must not know what a column means.

mod budget;
pub mod csv;
pub mod parquet;
mod table;

pub use budget::{Budget, Charge, Turn};
pub use table::{Column, Error, Rows, Table, Task, Tasks, batch_schema};
