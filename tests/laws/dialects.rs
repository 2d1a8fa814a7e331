//! What each flag of the CSV dialect, and each rule for cells without a value, makes of a file.

use serde_json::{Value, json};

use crate::support::{Json, Lab};

/// The elements as (id, attributes), and the rejected rows as (row, line, code).
type Found = (Vec<(String, Value)>, Vec<(u64, u64, String)>);

fn plain(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => json!(value),
        Json::Number(digits) => serde_json::from_str(digits).expect("a number"),
        Json::Text(text) => json!(text),
        Json::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        other => panic!("{other:?} is not among these files' values"),
    }
}

fn found(lab: &Lab, name: &str, args: &[&str], code: i32) -> Found {
    let (report, elements) = lab.pack(code, &[[name].as_slice(), args].concat());
    let element = |element: &Json| match element.get("customer_id") {
        Json::Text(id) => (id.clone(), plain(element.get("attributes"))),
        other => panic!("{other:?}"),
    };
    let mut rejects = Vec::new();
    for problem in report["problems"].as_array().expect("problems") {
        assert_eq!(problem["count"], problem["first"].as_array().expect("places").len());
        for place in problem["first"].as_array().expect("places") {
            let number = |name: &str| place[name].as_u64().expect("a number");
            let code = problem["code"].as_str().expect("a code").to_owned();
            rejects.push((number("row"), number("line"), code));
        }
    }
    rejects.sort();
    (elements.iter().map(element).collect(), rejects)
}

/// What a file gives: its rows' attributes by id, and what is rejected.
fn check(
    csv: impl AsRef<[u8]>,
    args: &[&str],
    rows: &[(&str, Value)],
    rejects: &[(u64, u64, &str)],
) {
    let lab = Lab::new();
    lab.write("users.csv", csv);
    // Column 2 as text, column 3 as a number, where there is no header to name them.
    let column = |n: u8, name: &str, ty: &str| json!({"column": format!("column_{n}"), "moe_attr": name, "type": ty});
    let columns =
        [column(1, "uid", "string"), column(2, "name", "string"), column(3, "n", "double")];
    lab.write("map.json", json!({ "mapping": columns }).to_string());
    let (elements, rejected) = found(&lab, "users.csv", args, i32::from(!rejects.is_empty()));
    let expected: Vec<(String, Value)> =
        rows.iter().map(|(id, attributes)| ((*id).to_owned(), attributes.clone())).collect();
    assert_eq!(elements, expected, "{args:?}");
    let expected: Vec<(u64, u64, String)> =
        rejects.iter().map(|&(row, line, code)| (row, line, code.to_owned())).collect();
    assert_eq!(rejected, expected, "{args:?}");
}

#[test]
fn delimiter() {
    let rows = [
        ("user-1", json!({"name": "a,b", "n": "1,5"})),
        ("user-2", json!({"name": "x;y", "n": "2\t|"})),
    ];
    check(
        "customer_id;name;n\nuser-1;a,b;1,5\nuser-2;\"x;y\";2\t|\n",
        &["--delimiter", ";"],
        &rows,
        &[],
    );
    check(
        "customer_id|name|n\nuser-1|a,b|1,5\nuser-2|x;y|\"2\t|\"\n",
        &["--delimiter", "|"],
        &rows,
        &[],
    );
    for tab in ["tab", "\t", "\\t"] {
        let csv = "customer_id\tname\tn\nuser-1\ta,b\t1,5\nuser-2\tx;y\t\"2\t|\"\n";
        check(csv, &["--delimiter", tab], &rows, &[]);
    }
    // A name that says tab stands back behind the flag.
    let lab = Lab::new();
    lab.write("users.tsv", "customer_id,name\nuser-1,a\tb\n");
    let (elements, _) = found(&lab, "users.tsv", &["--delimiter", ","], 0);
    assert_eq!(elements, [("user-1".to_owned(), json!({"name": "a\tb"}))]);
}

#[test]
fn quote() {
    let csv = "customer_id,name,n\nuser-1,'it''s, \"so\"',1\nuser-2,'two\nlines',2\n\
               user-3,'',3\nuser-4,o'clock,4\nuser-5,\"5\",5\n";
    check(
        csv,
        &["--quote", "'"],
        &[
            ("user-1", json!({"name": "it's, \"so\"", "n": 1})),
            ("user-2", json!({"name": "two\nlines", "n": 2})),
            ("user-3", json!({"n": 3})),
            ("user-5", json!({"name": "\"5\"", "n": 5})),
        ],
        &[(4, 6, "quote-in-field")],
    );
    check(
        "customer_id,name,n\nuser-1,\"a\",1\nuser-2,5\" disk,2\nuser-3,\"open,3\nuser-4,\"a,b\",4\n",
        &["--quote", "none"],
        &[
            ("user-1", json!({"name": "\"a\"", "n": 1})),
            ("user-2", json!({"name": "5\" disk", "n": 2})),
            ("user-3", json!({"name": "\"open", "n": 3})),
        ],
        &[(4, 5, "field-count")],
    );
}

#[test]
fn escape() {
    let csv = "customer_id,name,n\nuser-1,a\\,b,1\nuser-2,\"say \\\"hi\\\", \\\\\",2\n\
               user-3,two\\\nlines,3\nuser-4,\"doubled \"\"too\"\"\",4\nuser-5,\\\"5\\\",5\n";
    let rows = [
        ("user-1", json!({"name": "a,b", "n": 1})),
        ("user-2", json!({"name": "say \"hi\", \\", "n": 2})),
        ("user-3", json!({"name": "two\nlines", "n": 3})),
        ("user-4", json!({"name": "doubled \"too\"", "n": 4})),
        ("user-5", json!({"name": "\"5\"", "n": 5})),
    ];
    check(csv, &["--escape", "\\"], &rows, &[]);
    let csv = "customer_id,name,n\nuser-1,a^,b,1\nuser-2,\"^^^\n,2\nuser-3,\"c\",x\n";
    check(
        csv,
        &[
            "--escape",
            "^",
            "--quote",
            "none",
            "--no-header",
            "--mapping",
            "map.json",
            "--skip-lines",
            "1",
        ],
        &[("user-1", json!({"name": "a,b", "n": 1})), ("user-2", json!({"name": "\"^\n", "n": 2}))],
        &[(3, 5, "type-number")],
    );
}

#[test]
fn no_header_and_skipped_lines() {
    let mapped = ["--no-header", "--mapping", "map.json"];
    check(
        "user-1,a,+1\nuser-2,b,2.50\nx,c,3\nuser-4,d\n",
        &mapped,
        &[
            // Numbers keep their digits; these compare as doubles.
            ("user-1", json!({"name": "a", "n": 1})),
            ("user-2", json!({"name": "b", "n": 2.5})),
        ],
        &[(3, 3, "id-too-short"), (4, 4, "field-count")],
    );
    let preamble = "\u{feff}An export of \"yesterday\n\n";
    check(
        format!("{preamble}customer_id,name\nuser-1,a\nnull,b\n"),
        &["--skip-lines", "2"],
        &[("user-1", json!({"name": "a"}))],
        &[(2, 5, "id-disallowed")],
    );
    check(
        format!("{preamble}user-1,a,1\nnull,b,2\n"),
        &[&mapped[..], &["--skip-lines", "2"]].concat(),
        &[("user-1", json!({"name": "a", "n": 1}))],
        &[(2, 4, "id-disallowed")],
    );
    // Without a mapping no column is the id.
    let lab = Lab::new();
    lab.write("users.csv", "user-1,a\n");
    let ran = lab.run(&["validate", "users.csv", "--no-header"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for words in ["column_1, column_2", "--mapping"] {
        assert!(ran.stderr.contains(words), "no `{words}` in {}", ran.stderr);
    }
}

#[test]
fn null_values_and_empty_cells() {
    let csv =
        "customer_id,name,n\nuser-1,NULL,-\nuser-2,,7\nuser-3,\"\",NULL\n-,a,1\nuser-5,null,NULL\n";
    // Without the flag they are text, and so the numbers are too.
    check(
        csv,
        &[],
        &[
            ("user-1", json!({"name": "NULL", "n": "-"})),
            ("user-2", json!({"n": "7"})),
            ("user-3", json!({"n": "NULL"})),
            ("user-5", json!({"name": "null", "n": "NULL"})),
        ],
        &[(4, 5, "id-too-short")],
    );
    for nulls in
        [["--null-value", "NULL", "--null-value", "-"].as_slice(), &["--null-value", "NULL", "-"]]
    {
        check(
            csv,
            nulls,
            &[
                ("user-1", json!({})),
                ("user-2", json!({"n": 7})),
                ("user-3", json!({})),
                ("user-5", json!({"name": "null"})),
            ],
            &[(4, 5, "id-missing")],
        );
    }
    // Empty cells of string columns alone, quoted or not; a null word is no empty cell.
    check(
        csv,
        &["--null-value", "NULL", "--null-value", "-", "--empty", "string"],
        &[
            ("user-1", json!({})),
            ("user-2", json!({"name": "", "n": 7})),
            ("user-3", json!({"name": ""})),
            ("user-5", json!({"name": "null"})),
        ],
        &[(4, 5, "id-missing")],
    );
    check(
        "customer_id,name,n\nuser-1,a,\n,b,2\n",
        &["--empty", "string"],
        &[("user-1", json!({"name": "a"}))],
        &[(2, 3, "id-missing")],
    );
}

#[test]
fn lenient_quotes() {
    let csv = "customer_id,name,n\nuser-1,a \"quoted\" word,1\n\
               user-2,\"sound, \"\"really\"\"\",2\nuser-3,\"text\" after,3\nuser-4,sound,4\nuser-5,5\",5\n";
    check(
        csv,
        &["--lenient-quotes"],
        &[
            ("user-1", json!({"name": "a \"quoted\" word", "n": 1})),
            ("user-2", json!({"name": "sound, \"really\"", "n": 2})),
            ("user-3", json!({"name": "text after", "n": 3})),
            ("user-4", json!({"name": "sound", "n": 4})),
            ("user-5", json!({"name": "5\"", "n": 5})),
        ],
        &[],
    );
    check(
        csv,
        &[],
        &[
            ("user-2", json!({"name": "sound, \"really\"", "n": 2})),
            ("user-4", json!({"name": "sound", "n": 4})),
        ],
        &[(1, 2, "quote-in-field"), (3, 4, "text-after-quote"), (5, 6, "quote-in-field")],
    );
}

#[test]
fn max_record_bytes() {
    // `user-1,` and 13 more are 20 bytes; the line end does not count.
    let csv = "customer_id,name\nuser-1,exactly-20-by\nuser-2,one-byte-longer\nuser-3,short\n\
               user-4,\"open\nuser-5,a\nuser-6,b\nuser-7,c\n";
    check(
        csv.replace('\n', "\r\n"),
        &["--max-record-bytes", "20"],
        &[
            ("user-1", json!({"name": "exactly-20-by"})),
            ("user-3", json!({"name": "short"})),
            ("user-5", json!({"name": "a"})),
            ("user-6", json!({"name": "b"})),
            ("user-7", json!({"name": "c"})),
        ],
        &[(2, 3, "record-too-long"), (4, 5, "record-too-long")],
    );
}
