//! SIGKILL, and errors, at the Nth write, sync and rename of a small import.

use std::{collections::HashMap, fs, ops::RangeInclusive, path::PathBuf};

use crate::{
    job::{Job, Scene},
    lab::files_below,
    oracle::{Tally, side_by_side},
    server::{Act, Answer, Rules},
    tools::{calls_of, has_strace, inject, sample},
};

/// The calls with which state reaches the disk and bodies reach the server.
const CALLS: [&str; 7] = ["write", "writev", "fsync", "fdatasync", "rename", "ftruncate", "unlink"];

/// Which writes and syncs of the checkpoint are those of turns, which a thread of its own makes. An
/// injection counts for each thread, and whoever makes the checkpoint is at its first one before.
const TURNS: RangeInclusive<usize> = 2..=4;

/// The checkpoint alone.
fn checkpoint(scene: &Scene) -> Vec<String> {
    vec![scene.lab.path("run/checkpoint").display().to_string()]
}

/// Kills an import just before its Nth call of a kind, for `each` values of N, or all. Two lives in a
/// row are killed at the same N, then it lives to its end.
fn kill_at_calls(job: &Job, each: usize) -> Tally {
    let counts = calls_of(job.clone());
    let mut tally = Tally::default();
    let (mut tries, mut kills) = (0, 0);
    let any = CALLS.iter().flat_map(|&call| {
        let most = counts.get(call).copied().unwrap_or(0);
        sample(most, each).into_iter().map(move |nth| (call, nth, false))
    });
    let turns = ["write", "fdatasync"];
    let turns = turns.iter().flat_map(|&call| TURNS.map(move |nth| (call, nth, true)));
    for (call, nth, is_turn) in any.chain(turns) {
        let mut scene = Scene::new(job.clone(), Rules::default());
        let paths = if is_turn { checkpoint(&scene) } else { Vec::new() };
        let mut prefix = inject(call, &format!("signal=KILL:when={nth}"));
        prefix.extend(only(&paths));
        for life in 0..2 {
            let ended = scene.live(&prefix, &[]);
            // The second life may have less to do. How often a runtime wakes itself is a
            // matter of chance, so the last calls may not be reached.
            tries += usize::from(life == 0);
            kills += usize::from(life == 0 && ended.signal == Some(9));
            assert!(!is_turn || life > 0 || ended.signal == Some(9), "{call} {nth}: {ended:?}");
            scene.forget_the_budget();
        }
        tally.add(scene.finish());
    }
    assert!(kills * 10 >= tries * 8, "{kills} of {tries} were killed");
    tally
}

/// Lets the Nth sync fail, once: the run stops with 3, never syncs that file again, and claims
/// nothing that it does not know.
fn fail_syncs(job: &Job, each: usize) -> Tally {
    let counts = calls_of(job.clone());
    let mut tally = Tally::default();
    let (mut tries, mut failures) = (0, 0);
    let any = ["fsync", "fdatasync"]
        .into_iter()
        .flat_map(|call| sample(counts[call], each).into_iter().map(move |nth| (call, nth, false)));
    let turns = TURNS.map(|nth| ("fdatasync", nth, true));
    for (call, nth, is_turn) in any.chain(turns) {
        let mut scene = Scene::new(job.clone(), Rules::default());
        let paths = if is_turn { checkpoint(&scene) } else { Vec::new() };
        let traced = Traced::new(&scene, call, &format!("error=EIO:when={nth}"), &paths);
        let ended = scene.live(&traced.prefix, &[]);
        let lines = traced.lines();
        let failed = lines.iter().position(|line| line.contains("(INJECTED)"));
        tries += 1;
        // Where answers come together they share a sync: the last ones are not reached then.
        let calls = most_of_a_thread(&lines, call);
        assert_eq!(failed.is_some(), calls >= nth, "{call} {nth} of {calls}");
        assert!(failed.is_some() || !is_turn, "{call} {nth} of {calls} turns");
        if let Some(failed) = failed {
            failures += 1;
            ended.says(3, &["Input/output error"]);
            let path = path_of(&lines[failed]);
            let again = lines[failed + 1..].iter().find(|line| path_of(line) == path);
            assert_eq!(again, None, "{path} was synced again");
        }
        scene.forget_the_budget();
        tally.add(scene.finish());
    }
    assert!(failures * 2 > tries, "{failures} of {tries} failed");
    tally
}

/// The most calls of a kind that one thread made, as each counts for itself.
fn most_of_a_thread(lines: &[String], call: &str) -> usize {
    let mut threads = HashMap::new();
    for line in lines.iter().filter(|line| line.contains(&format!(" {call}("))) {
        *threads.entry(line.split_once(' ').map_or("", |(thread, _)| thread)).or_default() += 1;
    }
    threads.into_values().max().unwrap_or(0)
}

/// Lets the Nth write to a file of ours fail with this error, once.
fn fail_writes(error: &str, words: &str, each: usize) -> Tally {
    let mut tally = Tally::default();
    let mut fail = |nth, is_turn| {
        let mut scene = Scene::small(Rules::default());
        let paths = if is_turn { checkpoint(&scene) } else { scene.written_paths() };
        let traced = Traced::new(&scene, "write", &format!("error={error}:when={nth}"), &paths);
        let ended = scene.live(&traced.prefix, &[]);
        let is_reached = traced.lines().iter().any(|line| line.contains("(INJECTED)"));
        let code = if is_reached && !words.is_empty() { 3 } else { scene.job.code() };
        assert_eq!(ended.code, Some(code), "{error} {nth}: {}", ended.stderr);
        assert!(!is_reached || ended.stderr.contains(words), "{error} {nth}: {}", ended.stderr);
        scene.forget_the_budget();
        tally.add(scene.finish());
        is_reached
    };
    let mut nth = 1;
    while fail(nth, false) {
        nth += each;
    }
    // Of the busiest thread.
    assert!(nth > 12, "only {nth} writes were reached");
    assert!(TURNS.step_by(each.min(2)).all(|nth| fail(nth, true)), "a turn is not reached");
    tally
}

/// `strace` with an injection and its trace kept.
struct Traced {
    prefix: Vec<String>,
    file: PathBuf,
}

impl Traced {
    /// `paths`: only calls on these files count, where there are any.
    fn new(scene: &Scene, call: &str, what: &str, paths: &[String]) -> Self {
        let file = scene.lab.path("trace.txt");
        let mut prefix = inject(call, what);
        // The fourth word is where the trace goes.
        prefix[3] = file.display().to_string();
        prefix.extend(only(paths));
        prefix.extend(["-y", "-s", "0"].map(str::to_owned));
        Self { prefix, file }
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).expect("a trace");
        text.lines().map(str::to_owned).collect()
    }
}

/// The words that let only calls on these files count.
fn only(paths: &[String]) -> impl Iterator<Item = String> {
    paths.iter().flat_map(|path| ["-P".to_owned(), path.clone()])
}

/// The path of the file that a traced call names: `fsync(12</a/b>)`.
fn path_of(line: &str) -> String {
    let path = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

#[test]
fn a_kill_at_a_sampled_write_sync_or_rename_loses_nothing() {
    if has_strace("SIGKILL at the Nth call") {
        let mut tally = kill_at_calls(&Job::small(), 6);
        tally.add(kill_at_calls(&Job::small().remembered(), 6));
        tally.conclude("SIGKILL at the Nth call", "strace, a sample of every N");
    }
}

#[test]
#[ignore = "a minute"]
fn a_kill_at_every_write_sync_or_rename_loses_nothing() {
    if has_strace("SIGKILL at the Nth call") {
        let mut tally = kill_at_calls(&Job::small(), usize::MAX);
        tally.add(kill_at_calls(&Job::small().remembered(), usize::MAX));
        tally.conclude("SIGKILL at the Nth call", "strace, every N");
    }
}

#[test]
fn a_sync_that_fails_stops_the_run_and_is_not_tried_again() {
    if has_strace("EIO of a sync") {
        let mut tally = fail_syncs(&Job::small(), 5);
        tally.add(fail_syncs(&Job::small().remembered(), 5));
        tally.conclude("fsync, fdatasync: EIO", "strace, a sample of every N");
    }
}

#[test]
#[ignore = "a minute"]
fn any_sync_that_fails_stops_the_run() {
    if has_strace("EIO of a sync") {
        let mut tally = fail_syncs(&Job::small(), usize::MAX);
        tally.add(fail_syncs(&Job::small().remembered(), usize::MAX));
        tally.conclude("fsync, fdatasync: EIO", "strace, every N");
    }
}

#[test]
fn a_write_that_fails_stops_the_run() {
    if has_strace("errors of a write") {
        fail_writes("EIO", "Input/output error", 6).conclude("write: EIO", "strace, every 6th");
        fail_writes("EDQUOT", "quota exceeded", 9).conclude("write: EDQUOT", "strace, every 9th");
    }
}

#[test]
#[ignore = "a minute"]
fn any_write_that_fails_stops_the_run() {
    if has_strace("errors of a write") {
        for (error, words) in [
            ("EIO", "Input/output error"),
            ("EDQUOT", "quota exceeded"),
            ("ENOSPC", "No space left"),
            ("EFBIG", "File too large"),
        ] {
            let tally = fail_writes(error, words, 1);
            tally.conclude(&format!("write: {error}"), "strace, every N");
        }
    }
}

/// Stops an import while its checkpoint is written anew, since it has grown: at the sync and at the
/// rename, by a kill and by an error.
#[test]
fn a_checkpoint_that_is_written_anew_is_the_old_one_or_the_new_one() {
    if !has_strace("a checkpoint that is written anew") {
        return;
    }
    let cases = vec![("rename", "signal=KILL"), ("rename", "error=EIO"), ("fsync", "error=EIO")];
    let tally = side_by_side(cases, |(call, what)| {
        // The thread that makes the checkpoint is another than the one that writes it anew, and an
        // injection counts for each: so it is there before.
        let begun = Rules::act(|nth, _| match nth {
            0..3 => Act::Take,
            _ => Act::Refuse(Answer::fail(401, "Authentication required")),
        });
        let mut scene = Scene::new(Job::new(900, 1), begun);
        scene.live(&[], &[]).says(3, &["401"]);
        scene.server.be_kind();
        // A sync names the file by its descriptor, a rename as it was given.
        let name = "run/checkpoint.tmp";
        let paths = [scene.lab.path(name).display().to_string(), name.to_owned()];
        let traced = Traced::new(&scene, call, &format!("{what}:when=1"), &paths);
        let ended = scene.live(&traced.prefix, &[]);
        let is_stopped = ended.signal == Some(9) || ended.code == Some(3);
        assert!(is_stopped, "{call} {what}: {ended:?}");
        assert!(scene.claims().delivered.len() > 300, "it had grown");
        scene.forget_the_budget();
        scene.finish()
    });
    tally.conclude("a checkpoint that is written anew", "killed, EIO at its sync and rename");
}

/// A finished run steps aside for an import of a changed input, and is killed at each step of that.
#[test]
fn a_finished_run_that_is_killed_while_it_steps_aside_is_kept() {
    if !has_strace("a finished run that steps aside") {
        return;
    }
    let mut kills = 0;
    for nth in 1..=8 {
        let mut scene = Scene::small(Rules::default());
        scene.live(&[], &[]).says(1, &[]);
        let report = fs::read(scene.lab.path("run/report.json")).expect("a report");
        scene.lab.write("rows.csv", scene.job.csv().replace("note", "memo"));
        let prefix = inject("rename", &format!("signal=KILL:when={nth}"));
        kills += usize::from(scene.start(&prefix, &[]).wait().signal == Some(9));
        scene.forget_the_budget();
        scene.start(&[], &[]).wait().says(1, &[]);
        let mut rows: Vec<u64> =
            scene.server.arrivals().into_iter().flat_map(|came| came.rows).collect();
        rows.sort_unstable();
        let twice: Vec<u64> = scene.job.accepted().flat_map(|row| [row, row]).collect();
        assert_eq!(rows, twice, "rename {nth}: each import sent each row once");
        let kept = files_below(&scene.lab.path("run/done"));
        let kept = kept.iter().any(|file| fs::read(file).is_ok_and(|found| found == report));
        assert!(kept, "rename {nth}: the report of the first import is kept");
    }
    assert!(kills >= 6, "{kills} kills");
}

#[test]
fn an_input_that_cannot_be_read_stops_the_run() {
    if !has_strace("EIO of a read") {
        return;
    }
    let mut tally = Tally::default();
    // It is read to be hashed, to find types, to be checked, and to be sent.
    let mut stops = 0;
    for nth in 1.. {
        let mut scene = Scene::small(Rules::default());
        let paths = ["rows.csv".to_owned(), scene.lab.path("rows.csv").display().to_string()];
        let traced = Traced::new(&scene, "read", &format!("error=EIO:when={nth}"), &paths);
        let ended = scene.live(&traced.prefix, &[]);
        let is_reached = traced.lines().iter().any(|line| line.contains("(INJECTED)"));
        if is_reached {
            ended.says(4, &["rows.csv", "Input/output error"]);
            stops += 1;
        }
        scene.forget_the_budget();
        tally.add(scene.finish());
        if !is_reached {
            break;
        }
    }
    assert!(stops >= 4, "{stops} reads");
    tally.conclude_without_duplicates("read: EIO", "strace, every N, of the input");
}

#[test]
fn an_interrupted_write_is_gone_on_with() {
    if has_strace("EINTR of a write") {
        let tally = fail_writes("EINTR", "", 8);
        tally.conclude_without_duplicates("write: EINTR", "strace, every 8th");
    }
}
