//! Elements that make, update and identify users, and what is stored of events.

use moebulk::sandbox::Options;
use serde_json::{Value, json};

use crate::client::{
    EVENT, Request, USER, device, dropped, event, look, send_bulk, start, stored, user,
};

fn users(sandbox: &moebulk::sandbox::Sandbox) -> Vec<(Value, Value)> {
    let page = look(sandbox, "users");
    let users = page["users"].as_array().expect("a list").iter();
    users.map(|user| (user["customer_id"].clone(), user["attributes"].clone())).collect()
}

#[test]
fn attributes_merge_and_unset_removes() {
    let sandbox = start(Options::default());
    let element = |attributes: Value, unset: &[&str]| {
        let unset: Vec<_> =
            unset.iter().map(|attr| json!({"type": "equals", "attr": attr})).collect();
        json!({"type": "customer", "customer_id": "u1", "attributes": attributes, "unset_attributes": unset})
    };
    let first = json!({"a": 1, "b": "x", "born": "2024-02-29", "at": "2024-01-01T00:00:00.5Z",
        "l": ["x"], "o": {"k": 1}, "t": true});
    send_bulk(&sandbox, &[element(first, &[])]);
    // An empty string is a value; what is unset is gone, and what never was does not matter.
    send_bulk(&sandbox, &[element(json!({"b": "", "c": null}), &["a", "none"])]);
    let page = look(&sandbox, "users");
    assert_eq!((&page["count"], &page["full"]), (&json!(1), &json!(false)));
    let expected = json!({"b": "", "born": "2024-02-29", "at": "2024-01-01T00:00:00.5Z",
        "l": ["x"], "o": {"k": 1}, "t": true, "c": null});
    assert_eq!(page["users"][0]["attributes"], expected);
    let types = json!({"b": "string", "born": "datetime", "at": "string", "l": "array",
        "o": "object", "t": "bool", "c": "null"});
    assert_eq!(page["users"][0]["types"], types);

    send_bulk(&sandbox, &[user("u 2"), user("u3")]);
    let ids = |page: Value| {
        let users = page["users"].as_array().expect("a list").clone();
        users.iter().map(|user| user["customer_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(look(&sandbox, "users?offset=1&limit=1")), [json!("u 2")]);
    assert_eq!(ids(look(&sandbox, "users?customer_id=u%202")), [json!("u 2")]);
    assert!(ids(look(&sandbox, "users?customer_id=u9")).is_empty());
}

#[test]
fn update_existing_only_never_creates() {
    let sandbox = start(Options::default());
    let update = |only: bool| json!({"type": "customer", "customer_id": "u1", "update_existing_only": only, "attributes": {"a": only}});
    send_bulk(&sandbox, &[update(true)]);
    assert!(users(&sandbox).is_empty());
    assert_eq!(Request::post(USER, update(true).to_string()).send(&sandbox).status, 200);
    assert!(users(&sandbox).is_empty());
    let expected = ("unknown-user".to_owned(), None, "element-dropped".to_owned());
    assert_eq!(dropped(&sandbox), [expected.clone(), expected]);
    assert_eq!(stored(&sandbox), [Value::Null, Value::Null]);
    assert_eq!(look(&sandbox, "violations")["count"], 0);

    send_bulk(&sandbox, &[update(false), update(true)]);
    assert_eq!(users(&sandbox), [(json!("u1"), json!({"a": true}))]);
    assert_eq!(dropped(&sandbox).len(), 2);
}

#[test]
fn what_can_only_be_created_is_not_updated() {
    let sandbox = start(Options::default());
    let element = |attributes: Value| json!({"type": "customer", "customer_id": "u1", "attributes": attributes});
    let later = "2025-01-01T00:00:00Z";
    send_bulk(&sandbox, &[element(json!({"cr_t": "2024-01-01T00:00:00Z", "campaign_name": "x"}))]);
    send_bulk(&sandbox, &[element(json!({"cr_t": later, "campaign_name": "x", "u_l_a": later}))]);
    let expected = json!({"cr_t": "2024-01-01T00:00:00Z", "campaign_name": "x", "u_l_a": later});
    assert_eq!(users(&sandbox)[0].1, expected);
    let entry = ("create-only".to_owned(), Some("cr_t".to_owned()), "dropped".to_owned());
    assert_eq!(dropped(&sandbox), [entry]);
}

#[test]
fn each_attribute_that_can_only_be_created_keeps_its_first_value() {
    let sandbox = start(Options::default());
    let (first, later) = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    let names =
        ["publisher_name", "campaign_name", "u_l_a", "cr_t", "moe_gaid", "advertising_identifier"];
    for name in names {
        let element = |value: &str| json!({"type": "customer", "customer_id": format!("of-{name}"), "attributes": {name: value, "u_fn": value}});
        send_bulk(&sandbox, &[element(first)]);
        send_bulk(&sandbox, &[element(later)]);
    }
    let kept: Vec<Value> = users(&sandbox).into_iter().map(|(_, attributes)| attributes).collect();
    assert_eq!(kept.len(), names.len());
    for name in names {
        assert!(kept.contains(&json!({name: first, "u_fn": later})), "{name}: {kept:?}");
    }
}

#[test]
fn another_identifier_stands_for_an_absent_customer_id() {
    let sandbox = start(Options::default());
    let by = |attributes: Value| json!({"type": "customer", "attributes": attributes});
    let event_by = |identifiers: Value| json!({"type": "event", "user_identifiers": identifiers, "actions": [{"action": "Buy", "user_time": 1}]});
    let sound = [
        by(json!({"moe_mobile": "+49170", "city": "Ulm"})),
        by(json!({"moe_mobile": "+49170", "city": "Bonn"})),
        json!({"type": "customer", "customer_id": "u1", "attributes": {"u_em": "a@b.de"}}),
        by(json!({"u_em": "a@b.de", "city": "Köln"})),
        event_by(json!({"moe_mobile": "+49170"})),
    ];
    send_bulk(&sandbox, &sound);
    assert_eq!(look(&sandbox, "records")["count"], sound.len());
    assert_eq!(look(&sandbox, "violations")["count"], 0);
    assert_eq!(look(&sandbox, "dropped")["count"], 0);
    let expected = [
        (Value::Null, json!({"moe_mobile": "+49170", "city": "Bonn"})),
        (json!("u1"), json!({"u_em": "a@b.de", "city": "Köln"})),
    ];
    assert_eq!(users(&sandbox), expected);

    let unsound = [
        by(json!({"city": "Ulm"})),
        by(json!({"moe_mobile": 49170})),
        by(json!({"moe_mobile": "x"})),
        by(json!({"u_em": "null"})),
        event_by(json!({})),
        event_by(json!("+49170")),
        event_by(json!({"moe_mobile": ""})),
        // One that is there is judged, whatever stands beside it.
        json!({"type": "customer", "customer_id": "null", "attributes": {"moe_mobile": "+49170"}}),
    ];
    send_bulk(&sandbox, &unsound);
    let page = look(&sandbox, "violations");
    let codes: Vec<_> =
        page["violations"].as_array().expect("a list").iter().map(|one| &one["code"]).collect();
    let mut expected = vec!["customer-id-type"; unsound.len() - 1];
    expected.push("customer-id-disallowed");
    assert_eq!(codes, expected);
    for element in &unsound {
        let path = if element["type"] == "event" { EVENT } else { USER };
        assert_eq!(
            Request::post(path, element.to_string()).send(&sandbox).status,
            400,
            "{element}"
        );
    }
}

#[test]
fn actions_have_platforms_offsets_and_times() {
    let sandbox = start(Options::default());
    let action = |key: &str, value: Value| {
        let mut action = json!({"action": "Buy", "current_time": 1_700_000_000});
        action[key] = value;
        action
    };
    let of = |actions: &[Value]| json!({"type": "event", "customer_id": "u1", "actions": actions});
    let sound: Vec<Value> = ["ANDROID", "iOS", "web", "TV", "unknown"]
        .map(|name| action("platform", json!(name)))
        .into_iter()
        .chain([-54_000, 0, 54_000].map(|seconds| action("user_timezone_offset", json!(seconds))))
        .chain(
            ["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00.123+05:30"]
                .map(|time| action("user_time", json!(time))),
        )
        .chain([action("user_time", json!(1_700_000_000.5))])
        .collect();
    // One element carries all of them, and nothing of it changes.
    send_bulk(&sandbox, &[of(&sound)]);
    assert_eq!(stored(&sandbox), [of(&sound)]);
    assert_eq!(look(&sandbox, "stats")["events_accepted"], sound.len());
    assert_eq!(look(&sandbox, "dropped")["count"], 0);

    let unsound = [
        ("action-platform", action("platform", json!("android"))),
        ("action-platform", action("platform", json!(1))),
        ("action-field", action("app_version", json!(1))),
        ("action-timezone-offset", action("user_timezone_offset", json!(54_001))),
        ("action-timezone-offset", action("user_timezone_offset", json!(-54_001))),
        ("action-timezone-offset", action("user_timezone_offset", json!("3600"))),
        ("action-time", action("user_time", json!("2026-02-30T10:00:00Z"))),
        ("action-time", action("user_time", json!("01/02/2026"))),
    ];
    for (code, action) in &unsound {
        // A fault in one action costs the whole element.
        let element = of(&[sound[0].clone(), action.clone()]);
        assert_eq!(Request::post(EVENT, element.to_string()).send(&sandbox).status, 400);
        send_bulk(&sandbox, &[element]);
        let page = look(&sandbox, "violations");
        let last = page["violations"].as_array().and_then(|all| all.last()).expect("one");
        assert_eq!(last["code"], *code, "{action}");
        let did = dropped(&sandbox).pop().expect("one");
        assert_eq!(did, ((*code).to_owned(), None, "element-dropped".to_owned()));
    }
    assert_eq!(look(&sandbox, "records")["count"], 1);
}

#[test]
fn an_action_without_a_time_gets_that_of_its_arrival() {
    let sandbox = start(Options::default());
    send_bulk(&sandbox, &[event("u1", 1)]);
    let stored = stored(&sandbox);
    let time = stored[0]["actions"][0]["user_time"].as_str().expect("a time").to_owned();
    assert_eq!(json!(time), look(&sandbox, "stats")["accepted_first"]);
    let entry =
        ("event-no-time".to_owned(), Some("Purchase".to_owned()), "arrival-time".to_owned());
    assert_eq!(dropped(&sandbox), [entry]);
    // The record is still the element as it arrived.
    assert_eq!(look(&sandbox, "records")["records"][0]["element"], event("u1", 1));
}

#[test]
fn an_event_of_an_unknown_user_creates_it() {
    let sandbox = start(Options::default());
    let by_identifier = json!({"type": "event", "user_identifiers": {"moe_mobile": "+49170"},
        "actions": [{"action": "Buy", "user_time": 1}]});
    send_bulk(&sandbox, &[event("u1", 1), by_identifier, device("u1", "d1"), user("u1")]);
    assert_eq!(users(&sandbox), [(json!("u1"), json!({"u_n": "Ann"}))]);
    assert_eq!(look(&sandbox, "users")["users"][0]["devices"][0]["device_id"], "d1");
}

#[test]
fn dropped_ids_stand_in_both_lists() {
    let sandbox = start(Options::default());
    send_bulk(&sandbox, &[user("null"), user(""), user("x"), user("ok")]);
    let page = look(&sandbox, "dropped");
    let list = page["dropped"].as_array().expect("a list");
    let seen: Vec<_> =
        list.iter().map(|one| (&one["rule"], &one["element"], &one["name"])).collect();
    let disallowed = json!("customer-id-disallowed");
    let length = json!("customer-id-length");
    let (zero, one, two) = (json!(0), json!(1), json!(2));
    let expected = [
        (&disallowed, &zero, &Value::Null),
        (&disallowed, &one, &Value::Null),
        (&length, &two, &Value::Null),
    ];
    assert_eq!(seen, expected);
    assert_eq!(look(&sandbox, "violations")["count"], 3);
    assert_eq!(users(&sandbox).len(), 1);
}

#[test]
fn what_is_kept_has_a_bound() {
    let sandbox = start(Options { records_max: 2, ..Options::default() });
    send_bulk(&sandbox, &[user("u1"), user("u2"), user("u3"), device("u3", "d1")]);
    assert_eq!(users(&sandbox).len(), 2);
    let page = look(&sandbox, "users");
    assert_eq!((&page["count"], &page["full"]), (&json!(2), &json!(true)));
    // A user beyond the bound may exist, so its device is not called an orphan.
    assert_eq!(look(&sandbox, "dropped")["count"], 0);
    let records = look(&sandbox, "records");
    assert_eq!((&records["count"], &records["kept"]), (&json!(4), &json!(2)));

    let sandbox = start(Options { users_per_minute: None, ..Options::default() });
    let bad = vec![user("x"); 1_000];
    for _ in 0..11 {
        send_bulk(&sandbox, &bad);
    }
    let page = look(&sandbox, "dropped");
    assert_eq!(page["count"], 11_000);
    assert_eq!(page["dropped"].as_array().map(Vec::len), Some(10_000));
}
