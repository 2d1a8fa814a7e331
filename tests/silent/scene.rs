//! A file with rows that break a rule and rows that just don't, through the real binary.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
};

use moebulk::sandbox::{Options, Sandbox};
use serde_json::Value;

/// What is to be held of one rule.
#[derive(Default)]
pub struct Case {
    /// `users`, where it is not said otherwise.
    pub kind: Option<&'static str>,
    /// The mapping in TOML, where there is one; the id and the event's own columns are added.
    pub columns: Option<String>,
    /// Names of the columns behind the added ones.
    pub header: Vec<String>,
    /// Cells of these columns, from row 1 on.
    pub rows: Vec<Vec<String>>,
    /// Code, column and rows of every warning.
    pub warnings: Vec<(&'static str, Option<String>, Vec<u64>)>,
    /// Rule and row of everything that the emulator does.
    pub changes: Vec<(&'static str, u64)>,
}

/// A column that a file needs, and its cell in a row.
type OwnColumn = (&'static str, fn(usize) -> String);

impl Case {
    /// A file of users with one column; each of the cells that break the rule is said to.
    pub fn of(
        column: &str,
        sound: &[String],
        broken: &[String],
        code: &'static str,
        rule: &'static str,
    ) -> Self {
        let rows = sound.iter().chain(broken).map(|cell| vec![cell.clone()]).collect();
        let first = sound.len() as u64 + 1;
        let numbers: Vec<u64> = (first..first + broken.len() as u64).collect();
        Self {
            header: vec![column.to_owned()],
            rows,
            changes: numbers.iter().map(|&row| (rule, row)).collect(),
            warnings: vec![(code, Some(column.to_owned()), numbers)],
            ..Self::default()
        }
    }

    pub fn events(self) -> Self {
        Self { kind: Some("events"), ..self }
    }

    pub fn mapped(self, columns: impl Into<String>) -> Self {
        Self { columns: Some(columns.into()), ..self }
    }

    /// Holds, each over the whole file: what `validate` says; that `--strict` rejects those rows and
    /// no others; that the emulator keeps the others whole, and does what was said to the rest.
    #[track_caller]
    pub fn hold(&self) {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        self.write(dir);

        let report = self.run(dir, "validate", "checked", &[], 0);
        let mut expected: Vec<_> = self.warnings.clone();
        expected.sort();
        assert_eq!(problems(&report, "warning"), expected, "validate");
        assert_eq!(problems(&report, "reject"), []);

        let broken: BTreeSet<u64> =
            self.warnings.iter().flat_map(|(.., rows)| rows).copied().collect();
        assert!(!broken.is_empty() && broken.len() < self.rows.len());
        let report = self.run(dir, "validate", "strict", &["--strict"], 1);
        assert_eq!(problems(&report, "reject"), expected, "validate --strict");
        assert_eq!(report["rows"]["rejected"], broken.len(), "{}", report["rows"]);
        let rejects = fs::read_to_string(dir.join("strict/rejects.csv")).expect("rejects");
        let mut rejects = csv::Reader::from_reader(rejects.as_bytes());
        let rejected: BTreeSet<u64> =
            rejects.records().map(|record| row_of(&record.expect("a record")[0])).collect();
        assert_eq!(rejected, broken, "rejects.csv");

        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        self.import(dir, &sandbox, "sent-strict", &["--strict"], 1);
        let kept = self.rows.len() - broken.len();
        assert_eq!(look(&sandbox, "records")["count"], kept);
        assert_eq!(changes(&sandbox), [], "what passes --strict is kept whole");

        let sandbox = Sandbox::start(Options::default()).expect("a sandbox");
        self.import(dir, &sandbox, "sent", &[], 0);
        assert_eq!(look(&sandbox, "records")["count"], self.rows.len());
        let mut expected: Vec<_> =
            self.changes.iter().map(|&(rule, row)| (rule.to_owned(), row)).collect();
        expected.sort();
        assert_eq!(changes(&sandbox), expected, "what was warned of is changed");
        assert_eq!(look(&sandbox, "violations")["count"], 0);
    }

    /// Columns that the header lacks, and the cell that each row has there.
    fn own(&self) -> Vec<OwnColumn> {
        let mut own: Vec<OwnColumn> = vec![("customer_id", |row| format!("user-{row}"))];
        if self.kind == Some("events") {
            own.push(("action", |_| "Buy".to_owned()));
            own.push(("user_time", |_| "2026-01-01T00:00:00Z".to_owned()));
        }
        own.retain(|(name, _)| !self.header.iter().any(|column| column == name));
        own
    }

    fn write(&self, dir: &Path) {
        let own = self.own();
        let mut writer = csv::Writer::from_path(dir.join("in.csv")).expect("a file");
        let names = own.iter().map(|&(name, _)| name);
        writer.write_record(names.chain(self.header.iter().map(String::as_str))).expect("header");
        for (row, cells) in self.rows.iter().enumerate() {
            let own: Vec<String> = own.iter().map(|(_, cell)| cell(row + 1)).collect();
            writer.write_record(own.iter().chain(cells)).expect("a record");
        }
        writer.flush().expect("written");
        if let Some(columns) = &self.columns {
            let own = own.iter().map(|(name, _)| format!("{name} = {{ to = \"{name}\" }}\n"));
            let kind = self.kind.unwrap_or("users");
            let own: String = own.collect();
            let text = format!("kind = \"{kind}\"\n[columns]\n{own}{columns}\n");
            fs::write(dir.join("mapping.toml"), text).expect("a mapping");
        }
    }

    /// Runs a command over the file; its report.
    #[track_caller]
    fn run(&self, dir: &Path, command: &str, run_dir: &str, more: &[&str], code: i32) -> Value {
        let mut binary = Command::new(env!("CARGO_BIN_EXE_moebulk"));
        binary.args([command, "in.csv", "--run-dir", run_dir]).args(more);
        if self.columns.is_some() {
            binary.args(["--mapping", "mapping.toml"]);
        } else if let Some(kind) = self.kind {
            binary.args(["--kind", kind]);
        }
        let output = binary
            .current_dir(dir)
            .env("XDG_STATE_HOME", dir.join("state"))
            .env("MOENGAGE_DATA_API_KEY", "sandbox-key")
            .output()
            .expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command} {more:?}: {stderr}");
        let report = fs::read_to_string(dir.join(run_dir).join("report.json")).expect("a report");
        serde_json::from_str(&report).expect("JSON")
    }

    #[track_caller]
    fn import(&self, dir: &Path, sandbox: &Sandbox, run_dir: &str, more: &[&str], code: i32) {
        let url = sandbox.url();
        let mut arguments = vec!["--yes", "--app-id", "SANDBOX", "--endpoint", &url];
        arguments.extend(more);
        self.run(dir, "import", run_dir, &arguments, code);
    }
}

type Said = (&'static str, Option<String>, Vec<u64>);

/// Code, column and rows of a report's problems of one severity; each counts its rows, names the
/// line of each, and says what to do.
fn problems(report: &Value, severity: &str) -> Vec<Said> {
    let list = report["problems"].as_array().expect("a list");
    let mut said: Vec<Said> = list
        .iter()
        .filter(|problem| problem["severity"] == severity)
        .map(|problem| {
            let first = problem["first"].as_array().expect("places");
            let rows: Vec<u64> = first
                .iter()
                .map(|place| {
                    assert_eq!(place["file"], "in.csv");
                    let row = place["row"].as_u64().expect("a row");
                    assert_eq!(place["line"], row + 1);
                    row
                })
                .collect();
            assert_eq!(problem["count"], rows.len());
            assert!(!problem["help"].as_str().expect("a text").is_empty());
            let code = problem["code"].as_str().expect("a code").to_owned();
            // A test's process is short, and so is the list.
            let code: &'static str = Box::leak(code.into_boxed_str());
            (code, problem["column"].as_str().map(str::to_owned), rows)
        })
        .collect();
    said.sort();
    said
}

/// Rule and row of everything that the emulator did.
fn changes(sandbox: &Sandbox) -> Vec<(String, u64)> {
    let records = look(sandbox, "records?limit=100000");
    let page = look(sandbox, "dropped");
    let mut changes: Vec<_> = page["dropped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|change| {
            // All elements of these files are sound and in one request, so both lists count alike.
            assert_eq!(change["request"], 1);
            let index = change["element"].as_u64().expect("an index") as usize;
            let id = &records["records"][index]["element"]["customer_id"];
            (
                change["rule"].as_str().expect("a rule").to_owned(),
                row_of(id.as_str().expect("an id")),
            )
        })
        .collect();
    assert_eq!(page["count"], changes.len());
    changes.sort();
    changes
}

/// The row of an id that [`Case::own`] gave.
fn row_of(id: &str) -> u64 {
    id.strip_prefix("user-").and_then(|row| row.parse().ok()).unwrap_or_else(|| panic!("{id}"))
}

pub fn look(sandbox: &Sandbox, page: &str) -> Value {
    let host = sandbox.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).expect("a connection");
    let head =
        format!("GET /_sandbox/{page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}
