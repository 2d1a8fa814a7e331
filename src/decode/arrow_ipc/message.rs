//! One message: its head, verified, and its body, read when its sizes are known to be sound.

use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch},
    buffer::{Buffer, MutableBuffer},
    datatypes::Schema,
    error::ArrowError,
};
use arrow_ipc::{Message, root_as_message_with_opts};

use super::{
    Error,
    messages::{Messages, Place, Walk, limits, malformed, unsound},
};

/// The most bytes of the body of one message, and of what its buffers hold decompressed.
pub const MESSAGE_BYTES_MAX: u64 = 128 << 20;

/// The most bytes of all dictionaries that columns have at a time.
pub const DICTIONARY_BYTES_MAX: u64 = 64 << 20;

/// What stands before a compressed buffer: how long it is once decompressed.
const LENGTH_BYTES: usize = 8;

/// Such a length where the buffer is not compressed after all.
const NOT_COMPRESSED: i64 = -1;

/// The head of a message, verified.
pub(super) struct Head {
    bytes: Vec<u8>,
    prefix_bytes: u32,
}

impl Head {
    pub(super) fn new(bytes: Vec<u8>, prefix_bytes: u32) -> Self {
        Self { bytes, prefix_bytes }
    }

    pub(super) fn message(&self) -> Result<Message<'_>, Error> {
        root_as_message_with_opts(&limits(), &self.bytes)
            .map_err(|error| malformed(unsound("a message", &error)))
    }

    /// Its bytes, with what stands before it.
    pub(super) fn bytes(&self) -> u32 {
        // Checked when it was read: far less than 32 bits.
        self.prefix_bytes + self.bytes.len() as u32
    }

    pub(super) fn body_bytes(&self) -> Result<u64, Error> {
        u64::try_from(self.message()?.bodyLength())
            .map_err(|_| malformed("a message claims a negative size"))
    }

    /// Where the message ends that begins at `offset`.
    pub(super) fn end(&self, offset: u64) -> Result<u64, Error> {
        let start = offset + u64::from(self.bytes());
        start.checked_add(self.body_bytes()?).ok_or_else(|| malformed("a message has no end"))
    }
}

/// The dictionaries of the columns that are read.
#[derive(Default)]
pub(super) struct Dictionaries {
    by_id: HashMap<i64, ArrayRef>,
}

impl Dictionaries {
    /// Takes the dictionary of a message: a new one, one in place of another, or more of one.
    pub(super) fn take(
        &mut self,
        walk: &mut Walk,
        place: Place,
        messages: &Messages,
    ) -> Result<(), Error> {
        let (head, body) = read(walk, place)?;
        let message = head.message()?;
        let dictionary = message.header_as_dictionary_batch();
        let dictionary = dictionary.ok_or_else(|| malformed("a dictionary has no head"))?;
        let broken = |what: String| malformed(format!("a dictionary is broken: {what}"));
        let data = dictionary.data().ok_or_else(|| broken("it has no values".to_owned()))?;
        let bytes = check(&data, &body, messages).map_err(|flaw| flaw.or(broken))?;
        let held = self.by_id.values().map(|values| values.get_buffer_memory_size() as u64);
        let held = held.sum::<u64>();
        // One that is added to another is copied with it.
        if held.saturating_add(bytes) > DICTIONARY_BYTES_MAX {
            let what = format!(
                "the dictionaries of its columns have more than {DICTIONARY_BYTES_MAX} bytes"
            );
            return Err(Error::TooLarge { what });
        }
        let (schema, version) = (&messages.schema, &message.version());
        caught(|| {
            arrow_ipc::reader::read_dictionary(&body, dictionary, schema, &mut self.by_id, version)
        })
        .map_err(broken)
    }

    /// Decodes the record batch of a message, of which the columns of a projection.
    pub(super) fn decode(
        &self,
        walk: &mut Walk,
        place: Place,
        number: u32,
        messages: &Messages,
        projection: &[usize],
    ) -> Result<RecordBatch, Error> {
        let (head, body) = read(walk, place)?;
        let message = head.message()?;
        let broken = |what: String| Error::Broken { batch: number, what };
        let batch = message.header_as_record_batch();
        let batch = batch.ok_or_else(|| broken("it has no head".to_owned()))?;
        check(&batch, &body, messages).map_err(|flaw| flaw.or(broken))?;
        let schema = std::sync::Arc::clone(&messages.schema);
        caught(|| {
            let version = &message.version();
            let projection = Some(projection);
            arrow_ipc::reader::read_record_batch(
                &body,
                batch,
                schema,
                &self.by_id,
                projection,
                version,
            )
        })
        .map_err(broken)
    }
}

/// Whether columns name a dictionary by this id.
pub(super) fn is_named(schema: &Schema, id: i64) -> bool {
    // How a message says which columns its values are for; there is no other way to know.
    #[expect(deprecated)]
    let fields = schema.fields_with_dict_id(id);
    !fields.is_empty()
}

/// Reads a message whose place is known to lie in the file.
fn read(walk: &mut Walk, place: Place) -> Result<(Head, Buffer), Error> {
    let Place { offset, head_bytes, body_bytes, .. } = place;
    if body_bytes > MESSAGE_BYTES_MAX {
        let what =
            format!("a record batch has {body_bytes} bytes, the most is {MESSAGE_BYTES_MAX}");
        return Err(Error::TooLarge { what });
    }
    let start = offset + u64::from(head_bytes);
    let ended = || Error::CutShort { what: "it ends inside a message".to_owned() };
    let head = Head::read(walk, offset, start + body_bytes)?.ok_or_else(ended)?;
    let mut body = MutableBuffer::from_len_zeroed(body_bytes as usize);
    if walk.read(start, body.as_slice_mut())? < body_bytes as usize {
        return Err(ended());
    }
    Ok((head, body.into()))
}

/// Why a batch is not decoded.
enum Flaw {
    Broken(String),
    TooLarge(String),
}

impl Flaw {
    fn or(self, broken: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Broken(what) => broken(what),
            Self::TooLarge(what) => Error::TooLarge { what },
        }
    }
}

/// Holds what a batch says of itself against its body; the bytes that its buffers take.
fn check(
    batch: &arrow_ipc::RecordBatch<'_>,
    body: &Buffer,
    messages: &Messages,
) -> Result<u64, Flaw> {
    let broken = |what: &str| Flaw::Broken(what.to_owned());
    for node in batch.nodes().into_iter().flatten() {
        let (length, nulls) = (node.length(), node.null_count());
        let is_sound = u64::try_from(length).is_ok_and(|length| length <= messages.rows_max);
        if !is_sound || !(0..=length).contains(&nulls) {
            return Err(Flaw::Broken(format!(
                "a column claims {length} values, {nulls} of them null"
            )));
        }
    }
    let is_compressed = batch.compression().is_some();
    let mut total = 0_u64;
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).ok();
        let range = start.zip(usize::try_from(buffer.length()).ok());
        let range = range.and_then(|(start, len)| Some(start..start.checked_add(len)?));
        let bytes = range.and_then(|range| body.get(range));
        let bytes = bytes.ok_or_else(|| broken("a buffer lies outside of its message"))?;
        let takes = match bytes.first_chunk::<LENGTH_BYTES>() {
            Some(length) if is_compressed => match i64::from_le_bytes(*length) {
                NOT_COMPRESSED => bytes.len() as u64,
                length => u64::try_from(length)
                    .map_err(|_| broken("a compressed buffer claims a negative size"))?,
            },
            None if is_compressed && !bytes.is_empty() => {
                return Err(broken("a compressed buffer has no size"));
            }
            _ => bytes.len() as u64,
        };
        total = total.saturating_add(takes);
    }
    if total > MESSAGE_BYTES_MAX {
        return Err(Flaw::TooLarge(format!(
            "a record batch has {total} bytes, the most is {MESSAGE_BYTES_MAX}"
        )));
    }
    Ok(total)
}

/// What the crate makes of something, its errors and panics as words.
pub(super) fn caught<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(|error| words(&error)),
        Err(panic) => Err(panic_words(panic.as_ref())),
    }
}

/// The crate's words without the names of its layers.
fn words(error: &ArrowError) -> String {
    let text = error.to_string();
    let layers = ["Ipc error: ", "Invalid argument error: ", "Parser error: ", "Schema error: "];
    let inner = layers.iter().find_map(|layer| text.strip_prefix(layer));
    inner.map(str::to_owned).unwrap_or(text)
}

fn panic_words(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words =
        words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
    format!("its decoder gave up: {words}")
}
