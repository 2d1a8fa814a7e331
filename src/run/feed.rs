//! The rows of all inputs, one block after the other, for any number of threads.
//!
//! Reading, cutting and decoding are done in file order, by one thread at a time, which has the
//! feed while it does. A stretch of a sound CSV file is scanned without it. Where rows are decoded,
//! which takes its time, whoever does it goes a few blocks ahead, so that the others find work.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rayon::ThreadPool;

use super::{
    Error, Stop, failpoint::Failpoint, inputs::Inputs, pipeline::Window, spares::PerThread,
};
use crate::decode::{Cut, Next, Settled, TableReader};
use crate::model::{Rows, TextRows};

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
}

impl<'a> Feed<'a> {
    fn new(inputs: &'a Inputs, window: Window, stop: &'a Stop) -> Self {
        Self { inputs, window, stop, file: 0, reader: None, before: 0 }
    }

    /// Whether what comes next is decoded by whoever has the feed, rather than cut for any thread.
    fn is_decoded(&self) -> bool {
        self.reader.as_ref().is_some_and(TableReader::is_decoded)
    }

    /// What comes next, of whichever file.
    fn next(&mut self) -> Result<Next, Error> {
        while let Some(file) = self.inputs.files.get(self.file) {
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

/// A block that was given out.
pub struct Block<S> {
    /// Index of its file among the inputs.
    pub file: usize,
    /// Its rows.
    pub rows: Rows,
    /// What it was admitted with.
    pub admitted: S,
}

/// The feed for all threads.
pub struct SharedFeed<'a, S> {
    state: Mutex<State<'a, S>>,
    /// The feed was put back, a block is ready, or there is nothing more.
    free: Condvar,
    /// A cut was settled, a block is ready, or there is nothing more.
    settled: Condvar,
    /// Memory of blocks that are done with.
    spares: PerThread<TextRows>,
    /// Blocks that are decoded before anybody asks for them.
    ahead: usize,
}

struct State<'a, S> {
    /// The feed, unless a thread has it.
    feed: Option<Feed<'a>>,
    /// Blocks that are admitted and that nobody works on yet, in file order.
    ready: VecDeque<Block<S>>,
    /// What ended the feed; it comes behind all blocks that are ready.
    failed: Option<Error>,
    /// Nothing more is read.
    ended: bool,
}

type Guard<'g, 'a, S> = MutexGuard<'g, State<'a, S>>;

/// What a thread has to do next.
enum Task<'a, S> {
    /// Work on a block.
    Work(Block<S>),
    /// Read on.
    Read(Feed<'a>),
    /// Nothing: there is no more.
    End,
}

impl<'a, S> SharedFeed<'a, S> {
    /// The rows of a window of the inputs, where `ahead` blocks are decoded ahead.
    pub fn new(
        inputs: &'a Inputs,
        window: Window,
        stop: &'a Stop,
        pool: &ThreadPool,
        ahead: usize,
    ) -> Self {
        let feed = Some(Feed::new(inputs, window, stop));
        let state = State { feed, ready: VecDeque::new(), failed: None, ended: false };
        Self {
            state: state.into(),
            free: Condvar::new(),
            settled: Condvar::new(),
            spares: PerThread::new(pool),
            ahead,
        }
    }

    /// The next block; `None` at the end. `admit` is called in file order, by whoever has the feed;
    /// the feed ends where it gives `None`.
    ///
    /// # Errors
    /// The inputs can't be read on, or the pass is to stop; all blocks before have been given out.
    pub fn next(&self, admit: impl Fn(&Rows) -> Option<S>) -> Result<Option<Block<S>>, Error> {
        let mut state = self.lock();
        loop {
            let mut feed = match self.task(state)? {
                Task::Work(block) => return Ok(Some(block)),
                Task::Read(feed) => feed,
                Task::End => return Ok(None),
            };
            state = loop {
                if let Some(reader) = &mut feed.reader {
                    // The last is the first that is used again.
                    while let Some(rows) = self.spares.take() {
                        reader.recycle(rows);
                    }
                }
                match feed.next() {
                    Ok(Next::Rows(rows)) => match self.make_ready(feed, rows, &admit) {
                        // The others are about to find nothing.
                        ControlFlow::Continue(short) if short.is_decoded() => feed = short,
                        ControlFlow::Continue(feed) => break self.put_back(feed),
                        ControlFlow::Break(state) => break state,
                    },
                    Ok(Next::Cut(cut)) => {
                        drop(self.put_back(feed));
                        break self.scan(cut, &admit);
                    }
                    Ok(Next::Wait) => break wait(&self.settled, self.put_back(feed)),
                    Ok(Next::End) => break self.ended(feed, None),
                    Err(error) => break self.ended(feed, Some(error)),
                }
            };
        }
    }

    /// Gives out nothing more, not even what is ready.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ready.clear();
        state.failed = None;
        state.ended = true;
        self.notify();
    }

    /// Takes back the memory of a block that is done with. Whoever takes results must not wait for
    /// the feed, which may be waiting for results to be taken.
    pub fn recycle(&self, rows: TextRows) {
        self.spares.keep(rows);
    }

    fn lock(&self) -> Guard<'_, 'a, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self) {
        self.free.notify_all();
        self.settled.notify_all();
    }

    /// What this thread does next, in which it may have to wait.
    fn task(&self, mut state: Guard<'_, 'a, S>) -> Result<Task<'a, S>, Error> {
        loop {
            if let Some(block) = state.ready.pop_front() {
                return Ok(Task::Work(block));
            }
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if state.ended {
                return Ok(Task::End);
            }
            if let Some(feed) = state.feed.take() {
                return Ok(Task::Read(feed));
            }
            state = wait(&self.free, state);
        }
    }

    /// Puts the feed back for whoever wants it next.
    fn put_back(&self, feed: Feed<'a>) -> Guard<'_, 'a, S> {
        let mut state = self.lock();
        state.feed = Some(feed);
        self.free.notify_all();
        state
    }

    /// The feed has ended.
    fn ended(&self, feed: Feed<'a>, failed: Option<Error>) -> Guard<'_, 'a, S> {
        let mut state = self.put_back(feed);
        if !state.ended {
            state.failed = failed;
            state.ended = true;
        }
        self.notify();
        state
    }

    /// Admits rows, which are ready then; gives the feed back where fewer blocks are ready than
    /// are decoded ahead.
    fn make_ready(
        &self,
        feed: Feed<'a>,
        rows: Rows,
        admit: &impl Fn(&Rows) -> Option<S>,
    ) -> ControlFlow<Guard<'_, 'a, S>, Feed<'a>> {
        let file = feed.file;
        // This may wait until blocks are done with, so it must not keep anybody from them.
        let Some(admitted) = admit(&rows) else {
            return ControlFlow::Break(self.ended(feed, None));
        };
        let mut state = self.lock();
        if !state.ended {
            state.ready.push_back(Block { file, rows, admitted });
            self.notify();
            if state.ready.len() <= self.ahead {
                return ControlFlow::Continue(feed);
            }
        }
        drop(state);
        ControlFlow::Break(self.put_back(feed))
    }

    /// Scans a cut, and settles it when those before it are.
    fn scan(&self, cut: Cut, admit: &impl Fn(&Rows) -> Option<S>) -> Guard<'_, 'a, S> {
        let mut scanned = cut.scan();
        let mut state = self.lock();
        loop {
            if state.ended {
                return state;
            }
            let Some(mut feed) = state.feed.take() else {
                state = wait(&self.free, state);
                continue;
            };
            drop(state);
            let settled = match &mut feed.reader {
                Some(reader) => reader.settle(scanned),
                None => Settled::Nothing,
            };
            state = match settled {
                Settled::NotYet(later) => {
                    scanned = later;
                    wait(&self.settled, self.put_back(feed))
                }
                Settled::Nothing => {
                    let state = self.put_back(feed);
                    self.settled.notify_all();
                    return state;
                }
                Settled::Rows(rows) => {
                    return match self.make_ready(feed, rows, admit) {
                        ControlFlow::Continue(feed) => self.put_back(feed),
                        ControlFlow::Break(state) => state,
                    };
                }
            };
        }
    }
}

fn wait<'g, T>(until: &Condvar, state: MutexGuard<'g, T>) -> MutexGuard<'g, T> {
    until.wait(state).unwrap_or_else(PoisonError::into_inner)
}
