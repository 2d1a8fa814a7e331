//! The import that is put to the faults, and its lives.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
    thread,
    time::Duration,
};

use xxhash_rust::xxh3::xxh3_64;

use crate::{
    checkpoint::Claims,
    lab::{APP, DATA, Ended, Lab, Process},
    oracle::{Books, Tally},
    server::{Rules, Server},
    tools::Tmpfs,
};

/// Where an import remembers what was delivered.
pub const KNOWN: &str = "known";

/// Rows, the rejected among them, and how they stand in bodies.
#[derive(Clone)]
pub struct Job {
    pub rows: u64,
    /// What is delivered is remembered, under `--only-changed`.
    pub is_remembered: bool,
    /// Rows are events rather than users.
    pub is_events: bool,
    pub rejected: BTreeSet<u64>,
    /// Rows that the server refuses.
    pub poison: BTreeSet<u64>,
    /// Rows that are left out because they are in doubt.
    pub skipped_in_doubt: BTreeSet<u64>,
    /// Notes of rows that are not the usual ones.
    pub notes: BTreeMap<u64, String>,
    /// The rows of each body, in order.
    pub bodies: Vec<Vec<u64>>,
    pub flags: Vec<String>,
}

impl Job {
    /// So many accepted rows, so many of them a body; three more are rejected.
    pub fn new(accepted: u64, body_rows: usize) -> Self {
        let rows = accepted + 3;
        let rejected = BTreeSet::from([1, rows / 2, rows]);
        let good: Vec<u64> = (1..=rows).filter(|row| !rejected.contains(row)).collect();
        let bodies = good.chunks(body_rows).map(<[u64]>::to_vec).collect();
        let cut = body_rows.to_string();
        let flags = ["--cut-users", &cut, "--users-per-minute", "1000000", "--connections", "2"];
        let flags = flags.map(str::to_owned).into();
        Self {
            rows,
            is_remembered: false,
            is_events: false,
            rejected,
            poison: BTreeSet::new(),
            skipped_in_doubt: BTreeSet::new(),
            notes: BTreeMap::new(),
            bodies,
            flags,
        }
    }

    /// Six bodies of ten rows, three rejected rows.
    pub fn small() -> Self {
        Self::new(60, 10)
    }

    /// The same rows as events.
    pub fn of_events(mut self) -> Self {
        self.is_events = true;
        for flag in &mut self.flags {
            *flag = flag.replace("users", "events");
        }
        self.with(&["--kind", "events", "--event", "Visit"])
    }

    /// The same rows, and what is delivered is remembered.
    pub fn remembered(mut self) -> Self {
        self.is_remembered = true;
        self.with(&["--only-changed", "--state", KNOWN])
    }

    pub fn with(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    pub fn accepted(&self) -> impl Iterator<Item = u64> {
        self.bodies.iter().flatten().copied()
    }

    pub fn csv(&self) -> String {
        let row = |n: u64| {
            // `null` is an id that the API disallows.
            let is_rejected = self.rejected.contains(&n);
            let id = if is_rejected { "null".into() } else { format!("{DATA}-user-{n:06}") };
            let time = if self.is_events { ",2026-01-31T12:00:00Z" } else { "" };
            let note = self.notes.get(&n).map(|note| format!("\"{note}\""));
            let note = note.unwrap_or_else(|| format!("{DATA}-{n}"));
            format!("{id},{n},{note}{time}\n")
        };
        let time = if self.is_events { ",current_time" } else { "" };
        let rows: String = (1..=self.rows).map(row).collect();
        format!("customer_id,n,note{time}\n{rows}")
    }

    /// The exit code of its complete import.
    pub fn code(&self) -> i32 {
        i32::from(!self.rejected.is_empty() || !self.poison.is_empty())
    }
}

/// An import, its server and its books.
pub struct Scene {
    /// A file system of its own within the directory, gone before that is.
    pub disk: Option<Tmpfs>,
    pub job: Job,
    pub lab: Lab,
    pub server: Server,
    pub books: Books,
    /// Another endpoint than the server's.
    pub elsewhere: Option<String>,
    life: u32,
}

impl Scene {
    pub fn new(job: Job, rules: Rules) -> Self {
        let lab = Lab::new();
        lab.write("rows.csv", job.csv());
        let server = Server::start(rules);
        let books = Books::default();
        Self { disk: None, job, lab, server, books, elsewhere: None, life: 0 }
    }

    pub fn small(rules: Rules) -> Self {
        Self::new(Job::small(), rules)
    }

    /// The arguments of the import, with more at the end.
    pub fn args(&self, flags: &[&str]) -> Vec<String> {
        let url = self.elsewhere.clone().unwrap_or_else(|| self.server.url());
        let fixed = [
            "import",
            "rows.csv",
            "--endpoint",
            &url,
            "--app-id",
            APP,
            "--run-dir",
            "run",
            "--yes",
            "--output",
            "json",
            "--progress",
            "off",
        ];
        let mut args: Vec<String> = fixed.map(str::to_owned).into();
        let own = self.job.flags.iter().map(String::as_str).chain(flags.iter().copied());
        // A later value takes the place of an earlier one.
        let mut last = None;
        for word in own {
            match last.take().and_then(|at: usize| args.get_mut(at)) {
                Some(value) if !word.starts_with("--") => word.clone_into(value),
                _ => {
                    last = args.iter().position(|arg| arg == word).map(|at| at + 1);
                    if last.is_none() {
                        args.push(word.to_owned());
                    }
                }
            }
        }
        args
    }

    /// Another life of the import, started and not judged yet.
    pub fn start(&mut self, prefix: &[String], flags: &[&str]) -> Process {
        self.start_as(prefix, flags, |_| {})
    }

    pub fn start_as(
        &mut self,
        prefix: &[String],
        flags: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> Process {
        self.life = self.server.next_life();
        let mut command = self.lab.command(prefix, &self.args(flags));
        change(&mut command);
        self.lab.start(command)
    }

    /// Judges a life that is over.
    pub fn audit(&mut self, ended: Ended) -> Ended {
        self.server.quiesce();
        self.books.audit(&self.job, &self.lab, &self.server, self.life, &ended);
        ended
    }

    /// A whole life.
    pub fn live(&mut self, prefix: &[String], flags: &[&str]) -> Ended {
        let ended = self.start(prefix, flags).wait();
        self.audit(ended)
    }

    /// A life that is killed so long after its start.
    pub fn live_for(&mut self, time: Duration) -> Ended {
        let process = self.start(&[], &[]);
        thread::sleep(time);
        let ended = process.kill();
        self.audit(ended)
    }

    /// A crash while the log of the budget is written costs a wait of minutes, which is right and
    /// takes time here: the next life finds no log.
    pub fn forget_the_budget(&self) {
        let _ = fs::remove_dir_all(self.lab.path("state"));
    }

    /// The files that an import writes: of the run, and the log of the budget.
    pub fn written_paths(&self) -> Vec<String> {
        let names = [
            "lock",
            "checkpoint",
            "checkpoint.tmp",
            ".rejects-0.tmp",
            ".resolved-mapping.toml.tmp",
            ".report.json.tmp",
            ".report.html.tmp",
        ];
        let account = format!("{}\n{APP}", self.server.url());
        let log = format!("state/moebulk/{:016x}.rates", xxh3_64(account.as_bytes()));
        let names = names.iter().map(|name| format!("run/{name}")).chain([log]);
        names.map(|name| self.lab.path(&name).display().to_string()).collect()
    }

    pub fn claims(&self) -> &Claims {
        &self.books.claims
    }

    /// Lives on to the end, undisturbed, and judges the whole.
    pub fn finish(self) -> Tally {
        self.server.be_kind();
        self.finish_as_is()
    }

    /// As [`Scene::finish`], with a server that goes on as it was.
    pub fn finish_as_is(mut self) -> Tally {
        let ended = self.live(&[], &["--log-level", "trace"]);
        if ended.code != Some(self.job.code()) {
            let text = format!("the last life ended with {:?}: {}", ended.code, ended.stderr);
            self.books.tally.unexplained.push(text);
        }
        self.books.close(&self.job, &self.server);
        self.books.tally
    }
}
