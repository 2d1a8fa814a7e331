//! `damaged.txt`: the bytes of a CSV file that are no records, for the human eye.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use super::{Error, staged::Staged};
use crate::model::Damage;
use crate::private;

/// The file's name in a run directory.
pub const DAMAGED_FILE: &str = "damaged.txt";

/// Collects damaged stretches. Each is a line
/// `# <path>, data row N, line L: <code>: <detail>, B bytes`, then those B bytes as they
/// stand in the file, then a line end.
#[derive(Debug)]
pub struct DamagedWriter {
    dir: PathBuf,
    staged: Option<Staged>,
}

impl DamagedWriter {
    /// A writer for a run directory. Nothing is written before the first stretch.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), staged: None }
    }

    /// Adds a damaged stretch of the input at `path`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, path: &str, damage: &Damage) -> Result<(), Error> {
        let target = self.dir.join(DAMAGED_FILE);
        let staged = match &mut self.staged {
            Some(staged) => staged,
            None => self
                .staged
                .insert(Staged::create(&self.dir, DAMAGED_FILE).map_err(Error::io(&target))?),
        };
        let Damage { position, code, detail, raw } = damage;
        let header =
            format!("# {path}, data row {}, {}: {code}: {detail}", position.row, position.place);
        // A line end in a path or detail would end the header early.
        let header = header.replace(['\r', '\n'], " ");
        writeln!(staged, "{header}, {} bytes", raw.len())
            .and_then(|()| staged.write_all(raw))
            .and_then(|()| staged.write_all(b"\n"))
            .map_err(Error::io(&target))
    }

    /// Puts the file in its place and names it; where nothing was damaged, an earlier
    /// one is removed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<Option<PathBuf>, Error> {
        let target = self.dir.join(DAMAGED_FILE);
        match self.staged {
            Some(staged) => {
                staged.commit(&target).map_err(Error::io(&target))?;
                Ok(Some(target))
            }
            None => {
                private::remove(&target).map_err(Error::io(&target))?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Code, Place, Position};

    fn damage(row: u64, detail: &str, raw: &[u8]) -> Damage {
        Damage {
            position: Position { file: 0, row, place: Place::Line(row + 1) },
            code: Code::FieldCount,
            detail: detail.into(),
            raw: raw.into(),
        }
    }

    #[test]
    fn bytes_stay_as_they_are_behind_a_header_that_counts_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = DamagedWriter::new(dir.path());
        writer.write("in/a.csv", &damage(3, "4 fields, 3 expected", b"a,\xff,c\r\n# x,y")).unwrap();
        writer.write("b\n.csv", &damage(9, "no fields", b"")).unwrap();
        let path = writer.finish().unwrap().unwrap();
        let expected =
            b"# in/a.csv, data row 3, line 4: field-count: 4 fields, 3 expected, 12 bytes\n\
            a,\xff,c\r\n# x,y\n\
            # b .csv, data row 9, line 10: field-count: no fields, 0 bytes\n\n";
        assert_eq!(std::fs::read(&path).unwrap(), expected);

        assert_eq!(DamagedWriter::new(dir.path()).finish().unwrap(), None);
        assert!(!path.exists(), "the damage of an earlier run is gone");
    }
}
