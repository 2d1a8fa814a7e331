//! What a checkpoint is bound to: a resume under other conditions would send other bodies.

use std::{collections::BTreeMap, fmt::Display};

use serde::{Deserialize, Serialize};

/// The facts that decide the sequence of bodies and where they go.
///
/// A resume must find every one of them unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The files, in the order of the import.
    pub inputs: Vec<InputBinding>,
    /// Hash of the mapping, or `none`.
    pub mapping: String,
    /// What is loaded: `users`, `events` or `devices`.
    pub kind: String,
    /// Body-shaping options, by flag name (with its dashes).
    pub shaping: BTreeMap<String, String>,
    /// The base URL.
    pub endpoint: String,
    /// The workspace.
    pub app_id: String,
    /// Version of the packing rules.
    pub packing_version: u32,
    /// Where bodies are cut by users; `None` = nowhere.
    pub cut_users: Option<u64>,
    /// Where bodies are cut by events; `None` = nowhere.
    pub cut_events: Option<u64>,
    /// Hash of what was decided under `--only-changed`: which rows are sent. It is no condition of a
    /// resume, which takes it from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<String>,
    /// Arguments of the run by name, as they were written: what a resume takes for given where
    /// nothing else is said. Of those that must not change, the fields above decide.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<String, Vec<String>>,
}

/// One input file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputBinding {
    /// The path, as given or found.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// xxh3-128 of the content, 32 lower-case hex digits.
    pub content: String,
}

/// The first difference between two bindings, in words.
///
/// An unfinished run refuses [`Difference::Inputs`] and [`Difference::Mapping`] with
/// exit code 4 and the others with 2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Files added, removed, renamed, reordered or changed.
    #[error("{0}")]
    Inputs(String),
    /// Another mapping, or one where there was none.
    #[error("{0}")]
    Mapping(String),
    /// Another kind.
    #[error("{0}")]
    Kind(String),
    /// Another body-shaping option or cut count.
    #[error("{0}")]
    Shaping(String),
    /// Another endpoint or app id.
    #[error("{0}")]
    Destination(String),
    /// Another version of the packing rules.
    #[error("{0}")]
    PackingVersion(String),
}

/// In [`Binding::mapping`]: no mapping was given.
const NO_MAPPING: &str = "none";

impl Binding {
    /// The first difference from `self`, the checkpoint's binding, to `now`.
    pub fn difference(&self, now: &Self) -> Option<Difference> {
        input_difference(&self.inputs, &now.inputs)
            .map(Difference::Inputs)
            .or_else(|| mapping_difference(&self.mapping, &now.mapping).map(Difference::Mapping))
            .or_else(|| changed("--kind", &self.kind, &now.kind).map(Difference::Kind))
            .or_else(|| self.shaping_difference(now).map(Difference::Shaping))
            .or_else(|| {
                changed("the endpoint", &self.endpoint, &now.endpoint)
                    .or_else(|| changed("--app-id", &self.app_id, &now.app_id))
                    .map(Difference::Destination)
            })
            .or_else(|| {
                changed("the packing version", &self.packing_version, &now.packing_version)
                    .map(Difference::PackingVersion)
            })
    }

    fn shaping_difference(&self, now: &Self) -> Option<String> {
        let value = |binding: &Self, flag: &String| {
            binding.shaping.get(flag).map_or("not given", String::as_str).to_owned()
        };
        let cut = |cut: Option<u64>| cut.map_or_else(|| "none".to_owned(), |n| n.to_string());
        self.shaping
            .keys()
            .chain(now.shaping.keys())
            .find_map(|flag| changed(flag, &value(self, flag), &value(now, flag)))
            .or_else(|| changed("--cut-users", &cut(self.cut_users), &cut(now.cut_users)))
            .or_else(|| changed("--cut-events", &cut(self.cut_events), &cut(now.cut_events)))
    }
}

fn changed<T: Display + PartialEq>(what: &str, was: &T, now: &T) -> Option<String> {
    (was != now).then(|| format!("{what} was {was}, now {now}"))
}

fn mapping_difference(was: &str, now: &str) -> Option<String> {
    (was != now).then(|| {
        match (was, now) {
            (NO_MAPPING, _) => "there was no mapping, now there is one",
            (_, NO_MAPPING) => "there was a mapping, now there is none",
            _ => "the mapping changed",
        }
        .to_owned()
    })
}

fn input_difference(was: &[InputBinding], now: &[InputBinding]) -> Option<String> {
    let (Some(gone), Some(new)) = (outside(was, now), outside(now, was)) else {
        return outside(was, now)
            .map(|input| format!("the input {} is missing", input.path))
            .or_else(|| outside(now, was).map(|input| format!("the input {} is new", input.path)))
            .or_else(|| content_difference(was, now))
            .or_else(|| {
                let order = |inputs: &[InputBinding]| {
                    inputs.iter().map(|input| &input.path).cloned().collect::<Vec<_>>()
                };
                (order(was) != order(now)).then(|| {
                    let order = order(now).join(", ");
                    format!("the order or number of the inputs changed, now {order}")
                })
            });
    };
    Some(format!("the input {} is missing, {} is new", gone.path, new.path))
}

/// The first of `inputs` whose path is not among `others`.
fn outside<'a>(inputs: &'a [InputBinding], others: &[InputBinding]) -> Option<&'a InputBinding> {
    inputs.iter().find(|input| others.iter().all(|other| other.path != input.path))
}

fn content_difference(was: &[InputBinding], now: &[InputBinding]) -> Option<String> {
    was.iter().find_map(|old| {
        let new = now.iter().find(|new| new.path == old.path)?;
        if new.bytes != old.bytes {
            let (path, was, now) = (&old.path, old.bytes, new.bytes);
            Some(format!("the content of {path} changed: it had {was} bytes, now {now}"))
        } else if new.content != old.content {
            Some(format!("the content of {} changed", old.path))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(path: &str, bytes: u64, content: &str) -> InputBinding {
        InputBinding { path: path.into(), bytes, content: content.into() }
    }

    fn binding() -> Binding {
        Binding {
            inputs: vec![input("a.csv", 10, "aa"), input("b.csv", 20, "bb")],
            mapping: "m1".into(),
            kind: "users".into(),
            shaping: [("--max-body-bytes".to_owned(), "100000".to_owned())].into(),
            endpoint: "https://api-01.moengage.com/v1/".into(),
            app_id: "APP".into(),
            packing_version: 1,
            cut_users: Some(1000),
            cut_events: None,
            changes: None,
            said: BTreeMap::new(),
        }
    }

    /// What `change` makes different, in words.
    fn told(change: impl FnOnce(&mut Binding)) -> Option<String> {
        let mut now = binding();
        change(&mut now);
        binding().difference(&now).map(|difference| difference.to_string())
    }

    #[test]
    fn equal_bindings_do_not_differ() {
        assert_eq!(told(|_| ()), None);
    }

    #[test]
    fn every_difference_is_named() {
        type Change = fn(&mut Binding);
        let cases: [(Change, &str); 17] = [
            (|b| b.inputs[0].content = "ab".into(), "the content of a.csv changed"),
            (|b| b.inputs[1].bytes = 21, "the content of b.csv changed: it had 20 bytes, now 21"),
            (|b| drop(b.inputs.pop()), "the input b.csv is missing"),
            (|b| b.inputs.push(input("c.csv", 1, "cc")), "the input c.csv is new"),
            (|b| b.inputs[0].path = "z.csv".into(), "the input a.csv is missing, z.csv is new"),
            (
                |b| b.inputs.swap(0, 1),
                "the order or number of the inputs changed, now b.csv, a.csv",
            ),
            (
                |b| b.inputs.push(b.inputs[0].clone()),
                "the order or number of the inputs changed, now a.csv, b.csv, a.csv",
            ),
            (|b| b.mapping = "m2".into(), "the mapping changed"),
            (|b| b.mapping = "none".into(), "there was a mapping, now there is none"),
            (|b| b.kind = "events".into(), "--kind was users, now events"),
            (
                |b| drop(b.shaping.insert("--max-body-bytes".into(), "90000".into())),
                "--max-body-bytes was 100000, now 90000",
            ),
            (|b| b.shaping.clear(), "--max-body-bytes was 100000, now not given"),
            (
                |b| drop(b.shaping.insert("--empty".into(), "unset".into())),
                "--empty was not given, now unset",
            ),
            (|b| b.cut_users = None, "--cut-users was 1000, now none"),
            (|b| b.cut_events = Some(5), "--cut-events was none, now 5"),
            (|b| b.app_id = "OTHER".into(), "--app-id was APP, now OTHER"),
            (|b| b.packing_version = 2, "the packing version was 1, now 2"),
        ];
        for (change, expected) in cases {
            assert_eq!(told(change).as_deref(), Some(expected));
        }
    }

    #[test]
    fn differences_are_told_apart_for_the_exit_code() {
        let mut now = binding();
        now.endpoint = "http://127.0.0.1:1/".into();
        assert!(matches!(binding().difference(&now), Some(Difference::Destination(_))));
        now.mapping = "m2".into();
        assert!(matches!(binding().difference(&now), Some(Difference::Mapping(_))));
        now.inputs.clear();
        assert!(matches!(binding().difference(&now), Some(Difference::Inputs(_))));
    }
}
