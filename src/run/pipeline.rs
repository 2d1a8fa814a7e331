//! One pass over all inputs: threads read and work on blocks, the calling thread takes the
//! results in file order.
//!
//! What has to be done in order (reading, cutting, decoding Parquet) is done by one thread at a
//! time, whoever is free and has the [`Feed`](super::feed). Everything is bounded: a block that
//! nobody has taken yet keeps the feed waiting, and what all of them hold in memory is charged to
//! one budget, for any number of threads. With one thread, everything is done by the calling one.

use std::{
    ops::Range,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rayon::ThreadPool;

use super::{
    Error, Stop,
    budget::{Budget, Charge, Turn},
    failpoint::Failpoint,
    feed::{Block, SharedFeed},
    inputs::Inputs,
};
use crate::model::Rows;

/// What is made of a block.
pub trait Product {
    /// About its bytes in memory, while it waits to be taken.
    fn bytes(&self) -> u64;

    /// The block itself.
    fn into_rows(self) -> Arc<Rows>;
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
    pub(super) fn in_file(&self, before: u64) -> Range<u64> {
        let end = self.limit.map_or(u64::MAX, |limit| self.offset.saturating_add(limit));
        let row = |ordinal: u64| ordinal.saturating_sub(before).saturating_add(1);
        row(self.offset)..row(end)
    }
}

/// Where a block's result comes out, and its turn, which ends when that is taken. A thread that
/// panics hands over nothing.
type Slot<T> = (Receiver<Result<(T, Charge), Error>>, Turn);

/// Where a block's result goes, and what the block holds in memory.
type Admitted<T> = (SyncSender<Result<(T, Charge), Error>>, Charge);

/// How much of a block of text is in memory while it is worked on: itself, and its rows as JSON,
/// with room to grow.
const TEXT_COPIES: u64 = 4;

/// What any block counts as: few rows may have long names.
const BLOCK_BYTES_MIN: u64 = 3 << 20;

/// Bytes that a block and what is made of it take, about.
fn bytes_of(rows: &Rows) -> u64 {
    BLOCK_BYTES_MIN.max(TEXT_COPIES * rows.memory_bytes())
}

/// Reads all inputs and calls `work` on every block in parallel, then `take` on every
/// result in file order.
///
/// # Errors
/// The first error in file order, of reading, `work` or `take`; [`Error::Interrupted`]
/// where `stop` was asked for.
pub fn pass<T: Send + Product>(
    inputs: &Inputs,
    window: Window,
    pool: &ThreadPool,
    stop: &Stop,
    work: impl Fn(usize, Arc<Rows>) -> Result<T, Error> + Sync,
    mut take: impl FnMut(&mut T) -> Result<(), Error>,
) -> Result<(), Error> {
    let threads = pool.current_num_threads();
    if threads == 1 {
        let feed = SharedFeed::new(inputs, window, stop, 0);
        while let Some(Block { file, rows, admitted: () }) = feed.next(|_| Some(()))? {
            Failpoint::Check.reach();
            let mut block = work(file, Arc::new(rows))?;
            take(&mut block)?;
            recycle(&feed, block);
        }
        return Ok(());
    }
    let ahead = threads;
    let feed = SharedFeed::new(inputs, window, stop, ahead);
    // Enough that no thread waits for the one that packs, and no more.
    let (slots, ready) = sync_channel(threads + ahead);
    let (feed, work) = (&feed, &work);
    let budget = Budget::default();
    pool.in_place_scope(move |tasks| {
        for _ in 0..threads {
            let (slots, budget) = (slots.clone(), budget.clone());
            tasks.spawn(move |_| run(feed, &slots, &budget, work));
        }
        drop(slots);
        let taken = take_all(ready, feed, &mut take);
        // Whoever waits for its turn to settle is told where nobody takes results any more.
        if taken.is_err() {
            feed.end();
        }
        taken
    })
}

/// Gives the memory of a block that is done with back to the feed.
fn recycle<S>(feed: &SharedFeed<'_, S>, block: impl Product) {
    if let Some(Rows::Text(rows)) = Arc::into_inner(block.into_rows()) {
        feed.recycle(rows);
    }
}

/// One thread's work: a block after the other, until there is none.
fn run<T: Send + Product>(
    feed: &SharedFeed<'_, Admitted<T>>,
    slots: &SyncSender<Slot<T>>,
    budget: &Budget,
    work: &(impl Fn(usize, Arc<Rows>) -> Result<T, Error> + Sync),
) {
    // Called in file order. `None` where nobody wants more.
    let open = |rows: Option<&Rows>| {
        let (results, slot) = sync_channel(1);
        let turn = budget.turn();
        slots.send((slot, turn.clone())).ok()?;
        let mut charge = turn.charge();
        charge.set(rows.map_or(0, bytes_of));
        Some((results, charge))
    };
    loop {
        let block = match feed.next(|rows| open(Some(rows))) {
            Ok(Some(block)) => block,
            Ok(None) => return,
            Err(error) => {
                if let Some((results, _)) = open(None) {
                    let _ = results.send(Err(error));
                }
                return;
            }
        };
        Failpoint::Check.reach();
        let Block { file, rows, admitted: (results, mut charge) } = block;
        let result = work(file, Arc::new(rows)).map(|block| {
            charge.set(block.bytes());
            (block, charge)
        });
        // Nobody listens any more where the pass has ended early.
        let failed = result.is_err();
        if results.send(result).is_err() || failed {
            feed.end();
            return;
        }
    }
}

/// Takes the results in order. Dropping `ready` on an error makes the others stop.
fn take_all<T: Product>(
    ready: Receiver<Slot<T>>,
    feed: &SharedFeed<'_, Admitted<T>>,
    take: &mut impl FnMut(&mut T) -> Result<(), Error>,
) -> Result<(), Error> {
    for (slot, _turn) in ready {
        match slot.recv() {
            Ok(Ok((mut block, _charge))) => {
                take(&mut block)?;
                recycle(feed, block);
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(Error::Internal("a worker thread stopped without a word".into()));
            }
        }
    }
    Ok(())
}
