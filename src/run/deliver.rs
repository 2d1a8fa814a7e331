//! The sending pass: the same rows, checked and packed again exactly as before, from
//! the packer through the sender to the journal.

use std::{sync::Mutex, thread};

use indicatif::HumanCount;
use tokio::sync::mpsc;

use super::{
    Delivery, Error, Job, Surroundings, check::Prepared, failpoint::Failpoint,
    findings::BodyTotals, pace::Pace, scribe::Scribe, summary, turn::patiently,
};
use crate::journal::Journal;
use crate::model::{Body, RequestCounts, Throughput, Turn};
use crate::progress::{Phase, Sent, Wait};
use crate::send::ASKED_MS_MAX;
use crate::send::{
    self, Clock, Ended, LedgerError, RateLog, SendProgress, Settings, Waiting, Work,
};

/// Sends every body that the journal does not hold as settled; `throughput` is how that went, however
/// it ends.
///
/// # Errors
/// An input changed or cannot be read; the sender's reasons to stop; interrupted.
pub fn deliver(
    prepared: &Prepared,
    delivery: &Delivery,
    totals: &BodyTotals,
    journal: &mut Journal,
    throughput: &mut Option<Throughput>,
) -> Result<(), Error> {
    let Prepared { job, around, .. } = prepared;
    let settings = settings(job, delivery, totals);
    let clock = Clock::system();
    let log = patiently(delivery.wait, around, || {
        RateLog::open(&delivery.state_dir, &delivery.endpoint, &delivery.app_id, &clock)
            .map_err(|error| Error::Send(error.into()))
    })?;
    let earlier = journal.snapshot().progress.clone();
    let rows_before = earlier.delivered + earlier.failed.len() as u64;
    around.progress.begin(Phase::Send, totals.users + totals.events);
    // A few bodies ahead of the connections, so that none waits for the packer.
    let connections = settings.connections();
    let (users, events) = (settings.users, settings.events);
    let rate = if totals.users > 0 { users } else { events };
    tracing::info!(
        api = job.api.as_str(),
        connections,
        users_per_minute = %users,
        events_per_minute = %events,
        "sending"
    );
    let (work, bodies) = mpsc::channel(settings.ready());
    let stop = around.stop.sender.clone();
    let failure = Mutex::new(None);
    let sent = thread::scope(|scope| {
        let started = Scribe::start(scope, journal);
        let (scribe, writer) = started.map_err(|error| send::Error::Ledger(error.into()))?;
        let producer = scope.spawn(|| {
            let produced = prepared.pass(|_| Ok(()), |body| offer(body, &earlier, &work));
            drop(work);
            if let (Err(error), Ok(mut failure)) = (produced, failure.lock()) {
                *failure = Some(error);
            }
        });
        let mut ledger = JournalLedger {
            scribe,
            job,
            around,
            clock: clock.clone(),
            requests_before: earlier.requests,
            rows_before,
            totals,
            announced_ms: 0,
            said_too_large: false,
            pace: Pace::new(clock.now_ms(), rate.per_minute()),
        };
        let sent = send::run_blocking(&settings, bodies, &mut ledger, log, clock.clone(), stop);
        let JournalLedger { scribe, pace, .. } = ledger;
        *throughput = Some(pace.finish(clock.now_ms()));
        // The journal's thread ends.
        drop(scribe);
        for thread in [producer, writer] {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        sent
    });
    around.progress.end();
    if let Ok(finished) = &sent {
        let send::Finished { delivered, failed, requests, .. } = finished;
        let (requests, retried) = (requests.sent, requests.retried);
        tracing::info!(delivered, failed, requests, retried, "sending ended");
    }
    let produced = failure.into_inner().unwrap_or_default();
    match (sent, produced) {
        (Err(error), _) => Err(Error::Send(error)),
        (Ok(finished), _) if finished.ended == Ended::Interrupted => Err(Error::Interrupted),
        (Ok(_), Some(error)) => Err(error),
        (Ok(_), None) => Ok(()),
    }
}

/// Hands a body to the sender, unless an earlier run settled it.
fn offer(
    body: Body,
    earlier: &crate::journal::Progress,
    work: &mpsc::Sender<Work>,
) -> Result<(), Error> {
    Failpoint::Produce.reach();
    let pending = earlier.pending(body.seq, body.parts.len() as u32);
    if pending.is_empty() {
        return Ok(());
    }
    // The sender went away: it has an error of its own, or was interrupted.
    let in_doubt = earlier.in_doubt_of(body.seq).into_iter().map(|intent| intent.range).collect();
    work.blocking_send(Work { body, pending, in_doubt }).map_err(|_| Error::Interrupted)
}

fn settings(job: &Job, delivery: &Delivery, totals: &BodyTotals) -> Settings {
    let mean = |count: u64| count as f64 / totals.count.max(1) as f64;
    Settings {
        api_id: delivery.api_id.clone(),
        api: job.api,
        connections: delivery.connections,
        retry_for: delivery.retry_for,
        no_proxy: delivery.no_proxy,
        show_values: job.rules.show_values,
        largest_users: totals.users_max,
        largest_events: totals.events_max,
        mean_users: mean(totals.users),
        mean_events: mean(totals.events),
        ..Settings::new(
            delivery.endpoint.clone(),
            delivery.app_id.clone(),
            delivery.key.clone(),
            job.users,
            job.events,
        )
    }
}

/// The sender's ledger, kept in the journal.
struct JournalLedger<'a, 'b> {
    scribe: Scribe,
    job: &'a Job,
    around: &'a Surroundings<'b>,
    clock: Clock,
    requests_before: RequestCounts,
    rows_before: u64,
    totals: &'a BodyTotals,
    /// The longest wait that the server asked for and that was announced as capped.
    announced_ms: u64,
    /// That a body is too large for the account's limit was said.
    said_too_large: bool,
    pace: Pace,
}

impl send::Ledger for JournalLedger<'_, '_> {
    async fn turn(&mut self, mut turn: Turn) -> Result<(), LedgerError> {
        if !turn.settlements.is_empty() {
            Failpoint::Journal.reach();
        }
        let leaves = !turn.intents.is_empty();
        if let Some(counts) = &turn.requests {
            self.pace.refusals(self.clock.now_ms(), counts.http_429);
        }
        turn.requests = turn.requests.map(|counts| self.requests_before.plus(&counts));
        self.scribe.turn(turn).await?;
        if leaves {
            Failpoint::Send.reach();
        }
        Ok(())
    }

    fn progress(&mut self, progress: &SendProgress) {
        Failpoint::Progress.reach();
        self.pace.progress(self.clock.now_ms(), progress);
        let rows = self.rows_before + progress.users + progress.events + progress.failed;
        if let Some(Waiting::ServerAsked { asked_ms, .. }) = progress.waiting
            && asked_ms > ASKED_MS_MAX
            && asked_ms > self.announced_ms
        {
            self.announced_ms = asked_ms;
            self.around.progress.say(&format!(
                "the server asked for a wait of {} s; at most {} s are waited before it is asked again",
                asked_ms / 1000,
                ASKED_MS_MAX / 1000
            ));
        }
        if let Some((users, events)) = progress.too_large
            && !self.said_too_large
        {
            self.said_too_large = true;
            self.around.progress.say(&too_large(users, events));
        }
        let left = (self.totals.users + self.totals.events).saturating_sub(rows);
        // The budget that is used up comes free before the windows that are still needed.
        let until_ms = match progress.waiting {
            Some(Waiting::Budget { until_ms } | Waiting::ServerAsked { until_ms, .. }) => until_ms,
            _ => 0,
        };
        let wait_s = until_ms.saturating_sub(self.clock.now_ms()).div_ceil(1000);
        let (users_left, events_left) = if self.totals.users > 0 { (left, 0) } else { (0, left) };
        let is_users = self.totals.users > 0;
        self.around.progress.sent(Sent {
            rows,
            failed: progress.failed,
            unit: if is_users { "users" } else { "events" },
            budget: if is_users { progress.users_per_minute } else { progress.events_per_minute },
            waiting: progress.waiting.map(|waiting| self.wait(waiting)),
            seconds_left: wait_s
                + summary::seconds_at_limit(self.job, users_left, events_left) as u64,
        });
    }
}

/// What is said of the first body of so many users and events that is larger than the account's limit.
fn too_large(users: u64, events: u64) -> String {
    let (count, what, flag) = if users > 0 {
        (users, "users", "--users-per-minute")
    } else {
        (events, "events", "--events-per-minute")
    };
    format!(
        "the server refused a body of {} {what} for its rate although nothing else was sent for a \
         minute, so such bodies go in halves; if the account allows fewer a minute than was given, \
         stop with Ctrl-C and go on with the right {flag}",
        HumanCount(count)
    )
}

impl JournalLedger<'_, '_> {
    fn wait(&self, waiting: Waiting) -> Wait {
        let seconds = |until_ms: u64| until_ms.saturating_sub(self.clock.now_ms()).div_ceil(1000);
        match waiting {
            Waiting::Budget { until_ms } => Wait::Budget(seconds(until_ms)),
            Waiting::ServerAsked { until_ms, asked_ms } => {
                Wait::Server { asked: asked_ms / 1000, left: seconds(until_ms) }
            }
            Waiting::BackOff { until_ms } => Wait::BackOff(seconds(until_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_too_large_is_told_with_its_thousands_apart() {
        let users = too_large(1_579, 0);
        assert!(users.contains("a body of 1,579 users for its rate"), "{users}");
        assert!(users.ends_with("the right --users-per-minute"), "{users}");
        let events = too_large(0, 10_240);
        assert!(events.contains("a body of 10,240 events for its rate"), "{events}");
        assert!(events.ends_with("the right --events-per-minute"), "{events}");
    }
}
