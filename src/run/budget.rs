//! What all blocks of a pass may hold at a time, so that memory has a bound for any number
//! of threads.
//!
//! Blocks take their turns in file order, and the front one is never made to wait: whoever
//! takes results in that order waits for it alone, so nothing can lock up. What it may
//! hold is bounded by its own limits. All others together share [`SHARED_BYTES_MAX`], and
//! whoever would go beyond waits until others let go, or until its turn is the front one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

/// What all blocks behind the front one hold together, in bytes.
pub const SHARED_BYTES_MAX: u64 = 96 << 20;

/// The books of a run.
#[derive(Clone, Debug, Default)]
pub struct Budget(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    books: Mutex<Books>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Books {
    /// Bytes held by each turn that has not ended; the first is the front one.
    turns: BTreeMap<u64, u64>,
    next: u64,
}

impl Budget {
    /// The next turn. Whoever asks for turns must give them out in the order of the results.
    pub fn turn(&self) -> Turn {
        let mut books = self.0.books();
        let number = books.next;
        books.next += 1;
        books.turns.insert(number, 0);
        drop(books);
        Turn(Arc::new(Open { number, budget: self.clone() }))
    }
}

impl Inner {
    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing that is done with the lock can leave it half done.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, books: MutexGuard<'a, Books>) -> MutexGuard<'a, Books> {
        self.freed.wait(books).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn behind_front(&self) -> u64 {
        self.turns.values().skip(1).sum()
    }

    fn is_front(&self, number: u64) -> bool {
        self.turns.first_key_value().is_some_and(|(&front, _)| front == number)
    }
}

/// A block's place in the order. It ends when its last clone is dropped: when what was made of the
/// block is taken.
#[derive(Clone, Debug)]
pub struct Turn(Arc<Open>);

#[derive(Debug)]
struct Open {
    number: u64,
    budget: Budget,
}

impl Turn {
    /// Holds nothing yet.
    pub fn charge(&self) -> Charge {
        Charge { turn: self.clone(), bytes: 0 }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.budget.0.books().turns.remove(&self.number);
        self.budget.0.freed.notify_all();
    }
}

/// Bytes held by a turn, until it is dropped.
#[derive(Debug)]
pub struct Charge {
    turn: Turn,
    bytes: u64,
}

impl Charge {
    /// Holds this much from now on. Where it is more than before, waits until there is room.
    pub fn set(&mut self, bytes: u64) {
        let Open { number, budget } = &*self.turn.0;
        let mut books = budget.0.books();
        let more = bytes.saturating_sub(self.bytes);
        while more > 0 && !books.is_front(*number) && books.behind_front() + more > SHARED_BYTES_MAX
        {
            books = budget.0.wait(books);
        }
        if let Some(held) = books.turns.get_mut(number) {
            *held = *held + bytes - self.bytes;
        }
        drop(books);
        if bytes < self.bytes {
            budget.0.freed.notify_all();
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn those_behind_wait_for_room_and_the_front_one_never() {
        let budget = Budget::default();
        let [front, second, third] = [0; 3].map(|_| budget.turn());
        let mut large = front.charge();
        large.set(10 * SHARED_BYTES_MAX);
        let mut half = second.charge();
        half.set(SHARED_BYTES_MAX / 2);
        let (says, said) = mpsc::channel();
        let waiter = thread::spawn(move || {
            let mut charge = third.charge();
            charge.set(SHARED_BYTES_MAX / 2);
            says.send("half").unwrap();
            charge.set(SHARED_BYTES_MAX / 2 + 1);
            says.send("more").unwrap();
        });
        assert_eq!(said.recv_timeout(Duration::from_secs(60)), Ok("half"));
        assert!(said.recv_timeout(Duration::from_millis(50)).is_err(), "there is no room");
        // The second becomes the front one: what it holds counts no more against the rest.
        drop((large, front));
        assert_eq!(said.recv_timeout(Duration::from_secs(60)), Ok("more"));
        waiter.join().unwrap();
        drop((half, second));
        assert!(budget.0.books().turns.is_empty());
    }
}
