//! Files, globs and directories to inputs.

use std::{
    borrow::Cow,
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    checked::Place,
    mistaken,
    remote::{self, Remote},
    unpack::{Compression, HEAD_BYTES, unread_compression},
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

/// Where runs are kept by default, below the working directory.
pub const RUNS_DIR: &str = "moebulk-runs";

/// Files that tell the directory of a run, whose rejects are no inputs of a directory above.
pub const RUN_FILES: [&str; 2] = ["checkpoint", "resolved-mapping.toml"];

/// The value of a partition that has none.
const NO_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// What an input is called that comes in on the standard input.
pub const STDIN_NAME: &str = "stdin";

/// The standard input, as it is named among the inputs.
pub const STDIN: &str = "-";

/// One input file, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The path, as given or found, or [`STDIN_NAME`].
    pub path: PathBuf,
    /// What has to be done before its rows can be read by position.
    pub unpacking: Unpacking,
    /// How to read it, where that is known before it is unpacked.
    pub format: Option<Format>,
    /// Its size in bytes, as it lies there; 0 where it comes in.
    pub bytes: u64,
    /// The columns that its place gives, as `partitions` tells.
    pub partitions: Partitions,
    /// The object, where it is none of this machine's files.
    pub remote: Option<Remote>,
}

/// Columns that a file's place gives all of its rows: their names, and their value where they have
/// one. Of two with one name the later one counts.
pub type Partitions = Vec<(String, Option<String>)>;

/// What has to be done before the rows of a file can be read by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpacking {
    /// Nothing.
    No,
    /// It is compressed.
    Compressed(Compression),
    /// It comes in on the standard input.
    Stdin,
    /// Its server gives it as a whole alone, compressed or not.
    Download,
}

impl Found {
    /// The path as text, for messages and reports.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The input, where its rows can be read from the file as it is.
    pub fn as_it_is(&self) -> Option<Input> {
        match (self.unpacking, self.format) {
            (Unpacking::No, Some(format)) => Some(Input {
                path: self.path.clone(),
                file: match &self.remote {
                    Some(remote) => Place::Remote(remote.clone()),
                    None => Place::from(&self.path),
                },
                format,
                bytes: self.bytes,
                partitions: self.partitions.clone(),
            }),
            _ => None,
        }
    }

    /// The input, its content in a file of its own now.
    ///
    /// # Errors
    /// The file cannot be read, or its content is compressed once more.
    pub fn unpacked(&self, file: PathBuf) -> Result<Input, Error> {
        let fail = |error| Error::Io { path: file.display().to_string(), error };
        let head = head(&file).map_err(fail)?;
        let bytes = fs::metadata(&file).map_err(fail)?.len();
        let twice = Compression::of(&head).map(Compression::name);
        if let Some(kind) = mistaken::workbook(&without_compression(&self.path), &head) {
            return Err(Error::Workbook { path: self.name(), kind });
        }
        if let Some(kind) = twice.or(unread_compression(&head)) {
            return Err(Error::CompressedTwice { path: self.name(), kind });
        }
        let format = match self.format {
            Some(format) => format,
            None => mistaken::format(&self.name(), &head)?,
        };
        let (path, partitions) = (self.path.clone(), self.partitions.clone());
        Ok(Input { path, file: Place::File(file), format, bytes, partitions })
    }
}

/// One input, whose rows can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is called: the path, as given or found, or [`STDIN_NAME`].
    pub path: PathBuf,
    /// What holds its rows: the same, or the file that it was unpacked to.
    pub file: Place,
    /// How to read it.
    pub format: Format,
    /// The size in bytes of that file.
    pub bytes: u64,
    /// The columns that its place gives, as `partitions` tells.
    pub partitions: Partitions,
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
        "{0}: the directory holds no .csv, .tsv, .ndjson, .jsonl, .parquet, .arrow, .arrows, .feather or .ipc file, also not further below"
    )]
    EmptyDirectory(String),
    /// A pipe, a socket, a device.
    #[error(
        "{0}: not a regular file; inputs are read more than once, so save the data to a file first, or pipe it in and name it `-`"
    )]
    NotAFile(String),
    /// The same file twice.
    #[error("{0}: named twice among the inputs, so its rows would be sent twice; name it once")]
    Twice(String),
    /// A compressed file.
    #[error("{path}: is {kind}-compressed; decompress it first, or compress it with gzip or zstd")]
    Compressed {
        /// The file.
        path: String,
        /// The compression.
        kind: &'static str,
    },
    /// A workbook of a spreadsheet program.
    #[error("{path}: is {kind}, which is not read; save its sheet as CSV (UTF-8) and give that")]
    Workbook {
        /// The file.
        path: String,
        /// What kind.
        kind: &'static str,
    },
    /// One JSON array of all rows.
    #[error(
        "{0}: is a JSON array, and NDJSON is read, which has one object on each line; `jq -c '.[]'` makes it of an array"
    )]
    JsonArray(String),
    /// A compressed file in a compressed file.
    #[error("{path}: holds a {kind}-compressed file; decompress it once")]
    CompressedTwice {
        /// The file.
        path: String,
        /// The compression inside.
        kind: &'static str,
    },
    /// An object elsewhere.
    #[error("{path}: {reason}")]
    Remote {
        /// Its URL.
        path: String,
        /// What is wrong, and what to do.
        reason: String,
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

/// Finds the files that the given names mean: in the order given, a glob's files by name, and all
/// below a directory in the order of their paths. Hidden files and directories below one and those
/// that begin with `_` are left out, as are other formats, and what runs left. [`STDIN`] is the standard input.
///
/// # Errors
/// The first name that cannot be used.
pub fn find(names: &[PathBuf]) -> Result<Vec<Found>, Error> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut stores = remote::Stores::default();
    for name in names {
        if remote::is_remote(name) {
            for object in remote::find(&mut stores, name)? {
                if !seen.insert(object.path.clone()) {
                    return Err(Error::Twice(object.name()));
                }
                found.push(object);
            }
            continue;
        }
        for path in files_of(name)? {
            let is_stdin = path == Path::new(STDIN);
            let canonical = match is_stdin {
                true => path.clone(),
                // A pipe of a shell, such as `<(…)`, has a name and no path of its own.
                false if fs::metadata(&path).is_ok_and(|found| !found.is_file()) => {
                    return Err(Error::NotAFile(path.display().to_string()));
                }
                false => fs::canonicalize(&path).map_err(|error| io_error(&path, error))?,
            };
            if !seen.insert(canonical) {
                return Err(Error::Twice(path.display().to_string()));
            }
            found.push(if is_stdin { stdin() } else { inspect(path)? });
        }
    }
    Ok(found)
}

/// The local files that the given names mean, whatever they hold.
///
/// # Errors
/// The first name that cannot be used.
pub fn local_files(names: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for name in names.iter().filter(|name| !remote::is_remote(name)) {
        files.extend(files_of(name)?);
    }
    files.retain(|path| path != Path::new(STDIN));
    Ok(files)
}

/// What a file is called without the endings that tell its compression and format.
pub fn stem(path: &Path) -> String {
    if path == Path::new(STDIN) {
        return STDIN_NAME.to_owned();
    }
    let shown = shown(path);
    let path = without_compression(Path::new(&shown));
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A name as it may be shown: a signed URL without its signature.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    match remote::is_remote(path) {
        true => remote::without_query(&text).to_owned(),
        false => text.into_owned(),
    }
}

fn stdin() -> Found {
    Found {
        path: STDIN_NAME.into(),
        unpacking: Unpacking::Stdin,
        format: None,
        bytes: 0,
        partitions: Vec::new(),
        remote: None,
    }
}

/// The files that one name means.
fn files_of(name: &Path) -> Result<Vec<PathBuf>, Error> {
    let text = name.display().to_string();
    // A file whose very name looks like a pattern is that file.
    if name == Path::new(STDIN) {
        Ok(vec![name.to_owned()])
    } else if name.is_dir() {
        let files = directory(name)?;
        if files.is_empty() { Err(Error::EmptyDirectory(text)) } else { Ok(files) }
    } else if name.exists() {
        Ok(vec![name.to_owned()])
    } else if text.contains(['*', '?', '[']) {
        let files = matches(&text)?;
        if files.is_empty() { Err(Error::NoMatch(text)) } else { Ok(files) }
    } else {
        Err(Error::Missing(text))
    }
}

/// The files below a directory, in the order of the bytes of their paths.
fn directory(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    walk(path, &mut Vec::new(), &mut files)?;
    files.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(files)
}

/// Collects the files below a directory; `above` are the directories that lead there.
fn walk(dir: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let canonical = fs::canonicalize(dir).map_err(|error| io_error(dir, error))?;
    // A link to a directory above would never end.
    if above.contains(&canonical) {
        return Ok(());
    }
    above.push(canonical);
    for entry in fs::read_dir(dir).map_err(|error| io_error(dir, error))? {
        let path = entry.map_err(|error| io_error(dir, error))?.path();
        if path.file_name().is_none_or(|name| is_left_out(&name.to_string_lossy())) {
            continue;
        }
        if path.is_dir() {
            let is_run = RUN_FILES.iter().any(|name| path.join(name).exists());
            if !is_run && !path.ends_with(RUNS_DIR) {
                walk(&path, above, files)?;
            }
        } else if path.is_file() && format_by_name(&path).is_some() {
            files.push(path);
        }
    }
    above.pop();
    Ok(())
}

/// Whether what lies at a path below a directory elsewhere is one of its tables.
pub(super) fn is_table_below(path: &str) -> bool {
    let is_of_run = path.split('/').any(|name| name == RUNS_DIR);
    let is_left_out = path.split('/').any(is_left_out);
    !is_of_run && !is_left_out && format_by_name(Path::new(path)).is_some()
}

/// Whether a file or directory of this name is left out of a directory.
fn is_left_out(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// What the components of a path above the file name give as `key=value`, as Hive and Spark write
/// them: values percent-decoded, `__HIVE_DEFAULT_PARTITION__` being none.
pub fn partitions(path: &str) -> Partitions {
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    let pairs = above.split('/').filter_map(|component| component.split_once('='));
    let pairs = pairs.filter(|(key, _)| !key.is_empty());
    let decoded = |(key, value): (&str, &str)| {
        (percent_decoded(key), (value != NO_PARTITION).then(|| percent_decoded(value)))
    };
    pairs.map(decoded).collect()
}

/// A text with `%41` as `A`; as it stands where that makes no text.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, later @ ..] = rest {
        let digit = |at: usize| later.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &later[2..];
            }
            _ => {
                bytes.push(*first);
                rest = later;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
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

/// A path without the ending of a compression.
fn without_compression(path: &Path) -> Cow<'_, Path> {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_deref().and_then(OsStr::to_str) {
        Some("gz" | "gzip" | "zst" | "zstd") => Cow::Owned(path.with_extension("")),
        _ => Cow::Borrowed(path),
    }
}

/// The format that a name tells, of a compressed file that of what it holds.
pub(super) fn format_by_name(path: &Path) -> Option<Format> {
    let path = without_compression(path);
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

/// The format that the first bytes of a file tell.
pub(super) fn format_by_content(head: &[u8]) -> Format {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match head {
        [b'P', b'A', b'R', b'1' | b'E', ..] => Format::Parquet,
        // A file, and the mark before the first message of a stream.
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] | [0xff, 0xff, 0xff, 0xff, ..] => Format::Arrow,
        _ if text.trim_ascii_start().starts_with(b"{") => Format::Ndjson,
        _ => Format::Csv { delimiter: b',' },
    }
}

/// The first bytes of a file.
fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Looks at one file: its size, its compression, and its format by name, or else by its first bytes.
fn inspect(path: PathBuf) -> Result<Found, Error> {
    let metadata = fs::metadata(&path).map_err(|error| io_error(&path, error))?;
    if !metadata.is_file() {
        return Err(Error::NotAFile(path.display().to_string()));
    }
    let head = head(&path).map_err(|error| io_error(&path, error))?;
    let shown = path.display().to_string();
    if let Some(error) = mistaken::refusal(&shown, &head) {
        return Err(error);
    }
    let (unpacking, format) = match (Compression::of(&head), format_by_name(&path)) {
        (Some(kind), by_name) => (Unpacking::Compressed(kind), by_name),
        (None, Some(by_name)) => (Unpacking::No, Some(by_name)),
        (None, None) => (Unpacking::No, Some(mistaken::format(&shown, &head)?)),
    };
    let partitions = partitions(&path.to_string_lossy());
    Ok(Found { path, unpacking, format, bytes: metadata.len(), partitions, remote: None })
}

fn io_error(path: &Path, error: io::Error) -> Error {
    Error::Io { path: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(inputs: &[Found], root: &Path) -> Vec<String> {
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
        assert_eq!(found[1].format, Some(Format::Csv { delimiter: b'\t' }));
        let found = find(&[root.path().to_owned()]).expect("found");
        assert_eq!(names(&found, root.path()), ["a.csv", "b.csv", "c.tsv"]);
        let found = find(&[at("data"), at("magic")]).expect("found");
        assert_eq!(found[0].format, Some(Format::Csv { delimiter: b',' }));
        assert_eq!(found[1].format, Some(Format::Parquet));
        assert!(matches!(find(&[at("a.csv"), at("[ab].csv")]), Err(Error::Twice(_))));
        assert!(matches!(find(&[at("none.csv")]), Err(Error::Missing(_))));
        assert!(matches!(find(&[at("none*.csv")]), Err(Error::NoMatch(_))));
        fs::write(at("z.csv"), b"BZh91AY").expect("write");
        assert!(matches!(find(&[at("z.csv")]), Err(Error::Compressed { kind: "bzip2", .. })));
        fs::create_dir(at("empty")).expect("mkdir");
        assert!(matches!(find(&[at("empty")]), Err(Error::EmptyDirectory(_))));
    }

    #[test]
    fn compressions_are_told_by_content_and_what_they_hold_by_the_inner_name() {
        let root = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| root.path().join(name);
        let tsv = Some(Format::Csv { delimiter: b'\t' });
        let (gzip, zstd) = ([0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]);
        for (name, head, compression, format) in [
            ("a.tsv.gz", gzip, Some(Compression::Gzip), tsv),
            ("a.tsv", gzip, Some(Compression::Gzip), tsv),
            ("a.parquet.ZST", zstd, Some(Compression::Zstd), Some(Format::Parquet)),
            ("a.gz", zstd, Some(Compression::Zstd), None),
            ("a.csv.gz", *b"a,b\n", None, Some(Format::Csv { delimiter: b',' })),
        ] {
            fs::write(at(name), head).expect("write");
            let found = &find(&[at(name)]).expect("found")[0];
            let unpacking = compression.map_or(Unpacking::No, Unpacking::Compressed);
            assert_eq!((found.unpacking, found.format), (unpacking, format), "{name}");
        }
        let found = find(&[root.path().to_owned()]).expect("found");
        let listed = ["a.csv.gz", "a.parquet.ZST", "a.tsv", "a.tsv.gz"];
        assert_eq!(names(&found, root.path()), listed, "what a.gz holds nobody says");
        assert_eq!(stem(Path::new("dir/users.2.csv.gz")), "users.2");
    }

    #[test]
    fn a_directory_is_walked_in_the_order_of_the_paths_and_no_loop_is() {
        let root = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| root.path().join("named").join(name);
        for name in [
            "dt=2/b.csv",
            "dt=2/a.csv",
            "dt=10/a.csv.gz",
            "a.csv",
            "z/.hidden/x.csv",
            "z/_temporary/0/x.csv",
            "moebulk-runs/a/rejects.csv",
            "run/rejects.csv",
            "run/resolved-mapping.toml",
            "deep/er/still/c.tsv",
        ] {
            fs::create_dir_all(at(name).parent().expect("a parent")).expect("mkdir");
            fs::write(at(name), "x\n").expect("write");
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at(""), at("deep/loop")).expect("a link");
        let found = find(&[at("")]).expect("found");
        let listed = ["a.csv", "deep/er/still/c.tsv", "dt=10/a.csv.gz", "dt=2/a.csv", "dt=2/b.csv"];
        assert_eq!(names(&found, &at("")), listed);
        let pair = ("dt".to_owned(), Some("10".to_owned()));
        assert_eq!((&found[1].partitions, &found[2].partitions), (&vec![], &vec![pair]));
    }

    #[test]
    fn partitions_are_decoded_and_may_have_no_value() {
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        for (path, expected) in [
            ("a/b.csv", vec![]),
            (
                "e/dt=2024-01-02/c=a%20b%2Fc/x=1.csv",
                vec![pair("dt", Some("2024-01-02")), pair("c", Some("a b/c"))],
            ),
            ("dt=__HIVE_DEFAULT_PARTITION__/b", vec![pair("dt", None)]),
            (
                "=x/a=/b=c=d/%zz=%f/%ff=%ff/f",
                vec![
                    pair("a", Some("")),
                    pair("b", Some("c=d")),
                    pair("%zz", Some("%f")),
                    pair("%ff", Some("%ff")),
                ],
            ),
        ] {
            assert_eq!(partitions(path), expected, "{path}");
        }
    }

    #[test]
    fn the_standard_input_is_named_once() {
        let found = find(&["-".into()]).expect("found");
        assert_eq!((found[0].name().as_str(), found[0].unpacking), ("stdin", Unpacking::Stdin));
        assert!(matches!(find(&["-".into(), "-".into()]), Err(Error::Twice(_))));
        assert!(local_files(&["-".into()]).expect("found").is_empty());
    }
}
