//! The command line: arguments as typed (`args`), options as resolved (`resolve`),
//! exit codes (`exit`), the log's form (`log`), one file a subcommand. The only room that knows clap.

mod args;
mod check;
mod exit;
mod import;
mod interrupt;
mod log;
mod pack;
mod resolve;
mod sandbox;
mod status;
mod text;
mod validate;

use std::{
    io::{self, Write},
    panic,
    process::ExitCode,
    sync::Mutex,
};

use clap::Parser;

use args::{Cli, Command, Output};
use exit::Exit;

use crate::report;
use crate::run::{End, Outcome};

/// Where the first panic was, for the message; what it said may hold a user's data.
static PANICKED_AT: Mutex<Option<String>> = Mutex::new(None);

/// Runs the command line.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        if let (Ok(mut at), Some(location)) = (PANICKED_AT.lock(), info.location()) {
            at.get_or_insert_with(|| location.to_string());
        }
    }));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, but not to the user.
            let code = if error.use_stderr() { Exit::USAGE } else { Exit::SUCCESS };
            let _ = error.print();
            return code.into();
        }
    };
    let exit = panic::catch_unwind(|| run(cli)).unwrap_or_else(|_| {
        let at = PANICKED_AT.lock().ok().and_then(|mut at| at.take()).unwrap_or_default();
        complain(&format!(
            "moebulk met a bug of its own at {at} and stopped; rows that were not answered are not marked \
             as done, and the same command goes on"
        ));
        Exit::BUG
    });
    exit.into()
}

fn run(cli: Cli) -> Exit {
    let result = match cli.command {
        Command::Import(args) => import::run(*args),
        Command::Validate(args) => validate::run(*args),
        Command::Pack(args) => pack::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Sandbox(args) => sandbox::run(args),
        Command::Status(args) => status::run(args),
    };
    result.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        // Whoever closed the pipe does not want to hear about it.
        if exit != Exit::BROKEN_PIPE {
            complain(&error.to_string());
        }
        exit
    })
}

/// Prints an outcome's summary, and says what stopped the run.
fn conclude(outcome: &Outcome, output: Output, next: Option<&str>) -> Exit {
    let text = match output {
        Output::Json => report::to_json(&outcome.summary).unwrap_or_default(),
        Output::Text => text::summary(outcome, next),
    };
    let mut stdout = io::stdout().lock();
    let printed = writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush());
    if printed.is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::BROKEN_PIPE;
    }
    ending(outcome)
}

/// Says what stopped a run, and gives its exit code.
fn ending(outcome: &Outcome) -> Exit {
    match &outcome.end {
        End::Stopped(error) => {
            complain(&error.to_string());
            Exit::of(error)
        }
        End::Already(code) => {
            say(
                "this very import is complete already; nothing was sent (--restart sends it again)",
            );
            Exit::from(*code)
        }
        End::Complete => {
            let rows = &outcome.summary.rows;
            if rows.rejected > 0 || rows.failed > 0 { Exit::SOME_ROWS } else { Exit::SUCCESS }
        }
    }
}

/// Says something on stderr; a closed stderr is no reason to stop.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn complain(text: &str) {
    say(&format!("moebulk: {text}"));
}
