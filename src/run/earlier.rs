//! The run that a directory already holds: whether this one goes on with it, repeats it, or takes its
//! place.

use indicatif::HumanCount;

use super::{Delivery, Error, Job, changes::Changes, findings::Failures, rundir::RunDir};
use crate::journal::{Binding, Difference, Journal};
use crate::model::Summary;

/// What a run directory holds.
pub enum Earlier {
    /// None that matters here.
    None,
    /// A run that is to be resumed, or is this very import, complete.
    Same(Box<Journal>),
    /// A run that this one takes the place of: it is finished, or is to be begun anew.
    Replaced,
}

impl Earlier {
    /// The run that a directory holds. The cut counts that its rates gave hold for this one too.
    ///
    /// # Errors
    /// It is unfinished and another import, or its checkpoint can't be read.
    pub fn of(
        dir: &RunDir,
        delivery: &Delivery,
        job: &Job,
        changes: Option<&Changes>,
        binding: &mut Binding,
    ) -> Result<Self, Error> {
        if delivery.restart {
            return Ok(if dir.checkpoint().exists() { Self::Replaced } else { Self::None });
        }
        let Some(journal) = dir.earlier()? else { return Ok(Self::None) };
        let snapshot = journal.snapshot();
        // Rates may change on resume; the cut counts that they gave do not move.
        if job.cut_users.is_none() {
            binding.cut_users = snapshot.binding.cut_users;
        }
        if job.cut_events.is_none() {
            binding.cut_events = snapshot.binding.cut_events;
        }
        // What a state says now may be other rows than it said then.
        let is_where_left = match (changes, &snapshot.binding.changes) {
            (Some(changes), Some(digest)) => changes.is_where_left(dir.path(), digest),
            _ => true,
        };
        match (snapshot.binding.difference(binding), snapshot.finished) {
            (None, None) => Ok(Self::Same(Box::new(journal))),
            (None, Some(_)) if is_where_left => Ok(Self::Same(Box::new(journal))),
            (_, Some(_)) => {
                binding.cut_users = job.cut_users.or(job.users.per_minute());
                binding.cut_events = job.cut_events.or(job.events.per_minute());
                Ok(Self::Replaced)
            }
            (Some(difference), None) => {
                let progress = &snapshot.progress;
                let text = format!(
                    "{} holds an unfinished import that this one would not continue: {difference}; restore it, \
                     or begin anew with --restart, which discards the checkpoint of {} delivered rows (they \
                     would be sent again)",
                    dir.path().display(),
                    HumanCount(progress.delivered)
                );
                Err(match difference {
                    Difference::Inputs(_) | Difference::Mapping(_) => Error::Changed(text),
                    _ => Error::Usage(text),
                })
            }
        }
    }
}

/// Why an unfinished run can't be gone on with although all that it is bound to is the same: its rows
/// give other bodies than they gave then, so that what the checkpoint says of bodies would be said
/// of other rows. Another version of the program may shape or reject them otherwise.
pub fn other_bodies(journal: &Journal, now: &Summary, dir: &RunDir) -> Option<Error> {
    let snapshot = journal.snapshot();
    let plan = snapshot.plan.as_ref()?;
    if (plan.bodies, &plan.digest) == (now.bodies.count, &now.bodies.digest) {
        return None;
    }
    Some(Error::Usage(format!(
        "{} holds an unfinished import that this one would not continue: its rows gave {} bodies, and now \
         give {} others; go on with the version of moebulk that began it, or begin anew with --restart, which \
         discards the checkpoint of {} delivered rows (they would be sent again)",
        dir.path().display(),
        HumanCount(plan.bodies),
        HumanCount(now.bodies.count),
        HumanCount(snapshot.progress.delivered)
    )))
}

/// The hash of what an unfinished run decided to send.
pub fn decided(earlier: Option<&Journal>) -> Option<&str> {
    earlier.and_then(|journal| journal.snapshot().binding.changes.as_deref())
}

/// The rows that it knows the server to have refused.
pub fn known_failures(journal: &Journal) -> Failures {
    let failed = &journal.snapshot().progress.failed;
    failed.iter().map(|row| (row.failure.position, row.failure.clone())).collect()
}
