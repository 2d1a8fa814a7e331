//! The run directory, and what an earlier run left in it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use xxhash_rust::xxh3::xxh3_64;

use super::{Error, Job, spool::SPOOL_DIR};
use crate::journal::{CHECKPOINT_FILE, Journal, RunLock};
use crate::model::Summary;
use crate::private;
use crate::report;
use crate::shape::mapping::RESOLVED_FILE;
use crate::source::{self, RUNS_DIR};
use crate::state::{FROZEN_FILE, FROZEN_STAGED_FILE};

/// What the directory of imports into emulators of their own ends with.
pub(super) const SANDBOX_SUFFIX: &str = "-sandbox";

/// Where a run directory keeps the runs that another replaced.
pub(super) const DONE: &str = "done";

/// Where files are written that may not replace those of a run.
pub(super) const SCRATCH_DIR: &str = ".check";

/// What a run goes on from.
const RESUMED_BY: [&str; 3] = [CHECKPOINT_FILE, FROZEN_FILE, FROZEN_STAGED_FILE];

/// Where a run directory keeps the state of an emulator of its own.
pub(super) const STATE_DIR: &str = "state";

/// A run directory that this process holds.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: RunLock,
}

impl RunDir {
    /// Makes the directory where it is missing, readable by its owner alone, and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another process holds it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        private::create_dir(path).map_err(|error| output(path, error))?;
        Ok(Self { path: path.to_owned(), _lock: RunLock::take(path)? })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint's path.
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join(CHECKPOINT_FILE)
    }

    /// The checkpoint of an earlier run, where there is one.
    ///
    /// # Errors
    /// It cannot be read, or cannot be believed.
    pub fn earlier(&self) -> Result<Option<Journal>, Error> {
        match self.checkpoint().try_exists() {
            Ok(false) => Ok(None),
            Ok(true) => Ok(Some(Journal::open(&self.checkpoint())?)),
            Err(error) => Err(output(&self.checkpoint(), error)),
        }
    }

    /// Moves what an earlier run wrote for people to `done/<UTC time>/`, so that this run can write
    /// its own. What the earlier one goes on from stays until [`Aside::finish`].
    ///
    /// # Errors
    /// A file cannot be moved.
    pub fn set_aside(&self) -> Result<Aside, Error> {
        let fail = |error| output(&self.path, error);
        let done = unused(&self.path.join(DONE), &utc_stamp());
        private::create_dir(&self.path.join(DONE)).map_err(fail)?;
        private::create_dir(&done).map_err(fail)?;
        let aside = Aside { dir: self.path.clone(), done };
        aside.take(|name| !RESUMED_BY.contains(&name)).map_err(fail)?;
        Ok(aside)
    }

    /// A place for files that may not replace those of the run.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        let path = self.path.join(SCRATCH_DIR);
        let scratch = Scratch { dir: self.path.clone(), path };
        scratch.clear();
        private::create_dir(&scratch.path).map_err(|error| output(&scratch.path, error))?;
        Ok(scratch)
    }

    /// Writes the mapping as it is used.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_mapping(&self, text: &str) -> Result<(), Error> {
        report::write_text(&self.path, RESOLVED_FILE, text)?;
        Ok(())
    }

    /// Writes `report.json` and `report.html`, and gives the path of the latter.
    ///
    /// # Errors
    /// One cannot be written.
    pub fn write_report(&self, summary: &Summary) -> Result<PathBuf, Error> {
        report::write_json(&self.path, summary)?;
        Ok(report::write_html(&self.path, summary)?)
    }
}

/// A place for files that may not replace those of a run; it goes when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    path: PathBuf,
}

impl Scratch {
    /// The place.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves one of its files to the run's, unless there is one of that name; the run's file.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn settle(&self, file: &Path) -> Result<PathBuf, Error> {
        let target = self.dir.join(file.file_name().unwrap_or_default());
        if !target.exists() {
            fs::rename(file, &target).map_err(|error| output(&target, error))?;
        }
        Ok(target)
    }

    fn clear(&self) {
        // Where it can't be removed now, the next run removes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Where the files of an earlier run are moved to, which another one is about to replace.
#[derive(Debug)]
pub struct Aside {
    dir: PathBuf,
    done: PathBuf,
}

impl Aside {
    /// Moves the rest of them: that run is over.
    ///
    /// # Errors
    /// A file cannot be moved.
    pub fn finish(self) -> Result<(), Error> {
        // The checkpoint goes last: while it stands, the directory is still that run's.
        let moved = self.take(|name| RESUMED_BY.contains(&name) && name != CHECKPOINT_FILE);
        moved
            .and_then(|()| self.take(|name| name == CHECKPOINT_FILE))
            .map_err(|error| output(&self.dir, error))
    }

    fn take(&self, is_wanted: impl Fn(&str) -> bool) -> io::Result<()> {
        // Listed before any is moved: what a directory that changes lists meanwhile is anybody's guess.
        let files: Vec<PathBuf> =
            fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        for path in files {
            let name = path.file_name().unwrap_or_default();
            if is_ours(&path) && is_wanted(&name.to_string_lossy()) && path.is_file() {
                fs::rename(&path, self.done.join(name))?;
            }
        }
        for changed in [&self.done, &self.dir.join(DONE), &self.dir] {
            private::sync_dir(changed)?;
        }
        Ok(())
    }
}

/// A directory that goes when this is dropped, and the one above it, where nothing is left in them.
pub struct Passing(pub PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        for dir in self.0.ancestors().take(2).filter(|dir| !dir.as_os_str().is_empty()) {
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Refuses a run directory that holds an input: a run replaces the rejects that an earlier one
/// left there, or moves them aside.
///
/// # Errors
/// It holds one, or an input cannot be found.
pub fn spare_inputs(job: &Job) -> Result<(), Error> {
    // What isn't there yet holds nothing.
    let Ok(dir) = fs::canonicalize(&job.run_dir) else { return Ok(()) };
    let spool = dir.join(SPOOL_DIR);
    let inside = |path: &Path| {
        fs::canonicalize(path).is_ok_and(|found| match found.parent() {
            Some(parent) => (parent == dir && is_ours(path)) || parent.starts_with(&spool),
            None => false,
        })
    };
    let found = source::local_files(&job.inputs)?;
    match found.iter().find(|path| inside(path)) {
        Some(path) => Err(Error::Usage(format!(
            "{} stands in the run directory {}, where this run would replace it; leave --run-dir out, or \
             name another directory",
            path.display(),
            job.run_dir.display()
        ))),
        None => Ok(()),
    }
}

/// Whether a file's name is one that a run writes.
pub(super) fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let starts = [CHECKPOINT_FILE, "report.", "rejects", "damaged.", "resolved-mapping."];
    [FROZEN_FILE, FROZEN_STAGED_FILE, report::WRITTEN_FILE].contains(&&*name)
        || starts.iter().any(|start| name.starts_with(start))
}

/// The default directory of an import: the same command finds it again.
pub fn import_dir(job: &Job, destination: &str) -> PathBuf {
    named(job, Some(destination), "")
}

/// The directory of an import into an emulator of its own: a fresh one each time.
pub fn sandbox_dir(job: &Job) -> PathBuf {
    let dir = named(job, Some("sandbox"), SANDBOX_SUFFIX);
    unused(&dir, &utc_stamp())
}

/// Where an import into an emulator of its own remembers what that has, below its run directory: like
/// the emulator it knows nobody at the start, whatever an earlier run left there.
pub fn sandbox_state_dir(run_dir: &Path) -> PathBuf {
    let dir = run_dir.join(STATE_DIR);
    if dir.exists() { unused(&dir, &utc_stamp()) } else { dir }
}

/// The default directory of `validate` and `pack`: never beside a checkpoint.
pub fn checked_dir(job: &Job) -> PathBuf {
    named(job, None, "-check")
}

/// Where `init` unpacks inputs: a directory of its own for each process, which goes with it.
pub fn init_dir(job: &Job) -> PathBuf {
    named(job, None, &format!("-init-{}", std::process::id()))
}

/// The run directory below the default place whose checkpoint was written last.
///
/// # Errors
/// There is none, or the place cannot be read.
pub fn newest_dir() -> Result<PathBuf, Error> {
    let runs = Path::new(RUNS_DIR);
    let mut dirs = entries(runs)?;
    // Imports into an emulator of their own stand one level down, a directory each.
    let is_nested =
        |dir: &&PathBuf| dir.to_string_lossy().ends_with(SANDBOX_SUFFIX) && dir.is_dir();
    let nested = dirs.iter().filter(is_nested);
    let nested = nested.map(|dir| entries(dir)).collect::<Result<Vec<_>, _>>()?;
    dirs.extend(nested.into_iter().flatten());
    let newest = dirs.into_iter().filter_map(|path| {
        // What is no run of an import has no checkpoint.
        let written = fs::metadata(path.join(CHECKPOINT_FILE)).and_then(|found| found.modified());
        Some((written.ok()?, path))
    });
    // Of two with one time the later name, so that the answer is always the same.
    let newest: Option<(SystemTime, PathBuf)> = newest.max();
    newest.map(|(_, path)| path).ok_or_else(|| {
        Error::Usage(format!(
            "no run below {RUNS_DIR}/ in this directory holds a checkpoint; name the directory of an \
             import: moebulk status RUN_DIR"
        ))
    })
}

/// What stands in a directory; nothing where there is none.
pub(super) fn entries(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |error| output(dir, error);
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(fail)?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(fail(error)),
    }
}

fn named(job: &Job, destination: Option<&str>, suffix: &str) -> PathBuf {
    let stem = job.inputs.first().map(|path| source::stem(path)).unwrap_or_default();
    let stem = stem.replace(['*', '?', '[', ']'], "_");
    let mut identity = Vec::new();
    for path in &job.inputs {
        // The same file by another name is the same import.
        let path = fs::canonicalize(path).unwrap_or_else(|_| source::shown(path).into());
        identity.extend_from_slice(path.to_string_lossy().as_bytes());
        identity.push(0);
    }
    identity.extend_from_slice(job.kind.as_str().as_bytes());
    if let Some(destination) = destination {
        identity.push(0);
        identity.extend_from_slice(destination.as_bytes());
    }
    let hash = xxh3_64(&identity) >> 32;
    Path::new(RUNS_DIR).join(format!("{stem}-{hash:08x}{suffix}"))
}

/// A directory of this name that does not exist yet; a number is added where it does.
pub fn unused(parent: &Path, name: &str) -> PathBuf {
    let first = parent.join(name);
    if !first.exists() {
        return first;
    }
    (2..).map(|n| parent.join(format!("{name}-{n}"))).find(|path| !path.exists()).unwrap_or(first)
}

/// The time now, as directory names hold it: `20260131T235959Z`.
pub fn utc_stamp() -> String {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs().try_into().unwrap_or(0));
    let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    time.format("%Y%m%dT%H%M%SZ").to_string()
}

pub(super) fn output(path: &Path, error: io::Error) -> Error {
    Error::Output { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_a_run_is_told_by_files_that_a_run_writes() {
        assert_eq!(source::RUN_FILES, [CHECKPOINT_FILE, RESOLVED_FILE]);
    }
}
