//! The rejects file: its cells mended, that very file is imported again and gives the mended rows.

use std::{fs::File, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray},
    compute::concat_batches,
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::{
    data::{self, Form, PLAIN},
    reference::{Cell, Column, Row, Rules, Table, Type, expect, mapping_json, read_parquet},
    support::{Json, Lab, assert_same},
};

/// Imports, mends every other reject, imports the rejects file, mends what is left of it, and
/// imports that: nothing is lost on the way and nothing is another value.
fn mended_in_two_steps(
    lab: &Lab,
    input: &str,
    source: Table,
    mapping: &[Column],
    flags: &[&str],
    read: impl Fn(&Path) -> Table,
    write: impl Fn(&Path, &Table),
) {
    let (mut input, mut source) = (input.to_owned(), source);
    let extension = if source.typed { "parquet" } else { "csv" };
    for steps_left in (0..3).rev() {
        let expected = expect(std::slice::from_ref(&source), Some(mapping), &Rules::default());
        let code = i32::from(expected.rejected > 0);
        let (report, found) = lab.import(code, &[&[input.as_str()], flags].concat());
        assert_same(&expected.elements, &found);
        expected.assert_report(&report);
        let rejects = format!("{}/rejects.{extension}", report["run_dir"].as_str().expect("a run"));
        let path = lab.path(&rejects);
        if steps_left == 0 {
            assert_eq!(expected.rejected, 0);
            assert!(!path.exists(), "nothing is left to mend");
            return;
        }
        let mut table = read(&path);
        assert_rejects(&table, &source, mapping, &expected.rejects, &input);
        for (at, row) in table.rows.iter_mut().enumerate() {
            if steps_left == 1 || at % 2 == 0 {
                mend(&table.columns, row, mapping, at);
            }
        }
        write(&path, &table);
        (input, source) = (rejects, table);
    }
}

/// The rejects are the source's rejected rows, each with where it stood and why.
fn assert_rejects(
    found: &Table,
    source: &Table,
    mapping: &[Column],
    rejected: &[bool],
    input: &str,
) {
    let rows = source.rows.iter().zip(rejected).zip(1..);
    let expected: Vec<(&[Cell], u64)> = rows
        .filter_map(|((row, &rejected), number)| match row {
            Row::Cells(cells) if rejected => Some((cells.as_slice(), number)),
            _ => None,
        })
        .collect();
    assert!(expected.len() > 20, "{} rejects are too few to tell", expected.len());
    assert_eq!(found.rows.len(), expected.len());
    for (row, (cells, number)) in found.rows.iter().zip(expected) {
        let Row::Cells(row) = row else { panic!("{row:?}") };
        let of = |table: &Table, cells: &[Cell], name: &str| {
            let at = table.columns.iter().position(|column| column == name);
            // As text, since NaN equals nothing.
            format!("{:?}", cells[at.unwrap_or_else(|| panic!("no column {name}"))])
        };
        for column in mapping {
            let [found, expected] =
                [of(found, row, &column.source), of(source, cells, &column.source)];
            assert_eq!(found, expected, "{} of row {number} of {input}", column.source);
        }
        assert_eq!(of(found, row, "_moebulk_file"), format!("{:?}", Cell::Text(input.to_owned())));
        assert!(of(found, row, "_moebulk_row").contains(&format!("(\"{number}\")")));
        for name in ["_moebulk_codes", "_moebulk_message"] {
            assert_ne!(of(found, row, name), format!("{:?}", Cell::Text(String::new())));
        }
    }
}

/// Puts a sound value into each cell for which the row is rejected.
fn mend(columns: &[String], row: &mut Row, mapping: &[Column], number: usize) {
    let alone = Table { columns: columns.to_vec(), rows: vec![row.clone()], typed: false };
    let problems = expect(&[alone], Some(mapping), &Rules::default()).counts;
    let Row::Cells(cells) = row else { panic!("{row:?}") };
    for (_, severity, column) in problems.keys().filter(|(_, severity, _)| severity == "reject") {
        let source = column.as_ref().unwrap_or_else(|| panic!("a {severity} without a column"));
        let at = columns.iter().position(|name| name == source).expect("its column");
        let ty = mapping.iter().find(|column| column.source == *source).expect("its type").ty;
        cells[at] = match (ty, &cells[at]) {
            (_, Cell::Double(_)) => Cell::Double(1.5),
            (Type::Text, _) => Cell::Text(format!("mended-{number}")),
            (Type::Number, _) => Cell::Text("+0012.50".to_owned()),
            (Type::Bool, _) => Cell::Text("TRUE".to_owned()),
            (Type::Date(""), _) => Cell::Text("1990-02-28T10:00+01:00".to_owned()),
            (Type::Date(_), _) => Cell::Text("01/02/2026 03:04:05".to_owned()),
        };
    }
}

#[test]
fn rejects_of_csv_in_every_dialect() {
    let semicolon = Form { delimiter: ';', ..PLAIN };
    let tab = Form { delimiter: '\t', line_end: "\r\n", ..PLAIN };
    let single = Form { quote: '\'', line_end: "\r\n", ..PLAIN };
    for (seed, form, flags) in [
        (51, semicolon, ["--delimiter", ";"]),
        (52, tab, ["--delimiter", "tab"]),
        (53, single, ["--quote", "'"]),
    ] {
        let lab = Lab::new();
        let table = data::users(seed, 600, true);
        lab.write("users.csv", data::csv_bytes(&table, form, seed).0);
        let mapping = data::users_mapping();
        lab.write("map.json", mapping_json(&mapping, &["big", "u_fn"]));
        let flags = [flags.as_slice(), &["--mapping", "map.json"]].concat();
        let (delimiter, quote) = (form.delimiter as u8, form.quote as u8);
        let read = |path: &Path| {
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .quote(quote)
                .from_path(path)
                .expect("a rejects file");
            let header = reader.headers().expect("a header").clone();
            let columns: Vec<String> = header.iter().map(str::to_owned).collect();
            let ours = ["file", "row", "line", "codes", "message"];
            let ours = ours.map(|name| format!("_moebulk_{name}"));
            assert_eq!(columns, [table.columns.as_slice(), &ours].concat());
            let cells = |record: csv::StringRecord| {
                Row::Cells(record.iter().map(|text| Cell::Text(text.to_owned())).collect())
            };
            let rows = reader.records().map(|record| cells(record.expect("a record"))).collect();
            Table { columns, rows, typed: false }
        };
        // As a spreadsheet saves it, in the same dialect.
        let write = |path: &Path, table: &Table| {
            let terminator = if form.line_end == "\n" {
                csv::Terminator::Any(b'\n')
            } else {
                csv::Terminator::CRLF
            };
            let mut writer = csv::WriterBuilder::new()
                .delimiter(delimiter)
                .quote(quote)
                .terminator(terminator)
                .from_path(path)
                .expect("a file");
            writer.write_record(&table.columns).expect("a header");
            for row in &table.rows {
                let Row::Cells(cells) = row else { panic!("{row:?}") };
                let text = |cell: &Cell| match cell {
                    Cell::Text(text) => text.clone(),
                    other => panic!("{other:?}"),
                };
                writer.write_record(cells.iter().map(text)).expect("a record");
            }
            writer.flush().expect("all of it");
        };
        mended_in_two_steps(&lab, "users.csv", table.clone(), &mapping, &flags, read, write);
    }
}

#[test]
fn rejects_of_parquet() {
    let lab = Lab::new();
    data::users_parquet(&lab.path("users.parquet"), 54, 900);
    let mapping = data::users_parquet_mapping();
    lab.write("map.json", mapping_json(&mapping, &["day"]));
    let source = read_parquet(&lab.path("users.parquet"));
    // The columns that have rejects, as they are mended; the others as they stand, types included.
    let write = |path: &Path, table: &Table| {
        let file = File::open(path).expect("a rejects file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        let schema = Arc::clone(reader.schema());
        let batches: Vec<RecordBatch> =
            reader.build().expect("a reader").map(|batch| batch.expect("a batch")).collect();
        let whole = concat_batches(&schema, &batches).expect("one batch");
        let cells = |name: &str| {
            let at = table.columns.iter().position(|column| column == name).expect("a column");
            table.rows.iter().map(move |row| match row {
                Row::Cells(cells) => cells[at].clone(),
                damaged => panic!("{damaged:?}"),
            })
        };
        let column = |(at, name): (usize, &String)| -> ArrayRef {
            match name.as_str() {
                "customer_id" | "u_fn" => {
                    Arc::new(StringArray::from_iter(cells(name).map(|cell| match cell {
                        Cell::Text(text) => Some(text),
                        _ => None,
                    })))
                }
                "double" => Arc::new(Float64Array::from_iter(cells(name).map(|cell| match cell {
                    Cell::Double(value) => Some(value),
                    _ => None,
                }))),
                _ => Arc::clone(whole.column(at)),
            }
        };
        let columns = table.columns.iter().enumerate().map(column).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("the same schema");
        let file = File::create(path).expect("a file");
        let mut writer = ArrowWriter::try_new(file, schema, None).expect("a writer");
        writer.write(&batch).expect("rows");
        writer.close().expect("a footer");
    };
    let flags = ["--mapping", "map.json"];
    mended_in_two_steps(&lab, "users.parquet", source, &mapping, &flags, read_parquet, write);
}

/// It begins with a header, whatever its source began with: the same flags import it.
#[test]
fn rejects_of_a_file_without_a_header_have_one() {
    let lab = Lab::new();
    lab.write("users.csv", "a preamble\nnull,ann\nuser-2,bob\n");
    let mapping = [("column_1", "uid"), ("column_2", "name")]
        .map(|(name, attribute)| serde_json::json!({"column": name, "moe_attr": attribute}));
    lab.write("map.json", serde_json::json!({ "mapping": mapping }).to_string());
    let flags = ["--no-header", "--skip-lines", "1", "--mapping", "map.json"];
    let report = lab.report(1, &[&["validate", "users.csv"], flags.as_slice()].concat());
    let rejects = format!("{}/rejects.csv", report["run_dir"].as_str().expect("a run"));
    let mended = String::from_utf8(lab.read(&rejects)).expect("UTF-8");
    lab.write(&rejects, mended.replace("\nnull,", "\nuser-1,"));
    let (report, found) = lab.pack(0, &[&[rejects.as_str()], flags.as_slice()].concat());
    assert_eq!(report["rows"]["read"], 1);
    assert_eq!(*found[0].get("customer_id"), Json::text("user-1"));
    assert_eq!(*found[0].get("attributes").get("name"), Json::text("ann"));
}

/// It is called rejects.csv whatever separates its columns, and needs no flag to say so.
#[test]
fn rejects_of_other_delimiters_are_read_by_what_stands_in_them() {
    for (name, flags) in [("users.tsv", [].as_slice()), ("users.csv", &["--delimiter", "tab"])] {
        let lab = Lab::new();
        lab.write(name, "customer_id\tname\nnull\ta,b;c\nuser-2\tsound\n");
        let report = lab.report(1, &[&["validate", name], flags].concat());
        let rejects = format!("{}/rejects.csv", report["run_dir"].as_str().expect("a run"));
        let mended = String::from_utf8(lab.read(&rejects)).expect("UTF-8");
        lab.write(&rejects, mended.replace("\nnull\t", "\nuser-1\t"));
        let (_, found) = lab.pack(0, &[&rejects]);
        let user = Json::object([
            ("type", Json::text("customer")),
            ("customer_id", Json::text("user-1")),
            ("attributes", Json::object([("name", Json::text("a,b;c"))])),
        ]);
        assert_same(&[user], &found);
    }
}

/// Where quotes mean nothing, escapes alone hold delimiters and line ends. The rejects of rejects
/// are written anew, without our own columns.
#[test]
fn rejects_without_quotes_keep_what_escapes_hold() {
    let lab = Lab::new();
    let csv = "customer_id,name,n\nuser-1,a\\,b,x\nuser-2,c\\\\,x\nuser-3,two\\\nlines,x\n\
               user-4,one\rline \"here\",x\nuser-5,last,x\\";
    lab.write("users.csv", csv);
    let mapping = [("customer_id", "string"), ("name", "string"), ("n", "double")]
        .map(|(name, ty)| serde_json::json!({"column": name, "moe_attr": name, "type": ty}));
    lab.write("map.json", serde_json::json!({ "mapping": mapping }).to_string());
    let flags = ["--mapping", "map.json", "--quote", "none", "--escape", "\\"];
    let mut input = "users.csv".to_owned();
    for step in 0..3 {
        let report = lab.report(1, &[&["validate", &input], flags.as_slice()].concat());
        assert_eq!(report["rows"]["rejected"], 5, "step {step}");
        assert_eq!(report["problems"][0]["code"], "type-number", "step {step}");
        assert_eq!(report["problems"][0]["count"], 5, "step {step}");
        input = format!("{}/rejects.csv", report["run_dir"].as_str().expect("a run"));
    }
    let omit = ["--on-type-error", "omit"];
    let (_, found) = lab.pack(0, &[&[input.as_str()], flags.as_slice(), &omit].concat());
    let names: Vec<&Json> =
        found.iter().map(|element| element.get("attributes").get("name")).collect();
    let expected = ["a,b", "c\\", "two\nlines", "one\rline \"here\"", "last"].map(Json::text);
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
}
