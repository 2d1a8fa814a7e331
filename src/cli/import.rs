//! `moebulk import`

use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
    sync::Arc,
};

use secrecy::SecretString;

use super::{
    args::{Command, ImportArgs, InDoubtArg},
    conclude,
    config::layers::{Failed, Parsed},
    exit::Exit,
    interrupt, log, next, resolve, sandbox, say, text,
};
use crate::journal::{CHECKPOINT_FILE, Journal, Snapshot};
use crate::model::shell_path;
use crate::progress::Progress;
use crate::run::{self, Delivery, End, Error, InDoubt, Job, Surroundings};
use crate::sandbox::Sandbox;

/// Arguments that are about one call: a resume does not take them for given.
pub const ABOUT_THE_CALL: [&str; 9] = [
    "config",
    "run_dir",
    "restart",
    "yes",
    "wait",
    "progress",
    "output",
    "log_level",
    "log_format",
];

/// Where an import goes on with an unfinished run, everything that is not said again is taken from
/// its checkpoint.
///
/// # Errors
/// The checkpoint holds what is no value of a flag.
pub fn resuming(parsed: Parsed) -> Result<Parsed, Failed> {
    let Command::Import(args) = &parsed.cli.command else { return Ok(parsed) };
    if args.restart || args.target.sandbox {
        return Ok(parsed);
    }
    // Whatever is wrong with the arguments is told where they are used.
    let Some(dir) = args.job.run_dir.clone().or_else(|| default_dir(args)) else {
        return Ok(parsed);
    };
    let Ok(Snapshot { binding, finished, .. }) = Journal::peek(&dir.join(CHECKPOINT_FILE)) else {
        return Ok(parsed);
    };
    // Without inputs no other import can be meant.
    if finished.is_some() && !args.job.inputs.is_empty() {
        return Ok(parsed);
    }
    parsed.resuming(binding.said)
}

/// The run directory of an import for which none is named.
fn default_dir(args: &ImportArgs) -> Option<PathBuf> {
    let job = resolve::quiet_job(args.job.clone()).ok()?;
    let endpoint = resolve::endpoint(&args.target.account).ok()?;
    let app_id = args.target.account.app_id.as_deref()?;
    Some(run::import_dir(&job, &destination(&endpoint.url, app_id)))
}

/// What reports call where an import goes.
fn destination(url: &str, app_id: &str) -> String {
    format!("{url} {app_id}")
}

/// Checks, shows the plan, sends, records.
///
/// # Errors
/// What keeps the import from being checked.
pub fn run(args: ImportArgs) -> Result<Exit, Error> {
    let progress = Arc::new(Progress::new(args.job.progress.into()));
    log::start(&args.job.log, &progress);
    let output = args.job.output;
    let mut job = resolve::job(args.job.clone())?;
    // Kept until the import is over: dropping it stops the emulator.
    let (delivery, sandbox) = delivery(&args, &mut job)?;
    let stop = interrupt::listen(&progress);
    let asks =
        delivery.is_real && !args.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
    let around = Surroundings { progress: &progress, stop: &stop };
    let outcome = run::import(&job, &delivery, &around, |proposal| {
        if let Some(table) = text::inferred(&proposal.inferred, &job) {
            say(&table);
        }
        say(&text::plan(proposal, &job));
        !asks || agreed()
    })?;
    let resumable = match &outcome.end {
        End::Stopped(error) => Exit::of(error).is_resumable(),
        End::Complete | End::Already(_) => false,
    };
    let typed = &args.job.typed;
    // What was an exercise does not go on for real.
    let to_file = args.job.file_has_destination && !args.target.sandbox;
    let next = match &outcome.end {
        End::Stopped(_) if !resumable => None,
        // An emulator of its own is gone with the run, and with it what it was sent.
        End::Stopped(_) if args.target.sandbox => {
            Some(next::import(&job.inputs, &[], typed, to_file))
        }
        End::Stopped(_) => Some(next::resume(&job.run_dir, typed)),
        _ if !outcome.rejects.is_empty() => {
            Some(next::import(&job.inputs, &outcome.rejects, typed, to_file))
        }
        _ => Some(format!("moebulk status {}", shell_path(&job.run_dir))),
    };
    let exit = conclude(&outcome, output, next.as_deref());
    drop(sandbox);
    Ok(exit)
}

fn delivery(args: &ImportArgs, job: &mut Job) -> Result<(Delivery, Option<Sandbox>), Error> {
    let given = !job.run_dir.as_os_str().is_empty();
    if args.target.sandbox {
        let sandbox = sandbox::embedded(job.users, job.events)?;
        if !given {
            job.run_dir = run::sandbox_dir(job);
        }
        if let Some(only) = &mut job.only_changed
            && only.state.as_os_str().is_empty()
        {
            only.state = run::sandbox_state_dir(&job.run_dir);
        }
        let delivery = Delivery {
            endpoint: sandbox.url(),
            destination: run::SANDBOX.to_owned(),
            app_id: sandbox.app_id().to_owned(),
            api_id: sandbox.app_id().to_owned(),
            key: SecretString::from(sandbox.api_key()),
            is_real: false,
            // Each emulator counts from nothing, so its log stays with its run.
            state_dir: job.run_dir.clone(),
            retry_for: args.retry_for,
            connections: args.connections.map(usize::from),
            in_doubt: InDoubt::Resend,
            wait: args.wait,
            no_proxy: true,
            // It is a new account each time: what an earlier run sent is not there.
            restart: true,
        };
        return Ok((delivery, Some(sandbox)));
    }
    let account = &args.target.account;
    let endpoint = resolve::endpoint(account)?;
    resolve::check_rates(job, &endpoint)?;
    let credentials = resolve::credentials(account)?;
    if !given {
        job.run_dir = run::import_dir(job, &destination(&endpoint.url, &credentials.app_id));
    }
    let destination = destination(&endpoint.url, &credentials.app_id);
    if let Some(only) = &mut job.only_changed
        && only.state.as_os_str().is_empty()
    {
        only.state = run::state_dir(&resolve::states_dir()?, &destination, job.kind);
    }
    let delivery = Delivery {
        in_doubt: in_doubt(args.in_doubt),
        wait: args.wait,
        no_proxy: args.target.account.no_proxy,
        destination,
        endpoint: endpoint.url,
        app_id: credentials.app_id,
        api_id: credentials.api_id,
        key: credentials.key,
        is_real: endpoint.is_real,
        state_dir: resolve::state_dir()?,
        retry_for: args.retry_for,
        connections: args.connections.map(usize::from),
        restart: args.restart,
    };
    Ok((delivery, None))
}

fn in_doubt(arg: InDoubtArg) -> InDoubt {
    match arg {
        InDoubtArg::Resend => InDoubt::Resend,
        InDoubtArg::Skip => InDoubt::Skip,
    }
}

fn agreed() -> bool {
    let _ = write!(io::stderr(), "send? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok()
        && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
