//! Budgets, and the counts that judge a client.

use moebulk::sandbox::Options;
use serde_json::{Value, json};

use crate::client::{BULK, EVENT, ONE_USER, Request, USER, envelope, event, look, start, user};

#[test]
fn a_spent_budget_answers_429_and_says_when_to_return() {
    let sandbox = start(Options {
        users_per_minute: Some(3),
        events_per_minute: Some(4),
        ..Options::default()
    });
    let send = |elements: &[Value]| Request::post(BULK, envelope(elements)).send(&sandbox);
    let device = json!({"type": "device", "customer_id": "u1", "device_id": "d1",
        "attributes": {"platform": "ANDROID", "push_id": "p1"}});
    assert_eq!(send(&[user("u1"), device]).status, 200);
    let refused = send(&[user("u2"), user("u3")]);
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-limit"), Some("3"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("1"));
    let reset: u64 =
        refused.header("x-ratelimit-reset").and_then(|text| text.parse().ok()).expect("seconds");
    assert!((50..=60).contains(&reset), "{reset}");
    assert_eq!(refused.header("retry-after"), refused.header("x-ratelimit-reset"));

    // A refused request is charged nothing; one element charges an event for each action.
    assert_eq!(send(&[user("u2"), event("u1", 4)]).status, 200);
    let refused = send(&[event("u1", 1)]);
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("x-ratelimit-limit"), Some("4"));
    assert_eq!(refused.header("x-ratelimit-remaining"), Some("0"));

    let stats = look(&sandbox, "stats");
    assert_eq!(stats["users_accepted"], 3);
    assert_eq!(stats["events_accepted"], 4);
    assert_eq!(stats["users_window_max"], 5);
    assert_eq!(stats["events_window_max"], 5);
}

#[test]
fn the_default_budgets_are_those_of_the_reference() {
    let sandbox = start(Options::default());
    let send = |elements: &[Value]| Request::post(BULK, envelope(elements)).send(&sandbox).status;
    assert_eq!(send(&vec![user("u1"); 1_000]), 200);
    assert_eq!(send(&[user("u1")]), 429);
    for _ in 0..20 {
        assert_eq!(send(&[event("u1", 500)]), 200);
    }
    assert_eq!(send(&[event("u1", 1)]), 429);

    let unlimited =
        start(Options { users_per_minute: None, events_per_minute: None, ..Options::default() });
    for _ in 0..3 {
        let body = envelope(&vec![user("u1"); 1_000]);
        assert_eq!(Request::post(BULK, body).send(&unlimited).status, 200);
    }
}

#[test]
fn stats_count_what_happened() {
    let sandbox = start(Options::default());
    let stats = look(&sandbox, "stats");
    assert_eq!(stats["accepted_first"], Value::Null);
    for _ in 0..3 {
        Request::post(BULK, ONE_USER).send(&sandbox);
    }
    Request::post(EVENT, event("u1", 2).to_string()).send(&sandbox);
    Request::post(USER, "{}").send(&sandbox);
    let stats = look(&sandbox, "stats");
    assert_eq!(stats["requests"], json!({"bulk": 3, "event": 1, "user": 1}));
    assert_eq!(stats["statuses"], json!({"200": 4, "400": 1}));
    assert_eq!(stats["duplicate_bodies"], 2);
    assert_eq!((&stats["users_accepted"], &stats["events_accepted"]), (&json!(3), &json!(2)));
    // The clock's minute may have turned in between.
    assert!(stats["users_minute_max"].as_u64().is_some_and(|users| (1..=3).contains(&users)));
    assert!(stats["accepted_first"].as_str() <= stats["accepted_last"].as_str());
}
