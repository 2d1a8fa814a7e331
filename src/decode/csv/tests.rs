//! The reader on written cases: each rule, and where records go on after damage.

use std::io::Read;

use super::{CsvReader, Dialect, Error};
use crate::model::{Code, Damage, TextRows};

/// One row of a file, sound or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    Sound { row: u64, line: u64, raw: Vec<u8>, cells: Vec<Vec<u8>> },
    Damaged(Damage),
}

impl Row {
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Sound { row, .. } => *row,
            Self::Damaged(damage) => damage.position.row,
        }
    }

    pub(super) fn line(&self) -> u64 {
        match self {
            Self::Sound { line, .. } => *line,
            Self::Damaged(damage) => damage.position.place.line().expect("a line"),
        }
    }

    pub(super) fn raw(&self) -> &[u8] {
        match self {
            Self::Sound { raw, .. } => raw,
            Self::Damaged(damage) => &damage.raw,
        }
    }
}

/// Hands out a few bytes at a time: the sizes in turn.
pub(super) struct Trickle<'a> {
    data: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl<'a> Trickle<'a> {
    pub(super) fn new(data: &'a [u8], sizes: Vec<usize>) -> Self {
        Self { data, sizes, turn: 0 }
    }
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.turn += 1;
        let size = self.sizes[self.turn % self.sizes.len()];
        let size = size.min(buffer.len());
        self.data.read(&mut buffer[..size])
    }
}

/// Reads everything, sound rows and damage merged by row number.
pub(super) fn rows_of<R: Read>(reader: &mut CsvReader<R>) -> Vec<Row> {
    let mut all = Vec::new();
    while let Some(block) = reader.next_block().expect("readable") {
        all.append(&mut rows_of_block(&block));
    }
    assert_eq!(reader.rows_read(), all.len() as u64);
    all
}

/// The rows of a block, sound or not, by row number.
pub(super) fn rows_of_block(block: &TextRows) -> Vec<Row> {
    assert_eq!(block.fields.len(), block.records.len() * block.columns);
    let mut rows: Vec<Row> = block.damage.iter().cloned().map(Row::Damaged).collect();
    rows.extend(block.records.iter().enumerate().map(|(index, record)| Row::Sound {
        row: record.row,
        line: record.line,
        raw: block.raw(index).to_vec(),
        cells: (0..block.columns).map(|column| block.cell(index, column).to_vec()).collect(),
    }));
    assert!(!rows.is_empty(), "a block is never empty");
    rows.sort_by_key(Row::number);
    rows
}

pub(super) fn read_with(data: &[u8], dialect: &Dialect) -> Vec<Row> {
    let mut reader = CsvReader::open(data, 0, dialect.clone()).expect("a header");
    rows_of(&mut reader)
}

/// `row@line` and the cells joined by `|`, or the code in brackets and the raw bytes.
fn summary(rows: &[Row]) -> Vec<String> {
    let text = String::from_utf8_lossy;
    rows.iter()
        .map(|row| {
            let place = format!("{}@{}", row.number(), row.line());
            match row {
                Row::Sound { cells, .. } => {
                    let cells: Vec<_> = cells.iter().map(|cell| text(cell)).collect();
                    format!("{place} {}", cells.join("|"))
                }
                Row::Damaged(damage) => {
                    format!("{place} [{}] {}", damage.code.as_str(), text(&damage.raw))
                }
            }
        })
        .collect()
}

/// What is read in one piece, checked to be the same in pieces of every small size.
fn read_as(data: &str, dialect: &Dialect) -> Vec<String> {
    let whole = read_with(data.as_bytes(), dialect);
    for size in 1..=9 {
        let trickle = Trickle::new(data.as_bytes(), vec![size]);
        let mut reader =
            CsvReader::open_sized(trickle, 0, dialect.clone(), size).expect("a header");
        assert_eq!(rows_of(&mut reader), whole, "in pieces of {size} bytes");
    }
    summary(&whole)
}

fn read(data: &str) -> Vec<String> {
    read_as(data, &Dialect::default())
}

fn refusal(data: &[u8], dialect: &Dialect) -> Error {
    match CsvReader::open(data, 0, dialect.clone()) {
        Ok(reader) => panic!("opened with the header {:?}", reader.header()),
        Err(error) => error,
    }
}

fn detail(data: &[u8], dialect: &Dialect) -> String {
    let damage = read_with(data, dialect).into_iter().find_map(|row| match row {
        Row::Damaged(damage) => Some(damage.detail),
        Row::Sound { .. } => None,
    });
    damage.expect("damage")
}

// The grammar

#[test]
fn reads_quotes_line_ends_and_blank_lines() {
    assert_eq!(
        read("a,b\n1,2\r\n\r\n\n\"x,\"\"y\"\"\",\"two\r\nlines\"\r\n,\n\"\",e\rf\ng,last"),
        ["1@2 1|2", "2@5 x,\"y\"|two\r\nlines", "3@7 |", "4@8 |e\rf", "5@9 g|last"]
    );
}

#[test]
fn a_value_is_copied_only_where_an_escape_is_resolved() {
    let mut reader = CsvReader::open(
        &b"a,b\nplain,\"quoted, plain\"\n\"do\"\"uble\",x\n"[..],
        0,
        Dialect::default(),
    )
    .unwrap();
    let block = reader.next_block().unwrap().unwrap();
    let unescaped: Vec<bool> = block.fields.iter().map(|field| field.is_unescaped()).collect();
    assert_eq!(unescaped, [false, false, true, false]);
    assert_eq!(block.unescaped, b"do\"uble");
    assert_eq!(block.raw(1), b"\"do\"\"uble\",x");
}

#[test]
fn escapes_work_inside_and_outside_of_quotes() {
    let dialect = Dialect { escape: Some(b'\\'), ..Dialect::default() };
    assert_eq!(
        read_as("a,b\n\"q\\\"\\\\\",x\\,y\none\\\ntwo,\\\"z\nend,\\", &dialect),
        ["1@2 q\"\\|x,y", "2@3 one\ntwo|\"z", "3@5 end|\\"]
    );
}

#[test]
fn other_delimiters_and_no_quotes() {
    let tab = Dialect { delimiter: b'\t', quote: None, ..Dialect::default() };
    assert_eq!(read_as("a\tb\n\"1\tx\"y\n", &tab), ["1@2 \"1|x\"y"]);
}

#[test]
fn lenient_quotes_are_text() {
    let dialect = Dialect { lenient_quotes: true, ..Dialect::default() };
    assert_eq!(
        read_as("a,b\n27\",\"ab\"cd\n\"x\"y\"z\",\"o,\"\"k\"\n1,\"open\n2,3", &dialect),
        ["1@2 27\"|abcd", "2@3 xy\"z\"|o,\"k", "3@4 [unclosed-quote] 1,\"open", "4@5 2|3"]
    );
}

// Headers

#[test]
fn the_header_follows_the_mark_skipped_and_blank_lines() {
    let dialect = Dialect { skip_lines: 2, ..Dialect::default() };
    let data = "\u{feff}\"report\n\n\r\n\"na\nme\",é\n1,2\n";
    let mut reader = CsvReader::open(data.as_bytes(), 0, dialect.clone()).unwrap();
    assert_eq!(reader.header(), ["na\nme", "é"]);
    assert_eq!(summary(&rows_of(&mut reader)), ["1@6 1|2"]);
    read_as(data, &dialect);
}

#[test]
fn without_a_header_columns_are_numbered() {
    let dialect = Dialect { header: false, ..Dialect::default() };
    let mut reader = CsvReader::open(&b"\nx,y\nz\n"[..], 3, dialect).unwrap();
    assert_eq!(reader.header(), ["column_1", "column_2"]);
    let block = reader.next_block().unwrap().unwrap();
    assert_eq!(block.file, 3);
    assert_eq!(block.damage[0].position.file, 3);
    assert_eq!(block.damage[0].detail, "1 field, the first record has 2");
    assert_eq!(
        summary(&read_with(b"x,y", &Dialect { header: false, ..Dialect::default() })),
        ["1@1 x|y"]
    );
}

#[test]
fn a_header_alone_has_no_rows() {
    assert!(read("a,b").is_empty());
    assert!(read("a,b\r\n\n\r\n").is_empty());
}

#[test]
fn nothing_to_read_is_an_error() {
    for data in ["", "\u{feff}", "\n\r\n\n"] {
        assert!(matches!(refusal(data.as_bytes(), &Dialect::default()), Error::Empty), "{data:?}");
    }
    let skips = Dialect { skip_lines: 9, ..Dialect::default() };
    assert!(matches!(refusal(b"a,b\n1,2\n", &skips), Error::Empty));
}

#[test]
fn other_encodings_are_named() {
    let encoding = |data: &[u8]| match refusal(data, &Dialect::default()) {
        Error::NotUtf8 { encoding } => encoding,
        error => panic!("{error}"),
    };
    assert_eq!(encoding(b"\xff\xfea\0,\0"), "UTF-16LE");
    assert_eq!(encoding(b"\xfe\xff\0a\0,"), "UTF-16BE");
    assert_eq!(encoding(b"\xff\xfe\0\0a\0\0\0"), "UTF-32LE");
}

#[test]
fn a_damaged_header_is_an_error() {
    let fault = |data: &[u8], max: usize| {
        let dialect = Dialect { record_bytes_max: max, ..Dialect::default() };
        match refusal(data, &dialect) {
            Error::HeaderDamaged { line, code, .. } => (line, code),
            error => panic!("{error}"),
        }
    };
    assert_eq!(fault(b"\na,b\"\n", 99), (2, Code::QuoteInField));
    assert_eq!(fault(b"\"a\"b,c\n", 99), (1, Code::TextAfterQuote));
    assert_eq!(fault(b"a,\"b\n1,2\n", 99), (1, Code::UnclosedQuote));
    assert_eq!(fault(b"a,\"b\n1,2\n", 5), (1, Code::RecordTooLong));
    assert_eq!(fault(b"a,\xe9\n", 99), (1, Code::InvalidUtf8));
    assert_eq!(fault(b"a,\0\n", 99), (1, Code::NulByte));
    assert_eq!(fault(b"abcdef\n", 5), (1, Code::RecordTooLong));
}

#[test]
fn columns_need_distinct_names() {
    let duplicate = refusal(b"a,b,a\n", &Dialect::default()).to_string();
    assert_eq!(duplicate, "line 1: columns 1 and 3 are both named `a`; rename one of them");
    let empty = refusal(b"a,,c\n", &Dialect::default()).to_string();
    assert_eq!(empty, "line 1: column 2 has no name; name it, or remove the column");
}

#[test]
fn a_dialect_must_tell_its_bytes_apart() {
    let base = Dialect::default();
    assert_eq!(base.check(), Ok(()));
    for wrong in [
        Dialect { delimiter: b'"', ..base.clone() },
        Dialect { escape: Some(b'"'), ..base.clone() },
        Dialect { delimiter: b'\n', ..base.clone() },
        Dialect { quote: Some(0xe9), ..base.clone() },
        Dialect { record_bytes_max: 0, ..base.clone() },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
        assert!(matches!(refusal(b"a\n", &wrong), Error::Dialect(_)));
    }
}

// What is no record

#[test]
fn damage_with_sound_bounds_costs_its_own_row() {
    let rows = summary(&read_with(
        b"a,b\n1,2\n3\r\n4,5,6\n7,\0\n8,\xff\n9,\"\xc3\xa9\n\"\nx,y\n",
        &Dialect::default(),
    ));
    assert_eq!(
        rows,
        [
            "1@2 1|2",
            "2@3 [field-count] 3",
            "3@4 [field-count] 4,5,6",
            "4@5 [nul-byte] 7,\0",
            "5@6 [invalid-utf8] 8,\u{fffd}",
            "6@7 9|é\n",
            "7@9 x|y"
        ]
    );
}

#[test]
fn details_name_what_was_found_and_no_value() {
    let default = Dialect::default();
    assert_eq!(detail(b"a,b\nsecret\n", &default), "1 field, the header has 2");
    assert_eq!(detail(b"a,b\n1,\xff\n", &default), "byte 3 of the record is not UTF-8");
    assert_eq!(detail(b"a,b\n1,\0\n", &default), "byte 3 of the record is NUL");
    assert_eq!(
        detail(b"a,b\n1,2\"\n3,4\n", &default),
        "a quote in unquoted field 2, byte 4 of the record"
    );
    assert_eq!(
        detail(b"a,b\n1,\"2\"x\n", &default),
        "text after the closing quote of field 2, byte 6 of the record"
    );
    assert_eq!(
        detail(b"a,b\n1,\"2\nx\n3,4\n", &default),
        "the quote that opens field 2, byte 3 of the record, is not closed; \
         no sound record starts before line 4"
    );
    let short = Dialect { record_bytes_max: 4, ..default };
    assert_eq!(
        detail(b"a,b\n1,2345\n", &short),
        "no end within 4 bytes; 7 bytes in all, of which the first 4 are kept"
    );
}

#[test]
fn the_maximum_counts_the_record_without_its_line_end() {
    let dialect = Dialect { record_bytes_max: 5, ..Dialect::default() };
    assert_eq!(
        read_as("a,b\n1,345\r\n1,3456\r\n1,\"3\"\n1,\"34\"\n5,6", &dialect),
        [
            "1@2 1|345",
            "2@3 [record-too-long] 1,345",
            "3@4 1|3",
            "4@5 [record-too-long] 1,\"34",
            "5@6 5|6"
        ]
    );
}

#[test]
fn an_endless_record_is_kept_up_to_the_maximum() {
    let dialect = Dialect { record_bytes_max: 64, ..Dialect::default() };
    let data = format!("a,b\n{}\n1,2\n", "x".repeat(100_000));
    let rows = read_with(data.as_bytes(), &dialect);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].raw().len(), 64);
    assert_eq!(summary(&rows)[1], "2@3 1|2");
}

// Where records go on

#[test]
fn a_stray_opening_quote_does_not_swallow_rows() {
    assert_eq!(
        read("a,b,c\n1,\"2,3\n4,5,6\n7,\"8\",9\nx,y,z\n"),
        ["1@2 [text-after-quote] 1,\"2,3", "2@3 4|5|6", "3@4 7|8|9", "4@5 x|y|z"]
    );
}

#[test]
fn a_lost_closing_quote_costs_one_record() {
    assert_eq!(
        read("a,b,c\n1,\"two\nlines,3\n4,\"5\n5\",6\n7,8,9\n"),
        ["1@2 [text-after-quote] 1,\"two\nlines,3", "2@4 4|5\n5|6", "3@6 7|8|9"]
    );
}

#[test]
fn rows_inside_of_a_cell_are_no_records() {
    // The second record has lost nothing: its cell holds lines that look like rows.
    assert_eq!(
        read("a,b,c\n1,2\"2,3\n4,\"x\np,q,r\ny\",6\n7,8,9\n"),
        ["1@2 [quote-in-field] 1,2\"2,3", "2@3 4|x\np,q,r\ny|6", "3@6 7|8|9"]
    );
    // Text before the opening quote: what the quote opens is known by what closes it.
    assert_eq!(
        read("a,b,c\n1,!\"x\np,q,r\ny\",3\n7,8,9\n"),
        ["1@2 [quote-in-field] 1,!\"x\np,q,r\ny\",3", "2@5 7|8|9"]
    );
    assert_eq!(
        read("a,b,c\n1,!\"x\np,q,r\nsays \"\"y\"\"\nz\",3\n7,8,9\n"),
        ["1@2 [quote-in-field] 1,!\"x\np,q,r\nsays \"\"y\"\"\nz\",3", "2@6 7|8|9"]
    );
}

#[test]
fn a_record_without_its_opening_quote_is_one_damage() {
    for (data, damaged) in [
        // The head has too few fields.
        ("1,2,3\n4,five\nfive\",6\n7,8,9\n", "4,five\nfive\",6"),
        // The head has all fields, for the cell is the last one.
        ("1,2,3\n4,5,six\nsix\n\nsix\"\n7,8,9\n", "4,5,six\nsix\n\nsix\""),
        // Doubled quotes in the part that is left.
        ("1,2,3\n4,5,six\nsays \"\"six\"\"\nsix\"\n7,8,9\n", "4,5,six\nsays \"\"six\"\"\nsix\""),
        // At the end of the file.
        ("1,2,3\n4,5,six\nsix\"", "4,5,six\nsix\""),
    ] {
        let rows = read(&format!("a,b,c\n{data}"));
        assert_eq!(rows[..2], ["1@2 1|2|3".to_owned(), format!("2@3 [quote-in-field] {damaged}")]);
        assert_eq!(rows.len(), if data.contains('7') { 3 } else { 2 });
        assert!(rows[2..].iter().all(|row| row.ends_with(" 7|8|9") && row.starts_with("3@")));
    }
}

#[test]
fn a_stray_quote_does_not_cost_the_row_before() {
    assert_eq!(
        read("a,b,c\n1,2,3\n4,5,27\"\n6,27\",7\n8,9,0\n"),
        ["1@2 1|2|3", "2@3 [quote-in-field] 4,5,27\"\n6,27\",7", "3@5 8|9|0"]
    );
}

#[test]
fn many_stray_quotes_cost_their_own_rows() {
    let bad_and_good = "1,27\",x\n2,3,4\n5,6,7\n";
    let rows = read(&format!("a,b,c\n{}", bad_and_good.repeat(200)));
    assert_eq!(rows.len(), 600);
    assert_eq!(rows.iter().filter(|row| row.contains("[quote-in-field] 1,27\",x")).count(), 200);
}

#[test]
fn damage_at_the_end_of_the_file() {
    assert_eq!(read("a,b\n1,2\n3,\"4"), ["1@2 1|2", "2@3 [unclosed-quote] 3,\"4"]);
    assert_eq!(read("a,b\n1,2\n3,4\"\r\n"), ["1@2 1|2", "2@3 [quote-in-field] 3,4\""]);
    assert_eq!(read("a,b\n1,2\n3,\"4\"\r"), ["1@2 1|2", "2@3 [text-after-quote] 3,\"4\"\r"]);
    assert_eq!(read("a,b\n1,2\n3,\"4\n5,6"), ["1@2 1|2", "2@3 [unclosed-quote] 3,\"4", "3@4 5|6"]);
}

#[test]
fn an_unclosed_quote_swallows_no_more_than_its_row() {
    let mut data = b"a,b\n1,2\n3,\"open\n".to_vec();
    let mut rows = 0;
    while data.len() < 3 << 20 {
        data.extend_from_slice(b"some,row of a long file\n");
        rows += 1;
    }
    let read = read_with(&data, &Dialect::default());
    assert_eq!(read.len(), rows + 2);
    assert_eq!(summary(&read[1..2]), ["2@3 [record-too-long] 3,\"open"]);
}

#[test]
fn hostile_files_take_linear_time() {
    let start = std::time::Instant::now();
    for (first, line) in [
        ("", "1,27\",x\n"),
        ("\"", "\"\"\n"),
        ("", "x\"y,\"z\n"),
        ("", "x\\\n"),
        ("", "\"\"\"x\n"),
        ("", ",\",\"\n"),
        ("\"", "1,2,3\n"),
        ("x\"\n", "a,\"\",\n"),
    ] {
        let data = format!("a,b,c\n{first}{}", line.repeat(1_000_000 / line.len()));
        for (escape, lenient_quotes) in [(None, false), (Some(b'\\'), false), (None, true)] {
            let dialect = Dialect { escape, lenient_quotes, ..Dialect::default() };
            let rows = read_with(data.as_bytes(), &dialect);
            assert!(!rows.is_empty());
        }
    }
    assert!(start.elapsed().as_secs() < 120, "quadratic time would be hours");
}

#[test]
fn samples_of_the_wild_are_read() {
    let Some(corpora) = std::env::var_os("MOEBULK_CORPORA") else {
        return;
    };
    let folder = std::path::Path::new(&corpora).join("csv-spectrum/csvs");
    let Ok(files) = std::fs::read_dir(&folder) else {
        return;
    };
    for file in files {
        let path = file.unwrap().path();
        let data = std::fs::read(&path).unwrap();
        let mut expected = csv::Reader::from_reader(&data[..]);
        // One sample has stray quotes, which the `csv` crate always takes literally.
        let dialect = Dialect { lenient_quotes: true, ..Dialect::default() };
        let mut reader = CsvReader::open(&data[..], 0, dialect).unwrap();
        let names: Vec<_> = expected.headers().unwrap().iter().map(str::to_owned).collect();
        assert_eq!(reader.header(), names, "{}", path.display());
        let rows = rows_of(&mut reader);
        assert_eq!(rows.len(), csv::Reader::from_reader(&data[..]).byte_records().count());
        for (row, record) in rows.iter().zip(expected.byte_records().map(Result::unwrap)) {
            let Row::Sound { cells, .. } = row else { panic!("{}: {row:?}", path.display()) };
            assert!(record.iter().eq(cells.iter().map(Vec::as_slice)), "{}", path.display());
        }
    }
}
