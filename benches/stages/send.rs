//! Sending, to a server on this machine that does no more than read: the sender alone, with a
//! ledger in memory, and a whole import, with its checkpoint on the disk.

use std::{fs, path::PathBuf, time::Duration};

use criterion::{BatchSize, Criterion, Throughput};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};

use super::{Bench, data::ROWS, sink::Sink};
use moebulk::model::{Body, Rate, Turn};
use moebulk::progress::{Mode, Progress};
use moebulk::run::{self, Delivery, End, InDoubt, Job, Stop, Surroundings};
use moebulk::send::{
    Client, Clock, Ended, Ledger, LedgerError, RateLog, SendProgress, Settings, Work,
};

/// Has everything on the disk at once.
#[derive(Default)]
struct Memory {
    settled: usize,
}

impl Ledger for Memory {
    async fn turn(&mut self, turn: Turn) -> Result<(), LedgerError> {
        self.settled += turn.settlements.len();
        Ok(())
    }

    fn progress(&mut self, _progress: &SendProgress) {}
}

/// Sends these bodies.
pub fn alone(c: &mut Criterion, bodies: &[Body]) {
    let sink = Sink::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _inside = runtime.enter();
    let (clock, key) = (Clock::system(), "key".to_owned().into());
    let settings =
        Settings::new(sink.url.clone(), "APP".to_owned(), key, Rate::Unlimited, Rate::Unlimited);
    let client = Client::new(&settings, &clock).expect("a client");
    let work = || -> Vec<Work> {
        let work = |body: &Body| Work {
            pending: vec![body.whole()],
            body: body.clone(),
            in_doubt: Vec::new(),
        };
        bodies.iter().map(work).collect()
    };
    let send = |work: Vec<Work>| {
        let (sender, receiver) = mpsc::channel(work.len());
        work.into_iter().for_each(|next| sender.try_send(next).expect("room"));
        drop(sender);
        let mut ledger = Memory::default();
        let (_stop, stopped) = watch::channel(false);
        let (log, clock) = (RateLog::memory(), clock.clone());
        let sent =
            moebulk::send::run(&settings, receiver, &mut ledger, log, clock, &client, stopped);
        let finished = runtime.block_on(sent).expect("all of it");
        assert_eq!((finished.ended, finished.delivered), (Ended::Complete, ROWS));
        assert_eq!(ledger.settled, bodies.len());
    };
    let bytes = bodies.iter().map(|body| body.bytes.len() as u64).sum();
    send(work());
    assert_eq!(sink.taken(), bytes, "every body came whole, and once");
    let mut group = c.benchmark_group("send");
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function("memory", |b| b.iter_batched(work, send, BatchSize::LargeInput));
    group.finish();
}

/// Imports the file of a bench.
pub fn import(c: &mut Criterion, bench: &Bench, body_bytes: u64, dir: &TempDir) {
    let sink = Sink::start();
    let job = bench.job(dir.path().join("import"));
    let delivery = delivery(&sink, dir.path().join("state"));
    let progress = Progress::new(Mode::Off);
    let (stop, _ask) = Stop::new();
    let around = Surroundings { progress: &progress, stop: &stop };
    // A run directory of its own for each.
    let anew = || fs::remove_dir_all(&job.run_dir).is_ok();
    let import = |_| {
        let outcome = import_once(&job, &delivery, &around);
        assert!(matches!(outcome.end, End::Complete));
        let rows = outcome.summary.rows;
        assert_eq!((rows.accepted, rows.delivered), (ROWS, ROWS));
    };
    import(anew());
    assert_eq!(sink.taken(), body_bytes, "every body came whole, and once");
    let mut group = c.benchmark_group("import");
    group.throughput(Throughput::Bytes(bench.bytes));
    group.bench_function(bench.format, |b| b.iter_batched(anew, import, BatchSize::PerIteration));
    group.finish();
}

fn import_once(job: &Job, delivery: &Delivery, around: &Surroundings<'_>) -> run::Outcome {
    run::import(job, delivery, around, |_| true).expect("an outcome")
}

fn delivery(sink: &Sink, state_dir: PathBuf) -> Delivery {
    Delivery {
        endpoint: sink.url.clone(),
        destination: sink.url.clone(),
        app_id: "APP".to_owned(),
        api_id: "APP".to_owned(),
        key: "key".to_owned().into(),
        is_real: false,
        state_dir,
        retry_for: Duration::ZERO,
        connections: None,
        restart: false,
        in_doubt: InDoubt::Resend,
        wait: false,
        no_proxy: true,
    }
}
