//! What goes wrong on request: scripted answers and random faults.

use std::io;
use std::time::{Duration, Instant};

use moebulk::sandbox::{Options, ScriptedAnswer};
use serde_json::{Value, json};

use crate::client::{BULK, ONE_USER, Request, connect, envelope, look, read_answer, start, user};

#[test]
fn rows_that_state_causes_are_scripted() {
    #[rustfmt::skip]
    let rows = [
        ("400:1", 400, "Blacklisted", "Your account is blacklisted, Please contact MoEngage."),
        ("403:1", 403, "Account Suspended", "Account Suspended"),
        ("403=Account Temporarily Suspended:1", 403, "Account Temporarily Suspended", "Account Temporarily Suspended"),
        ("409:1", 409, "Authentication required", "App Secret key is not set. Please login to the dashboard to set a key"),
        ("500=Server Error:1", 500, "Server Error", "Any other exception"),
    ];
    let answers = rows.map(|(text, ..)| text.parse::<ScriptedAnswer>().expect("an answer"));
    let sandbox = start(Options { answers: answers.to_vec(), ..Options::default() });
    for (text, code, kind, message) in rows {
        let answer = Request::post(BULK, ONE_USER).send(&sandbox);
        assert_eq!(answer.failure(), (code, kind, message), "{text}");
    }
    assert_eq!(Request::post(BULK, ONE_USER).send(&sandbox).status, 200);
}

#[test]
fn a_scripted_answer_waits_for_its_turn() {
    let sandbox = start(Options {
        answers: vec!["500:2@3".parse().expect("an answer")],
        ..Options::default()
    });
    let statuses: Vec<u16> = [BULK, BULK, "/nowhere", BULK, BULK, BULK, BULK]
        .map(|path| Request::post(path, ONE_USER).send(&sandbox).status)
        .to_vec();
    assert_eq!(statuses, [200, 200, 404, 200, 500, 500, 200]);
}

/// What 200 requests met: a status, or 0 for a reset.
fn faults_met(seed: u64) -> (Vec<u16>, Value) {
    let sandbox = start(Options {
        faults: "500:0.1,429:0.1,reset:0.2".parse().expect("rates"),
        seed,
        ..Options::default()
    });
    let met = (0..200)
        .map(|number| {
            let body = envelope(&[user(&format!("user-{number}"))]);
            match Request::post(BULK, body).try_send(&sandbox) {
                Ok(answer) => {
                    if answer.status == 429 {
                        assert_eq!(answer.header("retry-after"), Some("1"));
                        assert_eq!(answer.header("x-ratelimit-reset"), Some("1"));
                    }
                    answer.status
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
                    0
                }
            }
        })
        .collect();
    (met, look(&sandbox, "stats"))
}

#[test]
fn a_seed_decides_which_requests_meet_a_fault() {
    let (met, stats) = faults_met(7);
    assert_eq!(met, faults_met(7).0);
    assert_ne!(met, faults_met(8).0);

    let count = |status| met.iter().filter(|met| **met == status).count();
    for (status, least, most) in [(500, 8, 40), (429, 8, 40), (0, 20, 65), (200, 90, 150)] {
        assert!((least..=most).contains(&count(status)), "{status}: {}", count(status));
    }
    // In turn, a reset comes before the request is taken in and after.
    assert_eq!(stats["users_accepted"], json!(count(200) + count(0) / 2));
    assert_eq!(stats["resets"], json!(count(0)));
    // Whatever the answer was, every user arrived.
    assert_eq!(stats["users_window_max"], 200);
}

#[test]
fn a_slow_answer_is_late_and_others_are_not_held_up() {
    let sandbox = start(Options {
        faults: "slow:1".parse().expect("rates"),
        slow: Duration::from_millis(400),
        ..Options::default()
    });
    let begun = Instant::now();
    let mut stream = connect(&sandbox).expect("a connection");
    Request::post(BULK, ONE_USER).write_to(&mut stream).expect("a request");
    while look(&sandbox, "records")["count"] == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
    assert_eq!(read_answer(&mut stream).expect("an answer").status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(400));
}
