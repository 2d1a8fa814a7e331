//! Limits of the system: open files and memory.

use crate::{
    job::Scene,
    oracle::Tally,
    server::Rules,
    tools::{has_prlimit, words},
};

/// One life under a limit, then the rest without it; `judge` looks at the first.
fn under(limits: impl Iterator<Item = String>, judge: impl Fn(&str, &crate::lab::Ended)) -> Tally {
    let mut tally = Tally::default();
    for limit in limits {
        let mut scene = Scene::small(Rules::default());
        let prefix = words(&format!("prlimit --core=0 {limit}"));
        let ended = scene.live(&prefix, &["--retry-for", "1s"]);
        judge(&limit, &ended);
        scene.forget_the_budget();
        tally.add(scene.finish());
    }
    tally
}

/// Every number of files, from too few for the loader to enough.
fn open_files(numbers: impl Iterator<Item = usize>) -> Tally {
    under(numbers.map(|most| format!("--nofile={most}")), |limit, ended| {
        let advice = "Too many open files (os error 24: raise the limit of this process, such as \
                      `ulimit -n 1024`)";
        let is_told = ended.stderr.contains(advice)
            || ended.stderr.contains("Error 24")
            || ended.stderr.contains("--retry-for");
        let is_stopped = matches!(ended.code, Some(2 | 3 | 4 | 127)) && is_told;
        assert!(is_stopped || ended.code == Some(1), "{limit}: {ended:?}");
    })
}

#[test]
fn too_few_open_files_stop_the_run() {
    if has_prlimit("EMFILE") {
        let tally = open_files((4..24).step_by(2));
        tally.conclude_without_duplicates("EMFILE", "4, 6 … 22 open files");
    }
}

#[test]
#[ignore = "a minute"]
fn any_number_of_open_files_loses_nothing() {
    if has_prlimit("EMFILE") {
        open_files(3..40).conclude_without_duplicates("EMFILE", "3 to 39 open files");
    }
}

/// Address spaces from too small to enough, in megabytes.
fn memory(megabytes: impl Iterator<Item = usize>) -> Tally {
    under(megabytes.map(|most| format!("--as={}", most << 20)), |limit, ended| {
        // Rust ends a process without memory by SIGABRT, the system by SIGSEGV; a bug (70) is a
        // thread that could not be made.
        let is_stopped = matches!(ended.code, Some(2 | 3 | 4 | 70 | 127)) || ended.signal.is_some();
        assert!(is_stopped || ended.code == Some(1), "{limit}: {ended:?}");
    })
}

#[test]
fn too_little_memory_loses_nothing() {
    if has_prlimit("rlimit of memory") {
        memory([24, 48, 56, 64, 72, 96, 160, 200].into_iter())
            .conclude("rlimit of memory", "24 to 200 MB of addresses");
    }
}

#[test]
#[ignore = "a minute"]
fn any_amount_of_memory_loses_nothing() {
    if has_prlimit("rlimit of memory") {
        memory((16..260).step_by(3)).conclude("rlimit of memory", "16 to 259 MB of addresses");
    }
}
