// One function a target. Each panics where a promise is broken, on whatever bytes.

use std::io::Read;

use moebulk::{
    decode::{
        csv::{CsvReader, Dialect},
        parquet::ParquetFile,
    },
    journal::{Binding, Journal, Plan, Snapshot},
    model::{Intent, Kind, Place, Position, RequestCounts, Settled, Settlement, TextRows, Turn},
    send,
    shape::mapping,
};

/// A stream that hands out a few bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let step = self.1.min(self.0.len()).min(to.len());
        to[..step].copy_from_slice(&self.0[..step]);
        self.0 = &self.0[step..];
        Ok(step)
    }
}

/// Every row in file order: its number, its line, its cells, and its raw bytes; of damage
/// no cells.
type CsvRow = (u64, u64, Option<Vec<Vec<u8>>>, Vec<u8>);

fn csv_rows(block: &TextRows) -> Vec<CsvRow> {
    let mut rows: Vec<CsvRow> = Vec::new();
    for (at, record) in block.records.iter().enumerate() {
        let cells = (0..block.columns).map(|column| block.cell(at, column).to_vec()).collect();
        rows.push((record.row, record.line, Some(cells), block.raw(at).to_vec()));
    }
    for damage in &block.damage {
        let Place::Line(line) = damage.position.place else { panic!("damage has a line") };
        rows.push((damage.position.row, line, None, damage.raw.clone()));
    }
    rows.sort();
    rows
}

fn read_csv(text: &[u8], step: usize, block_bytes: usize, max: usize) -> Option<Vec<CsvRow>> {
    let dialect = Dialect { record_bytes_max: max, ..Dialect::default() };
    let mut reader = CsvReader::open_sized(Trickle(text, step), 0, dialect, block_bytes).ok()?;
    let mut rows = Vec::new();
    while let Some(block) = reader.next_block().expect("memory can be read") {
        assert!(std::str::from_utf8(&block.bytes).is_ok(), "records are text");
        rows.extend(csv_rows(&block));
    }
    assert_eq!(reader.rows_read(), rows.len() as u64);
    assert!(rows.iter().zip(1..).all(|(row, number)| row.0 == number), "rows are numbered");
    Some(rows)
}

/// The splitter: the same however it is cut, no byte lost, and what the `csv` crate reads
/// where nothing is damaged.
pub fn csv(data: &[u8]) {
    let [step, block, max, text @ ..] = data else { return };
    let max = if *max == 0 { 1 << 20 } else { usize::from(*max) };
    let whole = read_csv(text, usize::MAX, 1 << 18, max);
    let cut = read_csv(text, usize::from(*step).max(1), usize::from(*block).max(1), max);
    assert_eq!(whole, cut);
    let Some(rows) = whole else { return };
    // Every byte of a row is one of the file's, in its order.
    let mut rest = text;
    for (_, _, cells, raw) in &rows {
        if cells.is_some() {
            let at = rest.windows(raw.len().max(1)).position(|part| part == raw);
            let at = at.unwrap_or_else(|| panic!("made up: {:?}", String::from_utf8_lossy(raw)));
            rest = &rest[at + raw.len()..];
        }
    }
    // A lone CR is text here and a line end there.
    let lone = text.iter().zip(text.iter().skip(1).chain([&0]));
    let lone_cr = lone.into_iter().any(|(&a, &b)| a == b'\r' && b != b'\n');
    if rows.iter().any(|row| row.2.is_none()) || lone_cr || max != 1 << 20 {
        return;
    }
    let mut reference = csv::ReaderBuilder::new();
    let mut records = reference.flexible(true).from_reader(text);
    let theirs = records.byte_records().collect::<Result<Vec<_>, _>>().expect("memory");
    assert_eq!(rows.len(), theirs.len());
    for ((.., cells, _), theirs) in rows.iter().zip(&theirs) {
        let cells = cells.iter().flatten().map(Vec::as_slice);
        assert!(theirs.iter().eq(cells), "{theirs:?}");
    }
}

/// Decoding: rows or an error, never more rows than the footer counts, and each at its place.
pub fn parquet(data: &[u8]) {
    let Ok(file) = ParquetFile::open(bytes::Bytes::copy_from_slice(data), 0) else { return };
    let kept = file.columns().iter().filter(|column| column.refusal.is_none());
    let wanted: Vec<usize> = kept.map(|column| column.index).collect();
    for group in 0..file.row_groups().min(4) {
        let all = file.row_group_rows(group);
        for (from, to) in [(0, u64::MAX), (all / 2, all / 2 + 10)] {
            let Ok(batches) = file.read_group(group, &wanted, from..to) else {
                continue;
            };
            let mut next = file.first_row(group) + from.min(all);
            for rows in batches.take(8).map_while(Result::ok) {
                assert_eq!(rows.first_row, next);
                assert_eq!(rows.batch.num_columns(), wanted.len());
                next += rows.batch.num_rows() as u64;
                assert!(next <= file.first_row(group) + all);
            }
        }
    }
}

/// Mapping files: a mapping, or an error that names a place.
pub fn mapping(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for kind in [None, Some(Kind::Users), Some(Kind::Events), Some(Kind::Devices)] {
        match mapping::parse(text, kind) {
            Ok(mapping) => assert!(!mapping.columns.is_empty(), "a mapping of nothing"),
            Err(error) => {
                let words = error.to_string();
                let places = ["line ", "`", "--", "no column", "kind = "];
                assert!(places.iter().any(|place| words.contains(place)), "{words}");
            }
        }
    }
}

/// A checkpoint as a run writes it, and what it says after each step.
fn checkpoint(path: &std::path::Path) -> Vec<Snapshot> {
    let at = |row| Position { file: 0, row, place: Place::Line(row + 1) };
    let intent = |seq, range: std::ops::Range<u32>| Intent {
        seq,
        first: at(u64::from(range.start) + 1),
        last: at(u64::from(range.end)),
        range,
        elements: 10,
    };
    let settled = |seq, range, settled| Settlement { seq, range, elements: 10, settled };
    let delivered = || Settled::Delivered { request_id: Some("r".to_owned()) };
    let mut journal = Journal::create(path, &Binding::default()).expect("a checkpoint");
    let mut states = vec![journal.snapshot().clone()];
    journal.plan(&Plan { rows_read: 20, bodies: 2, ..Plan::default() }).expect("written");
    states.push(journal.snapshot().clone());
    let turns = [
        Turn { intents: vec![intent(0, 0..10), intent(1, 0..10)], ..Turn::default() },
        Turn {
            settlements: vec![settled(0, 0..10, delivered())],
            requests: Some(RequestCounts { sent: 2, ..RequestCounts::default() }),
            intents: vec![intent(2, 0..10)],
        },
        Turn { settlements: vec![settled(1, 0..10, Settled::NotTaken)], ..Turn::default() },
    ];
    for turn in turns {
        journal.turn(turn).expect("written");
        states.push(journal.snapshot().clone());
    }
    states
}

/// Recovery: what is read back of a damaged checkpoint is a state that it was in; and lines
/// with a right checksum, whatever they say, are a state or an error.
pub fn journal(data: &[u8]) {
    let [mode, rest @ ..] = data else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("checkpoint");
    if mode % 2 == 0 {
        let states = checkpoint(&path);
        let mut bytes = std::fs::read(&path).expect("written");
        for edit in rest.chunks_exact(4) {
            let at = usize::from(edit[0]) << 8 | usize::from(edit[1]);
            let at = at % bytes.len().max(1);
            match edit[2] % 4 {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= edit[3].max(1),
                2 => bytes.insert(at, edit[3]),
                _ => bytes.push(edit[3]),
            }
        }
        std::fs::write(&path, &bytes).expect("written");
        let Ok(peeked) = Journal::peek(&path) else { return };
        assert!(states.contains(&peeked), "no state that it was in: {peeked:?}");
        let opened = Journal::open(&path).expect("what can be read can be opened");
        assert_eq!(opened.snapshot(), &peeked);
        return;
    }
    checkpoint(&path);
    let head = std::fs::read(&path).expect("written");
    let mut bytes = if mode & 2 == 0 { head } else { Vec::new() };
    for line in rest.split(|&byte| byte == b'\n') {
        bytes.extend(format!("{:016x} ", xxhash_rust::xxh3::xxh3_64(line)).into_bytes());
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    std::fs::write(&path, &bytes).expect("written");
    let Ok(peeked) = Journal::peek(&path) else { return };
    let opened = Journal::open(&path).expect("what can be read can be opened");
    assert_eq!(opened.snapshot(), &peeked);
    for seq in 0..3 {
        for gap in peeked.progress.pending(seq, 10) {
            assert!(gap.start < gap.end && gap.end <= 10);
        }
    }
}

/// Replies: a delivery is a 2xx whose whole body is a JSON object that says `success`.
pub fn reply(data: &[u8]) {
    let [a, b, body @ ..] = data else { return };
    let status = u16::from_be_bytes([*a, *b]);
    for status in [status, 200, 202, 299, 400, 429, 500] {
        let delivered = send::is_delivery(status, body);
        let said = serde_json::from_slice::<serde_json::Value>(body).ok();
        let success = said.is_some_and(|said| said.is_object() && said["status"] == "success");
        assert_eq!(delivered, success && (200..300).contains(&status), "{status}");
    }
}
