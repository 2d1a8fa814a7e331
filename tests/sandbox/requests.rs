//! Requests as a whole: every row of the response table, paths, methods and body sizes.

use moebulk::sandbox::Options;
use serde_json::json;

use crate::client::{
    BULK, EVENT, ONE_USER, Request, USER, basic, body_of, connect, event, look, read_answer, start,
    user,
};

#[test]
fn every_fault_of_a_request_gets_its_row() {
    let sandbox = start(Options { users_per_minute: Some(0), ..Options::default() });
    let bulk = || Request::post(BULK, ONE_USER);
    let auth = "Authentication required";
    let not_utf8 = b"{\"type\":\"transition\xff\"}".to_vec();
    let malformed =
        "Could not decode the request body. The JSON was incorrect or not encoded as UTF-8.";
    let mismatch = "App key mismatch in params and authentication";
    #[rustfmt::skip]
    let rows = [
        (bulk().without("Content-Type"), 400, "Missing header value", "The Content-Type Header is required"),
        (Request::post(BULK, ""), 400, "Empty request body", "A valid JSON document is required"),
        (Request::post(BULK, "{\"type\":"), 400, "Malformed JSON", malformed),
        (Request::post(BULK, not_utf8), 400, "Malformed JSON", malformed),
        (bulk().at("/v1/transition/NOBODY"), 400, "InvalidParams", "given app_id is invalid."),
        (bulk().at("/v1/transition"), 400, "ParamsRequired", "app_id is required in path/query params."),
        (Request::post(BULK, "\"text\""), 400, "Body type is not JSON", "A valid JSON document is required."),
        (Request::post(BULK, "{}"), 400, "MissingAttributeError", "type is expected to be str"),
        (Request::post(BULK, "[]"), 400, "MissingAttributeError", "type is expected to be str"),
        (Request::post(BULK, r#"{"type":"Transition","elements":[{}]}"#), 400, "MissingAttributeError", "type is expected to be transition"),
        (Request::post(BULK, r#"{"type":"transition"}"#), 400, "MissingAttributeError", "elements is expected to be list"),
        (Request::post(BULK, r#"{"type":"transition","elements":[]}"#), 400, "MissingAttributeError", "elements is expected to be non-empty list"),
        (Request::post(BULK, r#"{"type":"transition","elements":[{},1]}"#), 400, "MissingAttributeError", "elements is expected to be list of dict"),
        (bulk().without("Authorization"), 401, "Authentication Required", "Authentication Header Required"),
        (bulk().with("Authorization", ""), 401, auth, "No identity information found"),
        (bulk().with("Authorization", "Basic %%%"), 401, auth, "Invalid identity information found"),
        (bulk().with("Authorization", "Basic"), 401, auth, "Invalid identity information found"),
        (bulk().with("Authorization", "Bearer token"), 401, auth, "Invalid identity information found"),
        (bulk().with("Authorization", basic("no colon")), 401, auth, "Invalid identity information found"),
        (bulk().with("Authorization", basic(":sandbox-key")), 401, auth, "APP_KEY missing in the authentication header"),
        (bulk().with("Authorization", basic("SANDBOX:")), 401, auth, "APP_SECRET missing in the authentication header"),
        (bulk().with("Authorization", basic("SANDBOX:wrong")), 401, auth, "App Secret key mismatch. Please login to the dashboard to verify key"),
        (bulk().with("Authorization", basic("NOBODY:sandbox-key")), 401, auth, "Invalid APP_ID used in Authentication Header"),
        (bulk().at("/v1/transition/SANDBOX-OTHER"), 409, "Authentication Mismatch", mismatch),
        (bulk().with("Authorization", basic("SANDBOX-OTHER:sandbox-key")), 409, "Authentication Mismatch", mismatch),
        (Request::post(BULK, " ".repeat(131_073)), 413, "Payload too large", "The payload can not exceed 128KB"),
        (bulk().with("Content-Type", "text/csv"), 415, "Unsupported Media Type", "Unsupported Media Type"),
        (bulk(), 429, "Rate Limit Exceeded", "Rate Limits for User / Event exceeded"),
    ];
    for (number, (request, code, kind, message)) in rows.iter().enumerate() {
        let answer = request.send(&sandbox);
        assert_eq!(answer.failure(), (*code, *kind, *message), "row {number}");
    }
    assert_eq!(look(&sandbox, "records")["count"], 0);
}

#[test]
fn a_sound_request_is_accepted_at_every_path() {
    let sandbox = start(Options::default());
    let bulk = Request::post(BULK, ONE_USER);
    let paths = [
        BULK,
        "/transition/SANDBOX",
        "/v1/transition?app_id=SANDBOX",
        "/transition/?x=1&app_id=SANDBOX",
        "/v1/transition/S%41NDBOX",
    ];
    for path in paths {
        let answer = bulk.clone().at(path).send(&sandbox);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json["status"], "success");
        let message = "Your request has been accepted and will be processed soon.";
        assert_eq!(answer.json["message"], message);
        assert!(answer.json["request_id"].is_string());
    }
    let charset = bulk.clone().with("Content-Type", "application/json; charset=utf-8");
    assert_eq!(charset.send(&sandbox).status, 200);
    let other = bulk
        .at("/v1/transition/SANDBOX-OTHER")
        .with("Authorization", basic("SANDBOX-OTHER:sandbox-key"))
        .with("MOE-APPKEY", "SANDBOX-OTHER");
    assert_eq!(other.send(&sandbox).status, 200);
    let event = Request::post(EVENT, event("USERID1234", 1).to_string());
    assert_eq!(event.send(&sandbox).status, 200);
    let user = Request::post(USER, user("USERID1234").to_string());
    assert_eq!(user.send(&sandbox).status, 200);
    assert_eq!(look(&sandbox, "violations")["count"], 0);
}

#[test]
fn other_paths_and_methods_are_refused() {
    let sandbox = start(Options::default());
    for path in ["/", "/v1/devices/SANDBOX", "/v1/transition/SANDBOX/x", "/_sandbox/keys"] {
        let answer = Request::post(path, ONE_USER).send(&sandbox);
        assert_eq!(answer.failure().0, 404, "{path}");
    }
    for (method, path, allow) in
        [("GET", BULK, "POST"), ("PUT", USER, "POST"), ("DELETE", "/_sandbox/records", "GET")]
    {
        let mut request = Request::post(path, ONE_USER);
        request.method = method;
        let answer = request.send(&sandbox);
        assert_eq!(answer.failure().0, 405, "{method} {path}");
        assert_eq!(answer.header("allow"), Some(allow));
    }
    assert_eq!(look(&sandbox, "stats")["requests"], json!({"other": 7}));
}

#[test]
fn body_sizes_at_the_edges() {
    let sandbox = start(Options::default());
    let send = |bytes| {
        let body = body_of(bytes);
        assert_eq!(body.len(), bytes);
        Request::post(BULK, body).send(&sandbox).status
    };
    assert_eq!(send(100_000), 200);
    assert_eq!(look(&sandbox, "violations")["count"], 0);
    assert_eq!(send(100_001), 200);
    assert_eq!(send(131_072), 200);
    assert_eq!(send(131_073), 413);
    assert_eq!(send(3_000_000), 413);

    let violations = look(&sandbox, "violations");
    let listed = violations["violations"].as_array().expect("a list");
    let listed: Vec<_> = listed.iter().map(|one| (&one["code"], &one["request"])).collect();
    let code = json!("body-over-100-kb");
    assert_eq!(listed, [(&code, &json!(2)), (&code, &json!(3))]);
    assert_eq!(look(&sandbox, "records")["count"], 3);
    assert_eq!(look(&sandbox, "stats")["body_bytes_max"], 3_000_000);
}

#[test]
fn a_request_without_its_app_key_header_is_listed() {
    let sandbox = start(Options::default());
    let bulk = || Request::post(BULK, ONE_USER);
    assert_eq!(bulk().without("MOE-APPKEY").send(&sandbox).status, 200);
    assert_eq!(bulk().with("MOE-APPKEY", "ELSE").send(&sandbox).status, 200);
    let violations = look(&sandbox, "violations");
    assert_eq!(violations["count"], 2);
    assert_eq!(violations["violations"][1]["code"], "moe-appkey");
    assert_eq!(violations["violations"][1].get("element"), None);
}

#[test]
fn a_connection_serves_many_requests() {
    let sandbox = start(Options::default());
    let mut stream = connect(&sandbox).expect("a connection");
    for _ in 0..5 {
        Request::post(BULK, ONE_USER).write_to(&mut stream).expect("a request");
        assert_eq!(read_answer(&mut stream).expect("an answer").status, 200);
    }
}
