//! Why a state can't be used.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a state can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("cannot {action} {}: {source}; check the directory's permissions and free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no state.
    #[error("there is no state at {}; an import with --only-changed makes one, and --state names its directory", .0.display())]
    Missing(PathBuf),
    /// A file is not what was written.
    #[error(
        "the state's file {} is damaged ({what}); move its directory away: the next import with \
         --only-changed then sends every row and makes a new one (a copy from before the last import \
         would take old rows for what the server holds)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// What an unfinished import decided is lost.
    #[error(
        "{} {what}: it says which rows this unfinished import sends; restore it from a copy, or begin \
         anew with --restart", path.display()
    )]
    Decision {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Written by a later version of the program.
    #[error("the state {} has format {version}, which a newer moebulk wrote; use that one", path.display())]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        version: u64,
    },
    /// It is of something else.
    #[error(
        "--state {}: is of {was}, this import is of {now}; name another directory, or leave --state \
         out: each has its own", dir.display()
    )]
    Other {
        /// The directory.
        dir: PathBuf,
        /// What it is of.
        was: String,
        /// What is imported.
        now: String,
    },
    /// Another process has it.
    #[error(
        "{} uses the state {}; wait until it ends (--wait does), or name another --state",
        pid.map_or_else(|| "another import".to_owned(), |pid| format!("another import (process {pid})")),
        dir.display()
    )]
    Held {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, where it can be read.
        pid: Option<u32>,
    },
}

impl Error {
    /// Adapts an I/O error, for `map_err`.
    pub(super) fn io(path: &Path, action: &'static str) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), action, source }
    }

    pub(super) fn damaged(path: &Path, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), what }
    }
}
