//! The definition of the command line, with what clap's own derive has no words for: switches that a
//! file can turn on and a flag off, and variables of the environment that are empty.

use std::env;

use clap::{Arg, ArgAction, Command, CommandFactory, builder::Resettable};

use super::args::Cli;

/// Switches that a file can turn on, as a setting or in its mapping: `--NAME=false` turns each off.
const SWITCHES: [&str; 10] = [
    "no_proxy",
    "only_changed",
    "no_header",
    "lenient_quotes",
    "strict_ids",
    "strict",
    "accept_inferred",
    "rejects_safe",
    "wait",
    "update_existing_only",
];

/// The definition of the command line.
pub fn command() -> Command {
    with_switches(Cli::command())
}

/// Whether an argument can be turned on and off.
pub fn is_switch(name: &str) -> bool {
    SWITCHES.contains(&name)
}

fn with_switches(command: Command) -> Command {
    command.mut_args(|arg| switch(not_empty(arg))).mut_subcommands(with_switches)
}

/// Takes a variable that is empty for one that is not set, as it is for the key. The help names it
/// all the same.
fn not_empty(arg: Arg) -> Arg {
    let Some(name) = arg.get_env() else { return arg };
    if env::var_os(name).is_none_or(|value| !value.is_empty()) {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = format!("{help} [env: {}]", name.to_string_lossy());
    arg.env(Resettable::Reset).help(help)
}

/// Lets a switch take `=true` and `=false`; alone it is true, as ever.
fn switch(arg: Arg) -> Arg {
    if !is_switch(arg.get_id().as_str()) {
        return arg;
    }
    let is_off_by_default = matches!(arg.get_action(), ArgAction::SetTrue);
    let arg = arg
        .action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .value_name("true|false")
        .hide_possible_values(true)
        .hide_default_value(true);
    if is_off_by_default { arg.default_value("false") } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }
}
