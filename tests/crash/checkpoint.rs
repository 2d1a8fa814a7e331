//! What a checkpoint file says, read by its documented lines and by nothing of the program's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

/// The state that the records add up to, for runs in which no body is ever divided.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// Ordinals of the bodies that are held as delivered.
    pub delivered: BTreeSet<u64>,
    /// Ordinals of the bodies that were intended and have no answer.
    pub in_doubt: BTreeSet<u64>,
    /// Whether it was rewritten in a shorter form.
    pub compacted: bool,
    /// Exit code of the finished run.
    pub finished: Option<i64>,
}

impl Checkpoint {
    /// `None` where there is no checkpoint.
    pub fn read(run_dir: &Path) -> Option<Self> {
        let bytes = fs::read(run_dir.join("checkpoint")).ok()?;
        let mut checkpoint = Self::default();
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            match record(line) {
                Some(record) if number == 0 => {
                    assert_eq!(record["moebulk_checkpoint"], 1, "the first line names the version");
                }
                Some(record) => checkpoint.apply(&record),
                // A crash may cut the last record short, and no other.
                None => assert!(number > 0 && lines.peek().is_none(), "line {number} is damaged"),
            }
        }
        Some(checkpoint)
    }

    fn apply(&mut self, record: &Value) {
        let (kind, content) = record.as_object().and_then(|r| r.iter().next()).expect("a record");
        match kind.as_str() {
            "turn" => {
                for settlement in content["settle"].as_array().into_iter().flatten() {
                    let body = whole_body(settlement);
                    self.in_doubt.remove(&body);
                    if settlement["result"].get("delivered").is_some() {
                        self.delivered.insert(body);
                    } else {
                        assert_eq!(settlement["result"], "not_taken", "no row was refused");
                    }
                }
                for intent in content["intend"].as_array().into_iter().flatten() {
                    let body = whole_body(intent);
                    assert!(!self.delivered.contains(&body), "body {body} intended again");
                    self.in_doubt.insert(body);
                }
            }
            "mark" => {
                self.compacted = true;
                let mark = content["mark"].as_u64().expect("a mark");
                self.delivered = (0..mark).collect();
                self.in_doubt.clear();
                for (body, state) in content["bodies"].as_object().expect("bodies") {
                    let body: u64 = body.parse().expect("an ordinal");
                    if state["settled"].as_array().is_some_and(|settled| !settled.is_empty()) {
                        assert_eq!(state["settled"][0][1], state["of"], "settled as a whole");
                        self.delivered.insert(body);
                    } else {
                        self.in_doubt.insert(body);
                    }
                }
            }
            "finished" => self.finished = content["exit_code"].as_i64(),
            "plan" => {}
            other => panic!("an unknown record: {other}"),
        }
    }
}

/// The JSON of a line whose checksum is right.
fn record(line: &[u8]) -> Option<Value> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (checksum, json) = line.split_once(' ')?;
    if u64::from_str_radix(checksum, 16).ok()? != xxh3_64(json.as_bytes()) {
        return None;
    }
    Some(serde_json::from_str(json).expect("JSON under a right checksum"))
}

/// Replaces records, each under a checksum of its own; one at least.
pub fn edit_records(path: &Path, edit: impl Fn(&str) -> Option<String>) {
    let mut edited = 0;
    let text = fs::read_to_string(path).expect("a checkpoint");
    let lines = text.lines().map(|line| {
        let json = line.split_once(' ').expect("a record").1;
        let Some(json) = edit(json) else { return format!("{line}\n") };
        edited += 1;
        format!("{:016x} {json}\n", xxh3_64(json.as_bytes()))
    });
    let lines: String = lines.collect();
    assert!(edited > 0, "{text}");
    fs::write(path, lines).expect("an edited checkpoint");
}

fn whole_body(entry: &Value) -> u64 {
    assert_eq!((&entry["range"][0], &entry["range"][1]), (&Value::from(0), &entry["of"]));
    entry["body"].as_u64().expect("an ordinal")
}
