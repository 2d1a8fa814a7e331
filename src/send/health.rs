//! Whether the server takes anything at the moment: failures in a row, the pauses that
//! follow from them, and when to give up. Pure.
//!
//! Failures without a success between them form back-off steps. A step begins with the failure
//! of a request that was sent after the last one began; what was under way by then fails for the
//! same reason, and says nothing new. From the second step on the whole sender waits, and then
//! one request tries whether the server is back.

use super::verdict::{ASKED_MS_MAX, back_off_ms};

/// Back-off steps in a row from which on only one request at a time goes.
const STEPS_BEFORE_PROBING: u32 = 2;

/// A pause of the whole sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    pub until_ms: u64,
    /// How long the server asked for, where it did: may be more than what is waited.
    pub asked_ms: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Health {
    retry_for_ms: u64,
    /// Requests that were sent.
    launched: u64,
    /// Steps since the last success.
    steps: u32,
    /// Requests that were sent when the last step began.
    launched_before: u64,
    trouble_since_ms: Option<u64>,
    pause: Option<Pause>,
}

impl Health {
    pub fn new(retry_for_ms: u64) -> Self {
        Self {
            retry_for_ms,
            launched: 0,
            steps: 0,
            launched_before: 0,
            trouble_since_ms: None,
            pause: None,
        }
    }

    /// A request is about to leave; gives its ordinal, from 1.
    pub fn launch(&mut self) -> u64 {
        self.launched += 1;
        self.launched
    }

    /// The server took a body in, or refused a row for a reason of its own.
    pub fn success(&mut self) {
        self.steps = 0;
        self.trouble_since_ms = None;
    }

    /// A request failed without a verdict on its rows; `failures_of_body` counts those of its
    /// body. Gives when to try that body again, or `None` where the trouble has lasted too long.
    pub fn failure(
        &mut self,
        request: u64,
        now_ms: u64,
        failures_of_body: u32,
        jitter: f64,
    ) -> Option<u64> {
        let since_ms = *self.trouble_since_ms.get_or_insert(now_ms);
        let give_up_ms = since_ms + self.retry_for_ms;
        if now_ms >= give_up_ms {
            return None;
        }
        // The last try falls on the end of the time allowed.
        let after = |failures| (now_ms + back_off_ms(failures, jitter)).min(give_up_ms);
        if self.steps == 0 || request > self.launched_before {
            self.steps = self.steps.saturating_add(1);
            self.launched_before = self.launched;
            if self.is_probing() {
                self.pause_until(Pause { until_ms: after(self.steps), asked_ms: None });
            }
        }
        let due_ms = after(failures_of_body);
        Some(self.pause(now_ms).map_or(due_ms, |pause| due_ms.max(pause.until_ms)))
    }

    /// The server asked to wait, or refused for its rate without saying how long. Gives when
    /// to go on.
    pub fn asked(
        &mut self,
        now_ms: u64,
        asked_ms: Option<u64>,
        failures_of_body: u32,
        jitter: f64,
    ) -> u64 {
        let wait_ms = asked_ms
            .map_or_else(|| back_off_ms(failures_of_body, jitter), |ms| ms.min(ASKED_MS_MAX));
        self.pause_until(Pause {
            until_ms: now_ms + wait_ms,
            asked_ms: Some(asked_ms.unwrap_or(wait_ms)),
        })
    }

    /// The pause that holds now.
    pub fn pause(&self, now_ms: u64) -> Option<Pause> {
        self.pause.filter(|pause| now_ms < pause.until_ms)
    }

    /// How many requests may be under way.
    pub fn permits(&self, connections: usize) -> usize {
        if self.is_probing() { 1 } else { connections }
    }

    /// How long the trouble has lasted, in milliseconds.
    pub fn trouble_ms(&self, now_ms: u64) -> u64 {
        self.trouble_since_ms.map_or(0, |since_ms| now_ms - since_ms)
    }

    /// Whether the next request only tries whether the server is back.
    pub fn is_probing(&self) -> bool {
        self.steps >= STEPS_BEFORE_PROBING
    }

    fn pause_until(&mut self, pause: Pause) -> u64 {
        match self.pause {
            Some(old) if old.until_ms >= pause.until_ms => old.until_ms,
            _ => {
                self.pause = Some(pause);
                pause.until_ms
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that leaves and fails.
    fn fail(health: &mut Health, now_ms: u64, failures: u32, jitter: f64) -> Option<u64> {
        let request = health.launch();
        health.failure(request, now_ms, failures, jitter)
    }

    #[test]
    fn gives_up_after_one_last_try_at_the_end_of_the_time_allowed() {
        let mut health = Health::new(10_000);
        let mut now_ms = 0;
        let mut tries = vec![];
        while let Some(due_ms) = fail(&mut health, now_ms, tries.len() as u32 + 1, 0.5) {
            now_ms = due_ms;
            tries.push(due_ms);
        }
        assert_eq!(tries, [3_000, 8_000, 10_000]);
    }

    #[test]
    fn a_success_forgets_the_trouble() {
        let mut health = Health::new(10_000);
        assert!(fail(&mut health, 0, 1, 0.0).is_some());
        health.success();
        assert!(fail(&mut health, 20_000, 1, 0.0).is_some());
        assert!(fail(&mut health, 30_000, 2, 0.0).is_none());
    }

    #[test]
    fn requests_that_fail_together_are_one_step_and_the_second_step_probes() {
        let mut health = Health::new(3_600_000);
        let first: Vec<_> = (0..8).map(|_| health.launch()).collect();
        for &request in &first[..7] {
            assert_eq!(health.failure(request, 0, 1, 0.0), Some(2_000));
        }
        assert_eq!((health.permits(8), health.pause(0)), (8, None));
        let second: Vec<_> = (0..8).map(|_| health.launch()).collect();
        assert_eq!(health.failure(second[0], 10, 1, 1.0), Some(8_010), "the sender's pause");
        assert_eq!(health.failure(second[1], 10, 1, 0.0), Some(8_010));
        assert_eq!(health.failure(first[7], 60_000, 1, 0.0), Some(62_000), "of the first step");
        assert_eq!(health.permits(8), 1);
        assert_eq!(health.pause(8_009), Some(Pause { until_ms: 8_010, asked_ms: None }));
        assert_eq!(health.pause(8_010), None);
        health.success();
        assert_eq!(health.permits(8), 8);
    }

    #[test]
    fn a_body_that_fails_on_its_own_waits_longer_than_the_others() {
        let mut health = Health::new(3_600_000);
        for failures in 1..=4 {
            let due_ms = fail(&mut health, 0, failures, 1.0);
            assert_eq!(due_ms, Some(back_off_ms(failures, 1.0)));
            health.success();
            assert_eq!(health.permits(8), 8);
        }
    }

    #[test]
    fn waits_as_long_as_asked_but_never_absurdly() {
        let mut health = Health::new(0);
        assert_eq!(health.asked(0, Some(7_000), 1, 0.0), 7_000);
        assert_eq!(health.asked(0, Some(3_000), 1, 0.0), 7_000, "the longest pause stands");
        assert_eq!(health.asked(0, Some(u64::MAX), 1, 0.0), ASKED_MS_MAX);
        assert_eq!(health.pause(0).and_then(|pause| pause.asked_ms), Some(u64::MAX));
        assert_eq!(Health::new(0).asked(0, None, 1, 1.0), 4_000);
    }
}
