//! What is found of a file's dialect, on written and on generated files.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    CsvReader, Dialect, Error, Given, Transcoder, find_dialect, find_encoding,
    tests::{Row, rows_of},
};
use crate::model::TextEncoding;

/// What is found: the dialect, or the delimiters that both fit.
fn find_with(text: &str, given: &Given<'_>) -> Result<Dialect, String> {
    find_dialect(text.as_bytes(), given).map_err(|error| match error {
        Error::TwoDelimiters { one, other, .. } => format!("{one} {other}"),
        error => panic!("{error}"),
    })
}

fn given<'a>(dialect: &'a Dialect, names: &'a [String]) -> Given<'a> {
    Given {
        dialect,
        encoding: None,
        delimiter_given: false,
        quote_given: false,
        delimiter_by_name: b',',
        names,
    }
}

/// The delimiter and quote that are found, as text, with `customer_id` looked for.
fn find_in(text: &str, dialect: &Dialect, by_name: u8) -> String {
    let names = ["customer_id".to_owned()];
    let given = Given { delimiter_by_name: by_name, ..given(dialect, &names) };
    match find_with(text, &given) {
        Ok(found) => {
            let quote = found.quote.map_or('-', char::from);
            format!("{}{quote}", char::from(found.delimiter))
        }
        Err(two) => two,
    }
}

fn find(text: &str) -> String {
    find_in(text, &Dialect::default(), b',')
}

#[test]
fn one_field_count_in_all_records_tells_the_delimiter() {
    assert_eq!(find("uid;name\n1;Ann\n2;\"Li; Wu\"\n"), ";\"");
    assert_eq!(find("uid\tname\n1\tAnn, B.\n"), "\t\"");
    assert_eq!(find("\u{feff}uid|name|x\r\n1|Ann|\r\n\r\n2|B|\"\"\r\n"), "|\"");
    // Lines that are no records say nothing of the delimiter.
    let skips = Dialect { skip_lines: 2, ..Dialect::default() };
    assert_eq!(find_in("a,b\nc,d\nuid;name\n1;2\n", &skips, b','), ";\"");
    // A byte that is no text does not either.
    let found = find_dialect(&b"uid;name\n1;\xff\n2;x\n"[..], &given(&Dialect::default(), &[]));
    assert_eq!(found.unwrap().delimiter, b';');
}

#[test]
fn names_outweigh_counts() {
    // Every record has one `;` as well.
    assert_eq!(find("customer_id,tags;x\n1,a;b\n2,c;d\n"), ",\"");
    assert_eq!(find("customer_id;tags,x\n1;a,b\n2;c,d\n"), ";\"");
    // Damaged records, and the names still tell.
    assert_eq!(find("customer_id;size\n1;27\"\n2\n3;4;5\n"), ";\"");
    // Without them a header that could not be used is no header.
    assert_eq!(find("uid,a;;b\n1,2;;3\n"), ",\"");
    assert_eq!(find("x,uid;x,a\n1,2;3,4\n"), ", ;");
}

#[test]
fn where_two_fit_the_user_decides() {
    assert_eq!(find("uid,tags;x\n1,a;b\n2,c;d\n"), ", ;");
    let headless = Dialect { header: false, ..Dialect::default() };
    assert_eq!(find_in("customer_id,a;b\n1,c;d\n", &headless, b','), ", ;");
    assert_eq!(find_in("uid\tb,c\n1\td,e\n", &Dialect::default(), b'\t'), "\t\"");
    let two = find_dialect(&b"uid,a|x\n1,a|b\n"[..], &given(&Dialect::default(), &[]));
    assert_eq!(
        two.unwrap_err().to_string(),
        "reads as 2 columns with the delimiter `,` and as 2 with `|`; say which it is with --delimiter"
    );
    let semicolon = Dialect { delimiter: b';', ..Dialect::default() };
    let told = Given { delimiter_given: true, ..given(&semicolon, &[]) };
    assert_eq!(find_with("uid,tags;x\n1,a;b\n", &told), Ok(semicolon.clone()));
}

#[test]
fn where_none_fits_it_is_the_usual_one() {
    for text in ["", "\n", "uid\n1\n2\n", "a,b\n1\n2;3\n", "a;b;c\n1;2\n", "a,b\n1,2\"\n", "\"a\n"]
    {
        assert_eq!(find(text), ",\"", "{text:?}");
        assert_eq!(find_in(text, &Dialect::default(), b'\t'), "\t\"", "{text:?}");
    }
}

#[test]
fn a_single_quote_encloses_the_header_or_makes_the_records_fit() {
    assert_eq!(find("'customer_id';'name'\n'1';'Li; Wu'\n"), ";'");
    assert_eq!(find("customer_id,name\n1,'Li, Wu'\n2,x\n"), ",'");
    assert_eq!(find("uid|name\n1|'two\nlines'\n2|x\n"), "|'");
    // An apostrophe is none, nor is one beside broken double quotes.
    assert_eq!(find("customer_id,name\n1,'tis\n2,O'Brien\n3,'quoted'\n"), ",\"");
    assert_eq!(find("customer_id,name\n1,'quoted'\n2,27\"\n"), ",\"");
    assert_eq!(find("customer_id,name\n1,x\n2,27\"\n"), ",\"");
    let none = Dialect { quote: None, ..Dialect::default() };
    let told = Given { quote_given: true, ..given(&none, &[]) };
    assert_eq!(
        find_with("uid;x\n'1';27\"\n", &told),
        Ok(Dialect { delimiter: b';', ..none.clone() })
    );
}

#[test]
fn a_rejects_file_is_read_whatever_flags_its_source_had() {
    let dialect = Dialect { header: false, skip_lines: 3, ..Dialect::default() };
    let text = "'column_1';'column_2';'_moebulk_message'\n1;2;a, b\n3;4;'c;d'\n";
    let found = find_with(text, &given(&dialect, &[])).unwrap();
    assert_eq!((found.delimiter, found.quote), (b';', Some(b'\'')));
    let mut reader = CsvReader::open(text.as_bytes(), 0, found).unwrap();
    assert_eq!(reader.header(), ["column_1", "column_2", "_moebulk_message"]);
    assert_eq!(rows_of(&mut reader).len(), 2);
}

#[test]
fn a_sample_may_end_within_a_cell() {
    let long =
        format!("uid;text\n{}1;\"{}\"\n", "0;a,b\n".repeat(9), "line, of; text\n".repeat(90_000));
    assert_eq!(find(&long), ";\"");
}

#[test]
fn marks_tell_the_encoding_and_may_not_contradict_the_flag() {
    let utf_16 = [Some(TextEncoding::Utf16Le), Some(TextEncoding::Utf16Be)];
    let latin = Some(TextEncoding::Latin1);
    for (start, flag, expected) in [
        (&b"a,b"[..], None, Ok("UTF-8")),
        (b"a,b", latin, Ok("ISO-8859-1")),
        (b"\xef\xbb\xbfa", None, Ok("UTF-8")),
        (b"\xff\xfea\0", None, Ok("UTF-16LE")),
        (b"\xfe\xff\0a", None, Ok("UTF-16BE")),
        (b"\xfe\xff\0a", utf_16[0], Ok("UTF-16BE")),
        (b"\0a\0,", utf_16[1], Ok("UTF-16BE")),
        (
            b"\xef\xbb\xbfa",
            latin,
            Err(
                "begins with the byte order mark of UTF-8, and --encoding says ISO-8859-1; leave the flag out",
            ),
        ),
        (b"\xff\xfe\0\0", utf_16[0], Err("is UTF-32LE, not UTF-8; save it as UTF-8")),
    ] {
        let found = find_encoding(start, flag).map(TextEncoding::name).map_err(|e| e.to_string());
        assert_eq!(found, expected.map_err(str::to_owned), "{start:?}");
    }
}

/// A table and how to write it.
#[derive(Clone, Debug)]
struct Written {
    rows: Vec<Vec<String>>,
    delimiter: char,
    quote: char,
    line_end: &'static str,
    label: &'static str,
    mark: bool,
    enclose_all: bool,
}

/// Characters that every encoding in question has.
const CELL: &str = "[a-zé;,|\t'\"\n ]{0,6}";

fn written() -> impl Strategy<Value = Written> {
    let columns = 2..5usize;
    let rows = columns.prop_flat_map(|columns| vec(vec(CELL, columns), 1..8));
    let form = (
        select(vec![',', ';', '\t', '|']),
        select(vec!['"', '\'']),
        select(vec!["\n", "\r\n"]),
        select(vec!["utf-8", "utf-16le", "utf-16be", "windows-1252", "latin-1", "gb18030"]),
        any::<bool>(),
        any::<bool>(),
    );
    (rows, form).prop_map(|(rows, (delimiter, quote, line_end, label, mark, enclose_all))| {
        Written { rows, delimiter, quote, line_end, label, mark, enclose_all }
    })
}

impl Written {
    fn encoding(&self) -> TextEncoding {
        TextEncoding::of_label(self.label).unwrap()
    }

    /// The file, under a header with names in the quote.
    fn bytes(&self, names: &[&str]) -> Vec<u8> {
        let mut text = String::new();
        let names =
            names.iter().map(|name| self.cell(name, self.quote == '\'')).collect::<Vec<_>>();
        let delimiter = self.delimiter.to_string();
        text += &(names.join(&delimiter) + self.line_end);
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|cell| self.cell(cell, self.enclose_all)).collect();
            text += &(cells.join(&delimiter) + self.line_end);
        }
        let encoding = self.encoding();
        let mut bytes = if self.mark { encoding.mark().to_vec() } else { Vec::new() };
        encoding.encode(text.as_bytes(), &mut bytes);
        bytes
    }

    fn cell(&self, cell: &str, enclose: bool) -> String {
        let special = |c: char| c == self.delimiter || matches!(c, '"' | '\'' | '\n');
        if enclose || cell.contains(special) {
            let quote = self.quote.to_string();
            format!("{quote}{}{quote}", cell.replace(self.quote, &quote.repeat(2)))
        } else {
            cell.to_owned()
        }
    }

    fn dialect_found(&self, bytes: &[u8], names: &[String]) -> Result<Dialect, Error> {
        let start = &bytes[..bytes.len().min(4)];
        let told = (!(self.mark && self.encoding().is_utf_16())).then(|| self.encoding());
        let encoding = find_encoding(start, told)?;
        let dialect = Dialect::default();
        let found = find_dialect(Transcoder::new(bytes, encoding), &given(&dialect, names))?;
        Ok(Dialect { encoding, ..found })
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        rng_seed: proptest::test_runner::RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_table_is_read_as_it_was_written(table in written()) {
        let columns = table.rows[0].len();
        let header: Vec<&str> = ["customer_id", "b", "c", "d"][..columns].to_vec();
        let bytes = table.bytes(&header);
        let names = ["customer_id".to_owned()];
        let dialect = table.dialect_found(&bytes, &names).unwrap();
        prop_assert_eq!(char::from(dialect.delimiter), table.delimiter);
        prop_assert_eq!(dialect.quote.map(char::from), Some(table.quote));
        let text = Transcoder::new(&bytes[..], dialect.encoding);
        let mut reader = CsvReader::open(text, 0, dialect).unwrap();
        prop_assert_eq!(reader.header(), header.as_slice());
        let rows = rows_of(&mut reader);
        prop_assert_eq!(rows.len(), table.rows.len());
        for (row, expected) in rows.iter().zip(&table.rows) {
            let Row::Sound { cells, .. } = row else { panic!("{row:?}") };
            prop_assert!(expected.iter().map(String::as_bytes).eq(cells.iter().map(Vec::as_slice)));
        }
    }

    /// With no name to go by, another delimiter is never taken: it is the one that wrote
    /// the file, or two fit and the file is refused.
    #[test]
    fn no_other_delimiter_is_guessed(table in written()) {
        let columns = table.rows[0].len();
        let bytes = table.bytes(&["uid", "b", "c", "d"][..columns]);
        match table.dialect_found(&bytes, &[]) {
            Ok(found) => prop_assert_eq!(char::from(found.delimiter), table.delimiter),
            Err(error) => prop_assert!(matches!(error, Error::TwoDelimiters { .. }), "{error}"),
        }
    }
}
