//! The clocks of a simulated machine: true time is tokio's paused clock, wall time is set at
//! will, and the machine can be started anew.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tokio::time::Instant;

use super::TimeSource;

/// When the machine was started, for all simulations: 2026-09-28, in milliseconds since 1970.
const BOOTED_MS: u64 = 1_790_553_600_000;

/// The clocks of a machine. Handed to every process that runs on it.
#[derive(Debug)]
pub(in crate::send) struct SimulatedTime {
    start: Instant,
    start_ms: u64,
    /// Wall time less true time.
    wrong_ms: AtomicI64,
    /// When the machine was started, in true time.
    booted_ms: AtomicU64,
}

impl SimulatedTime {
    /// A machine whose clocks are right.
    pub fn starting_at(start_ms: u64) -> Self {
        let (wrong_ms, booted_ms) = (AtomicI64::new(0), AtomicU64::new(BOOTED_MS));
        Self { start: Instant::now(), start_ms, wrong_ms, booted_ms }
    }

    /// The true time, in milliseconds since 1970.
    pub fn true_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }

    /// Sets the wall clock by so many milliseconds.
    pub fn set_wall(&self, by_ms: i64) {
        self.wrong_ms.fetch_add(by_ms, Ordering::Relaxed);
    }

    /// Sets the wall clock right.
    pub fn set_right(&self) {
        self.wrong_ms.store(0, Ordering::Relaxed);
    }

    /// Starts the machine anew.
    pub fn reboot(&self) {
        self.booted_ms.store(self.true_ms(), Ordering::Relaxed);
    }
}

impl TimeSource for SimulatedTime {
    fn wall_ms(&self) -> u64 {
        self.true_ms().saturating_add_signed(self.wrong_ms.load(Ordering::Relaxed))
    }

    fn since_boot_ms(&self) -> Option<u64> {
        Some(self.true_ms().saturating_sub(self.booted_ms.load(Ordering::Relaxed)))
    }
}
