//! The same rows three times: as CSV, as Parquet in ten row groups, and as Parquet in one.

use std::{
    error::Error,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use fastrand::Rng;
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

use crate::{
    columns::Columns,
    rows::{COLUMNS, Row},
};

const GROUPS: u64 = 10;

/// Rows that are handed to the writers at a time.
const BATCH_ROWS: u64 = 10_000;

/// Writes `users.csv`, `ten.parquet`, `one.parquet` and, last, `counts.json`, which says what a
/// correct program finds in them.
pub fn write(dir: &Path, rows: u64, seed: u64) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(dir)?;
    let mut csv = BufWriter::with_capacity(1 << 20, File::create(dir.join("users.csv"))?);
    writeln!(csv, "{}", COLUMNS.join(","))?;
    let schema = Columns::default().take()?.schema();
    let mut ten = writer(&dir.join("ten.parquet"), &schema, rows.div_ceil(GROUPS))?;
    let mut one = writer(&dir.join("one.parquet"), &schema, rows)?;

    let mut rng = Rng::with_seed(seed);
    let mut columns = Columns::default();
    let mut record = Vec::new();
    let (mut bad_ids, mut bad_types) = (0_u64, 0_u64);
    for number in 0..rows {
        let row = Row::new(number, &mut rng);
        bad_ids += u64::from(row.has_bad_id);
        bad_types += u64::from(row.has_bad_type);
        record.clear();
        row.write_csv(&mut record);
        csv.write_all(&record)?;
        columns.push(&row);
        if (number + 1) % BATCH_ROWS == 0 || number + 1 == rows {
            let batch: RecordBatch = columns.take()?;
            ten.write(&batch)?;
            one.write(&batch)?;
        }
    }
    csv.flush()?;
    ten.close()?;
    one.close()?;

    let counts = format!("{{\"rows\":{rows},\"bad_ids\":{bad_ids},\"bad_types\":{bad_types}}}\n");
    std::fs::write(dir.join("counts.json"), counts)?;
    Ok(())
}

fn writer(
    path: &Path,
    schema: &SchemaRef,
    group_rows: u64,
) -> Result<ArrowWriter<File>, Box<dyn Error>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(usize::try_from(group_rows)?.max(1)))
        .build();
    Ok(ArrowWriter::try_new(File::create(path)?, schema.clone(), Some(properties))?)
}
