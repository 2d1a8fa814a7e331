//! The mapping file of an import.

use std::{
    fs,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use super::Error;
use crate::model::{Excerpt, ExcerptMark, Kind};
use crate::shape::mapping::{self, Mapping};

/// A mapping file, read.
#[derive(Clone, Debug)]
pub struct MappingFile {
    /// Where it was.
    pub path: PathBuf,
    /// xxh3-128 of its content, 32 lower-case hex digits: what a checkpoint is bound to.
    pub content: String,
    /// What it says.
    pub mapping: Mapping,
    /// All of the file, for the places in it.
    pub text: String,
}

impl MappingFile {
    /// Reads a mapping file. `kind` is what was asked for by flag.
    ///
    /// # Errors
    /// It cannot be read, or says something that cannot be done.
    pub fn read(path: &Path, kind: Option<Kind>) -> Result<Self, Error> {
        let fail = |error: &dyn std::fmt::Display| {
            Error::Usage(format!("--mapping {}: {error}", path.display()))
        };
        let text = fs::read_to_string(path).map_err(|error| fail(&error))?;
        let mapping = mapping::parse(&text, kind)
            .map_err(|error| fail(&error).at(excerpts(path, &text, &error)))?;
        let content = format!("{:032x}", xxh3_128(text.as_bytes()));
        Ok(Self { path: path.to_owned(), content, mapping, text })
    }

    /// Takes the mapping that is a table of a config with this text.
    ///
    /// # Errors
    /// It says something that cannot be done.
    pub fn of(
        path: &Path,
        table: toml::Table,
        text: &str,
        kind: Option<Kind>,
    ) -> Result<Self, Error> {
        let content = format!("{:032x}", xxh3_128(table.to_string().as_bytes()));
        let mapping = mapping::of_table(table, text, kind).map_err(|error| {
            Error::Usage(format!("{}: [mapping]: {error}", path.display()))
                .at(excerpts(path, text, &error))
        })?;
        Ok(Self { path: path.to_owned(), content, mapping, text: text.to_owned() })
    }

    /// The line that names a source column.
    pub fn excerpt_of_column(&self, name: &str, label: &str) -> Option<Excerpt> {
        let span = mapping::column(&self.text, name)?;
        let marks = vec![ExcerptMark::new(span, label)];
        Some(Excerpt::of(&self.path.display().to_string(), 1, &self.text, marks))
    }
}

/// The lines that an error is about.
fn excerpts(path: &Path, text: &str, error: &mapping::Error) -> Vec<Excerpt> {
    let marks = mapping::place(text, error);
    match marks.is_empty() {
        true => Vec::new(),
        false => vec![Excerpt::of(&path.display().to_string(), 1, text, marks)],
    }
}
