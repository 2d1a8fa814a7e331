//! The check pass: every row checked, encoded and packed; what is wrong tallied and
//! written down; each body handed to a sink.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use rayon::ThreadPool;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::{
    End, Error, Job, Outcome, Surroundings,
    inputs::{self, Inputs},
    pipeline,
    rundir::RunDir,
};
use crate::{
    decode::{Table, batch_schema},
    model::{
        Body, BodyCounts, Code, ElementCounts, FirstPlace, InputSummary, Kind, PlanSummary,
        Position, ProblemSummary, RowCounts, RowFailure, Rows, Severity, Shaped, Summary, Tally,
        Timing,
    },
    pack::{Limits, Packer},
    progress::Phase,
    report::{self, DamagedWriter, RejectsFile, RejectsWriter, SourceDialect, SourceFormat},
    shape::{encode, infer::Minority, plan::Plan},
};

/// Rows that the server refused, by position.
pub type Failures = HashMap<Position, RowFailure>;

/// What a check pass found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rows read, accepted and rejected.
    pub rows: RowCounts,
    /// Rows read from each file.
    pub rows_by_file: Vec<u64>,
    /// The problems.
    pub tally: Tally,
    /// The bodies.
    pub bodies: BodyTotals,
    /// Files of rejected rows.
    pub rejects: Vec<RejectsFile>,
    /// The file of damaged stretches.
    pub damaged: Option<PathBuf>,
}

/// Running totals over all bodies, in order.
#[derive(Clone, Default)]
pub struct BodyTotals {
    /// Bodies.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the largest.
    pub bytes_max: u64,
    /// Users in all of them.
    pub users: u64,
    /// Events in all of them.
    pub events: u64,
    /// Users of the body with the most.
    pub users_max: u64,
    /// Events of the body with the most.
    pub events_max: u64,
    hashes: Xxh3Default,
}

impl std::fmt::Debug for BodyTotals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyTotals")
            .field("count", &self.count)
            .field("digest", &self.digest())
            .finish()
    }
}

impl BodyTotals {
    fn add(&mut self, body: &Body) {
        let bytes = body.bytes.len() as u64;
        self.count += 1;
        self.bytes += bytes;
        self.bytes_max = self.bytes_max.max(bytes);
        self.users += body.users;
        self.events += body.events;
        self.users_max = self.users_max.max(body.users);
        self.events_max = self.events_max.max(body.events);
        self.hashes.update(&xxh3_128(&body.bytes).to_be_bytes());
    }

    /// The digest of `report.json`.
    pub fn digest(&self) -> String {
        format!("{:032x}", self.hashes.digest128())
    }

    /// The totals as the report states them.
    pub fn counts(&self, body_bytes_max: usize) -> BodyCounts {
        let fill_mean = match self.count {
            0 => 0.0,
            count => self.bytes as f64 / count as f64 / body_bytes_max as f64,
        };
        BodyCounts {
            count: self.count,
            bytes: self.bytes,
            bytes_max: self.bytes_max,
            fill_mean,
            digest: self.digest(),
        }
    }
}

/// Bytes of the source that a block stands for, for the progress.
pub fn source_bytes(inputs: &Inputs, file: usize, rows: &Rows) -> u64 {
    match (rows, &inputs.files[file].table) {
        (Rows::Text(text), _) => text.bytes.len() as u64,
        (Rows::Arrow(arrow), Table::Parquet(table)) => {
            let share = arrow.batch.num_rows() as u64 * inputs.files[file].input.bytes;
            share / table.rows().max(1)
        }
        (Rows::Arrow(_), Table::Csv { .. }) => 0,
    }
}

/// The pass that every command runs: bodies go to `sink` in order.
///
/// # Errors
/// An input cannot be read, or whatever `on_block` and `sink` return.
pub fn pass(
    inputs: &Inputs,
    plan: &Plan,
    limits: Limits,
    job: &Job,
    pool: &ThreadPool,
    around: &Surroundings,
    mut on_block: impl FnMut(&Shaped) -> Result<(), Error>,
    mut sink: impl FnMut(Body) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut packer = Packer::new(limits);
    pipeline::pass(
        inputs,
        job.window,
        pool,
        around.stop,
        |file, rows| {
            encode::shape(plan, &inputs.files[file].binding, rows).map_err(Error::Internal)
        },
        |block| {
            on_block(&block)?;
            packer.push(&block, &mut sink)
        },
    )?;
    packer.finish(sink)
}

/// Checks everything, writes the rejects to `dir`, and hands the bodies to `sink`.
///
/// # Errors
/// An input cannot be read, the rejects cannot be written, or whatever `sink` returns.
#[expect(
    clippy::too_many_arguments,
    reason = "the wiring of one pass; a struct would only rename them"
)]
pub fn check(
    inputs: &Inputs,
    plan: &Plan,
    limits: Limits,
    job: &Job,
    failures: &Failures,
    dir: &Path,
    pool: &ThreadPool,
    around: &Surroundings,
    mut sink: impl FnMut(Body) -> Result<(), Error>,
) -> Result<Checked, Error> {
    let total = inputs.files.iter().map(|file| file.input.bytes).sum();
    around.progress.begin(Phase::Check, total);
    let mut checked = Checked { rows_by_file: vec![0; inputs.files.len()], ..Checked::default() };
    let mut notes = Notes::new(inputs, plan, failures, dir)?;
    let mut totals = BodyTotals::default();
    pass(
        inputs,
        plan,
        limits,
        job,
        pool,
        around,
        |block| {
            let file = block.rows.file() as usize;
            checked.rows.read += block.rows_read();
            checked.rows.rejected += block.rows_rejected();
            checked.rows.accepted += block.elements.len() as u64;
            checked.rows_by_file[file] += block.rows_read();
            checked.tally.merge(&block.tally);
            around.progress.advance(source_bytes(inputs, file, &block.rows));
            notes.block(block, &mut checked.tally)
        },
        |body| {
            totals.add(&body);
            sink(body)
        },
    )?;
    checked.bodies = totals;
    (checked.rejects, checked.damaged) = notes.finish()?;
    around.progress.end();
    Ok(checked)
}

/// The files of rejected rows and damaged stretches.
struct Notes<'a> {
    names: Vec<String>,
    columns: Vec<&'a str>,
    failures: &'a Failures,
    rejects: RejectsWriter,
    damaged: DamagedWriter,
}

impl<'a> Notes<'a> {
    fn new(
        inputs: &Inputs,
        plan: &'a Plan,
        failures: &'a Failures,
        dir: &Path,
    ) -> Result<Self, Error> {
        let mut rejects = RejectsWriter::new(dir);
        for (index, file) in inputs.files.iter().enumerate() {
            let format = match &file.table {
                Table::Csv { dialect, header, .. } => SourceFormat::Csv {
                    header: header.clone(),
                    dialect: SourceDialect {
                        delimiter: dialect.delimiter,
                        quote: dialect.quote,
                        escape: dialect.escape,
                    },
                },
                Table::Parquet(table) => {
                    SourceFormat::Parquet { schema: batch_schema(table, &file.wanted) }
                }
            };
            rejects.declare_source(index as u32, format, &file.input.name());
        }
        Ok(Self {
            names: inputs.files.iter().map(|file| file.input.name()).collect(),
            columns: plan.columns.iter().map(|column| column.source.as_str()).collect(),
            failures,
            rejects,
            damaged: DamagedWriter::new(dir),
        })
    }

    fn block(&mut self, block: &Shaped, tally: &mut Tally) -> Result<(), Error> {
        for damage in block.rows.damage() {
            let name = &self.names[damage.position.file as usize];
            self.damaged.write(name, damage)?;
        }
        let mut failed = Vec::new();
        if !self.failures.is_empty() {
            for element in &block.elements {
                let position = block.rows.position(element.row as usize);
                if let Some(failure) = self.failures.get(&position) {
                    tally.add(Severity::Reject, Code::ServerRefused, None, position);
                    failed.push((element.row, failure));
                }
            }
        }
        let mut failed = failed.into_iter().peekable();
        for reject in &block.rejects {
            while let Some((row, failure)) = failed.next_if(|&(row, _)| row < reject.row) {
                self.refused(&block.rows, row, failure)?;
            }
            let codes = report::codes(&reject.problems);
            let message = report::message(&reject.problems, &self.columns);
            self.write(&block.rows, reject.row, &codes, &message)?;
        }
        for (row, failure) in failed {
            self.refused(&block.rows, row, failure)?;
        }
        Ok(())
    }

    fn refused(&mut self, rows: &Arc<Rows>, row: u32, failure: &RowFailure) -> Result<(), Error> {
        let request =
            failure.request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default();
        let message = format!(
            "the server refused this row: {} {}: {}{request}",
            failure.status, failure.kind, failure.message
        );
        self.write(rows, row, &[Code::ServerRefused], &message)
    }

    fn write(
        &mut self,
        rows: &Arc<Rows>,
        row: u32,
        codes: &[Code],
        message: &str,
    ) -> Result<(), Error> {
        Ok(self.rejects.write(rows, row as usize, codes, message)?)
    }

    fn finish(self) -> Result<(Vec<RejectsFile>, Option<PathBuf>), Error> {
        Ok((self.rejects.finish()?, self.damaged.finish()?))
    }
}

/// Threads for the checks.
///
/// # Errors
/// The system gives none.
pub fn thread_pool(job: &Job) -> Result<ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(job.threads)
        .thread_name(|index| format!("check-{index}"))
        .build()
        .map_err(|error| Error::Usage(format!("--threads {}: {error}", job.threads)))
}

/// Inputs and a plan whose types are settled, with what inference had to say.
pub struct Planned {
    /// The inputs.
    pub inputs: Inputs,
    /// The plan.
    pub plan: Plan,
    /// Columns that a few values keep from a narrower type.
    pub minorities: Vec<Minority>,
}

/// Settles the types: the mapping's, or inferred from all values.
///
/// # Errors
/// An input cannot be read.
pub fn settle_types(
    job: &Job,
    inputs: Inputs,
    mut plan: Plan,
    pool: &ThreadPool,
    around: &Surroundings,
) -> Result<Planned, Error> {
    let minorities = match job.mapping {
        Some(_) => Vec::new(),
        None => inputs::infer(&inputs, &mut plan, pool, around)?,
    };
    Ok(Planned { inputs, plan, minorities })
}

/// Where bodies end, with the cut counts of this run.
pub fn limits(job: &Job) -> Limits {
    Limits {
        body_bytes_max: job.rules.body_bytes_max,
        cut_users: job.cut_users.or(job.users.per_minute()),
        cut_events: job.cut_events.or(job.events.per_minute()),
    }
}

/// Checks everything and sends nothing.
///
/// # Errors
/// See [`Error`].
pub fn validate(job: &Job, around: &Surroundings) -> Result<Outcome, Error> {
    dry_run("validate", job, around, |_| Ok(()))
}

/// Checks everything and writes the bodies to `out`, one a line.
///
/// # Errors
/// See [`Error`].
pub fn pack(job: &Job, out: &Path, around: &Surroundings) -> Result<Outcome, Error> {
    let output = |error| match io::Error::kind(&error) {
        io::ErrorKind::BrokenPipe => Error::BrokenPipe,
        _ => Error::Output { path: out.display().to_string(), error },
    };
    let mut sink = PackFile::create(out).map_err(output)?;
    let outcome = dry_run("pack", job, around, |body| sink.write(&body.bytes).map_err(output))?;
    sink.finish().map_err(output)?;
    Ok(outcome)
}

fn dry_run(
    command: &str,
    job: &Job,
    around: &Surroundings,
    sink: impl FnMut(Body) -> Result<(), Error>,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let pool = thread_pool(job)?;
    let (inputs, plan) = inputs::open(job, false, around)?;
    let dir = RunDir::open(&job.run_dir)?;
    let planned = settle_types(job, inputs, plan, &pool, around)?;
    let limits = limits(job);
    let failures = Failures::new();
    let Planned { inputs, plan, .. } = &planned;
    let checked = check(inputs, plan, limits, job, &failures, dir.path(), &pool, around, sink)?;
    let mut summary = summarise(command, job, &planned, &checked, limits);
    summary.complete = true;
    summary.rows.pending = summary.rows.accepted;
    summary.timing = timing(start, summary.rows.read);
    dir.write_report(&summary)?;
    Ok(Outcome { summary, rejects: checked.rejects, damaged: checked.damaged, end: End::Complete })
}

/// How long a run took so far.
pub fn timing(start: Instant, rows: u64) -> Timing {
    let seconds = start.elapsed().as_secs_f64();
    Timing { seconds, rows_per_second: if seconds > 0.0 { rows as f64 / seconds } else { 0.0 } }
}

/// The summary of a check; deliveries are for the caller to add.
pub fn summarise(
    command: &str,
    job: &Job,
    planned: &Planned,
    checked: &Checked,
    limits: Limits,
) -> Summary {
    let files = &planned.inputs.files;
    let mut tally = inputs::minority_tally(&planned.minorities);
    tally.merge(&checked.tally);
    let inputs = files
        .iter()
        .zip(&checked.rows_by_file)
        .map(|(file, &rows)| InputSummary {
            path: file.input.name(),
            bytes: file.input.bytes,
            rows,
        })
        .collect();
    let elements = match job.kind {
        Kind::Users => ElementCounts { users: checked.rows.accepted, ..ElementCounts::default() },
        Kind::Events => ElementCounts { events: checked.bodies.events, ..ElementCounts::default() },
    };
    let mut problems: Vec<ProblemSummary> = tally
        .iter()
        .map(|(severity, code, column, entry)| ProblemSummary {
            code: code.as_str(),
            severity: severity.as_str(),
            column: column.map(|at| planned.plan.columns[at as usize].source.clone()),
            count: entry.count,
            first: entry
                .first
                .iter()
                .map(|at| FirstPlace {
                    file: files[at.file as usize].input.name(),
                    row: at.row,
                    line: at.place.line(),
                    row_group: at.place.row_group(),
                })
                .collect(),
            help: code.help().to_owned(),
        })
        .collect();
    // Rejections stand first already; within them what is most frequent.
    problems.sort_by_key(|problem| (problem.severity, std::cmp::Reverse(problem.count)));
    Summary {
        version: 1,
        command: command.to_owned(),
        complete: false,
        destination: None,
        kind: job.kind.as_str().to_owned(),
        inputs,
        rows: checked.rows,
        elements,
        bodies: checked.bodies.counts(limits.body_bytes_max),
        plan: PlanSummary {
            seconds_at_limit: seconds_at_limit(job, checked.bodies.users, checked.bodies.events),
            users_per_minute: job.users.per_minute(),
            events_per_minute: job.events.per_minute(),
        },
        requests: crate::model::RequestCounts::default(),
        problems,
        timing: Timing::default(),
    }
}

/// The shortest time in which so much can be sent: one budget at once, and another each
/// time that a window has passed.
pub fn seconds_at_limit(job: &Job, users: u64, events: u64) -> f64 {
    let windows = |count: u64, rate: Option<u64>| match rate {
        Some(rate) => count.div_ceil(rate).saturating_sub(1),
        None => 0,
    };
    let windows =
        windows(users, job.users.per_minute()).max(windows(events, job.events.per_minute()));
    windows as f64 * crate::wire::limits::WINDOW.as_secs_f64()
}

/// Where `pack` writes: a new file that appears whole, or whatever stands there if that
/// is no regular file (a pipe, a terminal, `/dev/null`).
enum PackFile {
    Stream(Box<dyn Write>),
    Whole { out: BufWriter<File>, staged: PathBuf, target: PathBuf },
}

impl PackFile {
    fn create(target: &Path) -> io::Result<Self> {
        if target == Path::new("-") {
            return Ok(Self::Stream(Box::new(BufWriter::with_capacity(1 << 20, io::stdout()))));
        }
        if std::fs::metadata(target).is_ok_and(|found| !found.is_file()) {
            let file = File::options().write(true).open(target)?;
            return Ok(Self::Stream(Box::new(BufWriter::with_capacity(1 << 20, file))));
        }
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let staged = target.with_file_name(name);
        let file = File::create(&staged)?;
        Ok(Self::Whole {
            out: BufWriter::with_capacity(1 << 20, file),
            staged,
            target: target.to_owned(),
        })
    }

    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        let out: &mut dyn Write = match self {
            Self::Stream(out) => out,
            Self::Whole { out, .. } => out,
        };
        out.write_all(body)?;
        out.write_all(b"\n")
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Stream(mut out) => out.flush(),
            Self::Whole { out, staged, target } => {
                out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                std::fs::rename(staged, target)
            }
        }
    }
}
