//! An import that is killed again and again: after each kill the checkpoint is held against what
//! the server received, and at the end the two must agree on every row.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::checkpoint::Checkpoint;
use crate::support::{Home, Run, Server, assert_private, row_numbers, until};

/// When a life ends.
#[derive(Clone, Copy, Debug)]
pub enum Kill {
    /// So many milliseconds after the start.
    Start(u64),
    /// So many milliseconds after the first request of this life.
    Sending(u64),
    /// So many milliseconds after nothing was sent for a while: in the wait for the budget.
    Waiting(u64),
    /// When the server has received the last row, whose answer may still be under way.
    End,
}

/// An import, and what must come of it.
pub struct Scenario {
    pub csv: String,
    /// Data rows that pass every check, by number.
    pub accepted: Vec<u64>,
    pub rows: u64,
    /// Arguments that shape the bodies.
    pub shape: Vec<String>,
    /// Arguments that don't.
    pub pace: Vec<String>,
    pub sandbox: Vec<String>,
    pub kills: Vec<Kill>,
    pub exit_code: i32,
}

/// What a survived import leaves to look at.
pub struct Survived {
    pub stats: Value,
    /// Whether a kill found the checkpoint compacted.
    pub compacted: bool,
    /// Bodies in doubt, added up over all kills.
    pub doubts: usize,
}

/// How long without a request tells that the import waits.
const QUIET: Duration = Duration::from_millis(1500);

impl Scenario {
    /// Lives through all kills, then to the end.
    pub fn survive(self) -> Survived {
        let home = Home::new();
        let sandbox: Vec<&str> = self.sandbox.iter().map(String::as_str).collect();
        let server = Server::start(&home, &sandbox);
        let input = home.write("rows.csv", &self.csv);
        let packed = Packed::of(&home, &input, &self.shape);
        assert_eq!(packed.bodies.concat(), self.accepted, "pack has every accepted row in order");

        let run_dir = home.path("run");
        let args = self.import_args(&input, &server, &run_dir);
        let mut doubts: BTreeMap<u64, usize> = BTreeMap::new();
        let mut compacted = false;
        for (number, &kill) in self.kills.iter().enumerate() {
            let run = home.spawn(&args);
            let label = format!("kill {number}, {kill:?}");
            let received_before = server.bodies().len();
            let run = self.live_until(kill, run, &server, received_before);
            let ended = run.kill();
            // Only the last one may come too late.
            let is_late = matches!(kill, Kill::End) && ended.code == Some(self.exit_code);
            assert!(ended.code.is_none() || is_late, "{label}: it ended by itself: {ended:?}");

            let checkpoint = Checkpoint::read(&run_dir);
            let received = packed.ordinals(&server.bodies());
            let Some(checkpoint) = checkpoint else {
                assert!(received.is_empty(), "{label}: something left before the checkpoint");
                continue;
            };
            compacted |= checkpoint.compacted;
            assert_private(&run_dir);
            let distinct: BTreeSet<u64> = received.iter().copied().collect();
            assert!(checkpoint.delivered.is_subset(&distinct), "{label}: claimed, never received");
            let known: BTreeSet<u64> =
                checkpoint.delivered.union(&checkpoint.in_doubt).copied().collect();
            assert!(distinct.is_subset(&known), "{label}: received, but nobody knows of it");
            self.assert_status(&home, &run_dir, &checkpoint, &packed, &label);
            for &body in &checkpoint.in_doubt {
                *doubts.entry(body).or_default() += 1;
            }
            assert_at_most(&received, &doubts, &label);
        }

        let report = home.run(&args).report(self.exit_code);
        let received = packed.ordinals(&server.bodies());
        let distinct: BTreeSet<u64> = received.iter().copied().collect();
        assert_eq!(distinct.len(), packed.bodies.len(), "every body arrived");
        assert_at_most(&received, &doubts, "at the end");
        let rows: BTreeSet<u64> = server.rows().into_iter().collect();
        assert!(rows.iter().eq(&self.accepted), "every accepted row arrived, and no other");
        assert_user_order(&server.page("records"));
        self.assert_report(&report, &packed, &run_dir);

        // The finished import, once more, leaves the server alone.
        let again = home.run(&args).report(self.exit_code);
        assert_eq!(again["rows"], report["rows"]);
        assert_eq!(server.bodies().len(), received.len());
        assert_eq!(server.page("violations")["count"], 0);
        Survived { stats: server.stats(), compacted, doubts: doubts.values().sum() }
    }

    fn import_args(&self, input: &Path, server: &Server, run_dir: &Path) -> Vec<String> {
        let (input, run_dir) = (input.to_string_lossy(), run_dir.to_string_lossy());
        let fixed = [
            "import",
            &input,
            "--endpoint",
            &server.url,
            "--app-id",
            "SANDBOX",
            "--run-dir",
            &run_dir,
            "--yes",
            "--output",
            "json",
            "--progress",
            "off",
        ];
        let fixed = fixed.iter().map(|arg| (*arg).to_owned());
        fixed.chain(self.shape.iter().chain(&self.pace).cloned()).collect()
    }

    fn live_until(&self, kill: Kill, mut run: Run, server: &Server, before: usize) -> Run {
        let pause = |ms| thread::sleep(Duration::from_millis(ms));
        match kill {
            Kill::Start(ms) => pause(ms),
            Kill::Sending(ms) => {
                until("a request, or the end", || {
                    server.requests() > before as u64 || run.has_ended()
                });
                pause(ms);
            }
            Kill::Waiting(ms) => {
                let (mut last, mut since) = (0, Instant::now());
                until("nothing is sent, or the end", || {
                    let now = server.requests();
                    if now != last {
                        (last, since) = (now, Instant::now());
                    }
                    since.elapsed() > QUIET || run.has_ended()
                });
                pause(ms);
            }
            Kill::End => {
                // Only the records tell which rows arrived, and they are long: first the count.
                until("the last row, or the end", || {
                    let stats = server.stats();
                    let units = [&stats["users_accepted"], &stats["events_accepted"]];
                    let count: u64 = units.iter().filter_map(|units| units.as_u64()).sum();
                    let has_all = || {
                        let rows: BTreeSet<u64> = server.rows().into_iter().collect();
                        rows.len() == self.accepted.len()
                    };
                    count >= self.accepted.len() as u64 && has_all() || run.has_ended()
                });
            }
        }
        run
    }

    /// `status` says the same as the checkpoint's lines.
    fn assert_status(
        &self,
        home: &Home,
        run_dir: &Path,
        checkpoint: &Checkpoint,
        packed: &Packed,
        label: &str,
    ) {
        let status = home.run(&["status", &run_dir.to_string_lossy()]);
        assert_eq!(status.code, Some(0), "{label}: {status:?}");
        let text = status.stdout.replace(',', "");
        let delivered = packed.rows_of(&checkpoint.delivered);
        if text.contains(" accepted ") {
            let pending = self.accepted.len() - delivered;
            for words in [format!("{delivered} delivered"), format!("{pending} pending")] {
                assert!(text.contains(&words), "{label}: no `{words}` in {text}");
            }
        }
        let listed: Vec<&str> =
            text.lines().filter(|line| line.trim_start().starts_with("in doubt")).collect();
        assert_eq!(listed.len(), checkpoint.in_doubt.len(), "{label}: {text}");
        for (line, &body) in listed.iter().zip(&checkpoint.in_doubt) {
            let rows = &packed.bodies[body as usize];
            let (first, last) = (rows[0], rows[rows.len() - 1]);
            assert!(line.contains(&format!("{} elements of body {body}:", rows.len())), "{line}");
            assert!(line.contains(&format!("rows.csv row {first} to ")), "{line}");
            assert!(line.ends_with(&format!("rows.csv row {last}")), "{line}");
        }
    }

    fn assert_report(&self, report: &Value, packed: &Packed, run_dir: &Path) {
        let accepted = self.accepted.len();
        assert_eq!(
            report["rows"],
            json!({
                "read": self.rows, "accepted": accepted, "rejected": self.rows - accepted as u64,
                "skipped": 0, "delivered": accepted, "failed": 0, "pending": 0,
            })
        );
        assert_eq!(report["complete"], true);
        assert_eq!(report["bodies"]["digest"], packed.digest.as_str());
        assert_eq!(report["bodies"]["count"], packed.bodies.len());
        let file = std::fs::read_to_string(run_dir.join("report.json")).expect("report.json");
        assert_eq!(&serde_json::from_str::<Value>(&file).expect("JSON"), report);
        let checkpoint = Checkpoint::read(run_dir).expect("a checkpoint");
        assert_eq!(checkpoint.delivered.len(), packed.bodies.len());
        assert_eq!(checkpoint.in_doubt, BTreeSet::new());
        assert_eq!(checkpoint.finished, Some(self.exit_code.into()));
        assert_private(run_dir);
    }
}

/// The bodies as `pack` writes them, which are those that any run must send.
struct Packed {
    bodies: Vec<Vec<u64>>,
    ordinals: HashMap<Vec<u64>, u64>,
    digest: String,
}

impl Packed {
    fn of(home: &Home, input: &Path, shape: &[String]) -> Self {
        let (input, out): (_, PathBuf) = (input.to_string_lossy(), home.path("bodies.jsonl"));
        let out_arg = out.to_string_lossy();
        let mut args =
            vec!["pack", &input, "--out", &out_arg, "--output", "json", "--progress", "off"];
        args.extend(shape.iter().map(String::as_str));
        let packed = home.run(&args);
        assert!(matches!(packed.code, Some(0 | 1)), "{packed:?}");
        let report: Value = serde_json::from_str(&packed.stdout).expect("a report");
        let text = std::fs::read_to_string(&out).expect("packed bodies");
        let bodies: Vec<Vec<u64>> = text
            .lines()
            .map(|line| {
                let body: Value = serde_json::from_str(line).expect("a body");
                body["elements"]
                    .as_array()
                    .expect("elements")
                    .iter()
                    .flat_map(row_numbers)
                    .collect()
            })
            .collect();
        let ordinals = bodies.iter().cloned().zip(0..).collect();
        let digest = report["bodies"]["digest"].as_str().expect("a digest").to_owned();
        Self { bodies, ordinals, digest }
    }

    /// The ordinals of received bodies; each must be one of these, to the last row.
    fn ordinals(&self, received: &[Vec<u64>]) -> Vec<u64> {
        let ordinal = |rows: &Vec<u64>| {
            *self.ordinals.get(rows).unwrap_or_else(|| panic!("no packed body is {rows:?}"))
        };
        received.iter().map(ordinal).collect()
    }

    fn rows_of(&self, ordinals: &BTreeSet<u64>) -> usize {
        ordinals.iter().map(|&body| self.bodies[body as usize].len()).sum()
    }
}

/// A body arrives once, and once more for each kill that found it in doubt: so none arrives again
/// that was held as delivered.
fn assert_at_most(received: &[u64], doubts: &BTreeMap<u64, usize>, label: &str) {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for &body in received {
        *counts.entry(body).or_default() += 1;
    }
    for (body, count) in counts {
        let allowed = 1 + doubts.get(&body).copied().unwrap_or(0);
        assert!(count <= allowed, "{label}: body {body} arrived {count} times, not {allowed}");
    }
}

/// The updates of each user arrive in the order of the file; a body that is sent again after a crash
/// repeats what it held, before anything newer.
fn assert_user_order(records: &Value) {
    let mut by_user: HashMap<&str, Vec<(u64, Vec<u64>)>> = HashMap::new();
    for record in records["records"].as_array().expect("records") {
        let element = &record["element"];
        if element["type"] == "event" {
            // Events carry their own time and may overtake each other.
            continue;
        }
        let user = element["customer_id"].as_str().expect("an id");
        let request = record["request"].as_u64().expect("a request");
        let requests = by_user.entry(user).or_default();
        match requests.last_mut() {
            Some((last, rows)) if *last == request => rows.extend(row_numbers(element)),
            _ => requests.push((request, row_numbers(element))),
        }
    }
    for (user, requests) in by_user {
        let mut rows: Vec<Vec<u64>> = requests.into_iter().map(|(_, rows)| rows).collect();
        rows.dedup();
        let rows = rows.concat();
        assert!(rows.is_sorted_by(|a, b| a < b), "{user} was updated in the order {rows:?}");
    }
}
