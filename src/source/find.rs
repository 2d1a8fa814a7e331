//! Files, globs and directories to inputs.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Delimited text. The delimiter is a tab where the name ends in `.tsv`.
    Csv {
        /// The delimiter that the name suggests.
        delimiter: u8,
    },
    /// One JSON object a line.
    Ndjson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC, a file or a stream.
    Arrow,
}

/// One input file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The path, as given or found.
    pub path: PathBuf,
    /// How to read it.
    pub format: Format,
    /// Its size in bytes.
    pub bytes: u64,
}

impl Input {
    /// The path as text, for messages and reports.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Why an input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing there.
    #[error("{0}: no such file; check the path")]
    Missing(String),
    /// A glob that matches nothing.
    #[error("{0}: the pattern matches no file")]
    NoMatch(String),
    /// A malformed glob.
    #[error("{pattern}: not a valid pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory without inputs.
    #[error(
        "{0}: the directory holds no .csv, .tsv, .ndjson, .jsonl, .parquet, .arrow, .arrows, .feather or .ipc file"
    )]
    EmptyDirectory(String),
    /// A pipe, a socket, a device.
    #[error(
        "{0}: not a regular file; inputs are read more than once, so save the data to a file first"
    )]
    NotAFile(String),
    /// The same file twice.
    #[error("{0}: named twice among the inputs, so its rows would be sent twice; name it once")]
    Twice(String),
    /// A compressed file.
    #[error("{path}: is {kind}-compressed; decompress it first")]
    Compressed {
        /// The file.
        path: String,
        /// The compression.
        kind: &'static str,
    },
    /// It cannot be read.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        error: io::Error,
    },
}

/// Finds the files that the given names mean: in the order given, a directory's and a
/// glob's files by name. Hidden files and those that begin with `_` in a directory are
/// left out, as are other formats.
///
/// # Errors
/// The first name that cannot be used.
pub fn find(names: &[PathBuf]) -> Result<Vec<Input>, Error> {
    let mut inputs = Vec::new();
    for name in names {
        let text = name.display().to_string();
        // A file whose very name looks like a pattern is that file.
        if name.is_dir() {
            let files = directory(name)?;
            if files.is_empty() {
                return Err(Error::EmptyDirectory(text));
            }
            inputs.extend(files);
        } else if name.exists() {
            inputs.push(name.clone());
        } else if text.contains(['*', '?', '[']) {
            let files = matches(&text)?;
            if files.is_empty() {
                return Err(Error::NoMatch(text));
            }
            inputs.extend(files);
        } else {
            return Err(Error::Missing(text));
        }
    }
    let mut seen = HashSet::new();
    inputs
        .into_iter()
        .map(|path| {
            let canonical = fs::canonicalize(&path).map_err(|error| io_error(&path, error))?;
            if !seen.insert(canonical) {
                return Err(Error::Twice(path.display().to_string()));
            }
            inspect(path)
        })
        .collect()
}

fn directory(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(|error| io_error(path, error))? {
        let file = entry.map_err(|error| io_error(path, error))?.path();
        let hidden =
            file.file_name().is_none_or(|name| name.to_string_lossy().starts_with(['.', '_']));
        if !hidden && file.is_file() && format_by_name(&file).is_some() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>, Error> {
    let paths = glob::glob(pattern).map_err(|error| Error::Pattern {
        pattern: pattern.to_owned(),
        reason: error.msg.to_owned(),
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| {
            let path = error.path().to_owned();
            io_error(&path, error.into())
        })?;
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn format_by_name(path: &Path) -> Option<Format> {
    let extension = path.extension()?.to_ascii_lowercase();
    match extension.to_str()? {
        "csv" => Some(Format::Csv { delimiter: b',' }),
        "tsv" => Some(Format::Csv { delimiter: b'\t' }),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "parquet" => Some(Format::Parquet),
        "arrow" | "arrows" | "feather" | "ipc" => Some(Format::Arrow),
        _ => None,
    }
}

/// Bytes at the start of a file that tell its format.
const HEAD_BYTES: u64 = 4096;

/// The format that the first bytes of a file tell.
fn format_by_content(head: &[u8]) -> Format {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match head {
        [b'P', b'A', b'R', b'1' | b'E', ..] => Format::Parquet,
        // A file, and the mark before the first message of a stream.
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xff, 0xff, 0xff, 0xff, ..] => Format::Arrow,
        _ if text.trim_ascii_start().starts_with(b"{") => Format::Ndjson,
        _ => Format::Csv { delimiter: b',' },
    }
}

/// Looks at one file: its size, and its format by name, or else by its first bytes.
fn inspect(path: PathBuf) -> Result<Input, Error> {
    let metadata = fs::metadata(&path).map_err(|error| io_error(&path, error))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.display().to_string()));
    }
    let mut head = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(|error| io_error(&path, error))?;
    let compressed = match head.as_slice() {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        [b'P', b'K', 3, 4, ..] => Some("zip"),
        [b'B', b'Z', b'h', _, ..] => Some("bzip2"),
        _ => None,
    };
    if let Some(kind) = compressed {
        return Err(Error::Compressed { path: path.display().to_string(), kind });
    }
    let by_content = format_by_content(&head);
    let format = format_by_name(&path).unwrap_or(by_content);
    Ok(Input { path, format, bytes: metadata.len() })
}

fn io_error(path: &Path, error: io::Error) -> Error {
    Error::Io { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Input], root: &Path) -> Vec<String> {
        inputs
            .iter()
            .map(|i| i.path.strip_prefix(root).expect("inside").display().to_string())
            .collect()
    }

    #[test]
    fn files_globs_and_directories_in_order() {
        let root = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| root.path().join(name);
        for name in ["b.csv", "a.csv", "c.tsv", "_SUCCESS", ".hidden.csv", "notes.txt", "data"] {
            fs::write(at(name), "x\n").expect("write");
        }
        fs::write(at("magic"), "PAR1....PAR1").expect("write");
        let found = find(&[at("b.csv"), at("c.*")]).expect("found");
        assert_eq!(names(&found, root.path()), ["b.csv", "c.tsv"]);
        assert_eq!(found[1].format, Format::Csv { delimiter: b'\t' });
        let found = find(&[root.path().to_owned()]).expect("found");
        assert_eq!(names(&found, root.path()), ["a.csv", "b.csv", "c.tsv"]);
        let found = find(&[at("data"), at("magic")]).expect("found");
        assert_eq!(found[0].format, Format::Csv { delimiter: b',' });
        assert_eq!(found[1].format, Format::Parquet);
        assert!(matches!(find(&[at("a.csv"), at("[ab].csv")]), Err(Error::Twice(_))));
        assert!(matches!(find(&[at("none.csv")]), Err(Error::Missing(_))));
        assert!(matches!(find(&[at("none*.csv")]), Err(Error::NoMatch(_))));
        fs::write(at("z.csv"), [0x1f, 0x8b, 8, 0, 0]).expect("write");
        assert!(matches!(find(&[at("z.csv")]), Err(Error::Compressed { kind: "gzip", .. })));
        fs::create_dir(at("empty")).expect("mkdir");
        assert!(matches!(find(&[at("empty")]), Err(Error::EmptyDirectory(_))));
    }
}
