//! What a block says of the whole import: its event names, and users it is full of.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::model::Frequent;

/// A user who has fewer than one in so many rows of a block is not looked at: every limit of
/// fair use is a larger share of what can be sent in its time.
const RARE_SHARE: u32 = 512;

/// Keys that are hashes already.
#[derive(Default)]
struct AsIs(u64);

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

type ByHash = BuildHasherDefault<AsIs>;

/// Counts over the accepted rows of one block.
#[derive(Default)]
pub(super) struct Census {
    /// Rows of each user, and the first of them.
    users: HashMap<u64, (u32, u32), ByHash>,
    seen: HashSet<u64, ByHash>,
    /// Hashes of event names, each once, in the order in which they appear.
    names: Vec<u64>,
}

impl Census {
    pub(super) fn user(&mut self, user: u64, row: u32) {
        self.users.entry(user).or_insert((0, row)).0 += 1;
    }

    pub(super) fn name(&mut self, name: u64) {
        if self.seen.insert(name) {
            self.names.push(name);
        }
    }

    /// The event names, and the users with many of the rows, by their first row.
    pub(super) fn finish(self, rows: usize) -> (Vec<u64>, Vec<Frequent>) {
        let least = (rows as u32).div_ceil(RARE_SHARE).max(2);
        let mut frequent: Vec<Frequent> = self
            .users
            .into_iter()
            .filter(|&(_, (count, _))| count >= least)
            .map(|(user, (count, row))| Frequent { user, count, row })
            .collect();
        frequent.sort_unstable_by_key(|frequent| frequent.row);
        (self.names, frequent)
    }
}
