//! Counts along a course of unknown length, in a bounded number of buckets.

use serde::Serialize;

/// The most buckets; where more are needed each becomes twice as wide.
const BUCKETS_MAX: usize = 96;

/// Counts along rows or time. It does not grow with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// What each bucket spans: rows, or milliseconds.
    pub width: u64,
    /// Counts, from the start.
    pub counts: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Histogram {
    /// Nothing yet; buckets begin with this width, which is not 0.
    pub fn new(width: u64) -> Self {
        Self { width, counts: Vec::new() }
    }

    /// Counts something at a place of the course, from 0.
    pub fn add(&mut self, at: u64, count: u64) {
        self.reach(at);
        let bucket = (at / self.width) as usize;
        self.counts[bucket] += count;
    }

    /// Goes on to a place, whether or not anything is there.
    pub fn reach(&mut self, at: u64) {
        while at / self.width >= BUCKETS_MAX as u64 {
            let pair = |pair: &[u64]| pair.iter().sum();
            self.counts = self.counts.chunks(2).map(pair).collect();
            self.width = self.width.saturating_mul(2);
        }
        let needed = (at / self.width) as usize + 1;
        if self.counts.len() < needed {
            self.counts.resize(needed, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double_and_no_count_is_lost() {
        let mut found = Histogram::new(1);
        for at in 0..96 {
            found.add(at, at);
        }
        assert_eq!((found.width, found.counts.len()), (1, 96));
        found.add(96, 5);
        assert_eq!((found.width, found.counts.len()), (2, 49));
        assert_eq!(found.counts[..3], [1, 5, 9]);
        assert_eq!(found.counts[48], 5);
        found.add(u64::MAX, 1);
        assert!(found.counts.len() <= 96, "{}", found.counts.len());
        assert_eq!(found.counts.iter().sum::<u64>(), (0..96).sum::<u64>() + 6);
    }

    #[test]
    fn a_course_can_end_with_nothing() {
        let mut found = Histogram::new(250);
        found.add(10, 3);
        found.reach(1_000);
        assert_eq!(found.counts, [3, 0, 0, 0, 0]);
    }
}
