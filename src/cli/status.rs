//! `moebulk status`

use std::io::{self, Write};

use super::{args::StatusArgs, exit::Exit, text};
use crate::journal::{CHECKPOINT_FILE, Journal};
use crate::run::Error;

/// Says what a checkpoint holds.
///
/// # Errors
/// There is none, or it cannot be believed.
pub fn run(args: &StatusArgs) -> Result<Exit, Error> {
    let snapshot = Journal::peek(&args.run_dir.join(CHECKPOINT_FILE))?;
    let text = text::status(&snapshot);
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::BROKEN_PIPE),
        _ => Ok(Exit::SUCCESS),
    }
}
