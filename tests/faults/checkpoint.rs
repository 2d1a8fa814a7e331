//! What a checkpoint claims of each row, read by its documented lines and by nothing of the
//! program's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// Rows by what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub delivered: BTreeSet<u64>,
    pub failed: BTreeSet<u64>,
    /// Sent, and nobody knows what became of them.
    pub in_doubt: BTreeSet<u64>,
    /// The exit code of a run that came to its end.
    pub finished: Option<i64>,
}

/// One body, by element.
#[derive(Clone, Debug, Default)]
struct Body {
    delivered: BTreeSet<usize>,
    failed: BTreeSet<usize>,
    intents: Vec<(usize, usize)>,
}

#[derive(Default)]
struct Replay {
    bodies: BTreeMap<usize, Body>,
    finished: Option<i64>,
}

impl Claims {
    /// The claims of a run directory, `None` where there is no checkpoint; `bodies` are the rows
    /// of each.
    ///
    /// # Errors
    /// The first damaged line, from 1, that is not a torn last one.
    pub fn read(run_dir: &Path, bodies: &[Vec<u64>]) -> Result<Option<Self>, usize> {
        let Ok(bytes) = fs::read(run_dir.join("checkpoint")) else { return Ok(None) };
        let mut replay = Replay::default();
        let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
        for (number, line) in lines.iter().enumerate() {
            match record(line) {
                Some(header) if number == 0 => {
                    assert_eq!(header["moebulk_checkpoint"], 1, "the first line has the version");
                }
                Some(record) => replay.apply(&record, bodies),
                None if number > 0 && number + 1 == lines.len() && !line.ends_with(b"\n") => {}
                None => return Err(number + 1),
            }
        }
        Ok(Some(replay.claims(bodies)))
    }
}

impl Replay {
    fn apply(&mut self, record: &Value, rows: &[Vec<u64>]) {
        let (kind, content) = record.as_object().and_then(|r| r.iter().next()).expect("a record");
        match kind.as_str() {
            "turn" => self.turn(content, rows),
            "mark" => self.mark(content, rows),
            "finished" => self.finished = content["exit_code"].as_i64(),
            "plan" => {}
            other => panic!("an unknown record: {other}"),
        }
    }

    /// What became of stretches, and then which may leave.
    fn turn(&mut self, turn: &Value, rows: &[Vec<u64>]) {
        for settlement in turn["settle"].as_array().into_iter().flatten() {
            let (body, from, to) = stretch(settlement, rows);
            let body = self.bodies.entry(body).or_default();
            let result = &settlement["result"];
            if result == "not_taken" {
                body.intents.retain(|&(start, end)| start < from || to < end);
            } else if result.get("delivered").is_some() {
                body.delivered.extend(from..to);
            } else {
                assert!(result.get("failed").is_some() && to == from + 1, "{settlement}");
                body.failed.insert(from);
            }
        }
        for intent in turn["intend"].as_array().into_iter().flatten() {
            self.finished = None;
            let (body, from, to) = stretch(intent, rows);
            let body = self.bodies.entry(body).or_default();
            body.intents.retain(|&intent| intent != (from, to));
            body.intents.push((from, to));
        }
    }

    /// The state in short, of a checkpoint that was written anew.
    fn mark(&mut self, content: &Value, rows: &[Vec<u64>]) {
        self.bodies.clear();
        let failed = content["failed"].as_array().expect("failed rows");
        let failed: BTreeSet<(usize, usize)> =
            failed.iter().map(|row| (number(&row["body"]), number(&row["element"]))).collect();
        let mut settle = |body: usize, from: usize, to: usize| {
            for element in from..to {
                let entry = self.bodies.entry(body).or_default();
                let is_failed = failed.contains(&(body, element));
                let set = if is_failed { &mut entry.failed } else { &mut entry.delivered };
                set.insert(element);
            }
        };
        (0..number(&content["mark"])).for_each(|body| settle(body, 0, rows[body].len()));
        let bodies = content["bodies"].as_object().expect("bodies");
        for (body, state) in bodies {
            let body: usize = body.parse().expect("an ordinal");
            for range in state["settled"].as_array().into_iter().flatten() {
                settle(body, number(&range[0]), number(&range[1]));
            }
        }
        for (body, state) in bodies {
            let body: usize = body.parse().expect("an ordinal");
            for intent in state["in_doubt"].as_array().into_iter().flatten() {
                let (_, from, to) = stretch(intent, rows);
                self.bodies.entry(body).or_default().intents.push((from, to));
            }
        }
    }

    fn claims(self, rows: &[Vec<u64>]) -> Claims {
        let mut claims = Claims { finished: self.finished, ..Claims::default() };
        for (number, body) in self.bodies {
            let row = |element: &usize| rows[number][*element];
            claims.delivered.extend(body.delivered.iter().map(row));
            claims.failed.extend(body.failed.iter().map(row));
            let intended = body.intents.iter().flat_map(|&(from, to)| from..to);
            let settled =
                |element: &usize| body.delivered.contains(element) || body.failed.contains(element);
            claims.in_doubt.extend(intended.filter(|at| !settled(at)).map(|at| row(&at)));
        }
        claims
    }
}

/// The JSON of a line whose checksum is right.
fn record(line: &[u8]) -> Option<Value> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (checksum, json) = line.split_once(' ')?;
    if format!("{:016x}", xxh3_64(json.as_bytes())) != checksum {
        return None;
    }
    Some(serde_json::from_str(json).expect("JSON under a right checksum"))
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}")) as usize
}

/// A body's ordinal and a stretch of its elements, held against the rows that it must have.
fn stretch(entry: &Value, rows: &[Vec<u64>]) -> (usize, usize, usize) {
    let body = number(&entry["body"]);
    assert_eq!(number(&entry["of"]), rows[body].len(), "body {body} has the rows it should");
    let [from, to] = [0, 1].map(|end| number(&entry["range"][end]));
    if let Some(first) = entry["first"]["row"].as_u64() {
        let last = entry["last"]["row"].as_u64();
        assert_eq!((first, last), (rows[body][from], Some(rows[body][to - 1])), "{entry}");
    }
    (body, from, to)
}
