//! The wiring: which room's output is which room's input, with threads, bounded
//! queues and shutdown. The only place where the rooms meet.
//!
//! - `mapped`: the mapping file.
//! - `inputs`: what the user named to opened tables with a plan that fits them.
//! - `feed`: the rows of all inputs in order, for any number of threads.
//! - `line`: results taken in order by whoever finishes them.
//! - `spares`: memory that threads use again.
//! - `pipeline`: one pass over all rows, parallel, in order, bounded.
//! - `types`: column types, where no mapping gives them.
//! - `check`: the check pass: rows to bodies, the tally, the rejects. `validate`,
//!   `pack` and `import` are this very pass with another sink for the bodies.
//! - `changes`: under `--only-changed`, which rows are sent, and what is remembered of them.
//! - `trial`: types and check in one pass, with a guess at the types.
//! - `findings`: what a check pass finds: counts, problems, rejects, bodies.
//! - `out`: where `pack` and `init` write.
//! - `excerpts`: the lines of a file that a mistake is shown in.
//! - `sample`: the rows whose values a report's profile of the columns is from.
//! - `pace`: how sending went over time, for the report.
//! - `deliver`: the sending pass, from the packer through the sender to the journal.
//! - `scribe`: the journal's thread.
//! - `doubt`: rows that an earlier run sent without an answer.
//! - `spool`: inputs that are unpacked to the run directory first.
//! - `rundir`: the run directory and what an earlier run left in it.
//! - `runs`: all run directories of a place.
//! - `import`: all of it in order.
//! - `init`: a mapping for inputs that nobody has described yet.
//! - `turn`: one import at a time.
//! - `failpoint`: where tests make a stage panic.
//!
//! A crash between any two steps costs at most requests sent twice: everything that
//! is claimed was made durable before.

mod budget;
mod changes;
mod check;
mod deliver;
mod doubt;
mod dry;
mod earlier;
mod excerpts;
mod failpoint;
mod feed;
mod findings;
mod import;
mod init;
mod inputs;
mod line;
mod mapped;
mod notes;
mod out;
mod pace;
mod pipeline;
mod preamble;
mod rundir;
mod runs;
mod sample;
mod scribe;
mod spares;
mod spool;
mod summary;
mod trial;
mod turn;
mod types;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use secrecy::SecretString;
use tokio::sync::watch;

use crate::decode::csv::Dialect;
use crate::journal;
use crate::model::{Diagnostic, Excerpt, Kind, Rate, Summary, TextEncoding};
use crate::progress::Progress;
use crate::report::{self, RejectsFile};
use crate::send;
use crate::shape::plan::Rules;
use crate::source;
use crate::state;
use crate::wire::api::Api;

pub use changes::{FULL_AGE_DAYS, OnlyChanged, state_dir, state_dirs};
pub use dry::{pack, validate};
pub use import::{Proposal, import};
pub use init::{Described, Form, Init, init};
pub use mapped::MappingFile;
pub use out::Out;
pub use pipeline::Window;
pub use rundir::{checked_dir, import_dir, init_dir, newest_dir, sandbox_dir, sandbox_state_dir};
pub use runs::{FoundRun, Pruned, Standing, find_runs, prune_runs};

/// What to check and how, as resolved from the flags.
#[derive(Clone, Debug)]
pub struct Job {
    /// The inputs, as named.
    pub inputs: Vec<PathBuf>,
    /// Whether the standard input is read, if it is among the inputs: an import that goes on has
    /// kept what came in.
    pub reads_stdin: bool,
    /// What the rows are.
    pub kind: Kind,
    /// Which API takes them.
    pub api: Api,
    /// The mapping file.
    pub mapping: Option<MappingFile>,
    /// How CSV is written.
    pub dialect: Dialect,
    /// The delimiter was given, so that none is to be found.
    pub delimiter_given: bool,
    /// The quote was given.
    pub quote_given: bool,
    /// The encoding of CSV files; `None` = by their byte order marks, else UTF-8.
    pub encoding: Option<TextEncoding>,
    /// The rules for rows.
    pub rules: Rules,
    /// Which rows.
    pub window: Window,
    /// Only rows that changed, and by which state.
    pub only_changed: Option<OnlyChanged>,
    /// Cut counts; `None` = the rates.
    pub cut_users: Option<u64>,
    /// Cut counts; `None` = the rates.
    pub cut_events: Option<u64>,
    /// Budget of users.
    pub users: Rate,
    /// Budget of events.
    pub events: Rate,
    /// The most rejects with which rows are still sent.
    pub rejects_max: RejectsMax,
    /// Columns that a few values keep from a narrower type go as text.
    pub accept_inferred: bool,
    /// Cells of rejects that a spreadsheet would run as formulas are guarded.
    pub rejects_safe: bool,
    /// Whether the lines of the first rejects are wanted.
    pub excerpts: bool,
    /// Threads that check rows.
    pub threads: usize,
    /// Where results go.
    pub run_dir: PathBuf,
    /// Body-shaping options by flag, as a checkpoint is bound to them.
    pub shaping: std::collections::BTreeMap<String, String>,
    /// Arguments that were given a value, by name: what a resume takes for given.
    pub said: std::collections::BTreeMap<String, Vec<String>>,
}

/// Where bodies are sent, and how an import behaves.
#[derive(Debug)]
pub struct Delivery {
    /// Scheme, host and port.
    pub endpoint: String,
    /// What reports call it; a sandbox has another port every time.
    pub destination: String,
    /// The workspace.
    pub app_id: String,
    /// User name of the Data API.
    pub api_id: String,
    /// The Data API key.
    pub key: SecretString,
    /// Whether the endpoint is anything but loopback.
    pub is_real: bool,
    /// Directory of the sliding log and the account lock.
    pub state_dir: PathBuf,
    /// How long to try without any success.
    pub retry_for: Duration,
    /// Connections; `None` = as many as are of use.
    pub connections: Option<usize>,
    /// Begin anew, whatever an earlier run left.
    pub restart: bool,
    /// What becomes of rows in doubt.
    pub in_doubt: InDoubt,
    /// Wait while another import holds the run directory or the account.
    pub wait: bool,
    /// Use no proxy.
    pub no_proxy: bool,
}

impl Delivery {
    /// Whether a later run can go on with this one: an emulator of its own is gone with it.
    pub fn is_resumable(&self) -> bool {
        self.destination != SANDBOX
    }
}

/// What reports call an emulator that an import ran for itself.
pub const SANDBOX: &str = "sandbox";

/// What becomes of rows that an earlier run sent without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDoubt {
    /// They are sent again.
    Resend,
    /// They count as failed.
    Skip,
}

/// `--max-rejects`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectsMax {
    /// So many rows.
    Rows(u64),
    /// So many of a hundred rows read.
    Percent(f64),
}

impl RejectsMax {
    /// Whether so many rejects are more than allowed.
    pub fn is_exceeded(self, rejected: u64, read: u64) -> bool {
        match self {
            Self::Rows(max) => rejected > max,
            Self::Percent(max) => rejected as f64 * 100.0 > max * read as f64,
        }
    }
}

/// What was inferred of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inferred {
    /// The source column.
    pub column: String,
    /// Whether it is an attribute, rather than a field of the element.
    pub is_attribute: bool,
    /// The type that its values are sent as.
    pub value: &'static str,
}

/// What a finished run says.
#[derive(Debug)]
pub struct Outcome {
    /// The summary, as in `report.json`.
    pub summary: Summary,
    /// What was inferred, where there is no mapping.
    pub inferred: Vec<Inferred>,
    /// The page; `None` where it could not be written.
    pub page: Option<PathBuf>,
    /// Files of rejected rows.
    pub rejects: Vec<RejectsFile>,
    /// The file of damaged stretches, where there are any.
    pub damaged: Option<PathBuf>,
    /// The first rows of the problems that the summary begins with, as far as they were wanted.
    pub diagnostics: Vec<Diagnostic>,
    /// How it ended.
    pub end: End,
}

/// How a run ended that has a summary.
#[derive(Debug)]
pub enum End {
    /// To its end.
    Complete,
    /// The very same import is complete already; nothing was sent. Holds its exit code.
    Already(i32),
    /// Before its end; the same command goes on.
    Stopped(Error),
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Wrong usage or configuration.
    #[error("{0}")]
    Usage(String),
    /// An input cannot be found.
    #[error(transparent)]
    Find(#[from] source::FindError),
    /// An input cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The input.
        path: String,
        /// Why.
        reason: String,
    },
    /// An input or the mapping changed since the checkpoint.
    #[error("{0}")]
    Changed(String),
    /// More rejects than allowed.
    #[error(
        "{rejected} of {read} rows are rejected, more than --max-rejects allows; nothing was sent: see {report}"
    )]
    TooManyRejects {
        /// Rows rejected.
        rejected: u64,
        /// Rows read.
        read: u64,
        /// The report.
        report: String,
    },
    /// The plan was declined.
    #[error("declined; nothing was sent")]
    Declined,
    /// Stopped before the end; resumable.
    #[error(transparent)]
    Send(#[from] send::Error),
    /// The checkpoint.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The state of `--only-changed`.
    #[error(transparent)]
    State(#[from] state::Error),
    /// The report or the rejects.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// A file of the run directory or the output.
    #[error("{path}: {error}")]
    Output {
        /// The file.
        path: String,
        /// The cause.
        error: io::Error,
    },
    /// Whoever read the output went away.
    #[error("the reader of the output went away")]
    BrokenPipe,
    /// Asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A bug.
    #[error("{0}; this is a bug in moebulk")]
    Internal(String),
    /// Any other, with places in files that it is about.
    #[error("{error}")]
    Placed {
        /// What it is.
        error: Box<Error>,
        /// Where; the first is what the message is about.
        excerpts: Vec<Excerpt>,
    },
}

impl Error {
    /// For what could not be written to `out`; `-` is stdout.
    pub fn of_write(out: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ if out == Path::new("-") => Self::Output { path: "stdout".to_owned(), error },
            _ => Self::Output { path: out.display().to_string(), error },
        }
    }

    /// The error with the places that it is about, where there are any.
    pub fn at(self, excerpts: Vec<Excerpt>) -> Self {
        match excerpts.is_empty() {
            true => self,
            false => Self::Placed { error: Box::new(self), excerpts },
        }
    }
}

/// Asked to stop, by a signal.
#[derive(Clone, Debug)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    sender: watch::Receiver<bool>,
}

impl Stop {
    /// A stop, and what asks for it.
    pub fn new() -> (Self, impl Fn() + Send + 'static) {
        let asked = Arc::new(AtomicBool::new(false));
        let (tell, sender) = watch::channel(false);
        let flag = Arc::clone(&asked);
        let ask = move || {
            flag.store(true, Ordering::Relaxed);
            tell.send_replace(true);
        };
        (Self { asked, sender }, ask)
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What a run needs beside its job.
pub struct Surroundings<'a> {
    /// Where progress is shown.
    pub progress: &'a Progress,
    /// Asked to stop.
    pub stop: &'a Stop,
}
