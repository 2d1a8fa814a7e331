//! From arguments as typed to options as resolved.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use reqwest::Url;
use secrecy::SecretString;

use super::{
    args::{AccountArgs, ApiArg, CsvArgs, EmptyArg, JobArgs, KindArg, OnTypeError, Output},
    config::layers::Found,
    say,
};
use crate::decode::csv::Dialect;
use crate::model::{self, Kind, Rate, TextEncoding};
use crate::pack;
use crate::run::{Error, Job, MappingFile, OnlyChanged, Window};
use crate::shape::mapping::RESOLVED_FILE;
use crate::shape::plan::{Empty, Rules};
use crate::wire::{api::Api, ids::is_blank};

/// The environment variable that holds the Data API key.
pub const KEY_VARIABLE: &str = "MOENGAGE_DATA_API_KEY";

/// A body that holds a smaller element than any user or event has.
const BODY_BYTES_MIN: usize = 200;

/// What to check and how. The run directory is still the default one, or as given.
///
/// # Errors
/// Flags that contradict each other.
pub fn job(args: JobArgs) -> Result<Job, Error> {
    if let (None, Some(path)) = (&args.mapping, beside_rejects(&args.inputs)) {
        say(&format!("mapping: {}, as these rows were read before", path.display()));
    }
    quiet_job(args)
}

/// The same without a word.
///
/// # Errors
/// Flags that contradict each other.
pub fn quiet_job(args: JobArgs) -> Result<Job, Error> {
    if let Some(file) = args.run_dir.as_ref().filter(|path| path.is_file()) {
        return Err(Error::Usage(format!(
            "--run-dir {}: is a file and no run directory; name a directory, which is made where it is \
             missing",
            file.display()
        )));
    }
    if args.inputs.is_empty() {
        let nothing = args
            .run_dir
            .as_ref()
            .map(|dir| format!("--run-dir {}: there is no import to go on with; ", dir.display()));
        return Err(Error::Usage(format!(
            "{}name what to read: each INPUT is a file, glob or directory, as in `moebulk import users.csv`",
            nothing.unwrap_or_default()
        )));
    }
    let asked = args.kind.map(kind);
    let mapping = mapping(&args, asked)?;
    let said = mapping.as_ref().map(|file| &file.mapping);
    let kind = asked.or(said.and_then(|mapping| mapping.kind)).unwrap_or(Kind::Users);
    let api = match args.api {
        ApiArg::Bulk => Api::Bulk,
        ApiArg::User => Api::User,
        ApiArg::Event => Api::Event,
        ApiArg::Device => Api::Device,
    };
    if let Some(takes) = api.kind().filter(|&takes| takes != kind) {
        return Err(Error::Usage(format!(
            "--api {} takes {takes}, and the rows are {kind}; change --api or --kind",
            api.as_str()
        )));
    }
    if args.empty == EmptyArg::Unset && kind != Kind::Users {
        return Err(Error::Usage(
            "--empty unset is for users alone; events and devices have no values to remove".into(),
        ));
    }
    let update_existing_only = args
        .update_existing_only
        .unwrap_or_else(|| said.is_some_and(|mapping| mapping.update_existing_only));
    if update_existing_only && kind != Kind::Users {
        return Err(Error::Usage("--update-existing-only is for users alone".into()));
    }
    if args.event.is_some() && kind != Kind::Events {
        return Err(Error::Usage("--event names the action of events; add --kind events".into()));
    }
    if args.event.as_deref().is_some_and(is_blank) {
        return Err(Error::Usage("--event is empty; name the action".into()));
    }
    let smallest = pack::body_bytes_of_one(BODY_BYTES_MIN);
    let largest = crate::wire::limits::BODY_BYTES_REFUSED;
    if !(smallest..=largest).contains(&args.max_body_bytes) {
        return Err(Error::Usage(format!(
            "--max-body-bytes {} is not from {smallest} to {largest}; above that the API refuses every body",
            args.max_body_bytes
        )));
    }
    let shaping = shaping(&args, update_existing_only);
    let dialect = dialect(&args.csv)?;
    let rules = Rules {
        empty: match args.empty {
            EmptyArg::Omit => Empty::Omit,
            EmptyArg::String => Empty::Text,
            EmptyArg::Unset => Empty::Unset,
        },
        null_values: {
            let words = said.map(|mapping| mapping.null_words.clone()).unwrap_or_default();
            args.csv.null_value.into_iter().chain(words).collect()
        },
        omit_on_type_error: args.on_type_error == OnTypeError::Omit,
        strict_ids: args.strict_ids,
        strict: args.strict,
        show_values: args.show_values,
        event: args.event.or_else(|| said.and_then(|mapping| mapping.event.clone())),
        update_existing_only,
        body_bytes_max: args.max_body_bytes,
        single: api.is_single(),
    };
    let only_changed = only_changed(args.only_changed, args.state, args.full, kind)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(Job {
        reads_stdin: args.reads_stdin,
        inputs: args.inputs,
        kind,
        api,
        mapping,
        dialect,
        delimiter_given: args.csv.delimiter.is_some(),
        quote_given: args.csv.quote.is_some(),
        encoding: args.csv.encoding,
        rules,
        only_changed,
        window: Window { offset: args.offset, limit: args.limit },
        cut_users: args.cut_users,
        cut_events: args.cut_events,
        users: args.users_per_minute,
        events: args.events_per_minute,
        rejects_max: args.max_rejects,
        accept_inferred: args.accept_inferred,
        rejects_safe: args.rejects_safe,
        excerpts: matches!(args.output, Output::Text),
        threads: args.threads.map_or(cores, usize::from),
        run_dir: args.run_dir.unwrap_or_default(),
        shaping,
        said: args.said,
    })
}

/// What is sent of rows that an earlier import sent. The directory is still empty where none is
/// given.
fn only_changed(
    given: bool,
    state: Option<PathBuf>,
    full: bool,
    kind: Kind,
) -> Result<Option<OnlyChanged>, Error> {
    if !given && (full || state.is_some()) {
        let flag = if full { "--full" } else { "--state" };
        return Err(Error::Usage(format!("{flag} says nothing without --only-changed; give both")));
    }
    if given && kind == Kind::Events {
        return Err(Error::Usage(
            "--only-changed is for users and devices: an event is not changed, it happens; leave the \
             flag out"
                .into(),
        ));
    }
    Ok(given.then(|| OnlyChanged { state: state.unwrap_or_default(), full }))
}

/// For a check: the state must be named, since there is no destination that would tell it.
///
/// # Errors
/// It is not.
pub fn check_state(job: &Job) -> Result<(), Error> {
    match &job.only_changed {
        Some(only) if only.state.as_os_str().is_empty() => Err(Error::Usage(
            "--only-changed: name the directory with --state; only an import knows which one is meant \
             by where it sends (`moebulk state stats` lists those there are)"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Where states are kept that are not named.
///
/// # Errors
/// No directory of the user is known.
pub fn states_dir() -> Result<PathBuf, Error> {
    Ok(state_dir()?.join("changes"))
}

/// What the rows are.
pub fn kind(arg: KindArg) -> Kind {
    match arg {
        KindArg::Users => Kind::Users,
        KindArg::Events => Kind::Events,
        KindArg::Devices => Kind::Devices,
    }
}

/// How CSV is written, as far as flags say it.
///
/// # Errors
/// They contradict each other.
pub fn dialect(args: &CsvArgs) -> Result<Dialect, Error> {
    let usual = Dialect::default();
    let dialect = Dialect {
        delimiter: args.delimiter.unwrap_or(usual.delimiter),
        quote: args.quote.map_or(usual.quote, |quote| quote.0),
        escape: args.escape,
        header: !args.no_header,
        skip_lines: args.skip_lines,
        lenient_quotes: args.lenient_quotes,
        record_bytes_max: args.max_record_bytes,
        ..usual
    };
    dialect.check().map_err(Error::Usage)?;
    Ok(dialect)
}

/// The mapping: the file given, or the one that a run left beside the rejects that are imported
/// again, or what the config says.
fn mapping(args: &JobArgs, kind: Option<Kind>) -> Result<Option<MappingFile>, Error> {
    if let Some(path) = &args.mapping {
        return Ok(Some(MappingFile::read(path, kind)?));
    }
    if let Some(path) = beside_rejects(&args.inputs) {
        return Ok(Some(MappingFile::read(&path, kind)?));
    }
    let Some(Found { path, mapping: Some(table), text, .. }) = &args.config_file else {
        return Ok(None);
    };
    Ok(Some(MappingFile::of(path, table.clone(), text, kind)?))
}

fn beside_rejects(inputs: &[PathBuf]) -> Option<PathBuf> {
    let mut found = inputs.iter().map(|input| {
        let name = input.file_name()?.to_str()?;
        let resolved = input.with_file_name(RESOLVED_FILE);
        (name.starts_with("rejects") && resolved.is_file()).then_some(resolved)
    });
    let first = found.next()??;
    found.all(|other| other.as_ref() == Some(&first)).then_some(first)
}

/// Every flag that shapes bodies, as a checkpoint is bound to it.
fn shaping(args: &JobArgs, update_existing_only: bool) -> BTreeMap<String, String> {
    let byte =
        |byte: Option<u8>| byte.map_or_else(|| "none".to_owned(), |b| char::from(b).to_string());
    let flags = [
        ("--api", format!("{:?}", args.api).to_lowercase()),
        ("--update-existing-only", update_existing_only.to_string()),
        ("--event", args.event.clone().unwrap_or_default()),
        ("--limit", args.limit.map_or_else(|| "none".to_owned(), |n| n.to_string())),
        ("--offset", args.offset.to_string()),
        ("--encoding", args.csv.encoding.map_or("auto", TextEncoding::name).to_owned()),
        ("--delimiter", byte(args.csv.delimiter)),
        ("--quote", args.csv.quote.map_or_else(|| "auto".to_owned(), |quote| byte(quote.0))),
        ("--escape", byte(args.csv.escape)),
        ("--no-header", args.csv.no_header.to_string()),
        ("--skip-lines", args.csv.skip_lines.to_string()),
        ("--null-value", args.csv.null_value.join("\u{1f}")),
        ("--lenient-quotes", args.csv.lenient_quotes.to_string()),
        ("--max-record-bytes", args.csv.max_record_bytes.to_string()),
        ("--empty", format!("{:?}", args.empty).to_lowercase()),
        ("--on-type-error", format!("{:?}", args.on_type_error).to_lowercase()),
        ("--strict-ids", args.strict_ids.to_string()),
        ("--strict", args.strict.to_string()),
        ("--max-body-bytes", args.max_body_bytes.to_string()),
    ];
    // Those that came later are left out where they say nothing, as checkpoints do that know none.
    let later = [("--only-changed", args.only_changed), ("--full", args.full)];
    let later = later.into_iter().filter(|(_, given)| *given);
    flags
        .into_iter()
        .chain(later.map(|(flag, given)| (flag, given.to_string())))
        .map(|(flag, value)| (flag.to_owned(), value))
        .collect()
}

/// Where to send, as resolved from the flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme, host and port.
    pub url: String,
    /// Whether it is anything but this machine.
    pub is_real: bool,
}

/// The endpoint that the flags name.
///
/// # Errors
/// None, or one that must not be sent to.
pub fn endpoint(args: &AccountArgs) -> Result<Endpoint, Error> {
    match (&args.data_center, &args.endpoint) {
        (Some(center), _) => {
            Ok(Endpoint { url: format!("https://api-{center}.moengage.com"), is_real: true })
        }
        (None, Some(url)) => {
            parse_endpoint(url).map_err(|reason| Error::Usage(format!("--endpoint: {reason}")))
        }
        (None, None) => Err(Error::Usage(
            "say where to: --data-center with the number in your dashboard's address, or --endpoint \
             (to try an import out, --sandbox)"
                .into(),
        )),
    }
}

fn parse_endpoint(text: &str) -> Result<Endpoint, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    // The text itself may hold a password, so it is not repeated.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password does not belong into the URL; give the key in the \
                    environment or with --api-key-file"
            .into());
    }
    let Some(host) = url.host_str() else { return Err("the URL names no host".into()) };
    let loopback = model::is_loopback(host);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("http would send the key in the clear; use https".into()),
        other => return Err(format!("{other} is no way to reach the API; use https")),
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !matches!(url.path(), "/" | "/v1" | "/v1/")
    {
        return Err("give scheme, host and port alone; the path is added".into());
    }
    Ok(Endpoint { url: url.origin().ascii_serialization(), is_real: !loopback })
}

/// Whether a URL leads to this machine.
pub fn is_loopback(url: &str) -> bool {
    parse_endpoint(url).is_ok_and(|endpoint| !endpoint.is_real)
}

/// Unlimited rates are for this machine alone.
///
/// # Errors
/// An unlimited rate for a real endpoint.
pub fn check_rates(job: &Job, endpoint: &Endpoint) -> Result<(), Error> {
    if endpoint.is_real && (job.users == Rate::Unlimited || job.events == Rate::Unlimited) {
        return Err(Error::Usage(
            "--users-per-minute and --events-per-minute: `unlimited` is for endpoints on this machine \
             alone; give the account's limit, or your share of it"
                .into(),
        ));
    }
    Ok(())
}

/// The workspace id and the Data API key.
pub struct Credentials {
    /// The workspace id.
    pub app_id: String,
    /// The user name of the Data API.
    pub api_id: String,
    /// The key.
    pub key: SecretString,
}

/// Whether the environment has a key.
pub fn has_key_in_environment() -> bool {
    env::var_os(KEY_VARIABLE).is_some_and(|key| !key.is_empty())
}

/// The credentials that flags and environment give.
///
/// # Errors
/// One is missing, or the key's file can be read by others.
pub fn credentials(args: &AccountArgs) -> Result<Credentials, Error> {
    let Some(app_id) = args.app_id.clone().filter(|id| !id.is_empty()) else {
        return Err(Error::Usage(
            "give the workspace id with --app-id, or in MOENGAGE_APP_ID (dashboard: Settings, API keys)".into(),
        ));
    };
    if !app_id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    {
        return Err(Error::Usage(
            "--app-id: a workspace id has letters, digits, `-`, `_` and `.` only".into(),
        ));
    }
    let key = match &args.api_key_file {
        Some(path) => read_key(path).map_err(|reason| {
            Error::Usage(format!("--api-key-file {}: {reason}", path.display()))
        })?,
        None => env::var(KEY_VARIABLE).unwrap_or_default(),
    };
    if key.is_empty() {
        return Err(Error::Usage(format!(
            "give the Data API key in the environment as {KEY_VARIABLE}, or with --api-key-file"
        )));
    }
    let api_id = args.api_id.clone().unwrap_or_else(|| app_id.clone());
    if api_id.is_empty() || api_id.contains(|c: char| c == ':' || c.is_control()) {
        return Err(Error::Usage(
            "--api-id: the user name of the Data API is not empty and holds no colon".into(),
        ));
    }
    Ok(Credentials { app_id, api_id, key: SecretString::from(key) })
}

fn read_key(path: &Path) -> Result<String, String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err("others can read it; run chmod 600 on it".into());
        }
    }
    let key = fs::read_to_string(path).map_err(|error| error.to_string())?;
    Ok(key.trim().to_owned())
}

/// Where the sliding log and the account lock are kept.
///
/// # Errors
/// The system names no such directory.
pub fn state_dir() -> Result<PathBuf, Error> {
    let absolute =
        |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| absolute("HOME").map(|home| home.join(".local").join("state")));
    base.map(|base| base.join("moebulk")).ok_or_else(|| {
        Error::Usage(
            "neither XDG_STATE_HOME nor HOME names a directory; the record of what was sent in the last \
             minute needs one"
                .into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_may_be_sent_to() {
        for (text, url, is_real) in [
            ("https://api-01.moengage.com/v1/", "https://api-01.moengage.com", true),
            ("https://api-01.moengage.com", "https://api-01.moengage.com", true),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", false),
            ("http://localhost:1/", "http://localhost:1", false),
            ("http://[::1]:9", "http://[::1]:9", false),
            ("https://127.0.0.1", "https://127.0.0.1", false),
        ] {
            assert_eq!(parse_endpoint(text), Ok(Endpoint { url: url.into(), is_real }), "{text}");
        }
    }

    #[test]
    fn each_data_center_has_its_host() {
        for center in ["01", "02", "03", "04", "05", "06", "101"] {
            let args = AccountArgs {
                data_center: Some(center.to_owned()),
                endpoint: None,
                app_id: None,
                api_id: None,
                api_key_file: None,
                no_proxy: false,
            };
            let url = format!("https://api-{center}.moengage.com");
            assert_eq!(endpoint(&args).ok(), Some(Endpoint { url, is_real: true }));
        }
    }

    #[test]
    fn endpoints_that_must_not() {
        for text in [
            "http://api-01.moengage.com",
            "https://user:secret@api-01.moengage.com",
            "https://user@api-01.moengage.com",
            "ftp://127.0.0.1",
            "api-01.moengage.com",
            "https://api-01.moengage.com/v2",
            "https://api-01.moengage.com/?x=1",
            "http://127.0.0.1.example.com",
            "http://localhost.example.com",
        ] {
            let refused = parse_endpoint(text).expect_err(text);
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
