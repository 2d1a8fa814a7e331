//! kill -9 at random moments, from the first millisecond to the last answer.

use crate::survival::{Kill, Scenario};

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

/// Kills in random order over the start, the check and the sending, and one at the very end. The
/// servers below are slow enough that all of these together cost a fraction of what an import
/// takes: none ends by itself before, on a busy machine either.
fn kills(rng: &mut fastrand::Rng, starts: usize, sendings: usize) -> Vec<Kill> {
    let mut kills: Vec<Kill> = (0..starts).map(|_| Kill::Start(rng.u64(1..=150))).collect();
    kills.extend((0..sendings).map(|_| Kill::Sending(rng.u64(0..=140))));
    rng.shuffle(&mut kills);
    kills.insert(0, Kill::Start(1));
    kills.push(Kill::End);
    kills
}

/// 20 kills of an import of users, many of whom are updated several times.
#[test]
fn users_survive_twenty_kills() {
    let mut rng = fastrand::Rng::with_seed(20);
    const ROWS: u64 = 3_000;
    let mut csv = String::from("customer_id,n,note\n");
    for n in 1..=ROWS {
        let user = rng.u32(0..1_500);
        csv.push_str(&format!("user-{user:04},{n},{}\n", "abcdefgh ".repeat(10)));
    }
    let survived = Scenario {
        csv,
        accepted: (1..=ROWS).collect(),
        rows: ROWS,
        shape: strings(&["--max-body-bytes", "5000", "--users-per-minute", "100000"]),
        pace: strings(&["--connections", "4"]),
        sandbox: strings(&[
            "--users-per-minute",
            "100000",
            "--fault",
            "slow:0.5",
            "--slow",
            "600ms",
            "--seed",
            "7",
        ]),
        kills: kills(&mut rng, 7, 11),
        exit_code: 0,
    }
    .survive();
    assert!(survived.doubts >= 5, "most kills met bodies under way: {}", survived.doubts);
    assert_eq!(survived.stats["statuses"].as_object().expect("statuses").len(), 1, "200 alone");
}

/// Events, small bodies, so that the checkpoint is compacted between two kills; and rejected rows,
/// over which a resume must find its way.
#[test]
fn events_with_rejects_survive_kills() {
    let mut rng = fastrand::Rng::with_seed(21);
    const ROWS: u64 = 6_000;
    let mut csv = String::from("customer_id,action,current_time,n\n");
    let mut accepted = Vec::new();
    for n in 1..=ROWS {
        // `null` is one of the ids that the API disallows.
        let is_sound = !(rng.u8(0..20) == 0 || (700..730).contains(&n) || n == 1 || n == ROWS);
        let user = if is_sound { format!("user-{}", rng.u32(0..40)) } else { "null".to_owned() };
        csv.push_str(&format!("{user},Purchase,2026-01-31T12:00:{:02}Z,{n}\n", n % 60));
        accepted.extend(is_sound.then_some(n));
    }
    let survived = Scenario {
        csv,
        accepted,
        rows: ROWS,
        shape: strings(&[
            "--kind",
            "events",
            "--max-body-bytes",
            "700",
            "--events-per-minute",
            "100000",
        ]),
        pace: strings(&["--connections", "8"]),
        sandbox: strings(&[
            "--events-per-minute",
            "100000",
            "--fault",
            "slow:0.2",
            "--slow",
            "150ms",
            "--seed",
            "8",
        ]),
        kills: kills(&mut rng, 3, 6),
        exit_code: 1,
    }
    .survive();
    assert!(survived.doubts > 0);
    assert!(survived.compacted, "the checkpoint grew long enough to be compacted");
}
