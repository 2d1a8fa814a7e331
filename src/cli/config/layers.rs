//! What goes before what: flags, the environment, the checkpoint of a run that goes on,
//! `moebulk.toml`, the defaults.
//!
//! Whatever is no flag becomes the default of one, so that all of it goes through the same parser and
//! is held to the same rules.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command, FromArgMatches, parser::ValueSource};

use super::file::{CONFIG_FILE, Config, Setting, without_values};
use crate::cli::{args::Cli, resolve, switches};
use crate::model::{Excerpt, ExcerptMark};
use crate::run::Error;
use crate::shape::mapping;

/// The subcommand that has every flag which a file may set.
const WIDEST: &str = "import";

/// Flags of which one leaves the others out.
const DESTINATIONS: [&str; 3] = ["data_center", "endpoint", "sandbox"];

/// Flags that say nothing without `--only-changed`.
const OF_ONLY_CHANGED: [&str; 2] = ["state", "full"];

/// Values by the name of their argument.
pub type Held = BTreeMap<String, Vec<String>>;

/// A file that settings came from.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its mapping, where it has one.
    pub mapping: Option<toml::Table>,
    /// All of it.
    pub text: String,
    settings: Vec<Setting>,
}

/// The command line with what stands behind it.
pub struct Parsed {
    /// The arguments, resolved.
    pub cli: Cli,
    /// The file behind them.
    pub file: Option<Found>,
    arguments: Vec<OsString>,
    /// Those of the subcommand, with where each came from.
    matches: ArgMatches,
    /// Their names.
    names: Vec<String>,
    /// The names of those that are on or off.
    switches: Vec<String>,
    held: Held,
}

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag,
    /// The environment.
    Environment,
    /// The checkpoint of the run that goes on.
    Checkpoint,
    /// `moebulk.toml`.
    File,
    /// Nobody said anything.
    Default,
}

/// Why there are no arguments.
pub enum Failed {
    /// What clap says, help and version among it.
    Clap(clap::Error),
    /// A file or a checkpoint.
    Layer(Error),
}

impl From<clap::Error> for Failed {
    fn from(error: clap::Error) -> Self {
        Self::Clap(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Layer(error)
    }
}

impl Parsed {
    /// Parses a command line, with a file behind it: the one that it names, or the one in the
    /// working directory.
    ///
    /// # Errors
    /// See [`Failed`].
    pub fn new(arguments: Vec<OsString>) -> Result<Self, Failed> {
        let (_, given) = leaf(switches::command().try_get_matches_from(&arguments)?);
        let file = match given.try_contains_id("config") {
            Ok(_) => find(&given)?,
            Err(_) => None,
        };
        Self::with(arguments, file, Held::new())
    }

    /// Parses the same command line with what a checkpoint holds before the file.
    ///
    /// # Errors
    /// The checkpoint holds what is no value of a flag.
    pub fn resuming(self, held: Held) -> Result<Self, Failed> {
        Self::with(self.arguments, self.file, held)
    }

    fn with(arguments: Vec<OsString>, file: Option<Found>, held: Held) -> Result<Self, Failed> {
        let (path, given) = leaf(switches::command().try_get_matches_from(&arguments)?);
        let goes_elsewhere = names_destination(&given);
        let mut defaults = Held::new();
        for setting in file.iter().flat_map(|file| &file.settings) {
            defaults.insert(setting.name.clone(), setting.values.clone());
        }
        if DESTINATIONS.iter().any(|&name| held.contains_key(name)) {
            DESTINATIONS.iter().for_each(|&name| drop(defaults.remove(name)));
        }
        defaults.extend(held.clone());
        if goes_elsewhere {
            DESTINATIONS.iter().for_each(|&name| drop(defaults.remove(name)));
        }
        // What a flag turns off takes along what only says how.
        if is_turned_off(&given, "only_changed") {
            OF_ONLY_CHANGED.iter().for_each(|&name| drop(defaults.remove(name)));
        }
        // The environment has the key itself, which goes before a file's place in another file.
        if resolve::has_key_in_environment() {
            defaults.remove("api_key_file");
        }
        let command = with_defaults(switches::command(), &path, &defaults);
        let innermost = path
            .iter()
            .fold(&command, |command, name| command.find_subcommand(name).unwrap_or(command));
        let names = names(innermost);
        let is_switch = |argument: &&Arg| {
            !argument.get_action().takes_values() || switches::is_switch(argument.get_id().as_str())
        };
        let switches = innermost.get_arguments().filter(is_switch);
        let switches = switches.map(|argument| argument.get_id().to_string()).collect();
        let matches = command.try_get_matches_from(&arguments)?;
        let cli = Cli::from_arg_matches(&matches)?;
        let (_, matches) = leaf(matches);
        Ok(Self { cli, file, arguments, matches, names, switches, held })
    }

    /// Where the value of an argument came from.
    pub fn origin(&self, name: &str) -> Origin {
        let is_in_file = || {
            let mut settings = self.file.iter().flat_map(|file| &file.settings);
            settings.any(|setting| setting.name == name)
        };
        match source(&self.matches, name) {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment,
            Some(_) if self.held.contains_key(name) => Origin::Checkpoint,
            Some(_) if is_in_file() => Origin::File,
            _ => Origin::Default,
        }
    }

    /// The values of an argument as they were written; none where there is none.
    pub fn values(&self, name: &str) -> Vec<String> {
        let raw = self.matches.try_get_raw(name).ok().flatten().into_iter().flatten();
        raw.map(|value| value.to_string_lossy().into_owned()).collect()
    }

    /// Whether a program reads what is said: then each thing is one line.
    pub fn is_read_by_programs(&self) -> bool {
        let forms = ["output", "log_format", "progress"];
        forms.iter().any(|name| self.values(name) == ["json"])
    }

    /// Whether the file says where to send.
    pub fn file_has_destination(&self) -> bool {
        DESTINATIONS.iter().any(|name| match self.origin(name) {
            Origin::File => true,
            Origin::Checkpoint => self.file_says_the_same(name),
            _ => false,
        })
    }

    /// The arguments that a command must have to mean what this one does: those that were typed, and
    /// where a run goes on, those of its first command that the file does not say. A switch that is
    /// on has no values.
    pub fn typed(&self) -> Held {
        self.given(|name| match self.origin(name) {
            Origin::Flag => true,
            Origin::Checkpoint => !self.file_says_the_same(name),
            Origin::Environment | Origin::File | Origin::Default => false,
        })
    }

    /// The arguments that only the run says with which an import goes on, where its inputs are typed
    /// once more: whoever typed them may mean all of them, without the flags of before.
    pub fn taken_over(&self) -> Held {
        if self.origin("inputs") != Origin::Flag {
            return Held::new();
        }
        let is_of_run = |name: &str| self.origin(name) == Origin::Checkpoint;
        self.given(|name| is_of_run(name) && !self.file_says_the_same(name))
    }

    /// Those of the arguments that are wanted, with their values; a switch that is on has none.
    fn given(&self, wanted: impl Fn(&str) -> bool) -> Held {
        let names = self.names.iter().filter(|name| wanted(name));
        names
            .map(|name| (name.clone(), self.values(name)))
            .filter_map(|(name, values)| match self.switches.contains(&name) {
                true if values == ["true"] => Some((name, Vec::new())),
                // One that can't be turned off is not named.
                true if !switches::is_switch(&name) => None,
                _ => Some((name, values)),
            })
            .collect()
    }

    /// Whether the file has what the checkpoint has.
    fn file_says_the_same(&self, name: &str) -> bool {
        let mut settings = self.file.iter().flat_map(|file| &file.settings);
        let held = self.held.get(name);
        settings.any(|setting| setting.name == name && Some(&setting.values) == held)
    }

    /// The arguments that somebody gave a value, but for those about this one call.
    pub fn said(&self, about_the_call: &[&str]) -> Held {
        self.names
            .iter()
            .filter(|name| !about_the_call.contains(&name.as_str()))
            .filter(|name| self.origin(name) != Origin::Default)
            .map(|name| (name.clone(), self.values(name)))
            .collect()
    }
}

/// The names of the subcommands, and the arguments of the innermost.
fn leaf(mut matches: ArgMatches) -> (Vec<String>, ArgMatches) {
    let mut path = Vec::new();
    while let Some((name, inner)) = matches.remove_subcommand() {
        path.push(name);
        matches = inner;
    }
    (path, matches)
}

/// The names of a command's arguments.
fn names(command: &Command) -> Vec<String> {
    command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

/// Where the value of an argument came from, if the subcommand has it.
fn source(matches: &ArgMatches, name: &str) -> Option<ValueSource> {
    // To ask for one that it does not have would be a panic.
    matches.try_contains_id(name).ok()?;
    matches.value_source(name)
}

/// Whether the command line says where to send.
fn names_destination(given: &ArgMatches) -> bool {
    DESTINATIONS.iter().any(|name| source(given, name) == Some(ValueSource::CommandLine))
}

/// Whether the command line turns a switch off.
fn is_turned_off(given: &ArgMatches, name: &str) -> bool {
    source(given, name) == Some(ValueSource::CommandLine)
        && given.get_one::<bool>(name) == Some(&false)
}

/// A command with other defaults for the arguments of one subcommand.
fn with_defaults(command: Command, path: &[String], defaults: &Held) -> Command {
    if let [first, inner @ ..] = path {
        return command.mut_subcommand(first, |command| with_defaults(command, inner, defaults));
    }
    let known = names(&command);
    defaults.iter().filter(|(name, _)| known.contains(name)).fold(
        command,
        |command, (name, values)| {
            command.mut_arg(name, |argument| argument.default_values(values.clone()))
        },
    )
}

/// The file that the command line names, or that is found.
fn find(given: &ArgMatches) -> Result<Option<Found>, Error> {
    let named = given.get_one::<PathBuf>("config");
    let path = named.cloned().unwrap_or_else(|| PathBuf::from(CONFIG_FILE));
    let (config, text) = match Config::read(&path)? {
        Some(read) => read,
        None if named.is_none() => return Ok(None),
        None => {
            return Err(Error::Usage(format!(
                "--config {}: there is no such file",
                path.display()
            )));
        }
    };
    let settings = config.settings().map_err(|error| Error::Internal(error.to_string()))?;
    for setting in &settings {
        check(&path, &text, setting)?;
    }
    let chosen = |name: &str| settings.iter().find(|setting| setting.name == name);
    if let (Some(_), Some(_)) = (chosen("data_center"), chosen("endpoint")) {
        let message = "[connection] has both data_center and endpoint; keep one of them";
        let names = ["endpoint", "data_center"];
        return Err(Error::Usage(format!("{}: {message}", path.display())).at(excerpts(
            &path,
            &text,
            "connection",
            &names,
        )));
    }
    if let (None, Some(endpoint)) = (named, chosen("endpoint"))
        && !endpoint.values.iter().all(|url| resolve::is_loopback(url))
        && !names_destination(given)
    {
        return Err(Error::Usage(format!(
            "{}: a file that is merely found in the working directory may name a data center or this \
             machine, and its endpoint is another host; if the key may go there, give --config {0} or \
             --endpoint",
            path.display()
        ))
        .at(excerpts(&path, &text, "connection", &["endpoint"])));
    }
    Ok(Some(Found { path, mapping: config.mapping, text, settings }))
}

/// The lines of some keys of a table. The URL that says where to send can hold a password.
fn excerpts(path: &Path, text: &str, table: &str, names: &[&str]) -> Vec<Excerpt> {
    let spans = names.iter().filter_map(|name| mapping::value_in_toml(text, &[table, name]));
    let marks: Vec<_> = spans.map(|span| ExcerptMark::new(span, "")).collect();
    if marks.is_empty() {
        return Vec::new();
    }
    let text = without_values(text, |key| key.ends_with("endpoint"));
    vec![Excerpt::of(&path.display().to_string(), 1, &text, marks)]
}

/// Holds a setting to what its flag takes.
fn check(path: &Path, text: &str, setting: &Setting) -> Result<(), Error> {
    let Setting { table, name, values } = setting;
    let flag = format!("--{}", name.replace('_', "-"));
    for value in values {
        let line = ["moebulk".to_owned(), WIDEST.to_owned(), format!("{flag}={value}")];
        if let Err(error) = switches::command().try_get_matches_from(line) {
            let said = error.render().to_string();
            let said = said.strip_prefix("error: ").unwrap_or(&said);
            let said = said.split("\n\nFor more information").next().unwrap_or(said);
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(Error::Usage(format!("{}: {table}.{name}: {said}", path.display()))
                .at(excerpts(path, text, table, &[name])));
        }
    }
    Ok(())
}
