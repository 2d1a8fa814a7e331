//! `moebulk sandbox`

use std::env;

use super::{args::SandboxArgs, exit::Exit, print, say};
use crate::model::Rate;
use crate::run::Error;
use crate::sandbox::{Options, Sandbox};

/// Runs the emulator until the process is ended.
///
/// # Errors
/// The address cannot be listened on, or not be said.
pub fn run(args: SandboxArgs) -> Result<Exit, Error> {
    let defaults = Options::default();
    let key = env::var("MOENGAGE_DATA_API_KEY").ok().filter(|key| !key.is_empty());
    let sandbox = Sandbox::start(Options {
        listen: args.listen,
        app_id: args.app_id,
        api_key: key.unwrap_or(defaults.api_key),
        users_per_minute: args.users_per_minute.per_minute(),
        events_per_minute: args.events_per_minute.per_minute(),
        answers: args.answer,
        faults: args.fault.unwrap_or_default(),
        slow: args.slow,
        seed: args.seed,
        poison: args.poison,
        ..Options::default()
    })
    .map_err(|error| Error::Usage(error.to_string()))?;
    print(&sandbox.url())?;
    say(&format!(
        "the emulator knows the workspace {}; look at /_sandbox/records, /_sandbox/users, \
         /_sandbox/violations, /_sandbox/dropped, /_sandbox/stats",
        sandbox.app_id()
    ));
    sandbox.wait();
    Ok(Exit::SUCCESS)
}

/// An emulator for one import, with the rates of that import.
///
/// # Errors
/// No address can be listened on.
pub fn embedded(users: Rate, events: Rate) -> Result<Sandbox, Error> {
    Sandbox::start(Options {
        users_per_minute: users.per_minute(),
        events_per_minute: events.per_minute(),
        ..Options::default()
    })
    .map_err(|error| Error::Usage(format!("--sandbox: {error}")))
}
