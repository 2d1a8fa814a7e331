//! Round trips: random users, events and devices go from a file through the real binary into the
//! emulator, and come back equal. What has to arrive is made from the values themselves, by code
//! that shares nothing with the program's.

mod arrow;
mod spell;
#[expect(dead_code, reason = "the laws need more of it")]
#[path = "../common/support.rs"]
mod support;
mod table;
mod types;
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
            if format != Format::Csv {
                // The same rows in Arrow's own form are the same bodies.
                let file = |arg: &String| arg.replace("rows.parquet", "rows.arrow");
                let args: Vec<String> = job.args.iter().map(file).collect();
                let arrow = job.report("validate", &args, &[]);
                assert_eq!(digest(&arrow), digest(&report), "{}", job.name());
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

#[test]
fn consecutive_events_of_one_user_and_device_share_an_element_and_no_others_do() {
    let lab = Lab::new();
    let rows = [
        ("ann", "d1", 3),
        ("ann", "d2", 1),
        ("ann", "", 2),
        ("bob", "", 1),
        ("ann", "", 1),
        ("ann", "d1", 2),
        ("bob", "d1", 2),
    ];
    let mut csv = "customer_id,device_id,action,user_time,at\n".to_owned();
    let mut at = 0;
    for (user, device, count) in rows {
        for _ in 0..count {
            csv.push_str(&format!("{user},{device},Act,2024-01-02,{at}\n"));
            at += 1;
        }
    }
    lab.write("events.csv", csv);
    let (_, elements) = lab.import(0, &["events.csv", "--kind", "events"]);
    let mut at = 0;
    let expected = rows.map(|(user, device, count)| {
        let actions = (at..at + count).map(|at| {
            Json::object([
                ("action", Json::text("Act")),
                ("user_time", Json::text("2024-01-02")),
                ("attributes", Json::object([("at", Json::Number(at.to_string()))])),
            ])
        });
        let actions = Json::Array(actions.collect());
        at += count;
        let device = (!device.is_empty()).then(|| ("device_id", Json::text(device)));
        let rest = [
            ("type", Json::text("event")),
            ("customer_id", Json::text(user)),
            ("actions", actions),
        ];
        Json::object(rest.into_iter().chain(device))
    });
    support::assert_same(&expected, &elements);
}

/// Numbers as spelled, as they have to arrive, and whether a warning says that the server's
/// double does not keep them.
const NUMBERS: [(&str, &str, bool); 20] = [
    ("-0", "-0", false),
    ("-000.0", "-0.0", false),
    ("+007", "7", false),
    ("\t.5 ", "0.5", false),
    ("5.", "5", false),
    ("1E+05", "1E+05", false),
    ("0e999", "0e999", false),
    ("123456789012345", "123456789012345", false),
    ("1234567890123450", "1234567890123450", false),
    ("1234567890123456", "1234567890123456", true),
    ("0.12345678901234567", "0.12345678901234567", true),
    ("9007199254740992", "9007199254740992", true),
    ("9007199254740993", "9007199254740993", true),
    ("-9223372036854775808", "-9223372036854775808", true),
    ("18446744073709551615", "18446744073709551615", true),
    ("100000000000000000000", "100000000000000000000", true),
    ("1e20", "1e20", false),
    ("1.7976931348623157e308", "1.7976931348623157e308", true),
    ("5e-324", "5e-324", true),
    ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001", false),
];

#[test]
fn edges_of_numbers_arrive_exactly_and_are_warned_of() {
    let lab = Lab::new();
    let rows = NUMBERS.iter().enumerate();
    let rows: Vec<String> = rows.map(|(at, (text, ..))| format!("u{at:03},{text}\n")).collect();
    lab.write("rows.csv", format!("id,n\n{}", rows.concat()));
    let mapping = "[columns]\nid = { to = \"customer_id\" }\nn = { type = \"double\" }\n";
    lab.write("mapping.toml", mapping);
    let (report, elements) = lab.import(0, &["rows.csv", "--mapping", "mapping.toml"]);
    let found: Vec<&Json> =
        elements.iter().map(|element| element.get("attributes").get("n")).collect();
    for ((text, digits, _), found) in NUMBERS.iter().zip(&found) {
        assert!(Json::Number((*digits).to_owned()).matches(found), "{text}: {found:?}");
    }
    assert_eq!(found.len(), NUMBERS.len());
    let warned = NUMBERS.iter().filter(|(.., warned)| *warned).count();
    let problems = report["problems"].as_array().expect("problems");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["code"], "number-precision");
    assert_eq!(problems[0]["count"], warned);
}
