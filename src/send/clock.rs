//! The one clock of the sender, and the one place where it sleeps.
//!
//! Pacing, back-off and deadlines go by a steady count of milliseconds, which is tokio's clock
//! and stands still in a simulation until everybody sleeps. Wall time, which may be set at any
//! moment, comes from a [`TimeSource`]; so does the time since the machine was started, by
//! which a set wall clock is noticed across processes.

#[cfg(test)]
mod simulated;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

#[cfg(test)]
pub(super) use simulated::SimulatedTime;

/// How far apart two readings of the machine's clock may be for the wall time between them to
/// be taken as of one moment, in milliseconds.
const ONE_MOMENT_MS: u64 = 2;

/// How often that is tried; a machine under load may need more than one.
const READINGS_MAX: usize = 20;

/// Where wall time comes from: the system, or a simulation that sets it as it likes.
pub(super) trait TimeSource: fmt::Debug + Send + Sync {
    /// The wall clock, in milliseconds since 1970.
    fn wall_ms(&self) -> u64;

    /// Milliseconds since the machine was started, its sleep included: one count for all
    /// processes, which nobody can set. `None` where the system has none.
    fn since_boot_ms(&self) -> Option<u64>;
}

/// The system's clocks.
#[derive(Debug)]
struct SystemSource;

impl TimeSource for SystemSource {
    fn wall_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    #[cfg(unix)]
    fn since_boot_ms(&self) -> Option<u64> {
        use rustix::time::{ClockId, clock_gettime};
        // The others count the machine's sleep under the common name.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let id = ClockId::Boottime;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let id = ClockId::Monotonic;
        let time = clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).ok()?;
        Some(seconds * 1000 + time.tv_nsec as u64 / 1_000_000)
    }

    #[cfg(not(unix))]
    fn since_boot_ms(&self) -> Option<u64> {
        None
    }
}

/// Tells the time in milliseconds since 1970, and sleeps.
///
/// [`Clock::now_ms`] starts at the wall clock's time and then only follows the steady
/// clock, so that a set or leaping wall clock can't release a budget early. It drives
/// everything in the process; wall time is for what outlives it, and for HTTP dates.
#[derive(Clone, Debug)]
pub struct Clock {
    start: Instant,
    start_ms: u64,
    source: Arc<dyn TimeSource>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::of(Arc::new(SystemSource))
    }

    /// A clock that starts now, at the wall time of a source.
    pub(super) fn of(source: Arc<dyn TimeSource>) -> Self {
        Self { start: Instant::now(), start_ms: source.wall_ms(), source }
    }

    /// A clock whose wall time is `start_ms` now, and is never set.
    #[cfg(test)]
    pub(super) fn starting_at(start_ms: u64) -> Self {
        Self::of(Arc::new(SimulatedTime::starting_at(start_ms)))
    }

    /// The steady time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.start_ms + self.start.elapsed().as_millis() as u64
    }

    /// The wall clock's time, in milliseconds since 1970.
    pub fn wall_ms(&self) -> u64 {
        self.source.wall_ms()
    }

    /// What the wall clock tells, or told, at a time of [`Clock::now_ms`], as it goes now.
    pub(super) fn wall_at(&self, ms: u64) -> u64 {
        (self.wall_ms() + ms).saturating_sub(self.now_ms())
    }

    /// When the machine was started, as the wall clock goes now, in milliseconds since 1970: the
    /// same in every process until the wall clock is set or the machine is started anew. 0
    /// where that can't be told.
    pub(super) fn booted_ms(&self) -> u64 {
        let mut nearest = (u64::MAX, 0);
        for _ in 0..READINGS_MAX {
            let before = self.source.since_boot_ms();
            let wall_ms = self.source.wall_ms();
            let (Some(before), Some(after)) = (before, self.source.since_boot_ms()) else {
                return 0;
            };
            nearest = nearest.min((after - before, wall_ms.saturating_sub(before)));
            if nearest.0 <= ONE_MOMENT_MS {
                break;
            }
        }
        nearest.1
    }

    /// Sleeps until [`Clock::now_ms`] has reached `ms`.
    pub(super) async fn sleep_until(&self, ms: u64) {
        tokio::time::sleep_until(self.instant(ms)).await;
    }

    /// What a future gives, or `None` where [`Clock::now_ms`] has reached `ms` before.
    pub(super) async fn deadline<F: Future>(&self, ms: u64, future: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.instant(ms), future).await.ok()
    }

    fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms.saturating_sub(self.start_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_set_wall_clock_leaves_the_steady_one_alone() {
        const T: u64 = 1_795_478_400_000;
        let time = Arc::new(SimulatedTime::starting_at(T));
        let clock = Clock::of(time.clone());
        let booted_ms = clock.booted_ms();
        clock.sleep_until(T + 500).await;
        assert_eq!((clock.now_ms(), clock.wall_ms()), (T + 500, T + 500));
        assert_eq!(clock.booted_ms(), booted_ms);
        time.set_wall(-4_000);
        assert_eq!((clock.now_ms(), clock.wall_ms()), (T + 500, T - 3_500));
        assert_eq!(clock.booted_ms(), booted_ms - 4_000);
        assert_eq!(clock.wall_at(T + 600), T - 3_400);
        assert_eq!(Clock::of(time).now_ms(), T - 3_500, "another process starts with it");
        let never = std::future::pending::<()>();
        assert_eq!(clock.deadline(T + 2_000, never).await, None);
        assert_eq!(clock.now_ms(), T + 2_000);
        assert_eq!(clock.deadline(T + 2_000, async { 7 }).await, Some(7));
    }

    #[cfg(unix)]
    #[test]
    fn the_systems_start_stands_still() {
        let clock = Clock::system();
        let booted_ms = clock.booted_ms();
        assert!(booted_ms > 0 && booted_ms <= clock.wall_ms());
        std::thread::sleep(Duration::from_millis(30));
        assert!(clock.booted_ms().abs_diff(booted_ms) < 20);
    }
}
