//! A fresh home for each import, and processes that are watched while they live: what they write
//! and what `/proc` shows of them never holds a canary.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The key of every import here, a word that nothing else holds by chance.
pub const KEY: &str = "kX7-canary-of-the-key-Qz41";

/// What the id and a value of every row begin with.
pub const DATA: &str = "dW3-canary-of-a-value-Jh58";

/// No run here takes so long, on a loaded machine either.
const PATIENCE: Duration = Duration::from_secs(240);

/// How often a living process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// A directory of its own for inputs, the run and the state.
pub struct Lab {
    dir: TempDir,
}

/// A process that ends with its owner.
pub struct Process {
    child: Child,
    output: [PathBuf; 2],
    looked: Option<Instant>,
    started: Instant,
    /// Where a canary was seen from outside.
    pub canaries: BTreeSet<String>,
}

/// What a process left.
#[derive(Debug)]
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub lasted: Duration,
    pub canaries: BTreeSet<String>,
}

impl Lab {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("a written file");
    }

    /// The binary in a clean environment, behind a prefix such as `strace …`.
    pub fn command(&self, prefix: &[String], args: &[String]) -> Command {
        let binary = env!("CARGO_BIN_EXE_moebulk").to_owned();
        let words: Vec<&String> = prefix.iter().chain([&binary]).chain(args).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("MOENGAGE_DATA_API_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    /// Starts a command; its output goes to files, which can't fill up.
    pub fn start(&self, mut command: Command) -> Process {
        let serial = fs::read_dir(self.dir.path()).expect("a listing").count();
        let output = ["out", "err"].map(|what| self.path(&format!("{serial}.{what}")));
        let to = |path: &Path| File::create(path).expect("an output file");
        let child = command.stdout(to(&output[0])).stderr(to(&output[1])).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let started = Instant::now();
        Process { child, output, looked: None, started, canaries: BTreeSet::new() }
    }

    /// Runs a command that is not judged.
    pub fn run(&self, args: &[&str]) -> Ended {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        self.start(self.command(&[], &args)).wait()
    }

    /// Where the canaries are below this directory: the key anywhere, a value anywhere but in
    /// the inputs and among the rejected rows.
    pub fn canaries(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for file in files_below(self.dir.path()) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let holds_rows = name.ends_with(".csv")
                || [".rejects", "damaged", ".damaged"].iter().any(|start| name.starts_with(start));
            let Ok(content) = fs::read(&file) else { continue };
            if holds_key(&content) || (!holds_rows && holds(&content, DATA)) {
                found.insert(file.display().to_string());
            }
        }
        found
    }
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.look();
        self.child.try_wait().expect("a process of ours").is_some()
    }

    /// Waits for the end by itself.
    pub fn wait(mut self) -> Ended {
        let start = Instant::now();
        while !self.has_ended() {
            assert!(start.elapsed() < PATIENCE, "a run does not end: {}", self.read(1));
            thread::sleep(Duration::from_millis(3));
        }
        self.ended()
    }

    /// SIGKILL, now.
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.ended()
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        let text = format!("kill -{name} {}", self.pid());
        let sent = Command::new("/bin/sh").args(["-c", &text]).status().expect("a shell");
        assert!(sent.success(), "{text}");
    }

    /// Reads what anybody on the machine can read of processes. The loader has no children, to
    /// whom its environment would go.
    fn look(&mut self) {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let own = PathBuf::from(format!("/proc/{}", self.pid()));
        let read = |name: &str| fs::read_to_string(own.join(name)).unwrap_or_default();
        if read("comm").trim() == "moebulk" {
            let children = read(&format!("task/{}/children", self.pid()));
            if !children.is_empty() {
                self.canaries.insert(format!("children {children}"));
            }
        }
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
                let path = entry.path().join("cmdline");
                if fs::read(&path).is_ok_and(|line| holds_key(&line) || holds(&line, DATA)) {
                    self.canaries.insert(path.display().to_string());
                }
            }
        }
    }

    fn read(&self, which: usize) -> String {
        String::from_utf8_lossy(&fs::read(&self.output[which]).unwrap_or_default()).into_owned()
    }

    fn ended(&mut self) -> Ended {
        let status: ExitStatus = self.child.wait().expect("an exit status");
        Ended {
            code: status.code(),
            signal: status.signal(),
            stdout: self.read(0),
            stderr: self.read(1),
            lasted: self.started.elapsed(),
            canaries: std::mem::take(&mut self.canaries),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts the exit code and words of the explanation.
    pub fn says(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in {}", self.stderr);
        }
    }
}

fn holds(content: &[u8], word: &str) -> bool {
    memchr::memmem::find(content, word.as_bytes()).is_some()
}

/// The key as it stands, by itself in base64, and as the header has it.
fn holds_key(content: &[u8]) -> bool {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let encoded = |text: &str| BASE64_STANDARD.encode(text);
    let forms = [KEY.to_owned(), encoded(KEY), encoded(&format!("{APP}:{KEY}"))];
    forms.iter().any(|form| holds(content, form))
}

/// The workspace of every import here.
pub const APP: &str = "FAULTS";

/// Every file below a directory; a link is not followed.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let (mut files, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        let entries: io::Result<Vec<_>> = fs::read_dir(&dir).and_then(Iterator::collect);
        for entry in entries.unwrap_or_default() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir { dirs.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files
}

/// Waits for something, but not forever.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
