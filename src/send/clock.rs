//! The one clock of the sender: a steady count of milliseconds that also reads as wall time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time in milliseconds since 1970.
///
/// [`Clock::now_ms`] starts at the wall clock's time and then only follows the steady
/// clock, so that a set or leaping wall clock can't release a budget early. It drives
/// everything in the process; wall time is for what outlives it, and for HTTP dates.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_ms: u64,
    follows_system: bool,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self { start: Instant::now(), start_ms: system_ms(), follows_system: true }
    }

    /// A clock whose wall time is `start_ms` now and then follows tokio's clock, paused or not.
    pub fn starting_at(start_ms: u64) -> Self {
        Self { start: Instant::now(), start_ms, follows_system: false }
    }

    /// The steady time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }

    /// The wall clock's time, in milliseconds since 1970.
    pub fn wall_ms(&self) -> u64 {
        if self.follows_system { system_ms() } else { self.now_ms() }
    }

    /// What the wall clock tells, or told, at a time of [`Clock::now_ms`], as it goes now.
    pub(super) fn wall_at(&self, ms: u64) -> u64 {
        if self.follows_system { (system_ms() + ms).saturating_sub(self.now_ms()) } else { ms }
    }

    /// The moment at which [`Clock::now_ms`] has reached `ms`.
    pub(super) fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms.saturating_sub(self.start_ms))
    }
}

fn system_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
