//! The page's text, held against the summary that it is of.

use super::*;
use crate::model::{
    BodyCounts, ChangeSummary, ColumnProfile, FirstPlace, Histogram, InputSummary, Mark, MarkKind,
    PlanSummary, ProblemSummary, Profile, RequestCounts, RowCounts, Throughput,
};

const HOSTILE: &str = "<script>alert(\"1\")</script> & '\u{1b}[2J";

fn problem(code: &'static str, column: Option<&str>, count: u64, file: &str) -> ProblemSummary {
    let place = |row| FirstPlace {
        file: file.into(),
        row,
        line: Some(row + 1),
        row_group: None,
        batch: None,
    };
    ProblemSummary {
        code,
        severity: "reject",
        column: column.map(Into::into),
        count,
        first: (1_000..1_010).map(place).collect(),
        help: "a value is missing; see `null` or use --null-value".into(),
    }
}

fn summary() -> Summary {
    Summary {
        version: 1,
        command: "import".into(),
        complete: true,
        destination: Some("https://api-01.moengage.com WORKSPACE".into()),
        kind: "users".into(),
        inputs: vec![InputSummary { path: "a.csv".into(), bytes: 1_234_567, rows: 20_000 }],
        rows: RowCounts {
            read: 20_000,
            accepted: 18_766,
            rejected: 1_234,
            delivered: 18_760,
            failed: 6,
            ..RowCounts::default()
        },
        bodies: BodyCounts {
            count: 47,
            bytes: 4_600_000,
            fill_mean: 0.978,
            fill: [0, 0, 0, 0, 1, 0, 0, 0, 0, 46],
            ..BodyCounts::default()
        },
        plan: PlanSummary {
            seconds_at_limit: 1_081.8,
            users_per_minute: Some(1_000),
            events_per_minute: None,
        },
        requests: RequestCounts { sent: 51, retried: 3, http_429: 2, ..RequestCounts::default() },
        problems: vec![problem("id-missing", Some("customer_id"), 1_234, "a.csv")],
        rejected_at: Histogram { width: 256, counts: [[0; 40], [30; 40]].concat() },
        profile: Profile {
            rows: 9_000,
            of: 20_000,
            columns: vec![ColumnProfile {
                column: "plan".into(),
                filled: 0.875,
                number: 0.25,
                text: 0.75,
                ..ColumnProfile::default()
            }],
        },
        throughput: Some(Throughput {
            sending_ms: 75_400,
            delivered: Histogram { width: 30_000, counts: vec![900, 100, 760] },
            per_minute: Some(1_000),
            marks: vec![
                Mark { at_ms: 61_000, kind: MarkKind::Http429, replies: 2, pause_ms: 0 },
                Mark { at_ms: 61_000, kind: MarkKind::ServerAsked, replies: 0, pause_ms: 7_000 },
            ],
            marks_left_out: 40,
        }),
        ..Summary::default()
    }
}

/// The page, with its non-breaking blanks as plain ones.
fn page(summary: &Summary) -> String {
    to_html(summary).expect("a page").replace('\u{a0}', " ")
}

fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} is not in:\n{page}");
    }
}

#[test]
fn figures_stand_in_the_page() {
    let text = page(&summary());
    assert_has(
        &text,
        &[
            "<h1>18,760 of 20,000 rows delivered, 1,234 rejected, 6 failed</h1>",
            "Complete, with rows to mend",
            "to https://api-01.moengage.com WORKSPACE",
            "<b>a.csv</b> <span>20,000 rows, 1.2 MB</span>",
            "<dt>Accepted</dt><dd><b>93.8 %</b><span>18,766 rows</span>",
            "<dt>Time at the limits</dt><dd><b>18 min 2 s</b><span>1,000 users a minute</span>",
            "20,000 rows read: 18,766 accepted, 1,234 rejected, 0 skipped. Of the accepted: 18,760 \
             delivered, 6 refused by the server, 0 not sent.",
            "data-value=\"1234\">1,234</td>",
            "lines 1,001 · 1,002 · 1,003",
            "A value is missing; see <code>null</code> or use <code>--null-value</code>.",
            "From 9,000 of 20,000 rows looked at",
            "<td class=\"number\">87.5 %</td>",
            "75 % text, 25 % number",
            "<th scope=\"row\">90 to 100 %</th><td class=\"number\">46</td><td class=\"number\">97.9 %</td>",
            "Each bar is 256 rows, in the order of the import.</",
        ],
    );
}

#[test]
fn where_rejected_rows_stand_is_said_as_it_is() {
    let about = |counts: Vec<u64>| {
        let rejected_at = Histogram { width: 256, counts };
        let text = page(&Summary { rejected_at, ..summary() });
        let (_, rest) = text.split_once("in the order of the import.").expect("a chart");
        rest.split_once('<').expect("an end").0.trim().to_owned()
    };
    let with = |most: u64, others: u64| [vec![0; 10], vec![most], vec![others; 30]].concat();
    assert_eq!(about(with(31, 1)), "Most are among rows 2,561 to 2,816: 31 of 61.");
    assert_eq!(about(with(30, 1)), "The highest is rows 2,561 to 2,816, with 30 of 60.");
    // One in each of so many says nothing of any.
    assert_eq!(about(with(1, 1)), "They are spread over all of it.");
    assert_eq!(about([vec![1; 30], vec![0; 60]].concat()), "");
}

#[test]
fn rows_left_in_doubt_are_not_called_refused() {
    let mut summary = summary();
    summary.problems.push(problem("in-doubt", None, 4, "a.csv"));
    let text = page(&summary);
    assert_has(
        &text,
        &[
            "18,760 delivered, 2 refused by the server, 4 left out in doubt, 0 not sent.",
            // A bar of the picture.
            ">\nin doubt\n<",
        ],
    );
    assert!(!page(&self::summary()).contains("in doubt\n<"));
}

#[test]
fn an_imports_pace_is_told_with_every_mark() {
    let text = page(&summary());
    assert_has(
        &text,
        &[
            "over 1 min 15 s of sending in this run; at most 1,000, and the budget is 1,000 a minute",
            "Refusals for the rate (429) and pauses: 42.",
            "<th scope=\"row\">1:15</th><td class=\"number\">760</td><td class=\"number\">860</td>",
            "<td>1:01</td><td>refused for the rate (429)</td><td>2</td>",
            "<td>the server asked for a pause</td><td></td><td>7.0 s</td>",
            "and 40 more",
            "Of this run alone",
        ],
    );
    let already = page(&Summary { throughput: None, ..summary() });
    assert_has(&already, &["This run sent nothing."]);
    let check = page(&Summary { command: "validate".into(), throughput: None, ..summary() });
    assert_has(&check, &["nothing was sent"]);
    assert!(!check.contains("pace-title"));
}

#[test]
fn what_has_no_problem_says_so() {
    let summary = Summary { command: "validate".into(), complete: true, ..Summary::default() };
    let text = page(&summary);
    assert_has(
        &text,
        &[
            "<h1>The inputs have no data rows</h1>",
            "</span>Nothing to send</p>",
            "<dt>Accepted</dt><dd><b>–</b>",
            "<dt>Time at the limits</dt><dd><b>–</b>",
            "<dt>Request bodies</dt><dd><b>0</b><span>nothing to send</span>",
            "No row was read",
        ],
    );
    // Nothing is drawn where there is nothing.
    for barred in ["id=\"problems\"", "<svg", "id=\"columns-title\"", "No problem was found"] {
        assert!(!text.contains(barred), "{barred}: {text}");
    }
    let rows = RowCounts { read: 1, accepted: 1, pending: 1, ..RowCounts::default() };
    let text = page(&Summary { rows, ..summary });
    assert_has(&text, &["<h1>The only row is valid</h1>", "Nothing: no problem was found."]);
}

#[test]
fn the_state_says_what_is_over_and_how_it_went() {
    let state = |command: &str, complete, rejected, failed, problems: &[ProblemSummary]| {
        let accepted = 10 - rejected;
        let delivered = if command == "import" { accepted - failed } else { 0 };
        let rows =
            RowCounts { read: 10, accepted, rejected, failed, delivered, ..RowCounts::default() };
        let problems = problems.to_vec();
        let command = command.to_owned();
        let text = page(&Summary { command, complete, rows, problems, ..Summary::default() });
        let (_, rest) = text.split_once("<p class=\"state ").expect("a state");
        let (tone, rest) = rest.split_once('"').expect("a tone");
        let (_, rest) = rest.split_once("</span>").expect("a dot");
        format!("{tone}: {}", rest.split_once("</p>").expect("its end").0)
    };
    let warning =
        ProblemSummary { severity: "warning", ..problem("id-lookalike", None, 1, "a.csv") };
    let warnings = [warning];
    assert_eq!(state("validate", true, 0, 0, &[]), "good: Checked");
    assert_eq!(state("validate", true, 0, 0, &warnings), "good: Checked, with warnings");
    assert_eq!(state("validate", true, 3, 0, &[]), "warn: Checked, with rows to mend");
    assert_eq!(state("pack", true, 10, 0, &[]), "bad: Checked: no row can be sent");
    assert_eq!(state("validate", false, 0, 0, &[]), "bad: Stopped before its end");
    assert_eq!(state("import", true, 0, 0, &[]), "good: Complete");
    assert_eq!(state("import", true, 0, 0, &warnings), "good: Complete, with warnings");
    assert_eq!(state("import", true, 2, 1, &[]), "warn: Complete, with rows to mend");
    assert_eq!(state("import", true, 2, 8, &[]), "bad: Complete: no row was delivered");
}

#[test]
fn a_legend_names_what_is_drawn_and_a_check_delivers_nothing() {
    let legend = |text: &str| {
        let mut parts: Vec<String> = Vec::new();
        for class in ["bad", "warn", "t-text", "t-number", "t-datetime", "t-bool", "t-nested"] {
            if text.contains(&format!("<i class=\"{class}\">")) {
                parts.push(class.to_owned());
            }
        }
        parts
    };
    let check = Summary { command: "validate".into(), throughput: None, ..summary() };
    let text = page(&check);
    assert_eq!(legend(&text), ["bad", "t-text", "t-number"]);
    assert!(text.contains(">ready to send") || text.contains("ready to send\n"), "{text}");
    for barred in ["\ndelivered\n", "\nskipped\n"] {
        assert!(!text.contains(barred), "{barred}: {text}");
    }
    let mut more = check;
    more.rows.skipped = 2;
    more.problems
        .push(ProblemSummary { severity: "warning", ..problem("id-lookalike", None, 1, "") });
    more.profile.columns = ["number", "datetime", "nested", "bool", "text"]
        .map(|only| {
            let mut column =
                ColumnProfile { column: only.into(), filled: 1.0, ..Default::default() };
            match only {
                "number" => column.number = 1.0,
                "datetime" => column.datetime = 1.0,
                "nested" => column.nested = 1.0,
                "bool" => column.bool = 1.0,
                _ => column.text = 1.0,
            }
            column
        })
        .to_vec();
    // The weights of a sample reach beyond the last row.
    more.profile.of = 20_900;
    let text = page(&more);
    assert_eq!(legend(&text).len(), 7);
    assert_has(
        &text,
        &[
            "\nskipped\n",
            "From 9,000 of 20,000 rows looked at",
            "all numbers<",
            "all dates<",
            "all lists or objects<",
            "all true or false<",
            "all text<",
        ],
    );
}

#[test]
fn what_changed_is_told_and_nothing_changed_is_good() {
    let mut summary = summary();
    summary.rows.skipped = 1_000;
    summary.rows.read += 1_000;
    summary.changes = Some(ChangeSummary {
        known: 19_800,
        new: 66,
        changed: 18_700,
        unchanged: 1_000,
        sent: 18_766,
        repeated_ids: 1,
        repeated_rows: 2,
        vanished: Some(34),
        full_days: Some(41),
        cut_off: Some("runs/a".to_owned()),
        ..ChangeSummary::default()
    });
    let text = page(&summary);
    assert_has(
        &text,
        &[
            "18,760 of 18,766 changed rows delivered, 1,234 rejected, 6 failed, 1,000 unchanged",
            "<h2 id=\"changes-title\">What changed</h2>",
            "<td>New</td><td class=\"number\">66</td><td>sent; an import was cut off, and its rows count as new</td>",
            "<td>Changed</td><td class=\"number\">18,700</td><td>sent</td>",
            "<td>Unchanged</td><td class=\"number\">1,000</td><td>skipped, but for repeated ids; all rows were sent 41 days ago</td>",
            "<td>Repeated</td><td class=\"number\">2</td><td>of 1 id that stand in several rows",
            "<td>Vanished</td><td class=\"number\">34</td>",
        ],
    );
    summary.rows = RowCounts { read: 20_000, skipped: 20_000, ..RowCounts::default() };
    summary.problems.clear();
    let text = page(&summary);
    assert_has(&text, &["Complete: nothing changed", "Nothing changed in all 20,000 rows"]);
}

/// Widths of drawn texts are not known here; a browser's test looks whether the page fits.
#[test]
fn one_more_is_not_many() {
    let mut summary = summary();
    summary.inputs = vec![InputSummary { path: "a.csv".into(), bytes: 1, rows: 1 }; 21];
    summary.profile.columns = vec![summary.profile.columns[0].clone(); 121];
    summary.problems = vec![summary.problems[0].clone(); 501];
    assert_has(
        &page(&summary),
        &[
            "and 1 more file<",
            "1 more column is in report.json.",
            "1 more kind of problem, with fewer rows, is in report.json.",
        ],
    );
}

#[test]
fn names_of_columns_and_files_are_escaped() {
    let mut summary = summary();
    summary.destination = Some(HOSTILE.into());
    summary.inputs = vec![InputSummary { path: HOSTILE.into(), ..InputSummary::default() }; 2];
    summary.problems = vec![problem("id-missing", Some(HOSTILE), 3, HOSTILE)];
    summary.problems[0].help = HOSTILE.into();
    summary.profile.columns[0].column = HOSTILE.into();
    let text = page(&summary);
    assert!(!text.contains("<script>alert"), "{text}");
    assert!(!text.contains('\u{1b}'));
    // The page's own script, and nothing beside it.
    assert_eq!(text.matches("<script").count(), 1);
    assert!(
        text.matches("&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;").count() > 5,
        "{text}"
    );
    for barred in [" style=", " onclick=", "javascript:", "http-equiv=\"refresh\"", " src="] {
        assert!(!text.contains(barred), "{barred}");
    }
}

#[test]
fn the_policy_takes_this_style_and_this_script_alone() {
    let text = to_html(&summary()).expect("a page");
    let between = |start: &str, end: &str| {
        let rest = text.split_once(start).expect(start).1;
        rest.split_once(end).expect(end).0.to_owned()
    };
    let policy = between("http-equiv=\"Content-Security-Policy\" content=\"", "\">");
    let policy = policy.replace("&#39;", "'").replace("&#43;", "+");
    let style = source_hash(&between("<style>", "</style>"));
    let script = source_hash(&between("<script>", "</script>"));
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; \
             form-action 'none'"
        )
    );
    // The digest of the empty text, as everybody has it.
    assert_eq!(source_hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
    let before = text.split_once("<style>").expect("a style").0;
    assert!(before.contains("Content-Security-Policy"), "the policy comes first");
}

#[test]
fn however_many_problems_columns_and_files_the_page_stays_small() {
    let long = |at: usize| format!("{at}{}", "<&>\"'".repeat(60));
    let mut summary = summary();
    summary.inputs =
        (0..5_000).map(|at| InputSummary { path: long(at), bytes: 1, rows: 2_000 }).collect();
    summary.problems = (0..3_000)
        .map(|at| {
            let mut problem = problem("id-missing", Some(&long(at)), 10_000_000, "");
            for (index, place) in problem.first.iter_mut().enumerate() {
                place.file = long(index);
            }
            problem
        })
        .collect();
    let held = summary.profile.columns[0].clone();
    summary.profile.columns =
        (0..3_000).map(|at| ColumnProfile { column: long(at), ..held.clone() }).collect();
    summary.rejected_at = Histogram { width: 1 << 20, counts: vec![104_167; 96] };
    summary.throughput = Some(Throughput {
        sending_ms: 2_880_000,
        delivered: Histogram { width: 30_000, counts: vec![900; 96] },
        per_minute: Some(1_000),
        marks: vec![
            Mark { at_ms: 61_000, kind: MarkKind::Http429, replies: 2, pause_ms: 5_000 };
            200
        ],
        marks_left_out: 1 << 40,
    });
    let text = to_html(&summary).expect("a page");
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    assert_has(
        &text,
        &[
            "more kinds of problems",
            "2,880 more columns are in report.json.",
            "and 4,980 more files<",
        ],
    );

    // Plain names leave room for the most lines.
    summary.problems = (0..3_000)
        .map(|at| problem("id-missing", Some(&format!("column {at}")), 10_000_000, "a.csv"))
        .collect();
    let text = to_html(&summary).expect("a page");
    assert!(text.len() < 1_000_000, "{} bytes", text.len());
    assert_has(&text, &["2,500 more kinds of problems, with fewer rows, are in report.json."]);
    assert_eq!(text.matches("<tr role=\"row\" data-").count(), 500);
}

#[test]
fn the_file_takes_the_place_of_an_earlier_one() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join(PAGE_FILE), "earlier".repeat(100_000)).expect("a file");
    let path = write_html(dir.path(), &summary()).expect("written");
    assert_eq!(path, dir.path().join("report.html"));
    assert_eq!(std::fs::read_to_string(path).expect("UTF-8"), to_html(&summary()).expect("a page"));
    let missing = write_html(&dir.path().join("none"), &summary());
    assert!(matches!(missing, Err(Error::Io { .. })), "{missing:?}");
}
