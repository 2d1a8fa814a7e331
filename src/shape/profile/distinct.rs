//! How many distinct values there are: exact for few, HyperLogLog beyond (Flajolet et al. 2007),
//! with the estimator of Ertl (2017), which needs no tables and no case for small counts.

use std::collections::HashSet;

use crate::shape::encode::ByHash;

/// Bits of a hash that choose a register: at most so many, for a standard error of 0.4 %.
const PRECISION_MAX: u32 = 16;

/// And at least so many, for one of 3.3 %.
const PRECISION_MIN: u32 = 10;

/// Bytes that the registers of all columns may take.
const BYTES_MAX: usize = 64 << 20;

/// Counts distinct hashes of 64 bits. What is counted does not depend on their order.
#[derive(Clone, Debug)]
pub struct Distinct {
    precision: u32,
    /// The hashes, while they take no more memory than registers would.
    few: HashSet<u64, ByHash>,
    /// Of each register the longest run of zeros + 1; empty while the hashes are kept.
    registers: Vec<u8>,
}

impl Distinct {
    /// For one of so many columns.
    pub fn one_of(columns: usize) -> Self {
        let share = (BYTES_MAX / columns.max(1)).max(1);
        let precision = share.ilog2().clamp(PRECISION_MIN, PRECISION_MAX);
        Self { precision, few: HashSet::default(), registers: Vec::new() }
    }

    /// Takes in a hash.
    pub fn add(&mut self, hash: u64) {
        if self.registers.is_empty() {
            self.few.insert(hash);
            if self.few.len() * size_of::<u64>() > 1 << self.precision {
                self.registers = vec![0; 1 << self.precision];
                for hash in std::mem::take(&mut self.few) {
                    self.register(hash);
                }
            }
        } else {
            self.register(hash);
        }
    }

    fn register(&mut self, hash: u64) {
        let rank = ((hash << self.precision) | (1 << (self.precision - 1))).leading_zeros() + 1;
        let register = &mut self.registers[(hash >> (64 - self.precision)) as usize];
        *register = (*register).max(rank as u8);
    }

    /// Takes in what was counted elsewhere, for as many columns.
    pub fn merge(&mut self, other: &Self) {
        for &hash in &other.few {
            self.add(hash);
        }
        if other.registers.is_empty() {
            return;
        }
        if self.registers.is_empty() {
            self.registers = other.registers.clone();
            for hash in std::mem::take(&mut self.few) {
                self.register(hash);
            }
            return;
        }
        for (ours, &theirs) in self.registers.iter_mut().zip(&other.registers) {
            *ours = (*ours).max(theirs);
        }
    }

    /// Whether [`Distinct::count`] is exact.
    pub fn is_exact(&self) -> bool {
        self.registers.is_empty()
    }

    /// The standard error of the count, as a share of it; 0 where it is exact.
    pub fn error(&self) -> f64 {
        if self.is_exact() { 0.0 } else { 1.04 / f64::from(1_u32 << self.precision).sqrt() }
    }

    /// How many distinct hashes there were.
    pub fn count(&self) -> u64 {
        if self.is_exact() {
            return self.few.len() as u64;
        }
        let registers = self.registers.len() as f64;
        let longest = 64 - self.precision as usize;
        let mut with_rank = vec![0_u64; longest + 2];
        for &rank in &self.registers {
            with_rank[usize::from(rank)] += 1;
        }
        let mut sum = registers * tau(1.0 - with_rank[longest + 1] as f64 / registers);
        for rank in (1..=longest).rev() {
            sum = 0.5 * (sum + with_rank[rank] as f64);
        }
        sum += registers * sigma(with_rank[0] as f64 / registers);
        (registers * registers / (2.0 * std::f64::consts::LN_2) / sum).round() as u64
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        (self.few.capacity() * 2 * size_of::<u64>() + self.registers.capacity()) as u64
    }
}

/// Corrects for registers without a hash.
fn sigma(share: f64) -> f64 {
    if share == 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (share, 1.0, share);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// Corrects for registers that are full.
fn tau(share: f64) -> f64 {
    if share == 0.0 || share == 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (share, 1.0, 1.0 - share);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    fn hashes(range: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        range.map(|value| xxh3_64(&value.to_le_bytes()))
    }

    #[test]
    fn few_are_counted_exactly_and_many_within_four_standard_errors() {
        for columns in [1, 4_000, 1_000_000] {
            let mut counted = Distinct::one_of(columns);
            let exact_max = (1_u64 << counted.precision) / 8;
            let mut next = 0;
            for count in [0, 1, 100, exact_max, exact_max + 1, 10_000, 300_000, 2_000_000] {
                hashes(next..count).chain(hashes(0..count.min(50))).for_each(|h| counted.add(h));
                next = next.max(count);
                let found = counted.count();
                assert_eq!(counted.is_exact(), next <= exact_max, "{columns}, {next}");
                let off = (found as f64 - next as f64).abs() / (next.max(1) as f64);
                assert!(off <= 4.0 * counted.error(), "{columns}: {found} for {next}");
            }
        }
        assert!(Distinct::one_of(1).memory_bytes() < 100, "nothing yet");
    }

    #[test]
    fn the_order_and_the_parts_change_nothing() {
        for count in [10, 3_000, 9_000, 200_000] {
            let mut whole = Distinct::one_of(20);
            hashes(0..count).for_each(|hash| whole.add(hash));
            for parts in [1, 2, 7] {
                let mut merged = Distinct::one_of(20);
                for part in (0..parts).rev() {
                    let mut piece = Distinct::one_of(20);
                    let (from, to) = (count * part / parts, count * (part + 1) / parts);
                    // Each part has some of the next one too.
                    hashes(from..(to + 5).min(count)).for_each(|hash| piece.add(hash));
                    merged.merge(&piece);
                }
                assert_eq!(merged.count(), whole.count(), "{count} in {parts}");
                assert_eq!(merged.is_exact(), whole.is_exact());
            }
        }
    }
}
