//! SIGKILL at random moments, over start, check and sending.

use std::time::Duration;

use crate::{
    job::{Job, Scene},
    oracle::{Tally, side_by_side},
    server::{Act, Answer, Loss, Rules},
};

/// Kills imports at random until so many kills hit a living one; each import lives on to its end.
fn kill_at_random(kills: usize, seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut tally = Tally::default();
    let mut hits = 0;
    while hits < kills {
        // Some 300 ms of sending, so that most kills fall into it.
        let wait = Duration::from_millis(rng.u64(5..40));
        let connections = ["1", "2", "5"][rng.usize(0..3)];
        let job = Job::new(300, [3, 10, 25][rng.usize(0..3)]);
        let job = job.with(&["--connections", connections]);
        let job = match rng.u8(0..3) {
            0 => job,
            1 => job.remembered(),
            _ => job.of_events(),
        };
        let mut scene = Scene::new(job, Rules::slow(wait));
        for _ in 0..rng.usize(1..8) {
            let ended = scene.live_for(Duration::from_millis(rng.u64(1..350)));
            hits += usize::from(ended.signal.is_some());
            if ended.code.is_some() || hits == kills {
                break;
            }
        }
        tally.add(scene.finish());
    }
    tally
}

/// A server that does anything, and kills on top of it.
fn chaos(seed: u64) -> Tally {
    let mut rng = fastrand::Rng::with_seed(seed);
    let rules = Rules::act(move |nth, rows| {
        let mut rng = fastrand::Rng::with_seed(seed ^ ((nth as u64) << 20) ^ rows[0]);
        let wait = Duration::from_millis(rng.u64(0..60));
        let act = match rng.u8(0..10) {
            0 => Act::TakeAndLose(Loss::Reset),
            1 => Act::TakeAndLose(Loss::Says(Answer::fail(503, "Server Error"))),
            2 => Act::TakeAndLose(Loss::Silence),
            3 => Act::Lose(Loss::CutHead),
            4 => Act::Refuse(Answer::fail(429, "Rate Limit Exceeded").with("Retry-After", "1")),
            _ => Act::Take,
        };
        Act::Late(wait, Box::new(act))
    });
    let job = Job::new(240, 8).with(&["--connections", ["1", "3", "6"][rng.usize(0..3)]]);
    let job = if rng.bool() { job } else { job.remembered() };
    let mut scene = Scene::new(job, rules);
    for _ in 0..6 {
        scene.live_for(Duration::from_millis(rng.u64(50..4_000)));
    }
    scene.finish()
}

#[test]
fn kills_amid_every_fault_of_the_server_lose_nothing() {
    let tally = side_by_side((1..=4).collect(), chaos);
    tally.conclude("SIGKILL amid faults of the server", "6 kills of each of 4 imports");
}

#[test]
#[ignore = "some minutes"]
fn many_kills_amid_every_fault_of_the_server_lose_nothing() {
    let mut tally = Tally::default();
    for seed in (100..160).step_by(6) {
        tally.add(side_by_side((seed..seed + 6).collect(), chaos));
    }
    tally.conclude("SIGKILL amid faults of the server", "6 kills of each of 60 imports");
}

#[test]
fn a_kill_at_random_loses_nothing_25_times() {
    kill_at_random(25, 1).conclude("SIGKILL at random", "25 times");
}

#[test]
#[ignore = "some minutes"]
fn a_kill_at_random_loses_nothing_500_times() {
    kill_at_random(500, 2).conclude("SIGKILL at random", "500 times");
}
