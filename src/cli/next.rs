//! The command to type next, as a shell takes it.

use std::path::{Path, PathBuf};

use super::config::layers::Held;
use crate::model::{is_dashed, shell_path, shell_word};
use crate::report::RejectsFile;
use crate::source;

/// Flags that say where to send.
const DESTINATION: [&str; 2] = ["data_center", "endpoint"];

/// Flags that are about one call.
const LEFT_OUT: [&str; 8] =
    ["inputs", "run_dir", "restart", "progress", "output", "log_level", "log_format", "sandbox"];

/// Flags that rejects do not take over: which rows, and how their source begins. Their mapping stands
/// beside them. They are not everything that is to be remembered.
const NOT_OF_REJECTS: [&str; 6] = ["mapping", "limit", "offset", "no_header", "skip_lines", "full"];

/// The import of some inputs: of the rejects alone, where they are all that is left.
pub fn import(inputs: &[PathBuf], rejects: &[RejectsFile], typed: &Held, has_file: bool) -> String {
    let mut words = vec!["moebulk".to_owned(), "import".to_owned()];
    if rejects.is_empty() {
        words.extend(inputs.iter().map(|named| input(named)));
        words.extend(flags(typed, |name| !LEFT_OUT.contains(&name)));
    } else {
        words.extend(of_rejects(rejects, typed));
    }
    let has_destination = typed.keys().any(|name| DESTINATION.contains(&name.as_str()));
    if !has_destination && !has_file {
        words.push("--sandbox".to_owned());
    }
    words.join(" ")
}

/// The check of rejects, once they are mended.
pub fn validate(rejects: &[RejectsFile], typed: &Held) -> String {
    let words = ["moebulk".to_owned(), "validate".to_owned()];
    words.into_iter().chain(of_rejects(rejects, typed)).collect::<Vec<_>>().join(" ")
}

/// Files of rejects, with what they are read with: without the flags that its source was read with, a
/// file would be read another way.
fn of_rejects(rejects: &[RejectsFile], typed: &Held) -> Vec<String> {
    let left_out = |name: &str| LEFT_OUT.contains(&name) || NOT_OF_REJECTS.contains(&name);
    let mut words: Vec<_> = rejects.iter().map(|file| shell_path(&file.path)).collect();
    words.extend(flags(typed, |name| !left_out(name)));
    words
}

/// The import that goes on where one stopped: its checkpoint holds the rest.
pub fn resume(run_dir: &Path, typed: &Held) -> String {
    let mut words = vec!["moebulk import --run-dir".to_owned()];
    words.push(shell_path(run_dir));
    words.extend(flags(typed, |name| name == "config"));
    words.join(" ")
}

/// What is said of flags that an import takes over from the run with which it goes on.
pub fn taken_over(held: &Held) -> Option<String> {
    let words = flags(held, |_| true).join(" ");
    (!words.is_empty())
        .then(|| format!("as the unfinished run: {words}; --restart begins anew without them"))
}

/// Flags as they are typed; a switch has no values.
fn flags(typed: &Held, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut words = Vec::new();
    for (name, values) in typed.iter().filter(|(name, _)| wanted(name)) {
        let flag = format!("--{}", name.replace('_', "-"));
        if values.is_empty() {
            words.push(flag.clone());
        }
        words.extend(values.iter().map(|value| with_value(&flag, value)));
    }
    words
}

/// A flag with its value, which is taken for no flag.
pub fn with_value(flag: &str, value: &str) -> String {
    // A switch takes its value no other way, and any other flag takes it this way too.
    let between = if is_dashed(value) || value == "false" { '=' } else { ' ' };
    format!("{flag}{between}{}", shell_word(value))
}

/// An input as it was typed, but for the signature of a signed URL.
pub fn input(named: &Path) -> String {
    let (typed, shown) = (named.to_string_lossy(), source::shown(named));
    if typed == shown { shell_path(named) } else { shell_word(&format!("{shown}?…")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(flags: &[(&str, &str)]) -> Held {
        let pair = |&(name, value): &(&str, &str)| {
            let values = if value == "on" { Vec::new() } else { vec![value.to_owned()] };
            (name.to_owned(), values)
        };
        flags.iter().map(pair).collect()
    }

    #[test]
    fn what_was_typed_is_typed_again() {
        let inputs = [PathBuf::from("my users.csv")];
        let flags = typed(&[
            ("inputs", "my users.csv"),
            ("mapping", "m.toml"),
            ("strict", "on"),
            ("strict_ids", "false"),
            ("null_value", "true"),
            ("delimiter", ";"),
            ("output", "json"),
        ]);
        assert_eq!(
            import(&inputs, &[], &flags, false),
            "moebulk import 'my users.csv' --delimiter ';' --mapping m.toml \
             --null-value true --strict --strict-ids=false --sandbox"
        );
        let to = typed(&[
            ("data_center", "01"),
            ("app_id", "A"),
            ("limit", "5"),
            ("mapping", "m.toml"),
            ("encoding", "latin-1"),
            ("empty", "unset"),
        ]);
        let rejects = [RejectsFile { path: "runs/it's/rejects.csv".into(), rows: 1 }];
        assert_eq!(
            import(&inputs, &rejects, &to, false),
            concat!(
                r"moebulk import 'runs/it'\''s/rejects.csv' --app-id A --data-center 01",
                " --empty unset --encoding latin-1"
            )
        );
        assert_eq!(
            validate(&rejects, &to),
            concat!(
                r"moebulk validate 'runs/it'\''s/rejects.csv' --app-id A --data-center 01",
                " --empty unset --encoding latin-1"
            )
        );
        let dashed = typed(&[("null_value", "-1"), ("mapping", "-m.toml")]);
        assert_eq!(
            import(&[PathBuf::from("-my users.csv"), PathBuf::from("-")], &[], &dashed, true),
            "moebulk import './-my users.csv' - --mapping=-m.toml --null-value=-1"
        );
        assert_eq!(
            resume(Path::new("runs/x"), &typed(&[("config", "c.toml"), ("limit", "5")])),
            "moebulk import --run-dir runs/x --config c.toml"
        );
    }
}
