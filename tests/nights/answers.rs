//! Answers that leave open what the server did, and refusals after them: from a server with a script.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    export::{MAPPING, User, count, csv},
    support::{Ended, Home},
};

const SUCCESS: (u16, &str) = (200, r#"{"status":"success","request_id":"taken"}"#);
const TROUBLE: (u16, &str) = (500, r#"{"status":"fail","error":{"type":"Server Error"}}"#);
const REFUSED: (u16, &str) =
    (400, r#"{"status":"fail","error":{"type":"TypeError","message":"no"}}"#);

/// Answers the requests in this order; how many have come.
fn server(answers: &'static [(u16, &'static str)]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let come = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&come);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let come = Arc::clone(&counted);
            thread::spawn(move || while answer(&stream, answers, &come).is_some() {});
        }
    });
    (url, come)
}

fn answer(mut stream: &TcpStream, answers: &[(u16, &str)], come: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_lowercase();
        if let Some(text) = lower.strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reader.read_exact(&mut vec![0; length]).ok()?;
    let (status, text) = answers.get(come.fetch_add(1, Ordering::SeqCst)).unwrap_or(&SUCCESS);
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
    .ok()
}

/// A server in trouble may have taken a row that it then refuses: what was accepted of its id before
/// may hold no more, so an export that says that again is sent.
#[test]
fn a_row_that_is_refused_after_an_answer_that_left_it_open_is_not_taken_for_what_was_before() {
    let (url, come) = server(&[SUCCESS, TROUBLE, REFUSED]);
    let home = Home::new();
    home.write("mapping.toml", MAPPING);
    let import = |name: &str, score: u32| -> Ended {
        home.write(name, csv(&[User { score, ..User::new(1) }]));
        let own = ["import", name, "--endpoint", &url, "--app-id", "X", "--only-changed"];
        let more = ["--state", "state", "--mapping", "mapping.toml", "--yes", "--progress", "off"];
        let rates = ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];
        let [more, rates] = [more.as_slice(), rates.as_slice()];
        home.run(&[own.as_slice(), more, rates, &["--output", "json"]].concat())
    };
    import("one.csv", 1).report(0);
    let refused = import("two.csv", 2).report(1);
    assert_eq!(count(&refused, "rows", "failed"), 1);
    assert_eq!(come.load(Ordering::SeqCst), 3);
    let report = import("three.csv", 1).report(0);
    assert_eq!(count(&report, "rows", "delivered"), 1, "the server may hold the second");
}
