//! The columns of a file: the keys of its objects.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use super::{
    Error,
    line::{self, Flaw},
    stretch::{Line, Lines},
};
use crate::source::CheckedFile;

/// The most columns of one file, where no mapping says which are meant: keys that are values, such
/// as ids, would make as many as there are rows.
pub const KEYS_MAX: usize = 16_384;

/// The most bytes of their names.
pub const KEY_BYTES_MAX: usize = 4 << 20;

/// What a column takes beside its name, which it has twice, about.
const COLUMN_BYTES: usize = 128;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Values in the lines that were read, `null` left out.
    values: u64,
    /// Those that are objects or lists.
    nested: u64,
    /// Those that are lists with no object in them.
    lists: u64,
}

impl Column {
    /// Whether at least half of its values are objects or lists.
    pub fn is_nested(&self) -> bool {
        self.nested > 0 && self.nested >= self.values - self.nested
    }

    /// Whether those are lists, with no object in them.
    pub fn is_plain_lists(&self) -> bool {
        self.nested > 0 && self.lists == self.nested
    }
}

/// The columns of a file, by place and by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    all: Vec<Column>,
    places: HashMap<String, u32>,
    name_bytes: usize,
}

impl Columns {
    pub(super) fn all(&self) -> &[Column] {
        &self.all
    }

    /// The place of a column. `guess` is where it is most likely.
    pub(super) fn place(&self, name: &str, guess: usize) -> Option<usize> {
        match self.all.get(guess) {
            Some(column) if column.name == name => Some(guess),
            _ => self.places.get(name).map(|&at| at as usize),
        }
    }

    pub(super) fn memory_bytes(&self) -> u64 {
        (2 * self.name_bytes + self.all.len() * COLUMN_BYTES) as u64
    }

    /// Counts a value; `false` where its column is one too many. One that is asked for never is.
    fn count(&mut self, name: &str, value: Seen, guess: usize, is_asked: bool) -> bool {
        let at = match self.place(name, guess) {
            Some(at) => at,
            None => {
                let is_full =
                    self.all.len() >= KEYS_MAX || self.name_bytes + name.len() > KEY_BYTES_MAX;
                if is_full && !is_asked {
                    return false;
                }
                self.name_bytes += name.len();
                // There are fewer than that.
                self.places.insert(name.to_owned(), self.all.len() as u32);
                let name = name.to_owned();
                self.all.push(Column { name, values: 0, nested: 0, lists: 0 });
                self.all.len() - 1
            }
        };
        let column = &mut self.all[at];
        column.values += u64::from(value != Seen::Null);
        column.nested += u64::from(matches!(value, Seen::List | Seen::Object));
        column.lists += u64::from(value == Seen::List);
        true
    }
}

/// What a value says of its column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Null,
    Flat,
    List,
    Object,
}

impl Seen {
    fn of(value: &str) -> Self {
        match value.as_bytes() {
            b"null" => Self::Null,
            // A brace in a string makes it no less a list; to take it for more does no harm.
            [b'[', rest @ ..] if memchr::memchr(b'{', rest).is_none() => Self::List,
            [b'[' | b'{', ..] => Self::Object,
            _ => Self::Flat,
        }
    }
}

/// Finds the columns of a file.
pub(super) fn find(
    file: &CheckedFile,
    line_bytes_max: usize,
    names: Option<&[String]>,
) -> Result<Columns, Error> {
    let mut columns = Columns::default();
    let asked: Option<HashSet<&str>> =
        names.map(|names| names.iter().map(String::as_str).collect());
    let (mut number, mut objects, mut first_flaw) = (0, 0_u64, None);
    let mut lines = Lines::new(file, line_bytes_max);
    while let Some(stretch) = lines.next_stretch()? {
        let mut members = Vec::new();
        for Line { bytes, flaw, .. } in stretch.lines(line_bytes_max) {
            number += 1;
            let read = match flaw {
                None if line::is_blank(bytes) => continue,
                None => read(bytes, &mut members),
                Some(flaw) => Err(flaw),
            };
            if let Err(flaw) = read {
                // What stands on a line by itself inside of such a value would be taken for a row.
                if objects == 0
                    && first_flaw.is_none()
                    && let Some(what) = line::opened(bytes)
                {
                    return Err(Error::Spread { line: number, what });
                }
                first_flaw.get_or_insert((number, flaw));
                continue;
            }
            objects += 1;
            for (guess, (name, seen)) in members.iter().enumerate() {
                let is_asked = asked.as_ref().is_some_and(|asked| asked.contains(&**name));
                if !columns.count(name, *seen, guess, is_asked) && asked.is_none() {
                    return Err(Error::TooManyKeys { line: number });
                }
            }
        }
        let has = |name: &&str| columns.places.contains_key(*name);
        if asked.as_ref().is_some_and(|asked| objects > 0 && asked.iter().all(has)) {
            break;
        }
    }
    if asked.is_some() {
        // What is read says nothing of the other lines, and the mapping says what values are to be:
        // those that are something else are rejected one by one.
        for column in &mut columns.all {
            (column.nested, column.lists) = (0, 0);
        }
    }
    match first_flaw {
        _ if objects > 0 => Ok(columns),
        Some((line, Flaw { code, detail })) => Err(Error::NoObject { line, code, detail }),
        None => Err(Error::Empty),
    }
}

/// The members of a line that is a row: no other line gives the file a column.
fn read<'l>(line: &'l [u8], members: &mut Vec<(Cow<'l, str>, Seen)>) -> Result<(), Flaw> {
    members.clear();
    line::read(line, |key, value| {
        members.push((key, Seen::of(value)));
        Ok(())
    })?;
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    match keys.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Flaw::twice()),
        false => Ok(()),
    }
}
