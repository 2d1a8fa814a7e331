//! The binary on one input, with its peak of memory.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Nothing here takes more than seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// The promise, in KiB.
const PEAK_KIB_MAX: u64 = 512_000_000 / 1024;

/// Where inputs are written and the binary runs.
pub struct Cage {
    dir: TempDir,
}

/// What a command left.
pub struct Ran {
    pub code: i32,
    pub stderr: String,
}

impl Cage {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("an input");
    }

    /// Runs a command; it must end by itself, in time, below the bound, and not as a bug.
    pub fn run(&self, args: &[&str]) -> Ran {
        let err = self.path("stderr");
        let start = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .args(args)
            .args(["--progress", "off", "--run-dir", "run"])
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&err).expect("stderr"))
            .spawn()
            .expect("the binary starts");
        let status = format!("/proc/{}/status", child.id());
        // Largest resident set; 0 where the system does not tell.
        let mut peak_kib = 0;
        // Until it bears the program's name, the child has the memory of this process, which
        // forged what it is to read; a reading counts once the one before showed the name.
        let mut is_ours = false;
        let exit = loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            if is_ours {
                peak_kib = peak_kib.max(peak(&text));
            }
            is_ours |= text.lines().next() == Some("Name:\tmoebulk");
            if let Some(exit) = child.try_wait().expect("a status") {
                break exit;
            }
            if start.elapsed() > DEADLINE {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{args:?} did not end, at a peak of {peak_kib} KiB");
            }
            thread::sleep(Duration::from_millis(2));
        };
        let stderr = String::from_utf8_lossy(&fs::read(&err).expect("stderr")).into_owned();
        let seconds = start.elapsed().as_secs_f64();
        println!("{args:?}: {exit}, {peak_kib} KiB, {seconds:.1} s: {stderr}");
        let code = exit.code().unwrap_or_else(|| panic!("{args:?} ended by a signal: {exit}"));
        assert_ne!(code, 70, "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        assert!(peak_kib <= PEAK_KIB_MAX, "{args:?}: {peak_kib} KiB, the most is {PEAK_KIB_MAX}");
        Ran { code, stderr }
    }

    /// Validates one file, which must be refused with words that name it and hold all of
    /// `words`.
    pub fn refuses(&self, name: &str, bytes: impl AsRef<[u8]>, words: &[&str]) {
        self.write(name, bytes);
        let ran = self.run(&["validate", name]);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
        for word in [&[name], words].concat() {
            assert!(ran.stderr.contains(word), "{name}: no {word:?} in {}", ran.stderr);
        }
    }
}

/// The largest resident set so far, in KiB.
fn peak(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
