//! The model server, the ledger and the bodies of the simulation.
//!
//! The server counts every body at its sending, at its answer, and at a random moment between.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;

use crate::model::{Part, Place, Position, RowFailure, Settled};
use crate::wire::envelope::{PREFIX, SUFFIX};

use crate::send::*;

pub(super) const START_MS: u64 = 1_795_478_400_000;
pub(super) const USERS: u64 = 1_000;
pub(super) const EVENTS: u64 = 10_000;
pub(super) const DEADLINE_MS: u64 = 60_000;

/// One element of the simulation: users, events and the user's key.
pub(super) type Item = (u32, u32, Option<u64>);

pub(super) fn body(seq: u64, items: &[Item]) -> Body {
    let (mut bytes, mut parts) = (PREFIX.to_vec(), Vec::new());
    for (index, &(users, events, key)) in items.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        let json = format!("[{seq},{index},{users},{events},{}]", key.unwrap_or(0));
        let (start, len) = (bytes.len() as u32, json.len() as u32);
        bytes.extend_from_slice(json.as_bytes());
        let row = seq * 1000 + index as u64 + 1;
        let position = Position { file: 0, row, place: Place::Line(row + 1) };
        parts.push(Part { head_start: 0, head_len: 0, start, len, users, events, key, position });
    }
    bytes.extend_from_slice(SUFFIX);
    let (users, events) = items.iter().fold((0, 0), |(users, events), item| {
        (users + u64::from(item.0), events + u64::from(item.1))
    });
    Body { seq, bytes: bytes.into(), parts, users, events }
}

/// What the model does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    Answer(u16),
    /// Takes the elements, and the answer is lost.
    Lose,
    /// No connection is made.
    Refuse,
}

pub(super) type Planner = Box<dyn FnMut(&mut Rng, u64) -> (Plan, u64) + Send>;

/// One request of the model: when sent, counted and answered; users and events.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    at_ms: [u64; 3],
    weight: [u64; 2],
}

pub(super) struct Model {
    rng: Rng,
    /// Plans a request made at a time: what happens, and after how long.
    planner: Planner,
    pub poison: BTreeSet<(u64, u64)>,
    counted: Vec<Counted>,
    /// Elements taken in, by key, in order.
    pub taken: HashMap<u64, Vec<(u64, u64)>>,
    pub times_taken: BTreeMap<(u64, u64), u32>,
    pub times_lost: BTreeMap<(u64, u64), u32>,
    under_way: BTreeSet<u64>,
    pub requests: u64,
}

#[derive(Clone)]
pub(super) struct Server(Arc<Mutex<Model>>, pub Clock);

impl Server {
    pub fn new(
        clock: Clock,
        seed: u64,
        planner: impl FnMut(&mut Rng, u64) -> (Plan, u64) + Send + 'static,
    ) -> Self {
        let model = Model {
            rng: Rng::with_seed(seed),
            planner: Box::new(planner),
            poison: BTreeSet::new(),
            counted: vec![],
            taken: HashMap::new(),
            times_taken: BTreeMap::new(),
            times_lost: BTreeMap::new(),
            under_way: BTreeSet::new(),
            requests: 0,
        };
        Self(Arc::new(Mutex::new(model)), clock)
    }

    pub fn with<R>(&self, work: impl FnOnce(&mut Model) -> R) -> R {
        work(&mut self.0.lock().unwrap())
    }

    /// The windows of 60 s that hold more than a rate, however the server may count.
    pub fn windows_over(&self, rates: [u64; 2]) -> usize {
        self.with(|model| {
            let mut over = 0;
            for way in 0..3 {
                model.counted.sort_by_key(|counted| counted.at_ms[way]);
                let (mut sum, mut first) = ([0; 2], 0);
                for last in model.counted.iter() {
                    (0..2).for_each(|i| sum[i] += last.weight[i]);
                    while model.counted[first].at_ms[way] + 60_000 <= last.at_ms[way] {
                        (0..2).for_each(|i| sum[i] -= model.counted[first].weight[i]);
                        first += 1;
                    }
                    over += usize::from((0..2).any(|i| sum[i] > rates[i]));
                }
            }
            over
        })
    }
}

/// Takes the users of a request off the list when it ends or is dropped.
pub(super) struct UnderWay(Server, Vec<u64>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.with(|model| model.under_way.retain(|key| !self.1.contains(key)));
    }
}

impl Transport for Server {
    async fn send(&self, body: Bytes) -> Outcome {
        let now_ms = self.1.now_ms();
        let elements = &body[PREFIX.len() - 1..body.len() - 1];
        let elements: Vec<[u64; 5]> = serde_json::from_slice(elements).unwrap();
        let (plan, wait_ms, _under_way) = self.with(|model| {
            model.requests += 1;
            let (plan, wait_ms) = (model.planner)(&mut model.rng, now_ms);
            let mut keys: Vec<_> = elements.iter().map(|e| e[4]).filter(|&key| key > 0).collect();
            keys.sort_unstable();
            keys.dedup();
            for &key in &keys {
                assert!(model.under_way.insert(key), "user {key} is in flight twice");
            }
            if !matches!(plan, Plan::Refuse) {
                // Without an answer the server may count until the deadline.
                let last_ms = if matches!(plan, Plan::Lose) { DEADLINE_MS } else { wait_ms };
                let between_ms = now_ms + model.rng.u64(0..=last_ms);
                let weight = elements.iter().fold([0; 2], |sum, e| [sum[0] + e[2], sum[1] + e[3]]);
                let at_ms = [now_ms, between_ms, now_ms + last_ms];
                model.counted.push(Counted { at_ms, weight });
            }
            let is_poisoned = elements.iter().any(|e| model.poison.contains(&(e[0], e[1])));
            let plan = match plan {
                Plan::Answer(200) if is_poisoned => Plan::Answer(400),
                plan => plan,
            };
            // The client may be gone by the time of the answer; what was taken in stays.
            if matches!(plan, Plan::Answer(200) | Plan::Lose) {
                for e in &elements {
                    *model.times_taken.entry((e[0], e[1])).or_default() += 1;
                    model.taken.entry(e[4]).or_default().push((e[0], e[1]));
                    let is_lost = matches!(plan, Plan::Lose);
                    *model.times_lost.entry((e[0], e[1])).or_default() += u32::from(is_lost);
                }
            }
            (plan, wait_ms, UnderWay(self.clone(), keys))
        });
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let (status, body) = match plan {
            Plan::Refuse => return Outcome::NeverConnected("connection refused".to_owned()),
            Plan::Lose => return Outcome::Broken("connection reset".to_owned()),
            Plan::Answer(200) => (200, r#"{"status":"success"}"#),
            Plan::Answer(400) => (
                400,
                r#"{"status":"fail","error":{"type":"TypeError","message":"expected string"}}"#,
            ),
            Plan::Answer(status) => (status, ""),
        };
        let (retry_after, rate_limit_reset) = ((status == 429).then(|| "7".to_owned()), None);
        let body = AnswerBody::Whole(Bytes::from_static(body.as_bytes()));
        Outcome::Answered(Answer { status, retry_after, rate_limit_reset, body })
    }
}

/// A ledger in memory; outlives the runs like a journal does.
#[derive(Default)]
pub(super) struct Book {
    pub delivered: BTreeSet<(u64, u32)>,
    pub failed: BTreeMap<(u64, u32), RowFailure>,
    pub in_doubt: BTreeSet<(u64, u32)>,
    pub requests: RequestCounts,
    pub progress: SendProgress,
    pub waits: Vec<Waiting>,
    pub is_broken: bool,
}

impl Ledger for Book {
    fn intend(&mut self, intents: &[Intent]) -> Result<(), LedgerError> {
        if self.is_broken {
            return Err("disk full".into());
        }
        for intent in intents {
            for index in intent.range.clone() {
                assert!(!self.delivered.contains(&(intent.seq, index)), "delivered and sent again");
                self.in_doubt.insert((intent.seq, index));
            }
        }
        Ok(())
    }

    fn settle(&mut self, settlements: &[Settlement]) -> Result<(), LedgerError> {
        for settlement in settlements {
            for index in settlement.range.clone() {
                let at = (settlement.seq, index);
                assert!(self.in_doubt.remove(&at), "{at:?} was not intended");
                match &settlement.settled {
                    Settled::Delivered { .. } => assert!(self.delivered.insert(at)),
                    Settled::Failed(failure) => drop(self.failed.insert(at, failure.clone())),
                    Settled::NotTaken => {}
                }
            }
        }
        Ok(())
    }

    fn requests(&mut self, counts: &RequestCounts) {
        self.requests = *counts;
    }

    fn progress(&mut self, progress: &SendProgress) {
        self.waits.extend(progress.waiting.filter(|wait| self.waits.last() != Some(wait)));
        self.progress = progress.clone();
    }
}

impl Book {
    /// What a resume would send of these bodies.
    pub fn pending(&self, bodies: &[Body]) -> Vec<Work> {
        let is_open = |at| !self.delivered.contains(&at) && !self.failed.contains_key(&at);
        let work = bodies.iter().map(|body| {
            let mut pending: Vec<Range<u32>> = vec![];
            for index in body.whole().filter(|&index| is_open((body.seq, index))) {
                match pending.last_mut() {
                    Some(last) if last.end == index => last.end += 1,
                    _ => pending.push(index..index + 1),
                }
            }
            Work { body: body.clone(), pending, in_doubt: false }
        });
        work.collect()
    }
}

pub(super) fn settings() -> Settings {
    let (users, events) = (Rate::PerMinute(USERS), Rate::PerMinute(EVENTS));
    let key = SecretString::from("key");
    Settings {
        largest_users: 430,
        largest_events: 4_300,
        mean_users: 1000.0 / 3.0,
        mean_events: 10_000.0 / 3.0,
        ..Settings::new("http://127.0.0.1:1".to_owned(), "APP".to_owned(), key, users, events)
    }
}

pub(super) fn unlimited() -> Settings {
    Settings { users: Rate::Unlimited, events: Rate::Unlimited, ..settings() }
}

pub(super) fn feed(work: Vec<Work>) -> mpsc::Receiver<Work> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        for next in work {
            if sender.send(next).await.is_err() {
                break;
            }
        }
    });
    receiver
}

pub(super) async fn send(
    settings: &Settings,
    work: Vec<Work>,
    book: &mut Book,
    log: RateLog,
    server: &Server,
) -> Result<Finished, Error> {
    let (_stop, stopped) = watch::channel(false);
    run(settings, feed(work), book, log, server.1, server, stopped).await
}

pub(super) fn open(directory: &Path, clock: &Clock) -> RateLog {
    RateLog::open(directory, "http://127.0.0.1:1", "APP", clock).unwrap()
}
