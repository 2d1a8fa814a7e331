//! Outages of ten minutes in the middle of a long import: few requests are spent on them, and the
//! full rate is soon there again.

use std::collections::BTreeSet;

use crate::model::RequestCounts;
use crate::send::clock::Clock;
use crate::send::{Ended, RateLog, Waiting};

use super::bodies::{packed, whole};
use super::book::Book;
use super::server::{Heard, Plan, Server};
use super::*;

/// Four hours at the default limits.
const BODIES: u64 = 3 * 240;
const LATENCY_MS: u64 = 400;
const FROM_MS: u64 = START_MS + 2 * 3600 * 1000 + 12_345;
const UNTIL_MS: u64 = FROM_MS + 10 * 60 * 1000;

/// Longest pause of the back-off, in milliseconds.
const STEP_MS: u64 = 30_000;

/// A window, as the sender counts it, and the time to be answered.
const CYCLE_MS: u64 = 60_100 + LATENCY_MS;

/// What an import under way met.
struct Met {
    requests: u64,
    steps: u64,
    heard: Vec<Heard>,
    told: Vec<(u64, [u64; 2])>,
    ended_ms: u64,
    counts: RequestCounts,
}

impl Met {
    /// When the requests of the outage were sent.
    fn probes(&self) -> Vec<&Heard> {
        let is_in = |heard: &&Heard| (FROM_MS..UNTIL_MS).contains(&heard.sent_ms);
        self.heard.iter().filter(is_in).collect()
    }

    /// How long after the outage every cycle holds a whole budget again, in milliseconds.
    fn full_after_ms(&self, until_ms: u64) -> u64 {
        let in_cycle = |end_ms: u64| {
            let cycle = end_ms - CYCLE_MS..end_ms;
            let told = self.told.iter().filter(|(ms, _)| cycle.contains(ms));
            told.map(|(_, weight)| weight[0]).sum::<u64>()
        };
        let mut full_ms = until_ms;
        for end_ms in (UNTIL_MS..until_ms).rev().step_by(100) {
            if in_cycle(end_ms) * 100 < USERS * 98 {
                break;
            }
            full_ms = end_ms;
        }
        full_ms - UNTIL_MS
    }
}

/// Sends all; requests of the outage fare as `plan` says.
async fn import(plan: Option<(Plan, u64)>, seed: u64, settings: &Settings, work: Vec<Work>) -> Met {
    let clock = Clock::starting_at(START_MS);
    let is_out = |now_ms| (FROM_MS..UNTIL_MS).contains(&now_ms);
    let server = Server::new(clock.clone(), seed, move |_, now_ms| match &plan {
        Some(plan) if is_out(now_ms) => plan.clone(),
        _ => (Plan::Answer(200), LATENCY_MS),
    });
    let bodies = work.len() as u64;
    let mut book = Book::default();
    let settings = Settings { seed, ..settings.clone() };
    let finished = send(&settings, work, &mut book, RateLog::memory(), &server).await.unwrap();
    assert_eq!((finished.ended, book.progress.bodies), (Ended::Complete, bodies));
    assert_eq!(server.windows_over(RATES), 0);
    let steps: BTreeSet<_> = book
        .waits()
        .filter_map(|wait| match wait {
            Waiting::BackOff { until_ms } => Some(until_ms),
            _ => None,
        })
        .collect();
    server.with(|model| Met {
        requests: model.requests,
        steps: steps.len() as u64,
        heard: std::mem::take(&mut model.heard),
        told: std::mem::take(&mut model.told),
        ended_ms: clock.now_ms(),
        counts: finished.requests,
    })
}

fn outages() -> [(&'static str, Plan, u64); 6] {
    [
        ("refused", Plan::Refuse, 1),
        ("refused slowly", Plan::Refuse, 10_000),
        ("503", Plan::Answer(503), 50),
        ("reset before it took the body", Plan::Drop, 50),
        ("reset after it took the body", Plan::Lose, 50),
        ("no answer", Plan::Silence, 0),
    ]
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_a_server_cost_few_requests_and_one_window() {
    let work = || packed(BODIES).into_iter().map(whole).collect::<Vec<_>>();
    let undisturbed = import(None, 0, &settings(), work()).await;
    assert_eq!((undisturbed.requests, undisturbed.steps), (BODIES, 0));
    for (name, plan, wait_ms) in outages() {
        let is_answered = matches!(plan, Plan::Answer(_) | Plan::Refuse);
        for seed in 0..10 {
            let met = import(Some((plan.clone(), wait_ms)), seed, &settings(), work()).await;
            let probes = met.probes();
            let full_ms = met.full_after_ms(met.ended_ms - 2 * CYCLE_MS);
            eprintln!(
                "{name}, seed {seed}: {} requests in the outage, {} steps, full after {full_ms} ms, \
                 {} ms later at the end",
                probes.len(),
                met.steps,
                met.ended_ms - undisturbed.ended_ms,
            );
            // Two rounds of all connections, then one probe a step.
            assert!(met.requests <= BODIES + 6 + met.steps, "{name}: {}", met.requests);
            assert!(10 * met.requests <= 11 * BODIES + 10 * met.steps, "{name}");
            assert!(met.counts.retried as usize <= probes.len() + 6, "{name}");
            for pair in probes[6.min(probes.len())..].windows(2) {
                let ended_ms = pair[0].ended_ms.unwrap_or(pair[0].sent_ms + DEADLINE_MS);
                assert!(pair[1].sent_ms >= ended_ms + 2_000, "{name}: two probes at a time");
            }
            let unanswered_ms = if is_answered { wait_ms } else { DEADLINE_MS };
            let bound_ms = STEP_MS + unanswered_ms + CYCLE_MS + 100;
            assert!(full_ms <= bound_ms, "{name}, seed {seed}: full after {full_ms} ms");
            let late_ms = met.ended_ms - undisturbed.ended_ms;
            assert!(late_ms <= UNTIL_MS - FROM_MS + bound_ms, "{name}: {late_ms} ms later");
        }
    }
}
