//! The arguments as typed.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{config::layers::Found, init::InitArgs};
use crate::model::{Rate, TextEncoding};
use crate::progress::Mode;
use crate::run::RejectsMax;
use crate::sandbox::{FaultRates, ScriptedAnswer};

/// Loads users, events and devices from large CSV, NDJSON, Parquet and Arrow files into MoEngage
#[derive(Debug, Parser)]
#[command(name = "moebulk", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check everything, show the plan, send, record; the same command resumes
    #[command(args_override_self = true)]
    Import(Box<ImportArgs>),
    /// Check everything and report; nothing is sent
    #[command(args_override_self = true)]
    Validate(Box<ValidateArgs>),
    /// Write the request bodies, one JSON document a line
    #[command(args_override_self = true)]
    Pack(Box<PackArgs>),
    /// Look at all values and write a commented moebulk.toml; nothing is loaded
    #[command(args_override_self = true)]
    Init(Box<InitArgs>),
    /// Test the credentials and the way to the server; nothing is loaded
    #[command(args_override_self = true)]
    Check(CheckArgs),
    /// Run an emulator of the API on this machine
    Sandbox(SandboxArgs),
    /// Say what a checkpoint holds: done, pending, in doubt
    Status(StatusArgs),
    /// The runs in a directory: what they are, and the removal of old ones
    #[command(subcommand)]
    Runs(RunsCommand),
    /// What --only-changed remembers: figures, a check of the files, ids to forget
    #[command(subcommand)]
    State(StateCommand),
    /// Settings: what holds and where it came from, and what may stand in moebulk.toml
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write the completions of a shell to stdout
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// Where they go; without it the page of moebulk itself goes to stdout
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// `config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting that an import would have, and where it came from; takes the flags of import
    #[command(args_override_self = true)]
    Show(Box<ImportArgs>),
    /// Write the JSON Schema of moebulk.toml, with which editors complete and check it
    Schema,
}

/// `runs`
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs, the oldest first
    List(RunsArgs),
    /// Remove runs that are over and that nothing was written to for some time: their reports and rejects
    Prune(PruneArgs),
}

/// `runs list`
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Where run directories stand
    #[arg(value_name = "DIR", default_value = "moebulk-runs")]
    pub place: PathBuf,
    /// The form of the result on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub output: DocumentOutput,
}

/// `runs prune`
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Which runs, and how the result is written.
    #[command(flatten)]
    pub runs: RunsArgs,
    /// The age, such as 30d or 12h; unfinished imports stay whatever their age
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_duration)]
    pub older_than: Duration,
    /// Say which would be removed, and remove none
    #[arg(long)]
    pub dry_run: bool,
}

/// `state`
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Say what a state is of, how many ids it has, and when it moved last
    Stats(StateArgs),
    /// Read all of a state, and hold it against its checksums
    Verify(StateArgs),
    /// Forget ids, so that their rows are sent next time whatever they say
    Forget(ForgetArgs),
}

/// `state stats` and `state verify`
#[derive(Debug, Args)]
pub struct StateArgs {
    /// The state's directory [default: the one below the user's state directory, if there is one alone]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// The form of the result on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub output: DocumentOutput,
}

/// `state forget`
#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// A customer_id, or of devices a device_id; `-` reads ids from stdin, one a line
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Which state, and how the result is written.
    #[command(flatten)]
    pub state: StateArgs,
}

/// `import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to check.
    #[command(flatten)]
    pub job: JobArgs,
    /// Where to send.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Begin anew, whatever an earlier run left: rows that it delivered are sent again
    #[arg(long)]
    pub restart: bool,
    /// Do not ask before sending to a real endpoint
    #[arg(long)]
    pub yes: bool,
    /// How long to try on without any success, such as 90s, 30m, 1h
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    pub retry_for: Duration,
    /// Requests under way at a time [default: as many as one window has bodies]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub connections: Option<u16>,
    /// What becomes of rows that an earlier run sent without an answer
    #[arg(long, value_enum, default_value = "resend")]
    pub in_doubt: InDoubtArg,
    /// Wait for another import into the same run directory or account to end
    #[arg(long)]
    pub wait: bool,
}

/// `validate`
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// What to check.
    #[command(flatten)]
    pub job: JobArgs,
}

/// `pack`
#[derive(Debug, Args)]
pub struct PackArgs {
    /// What to check.
    #[command(flatten)]
    pub job: JobArgs,
    /// Where the bodies go; `-` is stdout, and the report then goes to stderr. A file appears when it is whole, and not where more rows are rejected than allowed
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What to check and how: the same for `import`, `validate` and `pack`.
#[derive(Clone, Debug, Args)]
pub struct JobArgs {
    /// Files, globs and directories: .csv, .tsv, .ndjson, .jsonl, .parquet, .arrow, .arrows, .feather, .ipc, each also compressed with gzip or zstd; `-` is the standard input; s3://, gs://, az://, abfss:// and https:// are read where they are; one import, in the order given
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,

    /// Settings and mapping [default: moebulk.toml in the working directory, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub config: Option<PathBuf>,
    /// That file, where it has a mapping.
    #[arg(skip)]
    pub config_file: Option<Found>,
    /// The arguments that were given a value, by flag, environment, checkpoint or file.
    #[arg(skip)]
    pub said: BTreeMap<String, Vec<String>>,
    /// Those that a command to type next must have; a switch has no values.
    #[arg(skip)]
    pub typed: BTreeMap<String, Vec<String>>,
    /// Whether the standard input is read where it is an input: a checkpoint may have named it.
    #[arg(skip = true)]
    pub reads_stdin: bool,
    /// Whether a file says where to send.
    #[arg(skip)]
    pub file_has_destination: bool,

    /// What the rows are [default: as the mapping says, else users]
    #[arg(long, value_enum, help_heading = "What")]
    pub kind: Option<KindArg>,
    /// Which API takes them: many records a request, or one a request with the server's true verdict on it
    #[arg(long, value_enum, default_value = "bulk", help_heading = "What")]
    pub api: ApiArg,
    /// Events: the action of every row that no column names
    #[arg(long, value_name = "NAME", help_heading = "What")]
    pub event: Option<String>,
    /// What becomes of each column: MoEngage's own mapping file (JSON), or ours (TOML)
    #[arg(long, value_name = "FILE", help_heading = "What")]
    pub mapping: Option<PathBuf>,
    /// Users: never create one, only update those who exist [default: as the mapping says, else false]
    #[arg(long, help_heading = "What")]
    pub update_existing_only: Option<bool>,
    /// Only the first N rows, counted after --offset
    #[arg(long, value_name = "N", help_heading = "What")]
    pub limit: Option<u64>,
    /// Start after N rows
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "What"
    )]
    pub offset: u64,

    /// Users and devices: only rows that are new or differ from what the server accepted last, as the state remembers it
    #[arg(long, help_heading = "Changes")]
    pub only_changed: bool,
    /// Where that is remembered [default: of imports, below the user's state directory, one for each destination and kind]
    #[arg(long, value_name = "DIR", help_heading = "Changes")]
    pub state: Option<PathBuf>,
    /// Send every row all the same, and remember these alone
    #[arg(long, help_heading = "Changes")]
    pub full: bool,

    /// How CSV is written.
    #[command(flatten)]
    pub csv: CsvArgs,

    /// What an empty cell becomes: left out, the empty string (string columns), or the removal of the user's value
    #[arg(long, value_enum, default_value = "omit", help_heading = "Rules")]
    pub empty: EmptyArg,
    /// What a value of the wrong type does: reject the row, or leave out the attribute
    #[arg(long, value_enum, default_value = "reject", help_heading = "Rules")]
    pub on_type_error: OnTypeError,
    /// Reject ids that are disallowed but for blanks and case, or written as floats (123.0, 1E+10)
    #[arg(long, help_heading = "Rules")]
    pub strict_ids: bool,
    /// Warnings become rejections
    #[arg(long, help_heading = "Rules")]
    pub strict: bool,
    /// Columns that a few values keep from a narrower type go as string
    #[arg(long, help_heading = "Rules")]
    pub accept_inferred: bool,

    /// Your share of the account's budget of users in 60 s, or `unlimited` (loopback only)
    #[arg(long, value_name = "N", default_value_t = Rate::PerMinute(crate::wire::limits::USERS_PER_MINUTE), help_heading = "Limits")]
    pub users_per_minute: Rate,
    /// Your share of the account's budget of events in 60 s, or `unlimited` (loopback only)
    #[arg(long, value_name = "N", default_value_t = Rate::PerMinute(crate::wire::limits::EVENTS_PER_MINUTE), help_heading = "Limits")]
    pub events_per_minute: Rate,
    /// The largest request body
    #[arg(long, value_name = "BYTES", default_value_t = crate::wire::limits::BODY_BYTES_MAX, help_heading = "Limits")]
    pub max_body_bytes: usize,
    /// End a body at every multiple of N users [default: --users-per-minute]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub cut_users: Option<u64>,
    /// End a body at every multiple of N events [default: --events-per-minute]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub cut_events: Option<u64>,
    /// The most rejected rows with which the others are still sent, such as 100 or 5%
    #[arg(long, value_name = "N|N%", default_value = "100%", value_parser = parse_rejects, help_heading = "Limits")]
    pub max_rejects: RejectsMax,
    /// Threads that read, check and pack rows, at most 32 [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Limits")]
    pub threads: Option<u16>,

    /// Where checkpoint, report and rejects go [default: below moebulk-runs/]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub run_dir: Option<PathBuf>,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value = "auto", help_heading = "Run")]
    pub progress: ProgressArg,
    /// The form of the result on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Run")]
    pub output: Output,
    /// Put an apostrophe before cells of rejects.csv that a spreadsheet would run as formulas; an import of that file takes them off again
    #[arg(long, help_heading = "Run")]
    pub rejects_safe: bool,
    /// Let the rejects' messages, and the rows that the summary shows, hold values
    #[arg(long, help_heading = "Run")]
    pub show_values: bool,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// How CSV is written.
#[derive(Clone, Debug, Args)]
pub struct CsvArgs {
    /// The encoding, by its label in the WHATWG list, such as utf-8, utf-16le, windows-1252 or shift_jis; latin-1 and iso-8859-1 are the true ISO-8859-1 and not, as there, windows-1252 [default: by the byte order mark, else utf-8]
    #[arg(long, value_name = "LABEL", value_parser = parse_encoding, help_heading = "CSV")]
    pub encoding: Option<TextEncoding>,
    /// What separates fields: one ASCII character, or `tab` [default: whichever of , ; | and tab fits the first records, else , and for .tsv a tab]
    #[arg(long, value_name = "CHAR", value_parser = parse_byte, help_heading = "CSV")]
    pub delimiter: Option<u8>,
    /// What encloses fields: one ASCII character, or `none` [default: " unless the first records show it to be ']
    #[arg(long, value_name = "CHAR|none", value_parser = parse_quote, help_heading = "CSV")]
    pub quote: Option<Quote>,
    /// A character that makes the next one literal
    #[arg(long, value_name = "CHAR", value_parser = parse_byte, help_heading = "CSV")]
    pub escape: Option<u8>,
    /// The first record is data; columns are called column_1, column_2, …
    #[arg(long, help_heading = "CSV")]
    pub no_header: bool,
    /// Lines to pass over before the header
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "CSV"
    )]
    pub skip_lines: u64,
    /// A text that means no value; can be given more than once
    #[arg(long, value_name = "TEXT", num_args = 1.., action = clap::ArgAction::Append, help_heading = "CSV")]
    pub null_value: Vec<String>,
    /// Take stray quotes literally instead of rejecting the record
    #[arg(long, help_heading = "CSV")]
    pub lenient_quotes: bool,
    /// The longest record, in bytes as UTF-8
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576, help_heading = "CSV")]
    pub max_record_bytes: usize,
}

/// What is logged to stderr, and how. Logs hold no key and no value of a row.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// The least weight of what is logged to stderr; never the key, never a value of a row
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "warn", help_heading = "Run")]
    pub log_level: LogLevel,
    /// How a log line is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Run")]
    pub log_format: LogFormat,
}

/// `check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Settings [default: moebulk.toml in the working directory, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub config: Option<PathBuf>,
    /// Whom to ask.
    #[command(flatten)]
    pub account: AccountArgs,
    /// The form of the result on stdout
    #[arg(long, value_enum, default_value = "text", help_heading = "Run")]
    pub output: DocumentOutput,
    /// What is logged.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Where to send, and as whom.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// Import into an emulator that runs for this import alone
    #[arg(long, help_heading = "Where", conflicts_with_all = ["data_center", "endpoint"])]
    pub sandbox: bool,
    /// The account.
    #[command(flatten)]
    pub account: AccountArgs,
}

/// An account of the Data API.
#[derive(Debug, Args)]
pub struct AccountArgs {
    /// The workspace's data center, as its dashboard's address tells: 01 = dashboard-01.moengage.com, 02 = dashboard-02, 03 = dashboard-03, 04 = dashboard-04, 05 = dashboard-05, 06 = dashboard-06, 101 = dashboard-101
    #[arg(long, value_name = "DC", value_parser = ["01", "02", "03", "04", "05", "06", "101"], help_heading = "Where", conflicts_with = "endpoint")]
    pub data_center: Option<String>,
    /// Another address of the API: https, or http on this machine
    #[arg(long, value_name = "URL", help_heading = "Where")]
    pub endpoint: Option<String>,
    /// The workspace id
    #[arg(
        long,
        value_name = "ID",
        env = "MOENGAGE_APP_ID",
        hide_env_values = true,
        help_heading = "Where"
    )]
    pub app_id: Option<String>,
    /// The user name of the Data API [default: the workspace id]
    #[arg(
        long,
        value_name = "ID",
        env = "MOENGAGE_DATA_API_ID",
        hide_env_values = true,
        help_heading = "Where"
    )]
    pub api_id: Option<String>,
    /// A file that only you can read, with the Data API key [default: the environment's MOENGAGE_DATA_API_KEY]
    #[arg(long, value_name = "FILE", help_heading = "Where")]
    pub api_key_file: Option<PathBuf>,
    /// Go straight to the server, whatever HTTPS_PROXY and the system's settings say
    #[arg(long, help_heading = "Where")]
    pub no_proxy: bool,
}

/// `sandbox`
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Address to listen on; loopback only. Port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Users in any 60 s, or `unlimited`
    #[arg(long, value_name = "N", default_value = "1000")]
    pub users_per_minute: Rate,
    /// Events in any 60 s, or `unlimited`
    #[arg(long, value_name = "N", default_value = "10000")]
    pub events_per_minute: Rate,
    /// The workspace id that it knows; the key is MOENGAGE_DATA_API_KEY, or `sandbox-key`
    #[arg(
        long,
        value_name = "ID",
        env = "MOENGAGE_APP_ID",
        hide_env_values = true,
        default_value = "SANDBOX"
    )]
    pub app_id: String,
    /// Answer the next COUNT requests with a failure of the account or server: CODE[=TYPE]:COUNT[@AFTER]
    #[arg(long, value_name = "SCRIPT")]
    pub answer: Vec<ScriptedAnswer>,
    /// Faults by rate, such as 500:0.1,429:0.05,reset:0.02,slow:0.01
    #[arg(long, value_name = "RATES")]
    pub fault: Option<FaultRates>,
    /// What a `slow` answer waits, such as 2s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    pub slow: Duration,
    /// Seed of the faults
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// A customer_id that makes a whole body be refused; can be given more than once
    #[arg(long, value_name = "ID")]
    pub poison: Vec<String>,
}

/// `status`
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The run's directory [default: the one below moebulk-runs/ whose checkpoint is the newest]
    #[arg(value_name = "RUN_DIR")]
    pub run_dir: Option<PathBuf>,
    /// The form of the result on stdout
    #[arg(long, value_enum, default_value = "text")]
    pub output: DocumentOutput,
}

/// `--in-doubt`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InDoubtArg {
    /// Send them again: they may arrive twice
    Resend,
    /// Leave them out: they count as failed and stand in the rejects, to be looked up
    Skip,
}

/// `--kind`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KindArg {
    /// A row creates or updates a user
    Users,
    /// A row is one action of a user
    Events,
    /// A row adds or updates a device of a user
    Devices,
}

/// `--api`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ApiArg {
    /// Bulk import: always answered 200, validated later
    Bulk,
    /// One user a request
    User,
    /// One event a request
    Event,
    /// One device a request
    Device,
}

/// `--empty`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EmptyArg {
    /// Leave the attribute out
    Omit,
    /// Send the empty string
    String,
    /// Remove the value that the user has
    Unset,
}

/// `--on-type-error`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnTypeError {
    /// Reject the row
    Reject,
    /// Leave the attribute out, with a warning
    Omit,
}

/// `--progress`
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ProgressArg {
    /// Bars on a terminal, plain lines elsewhere
    Auto,
    /// Bars
    Bar,
    /// A line every ten seconds
    Plain,
    /// A JSON event every ten seconds
    Json,
    /// Nothing
    Off,
}

impl From<ProgressArg> for Mode {
    fn from(arg: ProgressArg) -> Self {
        match arg {
            ProgressArg::Auto => Self::Auto,
            ProgressArg::Bar => Self::Bar,
            ProgressArg::Plain => Self::Plain,
            ProgressArg::Json => Self::Json,
            ProgressArg::Off => Self::Off,
        }
    }
}

/// `--output`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Text,
    /// report.json
    Json,
}

/// `--output` of `check` and `status`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DocumentOutput {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// `--log-level`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What ends the run
    Error,
    /// Retries, pauses that the server asked for, rows that it refused
    Warn,
    /// Each phase with its counts
    Info,
    /// Each request
    Debug,
    /// All there is
    Trace,
}

/// `--log-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// UTC time, level, message, fields
    Text,
    /// One JSON object a line: time, level, message, fields
    Json,
}

/// `--quote`: a character, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote(pub Option<u8>);

fn parse_byte(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        b"tab" | b"\\t" => Ok(b'\t'),
        _ => Err("give one ASCII character, or `tab`".to_owned()),
    }
}

fn parse_encoding(text: &str) -> Result<TextEncoding, String> {
    TextEncoding::of_label(text)
        .ok_or_else(|| "give a label such as utf-8, utf-16le, windows-1252 or latin-1".to_owned())
}

fn parse_quote(text: &str) -> Result<Quote, String> {
    if text == "none" { Ok(Quote(None)) } else { parse_byte(text).map(|byte| Quote(Some(byte))) }
}

/// A number with its unit: of one alone nobody can tell whether seconds, hours or days are meant, and
/// `runs prune` removes by it.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a number with its unit: ms, s, m, h or d, as in 30d or 12h".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

fn parse_rejects(text: &str) -> Result<RejectsMax, String> {
    let wrong = || "give a number of rows, or a share such as 5%".to_owned();
    match text.strip_suffix('%') {
        None => text.parse().map(RejectsMax::Rows).map_err(|_| wrong()),
        Some(share) => match share.parse() {
            Ok(share) if (0.0..=100.0).contains(&share) => Ok(RejectsMax::Percent(share)),
            _ => Err(wrong()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert!(parse_duration("90").is_err() && parse_duration("0").is_err());
        assert_eq!(parse_duration("30m"), Ok(Duration::from_secs(1800)));
        assert_eq!(parse_duration("50ms"), Ok(Duration::from_millis(50)));
        assert!(parse_duration("1 h").is_err() && parse_duration("").is_err());
        assert_eq!(parse_rejects("5%"), Ok(RejectsMax::Percent(5.0)));
        assert_eq!(parse_rejects("7"), Ok(RejectsMax::Rows(7)));
        assert!(parse_rejects("101%").is_err() && parse_rejects("-1").is_err());
        assert_eq!(parse_quote("none"), Ok(Quote(None)));
        assert_eq!(parse_byte("tab"), Ok(b'\t'));
        assert!(parse_byte("é").is_err() && parse_byte("ab").is_err());
    }
}
