//! The silent rules for values, each with a value exactly at the limit, kept whole, and one over it.

use std::collections::BTreeSet;

use moebulk::sandbox::{Options, Sandbox};
use serde_json::{Map, Value, json};

use crate::client::{dropped, send_bulk, start, stored};

/// What the rules did: rule, name, deed.
fn did(rule: &str, name: &str, did: &str) -> (String, Option<String>, String) {
    (rule.to_owned(), Some(name.to_owned()), did.to_owned())
}

/// Sends one attribute, `a`, of one user; answers what is stored of it and what was done.
fn store(sandbox: &Sandbox, value: Value) -> (Value, Vec<(String, Option<String>, String)>) {
    let before = dropped(sandbox).len();
    send_bulk(sandbox, &[user_with(json!({"a": value}))]);
    let stored = stored(sandbox).pop().expect("a record");
    let attributes = stored["attributes"].as_object().expect("attributes");
    let value = attributes.get("a").cloned().unwrap_or_else(|| json!("left out"));
    (value, dropped(sandbox).split_off(before))
}

fn user_with(attributes: Value) -> Value {
    json!({"type": "customer", "customer_id": "u1", "attributes": attributes})
}

#[track_caller]
fn kept_whole(sandbox: &Sandbox, value: Value) {
    assert_eq!(store(sandbox, value.clone()), (value, vec![]));
}

#[test]
fn a_string_has_512_characters() {
    let sandbox = start(Options::default());
    // Characters, not bytes: each of these has four.
    kept_whole(&sandbox, json!("😀".repeat(512)));
    let (value, done) = store(&sandbox, json!("😀".repeat(513)));
    assert_eq!(value, json!("😀".repeat(512)));
    assert_eq!(done, [did("string-length", "a", "truncated")]);
}

#[test]
fn a_longer_url_is_dropped_whole() {
    let sandbox = start(Options::default());
    let url = |chars: usize| format!("https://{}", "x".repeat(chars - 8));
    kept_whole(&sandbox, json!(url(512)));
    assert_eq!(
        store(&sandbox, json!(url(513))),
        (json!("left out"), vec![did("url-length", "a", "dropped")])
    );
    // A text that only begins with one is a text.
    let (value, _) = store(&sandbox, json!(format!("{} and more", url(600))));
    assert_eq!(value, json!(url(512)));
}

#[test]
fn a_list_has_50_items_of_512_characters() {
    let sandbox = start(Options::default());
    kept_whole(&sandbox, json!(vec!["é".repeat(512); 50]));
    let (value, done) = store(&sandbox, json!(vec!["x"; 51]));
    assert_eq!(value, json!(vec!["x"; 50]));
    assert_eq!(done, [did("list-length", "a", "truncated")]);
    let (value, done) = store(&sandbox, json!(["x", "é".repeat(513), "y"]));
    assert_eq!(value, json!(["x", "y"]));
    assert_eq!(done, [did("list-item-length", "a", "dropped")]);
    kept_whole(&sandbox, json!([]));
}

#[test]
fn a_list_of_objects_has_100_items() {
    let sandbox = start(Options::default());
    let object = json!({"platform": "ANDROID", "active": "true"});
    kept_whole(&sandbox, json!(vec![&object; 100]));
    let (value, done) = store(&sandbox, json!(vec![&object; 101]));
    assert_eq!(value, json!(vec![&object; 100]));
    assert_eq!(done, [did("list-length", "a", "truncated")]);
}

#[test]
fn a_list_has_one_datatype() {
    let sandbox = start(Options::default());
    kept_whole(&sandbox, json!([1, 2.5]));
    kept_whole(&sandbox, json!([true, false]));
    let cast = || did("list-datatype", "a", "cast");
    let gone = || did("list-datatype", "a", "dropped");
    for (sent, kept, done) in [
        (json!(["x", 1, true]), json!(["x", "1", "true"]), vec![cast()]),
        (json!([1, "2.5", " 3"]), json!([1, 2.5, 3]), vec![cast()]),
        (json!([1, "x", false, null]), json!([1]), vec![gone()]),
        (json!([true, "false", 1]), json!([true, false]), vec![cast(), gone()]),
        (json!(["x", {"k": 1}]), json!(["x"]), vec![gone()]),
        (json!([{"k": 1}, "x"]), json!([{"k": 1}]), vec![gone()]),
        (json!([[1], [2]]), json!(["[1]", "[2]"]), vec![cast()]),
        (json!([null]), json!([]), vec![gone()]),
    ] {
        assert_eq!(store(&sandbox, sent.clone()), (kept, done), "{sent}");
    }
}

/// An object whose compact JSON has exactly `bytes` bytes.
fn object_of(bytes: usize) -> Value {
    let mut map = Map::new();
    for index in 0..100 {
        map.insert(format!("k{index:02}"), json!("x".repeat(200)));
    }
    let missing = bytes - Value::Object(map.clone()).to_string().len();
    let (each, rest) = (missing / 100, missing % 100);
    for (index, value) in map.values_mut().enumerate() {
        *value = json!("x".repeat(200 + each + usize::from(index < rest)));
    }
    Value::Object(map)
}

#[test]
fn an_object_has_25_kb() {
    let sandbox = start(Options::default());
    assert_eq!(object_of(25_000).to_string().len(), 25_000);
    kept_whole(&sandbox, object_of(25_000));
    assert_eq!(
        store(&sandbox, object_of(25_001)),
        (json!("left out"), vec![did("object-bytes", "a", "dropped")])
    );
    let (value, done) = store(&sandbox, json!([{"k": 1}, object_of(25_001)]));
    assert_eq!((value, done), (json!([{"k": 1}]), vec![did("object-bytes", "a", "dropped")]));
}

#[test]
fn an_object_has_100_keys() {
    let sandbox = start(Options::default());
    let object = |keys: usize| {
        Value::Object((0..keys).map(|index| (format!("k{index}"), json!(index))).collect())
    };
    kept_whole(&sandbox, object(100));
    let (value, done) = store(&sandbox, object(101));
    assert_eq!(value, object(100));
    assert_eq!(done, [did("object-keys", "a", "truncated")]);
}

#[test]
fn an_object_has_two_levels() {
    let sandbox = start(Options::default());
    kept_whole(&sandbox, json!({"one": {"two": [1]}}));
    let (value, done) = store(&sandbox, json!({"one": {"two": {"three": 3}, "x": 1}}));
    assert_eq!(value, json!({"one": {"two": "{\"three\":3}", "x": 1}}));
    assert_eq!(done, [did("object-levels", "a", "stored-as-string")]);
    kept_whole(&sandbox, json!([{"one": {"two": 2}}]));
    let (value, done) = store(&sandbox, json!([{"one": {"two": [{"three": 3}]}}]));
    assert_eq!(value, json!([{"one": {"two": ["{\"three\":3}"]}}]));
    assert_eq!(done, [did("object-levels", "a", "stored-as-string")]);
}

#[test]
fn keys_of_objects_hold_no_special_characters() {
    let sandbox = start(Options::default());
    kept_whole(&sandbox, json!({"a-b_c d/é": 1}));
    let (value, done) =
        store(&sandbox, json!({"a$": 1, "a.b": 1, "%": 1, "#a": 1, "ok": {"x.y": 1, "z": 2}}));
    assert_eq!(value, json!({"ok": {"z": 2}}));
    let one = did("object-key-characters", "a", "dropped");
    assert_eq!(done, [one.clone(), one]);
}

#[test]
fn strings_in_objects_are_cut_too() {
    let sandbox = start(Options::default());
    kept_whole(&sandbox, json!({"k": "x".repeat(512)}));
    let (value, done) = store(&sandbox, json!({"k": "x".repeat(513), "l": ["y", 1]}));
    assert_eq!(value, json!({"k": "x".repeat(512), "l": ["y", "1"]}));
    assert_eq!(done, [did("string-length", "a", "truncated"), did("list-datatype", "a", "cast")]);
}

#[test]
fn dates_that_are_none_are_strings() {
    let sandbox = start(Options::default());
    for date in ["2024-02-29", "2026-12-31T23:59:59Z", "2026-12-31T23:59:59.999Z", "not a date"] {
        kept_whole(&sandbox, json!(date));
    }
    for text in [
        "2025-02-29",
        "2025-02-30T25:61:00Z",
        "2025-01-31 10:00:00",
        "31/01/2025",
        "2025-01-31T10:00:00+02:00",
    ] {
        let expected = (json!(text), vec![did("date-format", "a", "stored-as-string")]);
        assert_eq!(store(&sandbox, json!(text)), expected);
    }
    // No date is meant where text is documented.
    let before = dropped(&sandbox).len();
    send_bulk(&sandbox, &[user_with(json!({"u_fn": "2025-02-29"}))]);
    assert_eq!(dropped(&sandbox).len(), before);
    let page = crate::client::look(&sandbox, "users");
    assert_eq!(page["users"][0]["types"]["a"], "string");
    store(&sandbox, json!("2024-02-29"));
    let page = crate::client::look(&sandbox, "users");
    assert_eq!(page["users"][0]["types"]["a"], "datetime");
}

#[test]
fn standard_texts_sent_as_something_else_are_kept_and_told() {
    let sandbox = start(Options::default());
    let texts = ["u_n", "u_fn", "u_ln", "u_gd", "u_em", "u_mb", "uid", "moe_sms_subscription"];
    for name in texts {
        for value in [json!(4917012345_u64), json!(["x"])] {
            let before = dropped(&sandbox).len();
            let element = user_with(json!({name: value}));
            send_bulk(&sandbox, std::slice::from_ref(&element));
            assert_eq!(stored(&sandbox).pop(), Some(element));
            assert_eq!(dropped(&sandbox).split_off(before), [did("standard-string", name, "kept")]);
        }
        let before = dropped(&sandbox).len();
        send_bulk(&sandbox, &[user_with(json!({name: "text"}))]);
        assert_eq!(dropped(&sandbox).len(), before);
    }
}

/// Every rule that the sources name has a row in the document, and none is there that they don't.
#[test]
fn the_document_lists_every_rule() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).expect(name);
    let document = read("docs/sandbox.md");
    let (_, table) =
        document.split_once("| rule | about | did |\n|---|---|---|\n").expect("a table");
    let listed: BTreeSet<_> = table
        .lines()
        .map_while(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    let files =
        ["users.rs", "silent/mod.rs", "silent/names.rs", "silent/values.rs", "silent/workspace.rs"];
    let named: BTreeSet<_> = files
        .iter()
        .flat_map(|file| {
            let source = read(&format!("src/sandbox/{file}"));
            let rules = source.split('"').skip(1).step_by(2).filter(|text| {
                text.contains('-')
                    && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase())
            });
            rules.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(listed, named);
}
