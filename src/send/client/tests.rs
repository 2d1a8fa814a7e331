//! The client against a scripted TCP server on loopback, in real time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::model::Rate;

use super::*;

const SUCCESS: &str = r#"{"status":"success"}"#;
const BODY: &[u8] = br#"{"type":"transition","elements":[]}"#;

/// What the server does with one connection.
enum Script {
    /// Reads the request, writes these bytes, closes.
    Reply(Vec<u8>),
    /// Resets at once.
    Reset,
    /// Reads the request, then resets.
    ReadThenReset,
}

fn settings(endpoint: String) -> Settings {
    let key = SecretString::from("s3cret");
    Settings::new(endpoint, "APP".to_owned(), key, Rate::Unlimited, Rate::Unlimited)
}

/// Plays scripts, one a connection; gives the endpoint and the requests as they came.
fn serve(scripts: Vec<Script>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (requests, received) = mpsc::channel();
    thread::spawn(move || {
        for script in scripts {
            let (mut stream, _) = listener.accept().unwrap();
            let reset = |stream: &TcpStream| {
                socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
            };
            if matches!(script, Script::Reset) {
                reset(&stream);
                continue;
            }
            let _ = requests.send(read_request(&mut stream));
            match script {
                Script::Reply(bytes) => stream.write_all(&bytes).unwrap_or(()),
                _ => reset(&stream),
            }
        }
    });
    (endpoint, received)
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while !bytes.ends_with(BODY) {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn http(status: &str, headers: &str, body: &str) -> Script {
    let length = body.len();
    Script::Reply(
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
            .into_bytes(),
    )
}

async fn send(script: Script) -> (Outcome, mpsc::Receiver<String>) {
    let (endpoint, received) = serve(vec![script]);
    let client = Client::new(&settings(endpoint), &Clock::system()).unwrap();
    (client.send(Bytes::from_static(BODY)).await, received)
}

fn status_and_body(outcome: Outcome) -> (u16, AnswerBody) {
    match outcome {
        Outcome::Answered(answer) => (answer.status, answer.body),
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_carries_the_documented_headers_and_the_body_as_it_is() {
    let (outcome, received) = send(http("200 OK", "", SUCCESS)).await;
    assert_eq!(status_and_body(outcome), (200, AnswerBody::Whole(Bytes::from(SUCCESS))));
    let request = received.recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/transition/APP HTTP/1.1\r\n"), "{head}");
    let head = head.to_ascii_lowercase();
    for header in [
        "authorization: basic qvbqonmzy3jlda==",
        "content-type: application/json",
        "moe-appkey: app",
        concat!("user-agent: moebulk/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(head.lines().any(|line| line == header), "{header} not in {head}");
    }
    assert_eq!(body.as_bytes(), BODY);
}

#[tokio::test]
async fn waits_that_the_server_asks_for_are_handed_on() {
    let headers = "Retry-After: 7\r\nx-ratelimit-reset: 42\r\n";
    let (outcome, _received) = send(http("429 Too Many Requests", headers, "")).await;
    let Outcome::Answered(answer) = outcome else { panic!("no answer") };
    assert_eq!(answer.retry_after.as_deref(), Some("7"));
    assert_eq!(answer.rate_limit_reset.as_deref(), Some("42"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (endpoint, received) = serve(vec![
        http("302 Found", "Location: /v1/elsewhere\r\n", ""),
        http("200 OK", "", SUCCESS),
    ]);
    let client = Client::new(&settings(endpoint), &Clock::system()).unwrap();
    let outcome = client.send(Bytes::from_static(BODY)).await;
    assert_eq!(status_and_body(outcome).0, 302);
    assert!(received.recv().is_ok());
    assert!(received.try_recv().is_err(), "a second request was made");
}

#[tokio::test]
async fn a_reply_cut_short_is_no_reply() {
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{SUCCESS}");
    let (outcome, _received) = send(Script::Reply(reply.into_bytes())).await;
    assert_eq!(status_and_body(outcome), (200, AnswerBody::Cut));
}

#[tokio::test]
async fn a_long_reply_is_not_read_to_its_end() {
    let long = "x".repeat(REPLY_BYTES_MAX + 1);
    let (outcome, _received) = send(http("200 OK", "", &long)).await;
    assert_eq!(status_and_body(outcome), (200, AnswerBody::TooLong));
    let full = "x".repeat(REPLY_BYTES_MAX);
    let (outcome, _received) = send(http("200 OK", "", &full)).await;
    assert_eq!(status_and_body(outcome), (200, AnswerBody::Whole(full.into())));
}

#[tokio::test]
async fn broken_connections_leave_the_body_in_doubt() {
    for script in [Script::ReadThenReset, Script::Reply(b"\x00\x01 garbage\r\n\r\n".to_vec())] {
        let (outcome, _received) = send(script).await;
        assert!(matches!(outcome, Outcome::Broken(_)), "{outcome:?}");
    }
    // A reset this early may also be met while connecting.
    let (outcome, _received) = send(Script::Reset).await;
    assert!(matches!(outcome, Outcome::Broken(_) | Outcome::NeverConnected(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_connection_was_never_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&settings(endpoint), &Clock::system()).unwrap();
    let outcome = client.send(Bytes::from_static(BODY)).await;
    let Outcome::NeverConnected(why) = outcome else { panic!("{outcome:?}") };
    assert!(!why.contains("APP"), "{why}");
}

#[test]
fn endpoints_that_would_show_the_key_are_refused() {
    for endpoint in [
        "http://api-01.moengage.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://user:pass@api-01.moengage.com",
        "https://api-01.moengage.com?x=1",
        "https://api-01.moengage.com#x",
        "api-01.moengage.com",
        "",
        "https://",
    ] {
        let error = api_url(endpoint, "APP", ["transition", "APP"]).unwrap_err().to_string();
        assert!(!error.contains("pass@"), "{error}");
    }
    for (endpoint, url) in [
        ("https://api-01.moengage.com", "https://api-01.moengage.com/v1/transition/A%2FB"),
        ("https://api-01.moengage.com/", "https://api-01.moengage.com/v1/transition/A%2FB"),
        ("http://127.0.0.1:80", "http://127.0.0.1/v1/transition/A%2FB"),
        ("http://[::1]:8080", "http://[::1]:8080/v1/transition/A%2FB"),
        ("http://localhost:1", "http://localhost:1/v1/transition/A%2FB"),
    ] {
        assert_eq!(api_url(endpoint, "A/B", ["transition", "A/B"]).unwrap().as_str(), url);
    }
    assert!(api_url("https://api-01.moengage.com", "..", ["transition", ".."]).is_err());
}

#[test]
fn a_client_shows_no_key() {
    let client = Client::new(&settings("http://127.0.0.1:1".to_owned()), &Clock::system()).unwrap();
    assert!(!format!("{client:?}").contains("s3cret"));
    assert!(!format!("{:?}", settings(String::new())).contains("s3cret"));
}
