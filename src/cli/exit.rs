//! Exit codes, in one place. The README's table says the same.

use std::{io, process::ExitCode};

use super::interrupt;
use crate::journal;
use crate::report;
use crate::run::Error;
use crate::send::{self, RateLogError};
use crate::source;

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
            Error::Send(_) => Self::STOPPED,
            // What is on the disk is unknown after a failed write: stop, claim nothing.
            Error::Journal(journal::Error::Io { .. } | journal::Error::Poisoned(_)) => {
                Self::STOPPED
            }
            Error::Journal(journal::Error::Misfit { .. }) => Self::BUG,
            Error::Journal(_) => Self::USAGE,
            Error::Report(report::Error::Io { source, .. })
            | Error::Output { error: source, .. } => Self::of_unwritten(source),
            Error::Report(report::Error::Parquet { .. }) => Self::STOPPED,
            Error::Report(report::Error::Undeclared(_)) => Self::BUG,
            Error::BrokenPipe => Self::BROKEN_PIPE,
            Error::Interrupted => Self(interrupt::exit_code()),
            Error::Internal(_) => Self::BUG,
        }
    }
}

impl Exit {
    /// A file that could not be written: where its path is at fault, the user's; else the disk's,
    /// and the same command goes on when that is well.
    fn of_unwritten(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidFilename
            | io::ErrorKind::InvalidInput => Self::USAGE,
            _ => Self::STOPPED,
        }
    }

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
