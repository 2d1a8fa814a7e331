//! What the server and the way to it do, at random: latencies, single failures, storms.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use fastrand::Rng;

use crate::send::AnswerBody;
use crate::wire::replies::REPLY_BYTES_MAX;

use super::{DEADLINE_MS, START_MS, server::Plan};

/// Latencies from 5 ms to 90 s: past the deadline nobody is there to hear.
#[derive(Clone, Copy, Debug)]
enum Latency {
    Constant(u64),
    Uniform(u64, u64),
    /// From 5 ms to 90 s, each order of magnitude as likely.
    Spread,
    /// Mostly the first, now and then up to 90 s.
    Mostly(u64),
}

#[derive(Clone, Copy, Debug)]
enum Storm {
    Refused,
    ServerError,
    Limited,
    Silence,
    Reset,
}

/// What a seed decides of them.
#[derive(Debug)]
pub(super) struct Weather {
    latency: Latency,
    jitter_ms: u64,
    /// Requests in a hundred that fail on their own.
    failing: u32,
    storms: Vec<(u64, u64, Storm)>,
}

impl Weather {
    pub fn random(rng: &mut Rng) -> Self {
        let latency = match rng.u32(0..4) {
            0 => Latency::Constant(rng.u64(5..=DEADLINE_MS - 2_001)),
            1 => {
                let most = rng.u64(5..=90_000);
                Latency::Uniform(rng.u64(5..=most.min(30_000)), most)
            }
            2 => Latency::Spread,
            _ => Latency::Mostly(rng.u64(5..=2_000)),
        };
        let mut storms = vec![];
        let mut from_ms = START_MS;
        for _ in 0..rng.usize(0..4) {
            from_ms += rng.u64(0..600_000);
            let until_ms = from_ms + rng.u64(1_000..900_000);
            let kinds =
                [Storm::Refused, Storm::ServerError, Storm::Limited, Storm::Silence, Storm::Reset];
            storms.push((from_ms, until_ms, kinds[rng.usize(0..5)]));
            from_ms = until_ms;
        }
        let failing = [0, 3, 15, 40][rng.usize(0..4)];
        Self { latency, jitter_ms: [0, 20, 2_000][rng.usize(0..3)], failing, storms }
    }

    pub fn plan(&self, rng: &mut Rng, now_ms: u64) -> (Plan, u64) {
        let wait_ms = self.latency.draw(rng) + rng.u64(0..=self.jitter_ms);
        let storm = self.storms.iter().find(|storm| (storm.0..storm.1).contains(&now_ms));
        let plan = match storm.map(|storm| storm.2) {
            Some(Storm::Refused) => Plan::Refuse,
            Some(Storm::ServerError) => Plan::Answer(rng.u16(500..505)),
            Some(Storm::Limited) => Plan::Limit(asked(rng, now_ms)),
            Some(Storm::Silence) => Plan::Silence,
            Some(Storm::Reset) => [Plan::Lose, Plan::Drop][rng.usize(0..2)].clone(),
            None if rng.u32(0..100) < self.failing => match rng.u32(0..8) {
                0 => Plan::Lose,
                1 => Plan::Drop,
                2 => Plan::Refuse,
                3 => Plan::Silence,
                4 => Plan::Garble(garbage(rng)),
                5 => Plan::Limit(asked(rng, now_ms)),
                _ => Plan::Answer([408, 500, 502, 503, 504][rng.usize(0..5)]),
            },
            None => Plan::Answer(200),
        };
        let wait_ms = if plan == Plan::Refuse { wait_ms.min(10_000) } else { wait_ms };
        (plan, wait_ms)
    }
}

impl Latency {
    fn draw(self, rng: &mut Rng) -> u64 {
        match self {
            Self::Constant(ms) => ms,
            Self::Uniform(least, most) => rng.u64(least..=most),
            Self::Spread => (5.0 * 18_000_f64.powf(rng.f64())) as u64,
            Self::Mostly(ms) if rng.u32(0..20) > 0 => ms,
            Self::Mostly(_) => rng.u64(5..=90_000),
        }
    }
}

/// A 2xx that is no delivery, although the server took the body in.
fn garbage(rng: &mut Rng) -> AnswerBody {
    match rng.u32(0..5) {
        0 => AnswerBody::Cut,
        1 => AnswerBody::TooLong,
        2 => AnswerBody::Whole(Bytes::new()),
        3 => AnswerBody::Whole(Bytes::from_static(b"<html>welcome</html>")),
        _ => AnswerBody::Whole(Bytes::from(vec![b'x'; rng.usize(0..100).min(REPLY_BYTES_MAX)])),
    }
}

/// What a 429 asks for, in every form that was seen, and in some that make no sense.
fn asked(rng: &mut Rng, now_ms: u64) -> [Option<String>; 2] {
    let date = |ms: u64| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(ms));
    let mut value = || {
        let seconds = rng.u64(0..90);
        match rng.u32(0..10) {
            0 => seconds.to_string(),
            1 => format!("{seconds}.5"),
            2 => date(now_ms + seconds * 1000),
            3 => date(now_ms - seconds * 1000),
            4 => (now_ms / 1000 + seconds).to_string(),
            5 => "86400".to_owned(),
            6 => "9".repeat(30),
            7 => "-5".to_owned(),
            8 => "soon".to_owned(),
            _ => "0".to_owned(),
        }
    };
    let first = value();
    let second = value();
    match rng.u32(0..4) {
        0 => [None, None],
        1 => [Some(first), None],
        2 => [None, Some(second)],
        _ => [Some(first), Some(second)],
    }
}
