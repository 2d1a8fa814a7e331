//! The commands of the documents are run as a reader would type them, in order, in a directory with
//! the samples; and where a document shows what a command prints, that is what it prints.
#![cfg(unix)]

mod document;
#[path = "../common/documents.rs"]
mod documents;
#[path = "../common/missing.rs"]
mod missing;
mod reader;

use std::{fs, thread};

use document::{Document, What, fits};
use reader::Reader;

/// Commands that are not run here, by their document, and why.
const LEFT_OUT: [(&str, &str, &str); 6] = [
    (
        "README.md",
        "cargo run --release -- import samples/customers.csv --sandbox",
        "`.ci/run` runs it",
    ),
    ("README.md", "cargo test", "`.ci/run` runs it"),
    ("README.md", "python3 benches/compare/run.py", "it installs other programs, and takes long"),
    (
        "README.md",
        "python3 benches/changes/run.py --large 100000000",
        "it installs other programs, and takes long",
    ),
    ("docs/reliability.md", "cargo test --test faults", "it is a test of its own"),
    (
        "docs/reliability.md",
        "cargo test --test faults -- --include-ignored --nocapture",
        "it takes long, and some of it needs root",
    ),
];

fn is_left_out(document: &str, command: &str) -> bool {
    let command = command.split(" #").next().unwrap_or_default().trim();
    LEFT_OUT.iter().any(|&(name, left_out, _)| (name, left_out) == (document, command))
}

fn follow(document: &Document) -> Reader {
    let mut reader = Reader::new();
    reader.follows(document, |command| is_left_out(&document.name, command));
    reader
}

/// From an unknown file to a mended, delivered one: init, validate, the page, the rejects, import,
/// status.
#[test]
fn the_tutorial_works_as_it_is_written() {
    let tutorial = Document::read("docs/tutorial.md");
    assert!(tutorial.commands().count() >= 8);
    let reader = follow(&tutorial);
    let (checked, loaded, mended) =
        (reader.report("check"), reader.report("load"), reader.report("mended"));
    assert_eq!(checked["rows"]["accepted"], loaded["rows"]["delivered"]);
    assert_eq!(checked["bodies"]["digest"], loaded["bodies"]["digest"]);
    assert_eq!((&mended["rows"]["read"], &mended["rows"]["delivered"]), (&4.into(), &4.into()));
    let page = fs::read_to_string(reader.path("check/report.html")).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") || page.starts_with("<!doctype html>"));
}

/// Every document, so that a new one is run too.
#[test]
fn every_command_of_the_documents_works() {
    let documents = Document::all();
    let others: Vec<_> = documents
        .iter()
        .filter(|document| document.name != "docs/tutorial.md" && !document.steps.is_empty())
        .collect();
    assert!(others.iter().any(|document| document.name == "README.md"));
    thread::scope(|scope| {
        let readers: Vec<_> = others
            .iter()
            .map(|document| (&document.name, scope.spawn(|| drop(follow(document)))))
            .collect();
        let failed =
            readers.into_iter().filter_map(|(name, reader)| reader.join().is_err().then_some(name));
        let failed: Vec<_> = failed.collect();
        assert!(failed.is_empty(), "see above: {failed:?}");
    });
}

#[test]
fn no_command_stands_where_it_is_not_run() {
    let documents = Document::all();
    let strays: Vec<_> = documents.iter().flat_map(|document| &document.strays).collect();
    assert!(strays.is_empty(), "in no block labelled `sh` or `console`: {strays:#?}");
    for (name, command, why) in LEFT_OUT {
        let is_there = documents
            .iter()
            .filter(|document| document.name == name)
            .flat_map(Document::commands)
            .any(|typed| typed.split(" #").next().unwrap_or_default().trim() == command);
        assert!(is_there && !why.is_empty(), "{name} has no `{command}` any more");
    }
    for document in documents.iter().filter(|document| document.name.starts_with("docs/guides/")) {
        assert!(document.commands().count() > 0, "{}: a guide without a command", document.name);
    }
}

#[test]
fn commands_outputs_and_files_are_told_apart() {
    let text = "```\na # exit code 1\n\n# no\nb \\\n  c\n```\n```console\n$ d\none\n\ntwo\n$ e\n```\n\
                ```toml\n# moebulk.toml\n[limits]\n```\n```toml\nx = 1\n```\n\
                ```sh\n#!/bin/sh\n# f.sh: g\nh\n```\n```text\n  moebulk i\n```\n    cargo j\n";
    let document = Document::parse("x.md", text);
    let commands: Vec<_> = document.commands().collect();
    assert_eq!(commands, ["a # exit code 1", "b c", "d", "e"]);
    assert_eq!(document.strays, ["x.md:28: moebulk i", "x.md:30: cargo j"]);
    let others: Vec<_> = document
        .steps
        .iter()
        .filter_map(|step| match &step.what {
            What::Types { prints, .. } => {
                prints.as_ref().map(|prints| ("prints", prints.join("|")))
            }
            What::Sets(text) => Some(("sets", text.clone())),
            What::Writes { name, text } => Some((name.as_str(), text.clone())),
        })
        .collect();
    let expected = [
        ("prints", "one||two"),
        ("prints", ""),
        ("sets", "# moebulk.toml\n[limits]\n"),
        ("f.sh", "#!/bin/sh\n# f.sh: g\nh\n"),
    ];
    assert_eq!(others, expected.map(|(what, text)| (what, text.to_owned())));
}

#[test]
fn what_is_left_out_of_an_output_is_any_text() {
    let fits = |shown: &str, printed: &str| {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        fits(&shown, &printed.lines().collect::<Vec<_>>())
    };
    for (shown, printed) in [
        ("a\nb", "a  \nb"),
        ("…", ""),
        ("…\nb\n…", "a\nb"),
        ("a\n…\nd", "a\nb\nc\nd"),
        ("took … s of …", "took 3 s of 5"),
        ("first: …", "first: x:3, …"),
    ] {
        assert!(fits(shown, printed), "{shown:?} {printed:?}");
    }
    for (shown, printed) in [
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("a", "ab"),
        ("…\nb", "b\na"),
        ("took … s", "took 3 ms"),
        ("a … b … b", "a b"),
    ] {
        assert!(!fits(shown, printed), "{shown:?} {printed:?}");
    }
}
