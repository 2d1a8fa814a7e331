//! The Data API emulator that people and tests run against, on loopback only.
//!
//! A request passes the parts in this order: `http` reads it whole, `route` names its endpoint,
//! `script` may answer it first, `checks` and `elements` (with `identity`) judge it, `budget` counts
//! it. Then `intake` takes in its elements: the `silent` rules make each the one that is stored and
//! list in `dropped` what they did, `store` keeps it, `users` merges it; `export` reads users back.
//! `replies` holds the words of every answer; `desk` is the one place where all meet, free of I/O.
//!
//! The room imports nothing else of the crate and states its own copy of every limit, written from
//! the API's reference: a limit that drifts on the client's side then fails a test. It does not know
//! the command line.
//!
//! Like the real Bulk Import API it answers 200 to any sound envelope and judges the elements
//! silently. Unlike the real one it tells: `GET /_sandbox/records`, `/_sandbox/users`,
//! `/_sandbox/violations`, `/_sandbox/dropped` and `/_sandbox/stats` show what arrived and what was
//! stored of it, what was wrong, what the silent rules did, and how hard it was driven.

mod budget;
mod checks;
mod desk;
mod dropped;
mod elements;
mod export;
mod http;
mod identity;
mod intake;
mod raw;
mod replies;
mod route;
mod script;
mod silent;
mod store;
mod users;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

pub use script::{FaultRates, ScriptError, ScriptedAnswer};

/// Data API, S rule: 1,000 users a minute, User API and Bulk Import alike.
const USERS_PER_MINUTE: u64 = 1_000;
/// Data API, S rule: 10,000 events a minute, Event API and Bulk Import alike.
const EVENTS_PER_MINUTE: u64 = 10_000;
/// Headroom for a large rehearsal: about 300 MB of user elements of common size.
const RECORDS_MAX: usize = 1_000_000;

/// How an emulator behaves.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; a loopback address. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// The app id (Workspace ID) that is known, and also the user name that authenticates.
    /// `<app_id>-OTHER` is known as well, with the same key: what a mismatch (409) needs.
    pub app_id: String,
    /// The Data API key, the password that authenticates.
    pub api_key: String,
    /// Users accepted in any sliding 60 s; `None` sets no limit.
    pub users_per_minute: Option<u64>,
    /// Events accepted in any sliding 60 s; `None` sets no limit.
    pub events_per_minute: Option<u64>,
    /// Answers given whatever the request; where several are due, the first one listed.
    pub answers: Vec<ScriptedAnswer>,
    /// Shares of the data requests that meet a fault.
    pub faults: FaultRates,
    /// The delay of an answer that meets a `slow` fault.
    pub slow: Duration,
    /// Decides which requests meet a fault: the same seed, the same requests.
    pub seed: u64,
    /// A bulk body that holds an element with one of these ids is refused whole (400 `TypeError`).
    pub poison: Vec<String>,
    /// Elements kept for `/_sandbox/records`, and users for `/_sandbox/users`; those beyond are
    /// counted only. Independent of it, they hold at most 512 and 256 MiB.
    pub records_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            app_id: "SANDBOX".to_owned(),
            api_key: "sandbox-key".to_owned(),
            users_per_minute: Some(USERS_PER_MINUTE),
            events_per_minute: Some(EVENTS_PER_MINUTE),
            answers: Vec::new(),
            faults: FaultRates::default(),
            slow: Duration::from_secs(2),
            seed: 0,
            poison: Vec::new(),
            records_max: RECORDS_MAX,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The ids in `poison` may be a person's, so only their number is shown.
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("app_id", &self.app_id)
            .field("api_key", &"[redacted]")
            .field("users_per_minute", &self.users_per_minute)
            .field("events_per_minute", &self.events_per_minute)
            .field("answers", &self.answers)
            .field("faults", &self.faults)
            .field("slow", &self.slow)
            .field("seed", &self.seed)
            .field("poison", &self.poison.len())
            .field("records_max", &self.records_max)
            .finish()
    }
}

/// Why an emulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address can be reached from other machines.
    #[error("the sandbox listens on loopback only, not on {0}: use 127.0.0.1:PORT or [::1]:PORT")]
    NotLoopback(SocketAddr),
    /// The app id can't stand as the user name of `Basic` authentication.
    #[error("the sandbox's app id must be non-empty and hold no `:` or `/`")]
    AppId,
    /// The key is empty, so nothing could authenticate.
    #[error("the sandbox's key must be non-empty")]
    ApiKey,
    /// The address can't be bound.
    #[error("the sandbox can't listen on {address}: {source}; port 0 takes any free one")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused a thread or an event loop.
    #[error("the sandbox can't start its event loop: {0}")]
    Runtime(#[source] io::Error),
}

/// A running emulator; dropping it stops it and closes its connections.
pub struct Sandbox {
    address: SocketAddr,
    app_id: String,
    api_key: String,
    /// Its drop is the signal to stop.
    running: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Binds `options.listen` and serves it from a thread of its own.
    ///
    /// # Errors
    /// An address that is not loopback or can't be bound, an app id or key that can't
    /// authenticate, and a system that has no thread to give.
    pub fn start(options: Options) -> Result<Self, Error> {
        if !options.listen.ip().is_loopback() {
            return Err(Error::NotLoopback(options.listen));
        }
        if options.app_id.is_empty() || options.app_id.contains([':', '/']) {
            return Err(Error::AppId);
        }
        if options.api_key.is_empty() {
            return Err(Error::ApiKey);
        }
        let (listener, address) = bind(options.listen)
            .map_err(|source| Error::Bind { address: options.listen, source })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Runtime)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(Error::Runtime)?
        };
        let (app_id, api_key) = (options.app_id.clone(), options.api_key.clone());
        let desk = Arc::new(Mutex::new(desk::Desk::new(options)));
        let (running, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("sandbox".to_owned())
            .spawn(move || runtime.block_on(http::serve(listener, desk, stopped)))
            .map_err(Error::Runtime)?;
        Ok(Self { address, app_id, api_key, running: Some(running), thread: Some(thread) })
    }

    /// Where it listens, as `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The app id it knows.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The key it takes.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// Stops serving and returns when every connection is closed.
    pub fn stop(self) {
        drop(self);
    }

    /// Serves until the process ends.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic in there was already printed by its own thread.
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.running.take();
        self.join();
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("address", &self.address)
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address)?;
    // The event loop takes over sockets that don't block only.
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}
