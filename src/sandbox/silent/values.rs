//! Values of attributes: how long a string, how many items in a list, how deep an object.

use serde_json::{Map, Value};

use super::super::dropped::{Changes, Did};
use super::dates;

/// Data API, U: characters kept of a string, and the most of a list's item.
const STRING_CHARS_MAX: usize = 512;
/// Data API, U: items of a list.
const LIST_ITEMS_MAX: usize = 50;
/// Data API, U: items of a list of objects.
const OBJECT_LIST_ITEMS_MAX: usize = 100;
/// Data API, U: 25 KB of an object, read as strictly as the 100 KB of a body; of compact JSON.
const OBJECT_BYTES_MAX: usize = 25_000;
/// Data API, U: keys of an object; each nested object has its own.
const OBJECT_KEYS_MAX: usize = 100;
/// Data API, U: levels of objects; the outermost is the first.
const OBJECT_LEVELS_MAX: usize = 2;
/// Data API, U: characters that no key of an object may hold.
const KEY_CHARS_BARRED: [char; 4] = ['$', '.', '%', '#'];

/// An attribute whose value is looked at, and where the changes are noted.
pub(super) struct Cutter<'a> {
    /// The attribute's name as it arrived.
    pub(super) name: &'a str,
    pub(super) changes: &'a mut Changes,
}

impl Cutter<'_> {
    /// The value that is stored; `None` where it is left out.
    pub(super) fn attribute(&mut self, value: Value) -> Option<Value> {
        if let Value::String(text) = &value
            && !dates::is_stored_as_date(text)
            && dates::looks_like_date(text)
        {
            let message = "no real date as YYYY-MM-DD or YYYY-MM-DDThh:mm:ss[.fff]Z";
            self.note("date-format", Did::StoredAsString, message);
        }
        self.value(value, 0)
    }

    /// As [`Self::attribute`], of one that is documented to hold text: no date is meant there.
    pub(super) fn text_attribute(&mut self, value: Value) -> Option<Value> {
        self.value(value, 0)
    }

    /// `level` is how many objects the value stands in.
    fn value(&mut self, value: Value, level: usize) -> Option<Value> {
        match value {
            Value::String(text) => self.string(text).map(Value::String),
            Value::Array(items) => Some(Value::Array(self.list(items, level))),
            Value::Object(map) => self.object(map, level + 1),
            Value::Null | Value::Bool(_) | Value::Number(_) => Some(value),
        }
    }

    fn string(&mut self, mut text: String) -> Option<String> {
        let Some(end) = end_of_chars(&text) else { return Some(text) };
        if is_url(&text) {
            let message = format!("a URL of more than {STRING_CHARS_MAX} characters");
            self.note("url-length", Did::Dropped, message);
            return None;
        }
        let message = format!("a string has at most {STRING_CHARS_MAX} characters");
        self.note("string-length", Did::Truncated, message);
        text.truncate(end);
        Some(text)
    }

    fn list(&mut self, mut items: Vec<Value>, level: usize) -> Vec<Value> {
        // The first item that has a datatype gives the list's.
        let Some(datatype) = items.iter().find_map(Datatype::of) else {
            if !items.is_empty() {
                self.note("list-datatype", Did::Dropped, "null has no datatype");
            }
            return Vec::new();
        };
        let items_max = match datatype {
            Datatype::Object => OBJECT_LIST_ITEMS_MAX,
            _ => LIST_ITEMS_MAX,
        };
        if items.len() > items_max {
            let message = format!("{} items, of which {items_max} are kept", items.len());
            self.note("list-length", Did::Truncated, message);
            items.truncate(items_max);
        }
        let (mut cast, mut dropped, mut long) = (0_usize, 0_usize, 0_usize);
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let is_same = Datatype::of(&item) == Some(datatype) && datatype != Datatype::List;
            let Some(item) = (if is_same { Some(item) } else { datatype.cast(item) }) else {
                dropped += 1;
                continue;
            };
            cast += usize::from(!is_same);
            match item {
                Value::String(text) if end_of_chars(&text).is_some() => long += 1,
                Value::Object(map) => kept.extend(self.object(map, level + 1)),
                item => kept.push(item),
            }
        }
        if cast > 0 {
            self.note("list-datatype", Did::Cast, format!("{cast} items of another datatype"));
        }
        if dropped > 0 {
            let message = format!("{dropped} items that are not of the list's datatype");
            self.note("list-datatype", Did::Dropped, message);
        }
        if long > 0 {
            let message = format!("{long} items of more than {STRING_CHARS_MAX} characters");
            self.note("list-item-length", Did::Dropped, message);
        }
        kept
    }

    fn object(&mut self, map: Map<String, Value>, level: usize) -> Option<Value> {
        if level > OBJECT_LEVELS_MAX {
            let message = format!("objects below level {OBJECT_LEVELS_MAX} are strings");
            self.note("object-levels", Did::StoredAsString, message);
            return self.string(Value::Object(map).to_string()).map(Value::String);
        }
        if level == 1 {
            let bytes = json_bytes(&map);
            if bytes > OBJECT_BYTES_MAX {
                let message = format!("an object of {bytes} bytes, above {OBJECT_BYTES_MAX}");
                self.note("object-bytes", Did::Dropped, message);
                return None;
            }
        }
        if map.len() > OBJECT_KEYS_MAX {
            let message = format!("{} keys, of which {OBJECT_KEYS_MAX} are kept", map.len());
            self.note("object-keys", Did::Truncated, message);
        }
        let mut kept = Map::with_capacity(map.len().min(OBJECT_KEYS_MAX));
        let mut barred = 0_usize;
        for (key, value) in map.into_iter().take(OBJECT_KEYS_MAX) {
            if key.contains(KEY_CHARS_BARRED) {
                barred += 1;
            } else if let Some(value) = self.value(value, level) {
                kept.insert(key, value);
            }
        }
        if barred > 0 {
            let message = format!("{barred} keys that hold one of $ . % #");
            self.note("object-key-characters", Did::Dropped, message);
        }
        Some(Value::Object(kept))
    }

    fn note(&mut self, rule: &'static str, did: Did, message: impl Into<String>) {
        self.changes.note(rule, self.name, did, message);
    }
}

/// The datatypes that a list can have one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Datatype {
    String,
    Number,
    Bool,
    Object,
    /// A list in a list is a string, as what is too deep in an object.
    List,
}

impl Datatype {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => None,
            Value::String(_) => Some(Self::String),
            Value::Number(_) => Some(Self::Number),
            Value::Bool(_) => Some(Self::Bool),
            Value::Object(_) => Some(Self::Object),
            Value::Array(_) => Some(Self::List),
        }
    }

    /// A value of another datatype as one of this; `None` where it has none.
    fn cast(self, value: Value) -> Option<Value> {
        match (self, value) {
            (Self::String, value @ (Value::Number(_) | Value::Bool(_)))
            | (Self::List, value @ Value::Array(_)) => Some(Value::String(value.to_string())),
            (Self::Number, Value::String(text)) => {
                serde_json::from_str(text.trim()).ok().filter(Value::is_number)
            }
            (Self::Bool, Value::String(text)) => match text.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Where the characters that a string may have end, in one that has more.
fn end_of_chars(text: &str) -> Option<usize> {
    // No text has more characters than bytes.
    if text.len() <= STRING_CHARS_MAX {
        return None;
    }
    text.char_indices().nth(STRING_CHARS_MAX).map(|(end, _)| end)
}

/// `scheme://…` without white space, since the API does not say what it takes for a URL.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !rest.is_empty()
        && !text.contains(char::is_whitespace)
}

fn json_bytes(map: &Map<String, Value>) -> usize {
    // A document that was read can be written.
    serde_json::to_vec(map).map_or(0, |json| json.len())
}
