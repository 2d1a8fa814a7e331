//! `moebulk check`: what it asks, what it says, and that it loads nothing.

use std::{
    net::TcpListener,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use moebulk::sandbox::Options;
use serde_json::{Value, json};

use super::{
    pilots::{page, sandbox},
    scene::{APP, KEY, Ran, Scene, finish},
    server::{Reply, Server},
};

fn check(scene: &Scene, url: &str, more: &[&str]) -> Ran {
    let args = ["check", "--endpoint", url, "--app-id", APP];
    let mut command = scene.command(&[&args, more].concat());
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    let ran = finish(command);
    scene.assert_no_key(&ran);
    ran
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

fn http_date(ahead_seconds: i64) -> String {
    let now = SystemTime::now();
    let apart = Duration::from_secs(ahead_seconds.unsigned_abs());
    let then = if ahead_seconds < 0 { now - apart } else { now + apart };
    let then: chrono::DateTime<chrono::Utc> = then.into();
    then.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn a_good_key_is_told_and_the_request_is_the_documented_one() {
    let scene = Scene::new();
    let success = r#"{"status":"success","app_name":"Shop of Ann"}"#;
    let server = Server::scripted([
        Reply::new(200, success).with("Date", http_date(0)),
        Reply::new(200, success).with("Date", http_date(-300)),
    ]);
    let ran = check(&scene, &server.url(), &["--api-id", "OTHER"]);
    ran.assert_code(0);
    assert_eq!(ran.stderr, "");
    for words in [&server.url(), "APP123 (Shop of Ann)", "accepted", " ms", "within 30 s"] {
        assert!(ran.stdout.contains(words), "no `{words}` in {}", ran.stdout);
    }
    let ran = check(&scene, &server.url(), &[]);
    assert!(ran.assert_code(0).stdout.contains(" s ahead of the server's"), "{}", ran.stdout);

    let [request, _] = &server.requests()[..] else { panic!("one request each") };
    assert_eq!(request.line, "POST /v1/integrations/authentication HTTP/1.1");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("OTHER:{KEY}")));
    assert_eq!(request.header("authorization"), [basic.as_str()]);
    assert_eq!(request.header("content-type"), ["application/json"]);
    assert_eq!(request.header("moe-appkey"), [APP]);
    let expected = json!({"app_id": APP, "app_secret": KEY, "source": "moebulk", "region": ""});
    assert_eq!(request.json(), expected);
}

#[test]
fn it_loads_nothing_and_leaves_nothing() {
    let scene = Scene::new();
    let emulator = sandbox(Options::default());
    let url = emulator.url();
    let args = ["check", "--endpoint", &url, "--app-id", "SANDBOX", "--output", "json"];
    for (key, code) in [("sandbox-key", 0), ("wrong", 3)] {
        let mut command = scene.command(&args);
        command.env("MOENGAGE_DATA_API_KEY", key);
        let ran = finish(command);
        let document = document(ran.assert_code(code));
        assert_eq!(document["ok"], code == 0);
        let ahead = document["clock_ahead_seconds"].as_i64().expect("one machine has one clock");
        assert!((-2..=2).contains(&ahead), "{ahead}");
        assert!(document["round_trip_ms"].is_u64());
    }
    let stats = page(&emulator, "stats");
    assert_eq!(stats["requests"], json!({"authentication": 2}));
    assert_eq!((&stats["users_accepted"], &stats["events_accepted"]), (&json!(0), &json!(0)));
    assert_eq!(page(&emulator, "violations")["count"], 0);
    let left = std::fs::read_dir(scene.path(".")).expect("a directory").count();
    assert_eq!(left, 0, "no run directory and no rate log");
}

#[test]
fn what_the_server_refuses_is_told_in_its_words_with_what_to_do() {
    let proxy = || Reply::new(200, "<html>sign in</html>");
    let cases = [
        (Reply::fail(401, "Authentication required", "App Secret key mismatch"), "keep the key"),
        (Reply::fail(403, "Account Suspended", "is suspended"), "MoEngage's support"),
        (Reply::fail(409, "Authentication Mismatch", "App key mismatch"), "one workspace"),
        (Reply::fail(400, "InvalidParams", "given app_id is invalid."), "--data-center"),
        (Reply::fail(429, "Rate Limit Exceeded", "slow down"), "in a minute"),
        (Reply::fail(500, "Server Error", "oops"), "try again later"),
        (Reply::new(404, "no such page"), "there is no Data API at this address"),
        (Reply::new(302, "").with("Location", "/elsewhere"), "redirects"),
        (proxy(), "no answer of the Data API"),
        (
            Reply::Truncated { status: 200, body: b"{\"status\":\"success\"".to_vec() },
            "no answer of",
        ),
    ];
    for (reply, words) in cases {
        let scene = Scene::new();
        let server = Server::scripted([reply.clone()]);
        let ran = check(&scene, &server.url(), &["--output", "json"]);
        ran.assert_code(3).assert_says(words);
        assert!(!ran.stderr.to_lowercase().contains("generat"), "{}", ran.stderr);
        let document = document(&ran);
        assert_eq!((&document["ok"], &document["finding"]), (&json!(false), &json!("refused")));
        if let Reply::Answer { status, body, .. } = &reply {
            assert_eq!(document["status"], *status);
            if let Ok(said) = serde_json::from_slice::<Value>(body) {
                assert_eq!(document["error"]["message"], said["error"]["message"]);
                let message = said["error"]["message"].as_str().expect("a text");
                ran.assert_says(message).assert_says("r-bad-7");
            }
        }
        assert_eq!(server.requests().len(), 1, "nothing is tried again or followed");
    }
}

#[test]
fn what_stands_in_the_way_is_named() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let nobody = format!("http://{}", listener.local_addr().expect("address"));
    drop(listener);
    let silent = Server::scripted([Reply::ResetAfterBody]);
    let talks_plainly = TcpListener::bind("127.0.0.1:0").expect("bind");
    let encrypted = format!("https://{}", talks_plainly.local_addr().expect("address"));
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = talks_plainly.accept()?;
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    });
    let cases = [
        (nobody.as_str(), "connection", "refused"),
        (encrypted.as_str(), "tls", "certificates"),
        ("https://no-such-host.invalid", "dns", "DNS"),
        (&silent.url(), "other", "could not be reached"),
    ];
    for (url, kind, words) in cases {
        let ran = check(&scene, url, &["--output", "json"]);
        ran.assert_code(3).assert_says(words);
        let document = document(&ran);
        assert_eq!(document["finding"], "unreachable", "{url}");
        assert_eq!(document["error"]["type"], kind, "{url}");
        assert_eq!(document["round_trip_ms"], Value::Null);
    }
}

#[test]
fn wrong_usage_is_told_before_anything_is_asked() {
    let scene = Scene::new();
    let server = Server::scripted([]);
    let url = server.url();
    let cases: [&[&str]; 6] = [
        &["check"],
        &["check", "--endpoint", &url],
        &["check", "--app-id", APP],
        &["check", "--app-id", APP, "--sandbox"],
        &["check", "--app-id", APP, "--endpoint", "http://example.com"],
        &["check", "--app-id", APP, "--endpoint", &url, "--data-center", "01"],
    ];
    for args in cases {
        scene.run(args).assert_code(2);
    }
    let mut command = scene.command(&["check", "--app-id", APP, "--endpoint", &url]);
    command.env_remove("MOENGAGE_DATA_API_KEY");
    finish(command).assert_code(2).assert_says("MOENGAGE_DATA_API_KEY");
    assert_eq!(server.connections(), 0);
}
