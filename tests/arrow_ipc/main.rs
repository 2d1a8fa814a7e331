//! Arrow IPC from the file to the bodies: files and streams, dictionaries, positions, and files that
//! are cut short or say what is not so.

mod broken;
mod declared;
mod dictionaries;
mod mended;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;
mod values;

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};

const CODECS: [Option<CompressionType>; 3] =
    [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)];

fn options(codec: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default().try_with_compression(codec).expect("a codec")
}

/// Batches as an Arrow file.
fn file(schema: &SchemaRef, batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer =
        FileWriter::try_new_with_options(Vec::new(), schema, options).expect("a writer");
    batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
    writer.into_inner().expect("a footer")
}

/// Batches as a stream.
fn stream(schema: &SchemaRef, batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let writer = StreamWriter::try_new_with_options(Vec::new(), schema, options);
    let mut writer = writer.expect("a writer");
    batches.iter().for_each(|batch| writer.write(batch).expect("rows"));
    writer.into_inner().expect("an end")
}

/// Users with an id and a number, from `from` on.
fn users(from: i64, count: i64) -> RecordBatch {
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    let ids = StringArray::from_iter_values((from..from + count).map(|at| format!("user-{at}")));
    let numbers = Int64Array::from_iter_values(from..from + count);
    RecordBatch::try_from_iter([
        ("customer_id", Arc::new(ids) as ArrayRef),
        ("n", Arc::new(numbers) as ArrayRef),
    ])
    .expect("a batch")
}
