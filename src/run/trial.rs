//! The first check where no mapping gives the types. They hold for all rows, so all rows have to be
//! read before the first can be checked; but most often the first rows tell. So rows are checked
//! with the types of those, in the one pass that looks at all values; where some value then gives
//! another type, the check was for nothing and is made again.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    Error, Window,
    check::{Packing, Prepared, Shaper},
    findings::{BodyTotals, Checked, Failures, Findings},
    pipeline, types,
    types::{Found, Seen, Watch},
};
use crate::model::{Body, Rows, Shaped};
use crate::progress::Phase;
use crate::shape::{event_names::KnownNames, infer::Inference};

/// Rows from which types are guessed: enough that most guesses hold, and a moment's work.
const GUESS_ROWS: u64 = 16_384;

/// A block that was looked at, and checked while the guess held.
struct Tried {
    seen: Inference,
    shaped: Option<Shaped>,
    file: usize,
    rows: Arc<Rows>,
}

impl pipeline::Product for Tried {
    fn bytes(&self) -> u64 {
        let bytes = match &self.shaped {
            Some(shaped) => shaped.memory_bytes(),
            None => self.rows.memory_bytes(),
        };
        bytes + self.seen.memory_bytes()
    }

    fn into_rows(self) -> Arc<Rows> {
        // Those of `shaped` are the same.
        self.rows
    }
}

/// Settles the types, and checks everything with a guess at them; `None` where that is not what
/// came out.
///
/// # Errors
/// As for [`Prepared::check`].
pub fn check(
    prepared: &mut Prepared<'_>,
    failures: &Failures,
    dir: &Path,
    mut sink: impl FnMut(Body) + Send,
) -> Result<Option<Checked>, Error> {
    let Prepared { inputs, plan, pool, around, .. } = &*prepared;
    let first = Window { limit: Some(GUESS_ROWS), ..Window::default() };
    let Found { plan: guess, minorities, rows } = types::infer(inputs, plan, first, pool, around)?;
    let open = std::mem::replace(&mut prepared.plan, guess);
    if rows < GUESS_ROWS {
        // That was all of it.
        prepared.minorities = minorities;
        types::log(&prepared.plan, &prepared.minorities);
        return Ok(None);
    }
    let watch = Watch::new(&prepared.inputs, &open);
    let mut seen = Seen::new(&watch);
    let checked = try_guess(prepared, &watch, &mut seen, failures, dir, &mut sink)?;
    let (plan, minorities) = seen.resolve();
    (prepared.plan, prepared.minorities) = (plan, minorities);
    if checked.is_none() {
        // Clones of a plan share them, and other rows were sound then than are now.
        prepared.plan.event_names = KnownNames::default();
    }
    types::log(&prepared.plan, &prepared.minorities);
    Ok(checked)
}

/// Checks everything with the plan as it is, and looks at all values; `None` where they give
/// another one.
fn try_guess(
    prepared: &Prepared<'_>,
    watch: &Watch<'_>,
    seen: &mut Seen<'_>,
    failures: &Failures,
    dir: &Path,
    sink: &mut (impl FnMut(Body) + Send),
) -> Result<Option<Checked>, Error> {
    let Prepared { inputs, plan, pool, around, .. } = prepared;
    around.progress.begin(Phase::Check, inputs.bytes());
    let shaper = Shaper::of_all(prepared);
    let mut packing = Packing::new(&shaper, prepared.changes.is_none());
    let mut findings = Findings::new(prepared, failures, dir);
    let mut totals = BodyTotals::new(prepared.limits.body_bytes_max);
    let mut pack = |body: Body| {
        totals.add(&body);
        sink(body);
        Ok(())
    };
    let refuted = AtomicBool::new(false);
    let mut rows_seen = 0;
    pipeline::pass(
        inputs,
        Window::default(),
        pool,
        around.stop,
        |file, rows| {
            let seen = watch.look(file, &rows)?;
            let shaped = match refuted.load(Ordering::Relaxed) {
                true => None,
                false => Some(shaper.shape(file, Arc::clone(&rows))?),
            };
            Ok(Tried { seen, shaped, file, rows })
        },
        |block| {
            let source_bytes = inputs.files[block.file].source_bytes(&block.rows);
            seen.add(&block.seen, source_bytes);
            rows_seen += (block.rows.len() + block.rows.damage().len()) as u64;
            // Before, they are some of the rows that the guess is from.
            if rows_seen >= GUESS_ROWS && !seen.gives(plan) {
                refuted.store(true, Ordering::Relaxed);
            }
            let shaped = block.shaped.take();
            if refuted.load(Ordering::Relaxed) {
                around.progress.advance(source_bytes);
                return Ok(());
            }
            match shaped {
                Some(mut shaped) => {
                    packing.take(&mut shaped, &mut |block| findings.block(block), &mut pack)
                }
                None => Ok(()),
            }
        },
    )?;
    if refuted.into_inner() {
        tracing::info!(
            "a later row gives another type than the first ones; rows are checked again"
        );
        return Ok(None);
    }
    packing.finish(pack)?;
    findings.finish(totals).map(Some)
}
