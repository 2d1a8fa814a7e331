//! Levels of objects, of which some are the mapping's and some the value's: the server counts them
//! together, whatever file the value is from.

use std::{collections::BTreeSet, fs, fs::File, path::Path, process::Command, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, StructArray},
    datatypes::{DataType, Field},
};
use moebulk::sandbox::{Options, Sandbox};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::scene::look;

/// Levels that the server keeps.
const KEPT: usize = 2;

/// Objects that a mapping puts around a column, and objects of its value.
#[derive(Clone, Copy)]
struct Column {
    around: usize,
    inside: usize,
}

impl Column {
    fn all() -> Vec<Self> {
        let inside = |around| (1..=KEPT + 1).map(move |inside| Self { around, inside });
        (0..=KEPT + 1).flat_map(inside).collect()
    }

    fn name(self) -> String {
        format!("c{}{}", self.around, self.inside)
    }

    /// A user has ten attributes that are objects, so all share one where they can.
    fn path(self) -> String {
        format!("{}{}", ["", "o.", "o.x.", "o.x.y."][self.around], self.name())
    }

    fn document(self) -> String {
        format!("{}1{}", "{\"k\":".repeat(self.inside), "}".repeat(self.inside))
    }

    fn is_deep(self) -> bool {
        self.around + self.inside > KEPT
    }
}

/// A file in which each row has a value in a column of its own.
fn write(path: &Path, columns: &[Column]) {
    let ids = (1..=columns.len()).map(|row| format!("user-{row}"));
    match path.extension().and_then(|name| name.to_str()) {
        Some("csv") => {
            let mut writer = csv::Writer::from_path(path).expect("a file");
            let names = columns.iter().map(|column| column.name());
            writer.write_record(["customer_id".to_owned()].into_iter().chain(names)).expect("head");
            for (at, id) in ids.enumerate() {
                let mut record = vec![String::new(); columns.len() + 1];
                record[0] = id;
                record[at + 1] = columns[at].document();
                writer.write_record(record).expect("a record");
            }
            writer.flush().expect("written");
        }
        Some("ndjson") => {
            let lines = ids.zip(columns).map(|(id, column)| {
                let (name, document) = (column.name(), column.document());
                format!("{{\"customer_id\":\"{id}\",\"{name}\":{document}}}\n")
            });
            fs::write(path, lines.collect::<String>()).expect("a file");
        }
        _ => {
            let ids: ArrayRef = Arc::new(StringArray::from_iter_values(ids));
            let mut arrays = vec![("customer_id".to_owned(), ids, false)];
            for (at, column) in columns.iter().enumerate() {
                let ones: Int64Array =
                    (0..columns.len()).map(|row| (row == at).then_some(1)).collect();
                let nulls = ones.nulls().cloned();
                let mut array: ArrayRef = Arc::new(ones);
                for _ in 0..column.inside {
                    let field = Field::new("k", array.data_type().clone(), true);
                    let fields = vec![field].into();
                    array = Arc::new(StructArray::new(fields, vec![array], nulls.clone()));
                }
                assert!(matches!(array.data_type(), DataType::Struct(_)));
                arrays.push((column.name(), array, true));
            }
            let batch = RecordBatch::try_from_iter_with_nullable(arrays).expect("a batch");
            let file = File::create(path).expect("a file");
            let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
            writer.write(&batch).expect("written");
            writer.close().expect("closed");
        }
    }
}

/// Imports a file to an emulator; the report.
#[track_caller]
fn import(dir: &Path, file: &str, sandbox: &Sandbox) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .args(["import", file, "--mapping", "mapping.toml", "--run-dir", "run", "--yes"])
        .args(["--app-id", "SANDBOX", "--endpoint", &sandbox.url()])
        .current_dir(dir)
        .env("XDG_STATE_HOME", dir.join("state"))
        .env("MOENGAGE_DATA_API_KEY", "sandbox-key")
        .output()
        .expect("the binary runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{file}: {stderr}");
    let report = fs::read_to_string(dir.join("run/report.json")).expect("a report");
    serde_json::from_str(&report).expect("JSON")
}

/// Column and count of each warning, all of which are of one code.
fn warned(report: &Value) -> BTreeSet<(String, u64)> {
    let problems = report["problems"].as_array().expect("a list");
    let said = problems.iter().map(|problem| {
        assert_eq!(problem["code"], "object-depth", "{problem}");
        let column = problem["column"].as_str().expect("a name").to_owned();
        (column, problem["count"].as_u64().expect("a count"))
    });
    said.collect()
}

#[test]
fn levels_of_the_mapping_and_of_the_value_count_together() {
    let columns = Column::all();
    let lines = columns.iter().map(|column| {
        format!("{} = {{ attribute = \"{}\", type = \"json\" }}\n", column.name(), column.path())
    });
    let lines: String = lines.collect();
    let mapping =
        format!("kind = \"users\"\n[columns]\ncustomer_id = {{ to = \"customer_id\" }}\n{lines}");
    let deep: Vec<usize> = (0..columns.len()).filter(|&at| columns[at].is_deep()).collect();
    assert_eq!((columns.len(), deep.len()), (12, 9));
    for file in ["in.csv", "in.ndjson", "in.parquet"] {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        write(&dir.join(file), &columns);
        fs::write(dir.join("mapping.toml"), &mapping).expect("a mapping");
        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        let report = import(dir, file, &sandbox);
        let expected = deep.iter().map(|&at| (columns[at].name(), 1)).collect();
        assert_eq!(warned(&report), expected, "{file}");
        let page = look(&sandbox, "dropped");
        let changes = page["dropped"].as_array().expect("a list");
        let changed: Vec<_> = changes
            .iter()
            .map(|change| {
                assert_eq!(change["rule"], "object-levels", "{file}: {change}");
                change["element"].as_u64().expect("an index") as usize
            })
            .collect();
        assert_eq!(changed, deep, "{file}");
    }
}

#[test]
fn levels_of_a_constant_count_from_its_attribute() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    fs::write(dir.join("in.csv"), "customer_id\nuser-1\n").expect("a file");
    let mapping = "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\n[constants]\n\
        \"a.b\" = { c = 1 }\n\"d.e\" = { f = { g = 1 } }\n\"h\" = { i = { j = 1 } }\n\
        \"k.l.m\" = [{ n = 1 }]\n\"p.q.r\" = [1]\n";
    fs::write(dir.join("mapping.toml"), mapping).expect("a mapping");
    let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
    let report = import(dir, "in.csv", &sandbox);
    let expected = ["constant d.e", "constant k.l.m"].map(|name| (name.to_owned(), 1));
    assert_eq!(warned(&report), BTreeSet::from(expected));
    assert_eq!(look(&sandbox, "dropped")["count"], 2);
}
