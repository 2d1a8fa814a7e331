//! The one task that decides. Each turn goes in one fixed order: judge what was answered; choose;
//! permit; budget, written to the rate log; what was answered and what leaves next, durable in one
//! step; request; report. While that is on its way to the disk, requests under way go on, and
//! what they bring is for the next turn: so the disk is waited for once, however many they are.

mod log;
mod settle;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::model::{RequestCounts, Turn};

use super::breaker::Breaker;
use super::budget::{Budget, ChargeId, Refused};
use super::clock::Clock;
use super::health::Health;
use super::jobs::{Halving, Job, Jobs};
use super::ratelog::RateLog;
use super::verdict::Outcome;
use settle::landed;

use super::{Ended, Error, Finished, Ledger, SendProgress, Settings, Transport, Waiting, Work};

/// How long requests under way are waited for once the run is to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How often a wait is told to whoever shows it.
const SHOWN_EVERY_MS: u64 = 1_000;

/// One request under way.
struct Flight {
    charge: ChargeId,
    /// Its ordinal among the requests of the run.
    request: u64,
    sent_ms: u64,
    sent: log::Sent,
}

/// One request that came back.
struct Landed {
    seq: u64,
    outcome: Outcome,
    at_ms: u64,
}

/// Why no more requests are started.
struct Ending {
    until_ms: u64,
    error: Option<Error>,
}

/// The requests of a turn, which leave when it is durable.
struct Launch {
    requests: Vec<(log::Sent, Bytes)>,
    charges: Vec<ChargeId>,
    deadline_ms: u64,
}

/// What goes next.
enum Choice {
    /// This body, which is charged.
    Send(u64, ChargeId),
    /// Nothing before the budget allows it.
    Budget(u64),
    /// A stretch that the budget never allows.
    Never {
        seq: u64,
        weight: (u64, u64),
    },
    Nothing,
}

/// What a request counts as that sends the stretch of a job.
fn counts_of(job: &Job) -> RequestCounts {
    RequestCounts {
        sent: 1,
        retried: u64::from(job.is_again()),
        isolated: u64::from(job.is_half()),
        ..RequestCounts::default()
    }
}

/// One run.
pub(super) struct Sender<'a, L, T> {
    ledger: &'a mut L,
    clock: Clock,
    transport: T,
    show_values: bool,
    request_deadline_ms: u64,
    connections: usize,
    budget: Budget,
    log: RateLog,
    jobs: Jobs,
    health: Health,
    jitter: Rng,
    breaker: Breaker,
    requests: JoinSet<Landed>,
    flights: BTreeMap<u64, Flight>,
    landed: Vec<Landed>,
    counts: RequestCounts,
    progress: SendProgress,
    /// Refusals so far, of bodies and of rows.
    refusals: u32,
    /// When a request last ended otherwise than with a 429, or this run began: until then something
    /// may have been counted by the server.
    other_ms: u64,
    /// What was logged as waited for.
    logged: Option<Waiting>,
    /// When something may be possible that is not now.
    wake_ms: Option<u64>,
    work_closed: bool,
    ending: Option<Ending>,
}

impl<'a, L: Ledger, T: Transport> Sender<'a, L, T> {
    pub fn new(
        settings: &Settings,
        ledger: &'a mut L,
        log: RateLog,
        clock: Clock,
        transport: T,
    ) -> Self {
        let Settings { users, events, largest_users, largest_events, .. } = *settings;
        let connections = settings.connections();
        let mut budget = Budget::new(users, events, largest_users, largest_events);
        log.replay_into(&mut budget);
        let other_ms = clock.now_ms();
        Self {
            ledger,
            clock,
            transport,
            show_values: settings.show_values,
            request_deadline_ms: settings.request_deadline.as_millis() as u64,
            connections,
            budget,
            log,
            jobs: Jobs::new(connections),
            health: Health::new(settings.retry_for.as_millis() as u64),
            jitter: Rng::with_seed(settings.seed),
            breaker: Breaker::default(),
            requests: JoinSet::new(),
            flights: BTreeMap::new(),
            landed: Vec::new(),
            counts: RequestCounts::default(),
            progress: SendProgress::default(),
            refusals: 0,
            other_ms,
            logged: None,
            wake_ms: None,
            work_closed: false,
            ending: None,
        }
    }

    pub async fn run(
        mut self,
        mut work: mpsc::Receiver<Work>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<Finished, Error> {
        loop {
            let mut turn = self.settle();
            if self.ending.is_none() && *stop.borrow() {
                self.end(None);
            }
            if self.ending.is_none() {
                let launch = self.prepare(&mut work, &mut turn);
                self.write_down(turn, &launch.charges).await?;
                self.launch(launch);
            } else {
                // Nothing of it is sent, but it tells whether anything was left to send.
                self.fetch(&mut work);
                self.write_down(turn, &[]).await?;
            }
            self.report();
            if let Some(result) = self.result().await {
                return result;
            }
            self.wait(&mut work, &mut stop).await;
        }
    }

    /// Chooses and charges all requests that may go now, and adds their intents to the turn.
    fn prepare(&mut self, work: &mut mpsc::Receiver<Work>, turn: &mut Turn) -> Launch {
        let now_ms = self.clock.now_ms();
        let deadline_ms = now_ms + self.request_deadline_ms;
        let mut launch = Launch { requests: Vec::new(), charges: Vec::new(), deadline_ms };
        (self.progress.waiting, self.wake_ms) = (None, None);
        if let Some(pause) = self.health.pause(now_ms) {
            let until_ms = pause.until_ms;
            self.wake_ms = Some(until_ms);
            self.progress.waiting = Some(match pause.asked_ms {
                Some(asked_ms) => Waiting::ServerAsked { until_ms, asked_ms },
                None => Waiting::BackOff { until_ms },
            });
            return launch;
        }
        while self.flights.len() < self.health.permits(self.connections) {
            self.fetch(work);
            match self.choose(now_ms, deadline_ms) {
                Choice::Send(seq, charge) => {
                    let Some(job) = self.jobs.launch(seq) else {
                        break;
                    };
                    turn.intents.extend(job.intent());
                    self.counts = self.counts.plus(&counts_of(job));
                    let (bytes, range) = (job.bytes(), job.range());
                    let sent = log::Sent {
                        body: seq,
                        elements: range.end - range.start,
                        bytes: bytes.len(),
                        attempt: job.failures.saturating_add(1),
                    };
                    launch.requests.push((sent, bytes));
                    launch.charges.push(charge);
                    let request = self.health.launch();
                    self.flights.insert(seq, Flight { charge, request, sent_ms: now_ms, sent });
                }
                Choice::Nothing => {
                    self.wake_ms = self.jobs.next_due_ms();
                    let until_ms = self.wake_ms.filter(|_| self.flights.is_empty());
                    self.progress.waiting = until_ms.map(|until_ms| Waiting::BackOff { until_ms });
                    break;
                }
                Choice::Budget(until_ms) => {
                    // A retry that comes due before may be smaller, and goes first.
                    let due_ms = self.jobs.next_due_ms().filter(|&due_ms| due_ms > now_ms);
                    self.wake_ms = Some(due_ms.map_or(until_ms, |due_ms| due_ms.min(until_ms)));
                    self.progress.waiting = Some(Waiting::Budget { until_ms });
                    break;
                }
                // The rate was lowered since the bodies were cut: what is too large goes in halves.
                Choice::Never { seq, .. } if self.jobs.halve(seq, Halving::Fits) => {}
                Choice::Never { seq, weight: (users, events) } => {
                    self.end(Some(Error::OverRate { seq, users, events }));
                    break;
                }
            }
        }
        launch
    }

    /// Makes charges durable, and then the turn that they are for. A crash in between leaves the
    /// charges, which cost a window, and what was answered in doubt; a crash after it the intents,
    /// which may be sent twice; never a body that nobody knows of.
    async fn write_down(&mut self, mut turn: Turn, charges: &[ChargeId]) -> Result<(), Error> {
        let charged = self.charge(&turn, charges);
        if charged.is_err() {
            // What was answered is settled all the same.
            turn.intents.clear();
        } else if !turn.intents.is_empty() {
            // What leaves counts as sent before it leaves, lest a crash forgets it.
            turn.requests = Some(self.counts);
        }
        if !turn.is_empty() {
            self.ledger.turn(turn).await.map_err(Error::Ledger)?;
        }
        charged
    }

    fn charge(&mut self, turn: &Turn, charges: &[ChargeId]) -> Result<(), Error> {
        if turn.requests.is_some() {
            self.log.flush(&self.clock, &self.budget)?;
        }
        if !charges.is_empty() {
            self.log.charge(&self.clock, &self.budget.select(charges))?;
        }
        Ok(())
    }

    /// Starts requests that are written down.
    fn launch(&mut self, Launch { requests, deadline_ms, .. }: Launch) {
        for (sent, bytes) in requests {
            log::leaving(&sent);
            let seq = sent.body;
            let (transport, clock) = (self.transport.clone(), self.clock.clone());
            self.requests.spawn(async move {
                let answered = clock.deadline(deadline_ms, transport.send(bytes)).await;
                let outcome = answered.unwrap_or(Outcome::TimedOut);
                Landed { seq, outcome, at_ms: clock.now_ms() }
            });
        }
    }

    /// Chooses and charges the request that goes next. Where the first of those that are due again
    /// doesn't fit the budget, a later one may: none of their users is shared.
    fn choose(&mut self, now_ms: u64, deadline_ms: u64) -> Choice {
        let mut choice = Choice::Nothing;
        for job in self.jobs.candidates(now_ms, self.health.is_probing()) {
            let (seq, weight) = (job.body.seq, job.weight());
            match (self.budget.charge(now_ms, weight, deadline_ms), &choice) {
                (Ok(charge), _) => return Choice::Send(seq, charge),
                (Err(Refused::Never), _) => return Choice::Never { seq, weight },
                (Err(Refused::Until(ms)), &Choice::Budget(until_ms)) => {
                    choice = Choice::Budget(until_ms.min(ms));
                }
                (Err(Refused::Until(ms)), _) => choice = Choice::Budget(ms),
            }
        }
        choice
    }

    /// Takes the next body where one is wanted and there.
    fn fetch(&mut self, work: &mut mpsc::Receiver<Work>) {
        while self.jobs.wants_work() {
            match work.try_recv() {
                Ok(next) => self.jobs.offer(next),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.work_closed = true;
                    break;
                }
            }
        }
    }

    /// Starts nothing more. The first reason stands.
    fn end(&mut self, error: Option<Error>) {
        if self.ending.is_none() {
            log::stopping(error.as_ref());
            let until_ms = self.clock.now_ms() + DRAIN.as_millis() as u64;
            self.ending = Some(Ending { until_ms, error });
        }
    }

    fn report(&mut self) {
        let [users, events] = self.budget.rates(self.clock.now_ms());
        self.progress.users_per_minute = users;
        self.progress.events_per_minute = events;
        self.progress.in_flight = self.flights.len();
        if self.logged != self.progress.waiting {
            self.logged = self.progress.waiting;
            if let Some(waiting) = self.logged {
                log::waiting(waiting, self.clock.now_ms());
            }
        }
        self.ledger.progress(&self.progress);
    }

    /// The result, once there is one.
    async fn result(&mut self) -> Option<Result<Finished, Error>> {
        let ended = match &mut self.ending {
            Some(ending) => {
                if !self.flights.is_empty() && self.clock.now_ms() < ending.until_ms {
                    return None;
                }
                // What is still under way stays charged, counted as sent, and in doubt.
                if let Some(error) = ending.error.take() {
                    return Some(Err(error));
                }
                // The stop came when everything was on its way.
                if self.work_closed && self.jobs.is_empty() {
                    Ended::Complete
                } else {
                    Ended::Interrupted
                }
            }
            None if self.work_closed && self.jobs.is_empty() => Ended::Complete,
            None => return None,
        };
        let Breaker { delivered, failed, .. } = self.breaker;
        Some(Ok(Finished { ended, requests: self.counts, delivered, failed }))
    }

    /// Sleeps until something happens.
    async fn wait(&mut self, work: &mut mpsc::Receiver<Work>, stop: &mut watch::Receiver<bool>) {
        let is_ending = self.ending.is_some();
        let wake_ms = self.ending.as_ref().map(|ending| ending.until_ms).or(self.wake_ms);
        // While it waits, what is shown of the wait counts down.
        let shown_ms = self.progress.waiting.map(|_| self.clock.now_ms() + SHOWN_EVERY_MS);
        let wake_ms = wake_ms.into_iter().chain(shown_ms).min();
        let wants_work = !is_ending && !self.work_closed && self.jobs.wants_work();
        tokio::select! {
            biased;
            Some(joined) = self.requests.join_next(), if !self.requests.is_empty() => {
                self.landed.extend(landed(joined));
            }
            // Nobody left to ask for a stop is no reason to.
            Ok(()) = stop.changed(), if !is_ending => {}
            next = work.recv(), if wants_work => match next {
                Some(next) => self.jobs.offer(next),
                None => self.work_closed = true,
            },
            () = async {
                match wake_ms {
                    Some(wake_ms) => self.clock.sleep_until(wake_ms).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}
