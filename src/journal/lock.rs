//! One process per run directory.

use std::{fs::File, path::Path};

use super::Error;
use crate::private::{self, LockError};

/// The lock's file in a run directory.
const LOCK_FILE: &str = "lock";

/// Keeps every other process out of a run directory, until it is dropped.
///
/// The system releases it with the process, whatever ends that; the file stays, and
/// means nothing by itself.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of a run directory, without waiting.
    ///
    /// # Errors
    /// [`Error::Held`] where another process has it; [`Error::Io`].
    pub fn take(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(LOCK_FILE);
        let file = private::lock(&path).map_err(|error| match error {
            LockError::Held(pid) => Error::Held { dir: dir.to_owned(), pid },
            LockError::Io(error) => Error::io(&path, "lock")(error),
        })?;
        Ok(Self { _file: file })
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
}
