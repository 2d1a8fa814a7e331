//! A set of element indices, as merged ranges.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Element indices, as disjoint ranges in order; ranges that touch are one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(u32, u32)>", into = "Vec<(u32, u32)>")]
pub(super) struct RangeSet(Vec<Range<u32>>);

impl RangeSet {
    /// Adds a range; says how many of its indices are new.
    pub fn insert(&mut self, range: &Range<u32>) -> u32 {
        let new = self.gaps(range).map(|gap| gap.end - gap.start).sum();
        // Those that overlap or touch it melt into one.
        let from = self.0.partition_point(|seen| seen.end < range.start);
        let to = self.0.partition_point(|seen| seen.start <= range.end);
        let merged = self.0[from..to].iter().fold(range.clone(), |merged, seen| {
            merged.start.min(seen.start)..merged.end.max(seen.end)
        });
        self.0.splice(from..to, (!merged.is_empty()).then_some(merged));
        new
    }

    /// Whether every index of the range is in the set.
    pub fn covers(&self, range: &Range<u32>) -> bool {
        self.gaps(range).next().is_none()
    }

    /// Whether the set has no index.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What of a range is not in the set, in order.
    pub fn gaps(&self, within: &Range<u32>) -> impl Iterator<Item = Range<u32>> {
        let first = self.0.partition_point(|seen| seen.end <= within.start);
        let starts = std::iter::once(within.start)
            .chain(self.0[first..].iter().map(|seen| seen.end.max(within.start)));
        let ends = self.0[first..].iter().map(|seen| seen.start).chain([u32::MAX]);
        let end = within.end;
        starts.zip(ends).take_while(move |(start, _)| *start < end).filter_map(
            move |(start, stop)| {
                let gap = start..stop.min(end);
                (!gap.is_empty()).then_some(gap)
            },
        )
    }
}

impl From<Vec<(u32, u32)>> for RangeSet {
    fn from(pairs: Vec<(u32, u32)>) -> Self {
        let mut set = Self::default();
        for (start, end) in pairs {
            set.insert(&(start..end));
        }
        set
    }
}

impl From<RangeSet> for Vec<(u32, u32)> {
    fn from(set: RangeSet) -> Self {
        set.0.into_iter().map(|range| (range.start, range.end)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_list_of_flags(
            inserts in prop::collection::vec((0_u32..40, 0_u32..12), 0..12),
            probe in (0_u32..40, 0_u32..40),
        ) {
            let mut set = RangeSet::default();
            let mut flags = [false; 64];
            for (start, len) in inserts {
                let range = start..start + len;
                let new = range.clone().filter(|&i| !flags[i as usize]).count() as u32;
                prop_assert_eq!(set.insert(&range), new);
                range.for_each(|i| flags[i as usize] = true);
            }
            let within = probe.0..probe.0 + probe.1.min(24);
            let missing: Vec<u32> = set.gaps(&within).flatten().collect();
            let expected: Vec<u32> = within.clone().filter(|&i| !flags[i as usize]).collect();
            prop_assert_eq!(set.covers(&within), expected.is_empty());
            prop_assert_eq!(missing, expected);
            prop_assert!(set.0.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!(set.0.iter().all(|range| !range.is_empty()));
        }
    }
}
