//! Results that are finished in any order, by any thread, and taken in their order.
//!
//! There is no thread for taking: whoever finishes the result whose turn it is takes it while it is
//! in the processor's cache, and those that others finished meanwhile. A place in the line has to be
//! had before the work on a result begins, so there is a bound on how many wait to be taken.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use super::Error;

/// A line of results on their way to what takes them.
pub struct Line<T, F> {
    state: Mutex<State<T>>,
    /// A result was taken, or nothing is taken any more.
    taken: Condvar,
    take: Mutex<F>,
    places: u64,
}

struct State<T> {
    /// Results that are finished and not taken yet.
    finished: BTreeMap<u64, Result<T, Error>>,
    /// The place to give out next, and the one to take next.
    given: u64,
    next: u64,
    /// A thread is taking results.
    is_taking: bool,
    /// Nothing is taken any more.
    is_closed: bool,
    failed: Option<Error>,
}

impl<T, F: FnMut(T) -> Result<(), Error>> Line<T, F> {
    /// A line of so many places for what `take` takes.
    pub fn new(places: usize, take: F) -> Self {
        let state = State {
            finished: BTreeMap::new(),
            given: 0,
            next: 0,
            is_taking: false,
            is_closed: false,
            failed: None,
        };
        Self {
            state: state.into(),
            taken: Condvar::new(),
            take: take.into(),
            places: places as u64,
        }
    }

    /// The next place, for which there may have to be waited; `None` where nothing is taken any more.
    /// Every place has to be finished.
    pub fn place(&self) -> Option<u64> {
        let mut state = self.lock();
        while !state.is_closed && state.given - state.next >= self.places {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let place = state.given;
        state.given += 1;
        (!state.is_closed).then_some(place)
    }

    /// The result of a place is there: it is taken where it is its turn. `false` where nothing is
    /// taken any more.
    pub fn finish(&self, place: u64, result: Result<T, Error>) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        state.finished.insert(place, result);
        if state.is_taking {
            return true;
        }
        state.is_taking = true;
        let _guard = CloseOnPanic(self);
        let mut take = self.take.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let next = state.next;
            let Some(result) = state.finished.remove(&next) else {
                state.is_taking = false;
                return !state.is_closed;
            };
            drop(state);
            let taken = result.and_then(&mut *take);
            state = self.lock();
            state.next += 1;
            self.taken.notify_all();
            if let Err(error) = taken {
                state.failed.get_or_insert(error);
                state.close();
            }
        }
    }

    /// What ended the line early, which is the first error in the order of places.
    ///
    /// # Errors
    /// That of a result, or of what took it.
    pub fn end(self) -> Result<(), Error> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.failed.map_or(Ok(()), Err)
    }
}

impl<T, F> Line<T, F> {
    /// Takes nothing more.
    pub fn close(&self) {
        self.lock().close();
        self.taken.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that is done with the lock can leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn close(&mut self) {
        self.is_closed = true;
        self.finished.clear();
    }
}

/// Closes a line when it is dropped by a panic, so that nobody waits for what is not taken.
struct CloseOnPanic<'l, T, F>(&'l Line<T, F>);

impl<T, F> Drop for CloseOnPanic<'_, T, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{panic, sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn results_are_taken_in_the_order_of_their_places() {
        let mut taken = Vec::new();
        let line = Line::new(8, |number: u64| {
            taken.push(number);
            Ok(())
        });
        let places: Vec<u64> = (0..5).filter_map(|_| line.place()).collect();
        for at in [3, 1, 0, 4, 2] {
            assert!(line.finish(places[at], Ok(10 * at as u64)));
        }
        line.end().expect("no error");
        assert_eq!(taken, [0, 10, 20, 30, 40]);
    }

    #[test]
    fn the_first_error_in_order_ends_it() {
        let mut taken = Vec::new();
        let line = Line::new(8, |number: u64| {
            if number == 20 {
                return Err(Error::Internal("at 20".into()));
            }
            taken.push(number);
            Ok(())
        });
        let places: Vec<u64> = (0..5).filter_map(|_| line.place()).collect();
        assert!(line.finish(places[3], Err(Error::Internal("the fourth".into()))));
        assert!(line.finish(places[2], Ok(20)));
        assert!(line.finish(places[1], Ok(10)));
        assert!(!line.finish(places[0], Ok(0)), "the third fails");
        assert_eq!(line.place(), None);
        assert!(!line.finish(places[4], Ok(40)));
        assert_eq!(
            line.end().expect_err("an error").to_string(),
            Error::Internal("at 20".into()).to_string()
        );
        assert_eq!(taken, [0, 10]);
    }

    #[test]
    fn a_place_is_waited_for_until_a_result_is_taken() {
        let line = Line::new(2, |()| Ok(()));
        let (first, second) = (line.place(), line.place());
        let (told, hears) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| told.send(line.place()));
            assert!(hears.recv_timeout(Duration::from_millis(50)).is_err(), "there is no room");
            line.finish(second.expect("a place"), Ok(()));
            assert!(
                hears.recv_timeout(Duration::from_millis(50)).is_err(),
                "the first is not taken"
            );
            line.finish(first.expect("a place"), Ok(()));
            assert_eq!(hears.recv(), Ok(Some(2)));
        });
    }

    #[test]
    fn a_panic_while_taking_keeps_nobody_waiting() {
        let line = Line::new(1, |()| panic!("a bug"));
        let place = line.place().expect("a place");
        let result = panic::catch_unwind(panic::AssertUnwindSafe(|| line.finish(place, Ok(()))));
        assert!(result.is_err());
        assert_eq!(line.place(), None);
    }
}
