//! Every type of the table of values, form by form, from the file to the emulator: what is taken
//! and its exact text as sent, and what is refused and under which code.

#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;

use std::collections::BTreeMap;

use support::{Json, Lab};

/// A cell, and the JSON text that is sent for it.
type Taken<'a> = (&'a str, &'a str);

/// Quotes a cell for CSV.
fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

/// The warnings by row.
fn warnings_of(report: &serde_json::Value) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    let problems = report["problems"].as_array().expect("problems");
    for problem in problems.iter().filter(|problem| problem["severity"] == "warning") {
        let places = problem["first"].as_array().expect("places");
        assert_eq!(problem["count"], places.len(), "all places are listed: {problem}");
        for place in places {
            let code = problem["code"].as_str().expect("a code").to_owned();
            let row = place["row"].as_u64().expect("a row");
            assert!(found.insert(row, code).is_none(), "two warnings in row {row}");
        }
    }
    found
}

/// The codes of the rejected rows, each of which comes back as it was.
fn rejects_of(lab: &Lab, report: &serde_json::Value, cells: &[&str]) -> BTreeMap<u64, String> {
    if report["rows"]["rejected"] == 0 {
        return BTreeMap::new();
    }
    let file = format!("{}/rejects.csv", report["run_dir"].as_str().expect("a directory"));
    let bytes = lab.read(&file);
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let mut found = BTreeMap::new();
    for record in reader.deserialize() {
        let record: BTreeMap<String, String> = record.expect("a record");
        let row: u64 = record["_moebulk_row"].parse().expect("a row");
        let at = usize::try_from(row).expect("few") - 1;
        assert_eq!(record["v"], cells[at], "row {row}");
        found.insert(row, record["_moebulk_codes"].clone());
    }
    found
}

/// Holds a column of a type, given as the entry of our mapping, to what is taken, to what is
/// taken with a warning, and to what is refused; each cell is a row of its own.
fn hold(entry: &str, taken: &[Taken], warned: &[(Taken, &str)], refused: &[(&str, &str)]) {
    let lab = Lab::new();
    lab.write("map.toml", format!("[columns]\ncustomer_id = {{}}\nv = {entry}\n"));
    let cells = taken.iter().chain(warned.iter().map(|(taken, _)| taken)).map(|(cell, _)| *cell);
    let cells: Vec<&str> = cells.chain(refused.iter().map(|(cell, _)| *cell)).collect();
    let mut csv = String::from("customer_id,v\n");
    for (at, cell) in cells.iter().enumerate() {
        csv.push_str(&format!("user-{at},{}\n", quoted(cell)));
    }
    lab.write("users.csv", csv);
    let row = |at: usize| u64::try_from(at).expect("few") + 1;
    let warnings: BTreeMap<u64, String> = warned
        .iter()
        .enumerate()
        .map(|(at, (_, code))| (row(taken.len() + at), (*code).to_owned()))
        .collect();
    let sound = taken.len() + warned.len();
    let rejects: BTreeMap<u64, String> = refused
        .iter()
        .enumerate()
        .map(|(at, (_, code))| (row(sound + at), (*code).to_owned()))
        .collect();
    let args = ["users.csv", "--mapping", "map.toml"];
    let code = i32::from(!refused.is_empty());
    let packed = lab.pack(code, &args);
    let imported = lab.import(code, &args);
    assert_eq!(packed.0["bodies"]["digest"], imported.0["bodies"]["digest"]);
    for (report, elements) in [packed, imported] {
        assert_eq!(warnings_of(&report), warnings, "{entry}");
        assert_eq!(rejects_of(&lab, &report, &cells), rejects, "{entry}");
        assert_eq!(elements.len(), sound, "{entry}");
        let texts = taken.iter().chain(warned.iter().map(|(taken, _)| taken));
        for (at, ((cell, text), element)) in texts.zip(&elements).enumerate() {
            assert_eq!(element.get("customer_id"), &Json::text(&format!("user-{at}")));
            let found = element.get("attributes").get("v");
            assert_eq!(found, &Json::parse(text.as_bytes()), "{entry}: {cell:?}");
        }
    }
}

#[test]
fn a_string_is_any_text_untouched() {
    let texts = [
        " blanks around ",
        "007",
        "true",
        "1e5",
        "2024-02-30",
        "null",
        "NaN",
        "a \"quote\", a comma\r\nand\tlines",
        "\u{1}\u{1f}\u{7f}\u{2028}",
        "\\u0041 \\n",
        "Zoë 東京 😀 e\u{301} \u{feff}",
        "{\"a\":1}",
    ];
    let sent: Vec<String> =
        texts.iter().map(|text| serde_json::to_string(text).expect("JSON")).collect();
    let taken: Vec<Taken> = texts.iter().copied().zip(sent.iter().map(String::as_str)).collect();
    // Sent as it stands; but it is likely that an array was meant.
    let list = (("[1|2|3]", "\"[1|2|3]\""), "array-as-text");
    hold("{ type = \"string\" }", &taken, &[list], &[]);
}

#[test]
fn a_double_keeps_its_digits_in_json_grammar() {
    let beyond = "number-range";
    let imprecise = "number-precision";
    let none = "type-number";
    hold(
        "{ type = \"double\" }",
        &[
            ("0", "0"),
            ("-0", "-0"),
            ("42", "42"),
            ("-1.50", "-1.50"),
            ("1e5", "1e5"),
            ("1.5E-3", "1.5e-3"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-.5", "-0.5"),
            ("5.", "5"),
            ("007", "7"),
            ("-007.10", "-7.10"),
            ("  12\t", "12"),
            ("123456789012345", "123456789012345"),
            ("0.100000000000000000", "0.100000000000000000"),
        ],
        &[
            (("1234567890123456", "1234567890123456"), imprecise),
            (("9007199254740993", "9007199254740993"), imprecise),
            (("-9007199254740994", "-9007199254740994"), imprecise),
            (("0.1234567890123456", "0.1234567890123456"), imprecise),
            (("1.7976931348623157e308", "1.7976931348623157e308"), imprecise),
            (("12345678901234567890", "12345678901234567890"), imprecise),
        ],
        &[
            ("1,000", none),
            ("1.000,5", none),
            ("1 000", none),
            ("1_000", none),
            ("NaN", none),
            ("nan", none),
            ("inf", none),
            ("-Infinity", none),
            ("0x1F", none),
            ("--1", none),
            ("+", none),
            (".", none),
            ("1e", none),
            ("1.2.3", none),
            ("5 %", none),
            ("€5", none),
            ("٣", none),
            (" ", none),
            ("1e309", beyond),
            ("-1e309", beyond),
        ],
    );
}

#[test]
fn a_bool_is_true_or_false_in_any_case_and_what_the_mapping_lists() {
    let none = "type-bool";
    let refused = ["yes", "no", "1", "0", "t", "on", "truee", "maybe"].map(|text| (text, none));
    let taken = [
        ("true", "true"),
        ("false", "false"),
        ("TRUE", "true"),
        ("False", "false"),
        ("tRuE", "true"),
    ];
    hold("{ type = \"bool\" }", &taken, &[], &refused);
    let listed = [("yes", "true"), ("1", "true"), ("no", "false"), ("true", "true")];
    let entry = "{ type = \"bool\", true = [\"yes\", \"1\"], false = [\"no\"] }";
    hold(entry, &listed, &[], &[("0", none), ("on", none)]);
}

#[test]
fn a_datetime_without_a_format_is_iso_8601_in_utc() {
    let none = "type-datetime";
    let cut = "datetime-precision";
    hold(
        "{ type = \"datetime\" }",
        &[
            ("2024-02-29", "\"2024-02-29\""),
            ("2024-01-02T03:04", "\"2024-01-02T03:04:00Z\""),
            ("2024-01-02 03:04", "\"2024-01-02T03:04:00Z\""),
            ("2024-01-02T03:04:05", "\"2024-01-02T03:04:05Z\""),
            ("2024-01-02 03:04:05Z", "\"2024-01-02T03:04:05Z\""),
            ("2024-01-02T03:04:05.5", "\"2024-01-02T03:04:05.500Z\""),
            ("2024-01-02T03:04:05.123Z", "\"2024-01-02T03:04:05.123Z\""),
            ("2024-01-02T03:04:05.123000Z", "\"2024-01-02T03:04:05.123Z\""),
            ("2024-01-01T00:30+05:30", "\"2023-12-31T19:00:00Z\""),
            ("2024-12-31 23:30:00-0100", "\"2025-01-01T00:30:00Z\""),
        ],
        &[
            (("2024-01-02T03:04:05.1239", "\"2024-01-02T03:04:05.123Z\""), cut),
            (("2024-01-02T03:04:05.999999999Z", "\"2024-01-02T03:04:05.999Z\""), cut),
        ],
        &[
            ("2023-02-29", none),
            ("2024-04-31", none),
            ("2024-13-01", none),
            ("2024-00-01", none),
            ("2024-01-00", none),
            ("2024-1-2", none),
            ("20240102", none),
            ("02/01/2024", none),
            ("2024-01-02T", none),
            ("2024-01-02T03", none),
            ("2024-01-02T24:00", none),
            ("2024-01-02T03:60", none),
            ("2024-01-02T03:04:05.", none),
            ("2024-01-02T03:04:05 Z", none),
            ("2024-01-02Z", none),
            ("2024-01-02T03:04+24:00", none),
            ("1704164645", none),
            ("today", none),
        ],
    );
}

#[test]
fn a_datetime_of_a_zone_fits_where_its_clock_shows_it_once() {
    hold(
        "{ type = \"datetime\", timezone = \"Europe/Berlin\" }",
        &[
            ("2024-01-02 03:04", "\"2024-01-02T02:04:00Z\""),
            ("2024-07-02 03:04", "\"2024-07-02T01:04:00Z\""),
            ("2024-03-31 01:59:59", "\"2024-03-31T00:59:59Z\""),
            ("2024-03-31 03:00", "\"2024-03-31T01:00:00Z\""),
            ("2024-10-27 03:00", "\"2024-10-27T02:00:00Z\""),
            ("2024-10-27 02:30+02:00", "\"2024-10-27T00:30:00Z\""),
            ("2024-03-31", "\"2024-03-31\""),
        ],
        &[],
        &[
            ("2024-03-31 02:30", "datetime-clock"),
            ("2024-10-27 02:30", "datetime-clock"),
            ("2024-02-30 02:30", "type-datetime"),
        ],
    );
}

#[test]
fn a_local_time_that_is_no_moment_is_told_with_its_zone() {
    const HELP: &str = "the local time is one that the clocks of its time zone skip or show twice; write \
                        it with its offset from UTC, or correct the timezone in the mapping";
    let lab = Lab::new();
    let map = "timezone = \"America/New_York\"\n[columns]\ncustomer_id = {}\naction = {}\n\
               user_time = {}\nv = { type = \"datetime\", timezone = \"Europe/Berlin\" }\n";
    lab.write("map.toml", map);
    lab.write(
        "events.csv",
        "customer_id,action,user_time,v\nuser-1,a,2026-03-08 02:30,\nuser-2,a,2026-11-01 01:30,\n\
         user-3,a,2026-03-29 02:30,2026-03-29 02:30\nuser-4,a,2026-10-25 02:30,2026-10-25 02:30\n",
    );
    let args = ["events.csv", "--kind", "events", "--mapping", "map.toml"];
    let report = lab.report(1, &[&["validate"], args.as_slice()].concat());
    assert_eq!(report["rows"]["rejected"], 4, "{report}");
    let file = format!("{}/rejects.csv", report["run_dir"].as_str().expect("a directory"));
    let bytes = lab.read(&file);
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let records = reader.deserialize().map(|record| record.expect("a record"));
    let found: Vec<String> = records
        .map(|record: BTreeMap<String, String>| record["_moebulk_message"].clone())
        .collect();
    let expected = [
        ("user_time", "America/New_York skips it"),
        ("user_time", "America/New_York has it twice"),
        ("v", "Europe/Berlin skips it"),
        ("v", "Europe/Berlin has it twice"),
    ];
    assert_eq!(found, expected.map(|(name, said)| format!("column `{name}`: {HELP} ({said})")));
    // The summary shows the first of each in its place, with the zone beside it.
    let shown = lab.run(&[&["validate"], args.as_slice(), &["--progress", "off"]].concat());
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(shown.contains("America/New_York skips it"), "{shown}");
}

/// Each of MoEngage's 24 formats takes its own form, and no cell of another one.
/// As PostgreSQL and Redshift, BigQuery and Athena, Snowflake, and SQL Server export them.
#[test]
fn a_datetime_of_a_database_may_have_its_zone() {
    hold(
        "{ type = \"datetime\", format = \"database\" }",
        &[
            ("2024-02-29", "\"2024-02-29\""),
            ("2024-01-02T03:04", "\"2024-01-02T03:04:00Z\""),
            ("2024-01-02 03:04:05Z", "\"2024-01-02T03:04:05Z\""),
            ("2024-01-02 03:04:05+00", "\"2024-01-02T03:04:05Z\""),
            ("2024-01-02 03:04:05.25-08", "\"2024-01-02T11:04:05.250Z\""),
            ("2024-01-02 03:04:05 UTC", "\"2024-01-02T03:04:05Z\""),
            ("2024-01-02 03:04:05.000 -0800", "\"2024-01-02T11:04:05.000Z\""),
            ("2024-01-02 03:04:05.0000000 +05:30", "\"2024-01-01T21:34:05.000Z\""),
        ],
        &[(
            ("2024-01-02 03:04:05.123456 UTC", "\"2024-01-02T03:04:05.123Z\""),
            "datetime-precision",
        )],
        &[
            ("2024-02-30 03:04:05+00", "type-datetime"),
            ("2024-01-02 03:04:05 CET", "type-datetime"),
            ("2024-01-02 03:04:05+0", "type-datetime"),
            ("2024-01-02 UTC", "type-datetime"),
            ("02/01/2024", "type-datetime"),
        ],
    );
}

#[test]
fn a_datetime_of_a_format_has_that_form_alone() {
    const DATES: [(&str, &str); 4] = [
        ("YYYY-MM-DD", "2024-03-09"),
        ("YYYY/MM/DD", "2024/03/09"),
        ("DD/MM/YYYY", "09/03/2024"),
        ("DD-MM-YYYY", "09-03-2024"),
    ];
    const TIMES: [(&str, &str, &str); 6] = [
        ("", "", ""),
        (" hh:mm:ss", " 10:20:30", "T10:20:30Z"),
        (" hh:mm:ss.s", " 10:20:30.4", "T10:20:30.400Z"),
        ("Thh:mm:ss.s", "T10:20:30.4", "T10:20:30.400Z"),
        ("Thh:mm:ssTZD", "T10:20:30+02:00", "T08:20:30Z"),
        ("Thh:mm:ss.sTZD", "T10:20:30.4Z", "T10:20:30.400Z"),
    ];
    let mut forms = Vec::new();
    for (order, date) in DATES {
        for (form, time, sent) in TIMES {
            forms.push((
                format!("{order}{form}"),
                format!("{date}{time}"),
                format!("2024-03-09{sent}"),
            ));
        }
    }
    assert_eq!(forms.len(), 24);
    // A column a format, a row a form: the cells that are kept are the diagonal.
    let lab = Lab::new();
    let column = |at: usize, format: &str| {
        serde_json::json!({"column": format!("c{at}"), "moe_attr": format!("c{at}"),
            "type": "datetime", "datetime_format": format})
    };
    let uid = serde_json::json!({"column": "customer_id", "moe_attr": "uid", "type": "string"});
    let columns: Vec<_> = std::iter::once(uid)
        .chain(forms.iter().enumerate().map(|(at, (format, _, _))| column(at, format)))
        .collect();
    lab.write("map.json", serde_json::json!({ "mapping": columns }).to_string());
    let header: Vec<_> = (0..forms.len()).map(|at| format!(",c{at}")).collect();
    let mut csv = format!("customer_id{}\n", header.concat());
    for (at, (_, cell, _)) in forms.iter().enumerate() {
        csv.push_str(&format!("user-{at}{}\n", format!(",{cell}").repeat(forms.len())));
    }
    lab.write("users.csv", csv);
    let args = ["users.csv", "--mapping", "map.json", "--on-type-error", "omit"];
    let (report, elements) = lab.import(0, &args);
    assert_eq!(report["rows"]["accepted"], 24);
    for (at, ((format, _, sent), element)) in forms.iter().zip(&elements).enumerate() {
        let expected = Json::object([(format!("c{at}").as_str(), Json::text(sent))]);
        assert_eq!(element.get("attributes"), &expected, "{format}");
    }
}

#[test]
fn an_array_is_split_at_its_separator_with_items_of_one_type() {
    let none = "type-array";
    hold(
        "{ type = \"array\" }",
        &[("[a|b|c]", r#"["a","b","c"]"#), ("a|b", r#"["a","b"]"#), ("[1|2]", r#"["1","2"]"#)],
        &[],
        &[],
    );
    hold(
        "{ type = \"array\", items = \"double\" }",
        &[("[1|2|3]", "[1,2,3]"), ("[+1|.5|007]", "[1,0.5,7]"), ("7", "[7]")],
        &[],
        &[("[1|two]", none), ("[1,5|2]", none)],
    );
    let entry = "{ type = \"array\", separator = \";\" }";
    hold(entry, &[("a;b|c", r#"["a","b|c"]"#)], &[], &[]);
}

#[test]
fn json_is_one_document_with_its_digits() {
    let none = "type-json";
    hold(
        "{ type = \"json\" }",
        &[
            (r#"{"a": 1.50, "b": ["x", "y"]}"#, r#"{"a":1.50,"b":["x","y"]}"#),
            ("[1, 2, 3.0]", "[1,2,3.0]"),
            (r#""text""#, r#""text""#),
            ("1.50", "1.50"),
            ("true", "true"),
        ],
        &[],
        &[("{", none), ("{a:1}", none), ("[1,]", none), ("1 2", none), ("NaN", none), ("01", none)],
    );
}

#[test]
fn an_empty_cell_is_absent_of_every_type() {
    for kind in ["string", "double", "bool", "datetime", "array", "json"] {
        hold(&format!("{{ type = \"{kind}\" }}"), &[("", "null")], &[], &[]);
    }
}

/// Without a mapping a standard attribute has its documented type, whatever its cells look like.
#[test]
fn a_standard_attribute_has_its_documented_type() {
    const TEXTS: [&str; 13] = [
        "u_n",
        "u_fn",
        "u_ln",
        "u_gd",
        "u_em",
        "u_mb",
        "uid",
        "moe_sms_subscription",
        "moe_email_optin_status",
        "moe_gaid",
        "publisher_name",
        "campaign_name",
        "advertising_identifier",
    ];
    const BOOLS: [&str; 6] = [
        "moe_wa_subscription",
        "moe_sub_w",
        "moe_spam",
        "moe_unsubscribe",
        "moe_hard_bounce",
        "push_preference",
    ];
    // Cells of which inference would make a number, a boolean and a date, and text.
    let file = |names: &[&str], cells: [&str; 2]| {
        let row =
            |id: usize| format!("user-{id}{}\n", format!(",{}", cells[id]).repeat(names.len()));
        format!("customer_id,{}\n{}{}", names.join(","), row(0), row(1))
    };
    let attributes = |names: &[&str], cells: [&str; 2], code: i32| {
        let lab = Lab::new();
        lab.write("users.csv", file(names, cells));
        let (report, elements) = lab.import(code, &["users.csv"]);
        let all: Vec<Json> = elements.iter().map(|one| one.get("attributes").clone()).collect();
        (report, all)
    };
    let each = |names: &[&str], value: &Json| {
        Json::object(names.iter().map(|name| (*name, value.clone())))
    };
    for cells in [["12", "34"], ["true", "false"], ["2024-01-02", "2024-01-03"]] {
        let (_, found) = attributes(&TEXTS, cells, 0);
        assert_eq!(found, cells.map(|cell| each(&TEXTS, &Json::text(cell))));
    }
    let (report, found) = attributes(&BOOLS, ["TRUE", "1"], 1);
    assert_eq!(found, [each(&BOOLS, &Json::Bool(true))]);
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(BOOLS.len()), "{report}");
    let (report, found) = attributes(&["u_bd"], ["2024-01-02", "19900101"], 1);
    assert_eq!(found, [each(&["u_bd"], &Json::text("2024-01-02"))]);
    assert_eq!(report["problems"][0]["code"], "type-datetime");
}
