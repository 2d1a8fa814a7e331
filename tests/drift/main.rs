//! The client's copy of the API's rules (`wire`) against the emulator's, which is written from the
//! reference on its own: where one of the two drifts, a test here fails.
//!
//! Each constant is held by what the emulator does, over real requests.

mod silent;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use moebulk::sandbox::{Options, Sandbox};
use moebulk::wire::envelope;
use moebulk::wire::ids::{self, IdVerdict};
use moebulk::wire::limits;
use moebulk::wire::names::{self, StandardType};
use moebulk::wire::replies::{self, Reply, State};
use serde_json::{Value, json};

const BULK: &str = "/v1/transition/SANDBOX";
const HEADERS: [(&str, &str); 3] = [
    ("Authorization", "SANDBOX:sandbox-key"),
    ("Content-Type", "application/json"),
    ("MOE-APPKEY", "SANDBOX"),
];

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<u64> {
        let line = self.head.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').trim().parse().ok()
    }
}

fn start() -> Sandbox {
    Sandbox::start(Options::default()).expect("a sandbox")
}

/// Sends a request with the headers of a sound one, but for those that are replaced or, where the
/// value is `None`, left out. The value of `Authorization` is `user:password`.
fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    replaced: &[(&str, Option<&str>)],
    body: &[u8],
) -> Answer {
    let host = sandbox.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for (name, value) in HEADERS {
        let value = replaced.iter().find(|(it, _)| *it == name).map_or(Some(value), |(_, it)| *it);
        match value {
            Some(identity) if name == "Authorization" && !identity.is_empty() => {
                let encoded = BASE64_STANDARD.encode(identity);
                head.push_str(&format!("{name}: Basic {encoded}\r\n"));
            }
            Some(value) => head.push_str(&format!("{name}: {value}\r\n")),
            None => {}
        }
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes()).expect("a head");
    stream.write_all(body).expect("a body");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head, body: answer.split_off(end + 4) }
}

fn bulk(sandbox: &Sandbox, body: &[u8]) -> Answer {
    send(sandbox, "POST", BULK, &[], body)
}

fn look(sandbox: &Sandbox, page: &str) -> Value {
    let answer = send(sandbox, "GET", &format!("/_sandbox/{page}"), &[], b"");
    serde_json::from_slice(&answer.body).expect("JSON")
}

fn violations(sandbox: &Sandbox) -> u64 {
    look(sandbox, "violations")["count"].as_u64().expect("a count")
}

/// A body in the client's own envelope.
fn body_of(elements: &[Value]) -> Vec<u8> {
    let elements: Vec<_> = elements.iter().map(Value::to_string).collect();
    [envelope::PREFIX, elements.join(",").as_bytes(), envelope::SUFFIX].concat()
}

fn user(id: &str) -> Value {
    json!({"type": "customer", "customer_id": id, "attributes": {}})
}

fn action(key: &str, value: Value) -> Value {
    let mut action = json!({"action": "Buy", "current_time": 1_700_000_000});
    action[key] = value;
    json!({"type": "event", "customer_id": "u1", "actions": [action]})
}

/// Where the constants of a file of `wire` are held; one that is added there is to be added here.
#[test]
fn every_limit_is_held_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect(name);
    let tests = read("tests/drift/main.rs") + &read("tests/drift/silent.rs");
    for (module, at_least) in [("limits", 21), ("names", 5)] {
        let source = read(&format!("src/wire/{module}.rs"));
        let names: Vec<_> = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        assert!(names.len() >= at_least, "{names:?}");
        // The emulator blocks nobody for unfair use: it takes hours of requests to get there.
        for name in names.into_iter().filter(|&name| name != "FAIR_USE") {
            let used = format!("{module}::{name}");
            assert!(tests.contains(&used), "{used} is not held against the emulator");
        }
    }
}

#[test]
fn body_sizes() {
    let sandbox = start();
    let overhead = user("").to_string().len() + envelope::OVERHEAD_BYTES;
    let send = |bytes: usize| {
        let body = body_of(&[user(&"x".repeat(bytes - overhead))]);
        assert_eq!(body.len(), bytes);
        (bulk(&sandbox, &body).status, violations(&sandbox))
    };
    assert_eq!(send(limits::BODY_BYTES_MAX), (200, 0));
    assert_eq!(send(limits::BODY_BYTES_MAX + 1), (200, 1));
    assert_eq!(send(limits::BODY_BYTES_REFUSED), (200, 2));
    assert_eq!(send(limits::BODY_BYTES_REFUSED + 1), (413, 2));
}

#[test]
fn rates_and_their_window() {
    let sandbox = start();
    let over = |answer: Answer, limit: u64| {
        assert_eq!(answer.status, 429);
        assert_eq!(answer.header("x-ratelimit-limit"), Some(limit));
        answer.header("x-ratelimit-reset").expect("seconds")
    };
    let users = |count: u64| body_of(&vec![user("u1"); usize::try_from(count).expect("few")]);
    // What will never fit is told to wait for a whole window.
    let wait = over(bulk(&sandbox, &users(limits::USERS_PER_MINUTE + 1)), limits::USERS_PER_MINUTE);
    assert_eq!(Duration::from_secs(wait), limits::WINDOW);
    assert_eq!(bulk(&sandbox, &users(limits::USERS_PER_MINUTE)).status, 200);
    let wait = over(bulk(&sandbox, &users(1)), limits::USERS_PER_MINUTE);
    assert!(Duration::from_secs(wait) <= limits::WINDOW, "{wait}");

    let events = |count: u64| {
        let actions = vec![json!({"action": "a"}); usize::try_from(count).expect("few")];
        body_of(&[json!({"type": "event", "customer_id": "u1", "actions": actions})])
    };
    let fifth = limits::EVENTS_PER_MINUTE / 5;
    for _ in 0..5 {
        assert_eq!(bulk(&sandbox, &events(fifth)).status, 200);
    }
    over(bulk(&sandbox, &events(1)), limits::EVENTS_PER_MINUTE);
}

#[test]
fn timezone_offsets() {
    let sandbox = start();
    let edge = limits::TIMEZONE_OFFSET_SECONDS_MAX;
    let sound = [edge, -edge].map(|seconds| action("user_timezone_offset", json!(seconds)));
    assert_eq!(bulk(&sandbox, &body_of(&sound)).status, 200);
    assert_eq!(violations(&sandbox), 0);
    let unsound =
        [edge + 1, -edge - 1].map(|seconds| action("user_timezone_offset", json!(seconds)));
    assert_eq!(bulk(&sandbox, &body_of(&unsound)).status, 200);
    assert_eq!(violations(&sandbox), 2);
}

#[test]
fn event_platforms() {
    let sandbox = start();
    let sound: Vec<_> =
        limits::EVENT_PLATFORMS.iter().map(|name| action("platform", json!(name))).collect();
    assert_eq!(bulk(&sandbox, &body_of(&sound)).status, 200);
    assert_eq!(violations(&sandbox), 0);
    // The emulator names those that it knows: no more and no fewer.
    let unsound = action("platform", json!("Symbian")).to_string();
    let answer = send(&sandbox, "POST", "/v1/event/SANDBOX", &[], unsound.as_bytes());
    let reply = Reply::parse(answer.status, &answer.body);
    let expected = limits::EVENT_PLATFORMS.join(" or ");
    assert_eq!(reply.message, format!("platform is expected to be {expected}"));
}

#[test]
fn device_fields() {
    let sandbox = start();
    assert_eq!(bulk(&sandbox, &body_of(&[user("u1")])).status, 200);
    let answer = |key: &str, value: &str| {
        let mut device = json!({"type": "device", "customer_id": "u1", "device_id": "d1",
            "attributes": {"platform": "iOS", "push_id": "p1"}});
        device["attributes"][key] = json!(value);
        let answer =
            send(&sandbox, "POST", "/v1/device/SANDBOX", &[], device.to_string().as_bytes());
        Reply::parse(answer.status, &answer.body)
    };
    for (key, allowed) in
        [("platform", &limits::DEVICE_PLATFORMS[..]), ("moe_push_opted", &limits::PUSH_OPTED)]
    {
        for value in allowed {
            assert_eq!(answer(key, value).status, 200, "{key} {value}");
        }
        // The emulator names those that it knows: no more and no fewer.
        for value in ["unknown", "true", ""] {
            let reply = answer(key, value);
            assert_eq!(reply.status, 400, "{key} {value}");
            let expected = allowed.join(" or ");
            assert_eq!(reply.message, format!("{key} is expected to be {expected}"));
        }
    }
}

#[test]
fn customer_ids() {
    let sandbox = start();
    assert_eq!(ids::DISALLOWED.iter().collect::<BTreeSet<_>>().len(), 22);
    let mut candidates: BTreeSet<String> =
        ids::DISALLOWED.iter().map(|id| (*id).to_owned()).collect();
    for id in ids::DISALLOWED {
        candidates.extend([
            id.to_uppercase(),
            format!(" {id}"),
            format!("{id}\t"),
            format!("{id}{id}"),
        ]);
        candidates.extend([format!("{id}x"), format!("-{id}"), id.chars().skip(1).collect()]);
    }
    candidates.extend((0..=130_u8).map(|byte| char::from(byte).to_string()));
    candidates.extend((-20..200).map(|number: i32| number.to_string()));
    candidates
        .extend(["😀", "😀😀", "e\u{301}", "undefined", "nil", "NaN", "-"].map(str::to_owned));

    let elements: Vec<_> = candidates.iter().map(|id| user(id)).collect();
    assert_eq!(bulk(&sandbox, &body_of(&elements)).status, 200);
    let page = look(&sandbox, "violations");
    let refused: BTreeSet<(usize, String)> = page["violations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let index = one["element"].as_u64().and_then(|index| usize::try_from(index).ok());
            (index.expect("an index"), one["code"].as_str().expect("a code").to_owned())
        })
        .collect();
    let expected: BTreeSet<_> = candidates
        .iter()
        .enumerate()
        .filter_map(|(index, id)| {
            let code = match ids::judge(id) {
                IdVerdict::Allowed | IdVerdict::Lookalike | IdVerdict::Float => return None,
                IdVerdict::Missing | IdVerdict::Disallowed => "customer-id-disallowed",
                IdVerdict::TooShort => "customer-id-length",
            };
            Some((index, code.to_owned()))
        })
        .collect();
    assert_eq!(refused, expected);
}

#[test]
fn error_types() {
    let scripts =
        ["400:1", "403:1@1", "403=Account Temporarily Suspended:1@2", "409:1@3", "500:1@4"];
    let answers = scripts.map(|text| text.parse().expect("an answer")).to_vec();
    let sandbox =
        Sandbox::start(Options { answers, users_per_minute: Some(0), ..Options::default() })
            .expect("a sandbox");
    let one = body_of(&[user("u1")]);
    let mut answered = Vec::new();
    let mut send = |path: &str, replaced: &[(&str, Option<&str>)], body: &[u8]| {
        answered.push(send(&sandbox, "POST", path, replaced, body));
    };
    for _ in scripts {
        send(BULK, &[], &one);
    }
    for body in [
        &b""[..],
        b"{",
        b"\xff",
        b"\"text\"",
        b"{}",
        b"[]",
        &one,
        &vec![b' '; limits::BODY_BYTES_REFUSED + 1],
    ] {
        send(BULK, &[], body);
    }
    for path in ["/v1/transition/NOBODY", "/v1/transition", "/v1/transition/SANDBOX-OTHER"] {
        send(path, &[], &one);
    }
    for identity in [
        None,
        Some(""),
        Some("no colon"),
        Some(":key"),
        Some("SANDBOX:"),
        Some("SANDBOX:wrong"),
        Some("NOBODY:sandbox-key"),
    ] {
        send(BULK, &[("Authorization", identity)], &one);
    }
    for media_type in [None, Some("text/csv")] {
        send(BULK, &[("Content-Type", media_type)], &one);
    }

    let mut seen = BTreeSet::new();
    for answer in &answered {
        assert!(answer.body.len() < replies::REPLY_BYTES_MAX);
        let reply = Reply::parse(answer.status, &answer.body);
        assert_eq!(reply.state, State::Fail, "{}", reply.message);
        assert!(reply.request_id.is_some() && !reply.message.is_empty());
        assert!(replies::class_of(&reply.kind).is_some(), "{} is not listed", reply.kind);
        seen.insert((reply.status, reply.kind.to_lowercase()));
    }
    // The API's table writes one type in two ways.
    let listed: BTreeSet<_> =
        replies::LISTED.iter().map(|row| (row.status, row.kind.to_lowercase())).collect();
    assert_eq!(seen, listed);

    let sandbox = start();
    let answer = bulk(&sandbox, &one);
    let reply = Reply::parse(answer.status, &answer.body);
    assert_eq!((reply.status, reply.state), (200, State::Success));
    assert!(reply.request_id.is_some());
}

#[test]
fn standard_attributes() {
    let sandbox = start();
    for (name, datatype) in names::STANDARD_ATTRIBUTES {
        let value = match datatype {
            StandardType::Text => match names::standard_values(name) {
                Some(values) => json!(values[0]),
                None => json!("text"),
            },
            StandardType::Bool => json!(true),
            StandardType::DateTime => json!("2000-02-29T00:00:00Z"),
        };
        let element = |value| json!({"type": "customer", "customer_id": format!("t-{name}"), "attributes": {name: value}});
        bulk(&sandbox, &body_of(&[element(value)]));
        assert_eq!(look(&sandbox, "dropped")["count"], 0, "{name}");
    }
    for (index, (name, _)) in names::STANDARD_ATTRIBUTES
        .iter()
        .filter(|(_, datatype)| *datatype == StandardType::Text)
        .enumerate()
    {
        // A user each, since some can't be updated.
        let element = json!({"type": "customer", "customer_id": format!("n-{name}"), "attributes": {*name: 1}});
        bulk(&sandbox, &body_of(&[element]));
        let page = look(&sandbox, "dropped");
        assert_eq!(page["count"], index + 1, "{name}");
        assert_eq!(page["dropped"][index]["rule"], "standard-string", "{name}");
    }
}

#[test]
fn values_of_standard_attributes() {
    let sandbox = start();
    let user = |id: &str, value: &str| json!({"type": "customer", "customer_id": id, "attributes": {"moe_email_optin_status": value}});
    let sound = names::standard_values("moe_email_optin_status").expect("a list");
    for (index, value) in sound.iter().enumerate() {
        bulk(&sandbox, &body_of(&[user(&format!("t-{index}"), value)]));
        assert_eq!(look(&sandbox, "dropped")["count"], 0, "{value}");
    }
    for (index, value) in ["OPTED_IN", "opted_out", " OPTED_OUT", ""].into_iter().enumerate() {
        bulk(&sandbox, &body_of(&[user(&format!("n-{index}"), value)]));
        let page = look(&sandbox, "dropped");
        assert_eq!(page["count"], index + 1, "{value}");
        assert_eq!(page["dropped"][index]["rule"], "standard-value", "{value}");
    }
}

/// What the client's own checks let pass without a warning, the server keeps as it was sent.
#[test]
fn what_passes_strict_checks_is_kept_whole() {
    let sandbox = start();
    let directory = tempfile::tempdir().expect("a directory");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let sample = |name: &str| samples.join(name).display().to_string();
    let imports = [
        vec![sample("customers.csv")],
        vec![
            sample("events.csv"),
            "--kind=events".to_owned(),
            format!("--mapping={}", sample("events-mapping.json")),
        ],
        vec![sample("customers.csv"), format!("--mapping={}", sample("users-mapping.toml"))],
        // Their users came before.
        vec![sample("devices.csv"), format!("--mapping={}", sample("devices-mapping.toml"))],
    ];
    for arguments in &imports {
        let output = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .arg("import")
            .args(arguments)
            .args(["--strict", "--yes", "--limit=300", "--app-id=SANDBOX"])
            .args(["--endpoint", &sandbox.url()])
            .env("MOENGAGE_DATA_API_KEY", sandbox.api_key())
            .env("XDG_STATE_HOME", directory.path())
            .current_dir(directory.path())
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(look(&sandbox, "records")["count"], 3 * 300 + 40);
    assert_eq!(violations(&sandbox), 0);
    assert_eq!(look(&sandbox, "dropped"), json!({"count": 0, "dropped": []}));
}
