//! Two runs on one directory, and on one account.

use std::{fs, thread, time::Duration};

use crate::{job::Scene, lab::until, oracle::Tally, server::Rules};

/// Starts an import whose answers take this long, and waits until it sends.
fn sending(answer: Duration) -> (Scene, crate::lab::Process) {
    let mut scene = Scene::small(Rules::slow(answer));
    let mut process = scene.start(&[], &[]);
    until("it sends", || scene.server.requests() >= 1 || process.has_ended());
    (scene, process)
}

#[test]
fn a_second_run_on_one_directory_is_refused_and_disturbs_nothing() {
    let (mut scene, first) = sending(Duration::from_millis(400));
    for flags in [&[][..], &["--restart"]] {
        let args = scene.args(flags);
        let second = scene.lab.start(scene.lab.command(&[], &args)).wait();
        second.says(2, &["run", &first.pid().to_string()]);
        assert_eq!(second.stdout, "");
    }
    let ended = first.wait();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let tally = scene.finish();
    tally.conclude_without_duplicates("two runs on one directory", "with and without --restart");
}

#[test]
fn a_second_run_that_waits_finds_all_done() {
    let (mut scene, first) = sending(Duration::from_millis(200));
    let second = scene.lab.start(scene.lab.command(&[], &scene.args(&["--wait"])));
    thread::sleep(Duration::from_millis(300));
    let ended = first.wait();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let requests = scene.server.requests();
    second.wait().says(1, &["nothing was sent"]);
    assert_eq!(scene.server.requests(), requests);
    let tally = scene.finish();
    tally.conclude_without_duplicates("two runs on one directory", "the second with --wait");
}

#[test]
fn a_run_that_waits_goes_on_where_a_killed_one_stopped() {
    let (mut scene, first) = sending(Duration::from_millis(200));
    let second = scene.lab.start(scene.lab.command(&[], &scene.args(&["--wait"])));
    thread::sleep(Duration::from_millis(300));
    // The second one's requests belong to the next life.
    let ended = first.kill();
    assert_eq!(ended.signal, Some(9));
    second.wait().says(1, &[]);
    let rows = scene.server.arrivals().into_iter().flat_map(|came| came.rows);
    let distinct: std::collections::BTreeSet<u64> = rows.collect();
    assert_eq!(distinct.len(), 60, "every row arrived");
    let claims = crate::checkpoint::Claims::read(&scene.lab.path("run"), &scene.job.bodies);
    let claims = claims.expect("sound lines").expect("a checkpoint");
    assert_eq!((claims.delivered.len(), claims.in_doubt.len()), (60, 0));
    scene.books.claims = claims;
    assert!(fs::exists(scene.lab.path("run/report.json")).expect("a directory"));
    let tally: Tally = scene.finish();
    tally.conclude("the first of two runs killed", "the second with --wait");
}
