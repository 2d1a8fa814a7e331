//! Some of the rows of all inputs, a bit each.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of data rows, by file and row. It takes a bit for every row that was read, so 12.5 MB for
/// a hundred million.
#[derive(Debug, Default)]
pub struct RowSet {
    /// Of each file the rows from 1 on, 64 a word.
    files: Vec<Vec<AtomicU64>>,
}

impl RowSet {
    /// No rows, with room for so many of each file.
    pub fn with_rows(rows_by_file: &[u64]) -> Self {
        let words = |rows: &u64| (0..rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        Self { files: rows_by_file.iter().map(words).collect() }
    }

    /// The rows that words stand for, as [`RowSet::words`] gave them.
    pub fn from_words(files: Vec<Vec<u64>>) -> Self {
        let file = |words: Vec<u64>| words.into_iter().map(AtomicU64::new).collect();
        Self { files: files.into_iter().map(file).collect() }
    }

    /// Adds a row (from 1); several threads may. There must be room for it.
    pub fn insert(&self, file: u32, row: u64) {
        let at = row.saturating_sub(1);
        let word = self.files.get(file as usize).and_then(|words| words.get((at / 64) as usize));
        debug_assert!(word.is_some(), "no room for row {row} of file {file}");
        if let Some(word) = word {
            word.fetch_or(1 << (at % 64), Ordering::Relaxed);
        }
    }

    /// Whether a row (from 1) is in it.
    #[inline]
    pub fn contains(&self, file: u32, row: u64) -> bool {
        let at = row.wrapping_sub(1);
        let words = self.files.get(file as usize);
        words
            .and_then(|words| words.get((at / 64) as usize))
            .is_some_and(|word| word.load(Ordering::Relaxed) >> (at % 64) & 1 == 1)
    }

    /// Rows in it.
    pub fn len(&self) -> u64 {
        self.words().flatten().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.words().flatten().all(|word| word == 0)
    }

    /// Of each file its words, 64 rows each, the first row lowest.
    pub fn words(&self) -> impl ExactSizeIterator<Item = impl ExactSizeIterator<Item = u64>> {
        self.files.iter().map(|words| words.iter().map(|word| word.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_it_once_it_was_added_and_no_other_is() {
        let set = RowSet::with_rows(&[130, 0, 64]);
        assert!(set.is_empty());
        let rows = [(0, 1), (0, 64), (0, 65), (0, 130), (2, 64)];
        for (file, row) in rows.into_iter().chain(rows) {
            set.insert(file, row);
        }
        let words = set.words().map(Iterator::collect).collect();
        for set in [set, RowSet::from_words(words)] {
            let all = (0..4).flat_map(|file| (0..200).map(move |row| (file, row)));
            assert!(all.filter(|&(file, row)| set.contains(file, row)).eq(rows));
            assert_eq!(set.len(), 5);
        }
    }
}
