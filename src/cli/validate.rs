//! `moebulk validate`

use std::sync::Arc;

use super::{args::ValidateArgs, conclude, exit::Exit, interrupt, log, next, resolve, say, text};
use crate::progress::Progress;
use crate::run::{self, Error, Surroundings};

/// Checks everything and reports.
///
/// # Errors
/// What keeps the inputs from being checked.
pub fn run(args: ValidateArgs) -> Result<Exit, Error> {
    let progress = Arc::new(Progress::new(args.job.progress.into()));
    log::start(&args.job.log, &progress);
    let output = args.job.output;
    let (typed, to_file) = (args.job.typed.clone(), args.job.file_has_destination);
    let mut job = resolve::job(args.job)?;
    resolve::check_state(&job)?;
    if job.run_dir.as_os_str().is_empty() {
        job.run_dir = run::checked_dir(&job);
    }
    let stop = interrupt::listen(&progress);
    let outcome = run::validate(&job, &Surroundings { progress: &progress, stop: &stop })?;
    if let Some(table) = text::inferred(&outcome.inferred, &job) {
        say(&table);
    }
    let rows = &outcome.summary.rows;
    // The rejects alone are no import of what is valid.
    let rejects = if rows.accepted == 0 { outcome.rejects.as_slice() } else { &[] };
    let next = match rows.accepted + rows.skipped {
        // Without a valid row there is no import; what was mended is to be checked.
        0 => (!rejects.is_empty()).then(|| next::validate(rejects, &typed)),
        _ => Some(next::import(&job.inputs, rejects, &typed, to_file)),
    };
    Ok(conclude(&outcome, output, next.as_deref()))
}
