//! `init`: a mapping for inputs that nobody has described yet. One pass looks at all values; another
//! checks all rows with what is proposed, so that what the server would cut or drop is said by the
//! very code that an import runs.

use std::sync::Arc;

use super::{
    Error, Job, Surroundings, Window,
    check::{self, Prepared},
    inputs, pipeline, rundir,
    spool::{Spool, is_spooled},
};
use crate::model::{Code, Kind, RowCounts, Rows, Tally};
use crate::progress::Phase;
use crate::shape::{
    mapping,
    plan::{Plan, Rules, SourceColumn},
    profile::{NULL_WORDS, Profile},
    propose::{self, Asked, Page, Proposal},
};
use crate::source;

/// The most columns that are looked at. What is counted of each takes about 2 KB in every block under
/// way, and a workspace has 256 user attributes.
const COLUMNS_MAX: usize = 4_096;

/// What is to be looked at, and how it is told.
#[derive(Clone, Debug)]
pub struct Init {
    /// The inputs and how they are read; it has no mapping.
    pub job: Job,
    /// What the rows are, where it was said.
    pub kind: Option<Kind>,
    /// The form of what is written.
    pub form: Form,
    /// Examples are shown as they stand.
    pub show_values: bool,
    /// The flags that the inputs are read with, as they were given.
    pub flags: String,
}

/// The form of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The configuration, with the mapping in it.
    Config,
    /// Our mapping alone.
    Mapping,
    /// MoEngage's own mapping.
    MoEngage,
}

/// What was found.
#[derive(Debug)]
pub struct Described {
    /// The text to be written.
    pub text: String,
    /// What the rows are.
    pub kind: Kind,
    /// Rows read.
    pub rows: u64,
    /// Rows that would be rejected, where a check could be made.
    pub rejected: Option<u64>,
    /// The rules that rows break which cannot be read, with how many of them, where that is every row.
    pub unreadable: Vec<(Code, u64)>,
    /// Columns.
    pub columns: usize,
    /// What is to be decided: the column, where it is about one, and the question.
    pub open: Vec<(Option<String>, String)>,
}

/// What a block holds.
struct Looked {
    profile: Profile,
    file: usize,
    rows: Arc<Rows>,
}

impl pipeline::Product for Looked {
    fn bytes(&self) -> u64 {
        self.profile.memory_bytes() + self.rows.memory_bytes()
    }

    fn into_rows(self) -> Arc<Rows> {
        self.rows
    }
}

/// Looks at all inputs and proposes a mapping for them.
///
/// # Errors
/// An input cannot be read.
pub fn init(asked: &Init, around: &Surroundings) -> Result<Described, Error> {
    let job = &asked.job;
    let found = source::find(&job.inputs)?;
    let _dir = found.iter().any(is_spooled).then(|| rundir::Passing(job.run_dir.clone()));
    let spool = Spool::new(&job.run_dir, false);
    let found = spool.fill(found, job, around)?;
    let (inputs, mut plan, sources) = inputs::open_all(job, found, around)?;
    if sources.len() > COLUMNS_MAX {
        let path = inputs.files.first().map(|file| file.input.name()).unwrap_or_default();
        let reason = format!(
            "there are {} columns, and init looks at {COLUMNS_MAX} at most; give it the file with fewer",
            sources.len()
        );
        return Err(Error::Unreadable { path, reason });
    }
    plan.rules.null_values.extend(NULL_WORDS.map(str::to_owned));
    let names: Vec<String> = inputs.files.iter().map(|file| file.input.name()).collect();
    let prepared = Prepared::new(job, inputs, plan, None, check::limits(job), around)?;
    let profile = look(&prepared)?;
    let Prepared { inputs, mut plan, .. } = prepared;
    let minorities = profile.resolve(&mut plan);
    let event = job.rules.event.as_deref();
    let wanted = Asked { kind: asked.kind, event };
    let proposal = propose::propose(&plan, &minorities, &profile, &sources, wanted);
    let checked = check(asked, &proposal, inputs, &sources, around)?;
    around.progress.end();
    let text = match asked.form {
        Form::MoEngage => propose::to_json(&proposal, &profile),
        Form::Config | Form::Mapping => propose::to_page(&Page {
            proposal: &proposal,
            profile: &profile,
            checked: checked.as_ref().map(|(counts, tally)| (*counts, tally)),
            inputs: &names,
            flags: &asked.flags,
            null_values: &job.rules.null_values,
            show_values: asked.show_values,
            config: asked.form == Form::Config,
        }),
    };
    let open = proposal.open().map(|(column, text)| (column.map(str::to_owned), text.to_owned()));
    Ok(Described {
        text,
        kind: proposal.kind,
        rows: profile.rows_read(),
        rejected: checked.map(|(counts, _)| counts.rejected),
        unreadable: match profile.is_unreadable() {
            true => profile.damaged.into_iter().collect(),
            false => Vec::new(),
        },
        columns: sources.len(),
        open: open.collect(),
    })
}

/// What all values are.
fn look(prepared: &Prepared<'_>) -> Result<Profile, Error> {
    let Prepared { inputs, plan, pool, around, .. } = prepared;
    around.progress.begin(Phase::Infer, inputs.bytes());
    let mut whole = Profile::new(plan);
    pipeline::pass(
        inputs,
        Window::default(),
        pool,
        around.stop,
        |file, rows| {
            let binding = &inputs.files[file].binding;
            let profile = Profile::observe(plan, binding, &rows).map_err(Error::Internal)?;
            Ok(Looked { profile, file, rows })
        },
        |block| {
            whole.merge(&block.profile);
            around.progress.advance(inputs.files[block.file].source_bytes(&block.rows));
            Ok(())
        },
    )?;
    Ok(whole)
}

/// What a check of all rows with the proposal finds; `None` where something has to be decided before
/// rows can be checked at all.
fn check(
    asked: &Init,
    proposal: &Proposal,
    mut inputs: inputs::Inputs,
    sources: &[SourceColumn],
    around: &Surroundings,
) -> Result<Option<(RowCounts, Tally)>, Error> {
    let null_values = &asked.job.rules.null_values;
    let Some(text) = propose::to_mapping(proposal, null_values) else { return Ok(None) };
    let broken = |error: &dyn std::fmt::Display| {
        Error::Internal(format!("the proposed mapping cannot be used: {error}"))
    };
    let mapping = mapping::parse(&text, None).map_err(|error| broken(&error))?;
    let job = Job { kind: proposal.kind, ..asked.job.clone() };
    let rules = Rules { event: proposal.event.clone(), ..job.rules.clone() };
    let mut plan = Plan::new(job.kind, mapping.columns, rules);
    plan.note_lists(sources.iter());
    // An input may lack what every one needs, the customer_id above all.
    inputs.bind(&plan, true, None)?;
    let prepared = Prepared::new(&job, inputs, plan, None, check::limits(&job), around)?;
    around.progress.begin(Phase::Check, prepared.inputs.bytes());
    let (mut counts, mut tally) = (RowCounts::default(), Tally::default());
    let mut fair_use = prepared.fair_use();
    prepared.pass(
        |block| {
            counts.read += block.rows_read();
            counts.rejected += block.rows_rejected();
            counts.accepted += block.elements.len() as u64;
            tally.merge(&block.tally);
            fair_use.count(block, &mut tally);
            let file = &prepared.inputs.files[block.rows.file() as usize];
            around.progress.advance(file.source_bytes(&block.rows));
            Ok(())
        },
        |_| Ok(()),
    )?;
    Ok(Some((counts, tally)))
}
