//! The sender against a model of the server, in simulated time.
//!
//! - `server`, `book`, `bodies`: the model server, the ledger and what is sent
//! - `weather`: what a server and the way to it do, at random
//! - `life`: one import with all its crashes, stops and set clocks, from one seed
//! - `seeds`, `day`, `outages`, `endings`: the tests

mod bodies;
mod book;
mod day;
mod endings;
mod life;
mod outages;
mod seeds;
mod server;
mod weather;

use std::path::Path;

use secrecy::SecretString;
use tokio::sync::{mpsc, watch};

use super::clock::Clock;
use super::{Error, Finished, RateLog, Settings, Work, run};
use crate::model::Rate;
use book::Book;
use server::Server;

/// 2026-11-24T00:00:00Z.
const START_MS: u64 = 1_795_478_400_000;
const USERS: u64 = 1_000;
const EVENTS: u64 = 10_000;
const DEADLINE_MS: u64 = 60_000;
const RATES: [Option<u64>; 2] = [Some(USERS), Some(EVENTS)];

/// The defaults, and bodies as the packer cuts them.
fn settings() -> Settings {
    let (users, events) = (Rate::PerMinute(USERS), Rate::PerMinute(EVENTS));
    let key = SecretString::from("key");
    Settings {
        largest_users: 430,
        largest_events: 4_300,
        mean_users: 1000.0 / 3.0,
        mean_events: 10_000.0 / 3.0,
        seed: 1,
        ..Settings::new("http://127.0.0.1:1".to_owned(), "APP".to_owned(), key, users, events)
    }
}

fn unlimited() -> Settings {
    Settings { users: Rate::Unlimited, events: Rate::Unlimited, ..settings() }
}

fn feed(work: Vec<Work>) -> mpsc::Receiver<Work> {
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

async fn send(
    settings: &Settings,
    work: Vec<Work>,
    book: &mut Book,
    log: RateLog,
    server: &Server,
) -> Result<Finished, Error> {
    let (_stop, stopped) = watch::channel(false);
    run(settings, feed(work), book, log, server.clock.clone(), server, stopped).await
}

fn open(directory: &Path, clock: &Clock) -> RateLog {
    RateLog::open(directory, "http://127.0.0.1:1", "APP", clock).unwrap()
}
