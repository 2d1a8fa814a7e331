//! 24 hours at the default limits: how much of the budget is used, and that no window is over.

use fastrand::Rng;

use crate::send::RateLog;
use crate::send::clock::Clock;

use super::bodies::{packed, whole};
use super::book::Book;
use super::server::{Plan, Server};
use super::*;

const DAY_MS: u64 = 24 * 3600 * 1000;

/// Bodies of more than a day: three make a window.
const BODIES: u64 = 4_500;

/// Sends for a day; gives the share of the plain budget that was delivered, users first.
async fn a_day(latency: impl FnMut(&mut Rng) -> u64 + Send + 'static, seed: u64) -> [f64; 2] {
    let clock = Clock::starting_at(START_MS);
    let mut latency = latency;
    let plan = move |rng: &mut Rng, _| (Plan::Answer(200), latency(rng));
    let server = Server::new(clock.clone(), seed, plan);
    let work = packed(BODIES).into_iter().map(whole).collect();
    let mut book = Book::default();
    let settings = settings();
    let run = send(&settings, work, &mut book, RateLog::memory(), &server);
    let ended = clock.deadline(START_MS + DAY_MS, run).await;
    assert!(ended.is_none(), "a day is too short for all of them");
    assert_eq!(server.windows_over(RATES), 0);
    assert_eq!(server.fixed_windows_over(RATES), 0);
    let share = |told: u64, rate: u64| told as f64 / (rate * 24 * 60) as f64;
    [share(book.progress.users, USERS), share(book.progress.events, EVENTS)]
}

#[tokio::test(start_paused = true)]
async fn a_day_at_constant_latency_uses_the_budget_and_never_exceeds_it() {
    for latency_ms in [5, 50, 500, 5_000, 20_000, 45_000, 59_000] {
        let shares = a_day(move |_| latency_ms, 1).await;
        // Whoever waits for an answer before a share comes free can't do better than this.
        let best = 60_000.0 / (60_000 + latency_ms) as f64;
        for share in shares {
            assert!(share >= 0.98 * best, "{latency_ms} ms: {share} of {best}");
            assert!(share >= 0.98 || latency_ms > 500, "{latency_ms} ms: {share}");
            assert!(share <= best * 1.001, "{latency_ms} ms: {share} of {best}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_at_latencies_of_any_length_never_exceeds_the_budget() {
    type Latency = fn(&mut Rng) -> u64;
    // From 5 ms to 59 s, evenly or each order of magnitude as likely; or mostly short.
    let latencies: [(Latency, f64); 3] = [
        (|rng| rng.u64(5..59_000), 0.55),
        (|rng| (5.0 * 11_800_f64.powf(rng.f64())) as u64, 0.75),
        (|rng| if rng.u32(0..20) > 0 { rng.u64(80..300) } else { rng.u64(5..59_000) }, 0.9),
    ];
    for (seed, (latency, least)) in latencies.into_iter().enumerate() {
        let shares = a_day(latency, seed as u64).await;
        assert!(shares.iter().all(|&share| share >= least), "{seed}: {shares:?}");
    }
}
