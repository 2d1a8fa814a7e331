//! Files and directories that only their owner may read, since they hold rows of customers or
//! what is known of an account. No link is followed to one: whoever may write to a directory
//! above could make us overwrite a file elsewhere.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// Options for a file of ours: 0600 where it is made, and an error where a link stands in its
/// place.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // The flag is one bit, far from the sign.
        options.mode(0o600).custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    options
}

/// Makes a directory, 0700, and those above it that are missing. An empty one that stands
/// there becomes private; one that holds anything may be shared on purpose, and stays.
///
/// # Errors
/// It can't be made, or a link or a file stands in its place.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    if fs::symlink_metadata(path)?.is_symlink() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a symbolic link, which is not followed; name the directory itself",
        ));
    }
    #[cfg(unix)]
    if fs::read_dir(path)?.next().is_none() {
        use std::os::unix::fs::PermissionsExt;
        let mut permissions = fs::metadata(path)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            permissions.set_mode(0o700);
            fs::set_permissions(path, permissions)?;
        }
    }
    Ok(())
}

/// Why a lock can't be taken.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it: this one, where it can be read.
    Held(Option<u32>),
    /// The file can't be opened, locked or written.
    Io(io::Error),
}

/// Locks a file, made where it is missing, for as long as what is returned is kept; it holds the
/// id of the process. The system releases it with the process, whatever ends that; the file stays,
/// and means nothing by itself.
///
/// # Errors
/// [`LockError`]
pub fn lock(path: &Path) -> Result<File, LockError> {
    let open = options().read(true).write(true).create(true).truncate(false).open(path);
    let mut file = open.map_err(LockError::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            // The pid is a help to the reader alone; where it can't be read, it is left out.
            let read = file.read_to_string(&mut text).ok();
            return Err(LockError::Held(read.and_then(|_| text.trim().parse().ok())));
        }
        Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
    }
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(LockError::Io)?;
    Ok(file)
}

/// Whether somebody has a [`lock`]. The file is neither made nor changed. While this looks, it shares
/// the lock: whoever wants it in that moment is turned away, and should try again.
pub fn is_locked(path: &Path) -> bool {
    let open = options().read(true).open(path);
    open.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// A file, 0600, that appears in its place whole or not at all. Until then it has a name of its own in
/// the same directory; dropped without [`Whole::commit`] it is removed.
#[derive(Debug)]
pub struct Whole {
    file: NamedTempFile,
    target: PathBuf,
}

impl Whole {
    /// Begins a file that will replace `target`.
    ///
    /// # Errors
    /// None can be made in its directory.
    pub fn create(target: &Path) -> io::Result<Self> {
        let mut name = tempfile::Builder::new();
        // Two runs may write to one target, and a name that is made of it may be somebody's file.
        let file = name.prefix(".moebulk-").suffix(".partial").tempfile_in(directory(target))?;
        Ok(Self { file, target: target.to_owned() })
    }

    /// Makes it durable, and then visible in its place.
    ///
    /// # Errors
    /// It can't be synced or renamed.
    pub fn commit(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target)?;
        sync_dir(directory(&self.target))
    }
}

impl Write for Whole {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// The directory in which a file stands.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes what was created or renamed in a directory durable.
///
/// # Errors
/// The directory can't be opened or synced.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // Only POSIX systems open and sync a directory like a file.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Removes a file that may not be there.
///
/// # Errors
/// It is there and can't be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn directories_are_private_unless_they_hold_something() {
        let dir = tempfile::tempdir().unwrap();
        let nested = dir.path().join("a/b");
        create_dir(&nested).unwrap();
        assert_eq!((mode(&nested), mode(nested.parent().unwrap())), (0o700, 0o700));
        for (path, holds, expected) in [("empty", false, 0o700), ("shared", true, 0o755)] {
            let path = dir.path().join(path);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            if holds {
                fs::write(path.join("theirs"), "").unwrap();
            }
            create_dir(&path).unwrap();
            assert_eq!(mode(&path), expected);
        }
    }

    #[test]
    fn no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (elsewhere, link) = (dir.path().join("elsewhere"), dir.path().join("link"));
        fs::write(&elsewhere, "theirs").unwrap();
        symlink(&elsewhere, &link).unwrap();
        assert!(options().write(true).create(true).truncate(true).open(&link).is_err());
        assert_eq!(fs::read(&elsewhere).unwrap(), b"theirs");
        symlink(dir.path(), dir.path().join("dir")).unwrap();
        let refused = create_dir(&dir.path().join("dir")).unwrap_err();
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
    }

    #[test]
    fn a_whole_file_appears_on_commit_alone_and_spares_what_stands_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a");
        fs::write(dir.path().join("a.partial"), "theirs").unwrap();
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
        let mut whole = Whole::create(&target).unwrap();
        whole.write_all(b"lost").unwrap();
        drop(whole);
        assert_eq!(fs::read(&target).unwrap(), b"old");
        let mut whole = Whole::create(&target).unwrap();
        whole.write_all(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        whole.commit().unwrap();
        assert_eq!((fs::read(&target).unwrap(), mode(&target)), (b"new".to_vec(), 0o600));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        assert_eq!(fs::read(dir.path().join("a.partial")).unwrap(), b"theirs");
    }
}
