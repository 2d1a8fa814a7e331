//! One pass over all inputs: threads read and work on blocks, and take the results in file
//! order.
//!
//! What has to be done in order (reading, cutting, decoding Parquet) is done by one thread at a
//! time, whoever is free and has the [`Feed`](super::feed). Everything is bounded: a block that
//! nobody has taken yet keeps the feed waiting, and what all of them hold in memory is charged to
//! one budget, for any number of threads. With one thread, everything is done by the calling one.

use std::{ops::Range, sync::Arc};

use rayon::ThreadPool;

use super::{
    Error, Stop,
    budget::{Budget, Charge},
    failpoint::Failpoint,
    feed::{Block, SharedFeed},
    inputs::Inputs,
    line::Line,
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
    mut take: impl FnMut(&mut T) -> Result<(), Error> + Send,
) -> Result<(), Error> {
    let threads = pool.current_num_threads();
    if threads == 1 {
        let feed = SharedFeed::new(inputs, window, stop, pool, 0);
        while let Some(Block { file, rows, admitted: () }) = feed.next(|_| Some(()))? {
            Failpoint::Check.reach();
            let mut block = work(file, Arc::new(rows))?;
            take(&mut block)?;
            recycle(&feed, block);
        }
        return Ok(());
    }
    // As many as the others are about to ask for.
    let ahead = threads;
    let feed = SharedFeed::new(inputs, window, stop, pool, ahead);
    let budget = Budget::default();
    // Those that are ready, those that are worked on, and as many that wait to be taken.
    let line = Line::new(2 * threads, |(mut block, _charge): (T, Charge)| {
        take(&mut block)?;
        recycle(&feed, block);
        Ok(())
    });
    pool.in_place_scope(|tasks| {
        for _ in 0..threads {
            tasks.spawn(|_| run(&feed, &line, &budget, &work));
        }
    });
    line.end()
}

/// Gives the memory of a block that is done with back to the feed.
fn recycle<S>(feed: &SharedFeed<'_, S>, block: impl Product) {
    if let Some(Rows::Text(rows)) = Arc::into_inner(block.into_rows()) {
        feed.recycle(rows);
    }
}

/// One thread's work: a block after the other, until there is none.
fn run<T: Send + Product>(
    feed: &SharedFeed<'_, (u64, Charge)>,
    line: &Line<(T, Charge), impl FnMut((T, Charge)) -> Result<(), Error>>,
    budget: &Budget,
    work: &(impl Fn(usize, Arc<Rows>) -> Result<T, Error> + Sync),
) {
    // Where this thread panics, nothing comes of its block, and the others would wait for it.
    let _guard = EndOnPanic { feed, line };
    // Called in file order. `None` where nobody wants more.
    let admit = |rows: &Rows| {
        let place = line.place()?;
        let mut charge = budget.turn().charge();
        charge.set(bytes_of(rows));
        Some((place, charge))
    };
    loop {
        let (place, result) = match feed.next(admit) {
            Ok(Some(Block { file, rows, admitted: (place, mut charge) })) => {
                Failpoint::Check.reach();
                let result = work(file, Arc::new(rows)).map(|block| {
                    charge.set(block.bytes());
                    (block, charge)
                });
                (place, result)
            }
            Ok(None) => return,
            // It stands behind all blocks.
            Err(error) => match line.place() {
                Some(place) => (place, Err(error)),
                None => return,
            },
        };
        if !line.finish(place, result) {
            feed.end();
            return;
        }
    }
}

/// Ends a pass when it is dropped by a panic.
struct EndOnPanic<'p, 'a, S, T, F> {
    feed: &'p SharedFeed<'a, S>,
    line: &'p Line<T, F>,
}

impl<S, T, F> Drop for EndOnPanic<'_, '_, S, T, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.feed.end();
            self.line.close();
        }
    }
}
