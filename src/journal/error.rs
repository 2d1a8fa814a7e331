//! Why a checkpoint can't be used.

use std::{io, path::PathBuf};

/// Why a checkpoint or a run directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read or written.
    #[error("cannot {action} {}: {source}; check the directory's permissions and free space", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// There is no checkpoint.
    #[error("there is no checkpoint at {}; name the directory of an import with --run-dir", .0.display())]
    Missing(PathBuf),
    /// A new checkpoint would overwrite another.
    #[error("there is a checkpoint at {} already; resume it, or discard it with --restart", .0.display())]
    Exists(PathBuf),
    /// A record is damaged, and it is not a last one that a crash cut short.
    #[error("the checkpoint {} is damaged in line {line}; restore it from a copy, or discard it with --restart", path.display())]
    Corrupt {
        /// The checkpoint.
        path: PathBuf,
        /// The first bad line, from 1.
        line: u64,
    },
    /// Written by a later version of the program.
    #[error("the checkpoint {} has format {version}, which a newer moebulk wrote; resume with that one, or discard it with --restart", path.display())]
    NewerVersion {
        /// The checkpoint.
        path: PathBuf,
        /// Its format.
        version: u64,
    },
    /// A write or sync failed earlier. What is on the disk is unknown since then, and
    /// a sync that is tried again may report success for pages that were lost.
    #[error("the checkpoint {} could not be written earlier; stop, and resume when the disk is well", .0.display())]
    Poisoned(PathBuf),
    /// A stretch that can't belong to its body: a bug of the caller.
    #[error("elements {start}..{end} do not fit body {body} of {elements} elements")]
    Misfit {
        /// The body's ordinal.
        body: u64,
        /// First element of the stretch.
        start: u32,
        /// One past its last element.
        end: u32,
        /// Elements in the body, as the checkpoint knows it.
        elements: u32,
    },
    /// Another process holds the run directory.
    #[error("{} holds {}; wait until it ends (--wait does), or choose another --run-dir", holder(*pid), dir.display())]
    Held {
        /// The run directory.
        dir: PathBuf,
        /// The holder's process id, where it can be read.
        pid: Option<u32>,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another import".to_owned(), |pid| format!("another import (process {pid})"))
}

impl Error {
    /// Adapts an I/O error, for `map_err`.
    pub(super) fn io(
        path: &std::path::Path,
        action: &'static str,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, action, source }
    }
}
