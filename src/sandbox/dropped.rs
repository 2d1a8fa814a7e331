//! What the silent rules did to elements that were answered 200: the list behind
//! `/_sandbox/dropped`.

use serde_json::{Value, json};

/// One broken mapping changes every element in the same way; the first ones tell all.
const CHANGES_MAX: usize = 10_000;

/// Characters shown of a name, since it may be as long as a body. Names themselves have 200 at
/// most, so a longer one is still recognised.
const NAME_CHARS_SHOWN: usize = 201;

/// What became of the thing that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    /// Its end was cut off.
    Truncated,
    /// It was left out.
    Dropped,
    /// The whole element was left out.
    ElementDropped,
    /// It was made another datatype.
    Cast,
    /// It was kept, as a string.
    StoredAsString,
    /// It was kept under another name.
    Renamed,
    /// It was left out, and so will all that bear its name.
    Blacklisted,
    /// It got the time of its arrival.
    ArrivalTime,
    /// It was kept as it is, and harms elsewhere.
    Kept,
}

impl Did {
    fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Dropped => "dropped",
            Self::ElementDropped => "element-dropped",
            Self::Cast => "cast",
            Self::StoredAsString => "stored-as-string",
            Self::Renamed => "renamed",
            Self::Blacklisted => "blacklisted",
            Self::ArrivalTime => "arrival-time",
            Self::Kept => "kept",
        }
    }
}

/// One thing that one rule did.
#[derive(Debug)]
struct Change {
    rule: &'static str,
    /// The attribute or event; `None` where the element as a whole is meant.
    name: Option<Box<str>>,
    did: Did,
    message: String,
}

/// What the rules did to one element.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

impl Changes {
    /// Notes what became of an attribute or event; `name` as it arrived.
    pub(super) fn note(
        &mut self,
        rule: &'static str,
        name: &str,
        did: Did,
        message: impl Into<String>,
    ) {
        let name = Some(name.chars().take(NAME_CHARS_SHOWN).collect());
        self.0.push(Change { rule, name, did, message: message.into() });
    }

    /// Notes that the element was left out.
    pub(super) fn note_element(&mut self, rule: &'static str, message: impl Into<String>) {
        let did = Did::ElementDropped;
        self.0.push(Change { rule, name: None, did, message: message.into() });
    }

    /// Whether the stored element differs from the one that arrived.
    pub(super) fn alter(&self) -> bool {
        self.0.iter().any(|change| change.did != Did::Kept)
    }
}

/// A change and where it happened.
struct Entry {
    request: u64,
    /// The index in `elements`, from 0.
    element: usize,
    change: Change,
}

/// All changes since the start: counted, and the first ones kept.
#[derive(Default)]
pub(super) struct Dropped {
    count: u64,
    entries: Vec<Entry>,
}

impl Dropped {
    /// Takes in the changes of one element.
    pub(super) fn add(&mut self, request: u64, element: usize, changes: Changes) {
        self.count += changes.0.len() as u64;
        let room = CHANGES_MAX - self.entries.len();
        let kept = changes.0.into_iter().take(room);
        self.entries.extend(kept.map(|change| Entry { request, element, change }));
    }

    /// The list, in order of arrival.
    pub(super) fn to_json(&self) -> String {
        let dropped: Vec<Value> = self.entries.iter().map(entry_json).collect();
        json!({"count": self.count, "dropped": dropped}).to_string()
    }
}

fn entry_json(entry: &Entry) -> Value {
    let Entry { request, element, change } = entry;
    json!({
        "rule": change.rule,
        "request": request,
        "element": element,
        "name": change.name,
        "did": change.did.as_str(),
        "message": change.message,
    })
}
