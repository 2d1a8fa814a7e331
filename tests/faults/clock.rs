//! A wall clock that leaps by an hour, while an import runs and between two of its lives.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    job::{Job, Scene},
    lab::until,
    missing,
    oracle::Tally,
    server::Rules,
};

/// The library that fakes the time, or tells that it is not here.
fn faketime(test: &str) -> Option<PathBuf> {
    let found = ["lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "lib64", "lib"]
        .map(|dir| Path::new("/usr").join(dir).join("faketime/libfaketime.so.1"));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        missing::skip(test, "libfaketime is missing");
    }
    found
}

/// Sets a command's wall clock by a file that may change; the steady clock stays true.
fn set_clock(command: &mut Command, library: &Path, file: &Path) {
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
}

/// Leaps while bodies are under way.
fn leap_within(library: &Path, leaps: [&str; 3]) -> Tally {
    let mut scene = Scene::new(Job::new(200, 10), Rules::slow(Duration::from_millis(40)));
    let file = scene.lab.path("clock");
    let set = |offset: &str| fs::write(&file, format!("{offset}\n")).expect("a clock");
    set("+0");
    let mut process = scene.start_as(&[], &[], |command| set_clock(command, library, &file));
    for (nth, leap) in leaps.iter().enumerate() {
        until("it sends", || scene.server.requests() > 4 * nth + 1 || process.has_ended());
        assert!(!process.has_ended(), "the clock leaps while it runs");
        set(leap);
    }
    let ended = process.wait();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.lasted < Duration::from_secs(20), "{:?}", ended.lasted);
    scene.forget_the_budget();
    scene.finish()
}

#[test]
fn a_clock_that_leaps_while_it_sends_changes_nothing() {
    let Some(library) = faketime("clock jumps") else { return };
    let mut tally = leap_within(&library, ["+1h", "+0", "+1h"]);
    tally.add(leap_within(&library, ["-1h", "+1h", "-1h"]));
    tally.conclude_without_duplicates(
        "clock jumps of ±1 h, within a run",
        "libfaketime, 3 leaps each",
    );
}

/// Stops an import with the clock at `before`, and goes on with it at `after`.
fn leap_between(library: &Path, before: &str, after: &str) -> (Tally, Duration) {
    let job = Job::new(60, 10).with(&["--users-per-minute", "20"]);
    let mut scene = Scene::new(job, Rules::default());
    let file = scene.lab.path("clock");
    fs::write(&file, format!("{before}\n")).expect("a clock");
    let mut process = scene.start_as(&[], &[], |command| set_clock(command, library, &file));
    until("two bodies are there", || scene.server.requests() == 2 || process.has_ended());
    thread::sleep(Duration::from_millis(200));
    process.signal("INT");
    let ended = process.wait();
    scene.audit(ended);
    assert_eq!(scene.claims().delivered.len(), 20);
    // The budget of this minute is used up: the next body may leave a minute after the last.
    let used = Instant::now();
    fs::write(&file, format!("{after}\n")).expect("a clock");
    let mut process = scene.start_as(&[], &[], |command| set_clock(command, library, &file));
    let start = Instant::now();
    while scene.server.requests() == 2 && !process.has_ended() && used.elapsed().as_secs() < 100 {
        thread::sleep(Duration::from_millis(20));
    }
    let waited = used.elapsed();
    assert!(start.elapsed() <= waited);
    process.signal("INT");
    let ended = process.wait();
    scene.audit(ended);
    scene.forget_the_budget();
    scene.job.flags.extend(["--users-per-minute", "1000000"].map(str::to_owned));
    (scene.finish(), waited)
}

#[test]
#[ignore = "a window of a minute, three times"]
fn a_clock_that_leaps_between_two_lives_costs_one_window_and_frees_nothing_early() {
    let Some(library) = faketime("clock jumps") else { return };
    let mut tally = Tally::default();
    for (before, after) in [("+0", "+0"), ("+1h", "+0"), ("+0", "+1h")] {
        let (of_leap, waited) = leap_between(&library, before, after);
        println!("from {before} to {after}: the next body after {:.1} s", waited.as_secs_f64());
        assert!((58..75).contains(&waited.as_secs()), "{before} to {after}: {waited:?}");
        tally.add(of_leap);
    }
    tally.conclude_without_duplicates("clock jumps of ±1 h, between two runs", "libfaketime");
}
