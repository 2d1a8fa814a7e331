//! Tools of the machine that a test needs, or tells that it skipped without.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    job::{Job, Scene},
    missing,
    server::Rules,
};

/// Whether a command runs here and succeeds.
fn succeeds(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether a command runs here and succeeds; the test says `why` it skips where not.
fn has(test: &str, words: &[&str], why: &str) -> bool {
    let is_there = succeeds(words);
    if !is_there {
        missing::skip(test, why);
    }
    is_there
}

/// Whether strace may trace here.
pub fn has_strace(test: &str) -> bool {
    let words = ["strace", "-f", "-o", "/dev/null", "true"];
    has(test, &words, "strace is missing or may not trace")
}

/// Whether prlimit is here.
pub fn has_prlimit(test: &str) -> bool {
    has(test, &["prlimit", "--nofile=256", "true"], "prlimit is missing")
}

/// A command line in front of the binary.
pub fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `strace` with an injection, its own output thrown away.
pub fn inject(calls: &str, what: &str) -> Vec<String> {
    let trace = format!("trace={calls}");
    let inject = format!("inject={calls}:{what}");
    ["strace", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned).into()
}

/// How often the busiest thread of an undisturbed small import makes each call. An injection
/// counts by thread, too.
pub fn calls_of(job: Job) -> BTreeMap<String, usize> {
    let mut scene = Scene::new(job, Rules::default());
    let file = scene.lab.path("calls.txt");
    let prefix =
        words("strace -f -e trace=write,writev,fsync,fdatasync,rename,ftruncate,unlink -o");
    let prefix = [prefix, vec![file.display().to_string()]].concat();
    let ended = scene.live(&prefix, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let text = fs::read_to_string(file).expect("a trace");
    let mut by_thread: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in text.lines() {
        // `PID call(…) = …`; what is resumed was counted when it began.
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if call.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            *by_thread.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, call), count) in by_thread {
        let most = most.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    most
}

/// About `count` numbers from 1 to `most`, evenly, the first and the last among them.
pub fn sample(most: usize, count: usize) -> Vec<usize> {
    if most <= count {
        return (1..=most).collect();
    }
    let mut sample: Vec<usize> =
        (0..count).map(|at| 1 + at * (most - 1) / (count - 1).max(1)).collect();
    sample.dedup();
    sample
}

/// A file system of one megabyte below a directory; unmounted when dropped.
pub struct Tmpfs {
    at: PathBuf,
}

impl Tmpfs {
    /// Mounts it, or tells why not.
    pub fn mount(at: &Path, size: &str, test: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("a directory");
        let target = at.display().to_string();
        let options = format!("size={size},mode=700");
        let mount = ["mount", "-t", "tmpfs", "-o", &options, "tmpfs", &target];
        let mounted = has(test, &mount, "a tmpfs can't be mounted here, which needs root");
        mounted.then(|| Self { at: at.to_owned() })
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
