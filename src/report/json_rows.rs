//! Rejected rows of NDJSON files: the lines as they came, with members that say why.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{rejects::OWN_PREFIX, staged::Staged};
use crate::model::Position;

/// A rejects file of lines.
#[derive(Debug)]
pub(super) struct JsonLines {
    to: Staged,
    /// One line, built in full before it is written.
    line: Vec<u8>,
}

impl JsonLines {
    /// Begins the file.
    pub fn begin(to: Staged) -> Self {
        Self { to, line: Vec::new() }
    }

    /// Writes one object as it stands on its line, and behind its members those that its file's place
    /// gave it, and those that say where it stood and why it was rejected. Such members that it has already, since its file is a rejects
    /// file, are left out.
    pub fn write<'g>(
        &mut self,
        object: &[u8],
        given: impl Iterator<Item = (&'g str, &'g str)>,
        path: &str,
        at: Position,
        codes: &str,
        message: &str,
    ) -> io::Result<()> {
        let object = without_own_members(object)?;
        let object = object.trim_ascii();
        let open = object.strip_suffix(b"}").unwrap_or(object).trim_ascii_end();
        self.line.clear();
        self.line.extend_from_slice(open);
        if open != b"{" {
            self.line.push(b',');
        }
        let line = at.place.line().unwrap_or_default();
        let text = |text: &str| serde_json::to_string(text);
        for (name, value) in given {
            write!(self.line, "{}:{},", text(name)?, text(value)?)?;
        }
        write!(
            self.line,
            "\"_moebulk_file\":{},\"_moebulk_row\":{},\"_moebulk_line\":{line},\
             \"_moebulk_codes\":{},\"_moebulk_message\":{}}}",
            text(path)?,
            at.row,
            text(codes)?,
            text(message)?,
        )?;
        self.line.push(b'\n');
        self.to.write_all(&self.line)
    }

    /// Ends the file, all rows written.
    pub fn into_staged(self) -> Staged {
        self.to
    }
}

/// An object without the members that are ours: as it stands, where it has none.
fn without_own_members(object: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    let members = serde_json::Deserializer::from_slice(object).deserialize_map(Members)?;
    let is_own = |(key, _): &(String, &RawValue)| key.starts_with(OWN_PREFIX);
    if !members.iter().any(is_own) {
        return Ok(object.into());
    }
    let mut kept = b"{".to_vec();
    for (key, value) in members.iter().filter(|member| !is_own(member)) {
        if kept.len() > 1 {
            kept.push(b',');
        }
        write!(kept, "{}:{}", serde_json::to_string(key)?, value.get())?;
    }
    kept.push(b'}');
    Ok(kept.into())
}

/// The members of an object, values as they stand.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = members.next_entry()? {
            all.push(member);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;

    #[test]
    fn a_line_keeps_its_members_as_they_stand_and_gets_ours_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut lines = JsonLines::begin(Staged::create(dir.path(), "x").unwrap());
        let at = Position { file: 0, row: 3, place: Place::Line(4) };
        let objects = [
            r#" { "id" : 12345678901234567890, "a":{"b" : 1.50} } "#,
            "{}",
            r#"{"_moebulk_row":9,"a\n":"\u00e9","\u005fmoebulk_codes":"x"}"#,
        ];
        for object in objects {
            lines
                .write(
                    object.as_bytes(),
                    std::iter::empty(),
                    "in \"1\".ndjson",
                    at,
                    "id-missing",
                    "no\nid",
                )
                .unwrap();
        }
        let path = dir.path().join("rejects.ndjson");
        lines.into_staged().commit(&path).unwrap();
        let ours = concat!(
            r#""_moebulk_file":"in \"1\".ndjson","_moebulk_row":3,"_moebulk_line":4,"#,
            r#""_moebulk_codes":"id-missing","_moebulk_message":"no\nid"}"#
        );
        let expected = format!(
            "{}{ours}\n{{{ours}\n{}{ours}\n",
            r#"{ "id" : 12345678901234567890, "a":{"b" : 1.50},"#, r#"{"a\n":"\u00e9","#,
        );
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }
}
