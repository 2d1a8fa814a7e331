//! Inputs, mappings and flags that change between two lives, or within one.

use std::{fs, path::Path, time::Duration};

use crate::{
    job::{Job, Scene},
    lab::{DATA, until},
    server::{Act, Answer, Rules},
};

/// An import that came to a stop with three bodies delivered.
fn stopped() -> Scene {
    let mut scene = Scene::small(Rules::act(|nth, _| match nth {
        0..3 => Act::Take,
        _ => Act::Refuse(Answer::fail(401, "Authentication required")),
    }));
    scene.live(&[], &[]).says(3, &["401"]);
    scene
}

/// A life that is refused: its code and words, nothing sent, the checkpoint as it was.
fn refused(scene: &Scene, input: &str, flags: &[&str], code: i32, words: &[&str]) {
    let checkpoint = || fs::read(scene.lab.path("run/checkpoint")).expect("a checkpoint");
    let (before, requests) = (checkpoint(), scene.server.requests());
    let mut args = scene.args(flags);
    input.clone_into(&mut args[1]);
    let ended = scene.lab.start(scene.lab.command(&[], &args)).wait();
    ended.says(code, words);
    assert_eq!(scene.server.requests(), requests, "nothing is sent");
    assert_eq!(checkpoint(), before, "the checkpoint is as it was");
}

fn rewrite(path: &Path, change: impl FnOnce(String) -> String) {
    let content = fs::read_to_string(path).expect("an input");
    fs::write(path, change(content)).expect("an input");
}

#[test]
fn an_input_that_changed_is_refused_and_restored_goes_on() {
    let scene = stopped();
    let path = scene.lab.path("rows.csv");
    let whole = fs::read_to_string(&path).expect("an input");
    let words = &["rows.csv", "changed", "30 delivered rows", "--restart"];
    type Change = fn(String) -> String;
    let changes: [Change; 6] = [
        |text| text.replace("user-000050", "user-999950"),
        |text| text + "user-000099,99,more\n",
        |text| text.replace("user-000060,60,", "user-000060,061,"),
        |text| text[..text.len() - 30].to_owned(),
        |text| text.replacen("note", "memo", 1),
        |_| String::new(),
    ];
    for (nth, change) in changes.into_iter().enumerate() {
        rewrite(&path, change);
        // Without its header it can't be read at all.
        let words: &[&str] = if nth == 5 { &["rows.csv"] } else { words };
        refused(&scene, "rows.csv", &[], 4, words);
        fs::write(&path, &whole).expect("an input");
    }
    // Only its time is another.
    let tally = scene.finish();
    tally.conclude_without_duplicates("input edited, appended, cut", "six changes, refused");
}

#[test]
fn an_input_that_was_renamed_or_is_gone_is_refused() {
    let scene = stopped();
    let [path, other] = ["rows.csv", "other.csv"].map(|name| scene.lab.path(name));
    fs::rename(&path, &other).expect("renamed");
    refused(&scene, "rows.csv", &[], 4, &["rows.csv"]);
    refused(&scene, "other.csv", &[], 4, &["other.csv"]);
    fs::rename(&other, &path).expect("renamed");
    let tally = scene.finish();
    tally.conclude_without_duplicates("input renamed, gone", "two changes, refused");
}

#[test]
fn another_mapping_or_other_flags_are_refused() {
    let scene = stopped();
    let mapping = r#"{"mapping":[
        {"column":"customer_id","moe_attr":"uid","type":"string","is_skipped":false},
        {"column":"n","moe_attr":"n","type":"double","is_skipped":false}]}"#;
    scene.lab.write("mapping.json", mapping);
    refused(&scene, "rows.csv", &["--mapping", "mapping.json"], 4, &["mapping", "--restart"]);
    for flags in [
        ["--max-body-bytes", "90000"],
        ["--limit", "50"],
        ["--empty", "string"],
        ["--kind", "devices"],
    ] {
        // Devices have other columns, so their input is refused before.
        let words: &[&str] = if flags[1] == "devices" { &[] } else { &[flags[0], "--restart"] };
        refused(&scene, "rows.csv", &flags, 2, words);
    }
    let tally = scene.finish();
    tally.conclude_without_duplicates("mapping, flags changed", "five changes, refused");
}

#[test]
fn an_input_that_is_edited_while_it_is_sent_stops_the_run() {
    let job = Job::new(60_000, 600);
    let mut scene = Scene::new(job, Rules::slow(Duration::from_millis(60)));
    let path = scene.lab.path("rows.csv");
    let whole = fs::read_to_string(&path).expect("an input");
    let mut process = scene.start(&[], &[]);
    until("it sends", || scene.server.requests() >= 2 || process.has_ended());
    // The last rows, in place: size and everything before stay.
    let edited = whole.replace(&format!("{DATA}-599"), &format!("{DATA}-998"));
    fs::write(&path, &edited).expect("an input");
    let ended = process.wait();
    let ended = scene.audit(ended);
    ended.says(4, &["rows.csv", "changed"]);
    fs::write(&path, &whole).expect("an input");
    let tally = scene.finish();
    tally.conclude_without_duplicates("input edited while it is sent", "the last rows of 60,000");
}
