//! `moebulk init`

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, ValueEnum};
use indicatif::HumanCount;

use super::{
    args::{CsvArgs, KindArg, LogArgs, ProgressArg},
    config::file::CONFIG_FILE,
    exit::Exit,
    interrupt, log, next, put, resolve, say,
};
use crate::model::{Rate, printable, shell_path};
use crate::private;
use crate::progress::Progress;
use crate::run::{self, Described, Error, Form, Init, Job, Out, RejectsMax, Surroundings, Window};
use crate::shape::plan::Rules;
use crate::source;
use crate::wire::{api::Api, ids::is_blank, limits};

/// `init`
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Files, globs and directories: .csv, .tsv, .ndjson, .jsonl, .parquet, .arrow, .arrows, .feather, .ipc, each also compressed with gzip or zstd; `-` is the standard input; s3://, gs://, az://, abfss:// and https:// are read where they are; all of them are read as a whole
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,

    /// What the rows are [default: as the names of the columns tell, else users]
    #[arg(long, value_enum, help_heading = "What")]
    kind: Option<KindArg>,
    /// Events: the action of every row that no column names
    #[arg(long, value_name = "NAME", help_heading = "What")]
    event: Option<String>,

    /// How CSV is written.
    #[command(flatten)]
    csv: CsvArgs,

    /// What is written
    #[arg(long, value_enum, default_value = "toml", help_heading = "Output")]
    format: FormatArg,
    /// Where it is written; `-` is stdout [default: moebulk.toml; mapping.toml and mapping.json for the other formats]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// Show the examples as they stand, not masked
    #[arg(long, help_heading = "Output")]
    show_values: bool,

    /// Threads that read rows, at most 32 [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "Run")]
    threads: Option<u16>,
    /// How progress is shown on stderr
    #[arg(long, value_enum, default_value = "auto", help_heading = "Run")]
    progress: ProgressArg,
    /// What is logged.
    #[command(flatten)]
    log: LogArgs,
}

/// `--format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// The configuration with the mapping in it, which a command finds as moebulk.toml
    Toml,
    /// The mapping alone, for --mapping
    Mapping,
    /// MoEngage's own mapping (JSON), for --mapping and for its dashboard
    Moengage,
}

/// Looks at the inputs and writes what could be done with them.
///
/// # Errors
/// An input cannot be read, or the file cannot be written.
pub fn run(args: InitArgs) -> Result<Exit, Error> {
    let progress = Arc::new(Progress::new(args.progress.into()));
    log::start(&args.log, &progress);
    let form = match args.format {
        FormatArg::Toml => Form::Config,
        FormatArg::Mapping => Form::Mapping,
        FormatArg::Moengage => Form::MoEngage,
    };
    let out = args.out.clone().unwrap_or_else(|| {
        PathBuf::from(match form {
            Form::Config => "moebulk.toml",
            Form::Mapping => "mapping.toml",
            Form::MoEngage => "mapping.json",
        })
    });
    spare(&out, args.force, &args.inputs)?;
    let mut job = job(&args)?;
    job.run_dir = run::init_dir(&job);
    let asked = Init {
        job,
        kind: args.kind.map(resolve::kind),
        form,
        show_values: args.show_values,
        flags: flags(&args.csv),
    };
    let stop = interrupt::listen(&progress);
    let found = run::init(&asked, &Surroundings { progress: &progress, stop: &stop })?;
    write(&out, args.force, &found.text)?;
    say(&conclusion(&found, &out, form, &args));
    Ok(Exit::SUCCESS)
}

fn job(args: &InitArgs) -> Result<Job, Error> {
    if args.event.as_deref().is_some_and(is_blank) {
        return Err(Error::Usage("--event is empty; name the action".into()));
    }
    if args.event.is_some() && args.kind.is_some_and(|kind| !matches!(kind, KindArg::Events)) {
        return Err(Error::Usage("--event names the action of events; add --kind events".into()));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kind = args.kind.map(resolve::kind).unwrap_or(crate::model::Kind::Users);
    Ok(Job {
        inputs: args.inputs.clone(),
        reads_stdin: true,
        kind,
        api: Api::Bulk,
        mapping: None,
        dialect: resolve::dialect(&args.csv)?,
        delimiter_given: args.csv.delimiter.is_some(),
        quote_given: args.csv.quote.is_some(),
        encoding: args.csv.encoding,
        rules: Rules {
            null_values: args.csv.null_value.clone(),
            event: args.event.clone(),
            ..Rules::default()
        },
        only_changed: None,
        window: Window::default(),
        cut_users: None,
        cut_events: None,
        users: Rate::PerMinute(limits::USERS_PER_MINUTE),
        events: Rate::PerMinute(limits::EVENTS_PER_MINUTE),
        rejects_max: RejectsMax::Percent(100.0),
        accept_inferred: false,
        rejects_safe: false,
        excerpts: false,
        threads: args.threads.map_or(cores, usize::from),
        run_dir: PathBuf::new(),
        shaping: BTreeMap::new(),
        said: BTreeMap::new(),
    })
}

/// The flags of CSV that were given, and that the mapping does not hold.
fn flags(csv: &CsvArgs) -> String {
    let byte = |byte: u8| match byte {
        b'\t' => "tab".to_owned(),
        b'\'' => "\"'\"".to_owned(),
        byte => format!("'{}'", char::from(byte)),
    };
    let mut flags = Vec::new();
    if let Some(encoding) = csv.encoding {
        flags.push(format!("--encoding {}", encoding.name()));
    }
    if let Some(delimiter) = csv.delimiter {
        flags.push(format!("--delimiter {}", byte(delimiter)));
    }
    if let Some(quote) = csv.quote {
        flags.push(format!("--quote {}", quote.0.map_or_else(|| "none".to_owned(), byte)));
    }
    if let Some(escape) = csv.escape {
        flags.push(format!("--escape {}", byte(escape)));
    }
    if csv.no_header {
        flags.push("--no-header".into());
    }
    if csv.skip_lines > 0 {
        flags.push(format!("--skip-lines {}", csv.skip_lines));
    }
    if csv.lenient_quotes {
        flags.push("--lenient-quotes".into());
    }
    flags.join(" ")
}

/// Refuses an output that is there, or that is an input.
fn spare(out: &Path, force: bool, inputs: &[PathBuf]) -> Result<(), Error> {
    if out == Path::new("-") || fs::symlink_metadata(out).is_err() {
        return Ok(());
    }
    if !force {
        return Err(Error::Usage(format!(
            "{} is there already, and is left as it is; --force replaces it, --out names another file",
            out.display()
        )));
    }
    let target = fs::canonicalize(out).ok();
    let is_target = |path: &Path| target.is_some() && fs::canonicalize(path).ok() == target;
    if source::local_files(inputs)?.iter().any(|path| is_target(path)) {
        return Err(Error::Usage(format!(
            "--out {}: is an input, which would be replaced; name another file",
            out.display()
        )));
    }
    Ok(())
}

fn write(out: &Path, force: bool, text: &str) -> Result<(), Error> {
    let fail = |error| Error::of_write(out, error);
    if out == Path::new("-") {
        return put(text);
    }
    if !force {
        // Whoever made one meanwhile keeps it.
        private::options().write(true).create_new(true).open(out).map_err(fail)?;
    }
    let written = Out::create(out).and_then(|mut to| {
        to.write_all(text.as_bytes())?;
        to.finish()
    });
    if written.is_err() && !force {
        let _ = fs::remove_file(out);
    }
    written.map_err(fail)
}

/// Whether a file is the configuration that a command finds here without being told.
fn is_found(out: &Path) -> bool {
    let found = fs::canonicalize(CONFIG_FILE).ok();
    found.is_some() && fs::canonicalize(out).ok() == found
}

/// What was written, and what comes next.
fn conclusion(found: &Described, out: &Path, form: Form, args: &InitArgs) -> String {
    let name = if out == Path::new("-") { "stdout".into() } else { out.display().to_string() };
    let rejected = match found.rejected {
        _ if !found.unreadable.is_empty() => ", none of which can be read".into(),
        None => String::new(),
        Some(0) if found.rows == 0 => ": there is no row to look at".into(),
        Some(0) if found.rows == 1 => ", which can be sent".into(),
        Some(0) => ", all of which can be sent".into(),
        Some(1) if found.rows == 1 => ", which would be rejected".into(),
        Some(rejected) => format!(", {} of which would be rejected", HumanCount(rejected)),
    };
    let mut lines = vec![format!(
        "{name}: {} {} of {} in {} {}{rejected}",
        HumanCount(found.rows),
        if found.rows == 1 { "row" } else { "rows" },
        found.kind,
        found.columns,
        if found.columns == 1 { "column" } else { "columns" }
    )];
    for (code, count) in &found.unreadable {
        lines.push(format!("{} × {code}: {}", HumanCount(*count), code.help()));
    }
    for (column, question) in &found.open {
        let question = question.split_inclusive('?').next().unwrap_or_default();
        let column = column.as_deref().map(|name| format!("`{}`: ", printable(name)));
        let column = column.unwrap_or_default();
        lines.push(format!("to decide: {column}{question}"));
    }
    if !found.unreadable.is_empty() {
        lines.push(match out == Path::new("-") {
            true => "next: mend that, and run init again".to_owned(),
            false => "next: mend that, and run init again with --force".to_owned(),
        });
        return lines.join("\n");
    }
    if out == Path::new("-") {
        return lines.join("\n");
    }
    let mut command = String::from("moebulk validate");
    for input in &args.inputs {
        command.push_str(&format!(" {}", next::input(input)));
    }
    let flags = flags(&args.csv);
    if !flags.is_empty() {
        command.push_str(&format!(" {flags}"));
    }
    match form {
        Form::MoEngage if found.kind != crate::model::Kind::Users => {
            // It has no place for either.
            command.push_str(&format!(" --kind {}", found.kind));
            if let Some(event) = &args.event {
                command.push_str(&format!(" {}", next::with_value("--event", event)));
            }
            command.push_str(&format!(" --mapping {}", shell_path(out)));
        }
        Form::Config if is_found(out) => {}
        Form::Config => command.push_str(&format!(" --config {}", shell_path(out))),
        Form::Mapping | Form::MoEngage => {
            command.push_str(&format!(" --mapping {}", shell_path(out)));
        }
    }
    if form == Form::MoEngage {
        // Nor for these.
        let nulls = args.csv.null_value.iter().map(|text| next::with_value("--null-value", text));
        command.extend(nulls.map(|flag| format!(" {flag}")));
    }
    let lead = if found.open.is_empty() { "next" } else { "then" };
    lines.push(format!("{lead}: {command}"));
    lines.join("\n")
}
