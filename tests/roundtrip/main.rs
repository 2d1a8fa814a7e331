//! Round trips: random users, events and devices go from a file through the real binary into the
//! emulator, and come back equal. What has to arrive is made from the values themselves, by code
//! that shares nothing with the program's.

mod arrow;
mod spell;
#[expect(dead_code, reason = "the laws need more of it")]
#[path = "../common/support.rs"]
mod support;
mod table;
mod values;

use support::{Json, Lab, Sandbox, UNLIMITED};
use table::{Format, KINDS, Kind, ROWS, Table};

/// A table as a file in a laboratory, with the arguments that read it.
struct Job {
    lab: Lab,
    table: Table,
    args: Vec<String>,
    /// Arguments without the mapping.
    bare: Vec<String>,
}

impl Job {
    fn new(seed: u64, kind: Kind, format: Format, rows: usize) -> Self {
        let (lab, table) = (Lab::new(), Table::random(seed, kind, format, rows));
        let mapped = format != Format::BareParquet;
        let mut bare: Vec<String> =
            spell::flags(&table, mapped).into_iter().map(str::to_owned).collect();
        if format == Format::Csv {
            let (text, flags) = spell::csv(&table, seed);
            lab.write("rows.csv", text);
            bare.extend(flags);
            bare.push("rows.csv".to_owned());
        } else {
            arrow::write(&table, &lab.path("rows.parquet"), seed);
            bare.push("rows.parquet".to_owned());
        }
        let mut args = bare.clone();
        if mapped {
            lab.write("mapping.toml", spell::mapping(&table));
            args.push("--mapping=mapping.toml".to_owned());
        }
        Self { lab, table, args, bare }
    }

    fn report(&self, command: &str, args: &[String], own: &[&str]) -> serde_json::Value {
        let args = args.iter().map(String::as_str);
        let args: Vec<&str> =
            [command].into_iter().chain(args).chain(own.iter().copied()).collect();
        self.lab.report(0, &[args.as_slice(), &UNLIMITED].concat())
    }

    /// Imports, and holds every record against its row. Gives the digest of the bodies.
    fn round_trip(&self) -> serde_json::Value {
        let sandbox = Sandbox::start(&self.lab);
        // One connection, so that the order of arrival is the order of the file.
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--connections", "1"];
        let report = self.report("import", &self.args, &to);
        let records = sandbox.records();
        assert_eq!(sandbox.violations(), "", "the emulator saw a broken rule");
        drop(sandbox);
        let what = self.name();
        for count in ["read", "delivered"] {
            assert_eq!(report["rows"][count], self.table.rows.len(), "{what}");
        }
        assert_grouped(&records);
        let mut found = records.into_iter().flat_map(|(_, element)| single(element));
        for (at, row) in self.table.rows.iter().enumerate() {
            let expected = self.table.element(row);
            let found = found.next().unwrap_or_else(|| panic!("{what}: row {at} did not arrive"));
            if !expected.matches(&found) {
                panic!("{what}: row {at}\n{}", difference("", &expected, &found));
            }
        }
        assert_eq!(found.next(), None, "{what}: more came than was sent");
        report
    }

    /// The mapping that a run leaves stands for the one that it was given, or for none.
    fn assert_resolved(&self, report: &serde_json::Value) {
        let run_dir = report["run_dir"].as_str().expect("a directory");
        let resolved = format!("--mapping={run_dir}/resolved-mapping.toml");
        let again = [self.bare.as_slice(), &[resolved]].concat();
        assert_eq!(
            digest(&self.report("validate", &again, &[])),
            digest(report),
            "{}",
            self.name()
        );
    }

    fn name(&self) -> String {
        format!("{:?} {:?}", self.table.kind, self.table.format)
    }
}

fn digest(report: &serde_json::Value) -> String {
    report["bodies"]["digest"].as_str().expect("a digest").to_owned()
}

/// An element, or for each of its actions an element with that action alone.
fn single(element: Json) -> Vec<Json> {
    let Json::Array(actions) = element.get("actions") else { return vec![element] };
    if actions.len() == 1 {
        return vec![element];
    }
    let with = |action: &Json| {
        let Json::Object(mut fields) = element.clone() else { unreachable!("it has actions") };
        fields.insert("actions".to_owned(), Json::Array(vec![action.clone()]));
        Json::Object(fields)
    };
    actions.iter().map(with).collect()
}

/// Within a request no two events in a row have one user and device: they share an element.
fn assert_grouped(records: &[(u64, Json)]) {
    for pair in records.windows(2) {
        let [(request, one), (next, other)] = pair else { continue };
        if request == next && *one.get("type") == Json::text("event") {
            let head = |element: &Json| {
                (element.get("customer_id").clone(), element.get("device_id").clone())
            };
            assert_ne!(head(one), head(other), "two elements for one user and device");
        }
    }
}

/// Where two documents differ.
fn difference(path: &str, expected: &Json, found: &Json) -> String {
    match (expected, found) {
        (Json::Object(fields), Json::Object(others)) => {
            let names =
                fields.keys().chain(others.keys().filter(|name| !fields.contains_key(*name)));
            let differing = names.filter(|name| {
                fields.contains_key(*name) != others.contains_key(*name)
                    || !expected.get(name).matches(found.get(name))
            });
            let lines = differing.map(|name| {
                difference(&format!("{path}.{name:?}"), expected.get(name), found.get(name))
            });
            lines.collect()
        }
        _ => format!("{path}\n  expected {expected:?}\n  found    {found:?}\n"),
    }
}

/// All kinds and formats from one seed, Parquet with a mapping or without.
fn round_trips(seed: u64) {
    for kind in KINDS {
        let parquet = if seed.is_multiple_of(2) { Format::Parquet } else { Format::BareParquet };
        for format in [Format::Csv, parquet] {
            let job = Job::new(seed, kind, format, ROWS);
            let report = job.round_trip();
            if seed % 4 < 2 {
                job.assert_resolved(&report);
            }
        }
    }
}

macro_rules! seeds {
    ($($name:ident $seed:literal)*) => {
        $(#[test]
        fn $name() {
            round_trips($seed);
        })*
    };
}

seeds! {
    seed_01 1 seed_02 2 seed_03 3 seed_04 4 seed_05 5 seed_06 6 seed_07 7 seed_08 8 seed_09 9
    seed_10 10 seed_11 11 seed_12 12 seed_13 13 seed_14 14 seed_15 15 seed_16 16 seed_17 17
    seed_18 18 seed_19 19 seed_20 20
}

#[test]
fn every_command_and_any_number_of_threads_give_the_same_bodies() {
    for kind in KINDS {
        for format in [Format::Csv, Format::Parquet, Format::BareParquet] {
            let job = Job::new(21, kind, format, ROWS);
            let pack = |threads: &str| {
                let report =
                    job.report("pack", &job.args, &["--out", "bodies", "--threads", threads]);
                (job.lab.read("bodies"), digest(&report))
            };
            let (bodies, packed) = pack("1");
            for threads in ["2", "3", "8"] {
                let (again, digest) = pack(threads);
                assert!(again == bodies, "{kind:?} {format:?}: {threads} threads give other bytes");
                assert_eq!(digest, packed);
            }
            assert_eq!(digest(&job.report("validate", &job.args, &[])), packed);
            assert_eq!(digest(&job.round_trip()), packed);
        }
    }
}
