//! Elements: what the bulk endpoint judges silently, what is stored, and how.

use std::io::{Read, Write};

use moebulk::sandbox::Options;
use serde_json::{Value, json};

use crate::client::{BULK, EVENT, Request, USER, connect, envelope, event, look, start, user};

#[test]
fn customer_ids_are_judged_by_the_letter() {
    let refused = [
        "unknown",
        "guest",
        "null",
        "0",
        "1",
        "true",
        "false",
        "user_attribute_unique_id",
        "(empty)",
        "na",
        "n/a",
        "",
        "dummy_seller_code",
        "user_id",
        "id",
        "customer_id",
        "uid",
        "userid",
        "none",
        "-2",
        "-1",
        "2",
        "x",
        "é",
        "漢",
        "😀",
    ];
    let allowed = ["NULL", " None", "Guest", "N/A", "ab", "00", "3 ", "e\u{301}", "😀😀"];
    let sandbox = start(Options::default());
    let ids = refused.iter().chain(&allowed);
    let elements: Vec<Value> = ids.clone().map(|id| user(id)).collect();
    assert_eq!(Request::post(BULK, envelope(&elements)).send(&sandbox).status, 200);

    let violations = look(&sandbox, "violations");
    let listed: Vec<_> = violations["violations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["code"].as_str(), one["element"].as_u64()))
        .collect();
    let expected: Vec<_> = (0..refused.len() as u64)
        .map(|index| {
            let code = if index < 22 { "customer-id-disallowed" } else { "customer-id-length" };
            (Some(code), Some(index))
        })
        .collect();
    assert_eq!(listed, expected);
    let records = look(&sandbox, "records");
    let records = records["records"].as_array().expect("a list");
    let stored: Vec<_> = records.iter().map(|one| one["element"]["customer_id"].as_str()).collect();
    assert_eq!(stored, allowed.map(Some));

    // The User API tells at once.
    for id in ids {
        let answer = Request::post(USER, user(id).to_string()).send(&sandbox);
        let expected = if refused.contains(id) { 400 } else { 200 };
        assert_eq!(answer.status, expected, "{id:?}");
    }
}

#[test]
fn bulk_elements_are_judged_silently_and_single_ones_at_once() {
    let action = |action: Value| json!({"type": "event", "customer_id": "u1", "actions": [action]});
    let device = |attributes: Value| json!({"type": "device", "customer_id": "u1", "device_id": "d1", "attributes": attributes});
    let faulty = [
        ("element-type", json!({"customer_id": "u1"})),
        ("element-type", json!({"type": "Customer", "customer_id": "u1"})),
        ("element-type", json!({"type": 1, "customer_id": "u1"})),
        ("customer-id-type", json!({"type": "customer"})),
        ("customer-id-type", json!({"type": "customer", "customer_id": 1234})),
        ("attributes-type", json!({"type": "customer", "customer_id": "u1", "attributes": []})),
        (
            "update-existing-only",
            json!({"type": "customer", "customer_id": "u1", "update_existing_only": "true"}),
        ),
        (
            "unset-attributes",
            json!({"type": "customer", "customer_id": "u1", "unset_attributes": ["name"]}),
        ),
        ("event-actions", json!({"type": "event", "customer_id": "u1"})),
        ("event-actions", json!({"type": "event", "customer_id": "u1", "actions": []})),
        ("action-name", action(json!({}))),
        ("action-name", action(json!({"action": ""}))),
        ("attributes-type", action(json!({"action": "Buy", "attributes": "x"}))),
        ("action-time", action(json!({"action": "Buy", "user_time": true}))),
        (
            "action-timezone-offset",
            action(json!({"action": "Buy", "user_timezone_offset": 54_001})),
        ),
        ("device-push-id", device(json!({"platform": "iOS"}))),
        (
            "device-push-opted",
            device(json!({"platform": "iOS", "push_id": "p", "moe_push_opted": "yes"})),
        ),
        ("device-platform", device(json!({"push_id": "p1", "platform": "ios"}))),
    ];
    let sound = [
        json!({"type": "customer", "customer_id": "u1", "attributes": {"born": "2025-02-30T25:61:00Z"}}),
        json!({"type": "customer", "customer_id": "u1", "update_existing_only": true,
            "unset_attributes": [{"type": "equals", "attr": "name"}]}),
        action(
            json!({"action": "Buy", "user_time": "2026-01-01T00:00:00Z", "current_time": 1_700_000_000,
            "user_timezone_offset": -54_000, "platform": "web", "app_version": "1"}),
        ),
        device(json!({"platform": "TV", "push_id": "p1"})),
    ];
    let sandbox = start(Options::default());
    let elements: Vec<Value> =
        faulty.iter().map(|(_, element)| element).chain(&sound).cloned().collect();
    assert_eq!(Request::post(BULK, envelope(&elements)).send(&sandbox).status, 200);
    let violations = look(&sandbox, "violations");
    assert_eq!(violations["count"], json!(faulty.len()));
    for (index, (code, element)) in faulty.iter().enumerate() {
        let listed = &violations["violations"][index];
        assert_eq!(listed["code"], *code, "{element}");
        assert_eq!(listed["element"], json!(index), "{element}");
        assert_eq!(listed["request"], 1);
    }
    assert_eq!(look(&sandbox, "records")["count"], json!(sound.len()));

    for (_, element) in &faulty {
        let path = if element["type"] == "event" { EVENT } else { USER };
        let answer = Request::post(path, element.to_string()).send(&sandbox);
        let (code, kind, message) = answer.failure();
        assert_eq!((code, kind), (400, "MissingAttributeError"), "{element}");
        assert!(message.contains(" is expected to be "), "{message}");
    }
    assert_eq!(look(&sandbox, "records")["count"], json!(sound.len()));
}

#[test]
fn records_stand_in_order_of_arrival_byte_for_byte() {
    let sandbox = start(Options { records_max: 3, ..Options::default() });
    let first = r#"{"elements" : [ {"customer_id":"u2","type":"customer","attributes":{"z":1.10,"a":12345678901234567890123}},
        {"type":"customer","customer_id":"u1"}], "type":"transition"}"#;
    assert_eq!(Request::post(BULK, first).send(&sandbox).status, 200);
    let second = " {\"attributes\":{\"b\":[1, 2]},\"type\":\"customer\",\"customer_id\":\"u3\"}\n";
    assert_eq!(Request::post(USER, second).send(&sandbox).status, 200);
    assert_eq!(Request::post(USER, user("u4").to_string()).send(&sandbox).status, 200);

    // As text: parsing would hide how the numbers are written.
    let mut stream = connect(&sandbox).expect("a connection");
    let head = "GET /_sandbox/records HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let expected = [
        r#"{"count":4,"kept":3,"records":["#,
        r#"{"request":1,"element":{"customer_id":"u2","type":"customer","attributes":{"z":1.10,"a":12345678901234567890123}}},"#,
        r#"{"request":1,"element":{"type":"customer","customer_id":"u1"}},"#,
        r#"{"request":2,"element":{"attributes":{"b":[1, 2]},"type":"customer","customer_id":"u3"}}]}"#,
    ];
    assert!(answer.ends_with(&expected.concat()), "{answer}");

    let page = look(&sandbox, "records?offset=1&limit=1");
    assert_eq!(page["records"].as_array().map(Vec::len), Some(1));
    assert_eq!(page["records"][0]["element"]["customer_id"], "u1");
    assert_eq!(look(&sandbox, "records?offset=9")["records"], json!([]));
}

#[test]
fn a_poisoned_element_spoils_its_whole_body() {
    let sandbox = start(Options { poison: vec!["bad-one".to_owned()], ..Options::default() });
    let requests = [
        Request::post(BULK, envelope(&[user("u1"), user("bad-one")])),
        Request::post(BULK, envelope(&[event("bad-one", 1)])),
        Request::post(USER, user("bad-one").to_string()),
        Request::post(EVENT, event("bad-one", 1).to_string()),
    ];
    for request in requests {
        let answer = request.send(&sandbox);
        assert_eq!(answer.failure(), (400, "TypeError", "expected string"));
    }
    assert_eq!(Request::post(BULK, envelope(&[user("u1")])).send(&sandbox).status, 200);
    assert_eq!(look(&sandbox, "records")["count"], 1);
    assert_eq!(look(&sandbox, "stats")["users_accepted"], 1);
}
