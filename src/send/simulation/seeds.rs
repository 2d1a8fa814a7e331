//! Imports at random: no window over a rate, nothing lost, nothing twice without cause, order kept.

use std::sync::atomic::{AtomicU64, Ordering};

use super::life::{Trace, live};

/// Names a seed to play alone.
const ONE_SEED: &str = "MOEBULK_SEED";

/// How many seeds the long test plays.
const MANY_SEEDS: &str = "MOEBULK_SEEDS";

/// Says how to play a seed again when its test panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this seed alone: {ONE_SEED}={} cargo test --lib simulation::seeds", self.0);
        }
    }
}

fn of_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Plays seeds on two threads; gives the number of starts and requests.
fn play(seeds: std::ops::Range<u64>) -> (u64, u64) {
    let seeds = of_environment(ONE_SEED).map_or(seeds, |seed| seed..seed + 1);
    let (next, starts, requests) =
        (AtomicU64::new(seeds.start), AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let seed = Seed(next.fetch_add(1, Ordering::Relaxed));
            if seed.0 >= seeds.end {
                break;
            }
            let Trace { heard, starts: more, .. } = live(seed.0);
            starts.fetch_add(more as u64, Ordering::Relaxed);
            requests.fetch_add(heard.len() as u64, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(work);
        work();
        if let Err(panic) = other.join() {
            std::panic::resume_unwind(panic);
        }
    });
    (starts.into_inner(), requests.into_inner())
}

#[test]
fn whatever_happens_no_window_is_over_and_nothing_is_lost() {
    let (starts, requests) = play(0..700);
    let is_alone = of_environment(ONE_SEED).is_some();
    assert!(is_alone || (starts > 1_000 && requests > 10_000), "{starts} starts, {requests}");
}

#[test]
#[ignore = "takes minutes"]
fn thousands_of_seeds() {
    let (starts, requests) = play(0..of_environment(MANY_SEEDS).unwrap_or(5_000));
    eprintln!("{starts} starts, {requests} requests");
}

#[test]
fn a_seed_plays_the_same_to_the_last_request() {
    for seed in of_environment(ONE_SEED).map_or(0..12, |seed| seed..seed + 1) {
        let _seed = Seed(seed);
        let [first, again] = [live(seed), live(seed)];
        assert!(first == again, "{first:#?}\n{again:#?}");
        assert!(!first.heard.is_empty() && first.ended_ms > super::START_MS);
    }
    assert!(live(1) != live(2));
}
