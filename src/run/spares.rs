//! Memory to use again, by the thread that used it before: what one core has written another has to
//! fetch before it can write there, which takes longer than to write it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::ThreadPool;

/// What one thread keeps; of blocks that it took from others it may get more than it needs.
const KEPT_MAX: usize = 4;

/// What each thread of a pool keeps, and what all other threads keep together.
#[derive(Debug)]
pub struct PerThread<T>(Vec<Mutex<Vec<T>>>);

impl<T> PerThread<T> {
    /// Nothing yet, for the threads of a pool.
    pub fn new(pool: &ThreadPool) -> Self {
        Self((0..=pool.current_num_threads()).map(|_| Mutex::default()).collect())
    }

    /// The last thing that this thread has kept.
    pub fn take(&self) -> Option<T> {
        self.own()?.pop()
    }

    /// Keeps a thing for this thread.
    pub fn keep(&self, thing: T) {
        if let Some(mut own) = self.own()
            && own.len() < KEPT_MAX
        {
            own.push(thing);
        }
    }

    fn own(&self) -> Option<MutexGuard<'_, Vec<T>>> {
        let others = self.0.len() - 1;
        let index = rayon::current_thread_index().map_or(others, |index| index.min(others));
        // Nothing that is done with the lock can leave it half done.
        self.0.get(index).map(|own| own.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_its_own_back() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
        let spares = PerThread::new(&pool);
        spares.keep(100);
        pool.broadcast(|context| {
            for number in 0..2 * KEPT_MAX {
                spares.keep(10 * context.index() + number);
            }
        });
        let taken = pool.broadcast(|_| std::iter::from_fn(|| spares.take()).collect::<Vec<_>>());
        assert_eq!(taken, [vec![3, 2, 1, 0], vec![13, 12, 11, 10]]);
        assert_eq!((spares.take(), spares.take()), (Some(100), None));
    }
}
