//! One process per run directory.

use std::{fs::File, path::Path, thread, time::Duration};

use super::Error;
use crate::private::{self, LockError};

/// The lock's file in a run directory.
const LOCK_FILE: &str = "lock";

/// How often a lock that is held is tried, and the pause between two tries: who only looks has it for
/// some microseconds.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// Keeps every other process out of a run directory, until it is dropped.
///
/// The system releases it with the process, whatever ends that; the file stays, and
/// means nothing by itself.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run directory, without waiting for more than a [look](Self::is_held) at it.
    ///
    /// # Errors
    /// [`Error::Held`] where another process has it; [`Error::Io`].
    pub fn take(dir: &Path) -> Result<Self, Error> {
        Self::take_after(dir, || thread::sleep(PAUSE))
    }

    fn take_after(dir: &Path, mut pause: impl FnMut()) -> Result<Self, Error> {
        let path = dir.join(LOCK_FILE);
        let mut left = TRIES;
        loop {
            left -= 1;
            match private::lock(&path) {
                Ok(file) => return Ok(Self { _file: file }),
                Err(LockError::Held(_)) if left > 0 => pause(),
                Err(LockError::Held(pid)) => return Err(Error::Held { dir: dir.to_owned(), pid }),
                Err(LockError::Io(error)) => return Err(Error::io(&path, "lock")(error)),
            }
        }
    }

    /// Whether a process has a run directory; one without a lock's file is nobody's.
    pub fn is_held(dir: &Path) -> bool {
        private::is_locked(&dir.join(LOCK_FILE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_other_learns_whom_to_wait_for() {
        let dir = tempfile::tempdir().unwrap();
        let lock = RunLock::take(dir.path()).unwrap();
        let Err(Error::Held { pid, .. }) = RunLock::take(dir.path()) else {
            panic!("taken twice");
        };
        assert_eq!(pid, Some(std::process::id()));
        drop(lock);
        RunLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_look_turns_nobody_away_and_leaves_the_file_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(LOCK_FILE);
        assert!(!RunLock::is_held(dir.path()));
        assert!(!file.exists(), "a look made it");
        let lock = RunLock::take(dir.path()).unwrap();
        assert!(RunLock::is_held(dir.path()));
        drop(lock);
        std::fs::write(&file, "of an earlier one").unwrap();
        assert!(!RunLock::is_held(dir.path()));
        assert_eq!(std::fs::read(&file).unwrap(), b"of an earlier one");

        let look = File::open(&file).unwrap();
        look.try_lock_shared().unwrap();
        assert!(!RunLock::is_held(dir.path()), "who looks takes no other look for a run");
        let mut looks = Some(look);
        RunLock::take_after(dir.path(), || looks = None).unwrap();
    }

    #[test]
    fn one_that_is_held_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = RunLock::take(dir.path()).unwrap();
        let mut pauses = 0;
        let refused = RunLock::take_after(dir.path(), || pauses += 1);
        assert!(matches!(refused, Err(Error::Held { .. })));
        assert_eq!(pauses, TRIES - 1);
    }
}
