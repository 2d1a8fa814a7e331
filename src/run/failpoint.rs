//! Places where a test makes the program panic, to see what a bug of its own would cost.
//!
//! `MOEBULK_FAILPOINT=NAME` panics the first time that the place is reached, `NAME:N` the
//! Nth time. Builds without debug assertions, so every release, have none of it.

/// A place in the wiring, one in each stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// A thread that takes rows from a file.
    Decode,
    /// A thread that checks a block.
    Check,
    /// A thread that packs, and writes down what is rejected.
    Pack,
    /// The thread that hands bodies to the sender.
    Produce,
    /// The sender, its intents durable and no byte sent.
    Send,
    /// The sender, answers read and not written down yet.
    Journal,
    /// The sender, on its way to show where it stands.
    Progress,
    /// Before the first row leaves, which the state knows to be on its way.
    Publish,
    /// Everything sent, and the state not moved on yet.
    Remember,
    /// The end of an import, everything delivered and not yet said to be.
    Finish,
}

impl Failpoint {
    /// Panics here, if that is asked for.
    #[cfg(debug_assertions)]
    pub fn reach(self) {
        use std::sync::atomic::{AtomicU64, Ordering};

        static REACHED: AtomicU64 = AtomicU64::new(0);
        let Ok(asked) = std::env::var("MOEBULK_FAILPOINT") else { return };
        let (name, nth) = asked.split_once(':').unwrap_or((&asked, "1"));
        if name != self.name() {
            return;
        }
        let reached = REACHED.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(nth.parse() != Ok(reached), "failpoint {asked}");
    }

    /// Nothing: this build has no failpoints.
    #[cfg(not(debug_assertions))]
    pub fn reach(self) {}

    #[cfg(debug_assertions)]
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Check => "check",
            Self::Pack => "pack",
            Self::Produce => "produce",
            Self::Send => "send",
            Self::Journal => "journal",
            Self::Progress => "progress",
            Self::Publish => "publish",
            Self::Remember => "remember",
            Self::Finish => "finish",
        }
    }
}
