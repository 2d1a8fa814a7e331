//! What a block says of the whole import: its event names, and users it is full of.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::model::Frequent;

/// A user who has fewer than one in so many rows of a block is not looked at: every limit of
/// fair use is a larger share of what can be sent in its time.
const RARE_SHARE: u32 = 512;

/// Keys that are hashes already.
#[derive(Clone, Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        // Only `u64` keys are used, which come by the method below.
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// For sets and maps of such keys.
pub type ByHash = BuildHasherDefault<AsIs>;

/// Bits by which users with several rows are told from most of those with one.
const BITS: usize = 1 << 15;

/// A set of hashes, as far as their last bits tell them apart.
struct Bits(Box<[u64; BITS / 64]>);

impl Bits {
    fn new() -> Self {
        Self(Box::new([0; BITS / 64]))
    }

    fn contains(&self, hash: u64) -> bool {
        let bit = hash as usize % BITS;
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    fn insert(&mut self, hash: u64) {
        let bit = hash as usize % BITS;
        self.0[bit / 64] |= 1 << (bit % 64);
    }
}

/// Counts over the accepted rows of one block.
#[derive(Default)]
pub(super) struct Census {
    /// The user of each row.
    users: Vec<(u64, u32)>,
    seen: HashSet<u64, ByHash>,
    /// Hashes of event names, each once, in the order in which they appear.
    names: Vec<u64>,
}

impl Census {
    /// For so many rows.
    pub(super) fn of(rows: usize) -> Self {
        Self { users: Vec::with_capacity(rows), ..Self::default() }
    }

    pub(super) fn user(&mut self, user: u64, row: u32) {
        self.users.push((user, row));
    }

    pub(super) fn name(&mut self, name: u64) {
        if self.seen.insert(name) {
            self.names.push(name);
        }
    }

    /// The event names, and the users with many of the rows, by their first row.
    pub(super) fn finish(self, rows: usize) -> (Vec<u64>, Vec<Frequent>) {
        let least = (rows as u32).div_ceil(RARE_SHARE).max(2);
        let (mut once, mut again) = (Bits::new(), Bits::new());
        let mut repeated = 0;
        for &(user, _) in &self.users {
            if once.contains(user) {
                again.insert(user);
                repeated += 1;
            }
            once.insert(user);
        }
        if repeated + 1 < least {
            return (self.names, Vec::new());
        }
        // Rows of each user who may have several, and the first of them.
        let mut counts: HashMap<u64, (u32, u32), ByHash> = HashMap::default();
        for &(user, row) in self.users.iter().filter(|&&(user, _)| again.contains(user)) {
            counts.entry(user).or_insert((0, row)).0 += 1;
        }
        let mut frequent: Vec<Frequent> = counts
            .into_iter()
            .filter(|&(_, (count, _))| count >= least)
            .map(|(user, (count, row))| Frequent { user, count, row })
            .collect();
        frequent.sort_unstable_by_key(|frequent| frequent.row);
        (self.names, frequent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_with_many_rows_are_counted_exactly() {
        let mut census = Census::default();
        // Users 0 to 999, one row each, whose bits others share; then users with 2, 3 and 4 more.
        for row in 0..1000 {
            census.user(u64::from(row), row);
        }
        for (user, row) in [(7, 1000), (BITS as u64, 1001), (9, 1002), (9, 1003), (7, 1004)] {
            census.user(user, row);
        }
        let (_, frequent) = census.finish(1_005);
        let found: Vec<_> = frequent.iter().map(|f| (f.user, f.count, f.row)).collect();
        assert_eq!(found, [(7, 3, 7), (9, 3, 9)]);
    }
}
