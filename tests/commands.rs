//! The commands of the documents are run as a reader would type them, in order, in a directory with
//! the samples.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

struct Reader {
    dir: TempDir,
}

impl Reader {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        fs::create_dir(dir.path().join("samples")).expect("a directory");
        for entry in fs::read_dir(samples).expect("samples").flatten() {
            let to = dir.path().join("samples").join(entry.file_name());
            fs::copy(entry.path(), to).expect("a copy");
        }
        Self { dir }
    }

    /// Types a line; `# exit code N` behind it says how it ends.
    fn types(&self, line: &str) -> Output {
        let expected = line.split_once("# exit code ").map_or("0", |(_, code)| code.trim());
        let binary = PathBuf::from(env!("CARGO_BIN_EXE_moebulk"));
        let path = std::env::join_paths(
            binary
                .parent()
                .map(Path::to_owned)
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
        );
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(self.dir.path())
            .env("PATH", path.expect("a path"))
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env_remove("MOENGAGE_DATA_API_KEY")
            .env_remove("MOENGAGE_APP_ID")
            .output()
            .expect("a shell");
        let code = output.status.code().map(|code| code.to_string());
        assert_eq!(
            code.as_deref(),
            Some(expected),
            "{line}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    fn report(&self, run_dir: &str) -> serde_json::Value {
        let path = self.dir.path().join(run_dir).join("report.json");
        serde_json::from_slice(&fs::read(path).expect("a report")).expect("JSON")
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The lines of the blocks that begin with a fence.
fn lines<'a>(document: &'a str, fence: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut open = None;
    for line in document.lines() {
        match (open, line.strip_prefix("```")) {
            (None, Some(language)) => open = Some(language),
            (Some(_), Some(_)) => open = None,
            (Some(language), None) if language == fence && !line.is_empty() => lines.push(line),
            _ => {}
        }
    }
    lines
}

/// From an unknown file to a mended, delivered one: init, validate, the page, the rejects, import,
/// status.
#[test]
#[cfg(unix)]
fn the_tutorial_works_as_it_is_written() {
    let reader = Reader::new();
    let tutorial = read("docs/tutorial.md");
    let lines = lines(&tutorial, "sh");
    assert_eq!(lines.len(), 8, "{lines:?}");
    for line in lines {
        let output = reader.types(line);
        if line.contains("status") {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("4 delivered") && text.contains("finished"), "{text}");
        }
    }
    let (checked, loaded, mended) =
        (reader.report("check"), reader.report("load"), reader.report("mended"));
    assert_eq!(checked["rows"]["accepted"], loaded["rows"]["delivered"]);
    assert_eq!(checked["bodies"]["digest"], loaded["bodies"]["digest"]);
    assert_eq!((&mended["rows"]["read"], &mended["rows"]["delivered"]), (&4.into(), &4.into()));
    let page = fs::read_to_string(reader.dir.path().join("check/report.html")).expect("a page");
    assert!(page.starts_with("<!DOCTYPE html>") || page.starts_with("<!doctype html>"));
}

/// What the README offers to try.
#[test]
#[cfg(unix)]
fn what_the_readme_offers_to_try_works() {
    let readme = read("README.md");
    let section = readme.split("\n## Try it\n").nth(1).expect("a section");
    let section = section.split("\n## ").next().expect("its end");
    let lines = lines(section, "");
    assert_eq!(lines.len(), 5, "{lines:?}");
    let reader = Reader::new();
    for line in lines {
        // The first has one of each mistake, as the text below it says.
        let ends = if line.contains("dirty") { "   # exit code 1" } else { "" };
        reader.types(&format!("{line}{ends}"));
    }
}
