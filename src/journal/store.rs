//! The checkpoint's file: created whole, appended to, recovered, compacted.

use std::{
    borrow::Cow,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Binding, Error, Plan, Snapshot, record::Record, snapshot::Replay};
use crate::model::Turn;
use crate::private;
use crate::sealed::push_line;

/// The checkpoint's name in a run directory.
pub const CHECKPOINT_FILE: &str = "checkpoint";

/// A log shorter than this is not worth rewriting: about 1,000 records, replayed in
/// milliseconds.
const COMPACT_BYTES_MIN: u64 = 256 * 1024;

/// The log may grow to this many times its size after the last compaction. So the
/// file stays in proportion to the state, and a record costs no more than a few
/// times its bytes however large the state is.
const COMPACT_GROWTH: u64 = 4;

/// A checkpoint that is open for writing.
///
/// Whatever a method was given is on the disk when it returns `Ok`. After any failed
/// write or sync every later call is [`Error::Poisoned`].
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    snapshot: Snapshot,
    /// Length of the file.
    bytes: u64,
    /// Its length after the last compaction.
    bytes_compacted: u64,
    poisoned: bool,
}

impl Journal {
    /// Creates the checkpoint of a new run. It appears whole or not at all, so a file
    /// without a sound first line was never one of ours. The caller holds the
    /// directory's [`RunLock`](super::RunLock).
    ///
    /// # Errors
    /// [`Error::Exists`] where there is one already; [`Error::Io`].
    pub fn create(path: &Path, binding: &Binding) -> Result<Self, Error> {
        if path.try_exists().map_err(Error::io(path, "look at"))? {
            return Err(Error::Exists(path.to_owned()));
        }
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let snapshot =
            Snapshot::new(binding.clone(), since_epoch.map_or(0, |since| since.as_secs()));
        let (file, bytes) = write_whole(path, &snapshot).map_err(Error::io(path, "create"))?;
        let path = path.to_owned();
        Ok(Self { path, file, snapshot, bytes, bytes_compacted: bytes, poisoned: false })
    }

    /// Opens the checkpoint of an earlier run: replays it, drops a last record that a
    /// crash cut short, and compacts a long log. The caller holds the directory's
    /// [`RunLock`](super::RunLock).
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Corrupt`], [`Error::NewerVersion`], [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = open(path, private::options().read(true).append(true))?;
        let Replay { snapshot, bytes, bytes_compacted } = Replay::of(path, &file)?;
        if file.metadata().map_err(Error::io(path, "look at"))?.len() > bytes {
            file.set_len(bytes)
                .and_then(|()| file.sync_all())
                .map_err(Error::io(path, "cut the torn last record off"))?;
        }
        let path = path.to_owned();
        let mut journal = Self { path, file, snapshot, bytes, bytes_compacted, poisoned: false };
        journal.compact_if_long()?;
        Ok(journal)
    }

    /// Reads a checkpoint and changes nothing, whether or not a run is writing it.
    ///
    /// # Errors
    /// As for [`Journal::open`].
    pub fn peek(path: &Path) -> Result<Snapshot, Error> {
        let file = open(path, private::options().read(true))?;
        Replay::of(path, &file).map(|replay| replay.snapshot)
    }

    /// What the checkpoint says by now.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Notes what the check counted.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Poisoned`].
    pub fn plan(&mut self, plan: &Plan) -> Result<(), Error> {
        self.append(Record::Plan(Cow::Owned(plan.clone())))
    }

    /// Notes a turn: what became of stretches, the request counts of all runs so far, and then
    /// which stretches may leave; to be called before the first byte of these does. A crash
    /// before it leaves what was answered in doubt, a crash after it what was to leave: those
    /// are sent again.
    ///
    /// [`Settled::NotTaken`](crate::model::Settled::NotTaken) takes the doubt from every intent within its range: it is
    /// not for a stretch that an earlier try may have brought to the server unanswered.
    ///
    /// # Errors
    /// [`Error::Misfit`], also for a failure of more than one element;
    /// [`Error::Io`], [`Error::Poisoned`].
    pub fn turn(&mut self, turn: Turn) -> Result<(), Error> {
        if turn.is_empty() {
            return Ok(());
        }
        self.append(Record::Turn(turn.into()))
    }

    /// Notes that the run came to its end, with its exit code.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Poisoned`].
    pub fn finish(&mut self, exit_code: i32) -> Result<(), Error> {
        self.append(Record::Finished { exit_code })
    }

    /// Durable write first, memory second: what [`Journal::snapshot`] says, a crash
    /// right after it can't take back.
    fn append(&mut self, record: Record<'_>) -> Result<(), Error> {
        if self.poisoned {
            return Err(Error::Poisoned(self.path.clone()));
        }
        self.snapshot.check(&record)?;
        let mut line = Vec::new();
        let written = push_line(&mut line, &record)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(&line))
            .and_then(|()| self.file.sync_data());
        self.poison_on(written, "write")?;
        self.bytes += line.len() as u64;
        self.snapshot.apply(record);
        self.compact_if_long()
    }

    /// A sync that failed is never tried again: the system may have dropped the
    /// pages, and would report success the second time.
    fn poison_on<T>(&mut self, result: io::Result<T>, action: &'static str) -> Result<T, Error> {
        self.poisoned |= result.is_err();
        result.map_err(Error::io(&self.path, action))
    }

    fn compact_if_long(&mut self) -> Result<(), Error> {
        if self.bytes <= COMPACT_BYTES_MIN.max(COMPACT_GROWTH.saturating_mul(self.bytes_compacted))
        {
            return Ok(());
        }
        self.compact()
    }

    fn compact(&mut self) -> Result<(), Error> {
        let written = write_whole(&self.path, &self.snapshot);
        (self.file, self.bytes) = self.poison_on(written, "compact")?;
        self.bytes_compacted = self.bytes;
        Ok(())
    }
}

fn open(path: &Path, options: &OpenOptions) -> Result<File, Error> {
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Missing(path.to_owned()),
        _ => Error::io(path, "open")(error),
    })
}

/// Puts a log in the place of `path` in one step, and keeps it open for appending: a
/// crash leaves the old file or the new one.
fn write_whole(path: &Path, snapshot: &Snapshot) -> io::Result<(File, u64)> {
    let lines = snapshot.lines()?;
    let staged = path.with_extension("tmp");
    // A leftover of a crash could have another mode.
    private::remove(&staged)?;
    let mut file = private::options().append(true).create_new(true).open(&staged)?;
    file.write_all(&lines)?;
    file.sync_all()?;
    fs::rename(&staged, path)?;
    private::sync_dir(path.parent().unwrap_or(Path::new("")))?;
    Ok((file, lines.len() as u64))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
