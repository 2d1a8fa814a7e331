//! Isolation, and every way in which a run ends.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;

use crate::model::RowFailure;
use crate::send::clock::Clock;
use crate::send::*;

use super::bodies::{Item, body};
use super::book::Book;
use super::server::{Plan, Server};
use super::*;

#[tokio::test(start_paused = true)]
async fn isolation_finds_exactly_the_poisoned_rows() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let clock = Clock::starting_at(START_MS);
        let server =
            Server::new(clock.clone(), seed, |rng, _| (Plan::Answer(200), rng.u64(0..300)));
        let items: Vec<Item> = (0..100).map(|i| (1, 0, Some(1 + i / 2))).collect();
        let bodies: Vec<_> = (0..6).map(|seq| body(seq, &items)).collect();
        let poison: BTreeSet<_> = (0..8).map(|_| (rng.u64(0..6), rng.u32(0..100))).collect();
        server.with(|model| model.poison = poison.clone());
        let mut book = Book::default();
        let work = book.pending(&bodies);
        let finished =
            send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap();
        assert_eq!(finished.failed, poison.len() as u64);
        assert_eq!(finished.delivered + finished.failed, 600);
        let failed: BTreeSet<_> = book.failed.keys().copied().collect();
        assert_eq!(failed, poison, "seed {seed}");
        let words = |failure: &RowFailure| (failure.status, failure.kind.clone());
        let type_error = "TypeError".to_owned();
        assert!(
            book.failed
                .values()
                .map(words)
                .all(|(status, kind)| { (status == 413 && kind.is_empty()) || kind == type_error })
        );
        assert!(book.requests.isolated > 0 && book.requests.retried == 0);
        assert_eq!(book.requests.sent, server.with(|model| model.requests));
        assert_eq!(server.windows_over(RATES), 0);
        server.with(|model| assert!(model.taken.values().all(|taken| taken.is_sorted())));
    }
}

#[tokio::test(start_paused = true)]
async fn the_breaker_stops_a_run_that_is_refused_row_by_row() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(400), 100));
    let bodies: Vec<_> = (0..10).map(|seq| body(seq, &[(1, 0, None); 50])).collect();
    let mut book = Book::default();
    let work = book.pending(&bodies);
    let error = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap_err();
    let Error::Breaker { failed, delivered: 0, words } = error else { panic!("{error}") };
    assert!((20..=23).contains(&failed), "{failed}");
    assert_eq!(words, "TypeError: expected string");
    assert_eq!(book.failed.len() as u64, failed);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_no_body_escapes_stops_at_once() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(401), 100));
    let bodies: Vec<_> = (0..10).map(|seq| body(seq, &[(100, 0, None)])).collect();
    let mut book = Book::default();
    let work = book.pending(&bodies);
    let error = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap_err();
    assert!(matches!(error, Error::Fatal { status: 401, .. }), "{error}");
    assert!(server.with(|model| model.requests) <= 3);
    assert!(book.in_doubt.is_empty(), "a refused body is not in doubt");
}

#[tokio::test(start_paused = true)]
async fn an_outage_ends_the_run_after_the_time_allowed() {
    for plan in [Plan::Answer(503), Plan::Lose, Plan::Refuse] {
        let clock = Clock::starting_at(START_MS);
        let replayed = plan.clone();
        let server = Server::new(clock, 1, move |_, _| (replayed.clone(), 50));
        let bodies: Vec<_> = (0..300).map(|seq| body(seq, &[(10, 0, None)])).collect();
        let mut book = Book::default();
        let work = book.pending(&bodies);
        let error =
            send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap_err();
        let Error::Outage { lasted, .. } = error else { panic!("{error}") };
        assert!((3600..3700).contains(&lasted.as_secs()), "{plan:?}: {lasted:?}");
        assert!(server.with(|model| model.requests) < 900, "one probe at a time");
        assert_eq!(server.windows_over(RATES), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_comes_back_gets_everything() {
    let clock = Clock::starting_at(START_MS);
    let back_ms = START_MS + 30 * 60 * 1000;
    let server = Server::new(clock.clone(), 1, move |_, now_ms| {
        if now_ms < back_ms { (Plan::Answer(502), 20) } else { (Plan::Answer(200), 20) }
    });
    let bodies: Vec<_> = (0..50).map(|seq| body(seq, &[(100, 0, None)])).collect();
    let mut book = Book::default();
    let work = book.pending(&bodies);
    let finished = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap();
    assert_eq!((finished.ended, finished.delivered), (Ended::Complete, 50));
    assert!(finished.requests.http_5xx > 50 && finished.requests.retried > 50);
    assert!(clock.now_ms() < back_ms + 7 * 60_000);
}

#[tokio::test(start_paused = true)]
async fn a_429_makes_everything_wait_and_lowers_the_rate() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, now_ms| {
        let limit = Plan::Limit([Some("7".to_owned()), None]);
        (if now_ms < START_MS + 50 { limit } else { Plan::Answer(200) }, 100)
    });
    let bodies: Vec<_> = (0..3).map(|seq| body(seq, &[(100, 0, None)])).collect();
    let mut book = Book::default();
    let work = book.pending(&bodies);
    let finished = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap();
    assert_eq!((finished.delivered, finished.requests.http_429), (3, 3));
    assert_eq!(clock.now_ms() - START_MS, 100 + 7_000 + 100);
    assert_eq!(book.progress.users_per_minute, Some(750));
    let asked = Waiting::ServerAsked { until_ms: START_MS + 7_100, asked_ms: 7_000 };
    assert!(book.waits().any(|wait| wait == asked), "{:?}", book.notes);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_wait_is_cut_to_five_minutes_and_told() {
    for (value, asked_ms) in [("86400", 86_400_000), ("99999999999999999999", u64::MAX)] {
        let clock = Clock::starting_at(START_MS);
        let server = Server::new(clock.clone(), 1, move |_, now_ms| {
            let limit = Plan::Limit([Some(value.to_owned()), None]);
            (if now_ms == START_MS { limit } else { Plan::Answer(200) }, 100)
        });
        let mut book = Book::default();
        let work = book.pending(&[body(0, &[(1, 0, None)])]);
        send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap();
        let sent: Vec<_> = server.with(|model| model.heard.iter().map(|h| h.sent_ms).collect());
        assert_eq!(sent, [START_MS, START_MS + 100 + ASKED_MS_MAX]);
        let told = book.waits().find_map(|wait| match wait {
            Waiting::ServerAsked { asked_ms, .. } => Some(asked_ms),
            _ => None,
        });
        // Past what seconds count to, a number is a moment since 1970.
        assert!(told.is_some_and(|told| told > ASKED_MS_MAX && told <= asked_ms), "{told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_waits_for_its_retry_holds_no_connection_and_is_charged_again() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock, 1, |_, now_ms| {
        (Plan::Answer(if now_ms == START_MS { 503 } else { 200 }), 100)
    });
    let bodies: Vec<_> = (0..5).map(|seq| body(seq, &[(300, 0, None)])).collect();
    let settings = Settings { connections: Some(1), ..settings() };
    let mut book = Book::default();
    let work = book.pending(&bodies);
    send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap();
    let heard = server.with(|model| std::mem::take(&mut model.heard));
    let sent: Vec<_> = heard.iter().map(|h| (h.first.0, h.sent_ms - START_MS)).collect();
    // Two more go meanwhile; with the failed try they are 900 users, so the retry waits for it.
    assert_eq!(sent[..3], [(0, 0), (1, 100), (2, 200)]);
    assert_eq!(sent[3], (0, 100 + 60_100));
    assert_eq!(server.windows_over(RATES), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_at_which_the_server_falls_over_keeps_no_other_from_being_sent() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 100));
    server.with(|model| model.fatal = BTreeSet::from([0, 1, 7]));
    let bodies: Vec<_> = (0..30).map(|seq| body(seq, &[(10, 0, None)])).collect();
    let settings = Settings { retry_for: Duration::from_secs(600), ..settings() };
    let mut book = Book::default();
    let work = book.pending(&bodies);
    let error = send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap_err();
    assert!(matches!(error, Error::Outage { .. }), "{error}");
    assert_eq!(book.delivered.len(), 27);
    let last_ms = server.with(|model| model.told.last().unwrap().0);
    assert!(last_ms - START_MS < 60_000, "{last_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_body_waits_for_its_users_and_those_behind_pass_it() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock, 1, |_, _| (Plan::Answer(200), 100));
    let users: [&[u64]; 6] = [&[1], &[1, 2], &[2, 3], &[4], &[1, 5], &[6, 6]];
    let items = |users: &[u64]| users.iter().map(|&user| (1, 0, Some(user))).collect::<Vec<_>>();
    let bodies: Vec<_> = (0..6).map(|seq| body(seq, &items(users[seq as usize]))).collect();
    let settings = Settings { connections: Some(3), ..settings() };
    let mut book = Book::default();
    let work = book.pending(&bodies);
    send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap();
    let heard = server.with(|model| std::mem::take(&mut model.heard));
    let sent: Vec<_> = heard.iter().map(|h| (h.first.0, h.sent_ms - START_MS)).collect();
    assert_eq!(sent, [(0, 0), (3, 0), (5, 0), (1, 100), (2, 200), (4, 200)]);
    server.with(|model| assert!(model.taken.values().all(|taken| taken.is_sorted())));
}

/// Asks for a stop half a second after the start.
fn stop_after_500_ms(clock: &Clock) -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    let clock = clock.clone();
    tokio::spawn(async move {
        clock.sleep_until(START_MS + 500).await;
        stop.send_replace(true);
    });
    stopped
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_five_seconds_for_what_is_under_way() {
    for (latency_ms, delivered) in [(4_000, 3), (20_000, 0)] {
        let clock = Clock::starting_at(START_MS);
        let server = Server::new(clock.clone(), 1, move |_, _| (Plan::Answer(200), latency_ms));
        let bodies: Vec<_> = (0..30).map(|seq| body(seq, &[(100, 0, None)])).collect();
        let mut book = Book::default();
        let stopped = stop_after_500_ms(&clock);
        let (work, settings) = (feed(book.pending(&bodies)), settings());
        let log = RateLog::memory();
        let finished =
            run(&settings, work, &mut book, log, clock.clone(), &server, stopped).await.unwrap();
        assert_eq!((finished.ended, finished.delivered), (Ended::Interrupted, delivered));
        assert_eq!(finished.requests.sent, 3);
        assert_eq!(clock.now_ms() - START_MS, (500 + 5_000).min(latency_ms));
        assert_eq!(book.in_doubt.len() as u64, 3 - delivered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_fails_stops_before_anything_leaves() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 10));
    let mut book = Book { is_broken: true, ..Book::default() };
    let work = book.pending(&[body(0, &[(1, 0, None)])]);
    let error = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap_err();
    assert!(matches!(error, Error::Ledger(_)), "{error}");
    assert_eq!(server.with(|model| model.requests), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_rate_is_refused_rather_than_waited_for() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 10));
    let mut book = Book::default();
    let work = book.pending(&[body(0, &[(1, 0, None)]), body(1, &[(1001, 0, None)])]);
    let error = send(&settings(), work, &mut book, RateLog::memory(), &server).await.unwrap_err();
    assert!(matches!(error, Error::OverRate { seq: 1, users: 1001, .. }), "{error}");
    assert_eq!(book.delivered.len(), 1);
}

/// A server that allows fewer users in a window than a body holds, whatever was said.
#[tokio::test(start_paused = true)]
async fn a_body_above_the_accounts_limit_goes_in_halves() {
    const LIMIT: u64 = 400;
    let rates = [Rate::PerMinute(10_000), Rate::Unlimited];
    for rate in rates {
        let clock = Clock::starting_at(START_MS);
        let server = Server::limited(clock.clone(), 1, LIMIT);
        let parts = vec![(1, 0, None); 1_531];
        let bodies = [body(0, &parts), body(1, &parts[..20])];
        let mut book = Book::default();
        let settings = Settings { users: rate, largest_users: 1_531, ..settings() };
        let work = book.pending(&bodies);
        let finished = send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap();
        assert_eq!((finished.ended, finished.delivered), (Ended::Complete, 1_551));
        assert!(book.in_doubt.is_empty());
        assert_eq!(finished.requests.isolated, 0, "no row is looked for");
        server.with(|model| {
            assert_eq!(model.times_taken.len(), 1_551);
            assert!(model.times_taken.values().all(|&times| times == 1), "each once");
            // 1,531, 766 and 383 users, which pass.
            let taken: Vec<usize> = model
                .heard
                .iter()
                .filter(|heard| heard.plan == Plan::Answer(200) && heard.first.0 == 0)
                .map(|heard| heard.elements)
                .collect();
            assert_eq!(taken, [382, 383, 383, 383]);
        });
        // Four windows of 400, and one that is let go by before the halving.
        assert!(clock.now_ms() - START_MS < 12 * 60_000, "{}", clock.now_ms() - START_MS);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lower_rate_on_resume_sends_what_was_cut_for_the_higher_one() {
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 10));
    let bodies = [body(0, &vec![(1, 0, None); 1_531])];
    let mut book = Book::default();
    let settings = Settings { users: Rate::PerMinute(800), largest_users: 1_531, ..settings() };
    let work = book.pending(&bodies);
    let finished = send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap();
    assert_eq!((finished.delivered, finished.requests.sent), (1_531, 2));
    assert_eq!(finished.requests.isolated, 0);
    assert_eq!(server.windows_over([Some(800), None]), 0);
}

#[tokio::test(start_paused = true)]
async fn unlimited_rates_write_no_log_and_wait_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(START_MS);
    let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 10));
    let bodies: Vec<_> = (0..1_600).map(|seq| body(seq, &[(430, 0, None)])).collect();
    let mut book = Book::default();
    let (work, log) = (book.pending(&bodies), open(directory.path(), &clock));
    let finished = send(&unlimited(), work, &mut book, log, &server).await.unwrap();
    assert_eq!(finished.delivered, 1_600);
    assert!(clock.now_ms() - START_MS < 1_600 / 16 * 10 * 5);
    let file = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap();
    assert_eq!(std::fs::read_to_string(file.path()).unwrap().lines().count(), 1);
}

#[test]
fn connections_are_as_many_as_a_window_has_bodies() {
    let settings = settings();
    assert_eq!(settings.connections(), 3);
    assert_eq!(
        Settings { mean_users: 0.1, mean_events: 0.0, ..settings.clone() }.connections(),
        64
    );
    assert_eq!(
        Settings { mean_users: 900.0, mean_events: 0.0, ..settings.clone() }.connections(),
        2
    );
    assert_eq!(Settings { connections: Some(0), ..settings }.connections(), 1);
    assert_eq!(unlimited().connections(), 16);
}

#[test]
fn a_slow_server_meets_the_deadline() {
    // Takes connections and never answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        endpoint: format!("http://{}", listener.local_addr().unwrap()),
        request_deadline: Duration::from_millis(300),
        retry_for: Duration::ZERO,
        ..settings()
    };
    let (sender, work) = mpsc::channel(4);
    let mut book = Book::default();
    sender.blocking_send(book.pending(&[body(0, &[(1, 0, None)])]).remove(0)).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let log = RateLog::memory();
    let error =
        run_blocking(&settings, work, &mut book, log, Clock::system(), stopped).unwrap_err();
    let Error::Outage { cause, .. } = error else { panic!("{error}") };
    assert_eq!(cause, "no answer before the deadline");
    assert_eq!(book.in_doubt.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_last_bodies_are_answered_is_a_whole_run() {
    for (bodies, ended) in [(3, Ended::Complete), (4, Ended::Interrupted)] {
        let clock = Clock::starting_at(START_MS);
        let server = Server::new(clock.clone(), 1, |_, _| (Plan::Answer(200), 4_000));
        let bodies: Vec<_> = (0..bodies).map(|seq| body(seq, &[(100, 0, None)])).collect();
        let mut book = Book::default();
        let stopped = stop_after_500_ms(&clock);
        let (work, settings) = (feed(book.pending(&bodies)), settings());
        let log = RateLog::memory();
        let finished = run(&settings, work, &mut book, log, clock, &server, stopped).await.unwrap();
        assert_eq!((finished.ended, finished.delivered), (ended, 3));
        assert!(book.in_doubt.is_empty());
    }
}
