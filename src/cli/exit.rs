//! Exit codes, in one place. The README's table says the same.

use std::{io::ErrorKind, process::ExitCode};

use super::interrupt;
use crate::journal;
use crate::report;
use crate::run::Error;
use crate::send::{self, RateLogError};
use crate::source;
use crate::state;

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// Every row delivered, or valid.
    pub const SUCCESS: Self = Self(0);
    /// Finished; some rows rejected or failed.
    pub const SOME_ROWS: Self = Self(1);
    /// Wrong usage or configuration, a declined plan, another import in the way.
    pub const USAGE: Self = Self(2);
    /// Stopped before the end; the same command goes on.
    pub const STOPPED: Self = Self(3);
    /// An input cannot be read, or changed since the checkpoint.
    pub const INPUT: Self = Self(4);
    /// More rejects than allowed; nothing was sent.
    pub const REJECTS: Self = Self(5);
    /// A bug.
    pub const BUG: Self = Self(70);
    /// What a shell reports for a program that SIGPIPE ended.
    pub const BROKEN_PIPE: Self = Self(141);

    /// The code for an error.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Usage(_) | Error::Declined => Self::USAGE,
            Error::Find(source::FindError::Twice(_) | source::FindError::Pattern { .. }) => {
                Self::USAGE
            }
            Error::Find(_) | Error::Unreadable { .. } | Error::Changed(_) => Self::INPUT,
            Error::TooManyRejects { .. } => Self::REJECTS,
            Error::Send(send::Error::RateLog(RateLogError::Held { .. })) => Self::USAGE,
            Error::Send(send::Error::OverRate { .. }) => Self::USAGE,
            Error::Send(send::Error::RateLog(RateLogError::Newer { .. })) => Self::USAGE,
            Error::Send(_) => Self::STOPPED,
            // What is on the disk is unknown after a failed write: stop, claim nothing.
            Error::Journal(journal::Error::Io { .. } | journal::Error::Poisoned(_)) => {
                Self::STOPPED
            }
            Error::Journal(journal::Error::Misfit { .. }) => Self::BUG,
            // Where a file may not be made the flags are wrong; a full or failing disk is not
            // their fault, and the same command goes on when it is well.
            Error::Report(report::Error::Io { source, .. }) => Self::of_io(source.kind()),
            Error::Report(report::Error::Parquet { .. }) => Self::STOPPED,
            Error::Report(report::Error::Undeclared(_)) => Self::BUG,
            Error::Output { error, .. } => Self::of_io(error.kind()),
            Error::Journal(_) => Self::USAGE,
            Error::State(state::Error::Io { source, .. }) => Self::of_io(source.kind()),
            Error::State(_) => Self::USAGE,
            Error::BrokenPipe => Self::BROKEN_PIPE,
            Error::Interrupted => Self(interrupt::exit_code()),
            Error::Internal(_) => Self::BUG,
            Error::Placed { error, .. } => Self::of(error),
        }
    }

    /// The code where a file can't be written.
    fn of_io(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput => Self::USAGE,
            _ => Self::STOPPED,
        }
    }
}

impl Exit {
    /// Whether the same command goes on where the run stopped.
    pub fn is_resumable(self) -> bool {
        self == Self::STOPPED || self.0 == interrupt::exit_code()
    }
}

impl From<i32> for Exit {
    fn from(code: i32) -> Self {
        u8::try_from(code).map_or(Self::BUG, Self)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
