//! `moebulk status`

use std::path::Path;

use serde_json::{Value, json};

use super::{
    args::{DocumentOutput, StatusArgs},
    exit::Exit,
    print, text,
};
use crate::journal::{CHECKPOINT_FILE, Journal, Snapshot};
use crate::model::{Intent, Position};
use crate::run::{self, Error};

/// Says what a checkpoint holds: the named one, or the newest.
///
/// # Errors
/// There is none, or it cannot be believed.
pub fn run(args: StatusArgs) -> Result<Exit, Error> {
    let run_dir = args.run_dir.map_or_else(run::newest_dir, Ok)?;
    if run_dir.is_file() {
        return Err(Error::Usage(format!(
            "{}: is a file and no run directory; name the directory that the import was given with \
             --run-dir, or one of those that `moebulk runs list` shows",
            run_dir.display()
        )));
    }
    let snapshot = Journal::peek(&run_dir.join(CHECKPOINT_FILE))?;
    let text = match args.output {
        DocumentOutput::Text => text::status(&snapshot, &run_dir),
        DocumentOutput::Json => format!("{:#}", document(&snapshot, &run_dir)),
    };
    print(&text)
}

/// The checkpoint as one JSON document; `rows` is `null` until the check is through.
fn document(snapshot: &Snapshot, run_dir: &Path) -> Value {
    let Snapshot { binding, progress, plan, .. } = snapshot;
    let failed = progress.failed.len() as u64;
    let rows = plan.as_ref().map(|plan| {
        json!({
            "read": plan.rows_read,
            "accepted": plan.rows_accepted,
            "rejected": plan.rows_rejected,
            "skipped": plan.rows_skipped,
            "delivered": progress.delivered,
            "failed": failed,
            "pending": plan.rows_accepted.saturating_sub(progress.delivered + failed),
        })
    });
    let place = |at: Position| {
        let mut place = json!({
            "file": binding.inputs.get(at.file as usize).map(|input| &input.path),
            "row": at.row,
        });
        if let Some(line) = at.place.line() {
            place["line"] = json!(line);
        }
        if let Some(group) = at.place.row_group() {
            place["row_group"] = json!(group);
        }
        if let Some(batch) = at.place.batch() {
            place["batch"] = json!(batch);
        }
        place
    };
    let in_doubt = progress.in_doubt().map(|Intent { seq, range, first, last, .. }| {
        json!({
            "body": seq,
            "elements": range.len(),
            "first": place(first),
            "last": place(last),
        })
    });
    let inputs =
        binding.inputs.iter().map(|input| json!({"path": input.path, "bytes": input.bytes}));
    let requests = &progress.requests;
    json!({
        "version": 1,
        "command": "status",
        "run_dir": run_dir.display().to_string(),
        "kind": binding.kind,
        "destination": format!("{} {}", binding.endpoint, binding.app_id),
        "inputs": inputs.collect::<Vec<_>>(),
        "rows": rows,
        "requests": {
            "sent": requests.sent,
            "retried": requests.retried,
            "isolated": requests.isolated,
            "http_429": requests.http_429,
            "http_5xx": requests.http_5xx,
        },
        "in_doubt": in_doubt.collect::<Vec<_>>(),
        "finished": snapshot.finished,
    })
}
