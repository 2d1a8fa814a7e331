//! Which Arrow type each column is read as, and which columns can't be read.

use std::{collections::HashSet, sync::Arc};

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use base64::{Engine, prelude::BASE64_STANDARD};
use flatbuffers::VerifierOptions;
use parquet::{
    arrow::{
        ARROW_SCHEMA_META_KEY,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
    },
    basic::{LogicalType, Type as PhysicalType},
    errors::ParquetError,
    file::{
        metadata::{
            FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
            ParquetMetaDataReader, ParquetStatisticsPolicy,
        },
        reader::ChunkReader,
    },
    schema::types::SchemaDescriptor,
};

use crate::decode::uuid;

/// The most that an embedded Arrow schema may take, each part as often as it is used, and
/// the most parts that it may have.
const HINT_BYTES_MAX: usize = 16 << 20;
const HINT_TABLES_MAX: usize = 100_000;

/// The deepest nesting of a column that is read: the server keeps two levels.
const NESTING_MAX: usize = 32;

/// A file's metadata with the types that its columns are read as.
pub(super) struct Loaded {
    pub metadata: ArrowReaderMetadata,
    /// The same with INT96 timestamps as whole seconds, where there are any.
    pub seconds: Option<ArrowReaderMetadata>,
    /// What the columns are handed out as: INT96 timestamps put together, UUIDs as text.
    pub types: Fields,
    /// Which of them hold UUIDs.
    pub uuids: Vec<bool>,
}

/// Parses the footer, and settles the Arrow type of every column.
pub(super) fn load(read: &impl ChunkReader) -> Result<Loaded, ParquetError> {
    // Statistics are never used here, and a wrong one must not make a file unreadable.
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    let metadata = ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .parse_and_finish(read)
        .map(with_total)
        .map(Arc::new)?;
    // The Arrow schema that some writers embed is a hint. The Parquet schema stands
    // by itself where the two disagree.
    let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    if !hint_is_small(&metadata) {
        return settle(&metadata, plain);
    }
    settle(&metadata, ArrowReaderOptions::new()).or_else(|_| settle(&metadata, plain))
}

/// Whether the embedded Arrow schema takes little memory. Its parts can be shared, so that
/// a few bytes can be gigabytes once it is read.
fn hint_is_small(metadata: &ParquetMetaData) -> bool {
    let entries = metadata.file_metadata().key_value_metadata();
    let mut entries = entries.into_iter().flatten();
    let Some(entry) = entries.find(|entry| entry.key == ARROW_SCHEMA_META_KEY) else {
        return true;
    };
    let Some(text) = &entry.value else { return true };
    let Ok(bytes) = BASE64_STANDARD.decode(text) else { return false };
    // Newer writers put a mark and a length before it.
    let message = bytes.strip_prefix(&[0xff; 4]).and_then(|rest| rest.get(4..)).unwrap_or(&bytes);
    let options = VerifierOptions {
        max_apparent_size: HINT_BYTES_MAX,
        max_tables: HINT_TABLES_MAX,
        ..VerifierOptions::default()
    };
    arrow_ipc::root_as_message_with_opts(&options, message).is_ok()
}

/// Some writers leave the file's total at 0, and the crate then reads nothing. Each row
/// group is held to its own count.
fn with_total(metadata: ParquetMetaData) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let total = metadata.row_groups().iter().map(|group| group.num_rows());
    let total = total.fold(0_i64, i64::saturating_add);
    if file.num_rows() != 0 || total <= 0 {
        return metadata;
    }
    let file = FileMetaData::new(
        file.version(),
        total,
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let groups = metadata.into_builder().take_row_groups();
    ParquetMetaDataBuilder::new(file).set_row_groups(groups).build()
}

fn settle(
    metadata: &Arc<ParquetMetaData>,
    options: ArrowReaderOptions,
) -> Result<Loaded, ParquetError> {
    let natural = ArrowReaderMetadata::try_new(Arc::clone(metadata), options)?;
    let walk = |int96_as, uuids_as_text| {
        let parquet = natural.parquet_schema();
        let mut leaves = Leaves { parquet, next: 0, int96: 0, int96_as, uuids_as_text };
        let fields = natural.schema().fields().iter();
        let fields: Fields = fields.map(|field| leaves.field(field)).collect();
        (fields, leaves.int96)
    };
    let with = |int96_as| {
        let (fields, int96) = walk(int96_as, false);
        let schema = Schema::new_with_metadata(fields, natural.schema().metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(schema.into());
        let settled = ArrowReaderMetadata::try_new(Arc::clone(metadata), options)?;
        Ok::<_, ParquetError>((settled, int96))
    };
    let (settled, int96) = with(TimeUnit::Nanosecond)?;
    let seconds = if int96 > 0 { Some(with(TimeUnit::Second)?.0) } else { None };
    let types = walk(TimeUnit::Microsecond, true).0;
    let joined = walk(TimeUnit::Microsecond, false).0;
    let uuids = types.iter().zip(&joined).map(|(a, b)| a.data_type() != b.data_type()).collect();
    Ok(Loaded { metadata: settled, seconds, types, uuids })
}

/// Walks the Arrow types beside the leaves of the Parquet schema.
struct Leaves<'a> {
    parquet: &'a SchemaDescriptor,
    next: usize,
    /// INT96 timestamps so far.
    int96: usize,
    int96_as: TimeUnit,
    uuids_as_text: bool,
}

impl Leaves<'_> {
    fn field(&mut self, field: &FieldRef) -> FieldRef {
        let data_type = self.data_type(field);
        Arc::new(uuid::with_type(field, data_type))
    }

    fn data_type(&mut self, field: &Field) -> DataType {
        use DataType as T;
        match field.data_type() {
            T::List(item) => T::List(self.field(item)),
            T::LargeList(item) => T::LargeList(self.field(item)),
            T::ListView(item) => T::ListView(self.field(item)),
            T::LargeListView(item) => T::LargeListView(self.field(item)),
            // A null of a fixed size takes as much memory as a value, whatever the size.
            T::FixedSizeList(item, _) => T::List(self.field(item)),
            T::Struct(fields) => T::Struct(fields.iter().map(|field| self.field(field)).collect()),
            T::Map(entries, sorted) => T::Map(self.field(entries), *sorted),
            leaf => {
                let column = self.parquet.columns().get(self.next);
                let physical = column.map(|column| column.physical_type());
                let logical = column.and_then(|column| column.logical_type_ref());
                self.next += 1;
                let is_uuid = logical == Some(&LogicalType::Uuid) || uuid::is_marked(field);
                match leaf {
                    stored if self.uuids_as_text && is_uuid && uuid::fits(stored) => uuid::TEXT,
                    // Row groups may add up to more values than narrow keys can number.
                    T::Dictionary(_, values) => text_as_view(values),
                    T::Timestamp(TimeUnit::Nanosecond, zone)
                        if physical == Some(PhysicalType::INT96) =>
                    {
                        self.int96 += 1;
                        T::Timestamp(self.int96_as, zone.clone())
                    }
                    other => text_as_view(other),
                }
            }
        }
    }
}

/// A view shares the bytes of its page, so that a long text that a dictionary holds
/// once is in memory once, however many rows have it.
fn text_as_view(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

/// Why a column of this type can't be read, as the end of a sentence about the column;
/// `None` where it can.
pub fn refusal(data_type: &DataType) -> Option<&'static str> {
    refusal_at(data_type, NESTING_MAX)
}

fn refusal_at(data_type: &DataType, levels: usize) -> Option<&'static str> {
    use DataType as T;
    let inner = |field: &Field| match levels.checked_sub(1) {
        Some(levels) => refusal_at(field.data_type(), levels),
        None => Some("is nested more than 32 levels deep; flatten it at the source"),
    };
    match data_type {
        T::List(item) | T::LargeList(item) | T::ListView(item) | T::LargeListView(item) => {
            inner(item)
        }
        T::FixedSizeList(item, _) => inner(item),
        T::Struct(fields) => {
            let mut names = HashSet::new();
            if !fields.iter().all(|field| names.insert(field.name())) {
                return Some("holds structs with two fields of one name; rename one at the source");
            }
            fields.iter().find_map(|field| inner(field))
        }
        T::Map(entries, _) => match entries.data_type() {
            T::Struct(fields) if fields.first().is_some_and(|key| key.data_type().is_nested()) => {
                Some("holds maps whose keys are no single values; use text as keys")
            }
            _ => inner(entries),
        },
        T::Union(..) => Some("holds a union of types; give it one type at the source"),
        T::RunEndEncoded(..) => Some("is run-end encoded; write it as plain values"),
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => {
            Some("holds bytes that are not marked as text; write it as a UTF-8 string column")
        }
        T::Dictionary(_, values) => refusal_at(values, levels),
        _ => None,
    }
}
