//! What a run leaves for people and scripts: the summary as text, JSON and a page, the
//! rejected rows to mend and import again, and the bytes that are no records.
//!
//! The parts: `text`, `json` and `html` (one [`Summary`](crate::model::Summary) each), `rejects`
//! (with `csv_rows`, `json_rows` and `parquet_rows` for the kinds of source), `damaged`,
//! `message` (why a row was rejected, in words), `diagnostic` (a mistake in its place), `staged`
//! (how a file appears in a run directory). The room must not know how rows are read or checked:
//! it gets problems with their positions, and rows as they stood in the file.
//!
//! Every file here appears whole or not at all, is 0600, and replaces the one of an
//! earlier run; where there is nothing to say, the earlier one is removed. Rejects that were
//! edited meanwhile are set aside instead (`written`).

mod csv_rows;
mod damaged;
mod diagnostic;
mod error;
mod html;
mod json;
mod json_rows;
mod message;
mod parquet_rows;
mod parquet_types;
mod rejects;
mod staged;
mod text;
mod written;

pub use csv_rows::SourceDialect;
pub use damaged::{DAMAGED_FILE, DamagedWriter};
pub use diagnostic::{Look, render};
pub use error::Error;
pub use html::{PAGE_FILE, to_html, write_html};
pub use json::{REPORT_FILE, to_json, write_json, write_text};
pub use message::{codes, message};
pub use rejects::{RejectsFile, RejectsWriter, SourceFormat};
pub use text::{Next, to_text};
pub use written::{Edited, WRITTEN_FILE};
