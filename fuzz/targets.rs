// One function a target. Each panics where a promise is broken, on whatever bytes.

use std::{collections::BTreeMap, io::Read};

use moebulk::{
    decode::{
        arrow_ipc::ArrowFile,
        csv::{CsvReader, Dialect},
        ndjson::{self, NdjsonFile},
        parquet::{PagePool, ParquetFile},
    },
    journal::{Binding, Journal, Plan, Snapshot},
    model::{
        ArrowRows, Code, Intent, JsonKind, JsonRows, Kind, Place, Position, RequestCounts, Settled,
        Settlement, TextRows, Turn,
    },
    send,
    shape::mapping,
    source::CheckedFile,
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

/// Bytes as a file that readers open. It is gone with the directory.
fn on_disk(bytes: &[u8]) -> (tempfile::TempDir, CheckedFile) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("input");
    std::fs::write(&path, bytes).expect("written");
    let file = CheckedFile::open(&path, None).expect("a file");
    (dir, file)
}

/// A row of NDJSON: its number, its line, its bytes, and its members by name, or what is wrong.
type JsonRow = (u64, u64, Vec<u8>, Result<BTreeMap<String, (JsonKind, Vec<u8>)>, Code>);

fn json_rows(rows: &JsonRows, columns: &[ndjson::Column]) -> Vec<JsonRow> {
    let mut found: Vec<JsonRow> = Vec::new();
    for (at, record) in rows.records.iter().enumerate() {
        let members = rows.members(at).iter().map(|member| {
            let name = columns[member.column as usize].name.clone();
            (name, (member.kind, rows.value(member).to_vec()))
        });
        found.push((record.row, record.line, rows.raw(at).to_vec(), Ok(members.collect())));
    }
    for damage in &rows.damage {
        let Place::Line(line) = damage.position.place else { panic!("damage has a line") };
        found.push((damage.position.row, line, damage.raw.clone(), Err(damage.code)));
    }
    found.sort_by_key(|row| row.0);
    found
}

/// All rows, with stretches settled as they come, or the last ones first.
fn read_ndjson(file: &NdjsonFile, wanted: &[usize], is_reversed: bool) -> Vec<JsonRow> {
    let mut reader = file.reader(wanted);
    let (mut rows, mut held) = (Vec::new(), Vec::new());
    let add = |rows: &mut Vec<JsonRow>, more: &JsonRows| {
        rows.extend(json_rows(more, file.columns()));
    };
    loop {
        match reader.next_piece().expect("a file can be read") {
            ndjson::Next::Rows(more) => add(&mut rows, &more),
            ndjson::Next::Stretch(stretch) if is_reversed => held.push(Box::new(stretch.scan())),
            ndjson::Next::Stretch(stretch) => match reader.settle(Box::new(stretch.scan())) {
                ndjson::Settled::Rows(more) => add(&mut rows, &more),
                _ => panic!("it is its turn"),
            },
            ndjson::Next::Wait => {
                assert!(!held.is_empty(), "nothing is waited for");
                for scanned in std::mem::take(&mut held).into_iter().rev() {
                    match reader.settle(scanned) {
                        ndjson::Settled::Rows(more) => add(&mut rows, &more),
                        ndjson::Settled::NotYet(scanned) => held.insert(0, scanned),
                        ndjson::Settled::Void => panic!("all are wanted"),
                    }
                }
            }
            ndjson::Next::End => break,
        }
    }
    assert_eq!(reader.rows_read(), rows.len() as u64);
    rows
}

/// What a value is by the standard: `None` where it is no JSON, or no double can hold a number.
fn standard(text: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(text).ok()
}

/// NDJSON: the lines that are not blank, each once and in order, however stretches are settled; an
/// object where `serde_json` finds one, with its values.
pub fn ndjson(data: &[u8]) {
    let [max, times, text @ ..] = data else { return };
    let max = if *max == 0 { 1 << 20 } else { usize::from(*max) };
    // Over and over, with many blanks in between, it is more than one stretch.
    let is_long = *times == 255;
    let text = match is_long {
        true => [text, &[b' '; 16 << 10], b"\n"].concat().repeat(20),
        false => text.to_vec(),
    };
    let (_dir, file) = on_disk(&text);
    let mut left = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut lines: Vec<(u64, &[u8])> = Vec::new();
    for number in 1.. {
        if left.is_empty() {
            break;
        }
        let end = left.iter().position(|&byte| byte == b'\n');
        let line = &left[..end.unwrap_or(left.len())];
        left = end.map_or(&[], |end| &left[end + 1..]);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max || !line.iter().all(|byte| b" \t\r".contains(byte)) {
            lines.push((number, line));
        }
    }
    let opened = NdjsonFile::open(file, 0, max, None);
    let is_object = |line: &[u8]| {
        line.len() <= max
            && serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(line).is_ok()
    };
    let file = match opened {
        Ok(file) => file,
        Err(ndjson::Error::Empty) => return assert!(lines.is_empty(), "there are lines"),
        Err(ndjson::Error::NoObject { .. }) => {
            for (number, line) in lines {
                let says_twice = || repeats_a_key(line);
                assert!(!is_object(line) || says_twice(), "line {number} is an object");
            }
            return;
        }
        Err(ndjson::Error::TooManyKeys { .. }) => return,
        Err(ndjson::Error::Spread { line, .. }) => {
            let (number, text) = lines[0];
            let kept = text[..text.len().min(max)].trim_ascii();
            assert!(line == number && matches!(kept, b"{" | b"["), "line {line} opens nothing");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let all: Vec<usize> = (0..file.columns().len()).collect();
    let rows = read_ndjson(&file, &all, false);
    if is_long {
        assert!(rows == read_ndjson(&file, &all, true), "another order, other rows");
    }
    assert_eq!(rows.len(), lines.len());
    for ((row, (number, line)), at) in rows.iter().zip(&lines).zip(1..) {
        let kept = &line[..line.len().min(max)];
        assert_eq!((row.0, row.1, row.2.as_slice()), (at, *number, kept));
        match &row.3 {
            Ok(members) => {
                let text = std::str::from_utf8(line).expect("a record is text");
                let _: serde::de::IgnoredAny = serde_json::from_str(text).expect("JSON");
                let Some(serde_json::Value::Object(object)) = standard(line) else { continue };
                assert_eq!(object.len(), members.len(), "{object:?} {members:?}");
                for (name, (kind, value)) in members {
                    let expected = &object[name];
                    match kind {
                        JsonKind::String => {
                            assert_eq!(expected.as_str().map(str::as_bytes), Some(&value[..]));
                        }
                        JsonKind::LoneSurrogate => panic!("{expected:?} is text"),
                        JsonKind::Null => assert!(expected.is_null()),
                        JsonKind::Bool => assert!(expected.is_boolean()),
                        JsonKind::Number => assert!(expected.is_number()),
                        JsonKind::Nested => assert!(expected.is_object() || expected.is_array()),
                    }
                    if *kind != JsonKind::String {
                        assert_eq!(standard(value).as_ref(), Some(expected));
                    }
                }
            }
            Err(Code::RecordTooLong) => assert!(line.len() > max),
            Err(Code::ObjectKeyTwice) => assert!(repeats_a_key(line)),
            Err(code) => assert!(!is_object(line), "{code:?}"),
        }
    }
    // Where nothing is wanted, the same lines are rows.
    let none = read_ndjson(&file, &[], false);
    let whether = |rows: &[JsonRow]| -> Vec<_> {
        rows.iter().map(|row| (row.1, row.3.as_ref().err().copied())).collect()
    };
    assert_eq!(whether(&none), whether(&rows));
    let is_empty = |row: &JsonRow| row.3.as_ref().is_ok_and(BTreeMap::is_empty) || row.3.is_err();
    assert!(none.iter().all(is_empty));
}

/// Whether an object has one key twice, as `serde_json` tells its keys.
fn repeats_a_key(line: &[u8]) -> bool {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = bool;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let mut keys: Vec<String> = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                keys.push(key);
            }
            let count = keys.len();
            keys.sort();
            keys.dedup();
            Ok(keys.len() < count)
        }
    }
    let mut parser = serde_json::Deserializer::from_slice(line);
    serde::Deserializer::deserialize_map(&mut parser, Keys).is_ok_and(|twice| twice)
}

/// Arrow files and streams: rows or an error; as many as the messages count, each at its place; and of
/// a part what the whole has there.
pub fn arrow(data: &[u8]) {
    const ROWS_MAX: u64 = 10_000;
    let (_dir, file) = on_disk(data);
    let Ok(file) = ArrowFile::open(file, 0) else { return };
    let kept = file.columns().iter().filter(|column| column.refusal.is_none());
    let wanted: Vec<usize> = kept.map(|column| column.index).collect();
    let all = file.rows();
    let read = |from: u64, to: u64| -> Option<Vec<ArrowRows>> {
        let mut parts = Vec::new();
        let mut next = from.min(all) + 1;
        for part in file.read(&wanted, from..to) {
            let part = part.ok()?;
            assert_eq!(part.first_row, next);
            assert_eq!(part.batch.num_columns(), wanted.len());
            next += part.batch.num_rows() as u64;
            assert!(part.batch.num_rows() > 0 && next <= to.min(all) + 1, "rows up to {next}");
            if next > from + ROWS_MAX {
                return None;
            }
            parts.push(part);
        }
        assert_eq!(next, to.min(all).max(from.min(all)) + 1, "all rows, or an error");
        Some(parts)
    };
    let Some(whole) = read(0, u64::MAX) else { return };
    let row = |parts: &[ArrowRows], number: u64| {
        let part = parts.iter().rfind(|part| part.first_row <= number).expect("its part");
        part.batch.slice((number - part.first_row) as usize, 1)
    };
    let (from, to) = (all / 2, all / 2 + 10);
    let part = read(from, to).expect("what the whole has");
    for number in from + 1..=to.min(all) {
        assert_eq!(row(&part, number), row(&whole, number));
    }
}

/// Decoding: rows or an error, never more rows than the footer counts, and each at its place.
pub fn parquet(data: &[u8]) {
    let Ok(file) = ParquetFile::open(bytes::Bytes::copy_from_slice(data), 0) else { return };
    let kept = file.columns().iter().filter(|column| column.refusal.is_none());
    let wanted: Vec<usize> = kept.map(|column| column.index).collect();
    let pool = PagePool::default();
    for group in 0..file.row_groups().min(4) {
        let all = file.row_group_rows(group);
        for (from, to) in [(0, u64::MAX), (all / 2, all / 2 + 10)] {
            let Ok(batches) = file.read_group(group, &wanted, from..to, &pool) else {
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
