//! What a row is remembered by: keyed hashes, so that nothing of a customer is kept.

use highway::{HighwayHash, HighwayHasher, Key};

/// Keyed hashes of one accepted row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowPrint {
    /// Of whom the row is about: the customer_id or another identifier, of a device its device_id.
    pub id: u128,
    /// Of the whole element as it is sent, under one mapping.
    pub row: u128,
}

/// The keys of [`RowPrint`]s. HighwayHash takes the widest vectors that the machine has, and gives
/// the same on every one.
#[derive(Clone, PartialEq, Eq)]
pub struct PrintKeys {
    ids: [u64; 4],
    rows: [u64; 4],
}

impl PrintKeys {
    /// Keys from a secret of 32 bytes. Rows under another mapping have other hashes: with it,
    /// whatever a row says is something else.
    pub fn new(secret: &[u8; 32], mapping: &str) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(secret.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let derive = |purpose: &str, of: &str| {
            let mut hasher = HighwayHasher::new(Key(words));
            hasher.append(purpose.as_bytes());
            hasher.append(of.as_bytes());
            hasher.finalize256()
        };
        Self { ids: derive("ids\0", ""), rows: derive("rows\0", mapping) }
    }

    /// The hash of whom a row is about.
    #[inline]
    pub fn id(&self, id: &[u8]) -> u128 {
        hash(self.ids, id)
    }

    /// The hash of an element.
    #[inline]
    pub fn row(&self, element: &[u8]) -> u128 {
        hash(self.rows, element)
    }
}

fn hash(key: [u64; 4], bytes: &[u8]) -> u128 {
    let [low, high] = HighwayHasher::new(Key(key)).hash128(bytes);
    u128::from(high) << 64 | u128::from(low)
}

impl std::fmt::Debug for PrintKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrintKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state that is on a disk must be understood by later versions.
    #[test]
    fn hashes_are_the_same_for_ever_and_depend_on_all_that_they_are_of() {
        let secret = std::array::from_fn(|at| at as u8);
        let keys = PrintKeys::new(&secret, "m");
        assert_eq!(keys.id(b"c-1"), 0x026e_e853_7a70_4b00_733a_3d8a_19ed_152d);
        assert_ne!(keys.id(b"c-1"), keys.row(b"c-1"));
        assert_ne!(keys.id(b"c-1"), keys.id(b"c-2"));
        let other = PrintKeys::new(&secret, "n");
        assert_eq!(keys.id(b"c-1"), other.id(b"c-1"), "an id stays what it is");
        assert_ne!(keys.row(b"{}"), other.row(b"{}"));
        assert_ne!(keys.id(b"c-1"), PrintKeys::new(&[7; 32], "m").id(b"c-1"));
        assert_eq!(format!("{keys:?}"), "PrintKeys(..)");
    }
}
