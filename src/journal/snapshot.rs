//! What a checkpoint's records add up to, and how they are read.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use super::{
    Binding, Error, Plan, Progress,
    record::{FORMAT_VERSION, Header, IntentEntry, Record, SettlementEntry, TurnEntry, Version},
};
use crate::model::{Settled, Settlement};
use crate::sealed::{line_json, push_line};

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What the run is bound to.
    pub binding: Binding,
    /// When the checkpoint was created, in UNIX seconds.
    pub created: u64,
    /// What the check counted, once it is through.
    pub plan: Option<Plan>,
    /// What was sent.
    pub progress: Progress,
    /// The exit code of the run that came to its end; `None` again as soon as
    /// something is sent or settled after that.
    pub finished: Option<i32>,
}

impl Snapshot {
    /// The state before the first record.
    pub(super) fn new(binding: Binding, created: u64) -> Self {
        Self { binding, created, plan: None, progress: Progress::default(), finished: None }
    }

    /// Refuses a record that can't follow.
    pub(super) fn check(&self, record: &Record<'_>) -> Result<(), Error> {
        let Record::Turn(TurnEntry { settle, intend, .. }) = record else {
            return Ok(());
        };
        for SettlementEntry(settlement) in settle {
            let Settlement { seq, ref range, elements, ref settled } = *settlement;
            self.progress.check(seq, range, elements)?;
            if matches!(settled, Settled::Failed(_)) && range.len() != 1 {
                let (start, end) = (range.start, range.end);
                return Err(Error::Misfit { body: seq, start, end, elements });
            }
        }
        intend.iter().try_for_each(|IntentEntry(intent)| {
            self.progress.check(intent.seq, &intent.range, intent.elements)
        })
    }

    /// The one way in which a record changes the state, for a live run and a replay.
    pub(super) fn apply(&mut self, record: Record<'_>) {
        match record {
            Record::Plan(plan) => self.plan = Some(plan.into_owned()),
            Record::Turn(TurnEntry { settle, requests, intend }) => {
                if !settle.is_empty() || !intend.is_empty() {
                    self.finished = None;
                }
                settle.into_iter().for_each(|entry| self.progress.settle(entry.0));
                if let Some(requests) = requests {
                    self.progress.requests = requests.0;
                }
                intend.into_iter().for_each(|entry| self.progress.intend(entry.0));
            }
            Record::Mark(progress) => self.progress = progress.into_owned(),
            Record::Finished { exit_code } => self.finished = Some(exit_code),
        }
    }

    /// The shortest log that replays to this.
    pub(super) fn lines(&self) -> serde_json::Result<Vec<u8>> {
        let Self { binding, created, plan, progress, finished } = self;
        let mut lines = Vec::new();
        let (version, binding) = (FORMAT_VERSION, Cow::Borrowed(binding));
        push_line(&mut lines, &Header { version, created: *created, binding })?;
        if let Some(plan) = plan {
            push_line(&mut lines, &Record::Plan(Cow::Borrowed(plan)))?;
        }
        if *progress != Progress::default() {
            push_line(&mut lines, &Record::Mark(Cow::Borrowed(progress)))?;
        }
        if let Some(exit_code) = *finished {
            push_line(&mut lines, &Record::Finished { exit_code })?;
        }
        Ok(lines)
    }
}

/// What reading a checkpoint gives.
pub(super) struct Replay {
    /// The state after the last sound record.
    pub snapshot: Snapshot,
    /// Bytes of the sound part.
    pub bytes: u64,
    /// Bytes up to the end of the last compaction.
    pub bytes_compacted: u64,
}

impl Replay {
    /// Reads a log. A bad last line is left out; any other is an error.
    pub fn of(path: &Path, file: &File) -> Result<Self, Error> {
        let read = || Error::io(path, "read");
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).map_err(read())?;
        let corrupt = |line| Error::Corrupt { path: path.to_owned(), line };
        let snapshot = first_line(path, &line)?.ok_or_else(|| corrupt(1))?;
        let bytes = line.len() as u64;
        let mut replay = Self { snapshot, bytes, bytes_compacted: bytes };
        for number in 2.. {
            line.clear();
            if reader.read_until(b'\n', &mut line).map_err(read())? == 0 {
                break;
            }
            let Some(json) = line_json(&line) else {
                if reader.fill_buf().map_err(read())?.is_empty() {
                    break;
                }
                return Err(corrupt(number));
            };
            // A checksum that is right over a record that is not: not a torn write.
            let record: Record<'_> = serde_json::from_slice(json).map_err(|_| corrupt(number))?;
            replay.snapshot.check(&record).map_err(|_| corrupt(number))?;
            replay.bytes += line.len() as u64;
            if matches!(record, Record::Mark(_)) {
                replay.bytes_compacted = replay.bytes;
            }
            replay.snapshot.apply(record);
        }
        Ok(replay)
    }
}

/// The snapshot that a log begins with; `None` where the first line is damaged.
fn first_line(path: &Path, line: &[u8]) -> Result<Option<Snapshot>, Error> {
    let Some(json) = line_json(line) else {
        return Ok(None);
    };
    if let Ok(Version { version }) = serde_json::from_slice(json)
        && version > FORMAT_VERSION
    {
        return Err(Error::NewerVersion { path: path.to_owned(), version });
    }
    Ok(serde_json::from_slice::<Header<'_>>(json)
        .ok()
        .map(|header| Snapshot::new(header.binding.into_owned(), header.created)))
}
