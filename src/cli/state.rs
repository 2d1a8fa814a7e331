//! `moebulk state`

use std::{
    io::{self, BufRead, Read},
    path::PathBuf,
};

use chrono::DateTime;
use indicatif::{DecimalBytes, HumanCount};
use serde_json::json;

use super::{
    args::{DocumentOutput, ForgetArgs, StateCommand},
    exit::Exit,
    print, resolve,
};
use crate::run::{self, Error};
use crate::state::{State, Verified};

/// Longest id that is read from stdin, in bytes.
const ID_BYTES_MAX: usize = 1 << 20;

/// Looks at a state, checks it, or forgets ids of it.
///
/// # Errors
/// There is none, or it can't be used.
pub fn run(command: StateCommand) -> Result<Exit, Error> {
    match command {
        StateCommand::Stats(args) => {
            let state = State::peek(&dir(args.state)?)?;
            let text = match args.output {
                DocumentOutput::Text => stats(&state)?,
                DocumentOutput::Json => format!("{:#}", document(&state)?),
            };
            print(&text)
        }
        StateCommand::Verify(args) => {
            let state = State::peek(&dir(args.state)?)?;
            let Verified { ids, pending } = state.verify()?;
            let text = match args.output {
                DocumentOutput::Text => format!(
                    "{}: sound; {} ids{}",
                    state.dir().display(),
                    HumanCount(ids),
                    match pending {
                        0 => String::new(),
                        rows => format!(
                            ", and {} rows of an import that is under way or was cut off",
                            HumanCount(rows)
                        ),
                    }
                ),
                DocumentOutput::Json => {
                    format!(
                        "{:#}",
                        json!({"version": 1, "command": "state verify", "ids": ids, "pending": pending})
                    )
                }
            };
            print(&text)
        }
        StateCommand::Forget(ForgetArgs { ids, state }) => {
            let dir = dir(state.state)?;
            let purpose = State::peek(&dir)?.manifest().purpose.clone();
            let ids = all(ids)?;
            let mut open = State::open(&dir, &purpose)?;
            let forgotten = open.forget(ids.iter().map(String::as_str))?;
            let text = match state.output {
                DocumentOutput::Text => format!(
                    "{} of {} ids were known and are forgotten; their rows are sent next time",
                    HumanCount(forgotten),
                    HumanCount(ids.len() as u64)
                ),
                DocumentOutput::Json => format!(
                    "{:#}",
                    json!({"version": 1, "command": "state forget", "named": ids.len(), "forgotten": forgotten})
                ),
            };
            print(&text)
        }
    }
}

/// The ids that were named; `-` stands for the lines of stdin.
fn all(named: Vec<String>) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    for id in named {
        if id != "-" {
            ids.push(id);
            continue;
        }
        read_ids(io::stdin().lock(), &mut ids)?;
    }
    Ok(ids)
}

/// Reads one id a line. Of a line that is none no more is read than tells so.
fn read_ids(mut input: impl BufRead, ids: &mut Vec<String>) -> Result<(), Error> {
    // With a line end of two bytes it may just fit.
    let most = ID_BYTES_MAX as u64 + 2;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = input.by_ref().take(most).read_until(b'\n', &mut line);
        if read.map_err(|error| Error::Output { path: "stdin".to_owned(), error })? == 0 {
            break;
        }
        let id = line.strip_suffix(b"\n").unwrap_or(&line);
        let id = id.strip_suffix(b"\r").unwrap_or(id);
        let wrong = match std::str::from_utf8(id) {
            _ if id.len() > ID_BYTES_MAX => format!("is longer than {ID_BYTES_MAX} bytes"),
            Err(_) => "is not UTF-8".to_owned(),
            Ok("") => continue,
            Ok(id) => {
                ids.push(id.to_owned());
                continue;
            }
        };
        return Err(Error::Usage(format!("stdin: line {number} {wrong}; write one id a line")));
    }
    Ok(())
}

/// The directory that is meant.
fn dir(given: Option<PathBuf>) -> Result<PathBuf, Error> {
    if let Some(dir) = given {
        return Ok(dir);
    }
    let base = resolve::states_dir()?;
    let dirs = run::state_dirs(&base)?;
    match dirs.as_slice() {
        [dir] => Ok(dir.clone()),
        [] => Err(Error::Usage(format!(
            "there is no state below {}; an import with --only-changed makes one, and --state names another",
            base.display()
        ))),
        several => Err(Error::Usage(format!(
            "there are {} states; say which with --state: {}",
            several.len(),
            several.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn stats(state: &State) -> Result<String, Error> {
    let manifest = state.manifest();
    let bytes = state.bytes()?;
    let mut lines = vec![
        format!("state       {}", state.dir().display()),
        format!("of          {}", manifest.purpose),
        format!("ids         {}", HumanCount(manifest.ids)),
        format!(
            "on disk     {}{}",
            DecimalBytes(bytes),
            match bytes.checked_div(manifest.ids) {
                None => String::new(),
                Some(each) => format!(", {each} bytes an id"),
            }
        ),
        format!("moved       {}", time(manifest.moved)),
        format!("last full   {}", time(manifest.full)),
    ];
    if let Some(pending) = state.pending() {
        lines.push(format!(
            "under way   {} rows of the import in {}, or it was cut off",
            HumanCount(pending.len()),
            pending.header.dir.display()
        ));
    }
    Ok(lines.join("\n"))
}

fn document(state: &State) -> Result<serde_json::Value, Error> {
    let manifest = state.manifest();
    Ok(json!({
        "version": 1,
        "command": "state stats",
        "state": state.dir().display().to_string(),
        "destination": manifest.purpose.destination,
        "kind": manifest.purpose.kind,
        "ids": manifest.ids,
        "bytes": state.bytes()?,
        "moved": manifest.moved,
        "full": manifest.full,
        "pending": state.pending().map(|pending| json!({
            "rows": pending.len(),
            "run_dir": pending.header.dir.display().to_string(),
        })),
    }))
}

fn time(seconds: Option<u64>) -> String {
    let time = seconds.and_then(|at| DateTime::from_timestamp(i64::try_from(at).ok()?, 0));
    time.map_or_else(|| "never".to_owned(), |time| time.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids_of(input: impl Read) -> Result<Vec<String>, String> {
        let mut ids = Vec::new();
        read_ids(io::BufReader::new(input), &mut ids).map_err(|error| error.to_string())?;
        Ok(ids)
    }

    #[test]
    fn a_line_that_is_no_id_is_named_and_not_read_to_its_end() {
        const BYTES: u64 = 8 << 20;
        let mut endless = io::repeat(b'x').take(BYTES);
        let refused = ids_of(b"a\n".chain(&mut endless)).unwrap_err();
        let words =
            format!("stdin: line 2 is longer than {ID_BYTES_MAX} bytes; write one id a line");
        assert_eq!(refused, words);
        assert!(
            endless.limit() > BYTES - 2 * ID_BYTES_MAX as u64,
            "{} bytes are left",
            endless.limit()
        );
        assert_eq!(
            ids_of(b"a\n\nb\xff\nc".as_slice()).unwrap_err(),
            "stdin: line 3 is not UTF-8; write one id a line"
        );
        let long = "x".repeat(ID_BYTES_MAX);
        for end in ["", "\n", "\r\n", "\nb", "\r\nb"] {
            let found = ids_of(format!("a\r\n\n{long}{end}").as_bytes()).unwrap();
            assert_eq!(found[..2], ["a", &long]);
            assert_eq!(found.get(2).map(String::as_str), end.ends_with('b').then_some("b"));
            assert!(ids_of(format!("{long}x{end}").as_bytes()).is_err());
        }
    }
}
