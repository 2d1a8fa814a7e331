//! `--only-changed`: the rows that the server does not hold yet, and the memory of those that it
//! does.
//!
//! A check notes each row's hashes; they are held against the state, and rows that are new or
//! differ are packed in a second pass. What was decided is kept with the checkpoint. Before the
//! first row leaves, the state knows what is on its way, and at the end, or at a stop, it moves on
//! over what the journal says is delivered, and over nothing else.

use std::{
    collections::{HashMap, HashSet},
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rayon::ThreadPool;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Error, Job, SANDBOX, Window,
    check::Prepared,
    findings::{BodyTotals, Checked},
};
use crate::journal::{Journal, Progress};
use crate::model::{
    Body, ChangeSummary, Code, Element, Kind, PrintKeys, RowCounts, RowSet, Shaped, Tally,
    TallyEntry,
};
use crate::progress::Phase;
use crate::shape::{mapping, plan::Plan};
use crate::state::{
    self, Entry, Fate, Frozen, Moved, PendingWriter, Purpose, Spill, State, random_name,
};

/// Sends only what changed, by this state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnlyChanged {
    /// The state's directory.
    pub state: PathBuf,
    /// Every row is sent all the same, and the state made anew.
    pub full: bool,
}

/// After so many days without it, a full import is suggested: the server drops records silently,
/// and whatever else changes them there is not seen here.
pub const FULL_AGE_DAYS: u64 = 30;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Which rows an import sends, and what the state is told of them.
#[derive(Debug)]
pub struct Changes {
    state: Mutex<State>,
    /// The import's own name.
    run: String,
    full: bool,
    /// All rows of the inputs are read, not a window of them.
    is_whole: bool,
    /// What is sent is written down in the state.
    writes: bool,
    /// Another import moved the state on since this one decided.
    overtaken: bool,
    decided: OnceLock<Decided>,
    packed: OnceLock<Packed>,
    told: OnceLock<ChangeSummary>,
    on_their_way: Mutex<Option<PendingWriter>>,
}

/// What was decided: it stays, whatever becomes of the state.
#[derive(Debug)]
struct Decided {
    frozen: Frozen,
    rows: RowSet,
}

/// What the second pass found.
#[derive(Debug)]
struct Packed {
    bodies: BodyTotals,
    tally: Tally,
}

/// What a check notes of the rows, in their order.
#[derive(Debug)]
pub struct Noted {
    spill: Spill,
    /// The last row of each file.
    last_rows: Vec<u64>,
    /// Ids of rejected rows that are noted already, as far as they are kept: placeholders, which
    /// many rows have, would come to one part, whatever its size.
    rejected: HashSet<u128>,
}

/// Ids of rejected rows that are kept so that each is noted once.
const REJECTED_IDS_MAX: usize = 4_096;

impl Noted {
    /// Takes in the next block.
    ///
    /// # Errors
    /// The temporary file can't be written, or there are more rows than can be told apart.
    pub fn block(&mut self, block: &Shaped) -> Result<(), Error> {
        let file = block.rows.file();
        let last = &mut self.last_rows[file as usize];
        for (element, print) in block.elements.iter().zip(&block.prints) {
            let row = block.rows.position(element.row as usize).row;
            *last = row.max(*last);
            let entry = Entry::accepted(file, row, print.id, print.row);
            let entry = entry.ok_or_else(|| {
                Error::Usage(
                    "--only-changed compares 1,000,000,000,000 rows a file in 4,000,000 files at most; \
                     split the import"
                        .to_owned(),
                )
            })?;
            self.spill.push(entry)?;
        }
        for &id in &block.rejected_ids {
            if self.rejected.contains(&id) {
                continue;
            }
            if self.rejected.len() < REJECTED_IDS_MAX {
                self.rejected.insert(id);
            }
            self.spill.push(Entry::rejected(id))?;
        }
        Ok(())
    }
}

impl Changes {
    /// For an import: opens the state, and keeps it from others.
    ///
    /// # Errors
    /// Another process has the state, it is of something else, or it can't be used.
    pub fn open(only: &OnlyChanged, job: &Job, destination: &str) -> Result<Self, Error> {
        Self::of(State::open(&only.state, &purpose(job, destination))?, only, job, true)
    }

    /// For a check: reads the state and leaves it as it is.
    ///
    /// # Errors
    /// It is of other rows, or can't be used.
    pub fn peek(only: &OnlyChanged, job: &Job) -> Result<Self, Error> {
        Self::of(State::peek_or_none(&only.state, &purpose(job, ""))?, only, job, false)
    }

    fn of(state: State, only: &OnlyChanged, job: &Job, writes: bool) -> Result<Self, Error> {
        Ok(Self {
            state: state.into(),
            run: random_name()?,
            full: only.full,
            is_whole: job.window == Window::default(),
            writes,
            overtaken: false,
            decided: OnceLock::new(),
            packed: OnceLock::new(),
            told: OnceLock::new(),
            on_their_way: Mutex::new(None),
        })
    }

    /// Takes what an unfinished import decided at its start.
    ///
    /// # Errors
    /// That is lost, or was decided by another state.
    pub fn resume(&mut self, dir: &Path, digest: &str) -> Result<(), Error> {
        let (frozen, rows) = Frozen::read(dir, digest)?;
        let state = self.state();
        let Frozen { state: name, base, run, .. } = &frozen;
        if *name != state.manifest().name {
            return Err(Error::Changed(format!(
                "--state {}: is not the state by which the unfinished import in {} decided what to send; \
                 name that one, or begin anew with --restart",
                state.dir().display(),
                dir.display()
            )));
        }
        let generation = &state.manifest().generation;
        // One that was cut off has left the generation as it was, and may have sent later values.
        let overtaken =
            (generation != base && generation != run) || is_cut_off(&state, run).is_some();
        drop(state);
        (self.overtaken, self.run) = (overtaken, run.clone());
        self.decided = OnceLock::from(Decided { frozen, rows });
        Ok(())
    }

    /// Whether the state is as an import left it that is complete.
    pub fn is_where_left(&self, dir: &Path, digest: &str) -> bool {
        let state = self.state();
        Frozen::read(dir, digest).is_ok_and(|(Frozen { run, .. }, _)| {
            run == state.manifest().generation && is_cut_off(&state, &run).is_none()
        })
    }

    /// Keeps what was decided with the checkpoint, which is bound to the hash of it.
    ///
    /// # Errors
    /// It can't be written.
    pub fn freeze(&self, dir: &Path) -> Result<Option<String>, Error> {
        let written = self.decided.get().map(|decided| decided.frozen.write(dir, &decided.rows));
        Ok(written.transpose()?)
    }

    /// The keys with which a check notes rows; `None` where it is decided already what is sent.
    pub fn keys_to_note(&self, plan: &Plan) -> Option<PrintKeys> {
        self.decided.get().is_none().then(|| self.keys(plan))
    }

    /// The keys with which rows are written down that are sent; `None` where they are not.
    pub fn keys_to_send(&self, plan: &Plan) -> Option<PrintKeys> {
        self.on_their_way().is_some().then(|| self.keys(plan))
    }

    fn keys(&self, plan: &Plan) -> PrintKeys {
        self.state().keys(&mapping_hash(plan))
    }

    /// The rows that are sent, once that is decided.
    pub fn rows(&self) -> Option<&RowSet> {
        self.decided.get().map(|decided| &decided.rows)
    }

    /// Where a check notes rows of so many files; `None` where it need not.
    pub fn notes(&self, dir: &Path, files: usize) -> Option<Noted> {
        let noted = || Noted {
            spill: Spill::new(dir),
            last_rows: vec![0; files],
            rejected: HashSet::new(),
        };
        self.decided.get().is_none().then(noted)
    }

    /// Decides which rows are sent, if that is still to be done.
    fn decide(
        &self,
        noted: Option<Noted>,
        plan: &Plan,
        pool: &ThreadPool,
    ) -> Result<&Decided, Error> {
        if let Some(decided) = self.decided.get() {
            return Ok(decided);
        }
        let Some(Noted { mut spill, last_rows, .. }) = noted else {
            return Err(Error::Internal("rows were not noted".to_owned()));
        };
        let state = self.state();
        state.doubt(&self.run, &mut spill)?;
        let rows = RowSet::with_rows(&last_rows);
        let compared = state::compare(&spill.finish(), state.ids(), self.full, &rows, pool)?;
        let manifest = state.manifest();
        let is_another_mapping =
            !manifest.mapping.is_empty() && manifest.mapping != mapping_hash(plan);
        let frozen = Frozen {
            run: self.run.clone(),
            state: manifest.name.clone(),
            base: manifest.generation.clone(),
            // A row that is unchanged was sent under this mapping.
            mapping_changed: is_another_mapping && compared.counts.unchanged == 0,
            cut_off: is_cut_off(&state, &self.run).map(|dir| dir.display().to_string()),
            counts: compared.counts,
            repeated: compared.repeated,
        };
        tracing::info!(
            new = frozen.counts.new,
            changed = frozen.counts.changed,
            unchanged = frozen.counts.unchanged,
            "rows compared"
        );
        Ok(self.decided.get_or_init(|| Decided { frozen, rows }))
    }

    /// Before the first row leaves: the state knows from here on what is on its way.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn publish(&self) -> Result<(), Error> {
        let Some(writer) = self.on_their_way().take() else { return Ok(()) };
        Ok(self.state().publish(&self.run, self.overtaken, writer)?)
    }

    /// Moves the state on over what the journal says is delivered.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn settle(&self, journal: &Journal, plan: &Plan, complete: bool) -> Result<(), Error> {
        let Some(Decided { frozen, rows }) = self.decided.get() else { return Ok(()) };
        let fates = Fates::of(&journal.snapshot().progress, self.overtaken);
        let counts = &frozen.counts;
        let is_full = complete && self.is_whole && !self.overtaken;
        // A few new rows are not all that the server has.
        let every_id = counts.unchanged == 0 && counts.vanished == 0;
        let moved = Moved {
            rebuilt: is_full && self.full,
            is_full: is_full && (self.full || every_id) && !rows.is_empty(),
            mapping: Some(mapping_hash(plan)),
        };
        let generation = match self.overtaken {
            true => random_name()?,
            false => self.run.clone(),
        };
        Ok(self.state().settle(
            generation,
            |seq, element| fates.of_element(seq, element),
            &moved,
        )?)
    }

    /// What the report says of it: how it was when it was decided.
    pub fn summary(&self) -> Option<ChangeSummary> {
        let decided = self.decided.get()?;
        Some(self.told.get_or_init(|| self.tell(decided)).clone())
    }

    fn tell(&self, decided: &Decided) -> ChangeSummary {
        let Decided { frozen, rows } = decided;
        let state = self.state();
        let manifest = state.manifest();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let counts = &frozen.counts;
        ChangeSummary {
            state: state.dir().display().to_string(),
            full: self.full,
            known: counts.known,
            new: counts.new,
            changed: counts.changed,
            unchanged: counts.unchanged,
            sent: rows.len(),
            repeated_ids: counts.repeated_ids,
            repeated_rows: counts.repeated_rows,
            vanished: self.is_whole.then_some(counts.vanished),
            mapping_changed: frozen.mapping_changed,
            full_days: manifest.full.map(|at| now.saturating_sub(at) / SECONDS_PER_DAY),
            cut_off: frozen.cut_off.clone(),
            overtaken: self.overtaken,
            destination_is_new: counts.known > 0 && manifest.purpose.destination == SANDBOX,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_their_way(&self) -> MutexGuard<'_, Option<PendingWriter>> {
        self.on_their_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared<'_> {
    /// Where only changed rows are sent: finds them, makes their bodies, and takes the others out
    /// of what a check has counted as accepted.
    ///
    /// # Errors
    /// An input or the state cannot be read, or whatever `sink` returns.
    pub fn pick(
        &self,
        checked: &mut Checked,
        run_dir: &Path,
        sink: impl FnMut(Body) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let Some(changes) = &self.changes else { return Ok(()) };
        let Decided { frozen, rows } =
            changes.decide(checked.noted.take(), &self.plan, &self.pool)?;
        let packed = match changes.packed.get() {
            Some(packed) => packed,
            None => {
                if changes.writes {
                    let writer = changes.state().begin(&changes.run, run_dir)?;
                    *changes.on_their_way() = Some(writer);
                }
                let packed = self.pack_picked(changes, frozen, sink)?;
                changes.packed.get_or_init(|| packed)
            }
        };
        let sent = rows.len();
        let RowCounts { accepted, skipped, .. } = &mut checked.rows;
        (*skipped, *accepted) = (accepted.saturating_sub(sent), sent);
        checked.bodies = packed.bodies.clone();
        checked.tally.merge(&packed.tally);
        Ok(())
    }

    fn pack_picked(
        &self,
        changes: &Changes,
        frozen: &Frozen,
        mut sink: impl FnMut(Body) -> Result<(), Error> + Send,
    ) -> Result<Packed, Error> {
        let mut totals = BodyTotals::new(self.limits.body_bytes_max);
        let mut tally = Tally::default();
        let mut fair_use = self.fair_use();
        let mut repeated = TallyEntry::default();
        self.around.progress.begin(Phase::Pack, self.inputs.bytes());
        self.pass(
            |block| {
                fair_use.count(block, &mut tally);
                note_repeated(block, &frozen.repeated, &mut repeated);
                let file = &self.inputs.files[block.rows.file() as usize];
                self.around.progress.advance(file.source_bytes(&block.rows));
                match changes.on_their_way().as_mut() {
                    Some(writer) => Ok(writer.rows(&block.prints)?),
                    None => Ok(()),
                }
            },
            |body| {
                totals.add(&body);
                if let Some(writer) = changes.on_their_way().as_mut() {
                    writer.body(body.parts.len() as u32);
                }
                sink(body)
            },
        )?;
        self.around.progress.end();
        repeated.count = frozen.counts.repeated_rows;
        if repeated.count > 0 {
            let code = Code::IdRepeated;
            tally.add_entry(code.severity(), code, self.plan.id_column(), &repeated);
        }
        Ok(Packed { bodies: totals, tally })
    }
}

/// Notes where rows stand that are known by file and row.
fn note_repeated(block: &Shaped, rows: &[(u32, u64)], found: &mut TallyEntry) {
    let position = |element: &Element| block.rows.position(element.row as usize);
    for &(_, row) in rows.iter().filter(|&&(file, _)| file == block.rows.file()) {
        let at = block.elements.partition_point(|element| position(element).row < row);
        let there = block.elements.get(at).map(position).filter(|there| there.row == row);
        there.into_iter().for_each(|there| found.add(there));
    }
}

/// The run directory of an import that was cut off while it used the state, where that is another
/// one than `run`.
fn is_cut_off<'s>(state: &'s State, run: &str) -> Option<&'s Path> {
    let pending = state.pending().filter(|pending| pending.header.run != run);
    pending.map(|pending| pending.header.dir.as_path())
}

/// What a state is of.
fn purpose(job: &Job, destination: &str) -> Purpose {
    Purpose { destination: destination.to_owned(), kind: job.kind.as_str().to_owned() }
}

/// Hash of what becomes of each column, as the mapping says it or as it was inferred.
fn mapping_hash(plan: &Plan) -> String {
    format!("{:032x}", xxh3_128(mapping::to_toml(plan, |_| false).as_bytes()))
}

/// What became of the elements of an import.
struct Fates<'j> {
    progress: &'j Progress,
    /// Elements that the server refused, and those that it may have but that count as failed. An
    /// earlier try of a refused one may have gone unanswered, which a checkpoint does not keep.
    failed: HashSet<(u64, u32)>,
    in_doubt: HashMap<u64, Vec<Range<u32>>>,
    overtaken: bool,
}

impl<'j> Fates<'j> {
    fn of(progress: &'j Progress, overtaken: bool) -> Self {
        let failed = progress.failed.iter().map(|row| (row.body, row.element));
        let mut in_doubt: HashMap<u64, Vec<Range<u32>>> = HashMap::new();
        for intent in progress.in_doubt() {
            in_doubt.entry(intent.seq).or_default().push(intent.range);
        }
        Self { progress, failed: failed.collect(), in_doubt, overtaken }
    }

    fn of_element(&self, seq: u64, element: u32) -> Fate {
        if self.failed.contains(&(seq, element)) {
            return Fate::Unsure;
        }
        if self.progress.is_settled(seq, element) {
            // What another import sent meanwhile may have come before or after.
            return if self.overtaken { Fate::Unsure } else { Fate::Delivered };
        }
        let is_in_doubt =
            |ranges: &Vec<Range<u32>>| ranges.iter().any(|range| range.contains(&element));
        match self.in_doubt.get(&seq).is_some_and(is_in_doubt) {
            true => Fate::Unsure,
            false => Fate::Unsent,
        }
    }
}

/// The directory of the state of an import, below the place where states are kept.
pub fn state_dir(base: &Path, destination: &str, kind: Kind) -> PathBuf {
    let host: String = destination
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .split(|c: char| c == '/' || c.is_whitespace())
        .next()
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' })
        .collect();
    let hash = xxh3_128(destination.as_bytes()) >> 96;
    base.join(format!("{kind}-{host}-{hash:08x}"))
}

/// The states below the place where they are kept.
///
/// # Errors
/// The place can't be read.
pub fn state_dirs(base: &Path) -> Result<Vec<PathBuf>, Error> {
    let fail = |error| Error::Output { path: base.display().to_string(), error };
    let entries = match fs::read_dir(base) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut dirs = HashSet::new();
    for entry in entries {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            dirs.insert(path);
        }
    }
    let mut dirs = Vec::from_iter(dirs);
    dirs.sort();
    Ok(dirs)
}
