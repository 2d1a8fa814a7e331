//! Memory to use again, by the thread that used it before where that can be: what one core has written
//! another has to fetch before it can write there. That takes longer than to write it, and less than
//! to set aside new memory.

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

    /// The last thing that this thread has kept, or one of another.
    pub fn take(&self) -> Option<T> {
        let own = self.own()?.pop();
        own.or_else(|| self.0.iter().find_map(|other| lock(other).pop()))
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
        self.0.get(index).map(lock)
    }
}

fn lock<T>(kept: &Mutex<Vec<T>>) -> MutexGuard<'_, Vec<T>> {
    // Nothing that is done with the lock can leave it half done.
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_gets_its_own_back_before_those_of_others() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
        let spares = PerThread::new(&pool);
        spares.keep(100);
        pool.broadcast(|context| {
            for number in 0..2 * KEPT_MAX {
                spares.keep(10 * context.index() + number);
            }
        });
        let taken = pool.broadcast(|_| [spares.take(), spares.take(), spares.take()]);
        assert_eq!(taken, [[Some(3), Some(2), Some(1)], [Some(13), Some(12), Some(11)]]);
        let rest: Vec<_> = std::iter::from_fn(|| spares.take()).collect();
        assert_eq!(rest, [100, 0, 10]);
    }
}
