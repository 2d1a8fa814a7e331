//! Checkpoints that are torn, flipped, or lied about.

use std::fs::{self, File};
use std::io::Write;

use crate::{
    checkpoint::Claims,
    job::Scene,
    lab::{Ended, until},
    server::{Act, Answer, Rules},
    tools::{has_strace, inject},
};

/// An import that was killed with two of six bodies delivered and more under way.
fn killed() -> Scene {
    let mut scene = Scene::small(Rules::slow(std::time::Duration::from_millis(150)));
    let mut process = scene.start(&[], &[]);
    until("the third body is under way", || scene.server.requests() >= 3 || process.has_ended());
    let ended = process.kill();
    scene.audit(ended);
    assert!(!scene.claims().in_doubt.is_empty() && !scene.claims().delivered.is_empty());
    scene
}

/// An import that came to a stop with three bodies delivered.
fn stopped() -> Scene {
    let mut scene = Scene::small(Rules::act(|nth, _| match nth {
        0..3 => Act::Take,
        _ => Act::Refuse(Answer::fail(401, "Authentication required")),
    }));
    scene.live(&[], &[]).says(3, &["401"]);
    scene
}

fn checkpoint(scene: &Scene) -> Vec<u8> {
    fs::read(scene.lab.path("run/checkpoint")).expect("a checkpoint")
}

fn put(scene: &Scene, bytes: &[u8]) {
    // In place, so that its mode stays.
    fs::write(scene.lab.path("run/checkpoint"), bytes).expect("a checkpoint");
}

/// An import that is refused, and must not send anything.
fn refused(scene: &Scene) -> Ended {
    let before = scene.server.requests();
    let ended = scene.lab.start(scene.lab.command(&[], &scene.args(&[]))).wait();
    assert_eq!(scene.server.requests(), before, "nothing is sent: {ended:?}");
    ended
}

#[test]
fn a_torn_last_record_is_dropped_wherever_it_is_torn() {
    let scene = killed();
    let whole = checkpoint(&scene);
    let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    let says = || scene.lab.run(&["status", "run", "--output", "json"]).stdout;
    let expected = says();
    // What a crash can leave of the next record, had it been one of these.
    for line in &lines[lines.len() - 2..] {
        for length in (1..line.len()).step_by(23).chain([line.len() - 1]) {
            for zeros in [0, 5] {
                put(&scene, &[&whole, &line[..length], &vec![0; zeros]].concat());
                assert_eq!(says(), expected, "torn after {length} bytes and {zeros} zeros");
            }
        }
    }
    // The import cuts it off and goes on.
    let torn = &lines[lines.len() - 1][..30];
    put(&scene, &[&whole, torn].concat());
    let tally = scene.finish();
    tally.conclude("a torn last record", "each 23rd length, with and without zeros");
}

#[test]
fn a_flipped_bit_is_found_and_nothing_is_sent() {
    let mut rng = fastrand::Rng::with_seed(5);
    let scene = stopped();
    let whole = checkpoint(&scene);
    let ends: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
    let mut start = 0;
    for (line, &end) in ends[..ends.len() - 1].iter().enumerate() {
        // The line end itself, and somewhere before it. Without the last end but one, the last two
        // records read as one that is torn.
        let end_too = if line + 2 < ends.len() { end } else { start };
        for at in [end_too, rng.usize(start..end), rng.usize(start..end)] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << rng.u8(0..7);
            put(&scene, &flipped);
            refused(&scene).says(2, &["damaged in line", "--restart"]);
            let said = Claims::read(&scene.lab.path("run"), &scene.job.bodies);
            assert!(matches!(said, Err(found) if found == line + 1), "{said:?}, not {}", line + 1);
            assert_eq!(checkpoint(&scene), flipped, "a damaged checkpoint is left alone");
        }
        start = end + 1;
    }
    put(&scene, &whole);
    let tally = scene.finish();
    tally.conclude_without_duplicates("a flipped bit", "three in each record but the last");
}

#[test]
fn a_flipped_bit_in_the_last_record_costs_no_more_than_that_record() {
    let mut scene = killed();
    let before = scene.claims().clone();
    let mut flipped = checkpoint(&scene);
    let at = flipped.len() - 9;
    flipped[at] ^= 4;
    put(&scene, &flipped);
    // It reads as torn: what it said is in doubt, or known to be sent by nobody.
    let lines = flipped.split_inclusive(|&byte| byte == b'\n').count();
    let dropped = flipped.split_inclusive(|&byte| byte == b'\n').take(lines - 1);
    put(&scene, &dropped.flatten().copied().collect::<Vec<u8>>());
    let claims = Claims::read(&scene.lab.path("run"), &scene.job.bodies);
    let mut claims = claims.expect("sound lines").expect("a checkpoint");
    let known = before.delivered.union(&before.in_doubt);
    claims.in_doubt.extend(known.filter(|row| !claims.delivered.contains(row)));
    put(&scene, &flipped);
    let in_flight = claims.in_doubt.len();
    scene.books.claims = claims;
    let tally = scene.finish();
    assert!(
        in_flight <= 40 && tally.duplicated <= in_flight,
        "{} of {in_flight}",
        tally.duplicated
    );
    tally.conclude("a flipped bit in the last record", "reads as torn");
}

#[test]
fn a_write_that_the_disk_lied_about_is_found() {
    if !has_strace("a write that the disk lied about") {
        return;
    }
    let mut scene = Scene::small(Rules::act(|nth, _| match nth {
        0..3 => Act::Take,
        _ => Act::Refuse(Answer::fail(401, "Authentication required")),
    }));
    let path = scene.lab.path("run/checkpoint").display().to_string();
    // The second turn is said to have been written but for one byte, and that was not.
    let prefix = [inject("write", "retval=1:when=2"), vec!["-P".to_owned(), path]].concat();
    let ended = scene.start(&prefix, &[]).wait();
    ended.says(3, &["401"]);
    let said = Claims::read(&scene.lab.path("run"), &scene.job.bodies);
    assert!(said.is_err(), "{said:?}");
    refused(&scene).says(2, &["damaged in line", "--restart"]);
}

#[test]
fn a_checkpoint_of_something_else_is_refused() {
    let scene = stopped();
    let whole = checkpoint(&scene);
    for other in [&b""[..], b"\n", b"\0\0\0\0", b"{}\n", b"PAR1\xff\xff", &whole[1..], &whole[..40]]
    {
        put(&scene, other);
        refused(&scene).says(2, &["damaged in line 1"]);
        assert_eq!(checkpoint(&scene), other, "it is left alone");
    }
    put(&scene, &whole);
    scene.finish().conclude_without_duplicates("no checkpoint at all", "seven contents");
}

#[test]
#[ignore = "a damaged log of the budget costs two minutes"]
fn a_damaged_log_of_the_budget_costs_a_deadline_and_a_window() {
    let scene = stopped();
    let path = crate::lab::files_below(&scene.lab.path("state")).pop().expect("a log");
    let mut file = File::options().append(true).open(path).expect("a log");
    file.write_all(b"charge 99 yesterday 12 \xff\xfe\n").expect("written");
    drop(file);
    let before = std::time::Instant::now();
    let tally = scene.finish();
    // What the lost line may have held: a request whose deadline lay ahead, and then its window.
    assert!(before.elapsed().as_secs() < 150, "{:?}", before.elapsed());
    tally.conclude_without_duplicates("a damaged log of the budget", "a line of garbage");
}
