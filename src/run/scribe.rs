//! The journal on a thread of its own: while a turn is on its way to the disk, the sender's thread
//! reads answers.

use std::{
    io,
    sync::mpsc,
    thread::{self, Scope, ScopedJoinHandle},
};

use tokio::sync::oneshot;

use crate::journal::{self, Journal};
use crate::model::Turn;
use crate::send::LedgerError;

type Written = Result<(), journal::Error>;

/// Hands turns to the journal's thread, which ends when this is dropped.
pub struct Scribe {
    turns: mpsc::Sender<(Turn, oneshot::Sender<Written>)>,
}

impl Scribe {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread left.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        journal: &'scope mut Journal,
    ) -> io::Result<(Self, ScopedJoinHandle<'scope, ()>)> {
        let (turns, received) = mpsc::channel::<(Turn, oneshot::Sender<Written>)>();
        let thread =
            thread::Builder::new().name("journal".to_owned()).spawn_scoped(scope, || {
                for (turn, written) in received {
                    // Where the sender panicked nobody is left to be told.
                    let _ = written.send(journal.turn(turn));
                }
            })?;
        Ok((Self { turns }, thread))
    }

    /// Writes a turn down; durable when the future is ready. One at a time.
    ///
    /// # Errors
    /// As [`Journal::turn`].
    pub async fn turn(&self, turn: Turn) -> Result<(), LedgerError> {
        let (written, told) = oneshot::channel();
        self.turns.send((turn, written))?;
        Ok(told.await??)
    }
}
