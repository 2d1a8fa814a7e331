//! The event names of a whole import, of which a workspace takes so many
//! (Data API, U: 512 distinct events).

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::model::Shaped;
use crate::wire::limits::EVENT_NAMES_MAX;

/// Hashes of the event names that a workspace takes; set once there are more in the import,
/// and then final.
#[derive(Clone, Debug, Default)]
pub struct KnownNames(Arc<OnceLock<HashSet<u64>>>);

impl KnownNames {
    /// The names, where they are settled.
    pub fn get(&self) -> Option<&HashSet<u64>> {
        self.0.get()
    }
}

/// Collects the names from blocks in file order.
///
/// A block is checked before those in front of it are known, so as if its names were few
/// enough; only where that turns out wrong is it to be checked again. Once the names are
/// settled, every later block is checked against them at once, with the same result.
#[derive(Debug)]
pub struct EventNames {
    known: KnownNames,
    seen: HashSet<u64>,
}

impl EventNames {
    /// None seen yet; `known` is the plan's.
    pub fn new(known: &KnownNames) -> Self {
        Self { known: known.clone(), seen: HashSet::new() }
    }

    /// Takes in the next block; `false` where it has to be checked again.
    pub fn admit(&mut self, block: &Shaped) -> bool {
        let known = match self.known.get() {
            Some(known) => known,
            None => {
                for &name in &block.names {
                    if self.seen.len() == EVENT_NAMES_MAX && !self.seen.contains(&name) {
                        break;
                    }
                    self.seen.insert(name);
                }
                &self.seen
            }
        };
        if block.names.iter().all(|name| known.contains(name)) {
            return true;
        }
        let _ = self.known.0.set(std::mem::take(&mut self.seen));
        false
    }
}
