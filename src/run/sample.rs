//! Which rows a report's profile of the columns is from: all of the first rows of a file, and of
//! later ones one in 2, in 4, and so on, so that it costs next to nothing however many there are. A
//! row's number alone decides, so any number of threads picks the same.

use crate::model::Rows;
use crate::shape::mix::Picked;

/// Rows of the first file before they are thinned out; a power of two.
const ALL_OF_FIRST: u64 = 2_048;

/// The same of files far behind, of which there may be many.
const ALL_OF_LATER_MIN: u64 = 16;

/// The rows of a block that are looked at, in order.
pub fn rows(block: &Rows) -> Vec<Picked> {
    let number = |row: usize| block.position(row).row.saturating_sub(1);
    let (Some(last), all) = (block.len().checked_sub(1), all_of(block.file())) else {
        return Vec::new();
    };
    let (first, last) = (number(0), number(last));
    let mut picked = Vec::new();
    let mut row = 0;
    // One row of each stride; strides start at their own multiples.
    let mut start = first - first % stride(first, all);
    while start <= last {
        let weight = stride(start, all);
        let wanted = start + scatter(start) % weight;
        // Between sound rows there may be damage, which has no cells.
        row = partition(row, block.len(), |row| number(row) < wanted);
        if row < block.len() && number(row) == wanted {
            picked.push(Picked { row, weight });
        }
        start += weight;
    }
    picked
}

fn all_of(file: u32) -> u64 {
    (ALL_OF_FIRST >> (file + 1).ilog2()).max(ALL_OF_LATER_MIN)
}

/// One in so many rows is looked at around the row of this number, from 0.
fn stride(number: u64, all: u64) -> u64 {
    match (number / all).checked_ilog2() {
        Some(doublings) => 2 << doublings,
        None => 1,
    }
}

/// A number without a pattern, so that none in the rows is met or missed by its rhythm.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ number >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed >> 32
}

/// The first of some indices for which something no longer holds.
fn partition(mut from: usize, mut to: usize, holds: impl Fn(usize) -> bool) -> usize {
    while from < to {
        let middle = from + (to - from) / 2;
        if holds(middle) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{TextRecord, TextRows};

    fn block(file: u32, rows: impl Iterator<Item = u64>) -> Rows {
        let records = rows.map(|row| TextRecord { row, line: row + 1, raw: 0..0 }).collect();
        Rows::Text(TextRows { file, records, ..TextRows::default() })
    }

    /// The picked rows by number, and the rows that they stand for.
    fn picked(file: u32, rows: u64, block_rows: u64) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        let mut first = 1;
        while first <= rows {
            let end = (first + block_rows).min(rows + 1);
            let block = block(file, first..end);
            let found = super::rows(&block);
            all.extend(found.iter().map(|found| (block.position(found.row).row, found.weight)));
            first = end;
        }
        all
    }

    #[test]
    fn the_same_rows_however_they_are_cut_into_blocks() {
        let whole = picked(0, 100_000, 100_000);
        for rows in [1, 7, 1_000, 2_048] {
            assert_eq!(picked(0, 100_000, rows), whole, "blocks of {rows}");
        }
        assert!(
            whole
                .iter()
                .take(ALL_OF_FIRST as usize)
                .enumerate()
                .all(|(at, &found)| found == (at as u64 + 1, 1))
        );
        assert!(whole.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn few_rows_of_many_stand_for_all() {
        let found = picked(0, 1 << 20, 3_000);
        assert_eq!(found.len(), 2_048 + 9 * 1_024);
        assert_eq!(found.iter().map(|(_, weight)| weight).sum::<u64>(), 1 << 20);
        let odd: u64 = found.iter().filter(|(row, _)| row % 2 == 1).map(|(_, weight)| weight).sum();
        assert!((500_000..550_000).contains(&odd), "{odd} of 1,048,576 are odd");
        assert_eq!(picked(999, 1_000, 1_000).len(), 16 + 8 * 6);
    }

    #[test]
    fn damage_between_the_rows_is_passed_over() {
        let rows = block(0, [1, 2, 5].into_iter());
        let found: Vec<usize> = super::rows(&rows).iter().map(|found| found.row).collect();
        assert_eq!(found, [0, 1, 2]);
        assert!(super::rows(&block(0, std::iter::empty())).is_empty());
    }
}
