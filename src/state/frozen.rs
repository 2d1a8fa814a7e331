//! What an import decided at its start: which rows it sends. It is kept with the checkpoint, so
//! that a resume makes the same bodies whatever has become of the state.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::{Counts, Error};
use crate::model::RowSet;
use crate::private;
use crate::sealed::{line_json, push_line};

/// The name of the file in a run directory.
pub const FROZEN_FILE: &str = "changes";

/// Its name while it is being written.
pub const FROZEN_STAGED_FILE: &str = "changes.tmp";

/// What an import decided at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// The import's own name: 32 hex digits.
    pub run: String,
    /// The name of the state that it was held against.
    pub state: String,
    /// The generation of that.
    pub base: String,
    /// What was found.
    pub counts: Counts,
    /// The state was moved last under another mapping, and no row was as it is known.
    #[serde(default)]
    pub mapping_changed: bool,
    /// The run directory of an import that had been cut off: its ids were not relied on.
    #[serde(default)]
    pub cut_off: Option<String>,
    /// The first rows whose ids stand in other rows too, by file and row.
    pub repeated: Vec<(u32, u64)>,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    #[serde(rename = "moebulk_changes")]
    version: u64,
    decided: std::borrow::Cow<'a, Frozen>,
    /// 64-bit words of each file's rows, which follow.
    words: Vec<u64>,
}

const FORMAT_VERSION: u64 = 1;

impl Frozen {
    /// Writes it with the rows that are sent, durably; the hash of all of it, as a checkpoint is
    /// bound to it.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, dir: &Path, rows: &RowSet) -> Result<String, Error> {
        let path = dir.join(FROZEN_FILE);
        let staged = dir.join(FROZEN_STAGED_FILE);
        let write = || {
            let words = rows.words().map(|words| words.len() as u64).collect();
            let decided = std::borrow::Cow::Borrowed(self);
            let mut bytes = Vec::new();
            push_line(&mut bytes, &Header { version: FORMAT_VERSION, decided, words })?;
            rows.words().flatten().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
            private::remove(&staged)?;
            let mut file = private::options().write(true).create_new(true).open(&staged)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&staged, &path)?;
            private::sync_dir(dir)?;
            Ok(digest(&bytes))
        };
        write().map_err(Error::io(&path, "write"))
    }

    /// Reads it back, held against the hash that the checkpoint has.
    ///
    /// # Errors
    /// The file is not there, or is not what was written.
    pub fn read(dir: &Path, expected: &str) -> Result<(Self, RowSet), Error> {
        let path = dir.join(FROZEN_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Decision { path, what: "is gone" });
            }
            Err(error) => return Err(Error::io(&path, "read")(error)),
        };
        let read = || {
            let end = bytes.iter().position(|&byte| byte == b'\n')? + 1;
            let (line, mut words) = bytes.split_at(end);
            let header: Header<'_> = serde_json::from_slice(line_json(line)?).ok()?;
            let mut files = Vec::with_capacity(header.words.len());
            for count in header.words {
                let (of_file, rest) = words.split_at_checked(usize::try_from(count).ok()? * 8)?;
                let of_file = of_file.as_chunks::<8>().0.iter();
                files.push(of_file.map(|bytes| u64::from_le_bytes(*bytes)).collect());
                words = rest;
            }
            Some((header.decided.into_owned(), RowSet::from_words(files)))
        };
        match digest(&bytes) == expected {
            true => read().ok_or(Error::Decision { path, what: "is not what was written" }),
            false => Err(Error::Decision { path, what: "is not what was written" }),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_read_back_as_it_was_made() {
        let dir = tempfile::tempdir().expect("tempdir");
        let rows = RowSet::with_rows(&[70, 0, 3]);
        for (file, row) in [(0, 70), (0, 1), (2, 2)] {
            rows.insert(file, row);
        }
        let frozen = Frozen {
            run: "r".to_owned(),
            state: "s".to_owned(),
            base: String::new(),
            counts: Counts { new: 3, ..Counts::default() },
            mapping_changed: true,
            cut_off: Some("runs/a".to_owned()),
            repeated: vec![(0, 70)],
        };
        let digest = frozen.write(dir.path(), &rows).expect("written");
        let (again, set) = Frozen::read(dir.path(), &digest).expect("read");
        assert_eq!(again, frozen);
        assert!(set.contains(0, 70) && set.contains(0, 1) && set.contains(2, 2));
        assert_eq!(set.len(), 3);

        let path = dir.path().join(FROZEN_FILE);
        let mut bytes = fs::read(&path).expect("read");
        *bytes.last_mut().expect("bytes") ^= 1;
        fs::write(&path, bytes).expect("write");
        assert!(matches!(Frozen::read(dir.path(), &digest), Err(Error::Decision { .. })));
        fs::remove_file(&path).expect("removed");
        assert!(matches!(Frozen::read(dir.path(), &digest), Err(Error::Decision { .. })));
    }
}
