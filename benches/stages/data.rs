//! The same rows as CSV and as Parquet, made from a seed.

use std::{fs::File, path::Path, sync::Arc};

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use fastrand::Rng;
use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};

/// Rows of each file: some megabytes, so that a pass has blocks for every thread.
pub const ROWS: u64 = 40_000;

const SEED: u64 = 1;

/// Rows of a row group, as writers cut them: no multiple of a batch.
const GROUP_ROWS: usize = 15_000;

const CITIES: [&str; 6] = ["Oslo", "Zürich", "東京", "Bengaluru", "Frankfurt, Main", "São Paulo"];
const NOTES: [&str; 5] =
    ["", "asked to be called back", "says \"thank you\"", "two\nlines", "prefers e-mail to calls"];

struct User {
    id: String,
    first_name: String,
    city: &'static str,
    orders: Option<i64>,
    /// Hundredths.
    balance: i64,
    newsletter: bool,
    /// Milliseconds of the epoch, whole seconds.
    last_seen_ms: i64,
    note: &'static str,
}

fn users() -> Vec<User> {
    let mut rng = Rng::with_seed(SEED);
    let user = |row| User {
        id: format!("CUST-{row:08}"),
        first_name: (0..rng.usize(3..12)).map(|_| rng.lowercase()).collect(),
        city: CITIES[rng.usize(..CITIES.len())],
        orders: (rng.u8(..10) > 0).then(|| rng.i64(0..500)),
        balance: rng.i64(1_000..10_000_000),
        newsletter: rng.bool(),
        last_seen_ms: rng.i64(1_500_000_000..1_790_000_000) * 1_000,
        note: NOTES[rng.usize(..NOTES.len())],
    };
    (0..ROWS).map(user).collect()
}

const COLUMNS: [&str; 8] =
    ["customer_id", "u_fn", "city", "orders", "balance", "newsletter", "last_seen", "note"];

/// Writes the rows as CSV; gives the size in bytes.
pub fn write_csv(path: &Path) -> u64 {
    let mut writer = csv::Writer::from_path(path).expect("a file");
    writer.write_record(COLUMNS).expect("a header");
    for user in users() {
        let seen = chrono::DateTime::from_timestamp_millis(user.last_seen_ms).expect("a time");
        let record = [
            user.id.as_str(),
            &user.first_name,
            user.city,
            &user.orders.map(|orders| orders.to_string()).unwrap_or_default(),
            &format!("{}.{:02}", user.balance / 100, user.balance % 100),
            if user.newsletter { "true" } else { "false" },
            &seen.format("%Y-%m-%d %H:%M:%S").to_string(),
            user.note,
        ];
        writer.write_record(record).expect("a record");
    }
    writer.flush().expect("all of it");
    path.metadata().expect("a file").len()
}

/// Writes the rows as Parquet; gives the size in bytes.
pub fn write_parquet(path: &Path) -> u64 {
    let users = users();
    let text = |of: fn(&User) -> &str| -> ArrayRef {
        let value = |user| Some(of(user)).filter(|text| !text.is_empty());
        Arc::new(StringArray::from_iter(users.iter().map(value)))
    };
    let balance = Decimal128Array::from_iter_values(users.iter().map(|user| user.balance.into()));
    let balance = balance.with_precision_and_scale(12, 2).expect("a decimal");
    let seen = TimestampMillisecondArray::from_iter_values(users.iter().map(|u| u.last_seen_ms));
    let columns: [ArrayRef; 8] = [
        text(|user| &user.id),
        text(|user| &user.first_name),
        text(|user| user.city),
        Arc::new(Int64Array::from_iter(users.iter().map(|user| user.orders))),
        Arc::new(balance),
        Arc::new(BooleanArray::from_iter(users.iter().map(|user| Some(user.newsletter)))),
        Arc::new(seen.with_timezone("UTC")),
        text(|user| user.note),
    ];
    let named = COLUMNS.into_iter().zip(columns).map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(named).expect("a batch");
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    path.metadata().expect("a file").len()
}
