//! The endpoints beside bulk, user and event: Device API, Get User API, the test of a connection.

use moebulk::sandbox::Options;
use serde_json::{Value, json};

use crate::client::{
    BULK, DEVICE, EVENT, EXPORT, Request, USER, basic, device, dropped, envelope, event, look,
    send_bulk, start, stored, user,
};

#[test]
fn the_device_api_tells_at_once_what_bulk_does_silently() {
    let sandbox = start(Options::default());
    let missing = |element: &Value, expected: &str| {
        let answer = Request::post(DEVICE, element.to_string()).send(&sandbox);
        assert_eq!(answer.failure(), (400, "MissingAttributeError", expected), "{element}");
    };
    let unknown = "customer_id is expected to be an existing user";
    missing(&device("u1", "d1"), unknown);
    send_bulk(&sandbox, &[device("u1", "d1"), user("u1"), device("u1", "d2")]);
    let expected = [("unknown-user".to_owned(), None, "element-dropped".to_owned())];
    assert_eq!(dropped(&sandbox), expected);
    assert_eq!(stored(&sandbox)[0], Value::Null);

    let without = |key: &str| {
        let mut element = device("u1", "d1");
        element.as_object_mut().expect("an object").remove(key);
        element
    };
    let with = |name: &str, value: Value| {
        let mut element = device("u1", "d1");
        element["attributes"][name] = value;
        element
    };
    missing(&without("customer_id"), "customer_id is expected to be str");
    missing(&without("device_id"), "device_id is expected to be non-empty str");
    let platforms = "platform is expected to be ANDROID or iOS or web or TV";
    missing(&without("attributes"), platforms);
    missing(&with("platform", json!("unknown")), platforms);
    missing(&with("push_id", json!("")), "push_id is expected to be non-empty str");
    missing(&user("u1"), "type is expected to be device");

    for platform in ["ANDROID", "iOS", "web", "TV"] {
        let element = with("platform", json!(platform));
        assert_eq!(Request::post(DEVICE, element.to_string()).send(&sandbox).status, 200);
    }
    let odd = with("colour", json!("red"));
    assert_eq!(Request::post(DEVICE, odd.to_string()).send(&sandbox).status, 200);
    let entry = ("device-attribute".to_owned(), Some("colour".to_owned()), "dropped".to_owned());
    assert_eq!(dropped(&sandbox)[1], entry);

    let page = look(&sandbox, "users");
    let devices = page["users"][0]["devices"].as_array().expect("a list");
    let ids: Vec<_> = devices.iter().map(|device| device["device_id"].as_str()).collect();
    assert_eq!(ids, [Some("d2"), Some("d1")]);
    let attributes = json!({"platform": "ANDROID", "push_id": "p1"});
    assert_eq!(devices[1]["attributes"], attributes);
    let stats = look(&sandbox, "stats");
    assert_eq!(stats["users_accepted"], 8);
    assert_eq!(stats["requests"]["device"], 12);
}

#[test]
fn all_endpoints_draw_on_the_same_two_budgets() {
    let sandbox = start(Options {
        users_per_minute: Some(3),
        events_per_minute: Some(2),
        ..Options::default()
    });
    let send = |path, element: Value| {
        let body = if path == BULK { envelope(&[element]) } else { element.to_string() };
        Request::post(path, body).send(&sandbox).status
    };
    assert_eq!(send(USER, user("u1")), 200);
    assert_eq!(send(DEVICE, device("u1", "d1")), 200);
    assert_eq!(send(BULK, device("u1", "d2")), 200);
    for (path, element) in
        [(USER, user("u1")), (DEVICE, device("u1", "d1")), (BULK, device("u1", "d1"))]
    {
        assert_eq!(send(path, element), 429, "{path}");
    }
    assert_eq!(send(EVENT, event("u1", 1)), 200);
    assert_eq!(send(BULK, event("u1", 1)), 200);
    assert_eq!(send(EVENT, event("u1", 1)), 429);
}

fn ask(ids: &[&str]) -> Request {
    let identifiers: Vec<_> =
        ids.iter().map(|id| json!({"identifier_type": "customer_id", "identifier": id})).collect();
    Request::post(EXPORT, json!({"identifiers": identifiers}).to_string())
}

#[test]
fn users_are_read_back_with_merged_attributes() {
    let sandbox = start(Options::default());
    let update = json!({"type": "customer", "customer_id": "u1",
        "attributes": {"city": "Ulm", "n": 1.5}, "unset_attributes": [{"type": "equals", "attr": "u_n"}]});
    send_bulk(&sandbox, &[user("u1"), user("u2"), update]);
    let answer = ask(&["u2", "u9", "u1"]).send(&sandbox);
    assert_eq!(answer.status, 200);
    let expected = json!({"status": "success", "type": "export_users", "data": {
        "users": [
            {"user_attributes": {"u_n": "Ann", "customer_id": "u2"}},
            {"user_attributes": {"city": "Ulm", "n": 1.5, "customer_id": "u1"}},
        ],
        "users_not_found": [{"identifier_type": "customer_id", "identifier": "u9"}],
    }});
    assert_eq!(answer.json, expected);

    let fields = json!({"identifiers": [{"identifier_type": "customer_id", "identifier": "u1"}],
        "user_fields_to_export": ["n", "none"]});
    let answer = Request::post(EXPORT, fields.to_string()).send(&sandbox);
    assert_eq!(answer.json["data"]["users"], json!([{"user_attributes": {"n": 1.5}}]));

    assert_eq!(ask(&["u1"; 20]).send(&sandbox).status, 200);
    let range = "identifiers is expected to be list of 1 to 20";
    for (request, message) in [
        (ask(&["u1"; 21]), range),
        (ask(&[]), range),
        (Request::post(EXPORT, "{}"), "identifiers is expected to be list"),
        (
            Request::post(EXPORT, r#"{"identifiers":[{"identifier_type":"id","identifier":"x"}]}"#),
            "identifier_type is expected to be customer_id",
        ),
        (
            Request::post(EXPORT, r#"{"identifiers":[{"identifier_type":"customer_id"}]}"#),
            "identifier is expected to be str",
        ),
        (
            Request::post(
                EXPORT,
                r#"{"identifiers":[{"identifier_type":"customer_id","identifier":"u1"}],"user_fields_to_export":"n"}"#,
            ),
            "user_fields_to_export is expected to be list of str",
        ),
    ] {
        assert_eq!(request.send(&sandbox).failure(), (400, "MissingAttributeError", message));
    }
    // Reading draws on no budget of writing and leaves no record.
    let stats = look(&sandbox, "stats");
    assert_eq!((&stats["users_accepted"], &stats["users_window_max"]), (&json!(3), &json!(3)));
    assert_eq!(look(&sandbox, "records")["count"], 3);
    assert_eq!(look(&sandbox, "violations")["count"], 0);
}

#[test]
fn a_thousand_users_a_minute_are_read_back() {
    let sandbox = start(Options::default());
    for _ in 0..50 {
        assert_eq!(ask(&["u1"; 20]).send(&sandbox).status, 200);
    }
    let refused = ask(&["u1"]).send(&sandbox);
    assert_eq!(refused.failure().1, "Rate Limit Exceeded");
    assert_eq!(refused.header("x-ratelimit-limit"), Some("1000"));
}

#[test]
fn a_connection_is_tested() {
    let sandbox = start(Options::default());
    let test = |path: &str| Request::post(path, "");
    const PATH: &str = "/v1/integrations/authentication";
    for path in [
        PATH,
        "/v1/integrations/authentication?app_id=SANDBOX",
        "/integrations/authentication/SANDBOX",
    ] {
        let answer = test(path).without("Content-Type").send(&sandbox);
        assert_eq!((answer.status, &answer.json["status"]), (200, &json!("success")), "{path}");
    }
    let auth = "Authentication required";
    #[rustfmt::skip]
    let rows = [
        (test(PATH).without("Authorization"), 401, "Authentication Required", "Authentication Header Required"),
        (test(PATH).with("Authorization", ""), 401, auth, "No identity information found"),
        (test(PATH).with("Authorization", "Basic %"), 401, auth, "Invalid identity information found"),
        (test(PATH).with("Authorization", basic(":sandbox-key")), 401, auth, "APP_KEY missing in the authentication header"),
        (test(PATH).with("Authorization", basic("SANDBOX:")), 401, auth, "APP_SECRET missing in the authentication header"),
        (test(PATH).with("Authorization", basic("SANDBOX:wrong")), 401, auth, "App Secret key mismatch. Please login to the dashboard to verify key"),
        (test(PATH).with("Authorization", basic("NOBODY:sandbox-key")), 401, auth, "Invalid APP_ID used in Authentication Header"),
        (test(PATH).with("MOE-APPKEY", "SANDBOX-OTHER"), 409, "Authentication Mismatch", "App key mismatch in params and authentication"),
        (test("/v1/integrations/authentication?app_id=NOBODY"), 400, "InvalidParams", "given app_id is invalid."),
        (test(PATH).without("MOE-APPKEY"), 400, "ParamsRequired", "app_id is required in path/query params."),
    ];
    for (number, (request, code, kind, message)) in rows.iter().enumerate() {
        assert_eq!(request.send(&sandbox).failure(), (*code, *kind, *message), "row {number}");
    }
    assert_eq!(look(&sandbox, "stats")["requests"]["authentication"], 13);
    assert_eq!(look(&sandbox, "violations")["count"], 0);

    let suspended =
        start(Options { answers: vec!["403:1".parse().expect("an answer")], ..Options::default() });
    assert_eq!(test(PATH).send(&suspended).failure().1, "Account Suspended");
    assert_eq!(test(PATH).send(&suspended).status, 200);
}
