//! Values: every digit and every character, and random objects against a slow reader.

use proptest::prelude::*;

use crate::{attributes, codes, pack, rows_by_code, support::Json};

/// The value `v` of one row as it is sent, raw; the mapping's entry for `v` where there is one.
fn sent(entry: Option<&str>, value: &str) -> Result<Option<String>, String> {
    let lab = crate::support::Lab::new();
    lab.write("rows.ndjson", format!("{{\"customer_id\":\"u-1\",\"v\":{value}}}\n"));
    let mut args = vec!["pack", "rows.ndjson", "--out", "bodies", "--run-dir", "run"];
    if let Some(entry) = entry {
        lab.write("map.toml", format!("[columns]\ncustomer_id = {{}}\nv = {entry}\n"));
        args.extend(["--mapping", "map.toml"]);
    }
    let ran = lab.run(&args);
    let report: serde_json::Value =
        serde_json::from_slice(&lab.read("run/report.json")).expect("JSON");
    if ran.code != 0 {
        return Err(report["problems"][0]["code"].as_str().expect("a code").to_owned());
    }
    let bodies = String::from_utf8(lab.read("bodies")).expect("UTF-8");
    let (_, rest) = bodies.split_once("\"attributes\":{").expect("attributes");
    let inner = rest.strip_suffix("}}]}\n").expect("the end of a body");
    Ok(inner.strip_prefix("\"v\":").map(str::to_owned))
}

#[test]
fn values_are_sent_as_they_stand() {
    for (value, expected) in [
        ("0", "0"),
        ("-0", "-0"),
        ("-0.0", "-0.0"),
        ("1.50", "1.50"),
        ("123456789012345", "123456789012345"),
        ("1E5", "1e5"),
        ("25e-1", "25e-1"),
        // A double does not keep these, so the column is text, every digit of it.
        ("9007199254740993", "\"9007199254740993\""),
        ("1234567890123456789", "\"1234567890123456789\""),
        ("0.1234567890123456789", "\"0.1234567890123456789\""),
        ("1e400", "\"1e400\""),
        ("true", "true"),
        ("false", "false"),
        // What is a string in JSON stays one.
        ("\"123\"", "\"123\""),
        ("\"true\"", "\"true\""),
        ("\"2024-01-02\"", "\"2024-01-02\""),
        (
            "\" \\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f \"",
            "\" \\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f \"",
        ),
        ("\"\\\\u0041\"", "\"\\\\u0041\""),
        ("\"\\u00e9\\ud83d\\ude00é\"", "\"é😀é\""),
        (
            "{ \"a\" : [ 1.50 , -0 ] , \"\\u00e9\" : \"\\ud83d\\ude00\" }",
            "{\"a\":[1.50,-0],\"é\":\"😀\"}",
        ),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[12345678901234567890]", "[12345678901234567890]"),
        ("{\"a\":null,\"b\":1}", "{\"b\":1}"),
    ] {
        assert_eq!(sent(None, value), Ok(Some(expected.to_owned())), "{value}");
    }
    for value in ["null", " null ", "\"\""] {
        assert_eq!(sent(None, value), Ok(None), "{value}");
    }
}

#[test]
fn what_has_no_text_or_no_end_is_rejected_by_name() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let long = deep(100_000);
    for (value, code) in [
        ("\"\\ud800\"", "json-surrogate"),
        ("\"\\udc00\"", "json-surrogate"),
        ("\"\\ud800\\u0041\"", "json-surrogate"),
        ("\"\\udc00\\ud800\"", "json-surrogate"),
        ("[\"\\ud83d\"]", "json-surrogate"),
        ("{\"a\":1,\"a\":2}", "object-key-twice"),
        ("{\"b\":{\"a\":1,\"\\u0061\":2}}", "object-key-twice"),
        ("[1e400]", "number-range"),
        (long.as_str(), "type-json"),
        ("\"\\ud8\"", "json-syntax"),
        ("01", "json-syntax"),
        ("+1", "json-syntax"),
        ("NaN", "json-syntax"),
        ("\"\\x41\"", "json-syntax"),
        ("\"\u{1}\"", "json-syntax"),
    ] {
        // A line that is no JSON gives no columns, so another one does.
        let text =
            format!("{{\"customer_id\":\"u-0\"}}\n{{\"customer_id\":\"u-1\",\"v\":{value}}}\n");
        let (_, report, _) = pack(1, text, &[]);
        assert_eq!(rows_by_code(&report, "reject"), codes(&[(code, &[2])]), "{value:.60}");
    }
    assert_eq!(sent(None, &deep(128)).map(|text| text.map(|text| text.len())), Ok(Some(257)));
    assert_eq!(sent(None, &deep(129)), Err("type-json".to_owned()));
}

#[test]
fn a_mapping_says_what_strings_and_numbers_are() {
    let text = |text: &str| Ok(Some(text.to_owned()));
    let (double, string, bool) =
        (Some("{ type = \"double\" }"), Some("{ type = \"string\" }"), Some("{ type = \"bool\" }"));
    let (date, json) = (Some("{ type = \"datetime\" }"), Some("{ type = \"json\" }"));
    assert_eq!(sent(double, "\" 1.50\""), text("1.50"));
    assert_eq!(sent(double, "12345678901234567890"), text("12345678901234567890"));
    assert_eq!(sent(double, "1e400"), Err("number-range".to_owned()));
    assert_eq!(sent(double, "true"), Err("type-number".to_owned()));
    assert_eq!(sent(double, "[1]"), Err("type-nested".to_owned()));
    assert_eq!(sent(string, "1.50"), text("\"1.50\""));
    assert_eq!(sent(string, "1E400"), text("\"1E400\""));
    assert_eq!(sent(string, "true"), text("\"true\""));
    assert_eq!(sent(string, "{\"a\":1}"), Err("type-nested".to_owned()));
    assert_eq!(sent(bool, "\"TRUE\""), text("true"));
    assert_eq!(sent(bool, "1"), Err("type-bool".to_owned()));
    assert_eq!(sent(date, "\"2024-01-02 03:04+01:00\""), text("\"2024-01-02T02:04:00Z\""));
    assert_eq!(sent(date, "20240102"), Err("type-datetime".to_owned()));
    // A string that holds an object or a list is read as a document, as a cell of CSV is. What would
    // come out as another type than it has is refused.
    assert_eq!(sent(json, "\"{\\\"a\\\": [1]}\""), text("{\"a\":[1]}"));
    assert_eq!(sent(json, "\"[no document\""), Err("type-json".to_owned()));
    for value in ["\"5\"", "\"null\"", "\"text\"", "5.0", "false"] {
        assert_eq!(sent(json, value), Err("type-nested".to_owned()), "{value}");
    }
    assert_eq!(sent(json, "\"\""), Ok(None));
}

#[test]
fn ids_keep_every_digit_and_are_whole() {
    let lines = [
        r#"{"customer_id":1234567890123456789}"#,
        r#"{"customer_id":"007"}"#,
        r#"{"customer_id":7.0}"#,
        r#"{"customer_id":1e3}"#,
        r#"{"customer_id":["ab"]}"#,
        r#"{"customer_id":null}"#,
        r#"{"customer_id":"\ud800x"}"#,
        r#"{"customer_id":true}"#,
    ];
    let (_, report, elements) = pack(1, lines.join("\n"), &[]);
    let kept = attributes(&elements);
    let ids: Vec<_> = kept.keys().map(String::as_str).collect();
    assert_eq!(ids, ["007", "1234567890123456789"]);
    let expected: [(&str, &[u64]); 5] = [
        ("id-missing", &[6]),
        ("id-not-whole", &[3, 4]),
        ("id-disallowed", &[8]),
        ("json-surrogate", &[7]),
        ("type-nested", &[5]),
    ];
    assert_eq!(rows_by_code(&report, "reject"), codes(&expected));
}

#[test]
fn a_key_that_is_not_there_is_left_alone_and_null_is_unset() {
    let lines = "{\"customer_id\":\"u-1\",\"a\":null,\"b\":\"x\"}\n{\"customer_id\":\"u-2\",\"b\":\"\"}\n{\"customer_id\":\"u-3\",\"a\":\"y\"}\n";
    let (_, _, elements) = pack(0, lines, &["--empty", "unset"]);
    let unset = |at: usize| match elements[at].get("unset_attributes") {
        Json::Array(all) => all.iter().map(|one| one.get("attr").clone()).collect(),
        _ => Vec::new(),
    };
    assert_eq!(unset(0), [Json::text("a")]);
    assert_eq!(unset(1), [Json::text("b")]);
    assert_eq!(unset(2), []);
}

/// A JSON value that is written as it is spelled here.
fn value(depth: u32) -> BoxedStrategy<String> {
    let text = prop_oneof![
        "[a-z0-9 é😀\\PC]{0,12}".prop_map(|text| serde_json::to_string(&text).expect("JSON")),
        prop::collection::vec(
            prop_oneof![
                Just("\\u00e9".to_owned()),
                Just("\\ud83d\\uDE00".to_owned()),
                Just("\\n".to_owned()),
                Just("\\/".to_owned()),
                Just("\\\\u0041".to_owned()),
                Just("\\\"".to_owned()),
                "[a-z{}\\[\\]:, ]{1,4}",
            ],
            0..4
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat())),
    ];
    let number = prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,3})?([eE][-+]?[0-9]{1,2})?",
    ];
    let flat = prop_oneof![4 => text, 3 => number, 1 => Just("true".to_owned()), 1 => Just("false".to_owned()), 1 => Just("null".to_owned())];
    if depth == 0 {
        return flat.boxed();
    }
    let list = prop::collection::vec(value(depth - 1), 0..4)
        .prop_map(|items| format!("[ {}]", items.join(" , ")));
    let object =
        prop::collection::btree_map("[a-zé]{1,5}", value(depth - 1), 0..4).prop_map(|members| {
            let members: Vec<_> =
                members.iter().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
            format!("{{{}}}", members.join(","))
        });
    prop_oneof![3 => flat, 1 => list, 1 => object].boxed()
}

/// What a value becomes in a column of JSON documents: nulls are left out.
fn as_sent(value: Json) -> Option<Json> {
    Some(match value {
        Json::Null => return None,
        Json::Array(items) => Json::Array(items.into_iter().filter_map(as_sent).collect()),
        Json::Object(members) => Json::Object(
            members.into_iter().filter_map(|(key, value)| Some((key, as_sent(value)?))).collect(),
        ),
        value => value,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Each column has a mapping of its own type, so that no value changes its form: what is sent is
    /// what a slow reader finds in the line.
    #[test]
    fn random_objects_are_sent_as_a_slow_reader_reads_them(
        rows in prop::collection::vec(
            (
                prop::option::of(value(0).prop_filter("text", |text| text.starts_with('"'))),
                prop::option::of("-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,2})?"),
                prop::option::of(value(2).prop_filter("nested", |text| text.starts_with(['{', '[', 'n']))),
                prop::collection::vec(value(1), 0..3),
                any::<bool>(),
            ),
            1..12
        ),
    ) {
        let mut lines = String::new();
        let mut expected = Vec::new();
        for (at, (text, number, document, others, is_first)) in rows.iter().enumerate() {
            let mut members: Vec<(String, &str)> = Vec::new();
            members.extend(text.iter().map(|text| ("te\\u0078t".to_owned(), text.as_str())));
            members.extend(number.iter().map(|number| ("number".to_owned(), number.as_str())));
            members.extend(document.iter().map(|value| ("document".to_owned(), value.as_str())));
            members.extend(others.iter().enumerate().map(|(n, value)| (format!("other {n}"), value.as_str())));
            let id = format!("\"user-{at}\"");
            members.insert(if *is_first { 0 } else { members.len() }, ("customer_id".to_owned(), &id));
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
            let line = format!(" {{{}}}", members.join("\t,"));
            let Json::Object(mut read) = Json::parse(line.as_bytes()) else { panic!("an object") };
            read.retain(|key, value| {
                ["text", "number", "document"].contains(&key.as_str())
                    && *value != Json::Null && *value != Json::text("")
            });
            let read = as_sent(Json::Object(read)).expect("an object");
            expected.push(Json::object([
                ("type", Json::text("customer")),
                ("customer_id", Json::text(&format!("user-{at}"))),
                ("attributes", read),
            ]));
            lines.push_str(&line);
            lines.push_str(if at % 3 == 0 { "\r\n" } else { "\n" });
        }
        let lab = crate::support::Lab::new();
        lab.write("rows.ndjson", &lines);
        lab.write("map.toml", concat!(
            "[columns]\ncustomer_id = {}\n",
            "text = { type = \"string\", optional = true }\n",
            "number = { type = \"double\", optional = true }\n",
            "document = { type = \"json\", optional = true }\n",
        ));
        let (report, found) = lab.pack(0, &["rows.ndjson", "--mapping", "map.toml"]);
        prop_assert_eq!(&report["rows"]["read"], rows.len());
        crate::support::assert_same(&expected, &found);
    }
}
