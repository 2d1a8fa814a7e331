//! The model server.
//!
//! It may count a request at any moment between its sending and its answer, or its deadline
//! where no answer comes, and takes its elements in at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use fastrand::Rng;

use crate::send::clock::Clock;
use crate::send::{Answer, AnswerBody, Outcome, Transport};

use super::DEADLINE_MS;
use super::bodies::{Element, elements};
use super::book::At;

const SUCCESS: &str = r#"{"status":"success"}"#;
const TYPE_ERROR: &str =
    r#"{"status":"fail","error":{"type":"TypeError","message":"expected string"}}"#;

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// An answer of this status. Elements are taken in where it is 200.
    Answer(u16),
    /// A 429 with these values of `Retry-After` and `x-ratelimit-reset`.
    Limit([Option<String>; 2]),
    /// Elements are taken in, and what is answered doesn't say so.
    Garble(AnswerBody),
    /// Elements are taken in, and the connection is reset before the answer.
    Lose,
    /// The connection is reset and nothing is taken in.
    Drop,
    /// Elements are taken in and nothing is ever answered.
    Silence,
    /// No connection is made.
    Refuse,
}

/// Plans a request that is made at a time: what becomes of it, and after how long.
type Planner = Box<dyn FnMut(&mut Rng, u64) -> (Plan, u64) + Send>;

/// One request, as the server may count it.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub sent_ms: u64,
    /// Its answer, or its deadline.
    pub last_ms: u64,
    weight: [u64; 2],
}

/// One request, from start to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub sent_ms: u64,
    pub first: At,
    pub elements: usize,
    pub plan: Plan,
    /// When the sender was told how it ended; `None` where it had left by then.
    pub ended_ms: Option<u64>,
}

pub(super) struct Model {
    rng: Rng,
    planner: Planner,
    /// Elements that spoil their body.
    pub poison: BTreeSet<At>,
    /// Bodies at which the server falls over, each time.
    pub fatal: BTreeSet<u64>,
    counted: Vec<Counted>,
    /// Elements taken in, by key, in order.
    pub taken: BTreeMap<u64, Vec<At>>,
    pub times_taken: BTreeMap<At, u32>,
    /// How many times that was not told to the sender.
    pub times_untold: BTreeMap<At, u32>,
    /// Users that may be taken in within 60 s.
    limit: Option<u64>,
    under_way: BTreeSet<u64>,
    pub requests: u64,
    /// Users and events delivered and told, by time.
    pub told: Vec<(u64, [u64; 2])>,
    pub heard: Vec<Heard>,
}

#[derive(Clone)]
pub(super) struct Server {
    model: Arc<Mutex<Model>>,
    /// The server's clock, which is right.
    pub clock: Clock,
}

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
            fatal: BTreeSet::new(),
            counted: vec![],
            taken: BTreeMap::new(),
            times_taken: BTreeMap::new(),
            times_untold: BTreeMap::new(),
            limit: None,
            under_way: BTreeSet::new(),
            requests: 0,
            told: vec![],
            heard: vec![],
        };
        Self { model: Arc::new(Mutex::new(model)), clock }
    }

    /// One that takes in so many users in any 60 s, and refuses what is more without a word of
    /// when to come back.
    pub fn limited(clock: Clock, seed: u64, users: u64) -> Self {
        let server = Self::new(clock, seed, |_, _| (Plan::Answer(200), 10));
        server.with(|model| model.limit = Some(users));
        server
    }

    pub fn with<R>(&self, work: impl FnOnce(&mut Model) -> R) -> R {
        work(&mut self.model.lock().unwrap())
    }

    /// The windows of 60 s that hold more than a rate where the server counts each request at the
    /// worst moment between its sending and its answer.
    ///
    /// A window holds two requests at worst where the later is sent within 60 s of the end of
    /// the earlier. So the fullest windows end as a request is sent, and hold all that were sent
    /// by then and did not end 60 s before; every other sliding or fixed window, and every other
    /// way to count, holds less.
    pub fn windows_over(&self, rates: [Option<u64>; 2]) -> usize {
        self.with(|model| {
            model.counted.sort_by_key(|counted| counted.sent_ms);
            let (mut over, mut sum, mut open) = (0, [0; 2], BinaryHeap::new());
            for (at, request) in model.counted.iter().enumerate() {
                (0..2).for_each(|i| sum[i] += request.weight[i]);
                open.push(Reverse((request.last_ms, at)));
                while let Some(&Reverse((last_ms, first))) = open.peek()
                    && last_ms + 60_000 <= request.sent_ms
                {
                    open.pop();
                    (0..2).for_each(|i| sum[i] -= model.counted[first].weight[i]);
                }
                over += usize::from((0..2).any(|i| rates[i].is_some_and(|rate| sum[i] > rate)));
            }
            over
        })
    }

    /// The fixed windows of 60 s over a rate, from any second of the minute on, counted at the
    /// sending and at the answer.
    pub fn fixed_windows_over(&self, rates: [Option<u64>; 2]) -> usize {
        self.with(|model| {
            let mut over = 0;
            for offset_ms in (0..60_000).step_by(1_000) {
                let mut windows = BTreeMap::<(bool, u64), [u64; 2]>::new();
                for request in &model.counted {
                    for (is_end, ms) in [(false, request.sent_ms), (true, request.last_ms)] {
                        let sum = windows.entry((is_end, (ms + offset_ms) / 60_000)).or_default();
                        (0..2).for_each(|i| sum[i] += request.weight[i]);
                    }
                }
                let is_over =
                    |sum: &[u64; 2]| (0..2).any(|i| rates[i].is_some_and(|rate| sum[i] > rate));
                over += windows.values().filter(|sum| is_over(sum)).count();
            }
            over
        })
    }
}

/// A request under way; it ends when this is dropped.
struct UnderWay {
    server: Server,
    keys: Vec<u64>,
    elements: Vec<Element>,
    heard: usize,
    is_taken: bool,
    is_told: bool,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let now_ms = self.server.clock.now_ms();
        // A failed assertion of the model poisons it; the first is the one to read.
        let Ok(mut model) = self.server.model.lock() else { return };
        model.under_way.retain(|key| !self.keys.contains(key));
        if self.is_taken && self.is_told {
            let weight = weight(&self.elements);
            model.told.push((now_ms, weight));
        } else if self.is_taken {
            for &[seq, index, ..] in &self.elements {
                *model.times_untold.entry((seq, index as u32)).or_default() += 1;
            }
        }
    }
}

impl Model {
    /// Takes a request in; gives what is answered, and after how long.
    fn begin(&mut self, server: &Server, body: &[u8], now_ms: u64) -> (Plan, u64, UnderWay) {
        self.requests += 1;
        let elements = elements(body);
        let (mut plan, wait_ms) = (self.planner)(&mut self.rng, now_ms);
        let mut keys: Vec<_> = elements.iter().map(|e| e[4]).filter(|&key| key > 0).collect();
        keys.sort_unstable();
        keys.dedup();
        for &key in &keys {
            assert!(self.under_way.insert(key), "user {key} is in flight twice");
        }
        if plan != Plan::Refuse {
            let has_answer = matches!(plan, Plan::Answer(_) | Plan::Limit(_) | Plan::Garble(_));
            let last_ms = if has_answer { wait_ms.min(DEADLINE_MS) } else { DEADLINE_MS };
            let weight = weight(&elements);
            self.counted.push(Counted { sent_ms: now_ms, last_ms: now_ms + last_ms, weight });
        }
        let users = weight(&elements)[0];
        if self
            .limit
            .is_some_and(|limit| self.users_since(now_ms.saturating_sub(60_000)) + users > limit)
        {
            plan = Plan::Limit([None, None]);
        }
        let at = |e: &Element| (e[0], e[1] as u32);
        let is_poisoned = elements.iter().any(|e| self.poison.contains(&at(e)));
        if is_poisoned && plan == Plan::Answer(200) {
            plan = Plan::Answer([400, 413, 299][self.rng.usize(0..3)]);
        }
        if self.fatal.contains(&elements[0][0]) {
            plan = Plan::Answer(500);
        }
        let takes =
            matches!(plan, Plan::Answer(200) | Plan::Garble(_) | Plan::Lose | Plan::Silence);
        let is_taken = takes && !is_poisoned;
        if is_taken {
            for e in &elements {
                *self.times_taken.entry(at(e)).or_default() += 1;
                self.taken.entry(e[4]).or_default().push(at(e));
            }
        }
        let first = at(&elements[0]);
        let heard = self.heard.len();
        self.heard.push(Heard {
            sent_ms: now_ms,
            first,
            elements: elements.len(),
            plan: plan.clone(),
            ended_ms: None,
        });
        let server = server.clone();
        let under_way = UnderWay { server, keys, elements, heard, is_taken, is_told: false };
        (plan, wait_ms, under_way)
    }
}

impl Model {
    /// Users that were taken in after a time.
    fn users_since(&self, ms: u64) -> u64 {
        let heard = self.heard.iter().rev().take_while(|heard| heard.sent_ms > ms);
        heard
            .filter(|heard| heard.plan == Plan::Answer(200))
            .map(|heard| heard.elements as u64)
            .sum()
    }
}

fn weight(elements: &[Element]) -> [u64; 2] {
    elements.iter().fold([0; 2], |sum, e| [sum[0] + e[2], sum[1] + e[3]])
}

impl Transport for Server {
    async fn send(&self, body: Bytes) -> Outcome {
        let now_ms = self.clock.now_ms();
        let (plan, wait_ms, mut under_way) = self.with(|model| model.begin(self, &body, now_ms));
        if plan == Plan::Silence {
            std::future::pending::<()>().await;
        }
        // The client may be gone by the time of the answer; what was taken in stays.
        self.clock.sleep_until(now_ms + wait_ms).await;
        let heard = under_way.heard;
        self.with(|model| model.heard[heard].ended_ms = Some(now_ms + wait_ms));
        under_way.is_told = plan == Plan::Answer(200);
        let mut asked = [None, None];
        let whole = |text: &'static str| AnswerBody::Whole(Bytes::from_static(text.as_bytes()));
        let (status, body) = match plan {
            Plan::Refuse => return Outcome::NeverConnected("connection refused".to_owned()),
            Plan::Lose | Plan::Drop => return Outcome::Broken("connection reset".to_owned()),
            Plan::Answer(200) => (200, whole(SUCCESS)),
            // A success that says `fail`.
            Plan::Answer(status @ (299 | 400)) => (status, whole(TYPE_ERROR)),
            Plan::Answer(status) => (status, whole("")),
            Plan::Garble(body) => (200, body),
            Plan::Limit(values) => {
                asked = values;
                (429, whole(""))
            }
            Plan::Silence => return Outcome::TimedOut,
        };
        let [retry_after, rate_limit_reset] = asked;
        Outcome::Answered(Answer { status, retry_after, rate_limit_reset, body })
    }
}
