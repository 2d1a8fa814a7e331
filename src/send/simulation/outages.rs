//! Outages of ten minutes in the middle of a long import: few requests are spent on them, and the
//! full rate is soon there again.

use std::collections::BTreeSet;

use crate::model::RequestCounts;
use crate::send::clock::Clock;
use crate::send::{Ended, RateLog, Waiting};

use super::bodies::{body, packed, whole};
use super::book::Book;
use super::server::{Heard, Plan, Server};
use super::*;

/// Two hours at the default limits.
const BODIES: u64 = 3 * 120;
const LATENCY_MS: u64 = 400;
const FROM_MS: u64 = START_MS + 3600 * 1000 + 12_345;
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

    /// From when on after the outage the full rate holds: every number of cycles from then on holds
    /// as many budgets, less 2 %. In milliseconds after its end.
    fn full_after_ms(&self, until_ms: u64) -> u64 {
        let holds = |from_ms: &u64| {
            let cycles = (until_ms - from_ms) / CYCLE_MS;
            let mut told = self.told.iter().skip_while(|(ms, _)| ms <= from_ms).peekable();
            let mut users = 0;
            (1..=cycles).all(|cycle| {
                let end_ms = from_ms + cycle * CYCLE_MS;
                while let Some((_, weight)) = told.next_if(|(ms, _)| *ms <= end_ms) {
                    users += weight[0];
                }
                users * 100 >= cycle * USERS * 98
            })
        };
        (UNTIL_MS..until_ms).step_by(100).find(holds).unwrap_or(until_ms) - UNTIL_MS
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
        for seed in 0..4 {
            let met = import(Some((plan.clone(), wait_ms)), seed, &settings(), work()).await;
            let probes = met.probes();
            let full_ms = met.full_after_ms(met.ended_ms - 2 * CYCLE_MS);
            if std::env::var_os("MOEBULK_FIGURES").is_some() {
                let (requests, late_ms) = (probes.len(), met.ended_ms - undisturbed.ended_ms);
                eprintln!("{name}, seed {seed}: {requests} requests in {} steps", met.steps);
                eprintln!("  full rate from {full_ms} ms on; {late_ms} ms later at the end");
            }
            // Two rounds of all connections, then one probe a step.
            assert!(met.requests <= BODIES + 6 + met.steps, "{name}: {}", met.requests);
            assert!(10 * met.requests <= 11 * BODIES + 10 * met.steps, "{name}");
            assert!(met.counts.retried as usize <= probes.len() + 6, "{name}");
            for pair in probes[6.min(probes.len())..].windows(2) {
                let ended_ms = pair[0].ended_ms.unwrap_or(pair[0].sent_ms + DEADLINE_MS);
                assert!(pair[1].sent_ms >= ended_ms + 2_000, "{name}: two probes at a time");
            }
            let unanswered_ms = if is_answered { wait_ms } else { DEADLINE_MS };
            let bound_ms = STEP_MS + unanswered_ms;
            assert!(full_ms <= bound_ms, "{name}, seed {seed}: full after {full_ms} ms");
            let late_ms = met.ended_ms - undisturbed.ended_ms;
            assert!(late_ms <= UNTIL_MS - FROM_MS + bound_ms + CYCLE_MS, "{name}: {late_ms}");
        }
    }
}

/// Half an hour of small bodies, as many as 64 connections are of use for.
#[tokio::test(start_paused = true)]
async fn an_outage_of_many_connections_costs_two_rounds_of_them_and_a_probe_a_step() {
    const COUNT: u64 = 100 * 100;
    let settings = Settings { mean_users: 10.0, mean_events: 0.0, largest_users: 10, ..settings() };
    assert_eq!(settings.connections(), 64);
    for (name, plan, wait_ms) in outages() {
        let work = (0..COUNT).map(|seq| whole(body(seq, &[(10, 0, None)]))).collect();
        let met = import(Some((plan, wait_ms)), 1, &settings, work).await;
        assert!(met.requests <= COUNT + 2 * 64 + met.steps, "{name}: {}", met.requests);
        let full_ms = met.full_after_ms(met.ended_ms - 2 * CYCLE_MS);
        assert!(full_ms <= STEP_MS + DEADLINE_MS, "{name}: {full_ms}");
        let after = met.heard.iter().filter(|heard| heard.sent_ms > UNTIL_MS + 180_000);
        let mut at_once = std::collections::BTreeMap::<u64, u32>::new();
        after.for_each(|heard| *at_once.entry(heard.sent_ms).or_default() += 1);
        assert_eq!(at_once.values().max(), Some(&64), "{name}: all connections are back");
    }
}
