//! A fresh home for each test, processes that end with it, and the sandbox's pages.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any wait that a loaded machine or the budget of two minutes explains.
pub const PATIENCE: Duration = Duration::from_secs(300);

pub const KEY: &str = "sandbox-key";

/// A directory of its own, with the environment that goes with it.
pub struct Home {
    dir: TempDir,
    runs: AtomicU32,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(dir.path().join("output")).expect("a directory for output");
        Self { dir, runs: AtomicU32::new(0) }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a written file");
        path
    }

    /// The binary with these arguments, under a umask that protects nothing, in a clean environment.
    pub fn command<S: AsRef<str>>(&self, args: &[S]) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "umask 000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_moebulk")])
            .args(args.iter().map(AsRef::as_ref))
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("MOENGAGE_DATA_API_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    pub fn spawn<S: AsRef<str>>(&self, args: &[S]) -> Run {
        self.start(self.command(args))
    }

    /// Starts a command made by [`Home::command`], its output kept in files.
    pub fn start(&self, mut command: Command) -> Run {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] =
            ["out", "err"].map(|what| self.path(&format!("output/{number}.{what}")));
        let to = |path: &Path| File::create(path).expect("an output file");
        let child = command.stdout(to(&stdout)).stderr(to(&stderr)).spawn().expect("a process");
        Run { child, stdout, stderr }
    }

    /// Runs to the end.
    pub fn run<S: AsRef<str>>(&self, args: &[S]) -> Ended {
        self.spawn(args).wait()
    }
}

/// A process that ends with its owner.
pub struct Run {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// What a process left.
#[derive(Debug)]
pub struct Ended {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a process of ours").is_some()
    }

    pub fn wait(mut self) -> Ended {
        until("the process ends", || self.has_ended());
        self.ended()
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("a kill");
        self.child.wait().expect("a dead process");
        self.ended()
    }

    /// Sends a signal by its short name.
    pub fn signal(&self, name: &str) {
        let text = format!("kill -{name} {}", self.pid());
        let sent = Command::new("/bin/sh").args(["-c", &text]).status().expect("a shell");
        assert!(sent.success(), "{text}");
    }

    fn ended(&mut self) -> Ended {
        let read = |path: &Path| fs::read_to_string(path).expect("output in UTF-8");
        let status = self.child.wait().expect("an exit status");
        Ended { code: status.code(), stdout: read(&self.stdout), stderr: read(&self.stderr) }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The report on stdout, of a run with this exit code.
    pub fn report(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts a refusal: its exit code, and words that its text must hold.
    pub fn refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing: {}", self.stderr);
        }
    }
}

/// A `moebulk sandbox` process.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    pub fn start(home: &Home, args: &[&str]) -> Self {
        Self::with_key(home, KEY, args)
    }

    pub fn with_key(home: &Home, key: &str, args: &[&str]) -> Self {
        let mut command = home.command(&[&["sandbox"], args].concat());
        command.env("MOENGAGE_DATA_API_KEY", key).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a sandbox");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("its stdout");
        BufReader::new(stdout).read_line(&mut url).expect("its first line");
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Self { child, url: url.trim_end().to_owned() }
    }

    /// One of its own pages.
    pub fn page(&self, name: &str) -> Value {
        let address = self.url.strip_prefix("http://").expect("an http URL");
        let mut stream = TcpStream::connect(address).expect("a connection to the sandbox");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let request = format!(
            "GET /_sandbox/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        serde_json::from_str(body).expect("a JSON page")
    }

    pub fn stats(&self) -> Value {
        self.page("stats")
    }

    /// Data requests received so far.
    pub fn requests(&self) -> u64 {
        self.stats()["requests"]["bulk"].as_u64().unwrap_or(0)
    }

    /// Users accepted so far.
    pub fn users(&self) -> u64 {
        self.stats()["users_accepted"].as_u64().expect("a count")
    }

    /// The rows of each accepted request in order of arrival, by their column `n`.
    pub fn bodies(&self) -> Vec<Vec<u64>> {
        let mut bodies: Vec<Vec<u64>> = Vec::new();
        let mut last = None;
        let page = self.page("records");
        let records = page["records"].as_array().expect("records");
        assert_eq!(page["count"], records.len(), "all records are kept");
        for record in records {
            let request = record["request"].as_u64();
            if last != request {
                bodies.push(Vec::new());
                last = request;
            }
            bodies.last_mut().expect("a body").extend(row_numbers(&record["element"]));
        }
        bodies
    }

    /// All rows received, sorted; twice where received twice.
    pub fn rows(&self) -> Vec<u64> {
        let mut rows = self.bodies().concat();
        rows.sort_unstable();
        rows
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The column `n` of an element, or of each of its actions: the number of its data row.
pub fn row_numbers(element: &Value) -> Vec<u64> {
    let number = |n: &Value| n.as_u64().unwrap_or_else(|| panic!("no row number: {element}"));
    match element["actions"].as_array() {
        Some(actions) => actions.iter().map(|action| number(&action["attributes"]["n"])).collect(),
        None => vec![number(&element["attributes"]["n"])],
    }
}

/// `count` users of one row each.
pub fn users_csv(count: usize) -> String {
    let rows = (1..=count).map(|n| format!("user-{n:05},{n},shop-{}\n", n % 7));
    "customer_id,n,shop\n".to_owned() + &rows.collect::<String>()
}

/// Waits for something, but not forever.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(4));
    }
}

/// Every file below a directory, and every directory including itself.
pub fn tree(dir: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut files, mut dirs) = (Vec::new(), vec![dir.to_owned()]);
    let mut next = 0;
    while let Some(dir) = dirs.get(next).cloned() {
        next += 1;
        for entry in fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { dirs.push(path) } else { files.push(path) }
        }
    }
    (files, dirs)
}

/// Asserts that nobody but the owner may look into a directory or anything in it.
pub fn assert_private(dir: &Path) {
    let mode =
        |path: &Path| fs::symlink_metadata(path).expect("metadata").permissions().mode() & 0o7777;
    let (files, dirs) = tree(dir);
    for (paths, expected) in [(files, 0o600), (dirs, 0o700)] {
        for path in paths {
            assert_eq!(mode(&path), expected, "{:o} {}", mode(&path), path.display());
        }
    }
}
