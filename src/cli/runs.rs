//! `moebulk runs`

use chrono::{DateTime, Utc};
use indicatif::{DecimalBytes, HumanCount};
use serde_json::{Value, json};

use super::{
    args::{DocumentOutput, PruneArgs, RunsArgs, RunsCommand},
    exit::Exit,
    print, say,
};
use crate::run::{self, Error, FoundRun, Pruned, Standing};

/// Lists runs, or removes old ones.
///
/// # Errors
/// Their place can't be read.
pub fn run(command: RunsCommand) -> Result<Exit, Error> {
    match command {
        RunsCommand::List(RunsArgs { place, output }) => {
            let runs = run::find_runs(&place)?;
            let text = match output {
                DocumentOutput::Json => {
                    let runs: Vec<Value> = runs.iter().map(document).collect();
                    format!("{:#}", json!({"version": 1, "command": "runs list", "runs": runs}))
                }
                DocumentOutput::Text if runs.is_empty() => {
                    format!("no run below {}", place.display())
                }
                DocumentOutput::Text => runs.iter().map(line).collect::<Vec<_>>().join("\n"),
            };
            print(&text)
        }
        RunsCommand::Prune(args) => prune(&args),
    }
}

fn prune(args: &PruneArgs) -> Result<Exit, Error> {
    let PruneArgs { runs: RunsArgs { place, output }, older_than, dry_run } = args;
    let pruned = run::prune_runs(place, *older_than, *dry_run)?;
    let (mut removed, mut kept) = (Vec::new(), Vec::new());
    for one in pruned {
        match one {
            Pruned::Removed(run) => removed.push(run),
            Pruned::Kept(run, reason) => kept.push((run, reason)),
        }
    }
    let bytes: u64 = removed.iter().map(|run| run.bytes).sum();
    let text = match output {
        DocumentOutput::Json => {
            let removed: Vec<Value> = removed.iter().map(document).collect();
            let kept: Vec<Value> = kept
                .iter()
                .map(|(run, reason)| {
                    let mut document = document(run);
                    document["reason"] = json!(reason);
                    document
                })
                .collect();
            format!(
                "{:#}",
                json!({
                    "version": 1,
                    "command": "runs prune",
                    "dry_run": dry_run,
                    "removed": removed,
                    "kept": kept,
                })
            )
        }
        DocumentOutput::Text => {
            for (run, reason) in &kept {
                say(&format!("kept: {}: {reason}", run.dir.display()));
            }
            let mut lines: Vec<String> = removed.iter().map(line).collect();
            let noun = if removed.len() == 1 { "run" } else { "runs" };
            let verb = if *dry_run { "would be removed" } else { "removed" };
            lines.push(format!(
                "{} {noun} {verb}, {}",
                HumanCount(removed.len() as u64),
                DecimalBytes(bytes)
            ));
            lines.join("\n")
        }
    };
    print(&text)
}

/// A run on one line: when, how it stands, what it is, and where.
fn line(run: &FoundRun) -> String {
    let time = DateTime::<Utc>::from(run.written).format("%Y-%m-%d %H:%M UTC");
    let standing = match &run.what {
        Standing::Finished(code, _) => format!("finished ({code})"),
        other => other.as_str().to_owned(),
    };
    let what = match run.what.snapshot() {
        None => String::new(),
        Some(snapshot) => {
            let accepted = snapshot.plan.as_ref().map_or(0, |plan| plan.rows_accepted);
            format!(
                ", {} of {} {} delivered",
                HumanCount(snapshot.progress.delivered),
                HumanCount(accepted),
                snapshot.binding.kind
            )
        }
    };
    let bytes = DecimalBytes(run.bytes).to_string();
    format!("{time}  {standing:<13}  {bytes:>9}  {}{what}", run.dir.display())
}

fn document(run: &FoundRun) -> Value {
    let written = DateTime::<Utc>::from(run.written).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let snapshot = run.what.snapshot();
    json!({
        "run_dir": run.dir.display().to_string(),
        "standing": run.what.as_str(),
        "exit_code": match &run.what {
            Standing::Finished(code, _) => Some(*code),
            _ => None,
        },
        "written": written,
        "bytes": run.bytes,
        "kind": snapshot.map(|snapshot| &snapshot.binding.kind),
        "accepted": snapshot.and_then(|snapshot| snapshot.plan.as_ref()).map(|plan| plan.rows_accepted),
        "delivered": snapshot.map(|snapshot| snapshot.progress.delivered),
    })
}
