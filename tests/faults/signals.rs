//! SIGINT and SIGTERM while bodies are under way.

use std::{collections::BTreeSet, fs, thread, time::Duration};

use crate::{
    job::{Job, Scene},
    lab::until,
    missing,
    oracle::Tally,
    server::{Act, Answer, Loss, Rules},
};

/// Sends a signal when the `nth` request is under way; answers come 300 ms after their requests.
fn stop_at(nth: usize, signal: &str, code: i32) -> Tally {
    let mut scene = Scene::small(Rules::slow(Duration::from_millis(300)));
    let mut process = scene.start(&[], &[]);
    until("bodies are under way", || scene.server.requests() >= nth || process.has_ended());
    process.signal(signal);
    let ended = process.wait();
    let ended = scene.audit(ended);
    // The last body may be answered before the signal is there.
    let is_late = nth >= scene.job.bodies.len() - 1 && ended.code == Some(1);
    assert!(ended.code == Some(code) || is_late, "{signal} at {nth}: {ended:?}");
    assert!(scene.claims().in_doubt.is_empty(), "answers came in time: {:?}", scene.claims());
    assert!(is_late || ended.stderr.contains("stopping"), "{}", ended.stderr);
    scene.finish()
}

#[test]
fn a_signal_waits_for_answers_and_nothing_comes_twice() {
    let mut tally = Tally::default();
    for nth in 1..=5 {
        tally.add(stop_at(nth, "INT", 130));
        tally.add(stop_at(nth, "TERM", 143));
    }
    tally.conclude_without_duplicates("SIGINT, SIGTERM mid-send", "at each of five bodies");
}

#[test]
fn a_stop_while_the_last_row_is_refused_is_no_end_without_its_reject() {
    let rules = Rules::act(|_, _| {
        let refused = Act::Refuse(Answer::fail(400, "TypeError"));
        Act::Late(Duration::from_millis(1_500), Box::new(refused))
    });
    // Three rows that the check rejects, and one that the server refuses.
    let poison = BTreeSet::from([3]);
    let mut scene = Scene::new(Job { poison: poison.clone(), ..Job::new(1, 1) }, rules);
    assert_eq!(scene.job.bodies, [[3]], "the row of the only body");
    let mut process = scene.start(&[], &[]);
    until("it is under way", || scene.server.requests() == 1 || process.has_ended());
    process.signal("INT");
    let ended = process.wait();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(scene.claims().failed, poison);
    // The next run sends nothing, writes the reject and is complete; the oracle reads it.
    let ended = scene.live(&[], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(scene.server.requests(), 1);
    scene.finish().conclude_without_duplicates("SIGINT while the last row is refused", "once");
}

#[test]
fn answers_that_do_not_come_are_waited_for_five_seconds() {
    let loss = Act::TakeAndLose(Loss::Silence);
    let mut scene = Scene::small(Rules::act(move |_, _| loss.clone()));
    let mut process = scene.start(&[], &[]);
    until("two bodies are under way", || scene.server.requests() == 2 || process.has_ended());
    process.signal("TERM");
    let before = std::time::Instant::now();
    let ended = process.wait();
    let waited = before.elapsed();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(143), "{ended:?}");
    assert!((4.0..20.0).contains(&waited.as_secs_f64()), "{waited:?}");
    assert_eq!(scene.claims().in_doubt.len(), 20, "both are in doubt");
    let tally = scene.finish();
    assert_eq!(tally.duplicated, 20, "what was in doubt, and no more");
    tally.conclude("SIGTERM, answers never come", "a server that is silent");
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut tally = Tally::default();
    for (first, second, code) in [("INT", "INT", 130), ("TERM", "INT", 130), ("INT", "TERM", 143)] {
        let mut scene = Scene::small(Rules::slow(Duration::from_secs(3)));
        let mut process = scene.start(&[], &[]);
        until("two bodies are under way", || scene.server.requests() == 2 || process.has_ended());
        process.signal(first);
        thread::sleep(Duration::from_millis(200));
        assert!(!process.has_ended(), "it waits for answers");
        process.signal(second);
        let before = std::time::Instant::now();
        let ended = process.wait();
        assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
        let ended = scene.audit(ended);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        tally.add(scene.finish());
    }
    tally.conclude("a second signal", "while answers are waited for");
}

#[test]
fn a_signal_before_the_first_byte_sends_nothing() {
    // A shell without job control has what runs in its background ignore it, and then nothing comes of
    // a signal before the handler is there.
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("signals");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    if ignored >> 1 & 1 == 1 {
        missing::skip("SIGINT while the input is checked", "SIGINT is ignored here");
        return;
    }
    let mut tally = Tally::default();
    for ms in [1, 10, 20, 40, 60] {
        let mut scene = Scene::small(Rules::slow(Duration::from_millis(400)));
        let process = scene.start(&[], &[]);
        thread::sleep(Duration::from_millis(ms));
        process.signal("INT");
        let ended = process.wait();
        let ended = scene.audit(ended);
        // Before anything listens, the signal ends the process as it always does.
        assert!(ended.code == Some(130) || ended.signal == Some(2), "{ended:?}");
        tally.add(scene.finish());
    }
    tally.conclude_without_duplicates(
        "SIGINT while the input is checked",
        "1 to 60 ms after the start",
    );
}
