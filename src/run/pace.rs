//! How sending went over time, for the report: deliveries, refusals for the rate, pauses. Bounded.

use crate::model::{Histogram, Mark, MarkKind, Throughput};
use crate::send::{SendProgress, Waiting};

/// The first width of the buckets, in milliseconds: doubled, it comes to the minute of the budget.
const BUCKET_MS: u64 = 1_875;

/// The most marks that are kept one by one.
const MARKS_MAX: usize = 200;

/// Notes how sending goes; times are those of the sender's clock.
#[derive(Debug)]
pub struct Pace {
    start_ms: u64,
    delivered: u64,
    http_429: u64,
    /// The end of the last pause that was noted.
    pause_until_ms: u64,
    throughput: Throughput,
}

impl Pace {
    /// Sending starts now, with this budget of rows a minute.
    pub fn new(start_ms: u64, per_minute: Option<u64>) -> Self {
        let delivered = Histogram::new(BUCKET_MS);
        Self {
            start_ms,
            delivered: 0,
            http_429: 0,
            pause_until_ms: 0,
            throughput: Throughput {
                sending_ms: 0,
                delivered,
                per_minute,
                marks: Vec::new(),
                marks_left_out: 0,
            },
        }
    }

    /// So many replies of this run had status 429.
    pub fn refusals(&mut self, now_ms: u64, http_429: u64) {
        let replies = http_429.saturating_sub(self.http_429);
        self.http_429 = self.http_429.max(http_429);
        if replies > 0 {
            let at_ms = now_ms.saturating_sub(self.start_ms);
            self.mark(Mark { at_ms, kind: MarkKind::Http429, replies, pause_ms: 0 });
        }
    }

    /// The run stands here.
    pub fn progress(&mut self, now_ms: u64, progress: &SendProgress) {
        let at_ms = now_ms.saturating_sub(self.start_ms);
        let delivered = progress.users + progress.events;
        self.throughput.delivered.add(at_ms, delivered.saturating_sub(self.delivered));
        self.delivered = self.delivered.max(delivered);
        let (kind, until_ms) = match progress.waiting {
            Some(Waiting::ServerAsked { until_ms, .. }) => (MarkKind::ServerAsked, until_ms),
            Some(Waiting::BackOff { until_ms }) => (MarkKind::BackOff, until_ms),
            // To wait for the budget is how it goes.
            Some(Waiting::Budget { .. }) | None => return,
        };
        if until_ms > self.pause_until_ms {
            self.pause_until_ms = until_ms;
            let pause_ms = until_ms.saturating_sub(now_ms);
            self.mark(Mark { at_ms, kind, replies: 0, pause_ms });
        }
    }

    /// How it went, until now.
    pub fn finish(mut self, now_ms: u64) -> Throughput {
        self.throughput.sending_ms = now_ms.saturating_sub(self.start_ms);
        self.throughput.delivered.reach(self.throughput.sending_ms);
        self.throughput
    }

    fn mark(&mut self, mark: Mark) {
        if self.throughput.marks.len() < MARKS_MAX {
            self.throughput.marks.push(mark);
        } else {
            self.throughput.marks_left_out += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(users: u64, waiting: Option<Waiting>) -> SendProgress {
        SendProgress { users, waiting, ..SendProgress::default() }
    }

    #[test]
    fn deliveries_refusals_and_pauses_stand_at_their_times() {
        let mut pace = Pace::new(1_000, Some(600));
        pace.progress(1_100, &at(400, None));
        pace.refusals(1_600, 2);
        let asked = Some(Waiting::ServerAsked { until_ms: 8_600, asked_ms: 7_000 });
        for now_ms in [1_600, 2_600, 3_600] {
            pace.progress(now_ms, &at(400, asked));
        }
        pace.refusals(3_700, 2);
        pace.progress(8_600, &at(500, Some(Waiting::Budget { until_ms: 60_000 })));
        pace.progress(9_000, &at(500, Some(Waiting::BackOff { until_ms: 10_000 })));
        let Throughput { sending_ms, delivered, per_minute, marks, marks_left_out } =
            pace.finish(11_000);
        assert_eq!((sending_ms, per_minute), (10_000, Some(600)));
        assert_eq!((delivered.width, delivered.counts.len()), (1_875, 6));
        assert_eq!((delivered.counts[0], delivered.counts[4]), (400, 100));
        assert_eq!(delivered.counts.iter().sum::<u64>(), 500);
        let mark = |at_ms, kind, replies, pause_ms| Mark { at_ms, kind, replies, pause_ms };
        assert_eq!(
            marks,
            [
                mark(600, MarkKind::Http429, 2, 0),
                mark(600, MarkKind::ServerAsked, 0, 7_000),
                mark(8_000, MarkKind::BackOff, 0, 1_000),
            ]
        );
        assert_eq!(marks_left_out, 0);
    }

    #[test]
    fn marks_are_bounded_and_the_others_counted() {
        let mut pace = Pace::new(0, None);
        for count in 1..=1_000 {
            pace.refusals(count, count);
        }
        let found = pace.finish(1_000);
        assert_eq!((found.marks.len(), found.marks_left_out), (MARKS_MAX, 800));
    }
}
