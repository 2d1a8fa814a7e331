//! Stops a run whose rows the server keeps refusing: then the mapping is wrong, not the rows.

/// Rows refused alone, none delivered, that stop a run.
const FAILED_FIRST_MAX: u64 = 20;

/// Answered rows from which the share counts.
const ANSWERED_MIN: u64 = 1_000;

/// One refused row in this many answered ones is still allowed: 5 %.
const FAILED_ONE_IN: u64 = 20;

/// Different texts of the server that are counted; later ones are not.
const WORDS_MAX: usize = 100;

/// Counts answered rows of this run.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    pub delivered: u64,
    pub failed: u64,
    words: Vec<(String, u64)>,
}

impl Breaker {
    pub fn delivered(&mut self, rows: u64) {
        self.delivered += rows;
    }

    pub fn failed(&mut self, kind: &str, message: &str) {
        self.failed += 1;
        let words = match (kind, message) {
            ("", message) => message.to_owned(),
            (kind, "") => kind.to_owned(),
            (kind, message) => format!("{kind}: {message}"),
        };
        match self.words.iter().position(|(seen, _)| *seen == words) {
            Some(at) => self.words[at].1 += 1,
            None if self.words.len() < WORDS_MAX => self.words.push((words, 1)),
            None => {}
        }
    }

    pub fn is_open(&self) -> bool {
        let answered = self.delivered + self.failed;
        (self.delivered == 0 && self.failed >= FAILED_FIRST_MAX)
            || (answered >= ANSWERED_MIN && self.failed * FAILED_ONE_IN > answered)
    }

    /// What the server said most often.
    pub fn most_frequent_words(&self) -> String {
        let most = self.words.iter().max_by_key(|(_, count)| count);
        most.map_or_else(String::new, |(words, _)| words.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(delivered: u64, failed: u64) -> Breaker {
        Breaker { delivered, failed, words: vec![] }
    }

    #[test]
    fn opens_exactly_at_its_two_limits() {
        assert!(!breaker(0, 19).is_open());
        assert!(breaker(0, 20).is_open());
        assert!(!breaker(1, 20).is_open());
        assert!(!breaker(899, 100).is_open(), "too few answered rows");
        assert!(!breaker(950, 50).is_open(), "exactly 5 %");
        assert!(breaker(949, 51).is_open());
    }

    #[test]
    fn names_the_most_frequent_words() {
        let mut breaker = Breaker::default();
        for kind in ["TypeError", "AttributeError", "TypeError"] {
            breaker.failed(kind, "expected string");
        }
        assert_eq!(breaker.most_frequent_words(), "TypeError: expected string");
    }
}
