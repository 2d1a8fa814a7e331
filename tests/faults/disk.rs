//! A disk that is full, limits on files, and writes that are cut short.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    process::Command,
};

use crate::{
    job::{Job, Scene},
    lab::Ended,
    missing,
    oracle::Tally,
    server::Rules,
    tools::{Tmpfs, has_prlimit, words},
};

/// Small bodies, so that the checkpoint grows.
fn many_bodies() -> Job {
    Job::new(90, 1)
}

/// Stopped with 3 by a disk, or complete where the fault came too late.
fn stopped_by(ended: &Ended, words: &str, code: i32) -> bool {
    let is_stopped = ended.code == Some(3) && ended.stderr.contains(words);
    assert!(is_stopped || ended.code == Some(code), "{ended:?}");
    is_stopped
}

/// Runs on a tmpfs of 1 MB of which so many KB are free, for the run directory or the state.
fn full_disk(place: &str, free_kb: &[usize], test: &str) -> Option<Tally> {
    let mut tally = Tally::default();
    let mut stops = 0;
    for &free in free_kb {
        let mut scene = Scene::new(many_bodies(), Rules::default());
        scene.disk = Some(Tmpfs::mount(&scene.lab.path(place), "1m", test)?);
        let filler = scene.lab.path(place).join("filler");
        let mut file = File::options();
        let mut file = file.write(true).create(true).mode(0o600).open(&filler).expect("a file");
        // It ends at the last page that there is.
        let _ = file.write_all(&vec![b'.'; (1024 - free) * 1024]);
        drop(file);
        let ended = scene.live(&[], &[]);
        stops += usize::from(stopped_by(&ended, "No space left", scene.job.code()));
        fs::remove_file(&filler).expect("space again");
        scene.forget_the_budget();
        if place == "state" {
            // What stood there is gone with the budget's log.
            scene.disk = None;
        }
        tally.add(scene.finish());
    }
    assert!(stops * 2 >= free_kb.len(), "the disk was full {stops} times");
    Some(tally)
}

#[test]
fn a_full_disk_stops_the_run_and_room_lets_it_go_on() {
    let test = "ENOSPC on a tmpfs";
    let Some(mut tally) = full_disk("run", &[0, 4, 8, 12, 20, 28, 36], test) else { return };
    tally.add(full_disk("state", &[0, 4], test).unwrap_or_default());
    tally.conclude("ENOSPC on a tmpfs of 1 MB", "0 to 36 KB free; run and state directory");
}

#[test]
#[ignore = "a minute"]
fn a_disk_that_is_full_at_any_page_stops_the_run() {
    let test = "ENOSPC on a tmpfs";
    let pages: Vec<usize> = (0..16).map(|page| page * 4).collect();
    let Some(tally) = full_disk("run", &pages, test) else { return };
    tally.conclude("ENOSPC on a tmpfs of 1 MB", "at each page of the run directory");
}

/// Runs under a limit on the size of files; a write that crosses it is cut short, the next fails.
fn file_limits(limits: impl Iterator<Item = usize>, prefix: &str, words_of_stop: &str) -> Tally {
    let mut tally = Tally::default();
    for limit in limits {
        let mut scene = Scene::new(many_bodies(), Rules::default());
        let prefix = words(&format!("prlimit --core=0 --fsize={limit} {prefix}"));
        let ended = scene.live(&prefix, &[]);
        if prefix.contains(&"env".to_owned()) {
            stopped_by(&ended, words_of_stop, scene.job.code());
        } else {
            // SIGXFSZ ends a process that does not ask for the error.
            assert!(ended.signal == Some(25) || ended.code == Some(1), "{ended:?}");
        }
        scene.forget_the_budget();
        tally.add(scene.finish());
    }
    tally
}

#[test]
fn a_file_that_may_not_grow_stops_the_run() {
    if !has_prlimit("EFBIG") {
        return;
    }
    let ignoring = "env --ignore-signal=XFSZ";
    let tally = file_limits((100..30_000).step_by(3_300), ignoring, "File too large");
    tally.conclude("EFBIG, the last write cut short", "prlimit, 10 sizes");
    let tally = file_limits((100..30_000).step_by(9_000), "", "");
    tally.conclude("SIGXFSZ", "prlimit, 4 sizes");
}

#[test]
#[ignore = "a minute"]
fn a_file_that_may_not_grow_at_any_size_stops_the_run() {
    if !has_prlimit("EFBIG") {
        return;
    }
    let ignoring = "env --ignore-signal=XFSZ";
    let tally = file_limits((100..40_000).step_by(487), ignoring, "File too large");
    tally.conclude("EFBIG, the last write cut short", "prlimit, every 487 bytes");
}

/// Writes half of what it is given, and every third time nothing but `EINTR`.
const SHORT_WRITES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>
static ssize_t half(int fd, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    /* Eight bytes wake an event loop, and are never written in part. */
    return next(fd, bytes, count == 8 ? count : (count + 1) / 2);
}
ssize_t write(int fd, const void *bytes, size_t count) {
    static unsigned calls;
    if (count != 8 && __sync_fetch_and_add(&calls, 1) % 3 == 1) { errno = EINTR; return -1; }
    return half(fd, bytes, count);
}
/* A socket that does not block is never interrupted. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    return half(fd, parts[0].iov_base, parts[0].iov_len);
}
"#;

#[test]
fn short_and_interrupted_writes_are_gone_on_with() {
    let test = "short writes";
    let mut scene = Scene::new(many_bodies(), Rules::default());
    scene.lab.write("short.c", SHORT_WRITES);
    let [source, library] = ["short.c", "short.so"].map(|name| scene.lab.path(name));
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl");
    if !compile.status().is_ok_and(|status| status.success()) {
        missing::skip(test, "there is no C compiler");
        return;
    }
    let ended = scene.start_as(&[], &[], |command| {
        command.env("LD_PRELOAD", &library);
    });
    let ended = ended.wait();
    let ended = scene.audit(ended);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(scene.claims().finished, Some(1));
    let tally = scene.finish();
    tally.conclude_without_duplicates(
        "short writes and EINTR",
        "each write halved, files and sockets",
    );
}
