//! `moebulk status`

use std::io::{self, Write};

use super::{args::StatusArgs, exit::Exit, text};
use crate::journal::{CHECKPOINT_FILE, Journal};
use crate::run::{self, Error};

/// Says what a checkpoint holds: the named one, or the newest.
///
/// # Errors
/// There is none, or it cannot be believed.
pub fn run(args: StatusArgs) -> Result<Exit, Error> {
    let run_dir = args.run_dir.map_or_else(run::newest_dir, Ok)?;
    let snapshot = Journal::peek(&run_dir.join(CHECKPOINT_FILE))?;
    let text = text::status(&snapshot, &run_dir);
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::BROKEN_PIPE),
        _ => Ok(Exit::SUCCESS),
    }
}
