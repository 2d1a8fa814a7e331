//! The dry runs: `validate` and `pack` are the check pass with another sink.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    End, Error, Job, Outcome, Surroundings,
    changes::Changes,
    check::{self, Prepared},
    excerpts,
    findings::{Checked, Failures},
    inputs,
    rundir::{self, RunDir},
    spool::{Spool, is_spooled},
    summary,
};
use crate::private;
use crate::source;

/// Small bodies are written together; one of this size goes as it is, which most do.
const OUT_BUFFER_BYTES: usize = 16 << 10;

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
    let mut sink = PackFile::create(out).map_err(output)?;
    // What was written can't be taken back, so the types are settled first.
    let outcome = dry_run("pack", job, around, |prepared, dir| {
        prepared.settle()?;
        prepared.check(&Failures::new(), dir, |body| sink.write(&body.bytes).map_err(output))
    })?;
    sink.finish().map_err(output)?;
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
        Ok(dir)
    };
    // Inputs that can't be read leave no directory behind, where none is needed to find that out.
    let early = if found.iter().any(is_spooled) { Some(open_dir()?) } else { None };
    let spool = Spool::new(&job.run_dir, false);
    let found = spool.fill(found, job, around)?;
    let (inputs, plan) = inputs::open(job, found, false, around)?;
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

/// Where `pack` writes: a new file that appears whole, or whatever stands there if that
/// is no regular file (a pipe, a terminal, `/dev/null`). A link stays, and what it leads to
/// is written: a rename over `/dev/stdout` would take it from every other program.
struct PackFile {
    out: Option<Box<dyn Write + Send>>,
    /// The file under its working name, and the name it gets when it is whole.
    staged: Option<(PathBuf, PathBuf)>,
}

impl PackFile {
    fn create(target: &Path) -> io::Result<Self> {
        let to = |out: Box<dyn Write + Send>, staged| {
            let out: Box<dyn Write + Send> =
                Box::new(BufWriter::with_capacity(OUT_BUFFER_BYTES, out));
            Self { out: Some(out), staged }
        };
        if target == Path::new("-") {
            return Ok(to(Box::new(io::stdout()), None));
        }
        if fs::metadata(target).is_ok_and(|found| !found.is_file()) {
            return Ok(to(Box::new(File::options().write(true).open(target)?), None));
        }
        let target = if fs::symlink_metadata(target).is_ok_and(|found| found.is_symlink()) {
            fs::canonicalize(target)?
        } else {
            target.to_owned()
        };
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let staged = target.with_file_name(name);
        // The bodies hold personal data; a leftover of a crash could have another mode.
        private::remove(&staged)?;
        let file = private::options().write(true).create_new(true).open(&staged)?;
        Ok(to(Box::new(file), Some((staged, target))))
    }

    fn write(&mut self, body: &[u8]) -> io::Result<()> {
        if let Some(out) = &mut self.out {
            out.write_all(body)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if let Some(mut out) = self.out.take() {
            out.flush()?;
        }
        match self.staged.take() {
            Some((staged, target)) => fs::rename(staged, target),
            None => Ok(()),
        }
    }
}

impl Drop for PackFile {
    /// A run that failed leaves no half of a file behind.
    fn drop(&mut self) {
        if let Some((staged, _)) = self.staged.take() {
            let _ = fs::remove_file(staged);
        }
    }
}
