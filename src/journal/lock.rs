//! One process per run directory.

use std::{
    fs::{File, TryLockError},
    io::{Read, Write},
    path::Path,
};

use super::Error;
use crate::private;

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
        let io = |action| Error::io(&path, action);
        let mut file = private::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("open"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The pid is a help to the reader alone; where it can't be read, it is left out.
                let pid =
                    file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(Error::Held { dir: dir.to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock")(source)),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io("write"))?;
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
