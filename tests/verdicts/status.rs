//! `status` without a directory.

use std::{
    fs::{self, File},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use super::{
    errors::assert_refused,
    scene::{APP, Scene},
    server::Server,
};

#[test]
fn the_newest_run_is_shown_and_named() {
    let scene = Scene::with_users(3);
    scene.write("others.csv", "customer_id\nuser-001\nuser-002\n");
    let says: &[&str] = &["moebulk-runs/", "checkpoint", "moebulk status RUN_DIR"];
    assert_refused(&scene.run(&["status"]), 2, says);
    // A check leaves a directory there, and no checkpoint.
    scene.run(&["validate", "users.csv"]).assert_code(0);
    assert!(scene.path("moebulk-runs").is_dir());
    assert_refused(&scene.run(&["status"]), 2, says);

    let server = Server::scripted([]);
    let url = server.url();
    for input in ["users.csv", "others.csv"] {
        let args = ["import", input, "--endpoint", &url, "--app-id", APP];
        scene.run(&args).assert_code(0);
    }
    let checkpoint = |stem: &str| -> PathBuf {
        let runs = fs::read_dir(scene.path("moebulk-runs")).expect("runs");
        let paths = runs.map(|run| run.expect("a run").path().join("checkpoint"));
        let mut found = paths.filter(|path| {
            path.is_file() && path.display().to_string().contains(&format!("moebulk-runs/{stem}-"))
        });
        found.next().unwrap_or_else(|| panic!("no run of {stem}"))
    };
    for (newer, older, rows) in [("users", "others", 3), ("others", "users", 2)] {
        let set = |stem: &str, time: SystemTime| {
            let file = File::options().append(true).open(checkpoint(stem)).expect("a checkpoint");
            file.set_modified(time).expect("a time");
        };
        let now = SystemTime::now();
        set(newer, now);
        set(older, now - Duration::from_secs(90));
        let ran = scene.run(&["status"]);
        ran.assert_code(0);
        for words in [format!("moebulk-runs/{newer}-"), format!("{rows} delivered")] {
            assert!(ran.stdout.contains(&words), "no `{words}` in {}", ran.stdout);
        }
        assert!(!ran.stdout.contains(&format!("moebulk-runs/{older}-")), "{}", ran.stdout);
    }
    let args = ["import", "others.csv", "--sandbox", "--progress", "off"];
    scene.run(&args).assert_code(0);
    let ran = scene.run(&["status"]);
    ran.assert_code(0);
    assert!(
        ran.stdout.contains("-sandbox/") && ran.stdout.contains("2 delivered"),
        "{}",
        ran.stdout
    );
}
