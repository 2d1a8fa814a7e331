//! The mapping file of an import.

use std::{
    fs,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_128;

use super::Error;
use crate::model::Kind;
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
        let mapping = mapping::parse(&text, kind).map_err(|error| fail(&error))?;
        let content = format!("{:032x}", xxh3_128(text.as_bytes()));
        Ok(Self { path: path.to_owned(), content, mapping })
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
        let mapping = mapping::of_table(table, text, kind)
            .map_err(|error| Error::Usage(format!("{}: [mapping]: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), content, mapping })
    }
}
