//! `rejects.csv`, `rejects.ndjson` and `rejects.parquet`: the rejected rows, to mend and import again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::{Fields, Schema, SchemaRef};

use super::{
    Error, SourceDialect,
    csv_rows::{CsvRows, Kept},
    json_rows::JsonLines,
    parquet_rows::ParquetRows,
    staged::Staged,
    written::{self, Edited},
};
use crate::model::{Code, GUARDED_COLUMN, Rows};
use crate::private;

/// Columns with this prefix are ours: they are ignored on import, and so they are left
/// out here where a rejects file is the source.
pub(super) const OWN_PREFIX: &str = "_moebulk_";

/// What follows the columns of a CSV source.
const CSV_COLUMNS: [&str; 5] =
    ["_moebulk_file", "_moebulk_row", "_moebulk_line", "_moebulk_codes", "_moebulk_message"];

/// What follows the columns of a Parquet source, which has no lines.
const PARQUET_COLUMNS: [&str; 5] =
    ["_moebulk_file", "_moebulk_row", "_moebulk_row_group", "_moebulk_codes", "_moebulk_message"];

/// The same of an Arrow source.
const ARROW_COLUMNS: [&str; 5] =
    ["_moebulk_file", "_moebulk_row", "_moebulk_batch", "_moebulk_codes", "_moebulk_message"];

/// What the rows of an input look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceFormat {
    /// A CSV file.
    Csv {
        /// The column names, in order.
        header: Vec<String>,
        /// How fields are written.
        dialect: SourceDialect,
    },
    /// An NDJSON file.
    Ndjson,
    /// A Parquet file.
    Parquet {
        /// The schema of its batches.
        schema: SchemaRef,
    },
    /// An Arrow file. Its rejects are a Parquet file.
    Arrow {
        /// The schema of its batches.
        schema: SchemaRef,
    },
}

/// A finished rejects file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectsFile {
    /// Where it is.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
}

/// Collects rejected rows as they stood in their files: `rejects.csv`, `rejects-2.csv`
/// and so on, a file for each distinct header and dialect; for Parquet and Arrow a file
/// for each distinct schema; for NDJSON one file.
///
/// Dropped without [`RejectsWriter::finish`] it leaves nothing, and an earlier run's
/// files as they were.
#[derive(Debug)]
pub struct RejectsWriter {
    dir: PathBuf,
    safe: bool,
    sources: BTreeMap<u32, Source>,
    targets: Vec<Target>,
}

#[derive(Debug)]
struct Source {
    path: Arc<str>,
    /// Index of its target.
    target: usize,
    /// The columns to write.
    kept: Kept,
    /// What follows them: what the file's place gave its rows.
    given: Arc<[Option<String>]>,
}

/// A rejects file to be, shared by all sources that look the same.
#[derive(Debug)]
struct Target {
    /// The format, without our own columns.
    format: SourceFormat,
    /// Columns that the places of its files gave their rows.
    given: Vec<String>,
    rows: u64,
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    Csv(CsvRows),
    Ndjson(JsonLines),
    Parquet(Box<ParquetRows>),
}

impl RejectsWriter {
    /// A writer for a run directory. No file is begun before its first row. With `safe`
    /// the cells of CSV files that a spreadsheet would run as formulas get an apostrophe
    /// before them, and a column that says so; without, rows are as they came.
    pub fn new(dir: &Path, safe: bool) -> Self {
        Self { dir: dir.to_owned(), safe, sources: BTreeMap::new(), targets: Vec::new() }
    }

    /// Declares an input by its index, before any of its rows is written. `given` are columns that
    /// all of its rows have by the file's place, and their value there.
    pub fn declare_source(
        &mut self,
        file: u32,
        format: SourceFormat,
        path: &str,
        given: Vec<(String, Option<String>)>,
    ) {
        let (count, guarded) = (format.columns(), format.is_guarded());
        let (format, columns) = format.without_own_columns();
        let (names, given): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        let is_same = |target: &Target| target.format == format && target.given == names;
        let known = self.targets.iter().position(is_same);
        let target = known.unwrap_or(self.targets.len());
        if known.is_none() {
            self.targets.push(Target { format, given: names, rows: 0, open: None });
        }
        let kept = Kept { whole: columns.len() == count, columns, guarded };
        let given = given.into();
        self.sources.insert(file, Source { path: path.into(), target, kept, given });
    }

    /// Adds the row with index `row` of a block of a declared input.
    ///
    /// # Errors
    /// [`Error::Undeclared`], [`Error::Io`], [`Error::Parquet`].
    pub fn write(
        &mut self,
        rows: &Rows,
        row: usize,
        codes: &[Code],
        message: &str,
    ) -> Result<(), Error> {
        let undeclared = || Error::Undeclared(rows.file());
        let source = self.sources.get(&rows.file()).ok_or_else(undeclared)?;
        let target = &mut self.targets[source.target];
        let path = self.dir.join(target.format.file_name(1));
        let open = match &mut target.open {
            Some(open) => open,
            None => target.open.insert(begin(
                &self.dir,
                &path,
                source.target,
                &target.format,
                &target.given,
                self.safe,
            )?),
        };
        let codes = codes.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(";");
        match (open, rows) {
            (Open::Csv(to), Rows::Text(text)) => {
                let at = rows.position(row);
                let line = at.place.line().map(|line| line.to_string()).unwrap_or_default();
                let own = [&*source.path, &at.row.to_string(), &line, &codes, message];
                let given = source.given.iter().map(|value| value.as_deref().unwrap_or_default());
                to.write(text, row, &source.kept, given.chain(own)).map_err(Error::io(&path))?;
            }
            (Open::Ndjson(to), Rows::Json(lines)) => {
                let at = rows.position(row);
                let given = target.given.iter().zip(source.given.iter());
                let given =
                    given.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?)));
                to.write(lines.raw(row), given, &source.path, at, &codes, message)
                    .map_err(Error::io(&path))?;
            }
            (Open::Parquet(to), Rows::Arrow(batch)) => {
                to.write(
                    batch,
                    row,
                    &source.kept.columns,
                    (&source.path, &source.given),
                    (codes, message.to_owned()),
                )
                .map_err(Error::parquet(&path))?;
            }
            _ => return Err(undeclared()),
        }
        target.rows += 1;
        Ok(())
    }

    /// Puts the files in their places, in the order in which their sources were
    /// declared, and removes those of an earlier run that are not replaced. Such as were edited
    /// since they were written are set aside.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Parquet`].
    pub fn finish(self) -> Result<(Vec<RejectsFile>, Vec<Edited>), Error> {
        let mut stage = Vec::new();
        let mut files: Vec<RejectsFile> = Vec::new();
        for Target { format, rows, open, .. } in self.targets {
            let Some(open) = open else { continue };
            let extension =
                Path::new(format.file_name(1).as_str()).extension().map(ToOwned::to_owned);
            let ordinal = 1 + files
                .iter()
                .filter(|file| file.path.extension() == extension.as_deref())
                .count();
            let path = self.dir.join(format.file_name(ordinal));
            let staged = match open {
                Open::Csv(rows) => rows.into_staged(),
                Open::Ndjson(lines) => lines.into_staged(),
                Open::Parquet(rows) => rows.into_staged().map_err(Error::parquet(&path))?,
            };
            stage.push(staged);
            files.push(RejectsFile { path, rows });
        }
        let next = stage.iter().map(|staged| written::shown(staged.hash()));
        let edited = written::make_room(&self.dir, &earlier(&self.dir)?, next)?;
        for (staged, RejectsFile { path, .. }) in stage.into_iter().zip(&files) {
            staged.commit(path).map_err(Error::io(path))?;
        }
        let is_stale = |path: &PathBuf| files.iter().all(|file| file.path != *path);
        for path in earlier(&self.dir)?.into_iter().filter(is_stale) {
            private::remove(&path).map_err(Error::io(&path))?;
        }
        if files.is_empty() {
            let list = self.dir.join(written::WRITTEN_FILE);
            private::remove(&list).map_err(Error::io(&list))?;
        }
        Ok((files, edited))
    }
}

impl SourceFormat {
    fn columns(&self) -> usize {
        match self {
            Self::Csv { header, .. } => header.len(),
            // Each line has its own.
            Self::Ndjson => 0,
            Self::Parquet { schema } | Self::Arrow { schema } => schema.fields().len(),
        }
    }

    /// Whether the cells have guards.
    fn is_guarded(&self) -> bool {
        matches!(self, Self::Csv { header, .. } if header.iter().any(|name| name == GUARDED_COLUMN))
    }

    /// The format without our own columns, and the indices of the others.
    fn without_own_columns(self) -> (Self, Vec<usize>) {
        let foreign = |name: &str| !name.starts_with(OWN_PREFIX);
        match self {
            Self::Csv { header, dialect } => {
                let (kept, header) =
                    header.into_iter().enumerate().filter(|(_, name)| foreign(name)).unzip();
                (Self::Csv { header, dialect }, kept)
            }
            Self::Ndjson => (Self::Ndjson, Vec::new()),
            Self::Parquet { ref schema } | Self::Arrow { ref schema } => {
                let fields = schema.fields().iter().cloned().enumerate();
                let (kept, fields): (_, Vec<_>) =
                    fields.filter(|(_, field)| foreign(field.name())).unzip();
                // The file's own metadata doesn't make it look another.
                let schema = Arc::new(Schema::new(Fields::from(fields)));
                match self {
                    Self::Arrow { .. } => (Self::Arrow { schema }, kept),
                    _ => (Self::Parquet { schema }, kept),
                }
            }
        }
    }

    /// The name of the rejects file with this ordinal, from 1.
    fn file_name(&self, ordinal: usize) -> String {
        let extension = match self {
            Self::Csv { .. } => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet { .. } | Self::Arrow { .. } => "parquet",
        };
        match ordinal {
            1 => format!("rejects.{extension}"),
            _ => format!("rejects-{ordinal}.{extension}"),
        }
    }
}

fn begin(
    dir: &Path,
    path: &Path,
    target: usize,
    format: &SourceFormat,
    given: &[String],
    safe: bool,
) -> Result<Open, Error> {
    // The final ordinal is known at the end; until then the target's index tells files apart.
    let staged = Staged::create(dir, &format!("rejects-{target}")).map_err(Error::io(path))?;
    match format {
        SourceFormat::Csv { header, dialect } => {
            let columns = header.iter().map(String::as_str);
            let extra = given.iter().map(String::as_str).chain(CSV_COLUMNS);
            CsvRows::begin(staged, *dialect, safe, columns, extra)
                .map(Open::Csv)
                .map_err(Error::io(path))
        }
        SourceFormat::Ndjson => Ok(Open::Ndjson(JsonLines::begin(staged))),
        SourceFormat::Parquet { schema } | SourceFormat::Arrow { schema } => {
            let columns = match format {
                SourceFormat::Arrow { .. } => ARROW_COLUMNS,
                _ => PARQUET_COLUMNS,
            };
            ParquetRows::begin(staged, schema, given, columns)
                .map(|rows| Open::Parquet(Box::new(rows)))
                .map_err(Error::parquet(path))
        }
    }
}

/// The rejects files that stand in a run directory.
fn earlier(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_rejects_name) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file's name is one that [`SourceFormat::file_name`] makes.
fn is_rejects_name(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("rejects") else {
        return false;
    };
    let stem = [".csv", ".ndjson", ".parquet"].iter().find_map(|end| rest.strip_suffix(end));
    stem.is_some_and(|stem| {
        let digits = stem.strip_prefix('-');
        stem.is_empty()
            || digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
#[path = "rejects_tests.rs"]
mod tests;
