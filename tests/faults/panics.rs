//! A bug of the program's own, in each stage: exit code 70, nothing claimed that is not so.

use std::time::Duration;

use crate::{
    job::{Job, Scene},
    oracle::Tally,
    server::Rules,
};

/// Panics the Nth time that a place is reached, then lives to the end.
fn panic_at(job: Job, name: &str, nth: u32) -> Option<Tally> {
    let mut scene = Scene::new(job, Rules::slow(Duration::from_millis(5)));
    let process = scene.start_as(&[], &["--log-level", "trace"], |command| {
        command.env("MOEBULK_FAILPOINT", format!("{name}:{nth}"));
    });
    let ended = process.wait();
    let ended = scene.audit(ended);
    if ended.code == Some(1) {
        // It was not reached so often.
        return None;
    }
    assert_eq!(ended.code, Some(70), "{name}:{nth}: {ended:?}");
    let told: Vec<&str> =
        ended.stderr.lines().filter(|line| line.contains("a bug of its own")).collect();
    assert!(told.len() == 1 && told[0].contains("the same command goes on"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked at"), "no backtrace: {}", ended.stderr);
    assert_eq!(ended.stdout, "", "stdout is for results");
    assert_eq!(scene.claims().finished, None, "it is not finished");
    Some(scene.finish())
}

#[test]
fn a_panic_in_any_stage_loses_nothing() {
    let mut tally = Tally::default();
    for name in ["decode", "check", "pack", "produce", "send", "journal", "progress", "finish"] {
        let job = || Job::new(60, 10);
        tally.add(panic_at(job(), name, 1).unwrap_or_else(|| panic!("{name} is never reached")));
        for nth in [2, 3] {
            tally.add(panic_at(job(), name, nth).unwrap_or_default());
        }
    }
    for name in ["pack", "publish", "send", "journal", "remember", "finish"] {
        let job = Job::new(60, 10).remembered();
        tally.add(panic_at(job, name, 1).unwrap_or_else(|| panic!("{name} is never reached")));
    }
    tally.conclude("panic at a failpoint", "ten places, the 1st to 3rd time");
}
