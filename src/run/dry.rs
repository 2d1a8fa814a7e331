//! The dry runs: `validate` and `pack` are the check pass with another sink.

use std::{fs, io::Write, path::Path, time::Instant};

use super::{
    End, Error, Job, Outcome, Surroundings,
    changes::Changes,
    check::{self, Prepared},
    excerpts,
    findings::{Checked, Failures},
    inputs,
    out::Out,
    rundir::{self, RunDir},
    spool::{Ready, Spool},
    summary,
};
use crate::source;

/// Checks everything and sends nothing.
///
/// # Errors
/// See [`Error`].
pub fn validate(job: &Job, around: &Surroundings) -> Result<Outcome, Error> {
    dry_run("validate", job, around, |prepared, dir| {
        Ok(prepared.first_check(&Failures::new(), dir, || (), |(), _| ())?.0)
    })
}

/// Checks everything and writes the bodies to `out`, one a line.
///
/// # Errors
/// See [`Error`].
pub fn pack(job: &Job, out: &Path, around: &Surroundings) -> Result<Outcome, Error> {
    let output = |error| Error::of_write(out, error);
    spare_sources(job, out)?;
    let mut sink = Out::create(out).map_err(output)?;
    let mut write = |body: &[u8]| sink.write_all(body).and_then(|()| sink.write_all(b"\n"));
    // What was written can't be taken back, so the types are settled first.
    let outcome = dry_run("pack", job, around, |prepared, dir| {
        prepared.settle()?;
        prepared.check(&Failures::new(), dir, |body| write(&body.bytes).map_err(output))
    })?;
    // A file of rows that are not to be sent would look like one of those that are.
    if matches!(outcome.end, End::Complete) {
        sink.finish().map_err(output)?;
    }
    Ok(outcome)
}

/// Refuses an output that is an input or the mapping: it would be replaced by the bodies.
fn spare_sources(job: &Job, out: &Path) -> Result<(), Error> {
    // What isn't there, and `-`, can't be one of them.
    let Ok(target) = fs::canonicalize(out) else { return Ok(()) };
    let inputs = source::local_files(&job.inputs)?;
    let mapping = job.mapping.iter().map(|file| file.path.clone());
    if inputs
        .into_iter()
        .chain(mapping)
        .any(|path| fs::canonicalize(path).is_ok_and(|path| path == target))
    {
        return Err(Error::Usage(format!(
            "--out {}: is an input or the mapping, which the bodies would replace; name another file",
            out.display()
        )));
    }
    Ok(())
}

fn dry_run(
    command: &str,
    job: &Job,
    around: &Surroundings,
    check: impl FnOnce(&mut Prepared<'_>, &Path) -> Result<Checked, Error>,
) -> Result<Outcome, Error> {
    let start = Instant::now();
    rundir::spare_inputs(job)?;
    let found = source::find(&job.inputs)?;
    let open_dir = || {
        let dir = RunDir::open(&job.run_dir)?;
        if dir.checkpoint().exists() {
            return Err(Error::Usage(format!(
                "--run-dir {}: holds an import, whose report and rejects a {command} would replace; \
                 choose another directory, or leave the flag out",
                dir.path().display()
            )));
        }
        // No run goes on here, so what is there was left by one that was killed.
        Spool::new(dir.path(), false).remove_all();
        Ok(dir)
    };
    // Inputs that can't be read leave no directory behind, where none is needed to find that out.
    // It is not this process's then: its spool is not touched.
    let as_they_are: Option<Vec<Ready>> = found.iter().map(Ready::as_it_is).collect();
    let (early, spool);
    let ready = match as_they_are {
        Some(ready) => {
            early = None;
            ready
        }
        None => {
            early = Some(open_dir()?);
            spool = Spool::new(&job.run_dir, false);
            spool.fill(found, job, around)?
        }
    };
    let (inputs, plan) = inputs::open(job, ready, false, around)?;
    let late;
    let dir = match &early {
        Some(dir) => dir,
        None => {
            late = open_dir()?;
            &late
        }
    };
    let changes = job.only_changed.as_ref().map(|only| Changes::peek(only, job)).transpose()?;
    let mut prepared = Prepared::new(job, inputs, plan, changes, check::limits(job), around)?;
    let checked = check(&mut prepared, dir.path())?;
    dir.write_mapping(&prepared.resolved_mapping())?;
    let mut summary = summary::summarise(command, &prepared, &checked);
    summary.complete = true;
    summary.rows.pending = summary.rows.accepted;
    summary.timing = summary::timing(start, summary.rows.read);
    let page = Some(dir.write_report(&summary)?);
    let objection = check::objection(job, &checked, dir.path());
    let end = match objection.or_else(|| check::rate_objection(job, &checked)) {
        Some(error) => End::Stopped(error),
        None => End::Complete,
    };
    let inferred = prepared.inferred();
    let diagnostics = excerpts::first_rows(&prepared, &checked);
    let Checked { rejects, damaged, .. } = checked;
    Ok(Outcome { summary, inferred, page, rejects, damaged, diagnostics, end })
}
