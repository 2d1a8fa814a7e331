//! Bodies that are refused for some of their rows, and the breaker.

use std::collections::BTreeSet;

use super::{
    scene::{Scene, each, ids},
    server::{Reply, Server},
};

/// Poison rows in every place of a body; the rows are users of one body, so the order is fixed.
#[test]
fn exactly_the_poison_rows_fail_and_the_others_are_delivered_once_in_order() {
    let cases: [(&str, Reply, &[usize]); 6] = [
        ("first row", Reply::fail(400, "MissingAttributeError", "id is expected"), &[1]),
        ("last row", Reply::fail(400, "TypeError", "expected string"), &[40]),
        ("both ends and the middle", Reply::fail(400, "AttributeError", "bad"), &[1, 20, 21, 40]),
        ("an unlisted type", Reply::fail(400, "QuiteNewError", "never seen"), &[7, 8]),
        ("a success that says fail", Reply::fail(200, "TypeError", "expected string"), &[13, 30]),
        ("413", Reply::fail(413, "Payload too large", "The payload can not exceed 128KB"), &[5]),
    ];
    each(
        &cases,
        |case| case.0.to_owned(),
        |(_, refusal, rows)| {
            let scene = Scene::with_users(40);
            let poison: Vec<String> = rows.iter().map(|row| format!("user-{row:03}")).collect();
            let server = Server::poisoned(poison.clone(), refusal.clone());
            scene.import(&server, &[]).assert_code(1);
            let others: Vec<String> =
                ids(40).into_iter().filter(|id| !poison.contains(id)).collect();
            assert_eq!(server.delivered(), others);
            assert_eq!(scene.settled(), [others.len() as u64, rows.len() as u64, 0]);
            assert!(scene.requests("isolated") >= rows.len() as u64);

            let rejects = scene.rejects();
            let failed: Vec<&str> = rejects.iter().map(|row| row["customer_id"].as_str()).collect();
            assert_eq!(failed, poison);
            let Reply::Answer { status, body, .. } = refusal else { unreachable!() };
            let words: serde_json::Value = serde_json::from_slice(body).expect("JSON");
            for (reject, row) in rejects.iter().zip(*rows) {
                assert_eq!(reject["_moebulk_codes"], "server-refused");
                assert_eq!(reject["_moebulk_row"], row.to_string());
                assert_eq!(reject["_moebulk_line"], (row + 1).to_string());
                let message = &reject["_moebulk_message"];
                for words in [&words["error"]["type"], &words["error"]["message"]] {
                    assert!(message.contains(words.as_str().expect("text")), "{message}");
                }
                assert!(message.contains(&status.to_string()) && message.contains("r-bad-7"));
            }
            let problems = scene.report()["problems"].clone();
            let refused = problems.as_array().expect("problems");
            let refused =
                refused.iter().find(|p| p["code"] == "server-refused").expect("a problem");
            assert_eq!(refused["count"], rows.len());
            assert_eq!(refused["severity"], "reject");
            assert_eq!(refused["first"][0]["row"], rows[0]);
        },
    );
}

#[test]
fn rejected_and_refused_rows_stand_together_in_file_order_and_can_be_imported_again() {
    let scene = Scene::new();
    scene.write(
        "users.csv",
        "customer_id,city\nuser-001,Oslo\nnull,Rome\nuser-003,Lima\nuser-004,Bonn\nx,Kyiv\n",
    );
    let refusal = Reply::fail(400, "TypeError", "expected string");
    let server = Server::poisoned(["user-003".to_owned()], refusal);
    scene.import(&server, &[]).assert_code(1);
    assert_eq!(scene.settled(), [2, 1, 0]);
    let rows: Vec<String> = scene.rejects().iter().map(|row| row["_moebulk_row"].clone()).collect();
    assert_eq!(rows, ["2", "3", "5"]);

    let fixed = std::fs::read_to_string(scene.path("run/rejects.csv")).expect("rejects");
    let fixed = fixed.replace("null,", "user-002,").replace("user-003,", "user-103,");
    scene.write("users.csv", fixed.replace("\nx,", "\nuser-005,"));
    let healthy = Server::scripted([]);
    scene.import(&healthy, &[]).assert_code(0);
    let request = &healthy.requests()[0];
    assert_eq!(request.ids(), ["user-002", "user-103", "user-005"]);
    let element = &request.json()["elements"][0];
    assert_eq!(element["attributes"], serde_json::json!({"city": "Rome"}), "no _moebulk_ column");
}

#[test]
fn the_breaker_stops_a_run_of_which_every_row_is_refused_after_twenty() {
    let scene = Scene::with_users(100);
    let refusal = Reply::fail(400, "MissingAttributeError", "age is expected to be double");
    let server = Server::poisoned(ids(100), refusal);
    let ran = scene.import(&server, &["--connections", "1"]);
    ran.assert_code(3).assert_says("age is expected to be double").assert_says("mapping");
    assert_eq!(scene.settled(), [0, 20, 80]);
    assert_eq!(server.delivered(), [""; 0]);
    let alone: BTreeSet<String> = server
        .requests()
        .iter()
        .filter(|request| request.ids().len() == 1)
        .flat_map(|request| request.ids())
        .collect();
    assert_eq!(alone.into_iter().collect::<Vec<_>>(), ids(20));
    let rejects = scene.rejects();
    assert_eq!(rejects.len(), 20);

    // It counts anew on resume: twenty more, and no row twice.
    scene.import(&server, &["--connections", "1"]).assert_code(3);
    assert_eq!(scene.settled(), [0, 40, 60]);
    let mut alone: Vec<String> = server
        .requests()
        .iter()
        .filter(|request| request.ids().len() == 1)
        .flat_map(|request| request.ids())
        .collect();
    alone.sort();
    assert_eq!(alone, ids(40));
}

#[test]
fn nineteen_refused_rows_are_no_reason_to_stop() {
    let scene = Scene::with_users(19);
    let server = Server::poisoned(ids(19), Reply::fail(400, "TypeError", "expected string"));
    scene.import(&server, &[]).assert_code(1);
    assert_eq!(scene.settled(), [0, 19, 0]);
}

#[test]
fn the_breaker_stops_a_run_with_over_five_percent_refused_of_a_thousand() {
    let scene = Scene::with_users(2_000);
    // Every tenth row; the first is sound, so that the other breaker stays shut.
    let poison = (1..=200).map(|tenth| format!("user-{:03}", tenth * 10));
    let server = Server::poisoned(poison, Reply::fail(400, "TypeError", "expected string"));
    let ran = scene.import(&server, &["--connections", "1"]);
    ran.assert_code(3).assert_says("expected string");
    let [delivered, failed, pending] = scene.settled();
    assert_eq!(delivered + failed + pending, 2_000);
    assert!((1_000..=1_100).contains(&(delivered + failed)), "{delivered} + {failed} answered");
    assert_eq!(server.delivered().len() as u64, delivered);
    assert_eq!(scene.rejects().len() as u64, failed);
}
