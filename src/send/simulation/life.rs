//! One import from its first start to its end: with stops, crashes, starts of the machine, and a
//! wall clock that is set, through a rate log on disk. All from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use tokio::sync::watch;

use crate::model::Rate;
use crate::send::clock::{Clock, SimulatedTime};
use crate::send::{Ended, Error, Settings, run};

use super::book::{At, Book, Disk, Note};
use super::server::{Heard, Server};
use super::weather::Weather;
use super::{START_MS, bodies, feed, open, settings};

/// More starts than any seed needs.
const STARTS_MAX: usize = 400;

/// All that happened, to the last request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trace {
    pub heard: Vec<Heard>,
    pub notes: Vec<Note>,
    pub starts: usize,
    pub ended_ms: u64,
}

/// Lives through the import of a seed, asserting all that must hold of it.
pub(super) fn live(seed: u64) -> Trace {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    // Made inside, where the time stands still.
    runtime.block_on(async { Life::new(seed).live().await })
}

struct Life {
    rng: Rng,
    time: Arc<SimulatedTime>,
    server: Server,
    settings: Settings,
    rates: [Option<u64>; 2],
    bodies: Vec<crate::model::Body>,
    poison: BTreeSet<At>,
    book: Book,
    /// How many times an element was in doubt when a run ended early.
    doubts: BTreeMap<At, u32>,
    is_clock_set: bool,
    crashes: bool,
}

/// How a run ended.
enum End {
    Ran(Result<crate::send::Finished, Error>),
    Crashed,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let time = Arc::new(SimulatedTime::starting_at(START_MS));
        let weather = Weather::random(&mut rng);
        let plan = move |rng: &mut Rng, now_ms| weather.plan(rng, now_ms);
        let server = Server::new(Clock::of(time.clone()), rng.u64(..), plan);
        let most = [rng.u64(100..3_000), rng.u64(100..20_000)];
        let count = rng.u64(3..60);
        let bodies = bodies::random(&mut rng, count, most);
        let rates = most.map(|rate| (rng.u32(0..10) > 0).then_some(rate));
        let rate = |rate: Option<u64>| rate.map_or(Rate::Unlimited, Rate::PerMinute);
        let mean = |total: u64| total as f64 / count as f64;
        let settings = Settings {
            users: rate(rates[0]),
            events: rate(rates[1]),
            connections: [None, None, Some(rng.usize(1..9))][rng.usize(0..3)],
            largest_users: bodies.iter().map(|body| body.users).max().unwrap_or_default(),
            largest_events: bodies.iter().map(|body| body.events).max().unwrap_or_default(),
            mean_users: mean(bodies.iter().map(|body| body.users).sum()),
            mean_events: mean(bodies.iter().map(|body| body.events).sum()),
            ..settings()
        };
        let mut poison = BTreeSet::new();
        for _ in 0..[0, 0, rng.usize(0..8)][rng.usize(0..3)] {
            let body = &bodies[rng.usize(0..bodies.len())];
            poison.insert((body.seq, rng.u32(body.whole())));
        }
        server.with(|model| model.poison = poison.clone());
        let disk = Disk { clock: server.clock.clone(), rng: rng.fork() };
        let book = Book { disk: rng.bool().then_some(disk), ..Book::default() };
        Self {
            is_clock_set: rng.bool(),
            crashes: rng.u32(0..4) > 0,
            rng,
            time,
            server,
            settings,
            rates,
            bodies,
            poison,
            book,
            doubts: BTreeMap::new(),
        }
    }

    async fn live(mut self) -> Trace {
        // Syncs cost nothing in memory.
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let mut starts = 0;
        loop {
            starts += 1;
            assert!(starts < STARTS_MAX, "no end");
            match self.run(directory.path(), starts).await {
                End::Ran(Ok(finished)) if finished.ended == Ended::Complete => break,
                End::Ran(Ok(_) | Err(Error::Outage { .. })) | End::Crashed => {}
                End::Ran(Err(error)) => panic!("{error}"),
            }
            for &at in &self.book.in_doubt {
                *self.doubts.entry(at).or_default() += 1;
            }
            self.between_runs().await;
        }
        self.check();
        Trace {
            heard: self.server.with(|model| std::mem::take(&mut model.heard)),
            notes: self.book.notes,
            starts,
            ended_ms: self.time.true_ms(),
        }
    }

    async fn run(&mut self, directory: &Path, starts: usize) -> End {
        let clock = Clock::of(self.time.clone());
        let log = open(directory, &clock);
        if self.is_clock_set && self.rng.u32(0..10) == 0 {
            // The plan was shown, and somebody thought about it.
            self.sleep(0..30_000).await;
            set(&mut self.rng, &self.time);
        }
        self.settings.seed = self.rng.u64(..);
        // Ends come apart, so that every seed comes to its last.
        let patience_ms = 20_000 * (starts as u64).pow(2);
        let mut end = |is_likely: bool| {
            let ms = if self.rng.bool() { 3_000 } else { patience_ms };
            (is_likely && self.crashes && self.rng.u32(0..3) > 0).then(|| self.rng.u64(0..ms))
        };
        let (crash_ms, stop_ms) = (end(starts < 30), end(starts < 30));
        let (stop, stopped) = watch::channel(false);
        let (server, work) = (&self.server, feed(self.book.pending(&self.bodies)));
        let true_clock = &server.clock;
        let now_ms = true_clock.now_ms();
        let after = |ms: Option<u64>| async move {
            match ms {
                Some(ms) => true_clock.sleep_until(now_ms + ms).await,
                None => std::future::pending().await,
            }
        };
        let stopper = async {
            after(stop_ms).await;
            stop.send_replace(true);
            std::future::pending::<()>().await;
        };
        let mut rng = self.rng.fork();
        let setter = async {
            if !self.is_clock_set {
                std::future::pending::<()>().await;
            }
            loop {
                let ms = rng.u64(100..600_000);
                true_clock.sleep_until(true_clock.now_ms() + ms).await;
                set(&mut rng, &self.time);
            }
        };
        tokio::select! {
            biased;
            ended = run(&self.settings, work, &mut self.book, log, clock, server, stopped) => {
                End::Ran(ended)
            }
            () = after(crash_ms) => End::Crashed,
            () = stopper => End::Crashed,
            () = setter => End::Crashed,
        }
    }

    async fn between_runs(&mut self) {
        let most_ms = [50, 5_000, 100_000][self.rng.usize(0..3)];
        self.sleep(1..most_ms).await;
        if self.is_clock_set && self.rng.bool() {
            set(&mut self.rng, &self.time);
        }
        if self.rng.u32(0..10) == 0 {
            self.time.reboot();
        }
    }

    async fn sleep(&mut self, ms: std::ops::Range<u64>) {
        let clock = &self.server.clock;
        clock.sleep_until(clock.now_ms() + self.rng.u64(ms)).await;
    }

    /// What holds of every import that came to its end.
    fn check(&self) {
        let Self { server, book, bodies, poison, rates, .. } = self;
        assert_eq!(server.windows_over(*rates), 0, "windows over");
        let all: BTreeSet<At> =
            bodies.iter().flat_map(|body| body.whole().map(|i| (body.seq, i))).collect();
        let delivered: BTreeSet<_> = all.difference(poison).copied().collect();
        assert_eq!(book.delivered, delivered, "delivered");
        let failed: BTreeSet<_> = book.failed.keys().copied().collect();
        assert_eq!(failed, *poison, "failed");
        assert!(book.in_doubt.is_empty(), "in doubt: {:?}", book.in_doubt);
        server.with(|model| {
            for at in &delivered {
                let times = model.times_taken[at];
                let untold = model.times_untold.get(at).copied().unwrap_or_default();
                let doubts = self.doubts.get(at).copied().unwrap_or_default();
                assert!(times <= 1 + untold + doubts, "{at:?} was taken in {times} times");
                assert!(times > untold, "{at:?} is claimed without an answer");
            }
            assert!(poison.iter().all(|at| !model.times_taken.contains_key(at)));
            for (key, taken) in model.taken.iter().filter(|&(&key, _)| key > 0) {
                // A stretch whose answer was lost comes again as a whole; no other is between.
                let in_order = taken.is_sorted_by_key(|&(seq, _)| seq);
                let last_wins = taken.last() == taken.iter().max();
                assert!(in_order && last_wins, "user {key}: {taken:?}");
            }
        });
    }
}

/// Somebody, or NTP, sets the wall clock.
fn set(rng: &mut Rng, time: &SimulatedTime) {
    if rng.u32(0..3) == 0 {
        return time.set_right();
    }
    let by_ms = match rng.u32(0..6) {
        0 => 3_600_000,
        1 => rng.i64(0..200_000),
        2 => rng.i64(0..70_000),
        3 => rng.i64(0..2_000),
        // As little as goes unnoticed.
        _ => rng.i64(0..60),
    };
    time.set_wall(if rng.bool() { by_ms } else { -by_ms });
}
