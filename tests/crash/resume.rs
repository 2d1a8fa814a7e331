//! Signals, finished runs, and what an unfinished run refuses.

use std::fs::{self, File};
use std::path::Path;

use serde_json::Value;

use crate::checkpoint::{Checkpoint, edit_records};
use crate::support::{Home, Run, Server, until, users_csv};

/// One import of `users.csv`: ten users a body, three bodies a minute, so that it stops for a
/// minute with half of its rows delivered.
struct Import {
    home: Home,
    server: Server,
}

const ROWS: u64 = 60;

impl Import {
    fn new() -> Self {
        Self::with_server(&["--users-per-minute", "unlimited"])
    }

    fn with_server(args: &[&str]) -> Self {
        let home = Home::new();
        let server = Server::start(&home, args);
        home.write("users.csv", users_csv(ROWS as usize));
        Self { home, server }
    }

    /// The arguments of the import; later ones replace earlier ones of the same name.
    fn args(&self, flags: &[&str]) -> Vec<String> {
        let mut args: Vec<String> = [
            "import",
            "users.csv",
            "--endpoint",
            &self.server.url,
            "--run-dir",
            "run",
            "--yes",
            "--output",
            "json",
            "--progress",
            "off",
        ]
        .map(str::to_owned)
        .into();
        let defaults = ["--app-id", "SANDBOX", "--cut-users", "10", "--users-per-minute", "30"];
        for default in defaults.chunks(2) {
            if !flags.contains(&default[0]) {
                args.extend(default.iter().map(|&arg| arg.to_owned()));
            }
        }
        args.extend(flags.iter().map(|&flag| flag.to_owned()));
        args
    }

    /// Starts an import and waits until it has its first 30 rows delivered and waits itself.
    fn half(&self, flags: &[&str]) -> Run {
        let run = self.home.spawn(&self.args(flags));
        until("half of the rows are held as delivered", || {
            Checkpoint::read(&self.home.path("run")).is_some_and(|it| it.delivered.len() == 3)
        });
        run
    }

    /// An import that was interrupted after half of its rows.
    fn interrupted(flags: &[&str]) -> Self {
        let (import, report) = Self::stopped(flags);
        assert_counts(&report, 30, 30);
        import
    }

    /// The same after 30 rows, and the report of that run.
    fn stopped(flags: &[&str]) -> (Self, Value) {
        let import = Self::new();
        let run = import.half(flags);
        run.signal("INT");
        let report = run.wait().report(130);
        (import, report)
    }

    fn checkpoint(&self) -> Vec<u8> {
        fs::read(self.home.path("run/checkpoint")).expect("a checkpoint")
    }

    /// A resume that is refused: its exit code and words, nothing sent and nothing changed. What
    /// `--restart` would discard is named. Then the first command goes on to the end.
    fn assert_refuses(&self, flags: &[&str], code: i32, words: &[&str]) {
        let before = self.checkpoint();
        let ended = self.home.run(&self.args(flags));
        ended.refused(code, words);
        ended.refused(code, &["--restart", "30 delivered rows"]);
        assert_eq!(ended.stdout, "", "stdout is for results");
        assert_eq!(self.checkpoint(), before, "the checkpoint is as it was");
        assert_eq!(self.server.users(), 30, "nothing was sent");
    }

    fn assert_goes_on(&self, flags: &[&str]) {
        let flags = [flags, FAST].concat();
        assert_counts(&self.home.run(&self.args(&flags)).report(0), ROWS, 0);
        assert_eq!(self.server.rows(), Vec::from_iter(1..=ROWS), "each row once");
    }

    fn done(&self) -> Vec<std::path::PathBuf> {
        let entries = fs::read_dir(self.home.path("run/done"));
        entries.map_or(Vec::new(), |entries| entries.map(|e| e.expect("an entry").path()).collect())
    }
}

/// Rates with which the rest of a run needs no second minute.
const FAST: &[&str] = &["--users-per-minute", "100000"];

fn assert_counts(report: &Value, delivered: u64, pending: u64) {
    let rows = &report["rows"];
    for (key, value) in
        [("read", ROWS), ("accepted", ROWS), ("rejected", 0), ("failed", 0), ("skipped", 0)]
    {
        assert_eq!(rows[key], value, "{key} of {rows}");
    }
    assert_eq!((&rows["delivered"], &rows["pending"]), (&delivered.into(), &pending.into()));
    assert_eq!(report["complete"], pending == 0);
}

/// Changes one byte, and neither the size nor the time of the last change.
fn change_a_byte(path: &Path) {
    let modified = fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
    let mut content = fs::read(path).expect("a file");
    let last = content.len() - 2;
    content[last] = if content[last] == b'9' { b'8' } else { content[last] + 1 };
    fs::write(path, content).expect("a written file");
    let file = File::options().write(true).open(path).expect("a file");
    file.set_modified(modified).expect("a time of the past");
}

#[test]
fn sigint_waits_for_answers_and_leaves_no_doubt() {
    // Two of six bodies at a time: four seconds for the signal to find the last two unsent, and
    // the answers come well before the five seconds for which they are waited.
    let server = &["--users-per-minute", "unlimited", "--fault", "slow:1", "--slow", "2s"];
    let import = Import::with_server(server);
    let flags = &[FAST, &["--connections", "2"]].concat();
    let run = import.home.spawn(&import.args(flags));
    until("bodies under way", || import.server.requests() >= 2);
    run.signal("INT");
    let ended = run.wait();
    let report = ended.report(130);
    let received = import.server.users();
    assert!((20..ROWS).contains(&received), "{received} of {ROWS}");
    assert_counts(&report, received, ROWS - received);
    let file = fs::read(import.home.path("run/report.json")).expect("report.json");
    assert_eq!(serde_json::from_slice::<Value>(&file).expect("JSON"), report);
    let checkpoint = Checkpoint::read(&import.home.path("run")).expect("a checkpoint");
    assert!(checkpoint.in_doubt.is_empty(), "{checkpoint:?}");
    let status = import.home.run(&["status", "run"]);
    assert!(!status.stdout.contains("in doubt"), "{status:?}");
    assert!(status.stdout.contains(&format!("{} pending", ROWS - received)), "{status:?}");

    // The very same command.
    let report = import.home.run(&import.args(flags)).report(0);
    assert_counts(&report, ROWS, 0);
    assert_eq!(import.server.rows(), Vec::from_iter(1..=ROWS), "the rest, and nothing twice");
    assert_eq!(import.server.stats()["duplicate_bodies"], 0);
}

#[test]
fn sigterm_ends_the_wait_for_the_budget() {
    let import = Import::new();
    let run = import.half(&[]);
    run.signal("TERM");
    assert_counts(&run.wait().report(143), 30, 30);
    import.assert_goes_on(&[]);
}

#[test]
fn a_finished_import_sends_nothing_and_exits_as_before() {
    let import = Import::new();
    // One row in 61 is rejected, so the exit code is 1.
    import.home.write("users.csv", users_csv(ROWS as usize) + "guest,61,shop-1\n");
    let args = import.args(FAST);
    let first = import.home.run(&args).report(1);
    let (requests, checkpoint) = (import.server.requests(), import.checkpoint());
    let ended = import.home.run(&args);
    let again = ended.report(1);
    assert!(ended.stderr.contains("nothing was sent"), "{ended:?}");
    assert!(ended.stderr.contains("--restart"), "{ended:?}");
    for key in ["rows", "elements", "bodies", "requests", "problems", "complete"] {
        assert_eq!(again[key], first[key], "{key}");
    }
    assert_eq!(import.server.requests(), requests);
    assert_eq!(import.checkpoint(), checkpoint);
    assert_eq!(import.done(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn restart_sends_a_finished_import_again() {
    let import = Import::new();
    let args = import.args(FAST);
    assert_counts(&import.home.run(&args).report(0), ROWS, 0);
    let earlier = import.checkpoint();
    let again = import.args(&[FAST, &["--restart"]].concat());
    assert_counts(&import.home.run(&again).report(0), ROWS, 0);
    assert_eq!(import.server.rows(), Vec::from_iter((1..=ROWS).flat_map(|n| [n, n])));
    let done = import.done();
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(fs::read(done[0].join("checkpoint")).expect("the earlier one"), earlier);
}

#[test]
fn restart_sends_an_unfinished_import_from_its_start() {
    let import = Import::interrupted(&[]);
    let args = import.args(&[FAST, &["--restart"]].concat());
    assert_counts(&import.home.run(&args).report(0), ROWS, 0);
    assert_eq!(import.server.users(), 30 + ROWS);
}

#[test]
fn a_finished_import_leaves_rejects_that_were_mended() {
    let import = Import::new();
    let rows = fs::read_to_string(import.home.path("users.csv")).expect("users.csv");
    let fields = rows.lines().next().map_or(0, |header| header.split(',').count());
    import.home.write("users.csv", format!("{rows}{}\n", vec!["null"; fields].join(",")));
    let args = import.args(FAST);
    import.home.run(&args).report(1);
    let rejects = import.home.path("run/rejects.csv");
    let mended = fs::read_to_string(&rejects).expect("rejects").replace("null", "u-61");
    fs::write(&rejects, &mended).expect("mended");
    let ended = import.home.run(&args);
    let report = ended.report(1);
    assert_eq!(
        (&report["rows"]["rejected"], &report["rows"]["delivered"]),
        (&1.into(), &60.into())
    );
    assert_eq!(fs::read_to_string(&rejects).expect("rejects"), mended);
    // What is not there is written again, and nothing else is left.
    fs::remove_file(&rejects).expect("removed");
    import.home.run(&args).report(1);
    assert!(fs::read_to_string(&rejects).expect("rejects").contains("null"));
    assert!(!import.home.path("run/.check").exists());
}

#[test]
fn an_unfinished_import_sets_rejects_aside_that_were_edited() {
    for is_edited in [false, true] {
        let import = Import::new();
        let rows = fs::read_to_string(import.home.path("users.csv")).expect("users.csv");
        let fields = rows.lines().next().map_or(0, |header| header.split(',').count());
        import.home.write("users.csv", format!("{rows}{}\n", vec!["null"; fields].join(",")));
        let run = import.half(&[]);
        run.signal("INT");
        assert_eq!(run.wait().report(130)["rows"]["rejected"], 1);
        let [rejects, aside] = ["run/rejects.csv", "run/rejects-edited.csv"];
        let read = |name| fs::read_to_string(import.home.path(name)).expect("rejects");
        let written = read(rejects);
        let mended = written.replace("null", "u-61");
        if is_edited {
            fs::write(import.home.path(rejects), &mended).expect("mended");
        }
        let ended = import.home.run(&import.args(FAST));
        assert_eq!(ended.report(1)["rows"]["delivered"], ROWS);
        assert_eq!(read(rejects), written);
        let said = "run/rejects.csv was edited since a run wrote it; what it held is now in \
                    run/rejects-edited.csv\n";
        assert_eq!(ended.stderr.matches(said).count(), usize::from(is_edited), "{}", ended.stderr);
        assert_eq!(import.home.path(aside).exists(), is_edited);
        if is_edited {
            assert_eq!(read(aside), mended);
            // The mapping of the directory is that of both.
            let check = ["validate", aside, "--run-dir", "check", "--progress", "off"];
            let ended = import.home.run(&check);
            assert!(ended.stderr.contains("run/resolved-mapping.toml"), "{}", ended.stderr);
        }
    }
}

/// A body has ten users: the limit is below it, and the import is refused when it was checked.
const TOO_SLOW: &[&str] = &["--users-per-minute", "5"];

#[test]
fn a_restart_that_sends_nothing_leaves_the_checkpoint() {
    let import = Import::interrupted(&[]);
    let before = import.checkpoint();
    let restart = import.args(&[TOO_SLOW, &["--restart"]].concat());
    import.home.run(&restart).refused(2, &["5"]);
    assert_eq!(import.checkpoint(), before);
    import.assert_goes_on(&[]);
}

#[test]
fn an_import_that_sends_nothing_does_not_replace_a_finished_one() {
    let import = Import::new();
    assert_counts(&import.home.run(&import.args(FAST)).report(0), ROWS, 0);
    import.home.run(&import.args(&[TOO_SLOW, &["--strict"]].concat())).refused(2, &["5"]);
    assert_counts(&import.home.run(&import.args(FAST)).report(0), ROWS, 0);
    assert_eq!(import.server.users(), ROWS, "nobody is sent again");
}

#[test]
fn other_bodies_of_the_same_rows_are_refused() {
    let import = Import::interrupted(&[]);
    let path = import.home.path("run/checkpoint");
    let before = import.checkpoint();
    // As if another version of the program had made other bodies of them.
    edit_records(&path, |json| {
        let at = json.find(r#""digest":""#)? + r#""digest":""#.len();
        let other = if &json[at..=at] == "0" { "1" } else { "0" };
        Some(format!("{}{other}{}", &json[..at], &json[at + 1..]))
    });
    let edited = import.checkpoint();
    let ended = import.home.run(&import.args(&[]));
    ended.refused(
        2,
        &["its rows gave 6 bodies", "the version of moebulk that began it", "--restart"],
    );
    assert_eq!(import.checkpoint(), edited);
    assert_eq!(import.server.users(), 30, "nothing was sent");
    fs::write(&path, before).expect("the checkpoint restored");
    import.assert_goes_on(&[]);
}

#[test]
fn one_changed_byte_is_refused_and_restoring_it_goes_on() {
    let import = Import::interrupted(&[]);
    let path = import.home.path("users.csv");
    let content = fs::read(&path).expect("users.csv");
    change_a_byte(&path);
    assert_eq!(fs::metadata(&path).expect("metadata").len(), content.len() as u64);
    import.assert_refuses(&[], 4, &["users.csv", "changed"]);
    fs::write(&path, &content).expect("the content restored");
    import.assert_goes_on(&[]);
}

#[test]
fn another_mapping_is_refused() {
    let mapping = |target: &str| {
        format!(
            r#"{{"mapping":[
                {{"column":"customer_id","moe_attr":"uid","type":"string","is_skipped":false}},
                {{"column":"n","moe_attr":"n","type":"double","is_skipped":false}},
                {{"column":"shop","moe_attr":"{target}","type":"string","is_skipped":false}}]}}"#
        )
    };
    let import = Import::new();
    import.home.write("mapping.json", mapping("shop"));
    let flags = &["--mapping", "mapping.json"];
    let run = import.half(flags);
    run.signal("INT");
    assert_counts(&run.wait().report(130), 30, 30);

    import.home.write("mapping.json", mapping("branch"));
    import.assert_refuses(flags, 4, &["mapping"]);
    // What is not said again is what was said before.
    import.assert_refuses(&[], 4, &["mapping"]);
    import.home.write("mapping.json", mapping("shop"));
    import.assert_goes_on(&[]);
}

#[test]
fn flags_that_only_the_unfinished_run_had_are_named() {
    let (import, _) = Import::stopped(&["--limit", "50", "--strict-ids"]);
    let ended = import.home.run(&import.args(FAST));
    let rows = &ended.report(0)["rows"];
    assert_eq!((&rows["read"], &rows["delivered"]), (&50.into(), &50.into()), "{rows}");
    let line = "as the unfinished run: --limit 50 --strict-ids; --restart begins anew without them";
    assert!(ended.stderr.contains(line), "{}", ended.stderr);
}

#[test]
fn nothing_is_named_where_all_is_typed_again() {
    let (import, _) = Import::stopped(&["--limit", "50"]);
    let flags = [FAST, &["--limit", "50"]].concat();
    let ended = import.home.run(&import.args(&flags));
    assert_eq!(ended.report(0)["rows"]["delivered"], 50);
    assert!(!ended.stderr.contains("as the unfinished run"), "{}", ended.stderr);
}

#[test]
fn other_kinds_bodies_and_accounts_are_refused_by_their_flags() {
    let import = Import::interrupted(&[]);
    import.assert_refuses(
        &["--kind", "events", "--event", "Visit"],
        2,
        &["--kind", "users", "events"],
    );
    import.assert_refuses(
        &["--max-body-bytes", "90000"],
        2,
        &["--max-body-bytes", "100000", "90000"],
    );
    import.assert_refuses(&["--cut-users", "15"], 2, &["--cut-users", "10", "15"]);
    import.assert_refuses(&["--limit", "50"], 2, &["--limit", "50"]);
    import.assert_refuses(&["--app-id", "SANDBOX-OTHER"], 2, &["--app-id", "SANDBOX-OTHER"]);
    let elsewhere = Server::start(&import.home, &[]);
    import.assert_refuses(&["--endpoint", &elsewhere.url], 2, &["endpoint", &elsewhere.url]);
    assert_eq!(elsewhere.requests(), 0);
    import.assert_goes_on(&[]);
}

/// A body of four users, of which a minute now allows three: the import goes on all the same, in
/// halves.
#[cfg(unix)]
#[test]
fn a_lower_rate_goes_on_in_halves() {
    let home = Home::new();
    let server = Server::start(&home, &["--users-per-minute", "unlimited"]);
    home.write("users.csv", users_csv(11));
    let import = |rate: &str| -> Vec<String> {
        let fixed = ["import", "users.csv", "--endpoint", &server.url, "--app-id", "SANDBOX"];
        let run = ["--run-dir", "run", "--yes", "--output", "json", "--progress", "off"];
        let rate = ["--users-per-minute", rate];
        [&fixed[..], &run, &rate].concat().into_iter().map(str::to_owned).collect()
    };
    for (rate, bodies, delivered) in [("7", 1, 7), ("3", 2, 9)] {
        let run = home.spawn(&import(rate));
        until("the next part came", || server.bodies().len() == bodies);
        // What is answered is settled before it ends.
        run.signal("INT");
        assert_eq!(run.wait().report(130)["rows"]["delivered"], delivered);
        // What is charged to the account is forgotten, or it would be waited for.
        fs::remove_dir_all(home.path("state")).expect("the state directory");
    }
    let last = home.run(&import("unlimited")).report(0);
    assert_eq!(
        (&last["rows"]["delivered"], &last["requests"]["isolated"]),
        (&11.into(), &0.into())
    );
    let expected = [1..=7, 8..=9, 10..=11].map(Vec::from_iter);
    assert_eq!(server.bodies(), expected);
}

#[test]
fn other_rates_go_on_and_leave_the_cut_counts() {
    const SEVEN: &[&str] = &["--users-per-minute", "7", "--max-body-bytes", "100000"];
    let home = Home::new();
    let server = Server::start(&home, &["--users-per-minute", "unlimited"]);
    home.write("users.csv", users_csv(20));
    let args = |rates: &[&str]| -> Vec<String> {
        let fixed = [
            "import",
            "users.csv",
            "--endpoint",
            &server.url,
            "--app-id",
            "SANDBOX",
            "--run-dir",
            "run",
            "--yes",
            "--output",
            "json",
            "--progress",
            "off",
        ];
        [&fixed, rates].concat().into_iter().map(str::to_owned).collect()
    };
    let run = home.spawn(&args(SEVEN));
    until("the first body is held as delivered", || {
        Checkpoint::read(&home.path("run")).is_some_and(|it| it.delivered.len() == 1)
    });
    run.signal("INT");
    let first = run.wait().report(130);
    assert_eq!((&first["rows"]["delivered"], &first["bodies"]["count"]), (&7.into(), &3.into()));

    let last = home.run(&args(&["--users-per-minute", "unlimited"])).report(0);
    assert_eq!(last["rows"]["delivered"], 20);
    assert_eq!(last["bodies"], first["bodies"], "the same bodies to the last byte");
    let bodies = server.bodies();
    let expected = [1..=7, 8..=14, 15..=20].map(Vec::from_iter);
    assert!(bodies.len() == 3 && expected.iter().all(|body| bodies.contains(body)), "{bodies:?}");

    // Without the checkpoint that rate gives one body: the cut counts were really kept.
    let fresh =
        home.run(&["validate", "users.csv", "--users-per-minute", "unlimited", "--output", "json"]);
    assert_eq!(fresh.report(0)["bodies"]["count"], 1);
}

#[test]
fn a_finished_run_steps_aside_for_a_changed_input() {
    let import = Import::new();
    let first = import.home.run(&import.args(FAST)).report(0);
    let checkpoint = import.checkpoint();
    let path = import.home.path("users.csv");
    change_a_byte(&path);
    let second = import.home.run(&import.args(FAST)).report(0);
    assert_counts(&second, ROWS, 0);
    assert_ne!(first["bodies"]["digest"], second["bodies"]["digest"]);
    assert_eq!(import.server.users(), 2 * ROWS, "imported anew");

    let done = import.done();
    assert_eq!(done.len(), 1, "{done:?}");
    let name = done[0].file_name().expect("a name").to_string_lossy().into_owned();
    let digits = name.chars().filter(char::is_ascii_digit).count();
    assert!(digits >= 14 && name.ends_with('Z'), "a UTC time: {name}");
    assert_eq!(fs::read(done[0].join("checkpoint")).expect("the earlier checkpoint"), checkpoint);
    let report = fs::read(done[0].join("report.json")).expect("the earlier report");
    assert_eq!(serde_json::from_slice::<Value>(&report).expect("JSON"), first);
    let status = import.home.run(&["status", &done[0].to_string_lossy()]);
    assert!(status.stdout.contains("finished (exit code 0)"), "{status:?}");

    // What is there now is the second import, complete.
    let again = import.home.run(&import.args(FAST)).report(0);
    assert_eq!(again["bodies"]["digest"], second["bodies"]["digest"]);
    assert_eq!(import.server.users(), 2 * ROWS);
}

/// The command that the summary ends with.
fn next_command(stdout: &str) -> String {
    stdout.lines().last().unwrap_or_default().trim().to_owned()
}

#[test]
fn the_rejects_of_a_resumed_run_need_what_its_first_command_said() {
    let import = Import::new();
    import.home.write("users.csv", users_csv(ROWS as usize) + "guest,61,shop-1\n");
    let flags = &["--encoding", "latin-1", "--null-value", "true", "--strict-ids"];
    let run = import.half(flags);
    run.signal("INT");
    run.wait().report(130);

    let url = &import.server.url;
    let rejects = |rate: &str, yes: &str| {
        format!(
            "moebulk import run/rejects.csv --app-id SANDBOX --cut-users 10 --encoding latin-1 \
             --endpoint {url} --null-value true --strict-ids --users-per-minute {rate}{yes}"
        )
    };
    let resume = ["import", "--run-dir", "run", "--progress", "off"];
    let ended = import.home.run(&[&resume, FAST, &["--yes"]].concat());
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(next_command(&ended.stdout), rejects("100000", " --yes"));
    // The run is over: what is shown again is what its first command said.
    let ended = import.home.run(&resume);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("nothing was sent"), "{ended:?}");
    assert_eq!(next_command(&ended.stdout), rejects("30", ""));
}

#[test]
fn what_a_file_says_is_not_said_again_after_a_resume() {
    let import = Import::new();
    import.home.write("users.csv", users_csv(20) + "guest,21,shop-1\n");
    let url = &import.server.url;
    let config = format!("[connection]\nendpoint = \"{url}\"\napp_id = \"SANDBOX\"\n");
    import.home.write("moebulk.toml", &config);
    let first = ["import", "users.csv", "--run-dir", "run", "--strict-ids", "--progress", "off"];
    let resume = ["import", "--run-dir", "run", "--progress", "off"];
    for args in [&first[..], &resume] {
        let ended = import.home.run(args);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(next_command(&ended.stdout), "moebulk import run/rejects.csv --strict-ids");
    }
    // The file says another place now.
    import.home.write("moebulk.toml", config.replace(url.as_str(), "http://127.0.0.1:9"));
    let ended = import.home.run(&resume);
    assert_eq!(
        next_command(&ended.stdout),
        format!("moebulk import run/rejects.csv --endpoint {url} --strict-ids")
    );
}
