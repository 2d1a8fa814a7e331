//! The budget's memory across processes, and the lock that lets one import at a time send to
//! an account.
//!
//! One small file per endpoint and app id, locked while it is open; `lines` tells its format. A
//! charge is durable before its request leaves; its answer is noted after.

mod lines;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::private;

use super::budget::{Budget, Charge, ChargeId};
use super::clock::Clock;
use lines::{
    Held, Past, charge_line, clock_line, header_line, header_of, held_line, is_newer, line, replay,
    shut_line,
};

/// Size at which the file is written anew with what still counts, in bytes.
const COMPACT_BYTES: u64 = 1 << 20;

/// From how far on a wall clock that drifts against the machine's is noted, in milliseconds:
/// less than what counts as set.
const DRIFT_MS: u64 = 20;

/// Why the rate log can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RateLogError {
    /// Another process sends to the same account.
    #[error(
        "another import to this account is running{}; wait for it to end (--wait does), or stop it ({})",
        .pid.map_or_else(String::new, |pid| format!(" (process {pid})")), .path.display()
    )]
    Held {
        /// The file that holds the lock.
        path: PathBuf,
        /// The other process, where it can be told.
        pid: Option<u32>,
    },
    /// A later version of this program wrote the file.
    #[error("{}: written by a later version of moebulk; use that version", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be opened, read or written.
    #[error("{}: {source}; the rate log needs a directory that can be written and locked", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// The log of charges on disk, or nothing at all.
#[derive(Debug)]
pub struct RateLog {
    store: Option<Store>,
    /// What earlier processes left, in times of the clock that the log was opened with: the wall
    /// clock may be set until the budget takes it over.
    past: Past,
}

#[derive(Debug)]
struct Store {
    file: File,
    path: PathBuf,
    bytes: u64,
    compact_at: u64,
    lines: String,
    /// [`Clock::booted_ms`] as it was written last.
    booted_ms: u64,
}

impl RateLog {
    /// A log that remembers nothing: for unlimited rates and tests.
    pub fn memory() -> Self {
        Self { store: None, past: Past::default() }
    }

    /// Opens and locks the log of an endpoint and app id in the state directory, which is made
    /// where it is missing (0700; the file 0600).
    ///
    /// # Errors
    /// [`RateLogError::Held`] while another process has it open; [`RateLogError::Newer`] for a
    /// later format; [`RateLogError::Io`] where the file can't be opened, locked or written.
    pub fn open(
        directory: &Path,
        endpoint: &str,
        app_id: &str,
        clock: &Clock,
    ) -> Result<Self, RateLogError> {
        let path = directory.join(file_name(endpoint, app_id));
        let failed = |source| RateLogError::Io { path: path.clone(), source };
        private::create_dir(directory).map_err(failed)?;
        let is_new = !path.exists();
        let mut options = private::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                // Some systems refuse to read a locked file; then the process stays unnamed.
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| header_of(&text));
                return Err(RateLogError::Held { pid: pid.map(|header| header.pid), path });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let text = String::from_utf8_lossy(&bytes);
        if is_newer(&text) {
            return Err(RateLogError::Newer { path });
        }
        let (booted_ms, wall_ms, now_ms) = (clock.booted_ms(), clock.wall_ms(), clock.now_ms());
        let past = if is_new { Past::default() } else { replay(&text, wall_ms, booted_ms) };
        let mut lines: Vec<_> =
            past.held.iter().map(|held| held_line(held.release_ms, held)).collect();
        lines.extend((past.shut_until_ms > wall_ms).then(|| shut_line(past.shut_until_ms)));
        let store = Store { file, path, bytes: 0, compact_at: 0, lines: String::new(), booted_ms };
        let mut log = Self { store: Some(store), past: past.moved(wall_ms, now_ms) };
        log.rewrite(clock, lines)?;
        if is_new && let Err(source) = private::sync_dir(directory) {
            return Err(RateLogError::Io { path: directory.to_owned(), source });
        }
        Ok(log)
    }

    /// Charges the budget with what earlier processes left.
    pub(super) fn replay_into(&self, budget: &mut Budget) {
        budget.shut_until(self.past.shut_until_ms);
        for held in &self.past.held {
            budget.inherit(held.users, held.events, held.release_ms);
        }
    }

    /// Notes charges; durable on return, so that the requests may leave.
    pub(super) fn charge(
        &mut self,
        clock: &Clock,
        charges: &[(ChargeId, Charge)],
    ) -> Result<(), RateLogError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        for (id, charge) in charges {
            store.lines.push_str(&charge_line(clock, *id, charge));
        }
        store.note_clock(clock);
        store.flush(true)
    }

    /// Notes that an answer was just read. Not synced: without it the charge only lasts longer.
    pub(super) fn answer(&mut self, clock: &Clock, id: ChargeId, read_ms: u64) {
        if let Some(store) = &mut self.store {
            let wall_ms = clock.wall_at(read_ms);
            store.lines.push_str(&line(format_args!("answer {} {wall_ms}", id.0)));
        }
    }

    /// Notes that a charge was taken back.
    pub(super) fn void(&mut self, id: ChargeId) {
        if let Some(store) = &mut self.store {
            store.lines.push_str(&line(format_args!("void {}", id.0)));
        }
    }

    /// Writes the noted answers, and writes the file anew where it has grown.
    pub(super) fn flush(&mut self, clock: &Clock, budget: &Budget) -> Result<(), RateLogError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        store.note_clock(clock);
        store.flush(false)?;
        if store.bytes < store.compact_at {
            return Ok(());
        }
        let lines = budget.charges().into_iter().map(|(id, charge)| {
            if charge.answered {
                let Charge { users, events, release_ms, .. } = charge;
                held_line(clock.wall_at(release_ms), &Held { users, events, release_ms })
            } else {
                charge_line(clock, id, &charge)
            }
        });
        let shut = budget.shut_after(clock.now_ms()).map(|ms| shut_line(clock.wall_at(ms)));
        let lines = lines.chain(shut).collect();
        self.rewrite(clock, lines)
    }

    /// Writes the file anew, in place: another file under the name would not carry the lock.
    /// A crash in between leaves fewer lines than the header names, which costs one window.
    fn rewrite(&mut self, clock: &Clock, lines: Vec<String>) -> Result<(), RateLogError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        store.booted_ms = clock.booted_ms();
        let text = header_line(clock, store.booted_ms, lines.len()) + &lines.concat();
        let write = |file: &mut File| {
            file.seek(SeekFrom::Start(0))?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()
        };
        write(&mut store.file)
            .map_err(|source| RateLogError::Io { path: store.path.clone(), source })?;
        store.bytes = text.len() as u64;
        store.compact_at = COMPACT_BYTES.max(store.bytes * 4);
        Ok(())
    }
}

impl Store {
    /// Notes a wall clock that has moved against the machine's.
    fn note_clock(&mut self, clock: &Clock) {
        let booted_ms = clock.booted_ms();
        if booted_ms.abs_diff(self.booted_ms) > DRIFT_MS {
            self.booted_ms = booted_ms;
            self.lines.push_str(&clock_line(booted_ms));
        }
    }

    fn flush(&mut self, durable: bool) -> Result<(), RateLogError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(self.lines.as_bytes());
        written
            .and_then(|()| if durable { self.file.sync_data() } else { Ok(()) })
            .map_err(|source| RateLogError::Io { path: self.path.clone(), source })?;
        self.bytes += self.lines.len() as u64;
        self.lines.clear();
        Ok(())
    }
}

fn file_name(endpoint: &str, app_id: &str) -> String {
    // Spellings of one address must meet in one file.
    let endpoint =
        reqwest::Url::parse(endpoint).map_or_else(|_| endpoint.to_owned(), |url| url.to_string());
    let account = format!("{}\n{app_id}", endpoint.trim_end_matches('/'));
    format!("{:016x}.rates", xxh3_64(account.as_bytes()))
}
