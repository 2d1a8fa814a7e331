//! The one oracle. After every stop, and at the end, by row id:
//!
//! - input = delivered ∪ failed ∪ rejected ∪ pending, pairwise disjoint, as the checkpoint, the
//!   report, the rejects and `status` say, each of them;
//! - what is claimed as delivered was taken in, and its answer was whole;
//! - what was taken in is claimed as delivered, or known to be in doubt;
//! - a row arrives again only where an answer was lost, or where it was in doubt at a stop;
//! - what the state knows, where there is one, was delivered; at the end it is all of that;
//! - no canary is anywhere, and nobody but the owner can read the run directory.
//!
//! What it finds is counted rather than told at once, so that a long matrix gives its table.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    thread,
};

use serde_json::Value;

use crate::{
    checkpoint::Claims,
    job::{Job, KNOWN},
    lab::{Ended, Lab, files_below},
    server::{Arrival, Server},
};

/// What was found over one or many imports.
#[derive(Debug, Default)]
pub struct Tally {
    /// Lives of imports, resumes included.
    pub runs: usize,
    /// Accepted rows that at the end neither the server had nor anybody reported.
    pub lost: usize,
    /// Times that the server took in a row it had already.
    pub duplicated: usize,
    /// What the laws above do not allow.
    pub unexplained: Vec<String>,
    /// Where canaries were.
    pub canaries: BTreeSet<String>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.runs += other.runs;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.unexplained.extend(other.unexplained);
        self.canaries.extend(other.canaries);
    }

    /// Prints the line of the table, then asserts that nothing was lost, unexplained or told.
    pub fn conclude(self, fault: &str, how: &str) {
        let Self { runs, lost, duplicated, unexplained, canaries } = self;
        let (found, seen) = (unexplained.len(), canaries.len());
        println!("| {fault} | {how} | {runs} | {lost} | {duplicated} | {found} | {seen} |");
        let first: Vec<&String> = unexplained.iter().take(10).collect();
        assert_eq!((lost, found, seen), (0, 0, 0), "{fault}: {first:#?} {canaries:?}");
    }

    /// As [`Tally::conclude`], and no row came twice.
    pub fn conclude_without_duplicates(self, fault: &str, how: &str) {
        let duplicated = self.duplicated;
        self.conclude(fault, how);
        assert_eq!(duplicated, 0, "{fault}: rows came twice");
    }
}

/// Runs scenes side by side, for they wait more than they work.
pub fn side_by_side<T: Send>(scenes: Vec<T>, live: impl Fn(T) -> Tally + Sync) -> Tally {
    let mut tally = Tally::default();
    thread::scope(|scope| {
        let live = &live;
        let scenes: Vec<_> =
            scenes.into_iter().map(|scene| scope.spawn(move || live(scene))).collect();
        scenes.into_iter().for_each(|scene| tally.add(scene.join().expect("a scene")));
    });
    tally
}

/// What is held against what, over the lives of one import.
#[derive(Default)]
pub struct Books {
    pub tally: Tally,
    /// The claims at the last stop.
    pub claims: Claims,
    /// Rows taken in before the life that is audited.
    taken_before: BTreeSet<u64>,
}

impl Books {
    /// Audits a life that is over.
    pub fn audit(&mut self, job: &Job, lab: &Lab, server: &Server, life: u32, ended: &Ended) {
        self.tally.runs += 1;
        self.tally.canaries.extend(ended.canaries.iter().cloned());
        self.tally.canaries.extend(lab.canaries());
        let mut find = |what: String| {
            let end = (ended.code, ended.signal);
            self.tally.unexplained.push(format!("life {life} ({end:?}): {what}"));
        };
        server.faults().into_iter().for_each(&mut find);
        let arrivals = server.arrivals();
        let new: Vec<&Arrival> = arrivals.iter().filter(|came| came.life == life).collect();
        arrived_again(&new, &self.claims, &self.taken_before, &mut find);
        let known = match Claims::read(&lab.path("run"), &job.bodies) {
            Ok(claims) => claims,
            Err(line) => return find(format!("the checkpoint is damaged in line {line}")),
        };
        let has_checkpoint = known.is_some();
        let claims = known.unwrap_or_default();
        held_against_arrivals(job, &claims, &arrivals, &mut find);
        if !claims.delivered.is_superset(&self.claims.delivered)
            || !claims.failed.is_superset(&self.claims.failed)
        {
            find("a claim of an earlier life is forgotten".to_owned());
        }
        if has_checkpoint {
            held_against_status(job, lab, &claims, &mut find);
        }
        if let Ok(report) = serde_json::from_str::<Value>(&ended.stdout) {
            held_against_report(job, &report, &claims, ended, &mut find);
            held_against_rejects(job, lab, &report, &claims, &mut find);
        }
        if job.is_remembered {
            held_against_state(job, lab, &claims, &mut find);
            private(&lab.path(KNOWN), &mut find);
        }
        private(&lab.path("run"), &mut find);
        private(&lab.path("state"), &mut find);
        self.taken_before.extend(taken(&arrivals));
        self.claims = claims;
    }

    /// Audits the whole, when the import is complete.
    pub fn close(&mut self, job: &Job, server: &Server) {
        let arrivals = server.arrivals();
        let taken = taken(&arrivals);
        let Claims { delivered, failed, in_doubt, finished } = &self.claims;
        let settled: BTreeSet<u64> = delivered.union(failed).copied().collect();
        let accepted: BTreeSet<u64> = job.accepted().collect();
        let lost = accepted.iter().filter(|row| !taken.contains(row) && !failed.contains(row));
        self.tally.lost += lost.count();
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        for row in arrivals.iter().filter(|came| came.taken).flat_map(|came| &came.rows) {
            *counts.entry(*row).or_default() += 1;
        }
        self.tally.duplicated += counts.values().map(|count| count - 1).sum::<usize>();
        if settled != accepted || !in_doubt.is_empty() || finished.is_none() {
            let left = accepted.difference(&settled).count();
            let text = format!("complete, and {left} rows are not settled, {in_doubt:?} in doubt");
            self.tally.unexplained.push(text);
        }
        let expected: BTreeSet<u64> = job.poison.union(&job.skipped_in_doubt).copied().collect();
        if *failed != expected {
            self.tally.unexplained.push(format!("failed rows are {failed:?}"));
        }
    }
}

/// Rows that the server took in.
fn taken(arrivals: &[Arrival]) -> BTreeSet<u64> {
    let taken = arrivals.iter().filter(|came| came.taken);
    taken.flat_map(|came| came.rows.iter().copied()).collect()
}

/// Nothing comes again but after a lost answer, or out of doubt.
fn arrived_again(
    new: &[&Arrival],
    earlier: &Claims,
    taken_before: &BTreeSet<u64>,
    find: &mut impl FnMut(String),
) {
    let mut in_this_life: BTreeMap<u64, bool> = BTreeMap::new();
    for came in new {
        for &row in &came.rows {
            if earlier.delivered.contains(&row) || earlier.failed.contains(&row) {
                find(format!("row {row} came again, settled long since"));
            } else if in_this_life.get(&row) == Some(&true) {
                find(format!("row {row} came again after a success that was said"));
            } else if taken_before.contains(&row) && !earlier.in_doubt.contains(&row) {
                find(format!("row {row} came again, and nobody had it in doubt"));
            }
            in_this_life.insert(row, came.taken && !came.lost);
        }
    }
}

fn held_against_arrivals(
    job: &Job,
    claims: &Claims,
    arrivals: &[Arrival],
    find: &mut impl FnMut(String),
) {
    let rows = |which: &dyn Fn(&Arrival) -> bool| -> BTreeSet<u64> {
        arrivals.iter().filter(|came| which(came)).flat_map(|came| came.rows.clone()).collect()
    };
    let came = rows(&|_| true);
    let taken = rows(&|came| came.taken);
    let told = rows(&|came| came.taken && !came.lost);
    let refused_alone = rows(&|came| !came.taken && !came.lost && came.rows.len() == 1);
    let mut empty = |what: &str, rows: Vec<u64>| {
        if !rows.is_empty() {
            find(format!("{what}: {rows:?}"));
        }
    };
    let Claims { delivered, failed, in_doubt, .. } = claims;
    let accepted: BTreeSet<u64> = job.accepted().collect();
    empty("came, and is none of the input's", came.difference(&accepted).copied().collect());
    empty("delivered, and no success was said", delivered.difference(&told).copied().collect());
    let refused: BTreeSet<u64> = refused_alone.union(&job.skipped_in_doubt).copied().collect();
    empty("failed, and never refused", failed.difference(&refused).copied().collect());
    empty("delivered and failed", delivered.intersection(failed).copied().collect());
    empty("delivered and in doubt", delivered.intersection(in_doubt).copied().collect());
    let known: BTreeSet<u64> =
        delivered.iter().chain(in_doubt).chain(&job.skipped_in_doubt).copied().collect();
    empty("taken in, and nobody knows", taken.difference(&known).copied().collect());
}

/// `status` says the same, in numbers and by rows.
fn held_against_status(job: &Job, lab: &Lab, claims: &Claims, find: &mut impl FnMut(String)) {
    let status = lab.run(&["status", "run", "--output", "json"]);
    let Ok(said) = serde_json::from_str::<Value>(&status.stdout) else {
        return find(format!("status: {status:?}"));
    };
    let (delivered, failed) = (claims.delivered.len(), claims.failed.len());
    let pending = job.accepted().count() - delivered - failed;
    let expected = [("delivered", delivered), ("failed", failed), ("pending", pending)];
    // Before the check is through, nothing is counted.
    for (name, count) in expected.into_iter().filter(|_| !said["rows"].is_null()) {
        if said["rows"][name] != count {
            find(format!("status has {} rows {name}, not {count}", said["rows"][name]));
        }
    }
    if said["finished"] != Value::from(claims.finished) {
        find(format!("status says finished: {}", said["finished"]));
    }
    let mut listed = BTreeSet::new();
    for doubt in said["in_doubt"].as_array().into_iter().flatten() {
        let body = doubt["body"].as_u64().expect("a body") as usize;
        let [first, last] = ["first", "last"].map(|end| doubt[end]["row"].as_u64());
        let rows: Vec<u64> = job.bodies[body]
            .iter()
            .copied()
            .filter(|&row| (first..=last).contains(&Some(row)))
            .collect();
        if doubt["elements"] != rows.len() || doubt["first"]["file"] != "rows.csv" {
            find(format!("status names no stretch of a body: {doubt}"));
        }
        // Halves of a stretch in doubt are intents of their own, and some may be settled.
        let is_settled = |row: &u64| claims.delivered.contains(row) || claims.failed.contains(row);
        listed.extend(rows.into_iter().filter(|row| !is_settled(row)));
    }
    if listed != claims.in_doubt {
        find(format!("status lists {listed:?} as in doubt, not {:?}", claims.in_doubt));
    }
}

fn held_against_report(
    job: &Job,
    report: &Value,
    claims: &Claims,
    ended: &Ended,
    find: &mut impl FnMut(String),
) {
    let count = |name: &str| report["rows"][name].as_u64().unwrap_or(u64::MAX) as usize;
    let (delivered, failed) = (claims.delivered.len(), claims.failed.len());
    let rejected = job.rejected.len();
    let accepted = job.accepted().count();
    let expected = [
        ("read", accepted + rejected),
        ("accepted", accepted),
        ("rejected", rejected),
        ("skipped", 0),
        ("delivered", delivered),
        ("failed", failed),
        ("pending", accepted - delivered - failed),
    ];
    // What an unwritten checkpoint says is not known: no more may be claimed than stands in it.
    let is_unwritten = ended.stderr.contains("the checkpoint can't be written");
    for (name, value) in expected {
        let found = count(name);
        let is_right = match name {
            "delivered" | "failed" if is_unwritten => found <= value,
            "pending" if is_unwritten => found >= value,
            _ => found == value,
        };
        if !is_right {
            find(format!("the report has {found} rows {name}, not {value}"));
        }
    }
    if count("accepted") != count("delivered") + count("failed") + count("pending") {
        find(format!("the report does not add up: {}", report["rows"]));
    }
    // A kill can come when everything is done, before that is said or after.
    let is_right = match ended.code {
        Some(code) => report["complete"] == (code == 0 || code == 1),
        None => report["complete"] == false || claims.finished.is_some(),
    };
    if !is_right {
        find(format!("the report says complete: {}", report["complete"]));
    }
}

/// `rejects.csv` holds the rejected rows and, once the run is complete, the refused ones.
fn held_against_rejects(
    job: &Job,
    lab: &Lab,
    report: &Value,
    claims: &Claims,
    find: &mut impl FnMut(String),
) {
    let path = lab.path("run/rejects.csv");
    let (mut rejected, mut refused) = (BTreeSet::new(), BTreeSet::new());
    if path.exists() {
        let mut reader = csv::Reader::from_path(&path).expect("rejects.csv");
        let head = reader.headers().expect("a header").clone();
        let at = |name: &str| head.iter().position(|found| found == name).expect("a column");
        let (row, codes) = (at("_moebulk_row"), at("_moebulk_codes"));
        for record in reader.records() {
            let record = record.expect("a record");
            let number: u64 = record[row].parse().expect("a row");
            let is_refused = matches!(&record[codes], "server-refused" | "in-doubt");
            let set = if is_refused { &mut refused } else { &mut rejected };
            set.insert(number);
        }
    }
    if rejected != job.rejected {
        find(format!("rejects.csv has {rejected:?}"));
    }
    let is_right = match report["complete"].as_bool() {
        Some(true) => refused == claims.failed,
        _ => refused.is_subset(&claims.failed),
    };
    if !is_right {
        find(format!("rejects.csv has {refused:?} as refused, not {:?}", claims.failed));
    }
}

/// What an import would leave out, as the state knows it: no row that was not delivered, and after a
/// complete run every one that was.
fn held_against_state(job: &Job, lab: &Lab, claims: &Claims, find: &mut impl FnMut(String)) {
    let flags = ["pack", "rows.csv", "--out", "would-be.csv", "--run-dir", "packed"];
    let flags = [flags.as_slice(), &["--only-changed", "--state", KNOWN, "--progress", "off"]];
    let packed = lab.run(&flags.concat());
    let Ok(bodies) = fs::read_to_string(lab.path("would-be.csv")) else {
        return find(format!("the state can't be used: {packed:?}"));
    };
    let _ = fs::remove_file(lab.path("would-be.csv"));
    let sent = bodies.split("\"n\":").skip(1);
    let number = |rest: &str| rest.split([',', '}']).next().and_then(|digits| digits.parse().ok());
    let sent: BTreeSet<u64> = sent.filter_map(number).collect();
    let known: BTreeSet<u64> = job.accepted().filter(|row| !sent.contains(row)).collect();
    if !known.is_subset(&claims.delivered) {
        let more: Vec<_> = known.difference(&claims.delivered).collect();
        find(format!("the state knows {more:?}, which nobody delivered"));
    }
    if claims.finished.is_some() && known != claims.delivered {
        let less: Vec<_> = claims.delivered.difference(&known).collect();
        find(format!("the import is complete, and the state does not know {less:?}"));
    }
}

/// Files 0600 in directories 0700.
fn private(dir: &Path, find: &mut impl FnMut(String)) {
    let mode =
        |path: &Path| fs::symlink_metadata(path).map(|meta| meta.permissions().mode() & 0o777);
    for file in files_below(dir) {
        // A file of the process that just died may be gone by now.
        let Ok(found) = mode(&file) else { continue };
        let of_parent = file.parent().and_then(|parent| mode(parent).ok());
        if found != 0o600 || of_parent != Some(0o700) {
            find(format!(
                "{} has mode {found:o}, its directory {:o}",
                file.display(),
                of_parent.unwrap_or(0)
            ));
        }
    }
}
