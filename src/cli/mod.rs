//! The command line: arguments as typed (`args`), options as resolved (`resolve`),
//! settings from files (`config`), exit codes (`exit`), the log's form (`log`), what the terminal can
//! show (`terminal`), one file a subcommand. The only room that knows clap.

mod args;
mod check;
mod config;
mod exit;
mod generate;
mod import;
mod init;
mod interrupt;
mod log;
mod next;
mod pack;
mod resolve;
mod runs;
mod sandbox;
mod state;
mod status;
mod switches;
mod terminal;
mod text;
mod validate;

use std::{
    env,
    io::{self, Write},
    panic,
    path::Path,
    process::ExitCode,
    sync::Mutex,
};

use args::{Command, ConfigCommand, JobArgs, Output};
use config::layers::{Failed, Origin, Parsed};
use exit::Exit;

use crate::model::{Diagnostic, printable_lines};
use crate::report;
use crate::run::{End, Error, Outcome};

/// Where the first panic was, for the message; what it said may hold a user's data.
static PANICKED_AT: Mutex<Option<String>> = Mutex::new(None);

/// What Unix says of a process that has as many files open as it may, and the same with what to do.
const EMFILE: &str = "Too many open files (os error 24)";
const EMFILE_ADVICE: &str =
    "Too many open files (os error 24: raise the limit of this process, such as `ulimit -n 1024`)";

/// Runs the command line.
pub fn main() -> ExitCode {
    panic::set_hook(Box::new(|info| {
        if let (Ok(mut at), Some(location)) = (PANICKED_AT.lock(), info.location()) {
            at.get_or_insert_with(|| location.to_string());
        }
    }));
    let exit = panic::catch_unwind(run).unwrap_or_else(|_| {
        let at = PANICKED_AT.lock().ok().and_then(|mut at| at.take()).unwrap_or_default();
        complain(&format!(
            "moebulk met a bug of its own at {at} and stopped; rows that were not answered are not marked \
             as done, and the same command goes on"
        ));
        Exit::BUG
    });
    exit.into()
}

fn run() -> Exit {
    let parsed = Parsed::new(env::args_os().collect()).and_then(import::resuming);
    let mut is_read_by_programs = false;
    let result = match parsed {
        Ok(parsed) => {
            is_read_by_programs = parsed.is_read_by_programs();
            obey(parsed)
        }
        Err(Failed::Layer(error)) => Err(error),
        Err(Failed::Clap(error)) => print_clap(&error),
    };
    result.unwrap_or_else(|error| {
        let exit = Exit::of(&error);
        // Whoever closed the pipe does not want to hear about it.
        if exit != Exit::BROKEN_PIPE {
            match is_read_by_programs {
                true => complain(&error.to_string()),
                false => explain(&error),
            }
        }
        exit
    })
}

fn obey(mut parsed: Parsed) -> Result<Exit, Error> {
    let said = parsed.said(&import::ABOUT_THE_CALL);
    let file = parsed.file.clone();
    let (typed, to_file) = (parsed.typed(), parsed.file_has_destination());
    let reads_stdin = parsed.origin("inputs") != Origin::Checkpoint;
    let with_layers = |job: &mut JobArgs| {
        job.reads_stdin = reads_stdin;
        (job.config_file, job.said) = (file, said);
        (job.typed, job.file_has_destination) = (typed, to_file);
    };
    match &mut parsed.cli.command {
        Command::Import(args) => with_layers(&mut args.job),
        Command::Validate(args) => with_layers(&mut args.job),
        Command::Pack(args) => with_layers(&mut args.job),
        _ => {}
    }
    if let Command::Config(ConfigCommand::Show(args)) = &parsed.cli.command {
        return config::show::show(&parsed, args);
    }
    if let Some(file) = &parsed.file {
        // What decides from a file that nobody named is said.
        say(&format!("settings: {}", file.path.display()));
    }
    if let Some(line) = next::taken_over(&parsed.taken_over()) {
        say(&line);
    }
    match parsed.cli.command {
        Command::Import(args) => import::run(*args),
        Command::Validate(args) => validate::run(*args),
        Command::Pack(args) => pack::run(*args),
        Command::Init(args) => init::run(*args),
        Command::Check(args) => check::run(&args),
        Command::Sandbox(args) => sandbox::run(args),
        Command::Status(args) => status::run(args),
        Command::Runs(command) => runs::run(command),
        Command::State(command) => state::run(command),
        Command::Config(_) => config::show::schema(),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { dir } => generate::manual(dir.as_deref()),
    }
}

/// Prints the result of a command as lines.
///
/// # Errors
/// It can't be written, or whoever read it has gone away: who reads on would take a part for all.
fn print(text: &str) -> Result<Exit, Error> {
    put(&format!("{}\n", printable_lines(text.trim_end())))?;
    Ok(Exit::SUCCESS)
}

/// Writes to stdout as it is; errors as [`print`] has them.
fn put(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|error| Error::of_write(Path::new("-"), error))
}

/// Prints what clap has to say. Help and version are errors to it, but not to the user.
fn print_clap(said: &clap::Error) -> Result<Exit, Error> {
    // It knows the colours of the terminal.
    let printed = said.print().and_then(|()| io::stdout().flush());
    match printed {
        _ if said.use_stderr() => Ok(Exit::USAGE),
        // Nobody asks for the code of a help that was read in part.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::of_write(Path::new("-"), error))
        }
        _ => Ok(Exit::SUCCESS),
    }
}

/// Prints an outcome's summary, and says what stopped the run.
fn conclude(outcome: &Outcome, output: Output, next: Option<&str>) -> Exit {
    let text = match output {
        Output::Json => report::to_json(&outcome.summary).unwrap_or_default(),
        Output::Text => text::summary(outcome, next, &terminal::look(&io::stdout())),
    };
    // First, so that the summary's last line, the command to type next, is the last one.
    let exit = ending(outcome);
    let Err(error) = put(&format!("{}\n", text.trim_end())) else { return exit };
    let failed = Exit::of(&error);
    if failed == Exit::BROKEN_PIPE {
        return failed;
    }
    complain(&error.to_string());
    // What stopped the run says more than that its report is missing.
    if matches!(exit, Exit::SUCCESS | Exit::SOME_ROWS) { failed } else { exit }
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

/// Says something on stderr, where no name of a file, a column or a server commands the terminal.
fn say(text: &str) {
    show(&printable_lines(text));
}

/// Writes to stderr; a closed one is no reason to stop.
fn show(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what is wrong, and shows the lines that it is about where there are some.
fn explain(error: &Error) {
    match error {
        Error::Placed { error, excerpts } => {
            let text = with_advice(&error.to_string());
            let diagnostic = Diagnostic::of_error(&text, excerpts.clone());
            show(&report::render(&diagnostic, &terminal::look(&io::stderr())));
        }
        _ => complain(&error.to_string()),
    }
}

fn complain(text: &str) {
    say(&format!("moebulk: {}", with_advice(text)));
}

/// The words of an error, with what to do where any file or connection may be the one too many.
fn with_advice(text: &str) -> String {
    match cfg!(unix) {
        true => text.replacen(EMFILE, EMFILE_ADVICE, 1),
        false => text.to_owned(),
    }
}
