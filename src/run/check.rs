//! The check pass: every row checked, encoded and packed; what is wrong tallied and
//! written down; each body handed to a sink.

use std::{path::Path, sync::Arc};

use rayon::ThreadPool;

use super::{
    Error, Inferred, Job, Surroundings, Window,
    changes::Changes,
    failpoint::Failpoint,
    findings::{BodyTotals, Checked, Failures, Findings},
    inputs::{InputFile, Inputs},
    pipeline,
    spares::PerThread,
    trial, types,
};
use crate::decode::Table;
use crate::model::{Body, Kind, PrintKeys, RowCounts, RowSet, Rows, Shaped};
use crate::pack::{Limits, Packer};
use crate::progress::Phase;
use crate::report;
use crate::shape::{
    encode::{self, Spare, View},
    event_names::EventNames,
    fair_use::FairUse,
    infer::Minority,
    mapping,
    plan::{Plan, PlanColumn, Target},
};

/// The most threads that can be of use: no more blocks fit in the memory that they share.
const THREADS_MAX: usize = 32;

impl pipeline::Product for Shaped {
    fn bytes(&self) -> u64 {
        self.memory_bytes()
    }

    fn into_rows(self) -> Arc<Rows> {
        self.rows
    }
}

/// Everything that a pass over the rows needs: the same for the check and for sending, which is
/// what makes their bodies the same.
pub struct Prepared<'a> {
    /// What was asked for.
    pub job: &'a Job,
    /// The inputs.
    pub inputs: Inputs,
    /// What becomes of each column. Without a mapping types are open until they are settled, by
    /// [`Prepared::settle`] or [`Prepared::first_check`].
    pub plan: Plan,
    /// Columns that a few values keep from a narrower type.
    pub minorities: Vec<Minority>,
    /// Where only changed rows are sent: which.
    pub changes: Option<Changes>,
    /// Where bodies end.
    pub limits: Limits,
    pub(super) pool: ThreadPool,
    /// Progress, and the wish to stop.
    pub around: &'a Surroundings<'a>,
}

impl<'a> Prepared<'a> {
    /// Takes what was opened.
    ///
    /// # Errors
    /// No threads can be had.
    pub fn new(
        job: &'a Job,
        inputs: Inputs,
        plan: Plan,
        changes: Option<Changes>,
        limits: Limits,
        around: &'a Surroundings<'a>,
    ) -> Result<Self, Error> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(job.threads.min(THREADS_MAX))
            .thread_name(|index| format!("check-{index}"))
            .build()
            .map_err(|error| Error::Usage(format!("--threads {}: {error}", job.threads)))?;
        Ok(Self { job, inputs, plan, minorities: Vec::new(), changes, limits, pool, around })
    }

    /// Settles the types, as the mapping has them or inferred from all values.
    ///
    /// # Errors
    /// An input cannot be read.
    pub fn settle(&mut self) -> Result<(), Error> {
        if self.job.mapping.is_none() {
            let Self { inputs, plan, pool, around, .. } = &*self;
            let found = types::infer(inputs, plan, Window::default(), pool, around)?;
            (self.plan, self.minorities) = (found.plan, found.minorities);
            types::log(&self.plan, &self.minorities);
        }
        Ok(())
    }

    /// Settles the types and checks everything: at once, where types that the first rows give are
    /// those that all rows give. What `take` makes of the bodies begins with `new`, anew where they
    /// are not.
    ///
    /// # Errors
    /// As for [`Prepared::check`].
    pub fn first_check<A: Send>(
        &mut self,
        failures: &Failures,
        dir: &Path,
        new: impl Fn() -> A,
        take: impl Fn(&mut A, Body) + Sync,
    ) -> Result<(Checked, A), Error> {
        let is_open = self.job.mapping.is_none();
        if is_open && self.job.window == Window::default() {
            let mut made = new();
            let tried = trial::check(self, failures, dir, |body| take(&mut made, body))?;
            if let Some(mut checked) = tried {
                self.pick(&mut checked, dir, |body| {
                    take(&mut made, body);
                    Ok(())
                })?;
                return Ok((checked, made));
            }
        } else {
            self.settle()?;
        }
        let mut made = new();
        let checked = self.check(failures, dir, |body| {
            take(&mut made, body);
            Ok(())
        })?;
        Ok((checked, made))
    }

    /// The mapping as it is used, in TOML.
    pub fn resolved_mapping(&self) -> String {
        let files = &self.inputs.files;
        mapping::to_toml(&self.plan, |at| {
            // A key that some lines have may be in none of the rejected ones.
            let may_lack =
                |file: &InputFile| matches!(file.table, Table::Ndjson(_)) || !file.binding.has(at);
            files.iter().any(may_lack)
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

    /// One pass over the rows that are sent: every block goes to `on_block`, every body to `sink`,
    /// both in order.
    ///
    /// # Errors
    /// An input cannot be read, or whatever `on_block` and `sink` return.
    pub fn pass(
        &self,
        on_block: impl FnMut(&Shaped) -> Result<(), Error> + Send,
        sink: impl FnMut(Body) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let keys = self.changes.as_ref().and_then(|changes| changes.keys_to_send(&self.plan));
        let only = self.changes.as_ref().and_then(Changes::rows);
        self.pass_over(&Shaper::new(self, only, keys), true, on_block, sink)
    }

    fn pass_over(
        &self,
        shaper: &Shaper<'_>,
        packs: bool,
        mut on_block: impl FnMut(&Shaped) -> Result<(), Error> + Send,
        mut sink: impl FnMut(Body) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let mut packing = Packing::new(shaper, packs);
        pipeline::pass(
            &self.inputs,
            self.job.window,
            &self.pool,
            self.around.stop,
            |file, rows| shaper.shape(file, rows),
            |block| packing.take(block, &mut on_block, &mut sink),
        )?;
        packing.finish(sink)
    }

    /// Checks everything, writes the rejects to `dir`, and hands the bodies to `sink`.
    ///
    /// # Errors
    /// An input cannot be read, the rejects cannot be written, or whatever `sink` returns.
    pub fn check(
        &self,
        failures: &Failures,
        dir: &Path,
        mut sink: impl FnMut(Body) -> Result<(), Error> + Send,
    ) -> Result<Checked, Error> {
        self.around.progress.begin(Phase::Check, self.inputs.bytes());
        let mut findings = Findings::new(self, failures, dir);
        let mut totals = BodyTotals::new(self.limits.body_bytes_max);
        self.pass_over(
            &Shaper::of_all(self),
            self.changes.is_none(),
            |block| findings.block(block),
            |body| {
                totals.add(&body);
                sink(body)
            },
        )?;
        let mut checked = findings.finish(totals)?;
        self.pick(&mut checked, dir, sink)?;
        Ok(checked)
    }

    /// What a user may have in the time in which the rows will be sent.
    pub fn fair_use(&self) -> FairUse {
        let Self { job, plan, .. } = self;
        let rate = match job.kind {
            Kind::Users | Kind::Devices => job.users,
            Kind::Events => job.events,
        };
        FairUse::new(rate.per_minute(), plan.id_column())
    }
}

/// Shapes blocks, on any thread.
pub struct Shaper<'p> {
    prepared: &'p Prepared<'p>,
    only: Option<&'p RowSet>,
    keys: Option<PrintKeys>,
    spares: PerThread<Spare>,
}

impl<'p> Shaper<'p> {
    /// With the plan as it is: some rows, with keys to remember them.
    pub fn new(
        prepared: &'p Prepared<'p>,
        only: Option<&'p RowSet>,
        keys: Option<PrintKeys>,
    ) -> Self {
        Self { prepared, only, keys, spares: PerThread::new(&prepared.pool) }
    }

    /// All rows, as a check looks at them.
    pub fn of_all(prepared: &'p Prepared<'p>) -> Self {
        let changes = prepared.changes.as_ref();
        Self::new(prepared, None, changes.and_then(|it| it.keys_to_note(&prepared.plan)))
    }

    /// Checks and encodes a block.
    ///
    /// # Errors
    /// A column cannot be read.
    pub fn shape(&self, file: usize, rows: Arc<Rows>) -> Result<Shaped, Error> {
        let Prepared { inputs, plan, .. } = self.prepared;
        let spare = self.spares.take().unwrap_or_default();
        let view = View { only: self.only, keys: self.keys.as_ref() };
        encode::shape(plan, &inputs.files[file].binding, rows, view, spare).map_err(Error::Internal)
    }
}

/// Blocks to bodies, in order.
pub struct Packing<'p> {
    shaper: &'p Shaper<'p>,
    names: EventNames,
    /// None where bodies are of no use yet.
    packer: Option<Packer>,
}

impl<'p> Packing<'p> {
    /// At the start of the import; without `packs` no bodies are made.
    pub fn new(shaper: &'p Shaper<'p>, packs: bool) -> Self {
        let Prepared { plan, limits, .. } = shaper.prepared;
        let packer = packs.then(|| Packer::new(*limits));
        Self { shaper, names: EventNames::new(&plan.event_names), packer }
    }

    /// Takes the next block, which is empty then.
    ///
    /// # Errors
    /// A column cannot be read, or whatever `on_block` and `sink` return.
    pub fn take(
        &mut self,
        block: &mut Shaped,
        on_block: &mut impl FnMut(&Shaped) -> Result<(), Error>,
        sink: &mut impl FnMut(Body) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if !self.names.admit(block) {
            let file = block.rows.file() as usize;
            *block = self.shaper.shape(file, Arc::clone(&block.rows))?;
        }
        Failpoint::Pack.reach();
        on_block(block)?;
        if let Some(packer) = &mut self.packer {
            packer.push(block, sink)?;
        }
        self.shaper.spares.keep(Spare::of(block));
        Ok(())
    }

    /// Packs what is left.
    ///
    /// # Errors
    /// Whatever `sink` returns.
    pub fn finish(self, sink: impl FnOnce(Body) -> Result<(), Error>) -> Result<(), Error> {
        self.packer.map_or(Ok(()), |packer| packer.finish(sink))
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
    None
}

/// What keeps bodies that are cut for the first time from being sent at these rates. Those of an
/// unfinished import are sent in halves instead: they can't be cut anew.
pub fn rate_objection(job: &Job, checked: &Checked) -> Option<Error> {
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
