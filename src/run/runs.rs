//! The run directories below one place: what each holds, and the removal of old ones.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    Error,
    rundir::{DONE, SANDBOX_SUFFIX, SCRATCH_DIR, STATE_DIR, entries, is_ours, output},
    spool::SPOOL_DIR,
};
use crate::journal::{CHECKPOINT_FILE, Journal, RunLock, Snapshot};
use crate::report::REPORT_FILE;

/// Directories of ours within that of a run.
const WITHIN: [&str; 3] = [STATE_DIR, SPOOL_DIR, SCRATCH_DIR];

/// One run, as its directory tells.
#[derive(Debug)]
pub struct FoundRun {
    /// Its directory.
    pub dir: PathBuf,
    /// What it is.
    pub what: Standing,
    /// When something was written there last.
    pub written: SystemTime,
    /// Bytes of its files.
    pub bytes: u64,
}

/// What a run directory holds.
#[derive(Debug)]
pub enum Standing {
    /// A check or packed bodies: a report without a checkpoint.
    Check,
    /// An import that came to its end, with this exit code.
    Finished(i32, Box<Snapshot>),
    /// An import that did not.
    Unfinished(Box<Snapshot>),
    /// A process has it.
    Running,
    /// Its checkpoint can't be read, for this reason.
    Unreadable(String),
}

impl Standing {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Finished(..) => "finished",
            Self::Unfinished(_) => "unfinished",
            Self::Running => "running",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// The checkpoint, where it could be read.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Finished(_, snapshot) | Self::Unfinished(snapshot) => Some(snapshot),
            _ => None,
        }
    }

    /// Whether nothing would be lost but a report and its rejects.
    fn is_over(&self) -> bool {
        matches!(self, Self::Check | Self::Finished(..))
    }
}

/// What became of a run that was old enough to be removed.
#[derive(Debug)]
pub enum Pruned {
    /// It is gone, or would be.
    Removed(FoundRun),
    /// It stays, for this reason.
    Kept(FoundRun, String),
}

/// The runs below a place, those that another one replaced and those of emulators among them; the
/// oldest first.
///
/// # Errors
/// The place can't be read.
pub fn find_runs(place: &Path) -> Result<Vec<FoundRun>, Error> {
    if !place.is_dir() {
        return Err(Error::Usage(format!(
            "{}: no such directory; name the one in which run directories stand",
            place.display()
        )));
    }
    let mut runs = Vec::new();
    let mut dirs = entries(place)?;
    while let Some(dir) = dirs.pop() {
        if !dir.is_dir() || dir.is_symlink() {
            continue;
        }
        if dir.to_string_lossy().ends_with(SANDBOX_SUFFIX) {
            dirs.extend(entries(&dir)?);
        }
        dirs.extend(entries(&dir.join(DONE))?);
        runs.extend(look_at(dir)?);
    }
    runs.sort_by(|one, other| (one.written, &one.dir).cmp(&(other.written, &other.dir)));
    Ok(runs)
}

/// Removes the runs below a place that are over and that nothing was written to for so long; with
/// `dry` it only says which.
///
/// # Errors
/// The place can't be read.
pub fn prune_runs(place: &Path, older_than: Duration, dry: bool) -> Result<Vec<Pruned>, Error> {
    let now = SystemTime::now();
    let is_old =
        |run: &FoundRun| now.duration_since(run.written).is_ok_and(|age| age >= older_than);
    let mut pruned = Vec::new();
    for run in find_runs(place)?.into_iter().filter(is_old) {
        let kept = match &run.what {
            what if what.is_over() => None,
            Standing::Running => Some("a process has it".to_owned()),
            Standing::Unreadable(reason) => Some(reason.clone()),
            _ => Some(
                "it is unfinished: go on with it, or remove it by hand if nobody will".to_owned(),
            ),
        };
        pruned.push(match kept {
            Some(reason) => Pruned::Kept(run, reason),
            None if dry => Pruned::Removed(run),
            None => match remove(&run.dir) {
                Ok(()) => Pruned::Removed(run),
                Err(error) => Pruned::Kept(run, error.to_string()),
            },
        });
    }
    Ok(pruned)
}

/// What a directory holds; `None` where it is none of a run.
fn look_at(dir: PathBuf) -> Result<Option<FoundRun>, Error> {
    let written = |name: &str| fs::metadata(dir.join(name)).and_then(|found| found.modified()).ok();
    let (checkpoint, report) = (written(CHECKPOINT_FILE), written(REPORT_FILE));
    let Some(written) = checkpoint.max(report) else { return Ok(None) };
    let what = match checkpoint {
        None => Standing::Check,
        Some(_) if RunLock::is_held(&dir) => Standing::Running,
        Some(_) => match Journal::peek(&dir.join(CHECKPOINT_FILE)) {
            Err(error) => Standing::Unreadable(error.to_string()),
            Ok(snapshot) => match snapshot.finished {
                Some(code) => Standing::Finished(code, Box::new(snapshot)),
                None => Standing::Unfinished(Box::new(snapshot)),
            },
        },
    };
    let mut bytes = 0;
    let mut dirs = vec![dir.clone()];
    while let Some(next) = dirs.pop() {
        for path in entries(&next)? {
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            // What another run replaced is listed by itself.
            let is_within = next != dir || WITHIN.iter().any(|name| path.ends_with(name));
            if found.is_dir() && is_within {
                dirs.push(path);
            } else if found.is_file() {
                bytes += found.len();
            }
        }
    }
    Ok(Some(FoundRun { dir, what, written, bytes }))
}

/// Removes what a run has written, and its directory where nothing else is in it.
fn remove(dir: &Path) -> Result<(), Error> {
    let fail = |error| output(dir, error);
    // A run that begins meanwhile finds either all of it or nothing.
    let _lock = match dir.join("lock").exists() {
        true => Some(RunLock::take(dir)?),
        false => None,
    };
    let mut files: Vec<PathBuf> = Vec::new();
    for path in entries(dir)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_dir = fs::symlink_metadata(&path).map_err(fail)?.is_dir();
        match is_dir {
            true if WITHIN.contains(&name.as_str()) => fs::remove_dir_all(&path).map_err(fail)?,
            true => {}
            false if is_ours(&path) || name.ends_with(".rates") => files.push(path),
            false => {}
        }
    }
    // The checkpoint goes last but the lock: while it stands, the directory is still that run's.
    files.sort_by_key(|path| path.ends_with(CHECKPOINT_FILE));
    for path in files.into_iter().chain([dir.join("lock")]) {
        crate::private::remove(&path).map_err(fail)?;
    }
    let gone = |dir: &Path| match fs::remove_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    };
    let done = dir.join(DONE);
    if done.is_dir() {
        gone(&done).map_err(fail)?;
    }
    gone(dir).map_err(fail)?;
    // That of several runs goes with the last of them.
    match dir.parent() {
        Some(parent)
            if parent.ends_with(DONE) || parent.to_string_lossy().ends_with(SANDBOX_SUFFIX) =>
        {
            gone(parent).map_err(fail)
        }
        _ => Ok(()),
    }
}
