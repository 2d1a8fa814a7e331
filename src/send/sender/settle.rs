//! The first half of a turn: what the answers mean for their bodies, the budget and the run.

use std::time::Duration;

use crate::model::{Settled, Settlement, Turn};
use crate::send::breaker::Breaker;
use crate::send::budget::{ChargeId, HELD_MS};
use crate::send::jobs::Halving;
use crate::send::mask::masked;
use crate::send::verdict::{Outcome, Refusal, Verdict, advice, judge};
use crate::send::{Error, Ledger, Transport};
use crate::wire::limits::{EVENTS_PER_MINUTE, USERS_PER_MINUTE};

use super::{Flight, Landed, Sender, counts_of, log};

/// Users of a body that is small enough for any account: a tenth of the usual limit. It is not halved
/// for the rate, or a busy account would have it sent row by row.
const USERS_ANYWAY: u64 = USERS_PER_MINUTE / 10;

/// The same for events.
const EVENTS_ANYWAY: u64 = EVENTS_PER_MINUTE / 10;

impl<L: Ledger, T: Transport> Sender<'_, L, T> {
    /// Judges every answer that is there. Nobody is told of it before the turn is durable; a crash
    /// before that leaves these stretches in doubt: sent again on resume.
    pub(super) fn settle(&mut self) -> Turn {
        let mut turn = Turn::default();
        while let Some(joined) = self.requests.try_join_next() {
            self.landed.extend(landed(joined));
        }
        if self.landed.is_empty() {
            return turn;
        }
        for landed in std::mem::take(&mut self.landed) {
            turn.settlements.extend(self.judge(landed));
        }
        turn.requests = Some(self.counts);
        if self.breaker.is_open() {
            let Breaker { failed, delivered, .. } = self.breaker;
            let words = self.breaker.most_frequent_words();
            self.end(Some(Error::Breaker { failed, delivered, words }));
        }
        turn
    }

    /// Records one answer; gives what is settled by it.
    fn judge(&mut self, Landed { seq, outcome, at_ms }: Landed) -> Option<Settlement> {
        let flight = self.flights.remove(&seq)?;
        let job = self.jobs.get(seq)?;
        let (range, elements) = (job.range(), job.elements());
        let (users, events) = job.weight();
        let was_in_doubt = job.is_in_doubt;
        log::landed(&flight.sent, &outcome, at_ms.saturating_sub(flight.sent_ms));
        self.count(seq, &outcome);
        self.book(&flight, &outcome, at_ms);
        let verdict = judge(&outcome, self.clock.wall_ms(), |words| match self.jobs.get(seq) {
            Some(job) if !self.show_values => masked(words, &job.bytes()),
            _ => words.to_owned(),
        });
        if !matches!(verdict, Verdict::Wait { .. }) {
            self.other_ms = at_ms;
        }
        let settled = match verdict {
            Verdict::Delivered { request_id } => {
                self.health.success();
                self.breaker.delivered(u64::from(range.end - range.start));
                self.progress.users += users;
                self.progress.events += events;
                self.close(seq);
                Settled::Delivered { request_id }
            }
            Verdict::Isolate(refusal) => {
                self.health.success();
                log::refused(seq, range.end - range.start, &refusal, self.refusals);
                self.refusals = self.refusals.saturating_add(1);
                if self.jobs.halve(seq, Halving::Isolates) {
                    Settled::NotTaken
                } else {
                    self.refuse(seq, range.start, &refusal)?
                }
            }
            Verdict::Wait { asked_ms } => {
                self.budget.ease(flight.sent_ms, at_ms);
                let mut failures = self.jobs.fail(seq);
                if self.is_too_large(&flight, (users, events))
                    && self.jobs.halve(seq, Halving::Fits)
                {
                    failures = 1;
                    self.budget.lower_floors();
                    log::too_large(seq, users, events);
                    self.progress.too_large.get_or_insert((users, events));
                }
                let due_ms = self.health.asked(at_ms, asked_ms, failures, self.jitter.f64());
                log::told_to_wait(seq, asked_ms, pause(at_ms, due_ms));
                self.jobs.retry(seq, due_ms);
                Settled::NotTaken
            }
            Verdict::Retry { cause, in_doubt } => {
                let failures = self.jobs.fail(seq);
                let jitter = self.jitter.f64();
                match self.health.failure(flight.request, at_ms, failures, jitter) {
                    Some(due_ms) => {
                        log::retry(seq, failures, &outcome, pause(at_ms, due_ms));
                        self.jobs.retry(seq, due_ms);
                    }
                    None => {
                        let lasted = Duration::from_millis(self.health.trouble_ms(at_ms));
                        self.end(Some(Error::Outage { lasted, cause }));
                    }
                }
                if in_doubt {
                    self.jobs.doubt(seq);
                    return None;
                }
                Settled::NotTaken
            }
            Verdict::Distrust(cause) => {
                self.end(Some(Error::Untrusted { cause }));
                Settled::NotTaken
            }
            Verdict::Stop(Refusal { status, kind, message, request_id }) => {
                let advice = advice(status, &kind);
                self.end(Some(Error::Fatal { status, kind, message, request_id, advice }));
                Settled::NotTaken
            }
        };
        // That this try was not taken says nothing of an earlier one that went unanswered.
        let says_nothing = was_in_doubt && settled == Settled::NotTaken;
        (!says_nothing).then_some(Settlement { seq, range, elements, settled })
    }

    /// Whether a body that was refused for the rate had the account's window to itself, as far as
    /// this run can tell: then it is more than the account has left, and may never pass whole.
    fn is_too_large(&self, flight: &Flight, (users, events): (u64, u64)) -> bool {
        self.flights.is_empty()
            && flight.sent_ms >= self.other_ms + HELD_MS
            && (users > USERS_ANYWAY || events > EVENTS_ANYWAY)
    }

    /// A row that stands alone and was refused.
    fn refuse(&mut self, seq: u64, element: u32, refusal: &Refusal) -> Option<Settled> {
        let job = self.jobs.get(seq)?;
        let position = job.body.parts.get(element as usize)?.position;
        let failure = refusal.of_row(position);
        self.breaker.failed(&failure.kind, &failure.message);
        self.progress.failed += 1;
        self.close(seq);
        Some(Settled::Failed(failure))
    }

    fn close(&mut self, seq: u64) {
        if self.jobs.settle(seq).is_some() {
            self.progress.bodies += 1;
        }
    }

    /// A request counts as sent since it was written down; here, what came of it.
    fn count(&mut self, seq: u64, outcome: &Outcome) {
        let Some(job) = self.jobs.get(seq) else {
            return;
        };
        if matches!(outcome, Outcome::NeverConnected(_) | Outcome::Untrusted(_)) {
            // It never left.
            self.counts = self.counts.minus(&counts_of(job));
        }
        if let Outcome::Answered(answer) = outcome {
            self.counts.http_429 += u64::from(answer.status == 429);
            self.counts.http_5xx += u64::from((500..=599).contains(&answer.status));
        }
    }

    /// Puts a charge to what is now known of its request. Without an answer it stays as it is:
    /// the server may still count it.
    fn book(&mut self, flight: &Flight, outcome: &Outcome, at_ms: u64) {
        if flight.charge == ChargeId::FREE {
            return;
        }
        match outcome {
            Outcome::Answered(_) => {
                self.budget.answer(flight.charge, at_ms);
                self.log.answer(&self.clock, flight.charge, at_ms);
            }
            Outcome::NeverConnected(_) | Outcome::Untrusted(_) => {
                self.budget.take_back(flight.charge);
                self.log.void(flight.charge);
            }
            Outcome::Broken(_) | Outcome::TimedOut => {}
        }
    }
}

fn pause(from_ms: u64, until_ms: u64) -> Duration {
    Duration::from_millis(until_ms.saturating_sub(from_ms))
}

/// A panic in a request is a bug, and goes on here.
pub(super) fn landed(joined: Result<Landed, tokio::task::JoinError>) -> Option<Landed> {
    match joined {
        Ok(landed) => Some(landed),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}
