//! One pass over all inputs: a thread reads, rayon's threads work on blocks, the
//! calling thread takes the results in file order.
//!
//! Everything between them is bounded: a block that nobody has taken yet keeps its
//! task waiting, and tasks that are not done keep the reader waiting. What all of them
//! hold in memory is charged to one budget, for any number of threads.

use std::{
    ops::Range,
    panic,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use rayon::ThreadPool;

use super::{Error, Stop, failpoint::Failpoint, inputs::Inputs};
use crate::decode::{Budget, Charge, Rows, Task, Turn};
use crate::model;

/// What one result waits in memory as, in bytes.
pub trait Weigh {
    /// About its bytes.
    fn bytes(&self) -> u64;
}

/// Which rows of the import are read: those after the first `offset`, `limit` at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Rows to leave out, counted over all inputs.
    pub offset: u64,
    /// Rows to read after them.
    pub limit: Option<u64>,
}

impl Window {
    /// The rows of a file, from 1, that are in the window, where `before` rows of the
    /// import stand in earlier files.
    fn in_file(&self, before: u64) -> Range<u64> {
        let end = self.limit.map_or(u64::MAX, |limit| self.offset.saturating_add(limit));
        let row = |ordinal: u64| ordinal.saturating_sub(before).saturating_add(1);
        row(self.offset)..row(end)
    }
}

/// What a task hands over: a result, or that it came to its end. A task that panics
/// says neither.
enum Handed<T> {
    Block(T, Charge),
    End,
}

type Handing<T> = Result<Handed<T>, Error>;

/// Where a task's results come out, and its turn, which ends when all are taken.
type Slot<T> = (Receiver<Handing<T>>, Turn);

/// Reads all inputs and calls `work` on every block in parallel, then `take` on every
/// result in file order.
///
/// # Errors
/// The first error in file order, of reading, `work` or `take`; [`Error::Interrupted`]
/// where `stop` was asked for.
pub fn pass<T: Send + Weigh>(
    inputs: &Inputs,
    window: Window,
    pool: &ThreadPool,
    stop: &Stop,
    work: impl Fn(usize, Arc<model::Rows>) -> Result<T, Error> + Sync,
    mut take: impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    // Enough that no thread waits for the one that packs, and no more.
    let (slots, ready) = sync_channel(pool.current_num_threads() * 2);
    let work = &work;
    let budget = Budget::default();
    thread::scope(|scope| {
        let reader = scope.spawn(move || {
            pool.in_place_scope_fifo(|tasks| {
                let spawn = |file: usize, task: Task| {
                    let (results, slot) = sync_channel(1);
                    let turn = budget.turn();
                    if slots.send((slot, turn.clone())).is_err() {
                        return false;
                    }
                    let mut charge = turn.charge();
                    charge.set(task.bytes());
                    tasks.spawn_fifo(move |_| {
                        run_task(inputs, file, task, work, &turn, &results);
                        drop(charge);
                    });
                    true
                };
                if let Err(error) = read(inputs, window, stop, spawn) {
                    let (results, slot) = sync_channel(1);
                    let _ = results.send(Err(error));
                    let _ = slots.send((slot, budget.turn()));
                }
            });
        });
        let taken = take_all(ready, &mut take);
        match reader.join() {
            Ok(()) => taken,
            Err(panic) => panic::resume_unwind(panic),
        }
    })
}

/// Takes the results in order. Dropping `ready` on an error makes the reader stop.
fn take_all<T>(
    ready: Receiver<Slot<T>>,
    take: &mut impl FnMut(T) -> Result<(), Error>,
) -> Result<(), Error> {
    for (slot, _turn) in ready {
        loop {
            match slot.recv() {
                Ok(Ok(Handed::Block(block, _charge))) => take(block)?,
                Ok(Ok(Handed::End)) => break,
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    return Err(Error::Internal("a worker thread stopped without a word".into()));
                }
            }
        }
    }
    Ok(())
}

/// Cuts the inputs into tasks, in order. `spawn` returns `false` where nobody wants more.
fn read(
    inputs: &Inputs,
    window: Window,
    stop: &Stop,
    mut spawn: impl FnMut(usize, Task) -> bool,
) -> Result<(), Error> {
    let mut before = 0;
    for (index, file) in inputs.files.iter().enumerate() {
        let rows = window.in_file(before);
        if rows.is_empty() {
            break;
        }
        let mut tasks = file.table.tasks(rows).map_err(|error| file.unreadable(error))?;
        while let Some(task) = tasks.next_task().map_err(|error| file.unreadable(error))? {
            Failpoint::Decode.reach();
            if stop.is_asked() {
                return Err(Error::Interrupted);
            }
            if !spawn(index, task) {
                return Ok(());
            }
        }
        before += tasks.rows_read();
    }
    Ok(())
}

fn run_task<T: Send + Weigh>(
    inputs: &Inputs,
    file: usize,
    task: Task,
    work: &(impl Fn(usize, Arc<model::Rows>) -> Result<T, Error> + Sync),
    turn: &Turn,
    results: &SyncSender<Handing<T>>,
) {
    let source = &inputs.files[file];
    let rows: Rows = match source.table.run(task, &source.wanted, turn) {
        Ok(rows) => rows,
        Err(error) => {
            let _ = results.send(Err(source.unreadable(error)));
            return;
        }
    };
    for rows in rows {
        Failpoint::Check.reach();
        let result = rows
            .map_err(|error| source.unreadable(error))
            .and_then(|rows| work(file, Arc::new(rows)))
            .map(|block| {
                let mut charge = turn.charge();
                charge.set(block.bytes());
                Handed::Block(block, charge)
            });
        let failed = result.is_err();
        // Nobody listens any more where the pass has ended early.
        if results.send(result).is_err() || failed {
            return;
        }
    }
    let _ = results.send(Ok(Handed::End));
}
