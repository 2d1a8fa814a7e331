//! A fresh directory, and the real binary run in it.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::server::Server;

pub const APP: &str = "APP123";
pub const KEY: &str = "k3y-that-nobody-prints";

/// Longest that any run may take; far more than one needs.
const RUN_MAX: Duration = Duration::from_secs(240);

pub struct Scene {
    dir: TempDir,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A scene with `users.csv` of ids `user-001` and on.
    pub fn with_users(rows: usize) -> Self {
        let scene = Self::new();
        let rows: String = ids(rows).iter().map(|id| format!("{id},Oslo\n")).collect();
        scene.write("users.csv", format!("customer_id,city\n{rows}"));
        scene
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).expect("write");
        path
    }

    /// The binary with a clean environment and the key in it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moebulk"));
        for name in ["APP_ID", "DATA_API_ID", "DATA_API_KEY"] {
            command.env_remove(format!("MOENGAGE_{name}"));
        }
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("MOENGAGE_DATA_API_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args))
    }

    /// `import` to a server, unlimited, with the run in `run/`.
    pub fn import_args(server: &Server) -> Vec<String> {
        let url = server.url();
        let args = [
            "import",
            "users.csv",
            "--endpoint",
            &url,
            "--app-id",
            APP,
            "--run-dir",
            "run",
            "--users-per-minute",
            "unlimited",
            "--events-per-minute",
            "unlimited",
        ];
        args.map(str::to_owned).into()
    }

    pub fn import(&self, server: &Server, more: &[&str]) -> Ran {
        let args = Self::import_args(server);
        self.run(&args.iter().map(String::as_str).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// `run/report.json`.
    pub fn report(&self) -> Value {
        let text = fs::read_to_string(self.path("run/report.json")).expect("a report");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Rows delivered, failed and pending by the report, which must also add up.
    pub fn settled(&self) -> [u64; 3] {
        let report = self.report();
        let rows = &report["rows"];
        let count = |name: &str| rows[name].as_u64().expect("a count");
        assert_eq!(count("read"), count("accepted") + count("rejected") + count("skipped"));
        let settled = ["delivered", "failed", "pending"].map(count);
        assert_eq!(count("accepted"), settled.iter().sum::<u64>(), "{rows}");
        settled
    }

    pub fn requests(&self, name: &str) -> u64 {
        self.report()["requests"][name].as_u64().expect("a count")
    }

    /// The records of `run/rejects.csv`, by column name.
    pub fn rejects(&self) -> Vec<std::collections::HashMap<String, String>> {
        let mut reader = csv::Reader::from_path(self.path("run/rejects.csv")).expect("rejects.csv");
        reader.deserialize().map(|record| record.expect("a record")).collect()
    }

    /// No file of the run and no output holds the key.
    pub fn assert_no_key(&self, ran: &Ran) {
        assert!(!ran.stdout.contains(KEY) && !ran.stderr.contains(KEY), "the key is printed");
        fn walk(path: &Path) {
            for entry in fs::read_dir(path).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    walk(&entry.path());
                } else {
                    let bytes = fs::read(entry.path()).expect("read");
                    assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{:?}", entry.path());
                }
            }
        }
        walk(self.dir.path());
    }
}

impl Ran {
    /// The exit code is this one, and nothing looks like a panic.
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for word in ["panicked", "RUST_BACKTRACE", "met a bug", "Err(", "Some(", "Error {", "kind:"]
        {
            assert!(!self.stderr.contains(word), "{word} in:\n{}", self.stderr);
        }
        self
    }

    pub fn assert_says(&self, words: &str) -> &Self {
        assert!(self.stderr.contains(words), "no `{words}` in:\n{}", self.stderr);
        self
    }
}

/// `user-001` and on.
pub fn ids(rows: usize) -> Vec<String> {
    (1..=rows).map(|row| format!("user-{row:03}")).collect()
}

/// Runs to the end, within [`RUN_MAX`].
pub fn finish(mut command: Command) -> Ran {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("spawn");
    let stdout = drain(child.stdout.take().expect("stdout"));
    let stderr = drain(child.stderr.take().expect("stderr"));
    let code = wait(&mut child);
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8(reader.join().expect("reader")).expect("UTF-8")
    };
    Ran { code, stdout: text(stdout), stderr: text(stderr) }
}

pub fn wait(child: &mut Child) -> Option<i32> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("wait") {
            return status.code();
        }
        if start.elapsed() > RUN_MAX {
            child.kill().expect("kill");
            panic!("the program did not end within {RUN_MAX:?}");
        }
        thread::sleep(Duration::from_millis(15));
    }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("read");
        bytes
    })
}

/// Runs every case, a few at a time: most of their time is waiting. Names each that fails.
pub fn each<T: Sync>(cases: &[T], name: impl Fn(&T) -> String + Sync, test: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(case) =
                    cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let run = std::panic::AssertUnwindSafe(|| test(case));
                    if std::panic::catch_unwind(run).is_err() {
                        failed.lock().expect("no panic while held").push(name(case));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no panic while held");
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), cases.len());
}
