//! Conservation and equality: what arrives is what the reference makes of the file, and every row
//! is accounted for.

use crate::{
    data::{self, Form, PLAIN},
    reference::{
        Column, DISALLOWED, Row, Rules, Table, Type, column, expect, mapping_json, read_csv,
        read_parquet,
    },
    support::{Json, Lab, Sandbox, UNLIMITED, assert_same},
};

fn events() -> Rules {
    Rules { events: true, ..Rules::default() }
}

/// Imports the inputs and holds report and arrivals against the reference.
fn check(lab: &Lab, args: &[&str], tables: &[Table], mapping: Option<&[Column]>, rules: &Rules) {
    let expected = expect(tables, mapping, rules);
    let code = i32::from(expected.rejected > 0);
    let (report, found) = lab.import(code, args);
    assert_same(&expected.elements, &found);
    expected.assert_report(&report);
}

#[test]
fn sample_users() {
    let lab = Lab::new();
    lab.copy_samples();
    let csv = [read_csv(&lab.path("customers.csv"))];
    check(&lab, &["customers.csv"], &csv, None, &Rules::default());
    let parquet = [read_parquet(&lab.path("customers.parquet"))];
    check(&lab, &["customers.parquet"], &parquet, None, &Rules::default());
    let mapping = [
        column("customer_id", "customer_id", Type::Text),
        column("plan", "plan", Type::Text),
        column("orders", "orders", Type::Number),
        column("newsletter", "newsletter", Type::Bool),
        column("last_seen", "last_seen", Type::Date("")),
        column("note", "note", Type::Text),
    ];
    let args = ["customers.csv", "--mapping", "users-mapping.json"];
    check(&lab, &args, &csv, Some(&mapping), &Rules::default());
}

#[test]
fn sample_events() {
    let lab = Lab::new();
    lab.copy_samples();
    let csv = [read_csv(&lab.path("events.csv"))];
    check(&lab, &["events.csv", "--kind", "events"], &csv, None, &events());
    let mapping = [
        column("customer_id", "customer_id", Type::Text),
        column("action", "action", Type::Text),
        column("user_time", "user_time", Type::Date("YYYY-MM-DDThh:mm:ss.sTZD")),
        column("platform", "platform", Type::Text),
        column("app_version", "app_version", Type::Text),
        column("device_id", "device_id", Type::Text),
        column("user_timezone_offset", "user_timezone_offset", Type::Number),
        column("sku", "product_id", Type::Text),
        column("price", "price", Type::Number),
        column("quantity", "quantity", Type::Number),
    ];
    let args = ["events.csv", "--kind", "events", "--mapping", "events-mapping.json"];
    check(&lab, &args, &csv, Some(&mapping), &events());
}

#[test]
fn sample_dirty() {
    let lab = Lab::new();
    lab.copy_samples();
    let args = ["customers-dirty.csv", "--mapping", "users-mapping.json"];
    let (report, found) = lab.import(1, &args);
    let ids: Vec<&Json> = found.iter().map(|element| element.get("customer_id")).collect();
    let sound = ["CUST-1001", "NULL", "CUST-1007", "CUST-1008", "CUST-1014", "CUST-1018"];
    assert_eq!(ids, sound.map(Json::text).iter().collect::<Vec<_>>());
    let attribute = |at: usize, name| found[at].get("attributes").get(name);
    assert_eq!(*attribute(2, "last_seen"), Json::text("2026-05-01T10:00:00.123Z"));
    assert_eq!(*attribute(3, "orders"), Json::Number("12345678901234567890".into()));
    let count = |code: &str| -> u64 {
        let problems = report["problems"].as_array().expect("problems");
        problems.iter().filter(|p| p["code"] == code).map(|p| p["count"].as_u64().unwrap()).sum()
    };
    for (code, rows) in [
        ("id-missing", 1),
        ("id-too-short", 1),
        ("id-disallowed", 1),
        ("id-lookalike", 1),
        ("type-number", 2),
        ("type-bool", 1),
        ("type-datetime", 2),
        ("datetime-precision", 1),
        ("number-precision", 1),
        ("number-range", 1),
        ("field-count", 2),
        ("quote-in-field", 1),
        ("text-after-quote", 1),
        ("invalid-utf8", 1),
        ("nul-byte", 1),
        ("row-too-large", 1),
        ("unclosed-quote", 1),
    ] {
        assert_eq!(count(code), rows, "{code}");
    }
    assert_eq!(report["rows"]["read"], 23);
    assert_eq!(report["rows"]["rejected"], 17);
}

#[test]
fn random_users_csv() {
    for (seed, line_end) in [(1, "\n"), (2, "\r\n")] {
        for mapped in [false, true] {
            let lab = Lab::new();
            let table = data::users(seed, 3_000, mapped);
            let form = Form { line_end, ..PLAIN };
            lab.write("users.csv", data::csv_bytes(&table, form, seed).0);
            let mapping = data::users_mapping();
            lab.write("map.json", mapping_json(&mapping, &["big", "u_fn"]));
            let args = ["users.csv", "--mapping", "map.json"];
            let (args, mapping) =
                if mapped { (&args[..], Some(&mapping[..])) } else { (&args[..1], None) };
            check(&lab, args, &[table], mapping, &Rules::default());
        }
    }
}

#[test]
fn random_events_csv() {
    let lab = Lab::new();
    let table = data::events(3, 3_000);
    lab.write("events.csv", data::csv_bytes(&table, Form { line_end: "\r\n", ..PLAIN }, 3).0);
    let tables = [table];
    let args = ["events.csv", "--kind", "events", "--mapping", "map.json"];
    check(&lab, &args[..3], &tables, None, &events());
    let mapping = data::events_mapping();
    lab.write("map.json", mapping_json(&mapping, &[]));
    check(&lab, &args, &tables, Some(&mapping), &events());
    let rules = Rules { event: Some("Any \"event\"".into()), ..events() };
    check(
        &lab,
        &["events.csv", "--kind", "events", "--event", "Any \"event\""],
        &tables,
        None,
        &rules,
    );
}

#[test]
fn random_parquet() {
    let lab = Lab::new();
    data::users_parquet(&lab.path("users.parquet"), 4, 3_000);
    let users = [read_parquet(&lab.path("users.parquet"))];
    check(&lab, &["users.parquet"], &users, None, &Rules::default());
    let mapping = data::users_parquet_mapping();
    lab.write("map.json", mapping_json(&mapping, &["day"]));
    let args = ["users.parquet", "--mapping", "map.json"];
    check(&lab, &args, &users, Some(&mapping), &Rules::default());

    data::events_parquet(&lab.path("events.parquet"), 5, 3_000);
    let tables = [read_parquet(&lab.path("events.parquet"))];
    check(&lab, &["events.parquet", "--kind", "events"], &tables, None, &events());
}

#[test]
fn several_files_with_other_column_orders_are_one_import() {
    let lab = Lab::new();
    let first = data::users(6, 900, false);
    let second = data::shuffled(&data::users(7, 700, false), 7);
    let mut third = data::users(8, 400, false);
    // Without a mapping a column may be missing from a file.
    third.columns.pop();
    for row in &mut third.rows {
        if let Row::Cells(cells) = row {
            cells.pop();
        }
    }
    lab.write("in/b.csv", data::csv_bytes(&first, PLAIN, 6).0);
    lab.write("in/c.csv", data::csv_bytes(&second, Form { line_end: "\r\n", ..PLAIN }, 7).0);
    lab.write("a.tsv", data::csv_bytes(&third, Form { delimiter: '\t', ..PLAIN }, 8).0);
    data::users_parquet(&lab.path("d.parquet"), 9, 300);
    let fourth = read_parquet(&lab.path("d.parquet"));
    let tables = [first, second, third, fourth];
    let args = ["in/b.csv", "in/c.csv", "a.tsv", "d.parquet"];
    check(&lab, &args, &tables, None, &Rules::default());
    // A directory and a glob stand for the same files, by name.
    check(&lab, &["in", "a.*", "d.parquet"], &tables, None, &Rules::default());
}

#[test]
fn with_many_connections_nothing_is_missing_and_each_user_keeps_the_order() {
    let lab = Lab::new();
    let mut csv = String::from("customer_id,n\n");
    for at in 0..4_000 {
        csv += &format!("user-{},{at}\n", at % 37);
    }
    lab.write("users.csv", csv);
    let sandbox = Sandbox::start(&lab);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--connections", "8"];
    let args = [["import", "users.csv", "--max-body-bytes", "3000"].as_slice(), &to, &UNLIMITED];
    lab.report(0, &args.concat());
    let mut seen: Vec<(usize, usize)> = Vec::new();
    for (_, element) in sandbox.records() {
        let Json::Number(n) = element.get("attributes").get("n") else { panic!("a number") };
        let n: usize = n.parse().expect("digits");
        assert_eq!(*element.get("customer_id"), Json::Text(format!("user-{}", n % 37)));
        seen.push((n % 37, n));
    }
    // A stable sort by user leaves each user's updates as they arrived.
    seen.sort_by_key(|&(user, _)| user);
    let mut expected: Vec<_> = (0..4_000).map(|n| (n % 37, n)).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(sandbox.violations(), "");
}

#[test]
fn the_22_ids_are_rejected_and_their_lookalikes_only_on_request() {
    let lab = Lab::new();
    let lookalikes = ["NULL", " None", "Guest", "N/A", "TRUE ", " 0", "(EMPTY)", "Uid"];
    let others = ["nulls", "00", "-3", "10", "no", "🎉🎉"];
    let mut csv = String::from("customer_id,n\n");
    for id in DISALLOWED.iter().chain(&lookalikes).chain(&others) {
        csv += &format!("{id},1\n");
    }
    lab.write("ids.csv", csv);
    let ids = |found: &[Json]| -> Vec<Json> {
        found.iter().map(|element| element.get("customer_id").clone()).collect()
    };
    let allowed: Vec<Json> = lookalikes.iter().chain(&others).map(|id| Json::text(id)).collect();
    let (report, found) = lab.import(1, &["ids.csv"]);
    assert_eq!(ids(&found), allowed);
    assert_eq!(report["rows"]["rejected"], 22);
    for flag in ["--strict-ids", "--strict"] {
        let (report, found) = lab.import(1, &["ids.csv", flag]);
        assert_eq!(ids(&found), allowed[lookalikes.len()..], "{flag}");
        assert_eq!(report["rows"]["rejected"], 22 + lookalikes.len());
    }
}
