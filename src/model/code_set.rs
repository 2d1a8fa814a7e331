//! A set of codes that costs no allocation.

use super::Code;

/// Which rules one value broke.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeSet(u128);

// A code is a bit of the set.
const _: () = assert!(Code::ALL.len() <= 128);

impl CodeSet {
    /// Adds a code; once is as often as twice.
    pub fn insert(&mut self, code: Code) {
        self.0 |= 1 << code as u32;
    }

    /// Whether no rule was broken.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether a code is in it.
    pub fn contains(self, code: Code) -> bool {
        self.0 >> code as u32 & 1 == 1
    }

    /// The codes, in the order of [`Code::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Code> {
        Code::ALL.iter().copied().filter(move |&code| self.contains(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_every_code_once() {
        let mut all = CodeSet::default();
        assert!(all.is_empty());
        for &code in Code::ALL.iter().chain(Code::ALL) {
            all.insert(code);
        }
        assert!(all.iter().eq(Code::ALL.iter().copied()));
        let mut one = CodeSet::default();
        one.insert(Code::ServerRefused);
        assert_eq!(one.iter().collect::<Vec<_>>(), [Code::ServerRefused]);
    }
}
