//! The columns of a file: the keys of all its lines.

use crate::{
    attributes, codes, pack, rows_by_code,
    support::{Json, Lab},
};

#[test]
fn a_key_may_stand_in_the_last_line_alone() {
    let mut text: String = (0..20_000)
        .map(|at| {
            format!("{{\"customer_id\":\"user-{at}\",\"filler\":\"some text of every line\"}}\n")
        })
        .collect();
    text.push_str("{\"late\":7,\"customer_id\":\"user-last\"}");
    let (lab, report, elements) = pack(0, text, &[]);
    assert_eq!(report["rows"]["accepted"], 20_001);
    let last = elements.last().expect("a row");
    assert_eq!(last.get("attributes"), &Json::object([("late", Json::Number("7".to_owned()))]));
    // In the order in which they first stand.
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let mapping =
        String::from_utf8(lab.read(&format!("{run_dir}/resolved-mapping.toml"))).expect("UTF-8");
    let at = |name: &str| mapping.find(name).unwrap_or_else(|| panic!("{name} in {mapping}"));
    assert!(at("customer_id") < at("filler") && at("filler") < at("late"));
}

#[test]
fn a_damaged_line_gives_no_column() {
    let lines = "{\"customer_id\":\"u-1\"}\n{\"customer_id\":\"u-2\",\"ghost\":1,\"x\n{\"twice\":1,\"twice\":2}\n";
    let (lab, report, _) = pack(1, lines, &[]);
    let path = format!("{}/resolved-mapping.toml", report["run_dir"].as_str().expect("text"));
    let mapping = String::from_utf8(lab.read(&path)).expect("UTF-8");
    assert!(!mapping.contains("ghost") && !mapping.contains("twice"), "{mapping}");
}

#[test]
fn a_mapped_column_that_no_line_has_is_named() {
    let lab = Lab::new();
    lab.write("rows.ndjson", "{\"customer_id\":\"u-1\",\"colour\":\"red\"}\n");
    lab.write("map.toml", "[columns]\ncustomer_id = {}\ncolor = {}\n");
    let ran = lab.run(&["validate", "rows.ndjson", "--mapping", "map.toml"]);
    assert_ne!(ran.code, 0);
    assert!(
        ran.stderr.contains("the mapping's column `color` is not in the file"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("did you mean `colour`?"), "{}", ran.stderr);
}

/// MoEngage's own imports name a member of nested JSON so.
#[test]
fn a_member_of_an_object_is_no_column_and_its_object_is_named() {
    let lab = Lab::new();
    let line =
        |at: usize| format!("{{\"customer_id\":\"u-{at}\",\"a\":{{\"b\":{at}}},\"n\":{at}}}\n");
    lab.write("rows.ndjson", (0..3).map(line).collect::<String>());
    let json = |column: &str| {
        format!(
            r#"{{"mapping":[{{"column":"customer_id","moe_attr":"uid"}},{{"column":"{column}","moe_attr":"v"}}]}}"#
        )
    };
    let toml = |column: &str| {
        format!("[columns]\ncustomer_id = {{}}\n\"{column}\" = {{ type = \"double\" }}\n")
    };
    let told = |mapping: String| {
        lab.write("map", mapping);
        let ran = lab.run(&["validate", "rows.ndjson", "--mapping", "map"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        ran.stderr
    };
    for mapping in [json("a.b"), toml("a.b")] {
        let text = told(mapping);
        assert!(text.contains("the mapping's column `a.b` is not in the file"), "{text}");
        assert!(text.contains("a member of the objects in `a` is not read by itself"), "{text}");
        assert!(text.contains("map `a` whole, with the type json"), "{text}");
    }
    assert!(!told(json("other.b")).contains("a member of"));
    // As it says.
    lab.write("map", json("a").replace("\"v\"", "\"v\",\"type\":\"json\""));
    let (report, elements) = lab.pack(0, &["rows.ndjson", "--mapping", "map"]);
    assert_eq!(report["rows"]["accepted"], 3);
    let object = Json::object([("b", Json::Number("2".to_owned()))]);
    assert_eq!(elements[2].get("attributes"), &Json::object([("v", object)]));
}

#[test]
fn keys_that_are_values_are_too_many_columns_and_a_mapping_says_which_are_meant() {
    let lines: String = (0..16_384)
        .map(|at| format!("{{\"customer_id\":\"user-{at}\",\"id-{at}\":1}}\n"))
        .collect();
    let lab = Lab::new();
    lab.write("rows.ndjson", &lines);
    let ran = lab.run(&["validate", "rows.ndjson"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("line 16384: the objects up to here have more than 16384"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("--mapping"));
    lab.write("map.toml", "[columns]\ncustomer_id = {}\nid-16383 = { type = \"double\" }\n");
    let (report, elements) = lab.pack(0, &["rows.ndjson", "--mapping", "map.toml"]);
    assert_eq!(report["rows"]["accepted"], 16_384);
    assert_eq!(attributes(&elements)["user-16383"].get("id-16383"), &Json::Number("1".to_owned()));
}

#[test]
fn types_of_one_column_that_differ_make_it_text_and_few_of_them_are_named() {
    let line =
        |at: usize, value: &str| format!("{{\"customer_id\":\"user-{at}\",\"v\":{value}}}\n");
    let mut lines: String = (0..200).map(|at| line(at, &at.to_string())).collect();
    lines.push_str(&line(200, "\"n/a\""));
    lines.push_str(&line(201, "true"));
    let (_, report, elements) = pack(0, &lines, &[]);
    assert_eq!(rows_by_code(&report, "warning"), codes(&[("type-minority", &[201, 202])]));
    let found = attributes(&elements);
    assert_eq!(found["user-7"].get("v"), &Json::text("7"));
    assert_eq!(found["user-201"].get("v"), &Json::text("true"));
    // An object among flat values is no text: its row is rejected, and the others are what they were.
    lines = (0..200).map(|at| line(at, &at.to_string())).collect();
    lines.push_str(&line(200, "{\"a\":1}"));
    let (_, report, elements) = pack(1, &lines, &[]);
    assert_eq!(rows_by_code(&report, "reject"), codes(&[("type-nested", &[201])]));
    assert_eq!(attributes(&elements)["user-7"].get("v"), &Json::Number("7".to_owned()));
    // And the other way round, where most are lists.
    lines = (0..200).map(|at| line(at, "[\"a\"]")).collect();
    lines.push_str(&line(200, "\"a\""));
    lines.push_str(&line(201, "5"));
    let (_, report, elements) = pack(1, &lines, &[]);
    assert_eq!(rows_by_code(&report, "reject"), codes(&[("type-nested", &[201, 202])]));
    assert_eq!(attributes(&elements)["user-7"].get("v"), &Json::Array(vec![Json::text("a")]));
}

#[test]
fn init_proposes_a_mapping_that_reads_the_file() {
    let lab = Lab::new();
    let lines: String = (0..300)
        .map(|at| {
            format!(
                "{{\"customer_id\":\"user-{at}\",\"age\":{},\"note\":\"N {at}\",\"tags\":[\"a\"],\"vip\":true,\"address\":{{\"zip\":\"0{at}\"}}}}\n",
                at % 90
            )
        })
        .collect();
    lab.write("rows.ndjson", lines);
    let ran = lab.run(&["init", "rows.ndjson", "--out", "made.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (report, elements) = lab.pack(0, &["rows.ndjson", "--config", "made.toml"]);
    let (bare, _) = lab.pack(0, &["rows.ndjson"]);
    assert_eq!(report["bodies"]["digest"], bare["bodies"]["digest"]);
    let first = elements[0].get("attributes");
    assert_eq!(first.get("address"), &Json::object([("zip", Json::text("00"))]));
    assert_eq!(first.get("vip"), &Json::Bool(true));
}

#[test]
fn events_and_devices_come_from_lines_too() {
    let lab = Lab::new();
    lab.write(
        "events.ndjson",
        concat!(
            "{\"customer_id\":\"ann\",\"action\":\"Buy\",\"user_time\":1704067200,\"price\":9.90,\"items\":[{\"sku\":\"a\"}]}\n",
            "{\"customer_id\":\"ann\",\"action\":\"Buy\",\"user_time\":\"2024-01-02T03:04:05Z\"}\n",
            "{\"customer_id\":\"ann\",\"action\":{\"name\":\"Buy\"},\"user_time\":1704067200}\n",
        ),
    );
    let (report, elements) = lab.pack(1, &["events.ndjson", "--kind", "events"]);
    assert_eq!(rows_by_code(&report, "reject"), codes(&[("type-nested", &[3])]));
    let Json::Array(actions) = elements[0].get("actions") else { panic!("{elements:?}") };
    assert_eq!(actions.len(), 2);
    assert_eq!(actions[0].get("attributes").get("price"), &Json::Number("9.90".to_owned()));
    assert_eq!(actions[1].get("user_time"), &Json::text("2024-01-02T03:04:05Z"));
}

/// The server drops an attribute without a name, and says so of no row: it is noted, sent as any other
/// blocked name is, and what is written of it can be read.
#[test]
fn a_key_without_a_name_is_noted_and_its_mapping_can_be_used_again() {
    let lines =
        "{\"customer_id\":\"user-1\",\"\":\"x\",\"n\":1}\n{\"customer_id\":\"\",\"\":\"y\"}\n";
    let (lab, report, elements) = pack(1, lines, &[]);
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let of_run = |name: &str| format!("{run_dir}/{name}");
    let expected = codes(&[("name-blocked", &[1, 2])]);
    assert_eq!(rows_by_code(&report, "warning"), expected);
    assert_eq!(attributes(&elements)["user-1"].get(""), &Json::text("x"));

    // The mapping beside the rejects is used by itself.
    let ran = lab.run(&["validate", &of_run("rejects.ndjson"), "--run-dir", "again"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let ran = lab.run(&["validate", "rows.ndjson", "--mapping", &of_run("resolved-mapping.toml")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);

    for (form, file) in [("mapping", "mapping.toml"), ("moengage", "mapping.json")] {
        let ran = lab.run(&["init", "rows.ndjson", "--format", form]);
        assert_eq!(ran.code, 0, "{form}: {}", ran.stderr);
        let (report, elements) = lab.pack(1, &["rows.ndjson", "--mapping", file]);
        assert_eq!(rows_by_code(&report, "warning"), codes(&[]), "{form}");
        let named = Json::object([("n", Json::Number("1".to_owned()))]);
        assert_eq!(attributes(&elements)["user-1"], named, "{form}");
    }
}
