//! The check pass: every row checked, encoded and packed; what is wrong tallied and
//! written down; each body handed to a sink.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rayon::ThreadPool;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::{
    Error, Inferred, Job, Surroundings,
    failpoint::Failpoint,
    inputs::{self, Inputs},
    notes::Notes,
    pipeline,
};
use crate::decode::Table;
use crate::model::{
    Body, BodyCounts, Code, Damage, Kind, Position, RowCounts, RowFailure, Rows, Shaped, Tally,
};
use crate::pack::{Limits, Packer};
use crate::progress::Phase;
use crate::report::{self, RejectsFile};
use crate::shape::{
    encode::{self, Spare},
    event_names::EventNames,
    fair_use::FairUse,
    infer::Minority,
    mapping,
    plan::{Plan, PlanColumn, Target},
};

/// The most threads that can be of use: no more blocks fit in the memory that they share.
const THREADS_MAX: usize = 32;

/// Rows that the server refused or that were left in doubt, by position.
pub type Failures = HashMap<Position, RowFailure>;

impl pipeline::Product for Shaped {
    fn bytes(&self) -> u64 {
        self.memory_bytes()
    }

    fn into_rows(self) -> Arc<Rows> {
        self.rows
    }
}

/// What a check pass found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rows read, accepted and rejected.
    pub rows: RowCounts,
    /// Rows read from each file.
    pub rows_by_file: Vec<u64>,
    /// Records of each file that are not UTF-8.
    pub not_utf8_by_file: Vec<u64>,
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
        // Most characters have two bytes there and one in the UTF-8 that was made of them.
        (Rows::Text(text), table) if table.encoding().is_utf_16() => 2 * text.bytes.len() as u64,
        (Rows::Text(text), _) => text.bytes.len() as u64,
        (Rows::Arrow(arrow), Table::Parquet(table)) => {
            let share = arrow.batch.num_rows() as u64 * inputs.files[file].input.bytes;
            share / table.rows().max(1)
        }
        (Rows::Arrow(_), Table::Csv { .. }) => 0,
    }
}

/// Everything that a pass over the rows needs, settled: the same for the check and for
/// sending, which is what makes their bodies the same.
pub struct Prepared<'a> {
    /// What was asked for.
    pub job: &'a Job,
    /// The inputs.
    pub inputs: Inputs,
    /// What becomes of each column, types included.
    pub plan: Plan,
    /// Columns that a few values keep from a narrower type.
    pub minorities: Vec<Minority>,
    /// Where bodies end.
    pub limits: Limits,
    pool: ThreadPool,
    /// Progress, and the wish to stop.
    pub around: &'a Surroundings<'a>,
}

impl<'a> Prepared<'a> {
    /// Settles the types, as the mapping has them or inferred from all values.
    ///
    /// # Errors
    /// An input cannot be read, or no threads can be had.
    pub fn new(
        job: &'a Job,
        inputs: Inputs,
        mut plan: Plan,
        limits: Limits,
        around: &'a Surroundings<'a>,
    ) -> Result<Self, Error> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(job.threads.min(THREADS_MAX))
            .thread_name(|index| format!("check-{index}"))
            .build()
            .map_err(|error| Error::Usage(format!("--threads {}: {error}", job.threads)))?;
        let minorities = match job.mapping {
            Some(_) => Vec::new(),
            None => inputs::infer(&inputs, &mut plan, &pool, around)?,
        };
        Ok(Self { job, inputs, plan, minorities, limits, pool, around })
    }

    /// The mapping as it is used, in TOML.
    pub fn resolved_mapping(&self) -> String {
        let files = &self.inputs.files;
        mapping::to_toml(&self.plan, |at| {
            files.iter().any(|file| file.binding.sources[at].is_none())
        })
    }

    /// What was inferred; empty where a mapping says everything.
    pub fn inferred(&self) -> Vec<Inferred> {
        let columns = self.plan.columns.iter().filter(|_| self.job.mapping.is_none());
        let inferred = |column: &PlanColumn| Inferred {
            column: column.source.clone(),
            is_attribute: column.target == Target::Attribute,
            value: column.value.as_str(),
        };
        columns.map(inferred).collect()
    }

    /// One pass over the rows: every block goes to `on_block`, every body to `sink`, both
    /// in order.
    ///
    /// # Errors
    /// An input cannot be read, or whatever `on_block` and `sink` return.
    pub fn pass(
        &self,
        mut on_block: impl FnMut(&Shaped) -> Result<(), Error>,
        mut sink: impl FnMut(Body) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut packer = Packer::new(self.limits);
        let mut names = EventNames::new(&self.plan.event_names);
        let spares = Mutex::new(Vec::new());
        let spares = || spares.lock().unwrap_or_else(PoisonError::into_inner);
        let shape = |file: usize, rows| {
            let binding = &self.inputs.files[file].binding;
            let spare = spares().pop().unwrap_or_default();
            encode::shape(&self.plan, binding, rows, spare).map_err(Error::Internal)
        };
        pipeline::pass(
            &self.inputs,
            self.job.window,
            &self.pool,
            self.around.stop,
            shape,
            |block| {
                if !names.admit(block) {
                    *block = shape(block.rows.file() as usize, Arc::clone(&block.rows))?;
                }
                Failpoint::Pack.reach();
                on_block(block)?;
                packer.push(block, &mut sink)?;
                spares().push(Spare::of(block));
                Ok(())
            },
        )?;
        packer.finish(sink)
    }

    /// What a user may have in the time in which the rows will be sent.
    fn fair_use(&self) -> FairUse {
        let Self { job, plan, .. } = self;
        let rate = match job.kind {
            Kind::Users | Kind::Devices => job.users,
            Kind::Events => job.events,
        };
        let is_id =
            |column: &PlanColumn| matches!(column.target, Target::CustomerId | Target::Identifier);
        let column = plan.columns.iter().position(is_id);
        FairUse::new(rate.per_minute(), column.map(|at| at as u32))
    }

    /// Checks everything, writes the rejects to `dir`, and hands the bodies to `sink`.
    ///
    /// # Errors
    /// An input cannot be read, the rejects cannot be written, or whatever `sink` returns.
    pub fn check(
        &self,
        failures: &Failures,
        dir: &Path,
        mut sink: impl FnMut(Body) -> Result<(), Error>,
    ) -> Result<Checked, Error> {
        let Self { inputs, plan, around, .. } = self;
        around.progress.begin(Phase::Check, inputs.bytes());
        let none = vec![0; inputs.files.len()];
        let mut checked =
            Checked { rows_by_file: none.clone(), not_utf8_by_file: none, ..Checked::default() };
        let mut notes = Notes::new(inputs, plan, failures, dir, self.job.rejects_safe);
        let mut totals = BodyTotals::default();
        let mut fair_use = self.fair_use();
        self.pass(
            |block| {
                let file = block.rows.file() as usize;
                checked.rows.read += block.rows_read();
                checked.rows.rejected += block.rows_rejected();
                checked.rows.accepted += block.elements.len() as u64;
                checked.rows_by_file[file] += block.rows_read();
                let not_utf8 = |damage: &&Damage| damage.code == Code::InvalidUtf8;
                checked.not_utf8_by_file[file] +=
                    block.rows.damage().iter().filter(not_utf8).count() as u64;
                checked.tally.merge(&block.tally);
                fair_use.count(block, &mut checked.tally);
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
        let RowCounts { read, accepted, rejected, .. } = checked.rows;
        let (bodies, bytes) = (checked.bodies.count, checked.bodies.bytes);
        tracing::info!(read, accepted, rejected, bodies, bytes, "rows checked and packed");
        Ok(checked)
    }
}

/// Where bodies end: the cut counts are the rates, where no others are given.
pub fn limits(job: &Job) -> Limits {
    Limits {
        body_bytes_max: job.rules.body_bytes_max,
        cut_users: job.cut_users.or(job.users.per_minute()),
        cut_events: job.cut_events.or(job.events.per_minute()),
        single: job.api.is_single(),
    }
}

/// What keeps checked rows from being sent, wherever they are to go.
pub fn objection(job: &Job, checked: &Checked, dir: &Path) -> Option<Error> {
    let RowCounts { read, rejected, .. } = checked.rows;
    if job.rejects_max.is_exceeded(rejected, read) {
        let report = dir.join(report::REPORT_FILE).display().to_string();
        return Some(Error::TooManyRejects { rejected, read, report });
    }
    let bodies = &checked.bodies;
    for (flag, rate, largest) in [
        ("--users-per-minute", job.users, bodies.users_max),
        ("--events-per-minute", job.events, bodies.events_max),
    ] {
        if rate.per_minute().is_some_and(|rate| rate < largest) {
            return Some(Error::Usage(format!(
                "{flag} {rate} is below the largest body, which could then never be sent; the smallest \
                 that works is {largest}"
            )));
        }
    }
    None
}
