//! Rows in doubt that are left out on request.

use std::time::Duration;

use crate::{
    job::Scene,
    lab::until,
    oracle::Tally,
    server::{Act, Loss, Rules},
};

/// An import that was killed with two bodies under way, whose rows the server took in, or not.
fn killed(taken: bool) -> Scene {
    let mut scene = Scene::small(Rules::act(move |nth, _| match (nth, taken) {
        (0 | 1, _) => Act::Late(Duration::from_millis(20), Box::new(Act::Take)),
        (_, true) => Act::TakeAndLose(Loss::Silence),
        (_, false) => Act::Lose(Loss::Silence),
    }));
    let mut process = scene.start(&[], &[]);
    until("two bodies are answered, and two not", || {
        scene.server.requests() == 4 || process.has_ended()
    });
    let ended = process.kill();
    scene.audit(ended);
    assert_eq!(scene.claims().in_doubt.len(), 20);
    scene
}

#[test]
fn rows_in_doubt_are_left_out_on_request_and_stand_in_the_rejects() {
    let mut tally = Tally::default();
    for taken in [true, false] {
        let mut scene = killed(taken);
        let doubt = scene.claims().in_doubt.clone();
        scene.server.be_kind();
        scene.job.skipped_in_doubt.clone_from(&doubt);
        let before = scene.server.requests();
        let ended = scene.live(&[], &["--in-doubt", "skip"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("in doubt"), "{}", ended.stderr);
        assert_eq!(scene.claims().failed, doubt, "exactly these are left out");
        assert_eq!(scene.claims().delivered.len(), 40);
        assert_eq!(scene.server.requests(), before + 2, "the two bodies that are left");
        let came = scene.server.arrivals();
        let again = came[before..].iter().flat_map(|came| &came.rows);
        assert_eq!(again.filter(|row| doubt.contains(row)).count(), 0, "none of them again");
        tally.add(scene.finish());
    }
    tally.conclude_without_duplicates(
        "killed, --in-doubt skip",
        "20 rows in doubt, taken in or not",
    );
}

#[test]
fn rows_in_doubt_are_sent_again_by_default_and_the_plan_says_so() {
    let mut scene = killed(true);
    scene.server.be_kind();
    let ended = scene.live(&[], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("in doubt  20 sent before"), "{}", ended.stderr);
    let tally = scene.finish();
    assert_eq!(tally.duplicated, 20);
    tally.conclude("killed, --in-doubt resend", "20 rows in doubt, taken in");
}

#[test]
fn a_kill_while_doubts_are_settled_loses_nothing() {
    let mut tally = Tally::default();
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..6 {
        let mut scene = killed(true);
        scene.server.be_kind();
        scene.job.skipped_in_doubt.clone_from(&scene.books.claims.in_doubt);
        let process = scene.start(&[], &["--in-doubt", "skip"]);
        std::thread::sleep(Duration::from_millis(rng.u64(20..90)));
        let ended = process.kill();
        scene.audit(ended);
        // What this kill left in doubt is left out as well.
        scene.job.skipped_in_doubt.extend(&scene.books.claims.in_doubt);
        let ended = scene.live(&[], &["--in-doubt", "skip"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        tally.add(scene.finish());
    }
    tally.conclude_without_duplicates("killed again at --in-doubt skip", "6 kills at random");
}
