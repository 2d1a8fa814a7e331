//! No window over the rates, nothing lost, order kept.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::watch;

use crate::send::*;

use super::model::*;

#[tokio::test(start_paused = true)]
async fn a_day_at_constant_latency_uses_the_budget_and_never_exceeds_it() {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    for latency_ms in [5, 500, 5_000, 20_000, 45_000] {
        let clock = Clock::starting_at(START_MS);
        let server = Server::new(clock, 1, move |_, _| (Plan::Answer(200), latency_ms));
        let sizes = [[(215, 2150, None); 2], [(215, 2150, None); 2], [(70, 700, None); 2]];
        let bodies = (0..4_500).map(|seq| body(seq, &sizes[seq as usize % 3]));
        let work = bodies
            .map(|body| Work { pending: vec![body.whole()], body, in_doubt: false })
            .collect();
        let mut book = Book::default();
        let settings = settings();
        let run = send(&settings, work, &mut book, RateLog::memory(), &server);
        let ended = tokio::time::timeout(Duration::from_millis(DAY_MS), run).await;
        assert!(ended.is_err(), "a day is too short for all of them");
        assert_eq!(server.windows_over([USERS, EVENTS]), 0, "at {latency_ms} ms");
        let best = (USERS * 24 * 60) as f64 * 60_000.0 / (60_000 + latency_ms) as f64;
        let share = book.progress.users as f64 / best;
        assert!(share >= 0.98, "at {latency_ms} ms: {share}");
    }
}

/// Bodies of users, a few of whom come again and again.
fn random_bodies(rng: &mut Rng, count: u64) -> Vec<Body> {
    let mut bodies = vec![];
    for seq in 0..count {
        let items: Vec<Item> = (0..rng.u64(1..=4))
            .map(|_| (rng.u32(1..=100), rng.u32(0..=1000), Some(rng.u64(1..=400))))
            .collect();
        bodies.push(body(seq, &items));
    }
    bodies
}

fn trouble(rng: &mut Rng, _now_ms: u64) -> (Plan, u64) {
    let wait_ms = match rng.u32(0..4) {
        0 => rng.u64(0..50),
        1 | 2 => rng.u64(0..5_000),
        _ => rng.u64(0..70_000),
    };
    // Past the deadline the client is gone, and what the server does is lost.
    if wait_ms >= DEADLINE_MS {
        return (Plan::Lose, DEADLINE_MS);
    }
    match rng.u32(0..100) {
        0..4 => (Plan::Lose, wait_ms),
        4..9 => (Plan::Answer(503), wait_ms),
        9..11 => (Plan::Answer(429), wait_ms),
        11..14 => (Plan::Refuse, wait_ms.min(3_000)),
        _ => (Plan::Answer(200), wait_ms),
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_and_restarts_lose_nothing_and_exceed_nothing() {
    for seed in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let mut rng = Rng::with_seed(seed);
        let clock = Clock::starting_at(START_MS);
        let server = Server::new(clock, seed, trouble);
        let bodies = random_bodies(&mut rng, 120);
        let mut book = Book::default();
        let mut lost_by_crash = BTreeSet::new();
        let mut restarts = 0;
        loop {
            let (stop, stopped) = watch::channel(false);
            let (crash_ms, stop_ms) = (rng.u64(1_000..600_000), rng.u64(1_000..600_000));
            let (settings, log) = (settings(), open(directory.path(), &clock));
            let work = feed(book.pending(&bodies));
            let run = run(&settings, work, &mut book, log, clock, &server, stopped);
            let stopper = async {
                tokio::time::sleep(Duration::from_millis(stop_ms)).await;
                stop.send_replace(true);
                std::future::pending::<()>().await;
            };
            let limit = tokio::time::sleep(Duration::from_millis(crash_ms));
            let ended = tokio::select! {
                ended = run => Some(ended.unwrap()),
                () = stopper => None,
                () = limit => None,
            };
            if ended.is_some_and(|finished| finished.ended == Ended::Complete) {
                break;
            }
            lost_by_crash.extend(book.in_doubt.iter().copied());
            restarts += 1;
            assert!(restarts < 1_000, "seed {seed}");
            tokio::time::sleep(Duration::from_millis(rng.u64(0..20_000))).await;
        }
        assert_eq!(server.windows_over([USERS, EVENTS]), 0, "seed {seed}");
        let all: BTreeSet<_> =
            bodies.iter().flat_map(|body| body.whole().map(|i| (body.seq, i))).collect();
        assert_eq!(book.delivered, all, "seed {seed}");
        assert!(book.in_doubt.is_empty(), "seed {seed}");
        server.with(|model| {
            for (&at, &times) in &model.times_taken {
                let lost = model.times_lost[&at];
                let was_in_doubt = lost_by_crash.contains(&(at.0, at.1 as u32));
                assert!(times <= 1 + lost || was_in_doubt, "seed {seed}: {at:?} {times} times");
            }
            for (key, taken) in &model.taken {
                // A stretch whose answer was lost comes again as a whole; no other is between.
                let in_order = taken.is_sorted_by_key(|&(seq, _)| seq);
                let last_wins = taken.last() == taken.iter().max();
                assert!(in_order && last_wins, "seed {seed}: user {key}: {taken:?}");
            }
        });
    }
}
