//! Rules that count over the whole import: event names, and fair use per user.

use crate::support::Lab;

/// Problems of a code: severity, column, count, and the first rows.
fn problem(report: &serde_json::Value, code: &str) -> Option<(String, u64, Vec<u64>)> {
    let problems = report["problems"].as_array().expect("problems");
    let found = problems.iter().find(|problem| problem["code"] == code)?;
    let rows = found["first"].as_array().expect("places").iter();
    Some((
        found["severity"].as_str().expect("a word").to_owned(),
        found["count"].as_u64().expect("a number"),
        rows.map(|place| place["row"].as_u64().expect("a row")).collect(),
    ))
}

/// Events of `names` distinct names, each `times` times one after the other, padded so that
/// they take many blocks.
fn events(names: usize, times: usize) -> String {
    let mut csv = String::from("customer_id,action,user_time,note\n");
    let note = "x".repeat(200);
    for name in 0..names {
        for time in 0..times {
            csv.push_str(&format!("user-{name}-{time},event {name},2026-01-02T03:04:05Z,{note}\n"));
        }
    }
    csv
}

#[test]
fn event_names_beyond_what_a_workspace_takes() {
    let lab = Lab::new();
    lab.write("whole.csv", events(512, 20));
    let mut csv = events(514, 20);
    csv.push_str(
        "user-x-1,event 513,2026-01-02T03:04:05Z,\nuser-x-2,event 7,2026-01-02T03:04:05Z,\n",
    );
    lab.write("over.csv", csv);
    let base = ["validate", "--kind", "events"];
    let report = lab.report(0, &[&base[..], &["whole.csv", "--strict"]].concat());
    assert_eq!(problem(&report, "event-count"), None);
    for threads in ["1", "3"] {
        let flags = ["over.csv", "--threads", threads];
        let report = lab.report(0, &[&base[..], &flags].concat());
        let first = (512 * 20 + 1..).take(10).collect();
        assert_eq!(problem(&report, "event-count"), Some(("warning".into(), 41, first)));
        let report = lab.report(1, &[&base[..], &flags, &["--strict"]].concat());
        assert_eq!(report["rows"]["rejected"], 41);
        assert_eq!(report["rows"]["accepted"], 512 * 20 + 1);
    }
}

#[test]
fn a_hot_user_in_the_time_in_which_rows_are_sent() {
    let lab = Lab::new();
    let mut csv = String::from("customer_id,action,user_time\n");
    for row in 0..20_000 {
        let user = if row % 2 == 0 { "hot-user".to_owned() } else { format!("user-{row}") };
        csv.push_str(&format!("{user},view,2026-01-02T03:04:05Z\n"));
    }
    lab.write("events.csv", &csv);
    let validate = |rate: &str| {
        let flags = ["validate", "events.csv", "--kind", "events", "--events-per-minute", rate];
        problem(&lab.report(0, &flags), "fair-use").map(|(severity, count, _)| (severity, count))
    };
    // 10,000 events of one user: 5,000 in each minute at 10,000 a minute, and all in the first
    // 5 minutes: both exactly what is allowed.
    assert_eq!(validate("10000"), None);
    // 10,000 in one minute are twice as many as allowed.
    assert_eq!(validate("20000"), Some(("warning".into(), 1)));
    assert_eq!(validate("unlimited"), Some(("warning".into(), 1)));
    csv.push_str("hot-user,view,2026-01-02T03:04:05Z\nhot-user,view,2026-01-02T03:04:05Z\n");
    lab.write("events.csv", &csv);
    assert_eq!(validate("10000"), Some(("warning".into(), 1)), "10,002 in 5 minutes");
    assert_eq!(validate("1000"), None, "20 minutes");
}
