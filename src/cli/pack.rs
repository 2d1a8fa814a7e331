//! `moebulk pack`

use std::{path::Path, sync::Arc};

use super::{
    args::{Output, PackArgs},
    conclude, ending,
    exit::Exit,
    interrupt, log, resolve, say, text,
};
use crate::progress::Progress;
use crate::report;
use crate::run::{self, Error, Surroundings};

/// Writes the request bodies.
///
/// # Errors
/// What keeps the inputs from being packed.
pub fn run(args: PackArgs) -> Result<Exit, Error> {
    let progress = Arc::new(Progress::new(args.job.progress.into()));
    log::start(&args.job.log, &progress);
    let output = args.job.output;
    let mut job = resolve::job(args.job)?;
    if job.run_dir.as_os_str().is_empty() {
        job.run_dir = run::checked_dir(&job);
    }
    let stop = interrupt::listen();
    let outcome = run::pack(&job, &args.out, &Surroundings { progress: &progress, stop: &stop })?;
    if let Some(table) = text::inferred(&outcome.inferred, &job) {
        say(&table);
    }
    if args.out != Path::new("-") {
        return Ok(conclude(&outcome, output, None));
    }
    // stdout holds the bodies, so the report goes to stderr.
    say(match output {
        Output::Json => report::to_json(&outcome.summary).unwrap_or_default(),
        Output::Text => text::summary(&outcome, None),
    }
    .trim_end());
    Ok(ending(&outcome))
}
