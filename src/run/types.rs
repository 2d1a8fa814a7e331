//! Column types where no mapping gives them: found from every value of every input, whichever rows
//! will be sent, so that a pilot and what it leaves agree.

use std::sync::{Arc, PoisonError, RwLock};

use rayon::ThreadPool;

use super::{
    Error, Surroundings,
    inputs::{InputFile, Inputs},
    pipeline::{self, Window},
};
use crate::model::{Code, Rows, Tally};
use crate::progress::Phase;
use crate::shape::{
    infer::{Inference, Minority},
    plan::Plan,
};

/// What looks at the values of blocks, from any thread.
pub struct Watch<'a> {
    inputs: &'a Inputs,
    /// Before any type is settled.
    plan: &'a Plan,
    /// Columns that cost no look any more.
    settled: RwLock<Vec<bool>>,
}

/// What was seen of the blocks so far, in order.
pub struct Seen<'w> {
    watch: &'w Watch<'w>,
    inference: Inference,
    /// Bytes of the inputs that are still to come.
    left: u64,
    /// The least that a row takes of them, where that can be told.
    row_bytes_min: Option<u64>,
}

impl<'a> Watch<'a> {
    /// Looks with a plan whose types are open.
    pub fn new(inputs: &'a Inputs, plan: &'a Plan) -> Self {
        Self { inputs, plan, settled: RwLock::default() }
    }

    /// What a block says of the types.
    ///
    /// # Errors
    /// A column cannot be read.
    pub fn look(&self, file: usize, rows: &Rows) -> Result<Inference, Error> {
        let settled = self.settled.read().unwrap_or_else(PoisonError::into_inner).clone();
        let binding = &self.inputs.files[file].binding;
        Inference::observe(self.plan, binding, rows, &settled).map_err(Error::Internal)
    }
}

impl<'w> Seen<'w> {
    /// Nothing so far.
    pub fn new(watch: &'w Watch<'w>) -> Self {
        let files = &watch.inputs.files;
        Self {
            watch,
            inference: Inference::new(watch.plan),
            left: watch.inputs.bytes(),
            row_bytes_min: files.iter().map(InputFile::row_bytes_min).min().flatten(),
        }
    }

    /// Takes in what the next block says, which stands for so many bytes.
    pub fn add(&mut self, block: &Inference, source_bytes: u64) {
        self.inference.merge(block);
        self.left = self.left.saturating_sub(source_bytes);
        if let Some(row_bytes) = self.row_bytes_min {
            // The last row of a file may end without a line end.
            let rows_left = self.left / row_bytes + self.watch.inputs.files.len() as u64;
            *self.watch.settled.write().unwrap_or_else(PoisonError::into_inner) =
                self.inference.settled(rows_left);
        }
    }

    /// The plan with the types that all values so far fit, and which types a few values decided.
    pub fn resolve(&self) -> (Plan, Vec<Minority>) {
        let mut plan = self.watch.plan.clone();
        let minorities = self.inference.resolve(&mut plan);
        (plan, minorities)
    }

    /// Whether all values so far give the types of a plan.
    pub fn gives(&self, plan: &Plan) -> bool {
        self.inference.gives(plan)
    }
}

/// What a block says of the types.
struct Looked {
    seen: Inference,
    file: usize,
    rows: Arc<Rows>,
}

impl pipeline::Product for Looked {
    fn bytes(&self) -> u64 {
        self.seen.memory_bytes() + self.rows.memory_bytes()
    }

    fn into_rows(self) -> Arc<Rows> {
        self.rows
    }
}

/// The types that some rows give.
pub struct Found {
    /// The plan with them.
    pub plan: Plan,
    /// Which of them a few values decided.
    pub minorities: Vec<Minority>,
    /// Rows read, damaged stretches among them.
    pub rows: u64,
}

/// The types of the plan's columns as the rows of a window give them.
///
/// # Errors
/// An input cannot be read.
pub fn infer(
    inputs: &Inputs,
    plan: &Plan,
    window: Window,
    pool: &ThreadPool,
    around: &Surroundings,
) -> Result<Found, Error> {
    around.progress.begin(Phase::Infer, inputs.bytes());
    let watch = Watch::new(inputs, plan);
    let mut seen = Seen::new(&watch);
    let mut rows = 0;
    pipeline::pass(
        inputs,
        window,
        pool,
        around.stop,
        |file, rows| Ok(Looked { seen: watch.look(file, &rows)?, file, rows }),
        |block| {
            let source_bytes = inputs.files[block.file].source_bytes(&block.rows);
            seen.add(&block.seen, source_bytes);
            rows += (block.rows.len() + block.rows.damage().len()) as u64;
            around.progress.advance(source_bytes);
            Ok(())
        },
    )?;
    let (plan, minorities) = seen.resolve();
    Ok(Found { plan, minorities, rows })
}

/// Logs that the types are settled.
pub fn log(plan: &Plan, minorities: &[Minority]) {
    let (columns, doubtful) = (plan.columns.len(), minorities.len());
    tracing::info!(columns, doubtful, "types inferred over all rows");
}

/// The tally of the values that keep columns from a narrower type.
pub fn minority_tally(minorities: &[Minority]) -> Tally {
    let mut tally = Tally::default();
    for minority in minorities {
        let severity = Code::TypeMinority.severity();
        tally.add_entry(severity, Code::TypeMinority, Some(minority.column), &minority.misfits);
    }
    tally
}
