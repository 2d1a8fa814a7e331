//! One pass over all inputs: threads read and work on blocks, the calling thread takes the
//! results in file order.
//!
//! What has to be done in order (reading, cutting, decoding Parquet) is behind one lock, the
//! [`Feed`], and whoever is free takes the next piece from it. Everything is bounded: a block that
//! nobody has taken yet keeps the feed waiting, and what all of them hold in memory is charged to
//! one budget, for any number of threads. With one thread, everything is done by the calling one.

use std::{
    ops::Range,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use rayon::ThreadPool;

use super::{
    Error, Stop,
    budget::{Budget, Charge, Turn},
    failpoint::Failpoint,
    inputs::Inputs,
};
use crate::decode::{Next, Settled, TableReader};
use crate::model::{Rows, TextRows};

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
    fn in_file(&self, before: u64) -> Range<u64> {
        let end = self.limit.map_or(u64::MAX, |limit| self.offset.saturating_add(limit));
        let row = |ordinal: u64| ordinal.saturating_sub(before).saturating_add(1);
        row(self.offset)..row(end)
    }
}

/// Where a block's result comes out, and its turn, which ends when that is taken. A thread that
/// panics hands over nothing.
type Slot<T> = (Receiver<Result<(T, Charge), Error>>, Turn);

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
    let feed = SharedFeed::new(Feed::new(inputs, window, stop));
    let threads = pool.current_num_threads();
    if threads == 1 {
        while let Some((file, rows, ())) = feed.next(|_| Some(()))? {
            Failpoint::Check.reach();
            let mut block = work(file, Arc::new(rows))?;
            take(&mut block)?;
            feed.recycle(block);
        }
        return Ok(());
    }
    // Enough that no thread waits for the one that packs, and no more.
    let (slots, ready) = sync_channel(threads);
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

/// One thread's work: a block after the other, until there is none.
fn run<T: Send + Product>(
    feed: &SharedFeed<'_>,
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
        let (file, rows, (results, mut charge)) = match feed.next(|rows| open(Some(rows))) {
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
    feed: &SharedFeed<'_>,
    take: &mut impl FnMut(&mut T) -> Result<(), Error>,
) -> Result<(), Error> {
    for (slot, _turn) in ready {
        match slot.recv() {
            Ok(Ok((mut block, _charge))) => {
                take(&mut block)?;
                feed.recycle(block);
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                return Err(Error::Internal("a worker thread stopped without a word".into()));
            }
        }
    }
    Ok(())
}

/// The inputs, read in order.
struct Feed<'a> {
    inputs: &'a Inputs,
    window: Window,
    stop: &'a Stop,
    /// The file at hand, and its rows.
    file: usize,
    reader: Option<TableReader<'a>>,
    /// Rows in the files before it.
    before: u64,
    ended: bool,
}

impl<'a> Feed<'a> {
    fn new(inputs: &'a Inputs, window: Window, stop: &'a Stop) -> Self {
        Self { inputs, window, stop, file: 0, reader: None, before: 0, ended: false }
    }

    /// What comes next, of whichever file.
    fn next(&mut self) -> Result<Next, Error> {
        while !self.ended {
            let Some(file) = self.inputs.files.get(self.file) else { break };
            let reader = match &mut self.reader {
                Some(reader) => reader,
                empty => {
                    let rows = self.window.in_file(self.before);
                    if rows.is_empty() {
                        break;
                    }
                    let reader = file.table.read(rows, &file.wanted);
                    empty.insert(reader.map_err(|error| file.unreadable(error))?)
                }
            };
            match reader.next_piece().map_err(|error| file.unreadable(error))? {
                Next::End => {
                    self.before += reader.rows_read();
                    self.reader = None;
                    self.file += 1;
                }
                next => {
                    Failpoint::Decode.reach();
                    if self.stop.is_asked() {
                        return Err(Error::Interrupted);
                    }
                    return Ok(next);
                }
            }
        }
        Ok(Next::End)
    }
}

/// A [`Feed`] for all threads.
struct SharedFeed<'a> {
    feed: Mutex<Feed<'a>>,
    /// A cut was settled, or the feed has ended.
    settled: Condvar,
    /// Memory of blocks that are done with.
    spares: Mutex<Vec<TextRows>>,
}

impl<'a> SharedFeed<'a> {
    fn new(feed: Feed<'a>) -> Self {
        Self { feed: Mutex::new(feed), settled: Condvar::new(), spares: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Feed<'a>> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, feed: MutexGuard<'g, Feed<'a>>) -> MutexGuard<'g, Feed<'a>> {
        self.settled.wait(feed).unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back the memory of a block that is done with. Whoever takes results must not wait for
    /// the feed, which may be waiting for results to be taken.
    fn recycle(&self, block: impl Product) {
        if let Some(Rows::Text(rows)) = Arc::into_inner(block.into_rows()) {
            self.spares().push(rows);
        }
    }

    fn spares(&self) -> MutexGuard<'_, Vec<TextRows>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out nothing more.
    fn end(&self) {
        self.lock().ended = true;
        self.settled.notify_all();
    }

    /// The next block and its file; `None` at the end. `admit` is called in file order, before the
    /// lock is let go; the feed ends where it gives `None`.
    fn next<S>(
        &self,
        admit: impl Fn(&Rows) -> Option<S>,
    ) -> Result<Option<(usize, Rows, S)>, Error> {
        // Where this thread panics, the others must not wait for it.
        let _guard = EndOnPanic(self);
        let mut feed = self.lock();
        let rows = loop {
            if let Some(reader) = &mut feed.reader {
                self.spares().drain(..).for_each(|rows| reader.recycle(rows));
            }
            match feed.next() {
                Ok(Next::Rows(rows)) => break Some(rows),
                Ok(Next::End) => break None,
                Ok(Next::Wait) => feed = self.wait(feed),
                Ok(Next::Cut(cut)) => {
                    drop(feed);
                    let mut scanned = Box::new(cut.scan());
                    feed = self.lock();
                    let rows = loop {
                        if feed.ended {
                            break None;
                        }
                        let Some(reader) = &mut feed.reader else { break None };
                        match reader.settle(scanned) {
                            Settled::Rows(rows) => break Some(rows),
                            Settled::Nothing => break None,
                            Settled::NotYet(later) => {
                                scanned = later;
                                feed = self.wait(feed);
                            }
                        }
                    };
                    self.settled.notify_all();
                    if let Some(rows) = rows {
                        break Some(rows);
                    }
                }
                Err(error) => {
                    feed.ended = true;
                    self.settled.notify_all();
                    return Err(error);
                }
            }
        };
        let block = rows.and_then(|rows| Some((feed.file, admit(&rows)?, rows)));
        if block.is_none() {
            feed.ended = true;
            self.settled.notify_all();
        }
        Ok(block.map(|(file, admitted, rows)| (file, rows, admitted)))
    }
}

/// Ends the feed when it is dropped, which it is by a panic alone.
struct EndOnPanic<'f, 'a>(&'f SharedFeed<'a>);

impl Drop for EndOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}
