//! `moebulk validate`

use super::{args::ValidateArgs, conclude, exit::Exit, interrupt, resolve, say, text};
use crate::progress::Progress;
use crate::run::{self, Error, Surroundings};

/// Checks everything and reports.
///
/// # Errors
/// What keeps the inputs from being checked.
pub fn run(args: ValidateArgs) -> Result<Exit, Error> {
    let progress = Progress::new(args.job.progress.into());
    let output = args.job.output;
    let mut job = resolve::job(args.job)?;
    if job.run_dir.as_os_str().is_empty() {
        job.run_dir = run::checked_dir(&job);
    }
    let stop = interrupt::listen();
    let outcome = run::validate(&job, &Surroundings { progress: &progress, stop: &stop })?;
    if let Some(table) = text::inferred(&outcome.inferred, &job) {
        say(&table);
    }
    Ok(conclude(&outcome, output, None))
}
