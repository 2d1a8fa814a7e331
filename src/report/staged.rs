//! A file that appears in a run directory whole or not at all.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3Default;

use crate::private;

/// A file under a temporary name, readable by its owner alone.
///
/// Dropped without [`Staged::commit`] it is removed.
pub(super) struct Staged {
    path: PathBuf,
    to: Option<BufWriter<File>>,
    hash: Xxh3Default,
}

impl Staged {
    /// Begins a file in `dir`; `name` is free to choose but must be its own.
    pub fn create(dir: &Path, name: &str) -> io::Result<Self> {
        let path = dir.join(format!(".{name}.tmp"));
        // A leftover of a crash could have another mode.
        private::remove(&path)?;
        let file = private::options().write(true).create_new(true).open(&path)?;
        let to = Some(BufWriter::new(file));
        Ok(Self { path, to, hash: Xxh3Default::default() })
    }

    /// Makes it durable, and then visible in the place of `target`.
    pub fn commit(mut self, target: &Path) -> io::Result<()> {
        if let Some(to) = self.to.take() {
            to.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        fs::rename(&self.path, target)?;
        private::sync_dir(target.parent().unwrap_or(Path::new("")))
    }

    /// The hash of what was written so far.
    pub fn hash(&self) -> &Xxh3Default {
        &self.hash
    }

    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        self.to.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file()?.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staged").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Committed, it has another name by now; else there is nobody to tell of an error.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appears_on_commit_alone_and_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        let mut staged = Staged::create(dir.path(), "a").unwrap();
        staged.write_all(b"lost").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        let mut staged = Staged::create(dir.path(), "a").unwrap();
        staged.write_all(b"kept").unwrap();
        assert!(!target.exists());
        staged.commit(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
