//! SIGKILL at random moments, over start, check and sending.

use std::time::Duration;

use crate::{
    job::{Job, Scene},
    oracle::Tally,
    server::Rules,
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

#[test]
fn a_kill_at_random_loses_nothing_25_times() {
    kill_at_random(25, 1).conclude("SIGKILL at random", "25 times");
}

#[test]
#[ignore = "some minutes"]
fn a_kill_at_random_loses_nothing_500_times() {
    kill_at_random(500, 2).conclude("SIGKILL at random", "500 times");
}
