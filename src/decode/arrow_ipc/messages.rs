//! Where the messages of a file lie, found by walking over them: of a file by its footer, of a stream
//! one after the other. Only their heads are read.

use std::{io::Read, sync::Arc};

use arrow::datatypes::SchemaRef;
use arrow_ipc::{
    Block, Endianness, MessageHeader, MetadataVersion, convert::try_fb_to_schema,
    root_as_footer_with_opts, root_as_message_with_opts,
};
use flatbuffers::VerifierOptions;

use super::{Error, message::Head};
use crate::source::{CheckedFile, CheckedReader};

/// What stands at both ends of an Arrow file.
const MAGIC: &[u8] = b"ARROW1";

/// Where the first message of a file stands, behind the magic.
const MESSAGES_AT: u64 = 8;

/// What ends a file: the length of its footer, and the magic.
const TRAILER_BYTES: u64 = 10;

/// What stands before a message.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// The most bytes of a footer, a schema or the head of a message.
pub const METADATA_BYTES_MAX: u64 = 32 << 20;

/// The parts that a schema may have, each as often as it is used.
const TABLES_MAX: usize = 1_000_000;

/// The most messages of a file: what is known of each is kept.
pub const MESSAGES_MAX: usize = 1 << 20;

/// The most rows for each byte of a file, and what any file may have: a few bytes can be billions of
/// rows with no value in them.
const ROWS_PER_BYTE_MAX: u64 = 1_024;
const ROWS_ANY: u64 = 1 << 20;

/// What a part of a schema takes in memory, about, for each byte in the file.
const SCHEMA_COPIES: u64 = 4;

/// The messages of a file, in the order in which they are read.
#[derive(Debug)]
pub(super) struct Messages {
    pub(super) schema: SchemaRef,
    pub(super) version: MetadataVersion,
    pub(super) all: Vec<Place>,
    pub(super) rows: u64,
    /// The most rows that the file may have, or one column of a batch values.
    pub(super) rows_max: u64,
    schema_bytes: u64,
}

/// Where one message lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) offset: u64,
    /// Of its head, with what stands before and behind it.
    pub(super) head_bytes: u32,
    pub(super) body_bytes: u64,
    pub(super) what: What,
}

/// What a message is.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// Values for the keys of columns.
    Dictionary {
        /// By which columns name it.
        id: i64,
    },
    /// Rows, and the first of them, from 0.
    Batch {
        /// The first row, from 0.
        first_row: u64,
        /// How many there are.
        rows: u64,
        /// The batch, from 0.
        number: u32,
    },
}

impl Messages {
    pub(super) fn memory_bytes(&self) -> u64 {
        (self.all.capacity() * size_of::<Place>()) as u64 + SCHEMA_COPIES * self.schema_bytes
    }

    /// Adds a message of either kind.
    fn push(&mut self, offset: u64, head: &Head) -> Result<(), Error> {
        if self.all.len() == MESSAGES_MAX {
            return Err(Error::TooLarge {
                what: format!("the Arrow file has more than {MESSAGES_MAX} record batches"),
            });
        }
        let message = head.message()?;
        if message.version() != self.version {
            return Err(malformed("its messages are of two versions"));
        }
        let what = match message.header_type() {
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                let dictionary = dictionary.ok_or_else(|| malformed("a dictionary has no head"))?;
                What::Dictionary { id: dictionary.id() }
            }
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch();
                let batch = batch.ok_or_else(|| malformed("a record batch has no head"))?;
                let number = self.batches() as u32;
                let claimed = batch.length();
                let rows = u64::try_from(claimed).unwrap_or(u64::MAX);
                let first_row = self.rows;
                self.rows = first_row.saturating_add(rows);
                if self.rows > self.rows_max {
                    let what = format!("it claims {claimed} rows, too many for the file's size");
                    return Err(Error::Broken { batch: number, what });
                }
                What::Batch { first_row, rows, number }
            }
            other => {
                let name = other.variant_name().unwrap_or("another kind");
                return Err(malformed(format!("a message is of kind {name}")));
            }
        };
        let (head_bytes, body_bytes) = (head.bytes(), head.body_bytes()?);
        self.all.push(Place { offset, head_bytes, body_bytes, what });
        Ok(())
    }

    fn batches(&self) -> usize {
        // The last batch has the highest number.
        let number = self.all.iter().rev().find_map(|place| match place.what {
            What::Batch { number, .. } => Some(number as usize + 1),
            What::Dictionary { .. } => None,
        });
        number.unwrap_or(0)
    }
}

pub(super) fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { what: what.into() }
}

/// What a verifier says of a part; the way to where it says so is left out.
pub(super) fn unsound(part: &str, error: &flatbuffers::InvalidFlatbuffer) -> String {
    let words = error.to_string();
    format!("{part} is none: {}", words.lines().next().unwrap_or_default())
}

fn cut_short(what: impl Into<String>) -> Error {
    Error::CutShort { what: what.into() }
}

/// Limits on what a schema or a head may hold.
pub(super) fn limits() -> VerifierOptions {
    VerifierOptions {
        max_tables: TABLES_MAX,
        max_apparent_size: METADATA_BYTES_MAX as usize,
        ..VerifierOptions::default()
    }
}

/// Finds the messages of a file or a stream.
pub(super) fn find(file: &CheckedFile) -> Result<Messages, Error> {
    let head = file.read_at(0, 8)?;
    match &*head {
        head if head.starts_with(MAGIC) => of_file(file),
        head if head.starts_with(b"FEA1") => Err(Error::FeatherOne),
        _ => of_stream(file),
    }
}

/// A reader that goes on where it stands, as far as messages follow each other.
pub(super) struct Walk {
    file: CheckedFile,
    reader: CheckedReader,
}

impl Walk {
    pub(super) fn new(file: &CheckedFile) -> Self {
        Self { file: file.clone(), reader: file.reader() }
    }

    /// The bytes from `offset` on, so many, or fewer at the end of the file. Whoever asks has checked
    /// that there is memory for them.
    pub(super) fn read(&mut self, offset: u64, bytes: &mut [u8]) -> Result<usize, Error> {
        self.go_to(offset)?;
        Ok(self.reader.read_full(bytes)?)
    }

    fn go_to(&mut self, offset: u64) -> Result<(), Error> {
        /// It costs less to read over so many bytes than to read a block twice.
        const READ_OVER_MAX: u64 = 1 << 20;
        let at = self.reader.position();
        match offset.checked_sub(at) {
            Some(0) => {}
            Some(gap) if gap <= READ_OVER_MAX => {
                std::io::copy(&mut (&mut self.reader).take(gap), &mut std::io::sink())?;
            }
            _ => self.reader = self.file.reader_at(offset),
        }
        Ok(())
    }
}

fn of_file(file: &CheckedFile) -> Result<Messages, Error> {
    let missing = || cut_short("its footer is missing or incomplete");
    let len = file.len();
    let trailer_at =
        len.checked_sub(TRAILER_BYTES).filter(|&at| at >= MESSAGES_AT).ok_or_else(missing)?;
    let trailer = file.read_at(trailer_at, TRAILER_BYTES as usize)?;
    let (length, magic) = trailer.split_first_chunk().ok_or_else(missing)?;
    if magic != MAGIC {
        return Err(missing());
    }
    let footer_bytes = u64::try_from(i32::from_le_bytes(*length)).unwrap_or(u64::MAX);
    let footer_at = trailer_at.checked_sub(footer_bytes).filter(|&at| at >= MESSAGES_AT);
    let footer_at = footer_at.ok_or_else(missing)?;
    if footer_bytes > METADATA_BYTES_MAX {
        return Err(Error::TooLarge {
            what: format!(
                "the footer of the Arrow file has {footer_bytes} bytes, the most is {METADATA_BYTES_MAX}"
            ),
        });
    }
    let bytes = file.read_at(footer_at, footer_bytes as usize)?;
    let footer = root_as_footer_with_opts(&limits(), &bytes)
        .map_err(|error| malformed(unsound("its footer", &error)))?;
    let schema = footer.schema().ok_or_else(|| malformed("its footer has no schema"))?;
    let mut messages = begin(schema, footer.version(), footer_bytes, len)?;
    let mut walk = Walk::new(file);
    // All dictionaries come before the rows, wherever they stand.
    let blocks = footer.dictionaries().into_iter().chain(footer.recordBatches()).flatten();
    let dictionaries = footer.dictionaries().map_or(0, |blocks| blocks.len());
    for (at, block) in blocks.enumerate() {
        let (offset, end) =
            bounds(block).filter(|&(_, end)| end <= footer_at).ok_or_else(|| {
                malformed(format!("its footer names a message outside of the file, number {at}"))
            })?;
        let head = Head::read(&mut walk, offset, footer_at)?
            .ok_or_else(|| malformed(format!("message {at} is empty")))?;
        if head.end(offset)? != end {
            return Err(malformed(format!("message {at} has another size than the footer says")));
        }
        messages.push(offset, &head)?;
        let is_dictionary =
            messages.all.last().is_some_and(|place| matches!(place.what, What::Dictionary { .. }));
        if is_dictionary != (at < dictionaries) {
            return Err(malformed(format!("message {at} is of another kind than the footer says")));
        }
    }
    Ok(messages)
}

/// Where a message begins and ends, as a footer says.
fn bounds(block: &Block) -> Option<(u64, u64)> {
    let offset = u64::try_from(block.offset()).ok().filter(|&at| at >= MESSAGES_AT)?;
    let head = u64::try_from(block.metaDataLength()).ok()?;
    let body = u64::try_from(block.bodyLength()).ok()?;
    Some((offset, offset.checked_add(head)?.checked_add(body)?))
}

fn of_stream(file: &CheckedFile) -> Result<Messages, Error> {
    let (mut walk, len) = (Walk::new(file), file.len());
    let head = match Head::read(&mut walk, 0, len) {
        Ok(Some(head)) => head,
        // Whatever it says, it is not the start of a stream.
        Ok(None) | Err(Error::Malformed { .. } | Error::TooLarge { .. }) => {
            return Err(Error::NotArrow);
        }
        Err(Error::CutShort { .. }) if !file.read_at(0, 4)?.starts_with(&CONTINUATION) => {
            return Err(Error::NotArrow);
        }
        Err(error) => return Err(error),
    };
    let message = head.message()?;
    let Some(schema) = message.header_as_schema() else {
        return Err(malformed("it does not begin with a schema"));
    };
    let mut messages = begin(schema, message.version(), head.bytes().into(), len)?;
    let mut offset = head.end(0)?;
    loop {
        match Head::read(&mut walk, offset, len)? {
            Some(head) => {
                messages.push(offset, &head)?;
                offset = head.end(offset)?;
            }
            None if offset >= len => break,
            None => {
                // The mark of the end, which older writers made of four bytes.
                let mark = file.read_at(offset, 4)?;
                offset += if mark.starts_with(&CONTINUATION) { 8 } else { 4 };
                let rest = len.saturating_sub(offset);
                if rest > 0 {
                    return Err(malformed(format!(
                        "{rest} bytes follow the end of the stream; put each stream into a file of its own"
                    )));
                }
                break;
            }
        }
    }
    Ok(messages)
}

/// Messages of a schema, none of which is known yet.
fn begin(
    schema: arrow_ipc::Schema<'_>,
    version: MetadataVersion,
    schema_bytes: u64,
    file_bytes: u64,
) -> Result<Messages, Error> {
    if version < MetadataVersion::V4 {
        return Err(malformed("it is of a version before 0.8 of Arrow"));
    }
    if schema.endianness() == Endianness::Big {
        return Err(malformed("its numbers are big-endian"));
    }
    let schema =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_fb_to_schema(schema)))
            .map_err(|_| malformed("its schema is none"))?
            .map_err(|error| malformed(format!("its schema is none: {error}")))?;
    let mut names = std::collections::HashSet::new();
    if let Some(field) = schema.fields().iter().find(|field| !names.insert(field.name())) {
        let what = format!("two of its columns are named `{}`", field.name());
        return Err(malformed(what));
    }
    Ok(Messages {
        schema: Arc::new(schema),
        version,
        all: Vec::new(),
        rows: 0,
        rows_max: ROWS_ANY.max(file_bytes.saturating_mul(ROWS_PER_BYTE_MAX)),
        schema_bytes,
    })
}

impl Head {
    /// Reads the head of the message at `offset`, which must end with its body before `end`; `None`
    /// at the end of a stream, marked or not.
    pub(super) fn read(walk: &mut Walk, offset: u64, end: u64) -> Result<Option<Self>, Error> {
        if offset >= end {
            return Ok(None);
        }
        let mut prefix = [0; 4];
        let mut prefix_bytes = 4;
        let mut word = |walk: &mut Walk, at| match walk.read(at, &mut prefix)? {
            4 => Ok(prefix),
            _ => Err(cut_short("it ends inside a message")),
        };
        let mut length = word(walk, offset)?;
        if length == CONTINUATION {
            length = word(walk, offset + 4)?;
            prefix_bytes = 8;
        }
        let length = i32::from_le_bytes(length);
        if length == 0 {
            return Ok(None);
        }
        let length = u64::try_from(length).map_err(|_| malformed("a message has no length"))?;
        if length > METADATA_BYTES_MAX {
            return Err(Error::TooLarge {
                what: format!(
                    "the head of a message has {length} bytes, the most is {METADATA_BYTES_MAX}"
                ),
            });
        }
        if offset + prefix_bytes + length > end {
            return Err(cut_short("it ends inside a message"));
        }
        let mut bytes = vec![0; length as usize];
        if walk.read(offset + prefix_bytes, &mut bytes)? < bytes.len() {
            return Err(cut_short("it ends inside a message"));
        }
        root_as_message_with_opts(&limits(), &bytes)
            .map_err(|error| malformed(unsound("a message", &error)))?;
        let head = Self::new(bytes, prefix_bytes as u32);
        if head.end(offset)? > end {
            return Err(cut_short("it ends inside a message"));
        }
        Ok(Some(head))
    }
}
