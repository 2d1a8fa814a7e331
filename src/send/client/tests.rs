//! The client against a scripted TCP server on loopback, in real time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use crate::model::Rate;
use crate::send::verdict::{Verdict, judge};

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
    /// Reads the head of the request, then resets.
    ReadHeadThenReset,
    /// Reads the request, writes these bytes and then nothing until the client is gone.
    Stall(Vec<u8>),
    /// Reads the request, writes the first bytes and then the others again and again until the
    /// client is gone, after a pause each where there is one.
    Repeat(Vec<u8>, Vec<u8>, Option<Duration>),
}

/// What a server says of a client that is gone.
const GONE: &str = "the client is gone";

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
            if matches!(script, Script::ReadHeadThenReset) {
                let _ = stream.read(&mut [0; 64]);
                reset(&stream);
                continue;
            }
            let _ = requests.send(read_request(&mut stream));
            match script {
                Script::Reply(bytes) => stream.write_all(&bytes).unwrap_or(()),
                Script::Stall(bytes) => {
                    stream.write_all(&bytes).unwrap_or(());
                    wait_until_gone(&mut stream, None);
                    let _ = requests.send(GONE.to_owned());
                }
                Script::Repeat(head, piece, pause) => {
                    stream.write_all(&head).unwrap_or(());
                    while stream.write_all(&piece).is_ok()
                        && pause.is_none_or(|pause| !wait_until_gone(&mut stream, Some(pause)))
                    {
                    }
                    let _ = requests.send(GONE.to_owned());
                }
                _ => reset(&stream),
            }
        }
    });
    (endpoint, received)
}

/// Whether the client closes its connection in time.
fn wait_until_gone(stream: &mut TcpStream, time: Option<Duration>) -> bool {
    stream.set_read_timeout(time).unwrap();
    stream.read(&mut [0; 64]).is_ok_and(|read| read == 0)
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

/// What a server says after the request; the runtime goes on meanwhile, and closes connections.
async fn second(received: mpsc::Receiver<String>) -> String {
    let wait = move || received.iter().nth(1).unwrap();
    tokio::task::spawn_blocking(wait).await.unwrap()
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
async fn a_chunked_reply_cut_short_is_no_reply_and_one_without_a_length_is_what_came() {
    for cut in ["", "5\r\n", "14\r\n{\"status\":\"success\"}", "14\r\n{\"status\":\"success\"}\r\n"]
    {
        let reply = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{cut}");
        let (outcome, _received) = send(Script::Reply(reply.into_bytes())).await;
        assert_eq!(status_and_body(outcome), (200, AnswerBody::Cut), "{cut}");
    }
    let whole = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n{SUCCESS}\r\n0\r\n\r\n"
    );
    let (outcome, _received) = send(Script::Reply(whole.into_bytes())).await;
    assert_eq!(status_and_body(outcome), (200, AnswerBody::Whole(Bytes::from(SUCCESS))));
    // Its end can't be told from a cut, so its document has to be whole.
    let half = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"success\"";
    let (outcome, _received) = send(Script::Reply(half.as_bytes().to_vec())).await;
    let verdict = judge(&outcome, 0, str::to_owned);
    assert!(matches!(verdict, Verdict::Retry { in_doubt: true, .. }), "{verdict:?}");
}

#[tokio::test]
async fn an_endless_reply_is_read_to_the_bound_and_the_connection_is_closed() {
    let unbounded = "HTTP/1.1 200 OK\r\n\r\n".to_owned();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", u64::MAX / 2);
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for (head, piece) in [(unbounded, "x".repeat(9_999)), (chunked, chunk), (long, " ".repeat(99))]
    {
        let script = Script::Repeat(head.into_bytes(), piece.into_bytes(), None);
        let (outcome, received) = send(script).await;
        assert_eq!(status_and_body(outcome), (200, AnswerBody::TooLong));
        assert_eq!(second(received).await, GONE);
    }
}

#[tokio::test]
async fn endless_headers_are_no_reply() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let script = Script::Repeat(head, format!("X: {}\r\n", "x".repeat(999)).into_bytes(), None);
    let (outcome, _received) = send(script).await;
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_reply_that_comes_to_a_halt_is_cut_long_before_the_deadline() {
    for begun in ["", "{\"status\""] {
        let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{begun}");
        let (endpoint, received) = serve(vec![Script::Stall(reply.into_bytes())]);
        let idle_timeout = Duration::from_millis(150);
        let settings = Settings { idle_timeout, ..settings(endpoint) };
        let clock = Clock::system();
        let client = Client::new(&settings, &clock).unwrap();
        let start_ms = clock.now_ms();
        let outcome = client.send(Bytes::from_static(BODY)).await;
        assert_eq!(status_and_body(outcome), (200, AnswerBody::Cut));
        let lasted_ms = clock.now_ms() - start_ms;
        assert!((150..30_000).contains(&lasted_ms), "{lasted_ms} ms");
        assert_eq!(second(received).await, GONE, "a reply of it may not be read as the next one's");
    }
}

#[tokio::test]
async fn a_reply_that_trickles_meets_the_deadline_of_the_request() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n".to_vec();
    let pause = Some(Duration::from_millis(20));
    let (endpoint, received) = serve(vec![Script::Repeat(head, b" ".to_vec(), pause)]);
    let settings = Settings { idle_timeout: Duration::from_millis(150), ..settings(endpoint) };
    let clock = Clock::system();
    let client = Client::new(&settings, &clock).unwrap();
    let sent = client.send(Bytes::from_static(BODY));
    assert_eq!(clock.deadline(clock.now_ms() + 400, sent).await, None);
    assert_eq!(second(received).await, GONE);
}

/// A full queue of connections drops what comes after, as a firewall does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_host_that_says_nothing_is_never_connected_to_and_given_up_in_time() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = ([127, 0, 0, 1], 0).into();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queue = vec![];
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queue.push(stream);
        assert!(queue.len() < 100, "the queue never fills");
    }
    let connect_timeout = Duration::from_millis(200);
    let settings = Settings { connect_timeout, ..settings(format!("http://{address}")) };
    let clock = Clock::system();
    let client = Client::new(&settings, &clock).unwrap();
    let sent = client.send(Bytes::from_static(BODY));
    let outcome = clock.deadline(clock.now_ms() + 30_000, sent).await;
    assert!(matches!(outcome, Some(Outcome::NeverConnected(_))), "{outcome:?}");
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
    // Some of the body may have been read by then, so this is no connection that was never made.
    let (endpoint, _received) = serve(vec![Script::ReadHeadThenReset]);
    let client = Client::new(&settings(endpoint), &Clock::system()).unwrap();
    let outcome = client.send(Bytes::from(vec![b' '; 8 << 20])).await;
    assert!(matches!(outcome, Outcome::Broken(_)), "{outcome:?}");
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
