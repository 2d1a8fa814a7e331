//! Arrow IPC, as a file (Feather version 2) and as a stream: the columns, the record batches, and
//! their rows.
//!
//! - `messages` walks over a file and notes where its messages lie, before one is read;
//! - `message` reads one message, whose counts and sizes are checked before they are believed;
//! - `rows` decodes record batches one after the other, with the dictionaries before them, and hands
//!   them out in parts.
//!
//! The `arrow-ipc` crate decodes; its panics become errors.

use std::{io, sync::Arc};

use arrow::datatypes::{DataType, Fields, Schema, SchemaRef};

use super::parquet::{Column, refusal};
use crate::source::CheckedFile;

mod message;
mod messages;
mod rows;

pub use message::{DICTIONARY_BYTES_MAX, MESSAGE_BYTES_MAX};
use messages::Messages;
pub use messages::{MESSAGES_MAX, METADATA_BYTES_MAX};
pub use rows::BatchRows;

/// Why an Arrow file can't be read. The path is the caller's to add.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// Neither an Arrow file nor a stream.
    #[error("this is neither an Arrow file nor an Arrow IPC stream; check the file and its ending")]
    NotArrow,
    /// A file of the format before.
    #[error("this is a Feather file of version 1; write it as version 2, which is Arrow IPC")]
    FeatherOne,
    /// It begins as one and ends too early.
    #[error("the Arrow file is cut short: {what}; copy or export it again")]
    CutShort {
        /// What is missing.
        what: String,
    },
    /// Its schema, its footer or the frame of a message can't be read.
    #[error("the Arrow file can't be read ({what}); export the file again")]
    Malformed {
        /// What was found.
        what: String,
    },
    /// Something that would take too much memory.
    #[error("{what}; write the file with smaller record batches, of 65,536 rows for example")]
    TooLarge {
        /// What is too large, and the most that it may be.
        what: String,
    },
    /// A record batch can't be decoded.
    #[error("record batch {batch} of the Arrow file is broken ({what}); export the file again")]
    Broken {
        /// The record batch, from 0.
        batch: u32,
        /// What was found.
        what: String,
    },
}

/// An open Arrow file, its messages known.
#[derive(Clone, Debug)]
pub struct ArrowFile(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: CheckedFile,
    index: u32,
    columns: Vec<Column>,
    messages: Messages,
}

impl ArrowFile {
    /// Opens a file or a stream, whichever it is. `index` is its place among the inputs.
    ///
    /// # Errors
    /// It is neither, is cut short, or has no schema that can be read.
    pub fn open(file: CheckedFile, index: u32) -> Result<Self, Error> {
        let messages = messages::find(&file)?;
        let columns = messages.schema.fields().iter().enumerate().map(|(index, field)| {
            let data_type = rows::read_type(field);
            let refusal = refusal(&data_type).map(str::to_owned);
            Column { name: field.name().clone(), data_type, index, refusal }
        });
        let columns = columns.collect();
        Ok(Self(Arc::new(Inner { file, index, columns, messages })))
    }

    /// The columns, in the order of the schema.
    pub fn columns(&self) -> &[Column] {
        &self.0.columns
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.0.messages.rows
    }

    /// What is kept of it in memory, about, in bytes.
    pub fn metadata_bytes(&self) -> u64 {
        self.0.messages.memory_bytes()
    }

    /// Reads the rows of a range, from 0. `wanted` are the indices of the columns to decode.
    ///
    /// # Errors
    /// A column can't be read, or its schema holds one name twice.
    pub fn read(&self, wanted: &[usize], rows: std::ops::Range<u64>) -> BatchRows {
        BatchRows::new(self.clone(), wanted, rows)
    }

    fn schema(&self) -> &SchemaRef {
        &self.0.messages.schema
    }
}

/// The schema of some columns.
fn project(schema: &Schema, wanted: &[usize]) -> Schema {
    let fields = schema.fields().iter().enumerate();
    let fields = fields.filter(|(at, _)| wanted.contains(at)).map(|(_, field)| Arc::clone(field));
    Schema::new(fields.collect::<Fields>())
}

/// Whether a type has a dictionary in it whose values are nested.
fn has_nested_values(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(_, values) if values.is_nested())
}
