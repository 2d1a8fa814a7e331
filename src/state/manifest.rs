//! What a state is of, and which file of ids counts: one line of JSON with a checksum, replaced in
//! one step.

use std::{fs, io::Write, path::Path};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::private;
use crate::sealed::{line_json, push_line};

/// The manifest's name in the directory.
pub(super) const MANIFEST_FILE: &str = "manifest";

/// The format that this program writes, and the newest that it reads.
const FORMAT_VERSION: u64 = 1;

/// What a state is of: other rows, or other places, have other states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// Where rows are sent, as reports say it.
    pub destination: String,
    /// `users` or `devices`.
    pub kind: String,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.kind, self.destination)
    }
}

/// What a state says of itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(rename = "moebulk_state")]
    version: u64,
    /// The state's own name, by which a checkpoint knows it again: 32 hex digits.
    pub name: String,
    /// The secret of its hashes.
    secret: String,
    /// What it is of.
    #[serde(flatten)]
    pub purpose: Purpose,
    /// Hash of the mapping under which rows were sent last; empty before the first.
    pub mapping: String,
    /// The import that moved it last; empty before the first.
    pub generation: String,
    /// The name of the file of ids; empty where there is none yet.
    pub(super) file: String,
    /// Ids in it.
    pub ids: u64,
    /// When it moved last, in UNIX seconds.
    pub moved: Option<u64>,
    /// When every row of an export was sent last, in UNIX seconds.
    pub full: Option<u64>,
}

impl Manifest {
    /// Of a state that knows nothing.
    pub(super) fn new(purpose: Purpose, name: String, secret: &[u8; 32]) -> Self {
        let secret = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            version: FORMAT_VERSION,
            name,
            secret,
            purpose,
            mapping: String::new(),
            generation: String::new(),
            file: String::new(),
            ids: 0,
            moved: None,
            full: None,
        }
    }

    /// The secret of its hashes.
    pub(super) fn secret(&self) -> Option<[u8; 32]> {
        let mut secret = [0; 32];
        let digits = self.secret.as_bytes();
        if digits.len() != 2 * secret.len() {
            return None;
        }
        for (byte, pair) in secret.iter_mut().zip(digits.as_chunks::<2>().0) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(secret)
    }

    /// Reads the manifest of a directory.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let path = dir.join(MANIFEST_FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path, "read")(error)),
        };
        let json =
            line_json(&text).ok_or_else(|| Error::damaged(&path, "a checksum does not fit"))?;
        let value: serde_json::Value =
            serde_json::from_slice(json).map_err(|_| Error::damaged(&path, "it is no JSON"))?;
        let version = value["moebulk_state"].as_u64().unwrap_or_default();
        if version > FORMAT_VERSION {
            return Err(Error::Newer { path, version });
        }
        let manifest: Self = serde_json::from_value(value)
            .map_err(|_| Error::damaged(&path, "something is missing in it"))?;
        match manifest.secret() {
            Some(_) => Ok(Some(manifest)),
            None => Err(Error::damaged(&path, "its secret is none")),
        }
    }

    /// Puts it in the place of the one before, durably.
    pub(super) fn write(&self, dir: &Path) -> Result<(), Error> {
        let path = dir.join(MANIFEST_FILE);
        let staged = dir.join("manifest.tmp");
        let write = || {
            let mut text = Vec::new();
            push_line(&mut text, self)?;
            private::remove(&staged)?;
            let mut file = private::options().write(true).create_new(true).open(&staged)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&staged, &path)?;
            private::sync_dir(dir)
        };
        write().map_err(Error::io(&path, "write"))
    }
}

impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manifest")
            .field("name", &self.name)
            .field("purpose", &self.purpose)
            .field("generation", &self.generation)
            .field("ids", &self.ids)
            .finish_non_exhaustive()
    }
}
