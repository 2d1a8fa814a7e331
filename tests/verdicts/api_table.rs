//! The API's own table of responses, all 24 rows of it, one import each.

use super::{
    scene::{Scene, each, ids},
    server::{Reply, Server},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stop,
    Isolate,
    Wait,
    Retry,
}

struct Row {
    code: u16,
    kind: &'static str,
    message: &'static str,
    verdict: Verdict,
    /// What the advice must speak of.
    advice: &'static str,
}

const fn row(
    code: u16,
    kind: &'static str,
    message: &'static str,
    verdict: Verdict,
    advice: &'static str,
) -> Row {
    Row { code, kind, message, verdict, advice }
}

#[rustfmt::skip]
const TABLE: [Row; 24] = [
    row(400, "Missing header value", "The Content-Type Header is required", Verdict::Stop, "support"),
    row(400, "Empty request body", "A valid JSON document is required", Verdict::Stop, "support"),
    row(400, "Malformed JSON", "Could not decode the request body. The JSON was incorrect or not encoded as UTF-8.", Verdict::Stop, "support"),
    row(400, "Blacklisted", "Your account is blacklisted, Please contact MoEngage.", Verdict::Stop, "support"),
    row(400, "InvalidParams", "given app_id is invalid.", Verdict::Stop, "--app-id"),
    row(400, "ParamsRequired", "app_id is required in path/query params.", Verdict::Stop, "--app-id"),
    row(400, "Empty request body", "A valid JSON document is required.", Verdict::Stop, "support"),
    row(400, "Body type is not JSON", "A valid JSON document is required.", Verdict::Stop, "support"),
    row(400, "MissingAttributeError", "{{key}} is expected to be {{datatype}}", Verdict::Isolate, ""),
    row(401, "Authentication Required", "Authentication Header Required", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "No identity information found", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "Invalid identity information found", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "APP_KEY missing in the authentication header", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "APP_SECRET missing in the authentication header", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "App Secret key mismatch. Please login to the dashboard to verify key", Verdict::Stop, "check the app id"),
    row(401, "Authentication required", "Invalid APP_ID used in Authentication Header", Verdict::Stop, "check the app id"),
    row(403, "Account Suspended", "Account Suspended", Verdict::Stop, "support"),
    row(403, "Account Temporarily Suspended", "Account Temporarily Suspended", Verdict::Stop, "support"),
    row(409, "Authentication Mismatch", "App key mismatch in params and authentication", Verdict::Stop, "dashboard"),
    row(409, "Authentication required", "App Secret key is not set. Please login to the dashboard to set a key", Verdict::Stop, "dashboard"),
    row(413, "Payload too large", "The payload can not exceed 128KB", Verdict::Isolate, ""),
    row(415, "Unsupported Media Type", "Unsupported Media Type", Verdict::Stop, "support"),
    row(429, "Rate Limit Exceeded", "Rate Limits for User / Event exceeded", Verdict::Wait, ""),
    row(500, "Server Error", "Any other exception", Verdict::Retry, ""),
];

fn name(row: &Row) -> String {
    format!("{} {}: {}", row.code, row.kind, row.message)
}

fn reply(row: &Row) -> Reply {
    Reply::fail(row.code, row.kind, row.message)
}

#[test]
fn every_listed_response_has_its_verdict_and_the_run_can_go_on() {
    each(&TABLE, name, |row| {
        let scene = Scene::with_users(3);
        match row.verdict {
            Verdict::Stop => stops(&scene, row),
            Verdict::Isolate => isolates(&scene, row),
            Verdict::Wait | Verdict::Retry => tries_again(&scene, row),
        }
    });
}

fn stops(scene: &Scene, row: &Row) {
    let server = Server::scripted([reply(row)]);
    let ran = scene.import(&server, &[]);
    ran.assert_code(3).assert_says(&row.code.to_string()).assert_says(row.kind);
    ran.assert_says(row.message).assert_says("r-bad-7").assert_says(row.advice);
    if row.code == 401 {
        assert_never_a_new_key(&ran.stderr, row.message);
    }
    scene.assert_no_key(&ran);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(scene.settled(), [0, 0, 3]);
    assert_eq!(scene.report()["complete"], false);
    assert!(!scene.path("run/rejects.csv").exists(), "no row is at fault");

    scene.import(&server, &[]).assert_code(0);
    assert_eq!(server.delivered(), ids(3));
    assert_eq!(server.requests().len(), 2);
    assert_eq!(scene.settled(), [3, 0, 0]);
    assert_eq!(scene.report()["complete"], true);
}

/// Generating a key breaks every other integration of the account.
fn assert_never_a_new_key(stderr: &str, words_of_the_server: &str) {
    let ours = stderr.replace(words_of_the_server, "").to_lowercase();
    for bad in ["generate", "new key", "regenerate", "reset the key", "rotate", "another key"] {
        assert!(!ours.contains(bad), "`{bad}` in:\n{stderr}");
    }
    assert!(ours.contains("key"), "{stderr}");
}

fn isolates(scene: &Scene, row: &Row) {
    let server = Server::poisoned(["user-002".to_owned()], reply(row));
    let ran = scene.import(&server, &[]);
    ran.assert_code(1);
    assert_eq!(server.delivered(), ["user-001", "user-003"]);
    assert_eq!(scene.settled(), [2, 1, 0]);
    // The body, the half that passes, the other half, and its two rows.
    let sizes: Vec<usize> = server.requests().iter().map(|request| request.ids().len()).collect();
    assert_eq!(sizes, [3, 1, 2, 1, 1]);
    let rejects = scene.rejects();
    assert_eq!(rejects.len(), 1);
    assert_eq!(rejects[0]["customer_id"], "user-002");
    assert_eq!(rejects[0]["_moebulk_codes"], "server-refused");
    assert_eq!(rejects[0]["_moebulk_row"], "2");
    let message = &rejects[0]["_moebulk_message"];
    for words in [row.kind, row.message, "r-bad-7"] {
        assert!(message.contains(words), "{message}");
    }

    // Complete: the very same again sends nothing and exits as before.
    let before = server.requests().len();
    scene.import(&server, &[]).assert_code(1);
    assert_eq!(server.requests().len(), before);
}

fn tries_again(scene: &Scene, row: &Row) {
    let server = Server::scripted([reply(row)]);
    let ran = scene.import(&server, &["--retry-for", "60s"]);
    ran.assert_code(0);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(server.requests()[0].body, server.requests()[1].body);
    assert_eq!(server.delivered(), ids(3));
    assert_eq!(scene.settled(), [3, 0, 0]);
    let counts = ["sent", "retried", "http_429", "http_5xx"].map(|name| scene.requests(name));
    let is_wait = u64::from(row.verdict == Verdict::Wait);
    assert_eq!(counts, [2, 1, is_wait, 1 - is_wait]);
}
