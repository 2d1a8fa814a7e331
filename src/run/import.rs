//! An import from start to end: open, check, show the plan, send, record.

use std::time::Instant;

use super::{
    Delivery, End, Error, InDoubt, Inferred, Job, Outcome, Surroundings,
    changes::Changes,
    check::{self, Prepared},
    deliver,
    doubt::Doubt,
    earlier::{Earlier, decided, known_failures, other_bodies},
    excerpts,
    failpoint::Failpoint,
    findings::{BodyTotals, Checked},
    inputs::{self, Inputs},
    rundir::{RunDir, Scratch, spare_inputs},
    spool::Spool,
    summary,
    turn::patiently,
};
use crate::journal::{self, Binding, InputBinding, Journal};
use crate::model::{RowCounts, Summary};
use crate::pack::{Limits, PACKING_VERSION};
use crate::progress::Sent;
use crate::source;

/// What is about to be sent, for a person to agree to.
pub struct Proposal<'a> {
    /// The summary of the check; what earlier runs sent is in its rows.
    pub summary: &'a Summary,
    /// An earlier run is resumed.
    pub resumed: bool,
    /// Rows that it sent without an answer, and what becomes of them.
    pub in_doubt: Option<(u64, InDoubt)>,
    /// Names of columns that the mapping does not use, by file.
    pub unused: Vec<(String, Vec<String>)>,
    /// What was inferred, where there is no mapping.
    pub inferred: Vec<Inferred>,
}

/// Checks everything, shows the plan to `agree`, sends, and records.
///
/// # Errors
/// What keeps the import from being checked at all. What stops it later is in
/// [`Outcome::end`], beside the summary of what was done.
pub fn import(
    job: &Job,
    delivery: &Delivery,
    around: &Surroundings,
    agree: impl FnOnce(&Proposal<'_>) -> bool,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    let destination = &delivery.destination;
    spare_inputs(job)?;
    let dir = patiently(delivery.wait, around, || RunDir::open(&job.run_dir))?;
    let found = source::find(&job.inputs)?;
    // Dropped before the directory, and with it the lock, is given up.
    let spool = if delivery.restart { Spool::anew } else { Spool::new };
    let mut spool = spool(dir.path(), delivery.is_resumable());
    let found = spool.fill(found, job, around)?;
    let (inputs, plan) = inputs::open(job, found, true, around)?;
    let mut binding = binding(job, delivery, &inputs)?;
    let mut changes = job
        .only_changed
        .as_ref()
        .map(|only| patiently(delivery.wait, around, || Changes::open(only, job, destination)))
        .transpose()?;
    let earlier = Earlier::of(&dir, delivery, job, changes.as_ref(), &mut binding)?;
    let (earlier, aside) = match earlier {
        Earlier::None => (None, None),
        Earlier::Same(journal) => (Some(*journal), None),
        Earlier::Replaced => (None, Some(dir.set_aside()?)),
    };
    if let (Some(changes), Some(digest)) = (&mut changes, decided(earlier.as_ref())) {
        changes.resume(dir.path(), digest)?;
    }
    let resumed = earlier.is_some();
    if resumed {
        spool.keep()?;
    }
    let limits = Limits {
        cut_users: binding.cut_users,
        cut_events: binding.cut_events,
        ..check::limits(job)
    };
    let mut prepared = Prepared::new(job, inputs, plan, changes, limits, around)?;
    let failures = earlier.as_ref().map(known_failures).unwrap_or_default();
    let found = failures.len();
    // What a complete run has left may have been mended since: it is looked at, not replaced.
    let is_complete = earlier.as_ref().is_some_and(|journal| journal.snapshot().finished.is_some());
    let apart = is_complete.then(|| dir.scratch()).transpose()?;
    let (mut checked, doubt) = prepared.first_check(
        &failures,
        apart.as_ref().map_or(dir.path(), Scratch::path),
        || Doubt::new(earlier.as_ref(), delivery.in_doubt),
        |doubt, body| doubt.note(&body),
    )?;
    if let Some(apart) = &apart {
        let rejects = checked.rejects.iter_mut().map(|file| &mut file.path);
        for path in rejects.chain(&mut checked.damaged) {
            *path = apart.settle(path)?;
        }
    }
    dir.write_mapping(&prepared.resolved_mapping())?;
    let summarise = |checked: &Checked, journal: Option<&Journal>| {
        let mut summary = summary::summarise("import", &prepared, checked);
        summary.destination = Some(delivery.destination.clone());
        settle_counts(&mut summary.rows, journal);
        summary.requests = journal.map(|j| j.snapshot().progress.requests).unwrap_or_default();
        summary
    };
    let finish = |checked: Checked, journal: Option<&Journal>, throughput, end: End| {
        let mut summary = summarise(&checked, journal);
        summary.throughput = throughput;
        summary.complete = !matches!(end, End::Stopped(_));
        summary.timing = summary::timing(start, summary.rows.read);
        let page = match (dir.write_report(&summary), &end) {
            (Ok(page), _) => Some(page),
            // What stopped the run is told; a full disk often keeps this file too from it.
            (Err(error), End::Stopped(_)) => {
                tracing::error!(%error, "the report can't be written");
                None
            }
            (Err(error), _) => return Err(error),
        };
        let diagnostics = excerpts::first_rows(&prepared, &checked);
        let Checked { rejects, damaged, .. } = checked;
        let inferred = prepared.inferred();
        Ok(Outcome { summary, inferred, page, rejects, damaged, diagnostics, end })
    };

    if let Some(journal) = &earlier
        && let Some(code) = journal.snapshot().finished
    {
        return finish(checked, Some(journal), None, End::Already(code));
    }
    let proposed = summarise(&checked, earlier.as_ref());
    let other = earlier.as_ref().and_then(|journal| other_bodies(journal, &proposed, &dir));
    let objection = || objection(&prepared, delivery, &checked, &dir, resumed);
    if let Some(error) = other.or_else(objection) {
        return finish(checked, earlier.as_ref(), None, End::Stopped(error));
    }
    let unused = unused_columns(&prepared.inputs);
    let inferred = prepared.inferred();
    let in_doubt = (doubt.rows() > 0).then_some((doubt.rows(), delivery.in_doubt));
    if !agree(&Proposal { summary: &proposed, resumed, in_doubt, unused, inferred }) {
        return finish(checked, earlier.as_ref(), None, End::Stopped(Error::Declined));
    }

    let mut journal = match earlier {
        Some(journal) => journal,
        None => {
            // Not before this one is agreed to: until then the earlier one can be gone on with.
            if let Some(aside) = aside {
                aside.finish()?;
            }
            spool.keep()?;
            if let Some(changes) = &prepared.changes {
                binding.changes = changes.freeze(dir.path())?;
            }
            Journal::create(&dir.checkpoint(), &binding)?
        }
    };
    let progress = &journal.snapshot().progress;
    tracing::info!(
        resumed,
        delivered = progress.delivered,
        failed = progress.failed.len(),
        in_doubt = progress.in_doubt().count(),
        pending = proposed.rows.pending,
        path = %dir.checkpoint().display(),
        "checkpoint opened"
    );
    journal.plan(&journal_plan(&proposed))?;
    doubt.settle(&mut journal)?;
    if let Some(changes) = &prepared.changes {
        changes.publish()?;
        Failpoint::Publish.reach();
    }
    let mut throughput = None;
    let done = proposed.rows.delivered + proposed.rows.failed;
    around.progress.before_sending(before_sending(job, &checked.bodies, done));
    let sent =
        deliver::deliver(&prepared, delivery, &checked.bodies, &mut journal, &mut throughput);
    let failures = known_failures(&journal);
    let mut written = Ok(());
    if failures.len() > found {
        // Rows that the server refused belong into the rejects, in file order.
        match prepared.check(&failures, dir.path(), |_| Ok(())) {
            Ok(again) => checked = again,
            Err(error) => written = Err(error),
        }
    }
    let is_complete = sent.is_ok() && written.is_ok();
    let moved_on = match &prepared.changes {
        Some(changes) => {
            Failpoint::Remember.reach();
            changes.settle(&journal, &prepared.plan, is_complete)
        }
        None => Ok(()),
    };
    // Without its rejects, and without what it is remembered by, an import is not complete: the same
    // command writes them.
    match sent.and(written).and(moved_on) {
        Ok(()) => {
            let code = i32::from(checked.rows.rejected > 0 || !failures.is_empty());
            Failpoint::Finish.reach();
            journal.finish(code)?;
            finish(checked, Some(&journal), throughput, End::Complete)
        }
        Err(error) => finish(checked, Some(&journal), throughput, End::Stopped(error)),
    }
}

/// Where sending stands before it begins, with the rows that earlier runs have done.
fn before_sending(job: &Job, totals: &BodyTotals, done: u64) -> Sent {
    let left = (totals.users + totals.events).saturating_sub(done);
    let (unit, rate, users, events) = match totals.users {
        0 => ("events", job.events, 0, left),
        _ => ("users", job.users, left, 0),
    };
    Sent {
        rows: done,
        failed: 0,
        unit,
        budget: rate.per_minute(),
        waiting: None,
        seconds_left: summary::seconds_at_limit(job, users, events) as u64,
    }
}

/// What keeps a checked import from being sent.
fn objection(
    prepared: &Prepared,
    delivery: &Delivery,
    checked: &Checked,
    dir: &RunDir,
    resumed: bool,
) -> Option<Error> {
    let Prepared { job, plan, minorities, .. } = prepared;
    if let Some(error) = check::objection(job, checked, dir.path()) {
        return Some(error);
    }
    if !resumed && let Some(error) = check::rate_objection(job, checked) {
        return Some(error);
    }
    if delivery.is_real && !job.accept_inferred && !minorities.is_empty() {
        let columns: Vec<String> = minorities
            .iter()
            .map(|minority| {
                format!(
                    "`{}` ({} of {} values are no {})",
                    plan.columns[minority.column as usize].source,
                    minority.misfits.count,
                    minority.values,
                    minority.narrower.as_str()
                )
            })
            .collect();
        return Some(Error::Usage(format!(
            "a few values keep a column from its type: {}; mend them (the report lists them), give \
             --mapping with the type that is meant, or send these columns as string with --accept-inferred",
            columns.join(", ")
        )));
    }
    None
}

fn binding(job: &Job, delivery: &Delivery, inputs: &Inputs) -> Result<Binding, Error> {
    let mapping = match &job.mapping {
        None => "none".to_owned(),
        Some(file) => file.content.clone(),
    };
    let inputs = inputs
        .files
        .iter()
        .map(|file| {
            let print = file.fingerprint.as_ref();
            InputBinding {
                path: file.input.name(),
                bytes: print.map_or(file.input.bytes, |print| print.bytes),
                content: print.map(|print| print.content.clone()).unwrap_or_default(),
            }
        })
        .collect();
    Ok(Binding {
        inputs,
        mapping,
        kind: job.kind.as_str().to_owned(),
        shaping: job.shaping.clone(),
        endpoint: delivery.endpoint.clone(),
        app_id: delivery.app_id.clone(),
        packing_version: PACKING_VERSION,
        cut_users: job.cut_users.or(job.users.per_minute()),
        cut_events: job.cut_events.or(job.events.per_minute()),
        changes: None,
        said: job.said.clone(),
    })
}

/// Adds what was sent to the counts of a check.
fn settle_counts(rows: &mut RowCounts, journal: Option<&Journal>) {
    if let Some(journal) = journal {
        let progress = &journal.snapshot().progress;
        rows.delivered = progress.delivered;
        rows.failed = progress.failed.len() as u64;
    }
    rows.pending = rows.accepted.saturating_sub(rows.delivered + rows.failed);
}

fn journal_plan(summary: &Summary) -> journal::Plan {
    journal::Plan {
        rows_read: summary.rows.read,
        rows_accepted: summary.rows.accepted,
        rows_rejected: summary.rows.rejected,
        rows_skipped: summary.rows.skipped,
        users: summary.elements.users,
        events: summary.elements.events,
        devices: summary.elements.devices,
        bodies: summary.bodies.count,
        body_bytes: summary.bodies.bytes,
        digest: summary.bodies.digest.clone(),
    }
}

fn unused_columns(inputs: &Inputs) -> Vec<(String, Vec<String>)> {
    let unused = |file: &inputs::InputFile| (file.input.name(), file.binding.unused.clone());
    inputs.files.iter().map(unused).filter(|(_, names)| !names.is_empty()).collect()
}
