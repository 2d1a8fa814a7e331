//! `moebulk pack`

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    args::{Output, PackArgs},
    conclude, ending,
    exit::Exit,
    interrupt, log, resolve, say, terminal, text,
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
    resolve::check_state(&job)?;
    if job.run_dir.as_os_str().is_empty() {
        job.run_dir = run::checked_dir(&job);
    }
    let stop = interrupt::listen(&progress);
    // One end of a pipe or file takes bodies or the report, not both.
    let out = if is_stdout(&args.out) { PathBuf::from("-") } else { args.out };
    let outcome = run::pack(&job, &out, &Surroundings { progress: &progress, stop: &stop })?;
    if let Some(table) = text::inferred(&outcome.inferred, &job) {
        say(&table);
    }
    if out != Path::new("-") {
        return Ok(conclude(&outcome, output, None));
    }
    // stdout holds the bodies, so the report goes to stderr.
    say(match output {
        Output::Json => report::to_json(&outcome.summary).unwrap_or_default(),
        Output::Text => text::summary(&outcome, None, &terminal::look(&io::stderr())),
    }
    .trim_end());
    Ok(ending(&outcome))
}

/// Whether a name such as `/dev/stdout` leads to the file or pipe that stdout is.
#[cfg(unix)]
fn is_stdout(out: &Path) -> bool {
    use std::os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, MetadataExt},
    };
    let stdout = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    let (Ok(found), Ok(own)) = (std::fs::metadata(out), stdout.and_then(|file| file.metadata()))
    else {
        return false;
    };
    let holds_what_is_written = found.is_file() || found.file_type().is_fifo();
    holds_what_is_written && (found.dev(), found.ino()) == (own.dev(), own.ino())
}

#[cfg(not(unix))]
fn is_stdout(_: &Path) -> bool {
    false
}
