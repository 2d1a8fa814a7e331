//! The summary's text, to the letter.

use super::*;
use crate::model::{BodyCounts, PlanSummary, RequestCounts, RowCounts, Timing};

fn problem(
    code: &'static str,
    column: Option<&str>,
    count: u64,
    places: &[(&str, u64, Option<u64>)],
) -> ProblemSummary {
    let first = places.iter().map(|&(file, row, line)| FirstPlace {
        file: file.into(),
        row,
        line,
        row_group: line.is_none().then_some(0),
        batch: None,
    });
    ProblemSummary {
        code,
        severity: "reject",
        column: column.map(Into::into),
        count,
        first: first.collect(),
        help: format!("about {code}"),
    }
}

fn summary() -> Summary {
    Summary {
        command: "import".into(),
        destination: Some("https://api-01.moengage.com/v1/".into()),
        rows: RowCounts {
            read: 1_001_000,
            accepted: 1_000_990,
            rejected: 10,
            delivered: 430_000,
            failed: 990,
            pending: 570_000,
            ..RowCounts::default()
        },
        bodies: BodyCounts {
            count: 2_330,
            bytes: 228_000_000,
            bytes_max: 99_998,
            fill_mean: 0.978,
            ..BodyCounts::default()
        },
        plan: PlanSummary { seconds_at_limit: 60_060.0, ..PlanSummary::default() },
        requests: RequestCounts { sent: 1_012, retried: 7, isolated: 5, http_429: 4, http_5xx: 3 },
        problems: vec![
            problem(
                "id-missing",
                Some("customer_id"),
                1_234,
                &[
                    ("a.csv", 3, Some(4)),
                    ("a.csv", 8, Some(9)),
                    ("b.parquet", 7, None),
                    ("b.parquet", 9, None),
                ],
            ),
            problem("field-count", None, 1, &[("a\u{1b}[2J.csv", 1, Some(2))]),
        ],
        timing: Timing { seconds: 754.0, ..Timing::default() },
        ..Summary::default()
    }
}

#[test]
fn a_stopped_import_is_told_in_full() {
    let rejects = [RejectsFile { path: "runs/x/rejects.csv".into(), rows: 1_000 }];
    let next = Next {
        page: Some(Path::new("runs/x/report.html")),
        rejects: &rejects,
        damaged: Some(Path::new("runs/x/damaged.txt")),
        command: Some("moebulk import a.csv --run-dir runs/x"),
    };
    let expected = "\
import to https://api-01.moengage.com/v1/: stopped before the end: 430,000 of 1,000,990 accepted rows delivered, 570,000 pending

  rows      1,001,000 read = 1,000,990 accepted + 10 rejected + 0 skipped
            1,000,990 accepted = 430,000 delivered + 990 failed + 570,000 pending
  bodies    2,330, 228,000,000 bytes, the largest 99,998, mean fill 97.8 %
  requests  1,012 sent, 7 retried, 5 isolating; replies 429: 4, 5xx: 3
  time      12 min 34 s; sending takes 16 h 41 min at the limits

problems
  code         severity  column       count  first at
  id-missing   reject    customer_id  1,234  a.csv:4, a.csv:9, b.parquet row 7, …
  field-count  reject    -                1  a\u{fffd}[2J.csv:2
  id-missing: about id-missing
  field-count: about field-count

next
  open runs/x/report.html in a browser: every problem, with charts
  mend the cells in runs/x/rejects.csv (1,000 rows), then import that file too
  see runs/x/damaged.txt for what is no record
  moebulk import a.csv --run-dir runs/x
";
    assert_eq!(to_text(&summary(), &[], &next, &Look::default()), expected);
}

#[test]
fn each_end_has_its_verdict() {
    let verdict = |command: &str, complete, read, rejected, failed| {
        let accepted = read - rejected;
        let rows = RowCounts {
            read,
            accepted,
            rejected,
            failed,
            delivered: accepted - failed,
            ..RowCounts::default()
        };
        verdict(&Summary { command: command.into(), complete, rows, ..Summary::default() })
    };
    assert_eq!(verdict("import", true, 1_000, 0, 0), "import: all 1,000 rows delivered");
    assert_eq!(
        verdict("import", true, 1_000, 3, 2),
        "import: 995 of 1,000 rows delivered, 3 rejected, 2 failed"
    );
    assert_eq!(verdict("import", true, 0, 0, 0), "import: the inputs have no data rows");
    assert_eq!(verdict("validate", true, 7, 0, 0), "validate: all 7 rows are valid");
    assert_eq!(verdict("validate", true, 7, 7, 0), "validate: all 7 rows rejected");
    assert_eq!(verdict("import", true, 7, 7, 0), "import: all 7 rows rejected");
    assert_eq!(verdict("validate", true, 1, 0, 0), "validate: the only row is valid");
    assert_eq!(verdict("import", true, 1, 0, 0), "import: the only row delivered");
    assert_eq!(verdict("pack", true, 7, 3, 0), "pack: 3 of 7 rows rejected, 4 valid");
    assert_eq!(
        verdict("validate", false, 7, 3, 0),
        "validate: stopped before the end, 7 rows read"
    );
}

#[test]
fn many_problems_fit_a_screen() {
    let mut summary = summary();
    summary.problems = (0..15)
        .map(|index| problem("type-bool", Some(&format!("{index}{}", "x".repeat(60))), 1, &[]))
        .collect();
    let text = to_text(&summary, &[], &Next::default(), &Look::default());
    assert_eq!(text.lines().filter(|line| line.contains("type-bool  ")).count(), 8);
    assert!(text.contains("\n  and 7 more in report.json\n"), "{text}");
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.contains(&format!(" 0{}… ", "x".repeat(30))), "{text}");
}

/// On 80 columns, with the prompt below: what is longer takes two lines.
#[test]
fn the_fullest_summary_fits_a_terminal() {
    let help = "the cell is not a date or date-time of the expected format; use a real calendar date, \
                or set the format in the mapping";
    let path = format!("{}/2026-11/customers.csv", "exports".repeat(20));
    let mut summary = summary();
    summary.problems = ["type-datetime", "type-number", "id-disallowed"]
        .into_iter()
        .cycle()
        .take(9)
        .map(|code| {
            let places = [(path.as_str(), 4_999_998, Some(4_999_999)); 10];
            let problem = problem(code, Some("lifetime_value"), 4_500_000, &places);
            ProblemSummary { help: help.into(), ..problem }
        })
        .collect();
    let rejects = [RejectsFile { path: "load/rejects.csv".into(), rows: 1 }];
    let next = Next {
        page: Some(Path::new("load/report.html")),
        rejects: &rejects,
        damaged: None,
        command: Some("moebulk import load/rejects.csv --data-center 01"),
    };
    let text = to_text(&summary, &[], &next, &Look { width: 80, ..Look::default() });
    let taken = text.lines().map(|line| line.chars().count().div_ceil(80).max(1)).sum::<usize>();
    assert!(taken < 24, "{taken} lines:\n{text}");
    assert!(text.contains("  lines of …11/customers.csv\n"), "{text}");
    assert!(text.contains("  4,500,000  4999999, 4999999, …\n"), "{text}");
    assert!(text.contains("rejects.csv (1 row), then import that file\n"), "{text}");
    assert_eq!(text.lines().last(), Some("  moebulk import load/rejects.csv --data-center 01"));
}

#[test]
fn numbers_and_durations_are_easy_to_read() {
    let numbers = [0, 999, 1_000, 12_345, 123_456, 1_234_567].map(thousands);
    assert_eq!(numbers, ["0", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    let durations = [0.04, 59.9, 60.0, 3_599.6, 90_061.0].map(duration);
    assert_eq!(durations, ["0.0 s", "59.9 s", "1 min 0 s", "1 h 0 min", "25 h 1 min"]);
}
