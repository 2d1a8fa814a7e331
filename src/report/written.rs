//! Which rejects a run directory was given, by their hashes: another file of such a name was edited
//! since, and is set aside where it would be replaced.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::Xxh3Default;

use super::{Error, staged::Staged};
/// The list in a run directory. A line is the hash of a rejects file that was put there.
pub const WRITTEN_FILE: &str = ".rejects";

const BUFFER_BYTES: usize = 64 << 10;

/// A rejects file that somebody edited since it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Where it stood.
    pub path: PathBuf,
    /// Where it is now.
    pub kept: PathBuf,
}

/// Makes room for the rejects of a run: of those at `found` in `dir`, the edited ones are set aside. `next`
/// has the hashes of the files that take their places, which are noted to be ours before they do.
pub(super) fn make_room(
    dir: &Path,
    found: &[PathBuf],
    next: impl Iterator<Item = String>,
) -> Result<Vec<Edited>, Error> {
    let list = dir.join(WRITTEN_FILE);
    let known = match fs::read(&list) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(Error::io(&list)(error)),
    };
    let mut stays: BTreeSet<String> = next.collect();
    let mut edited = Vec::new();
    for path in found {
        let content = hash_of(path).map_err(Error::io(path))?;
        if known.contains(&content) || stays.contains(&content) {
            stays.insert(content);
            continue;
        }
        let kept = free_name(path);
        fs::rename(path, &kept).map_err(Error::io(&kept))?;
        edited.push(Edited { path: path.clone(), kept });
    }
    if stays != known {
        let lines: String = stays.iter().map(|content| format!("{content}\n")).collect();
        let mut staged = Staged::create(dir, "rejects-written").map_err(Error::io(&list))?;
        let written = staged.write_all(lines.as_bytes());
        written.and_then(|()| staged.commit(&list)).map_err(Error::io(&list))?;
    }
    Ok(edited)
}

/// A hash as it stands in the list: 32 lower-case hex digits of xxh3-128.
pub(super) fn shown(hash: &Xxh3Default) -> String {
    format!("{:032x}", hash.digest128())
}

fn hash_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let (mut hash, mut buffer) = (Xxh3Default::default(), vec![0; BUFFER_BYTES]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(shown(&hash)),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// `rejects-edited.csv` beside `rejects.csv`, or with a number, where that is taken. As rejects it has
/// the mapping of its directory.
fn free_name(path: &Path) -> PathBuf {
    let [stem, extension] =
        [path.file_stem(), path.extension()].map(|part| part.unwrap_or_default().to_string_lossy());
    let named = |end: &str| path.with_file_name(format!("{stem}-edited{end}.{extension}"));
    let numbered = (2..).map(|number: u32| named(&format!("-{number}")));
    let first = named("");
    std::iter::once(first.clone()).chain(numbered).find(|path| !path.exists()).unwrap_or(first)
}
