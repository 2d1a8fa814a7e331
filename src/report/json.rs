//! `report.json`: the summary for scripts.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Error, staged::Staged};
use crate::model::Summary;

/// The report's name in a run directory.
pub const REPORT_FILE: &str = "report.json";

/// The summary as indented JSON, without a line end.
///
/// # Errors
/// Where it can't be JSON, which its types rule out.
pub fn to_json(summary: &Summary) -> serde_json::Result<String> {
    serde_json::to_string_pretty(summary)
}

/// Writes `report.json` to a run directory, in the place of an earlier one.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(dir: &Path, summary: &Summary) -> Result<PathBuf, Error> {
    let text = to_json(summary).map_err(io::Error::from);
    let text = text.map_err(Error::io(&dir.join(REPORT_FILE)))?;
    write_text(dir, REPORT_FILE, &format!("{text}\n"))
}

/// Writes a text to a run directory, whole or not at all, in the place of an earlier one.
///
/// # Errors
/// [`Error::Io`].
pub fn write_text(dir: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = dir.join(name);
    let write = || {
        let mut staged = Staged::create(dir, name)?;
        staged.write_all(text.as_bytes())?;
        staged.commit(&path)
    };
    write().map_err(Error::io(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FirstPlace, ProblemSummary, RowCounts};

    #[test]
    fn the_file_is_the_text_and_has_the_documented_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(REPORT_FILE), "an earlier, longer report".repeat(500))
            .unwrap();
        let summary = Summary {
            version: 1,
            command: "validate".into(),
            rows: RowCounts {
                read: 2,
                accepted: 1,
                rejected: 1,
                pending: 1,
                ..RowCounts::default()
            },
            problems: vec![ProblemSummary {
                code: "id-missing",
                severity: "reject",
                column: Some("customer_id".into()),
                count: 1,
                first: vec![FirstPlace {
                    file: "a.csv".into(),
                    row: 2,
                    line: Some(3),
                    row_group: None,
                    batch: None,
                }],
                help: "…".into(),
            }],
            ..Summary::default()
        };
        let path = write_json(dir.path(), &summary).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, to_json(&summary).unwrap() + "\n");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "version",
                "command",
                "complete",
                "destination",
                "kind",
                "inputs",
                "rows",
                "elements",
                "changes",
                "bodies",
                "plan",
                "requests",
                "problems",
                "rejected_at",
                "profile",
                "throughput",
                "timing",
            ]
        );
        assert_eq!(json["destination"], serde_json::Value::Null);
        assert_eq!(json["rows"]["rejected"], 1);
        let first = serde_json::json!({"file": "a.csv", "row": 2, "line": 3});
        assert_eq!(json["problems"][0]["first"][0], first);
    }
}
