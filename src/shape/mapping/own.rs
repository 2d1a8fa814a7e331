//! Our mapping file, in TOML.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Error, Fault, Mapping};
use crate::model::Kind;
use crate::shape::{
    datetime::{DateFormat, Zone},
    plan::{Items, PlanColumn, Reading, Target, ValueType, own_field},
    suggest::did_you_mean,
};
use crate::wire::ids::is_blank;

const NOT_FINITE: &str = "it is no finite number, or has one in it";
const TYPES: &str = "string, double, bool, datetime, array and json";

/// Names of an element's own fields that `to` takes, whichever the kind.
const FIELDS: [&str; 10] = [
    "customer_id",
    "action",
    "user_time",
    "current_time",
    "user_timezone_offset",
    "platform",
    "app_version",
    "device_id",
    "push_id",
    "moe_push_opted",
];

/// What becomes of each column.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// What the rows are: users, events or devices.
    kind: Option<String>,
    /// Events: the action of rows that have none.
    event: Option<String>,
    /// The zone, of the IANA database, of date-times that name none; UTC without it.
    timezone: Option<String>,
    /// Texts that mean no value, in every column.
    #[serde(default)]
    null: Vec<String>,
    /// Words beside true, for columns that name none of their own.
    #[serde(default, rename = "true")]
    true_words: Vec<String>,
    /// Words beside false, for columns that name none of their own.
    #[serde(default, rename = "false")]
    false_words: Vec<String>,
    /// Users: never create one.
    #[serde(default)]
    update_existing_only: bool,
    /// What is still to be decided, as `moebulk init` leaves it.
    decide: Option<String>,
    /// An entry for each source column.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Entry>")]
    columns: toml::Table,
    /// Values that every row has.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    constants: toml::Table,
}

/// What becomes of a column; at most one of to, attribute, identifier and skip.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// An own field of the element, such as customer_id.
    to: Option<String>,
    /// The attribute.
    attribute: Option<Path>,
    /// Another identifier of the user, where the workspace resolves identities.
    identifier: Option<String>,
    /// string (the default), double, bool, datetime, array or json.
    #[serde(rename = "type")]
    value: Option<String>,
    /// datetime: how the cells are written; without it ISO 8601.
    format: Option<String>,
    /// The zone of this column's date-times.
    timezone: Option<String>,
    /// array: string (the default) or double.
    items: Option<String>,
    /// array: what stands between the elements; the default is a bar.
    separator: Option<String>,
    /// More texts that mean no value in this column.
    #[serde(default)]
    null: Vec<String>,
    /// This column's words for true, in the place of the file's.
    #[serde(default, rename = "true")]
    true_words: Vec<String>,
    /// This column's words for false, in the place of the file's.
    #[serde(default, rename = "false")]
    false_words: Vec<String>,
    /// The column is known, and not sent.
    #[serde(default)]
    skip: bool,
    /// An input may lack the column.
    #[serde(default)]
    optional: bool,
    /// What is still to be decided, as `moebulk init` leaves it.
    decide: Option<String>,
}

/// The name of an attribute: with dots between the levels of objects, or level by level.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Path {
    /// Levels with dots between them.
    Dotted(String),
    /// The levels one by one.
    Levels(Vec<String>),
}

/// What holds for every column that does not say otherwise.
struct Defaults {
    kind: Kind,
    zone: Zone,
    true_words: Vec<String>,
    false_words: Vec<String>,
}

/// Reads the text of a mapping in TOML.
pub(super) fn parse(text: &str, flag: Option<Kind>) -> Result<Mapping, Error> {
    let file: File = toml::from_str(text).map_err(|error| wrong(&error, text))?;
    read(file, text, flag)
}

/// Reads the table of a file that is such a mapping; `text` is the whole file.
pub(super) fn of_table(
    table: toml::Table,
    text: &str,
    flag: Option<Kind>,
) -> Result<Mapping, Error> {
    let file = File::deserialize(table).map_err(|error| wrong(&error, text))?;
    read(file, text, flag)
}

/// What the parser says of a file.
fn wrong(error: &toml::de::Error, text: &str) -> Error {
    let fault = Fault::of(error);
    Error::Toml { reason: fault.with_line(text), key: fault.key, span: fault.span }
}

/// What is wrong with a key of a file.
fn wrong_key(key: &str, reason: String) -> Error {
    Error::Toml { reason, key: Some(key.to_owned()), span: None }
}

fn read(file: File, text: &str, flag: Option<Kind>) -> Result<Mapping, Error> {
    if let Some(question) = file.decide {
        return Err(Error::Undecided { place: place(text, None), column: None, question });
    }
    let stated = file.kind.as_deref().map(kind).transpose()?;
    if let (Some(file), Some(flag)) = (stated, flag)
        && file != flag
    {
        return Err(Error::Kind { file, flag });
    }
    let zone = match &file.timezone {
        None => Zone::Utc,
        Some(name) => zone(name).map_err(|reason| wrong_key("timezone", reason))?,
    };
    let kind = stated.or(flag).unwrap_or(Kind::Users);
    let wrong = |key: &str, reason: &str| Err(wrong_key(key, reason.to_owned()));
    if file.event.is_some() && kind != Kind::Events {
        return wrong("event", "`event` names the action of events; set kind = \"events\"");
    }
    if file.event.as_deref().is_some_and(is_blank) {
        return wrong("event", "`event` is empty; name the action");
    }
    if file.update_existing_only && kind != Kind::Users {
        return wrong(
            "update_existing_only",
            "`update_existing_only` is about users; leave it out",
        );
    }
    let (true_words, false_words) = (file.true_words, file.false_words);
    let defaults = Defaults { kind, zone, true_words, false_words };
    let mut columns = Vec::with_capacity(file.columns.len() + file.constants.len());
    for (name, value) in file.columns {
        let entry = Entry::deserialize(value).map_err(|error| {
            let Fault { reason, key, .. } = Fault::of(&error);
            Error::Entry { column: name.clone(), key, reason }
        })?;
        if let Some(question) = entry.decide {
            let place = place(text, Some(&name));
            return Err(Error::Undecided { place, column: Some(name), question });
        }
        columns.push(entry.resolve(name, &defaults)?);
    }
    for (name, value) in file.constants {
        columns.push(constant(name, value, &defaults)?);
    }
    let who = [Target::CustomerId, Target::Identifier];
    if !columns.iter().any(|column: &PlanColumn| who.contains(&column.target)) {
        return Err(Error::NoId("give one column to = \"customer_id\", or an identifier"));
    }
    Ok(Mapping {
        kind: Some(kind),
        columns,
        null_words: file.null,
        event: file.event,
        update_existing_only: file.update_existing_only,
    })
}

/// `line 7, column `x``: where something is still to be decided.
fn place(text: &str, column: Option<&str>) -> String {
    let named = column.map(|name| format!("column `{name}`"));
    let parts = [line_of_decide(text, column).map(|line| format!("line {line}")), named];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "`decide`".to_owned() } else { parts.join(", ") }
}

/// The line of an entry of a column, or of the file's own `decide`.
fn line_of_decide(text: &str, column: Option<&str>) -> Option<usize> {
    let file = toml::de::DeTable::parse(text).ok()?;
    let mut table = file.get_ref();
    if let Some(mapping) = table.get("mapping") {
        table = mapping.get_ref().as_table()?;
    }
    if column.is_some() {
        table = table.get("columns")?.get_ref().as_table()?;
    }
    let wanted = column.unwrap_or("decide");
    let (key, _) = table.iter().find(|(key, _)| key.get_ref() == wanted)?;
    Some(text.get(..key.span().start)?.matches('\n').count() + 1)
}

fn kind(name: &str) -> Result<Kind, Error> {
    let kinds = [Kind::Users, Kind::Events, Kind::Devices];
    kinds.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        wrong_key("kind", format!("kind `{name}` is none of users, events and devices"))
    })
}

fn zone(name: &str) -> Result<Zone, String> {
    Zone::from_name(name).ok_or_else(|| {
        let hint = did_you_mean(name, Zone::names());
        format!("timezone `{name}` is not in the IANA database{hint}; write it as in Europe/Berlin")
    })
}

impl Entry {
    fn resolve(self, source: String, defaults: &Defaults) -> Result<PlanColumn, Error> {
        let fail_at = |key: Option<&str>, reason: String| Error::Entry {
            column: source.clone(),
            key: key.map(str::to_owned),
            reason,
        };
        let fail = |reason: String| fail_at(None, reason);
        let said = usize::from(self.to.is_some())
            + usize::from(self.attribute.is_some())
            + usize::from(self.identifier.is_some())
            + usize::from(self.skip);
        if said > 1 {
            return Err(fail("it has more than one of to, attribute, identifier and skip".into()));
        }
        if self.skip {
            return Ok(PlanColumn::new(&source, Target::Skip, &source, ValueType::Text));
        }
        let (target, path) = match (self.to, self.attribute, self.identifier) {
            (Some(field), ..) => (
                own(&field, defaults.kind).map_err(|reason| fail_at(Some("to"), reason))?,
                vec![field],
            ),
            (_, Some(Path::Levels(levels)), _) if !levels.is_empty() => (Target::Attribute, levels),
            (_, Some(Path::Dotted(name)), _) => {
                (Target::Attribute, name.split('.').map(str::to_owned).collect())
            }
            (_, _, Some(name)) if defaults.kind != Kind::Devices => {
                (Target::Identifier, vec![name])
            }
            (_, _, Some(_)) => {
                let reason = "a device is identified by customer_id and device_id";
                return Err(fail_at(Some("identifier"), reason.into()));
            }
            _ => (
                own_field(defaults.kind, &source).unwrap_or(Target::Attribute),
                vec![source.clone()],
            ),
        };
        // A column without a name may have been imported as it is; what the server drops is noted there.
        let is_own_name = source.is_empty() && path.len() == 1;
        if path.iter().any(String::is_empty) && !is_own_name {
            let reason = "the attribute's name is empty, or a level of it is";
            return Err(fail_at(Some("attribute"), reason.into()));
        }
        // A device's documented attributes are fields with rules of their own.
        let target = match (defaults.kind, target, path.as_slice()) {
            (Kind::Devices, Target::Attribute, [name]) => {
                own_field(Kind::Devices, name).unwrap_or(target)
            }
            _ => target,
        };
        let value = match self.value.as_deref().unwrap_or("string") {
            "string" => ValueType::Text,
            "double" => ValueType::Number,
            "bool" => ValueType::Bool,
            "datetime" => ValueType::DateTime(match &self.format {
                None => DateFormat::Iso,
                Some(name) => DateFormat::from_own_name(name).ok_or_else(|| Error::Format {
                    column: source.clone(),
                    found: name.clone(),
                    known: DateFormat::own_names().collect::<Vec<_>>().join(", "),
                })?,
            }),
            "array" => ValueType::Array(match self.items.as_deref() {
                None | Some("string") => Items::Text,
                Some("double") => Items::Number,
                Some(other) => {
                    let reason = format!("items = \"{other}\" is neither string nor double");
                    return Err(fail_at(Some("items"), reason));
                }
            }),
            "json" => ValueType::Json,
            other => {
                return Err(Error::Type {
                    column: source.clone(),
                    found: other.to_owned(),
                    known: TYPES,
                });
            }
        };
        let is = |only: bool, key: &str, word: &str| match only {
            true => Ok(()),
            false => Err(fail_at(Some(key), format!("`{key}` is for type = \"{word}\" alone"))),
        };
        is(self.format.is_none() || matches!(value, ValueType::DateTime(_)), "format", "datetime")?;
        let is_array = matches!(value, ValueType::Array(_));
        is(self.items.is_none() || is_array, "items", "array")?;
        is(self.separator.is_none() || is_array, "separator", "array")?;
        if self.separator.as_deref() == Some("") {
            let reason = "`separator` is empty; name what stands between the elements";
            return Err(fail_at(Some("separator"), reason.into()));
        }
        let or = |own: Vec<String>, default: &[String]| match own.is_empty() {
            true => default.to_vec(),
            false => own,
        };
        let reading = Reading {
            true_words: or(self.true_words, &defaults.true_words),
            false_words: or(self.false_words, &defaults.false_words),
            null_words: self.null,
            zone: match &self.timezone {
                None => defaults.zone,
                Some(name) => zone(name).map_err(|reason| fail_at(Some("timezone"), reason))?,
            },
            separator: self.separator.unwrap_or_else(|| Reading::default().separator),
        };
        if let Some(both) =
            reading.true_words.iter().find(|word| reading.false_words.contains(word))
        {
            return Err(fail(format!("`{both}` is a word for true and for false")));
        }
        let optional = self.optional;
        Ok(PlanColumn { reading, optional, ..PlanColumn::nested(&source, target, path, value) })
    }
}

fn own(field: &str, kind: Kind) -> Result<Target, String> {
    own_field(kind, field).ok_or_else(|| match FIELDS.contains(&field) {
        true => format!("to = \"{field}\" is no field of {kind}"),
        false => {
            let hint = did_you_mean(field, FIELDS);
            format!("to = \"{field}\" is no field of an element{hint}; an attribute is named with attribute = \"…\"")
        }
    })
}

/// A value that every row has.
fn constant(name: String, value: toml::Value, defaults: &Defaults) -> Result<PlanColumn, Error> {
    let fail = |reason: &str| Error::Constant { name: name.clone(), reason: reason.to_owned() };
    let (text, value) = match value {
        toml::Value::String(text) => (text, ValueType::Text),
        toml::Value::Integer(number) => (number.to_string(), ValueType::Number),
        // With an exponent where it has one, and its sign if it is zero, so that it stays the
        // same float where the mapping as used is read again.
        toml::Value::Float(number) if number.is_finite() => {
            (format!("{number:?}"), ValueType::Number)
        }
        toml::Value::Float(_) => return Err(fail(NOT_FINITE)),
        toml::Value::Boolean(value) => (value.to_string(), ValueType::Bool),
        toml::Value::Datetime(moment) if moment.date.is_none() => {
            return Err(fail(
                "a time of day alone is no date-time; add the date, or quote it as text",
            ));
        }
        toml::Value::Datetime(moment) => (moment.to_string(), ValueType::DateTime(DateFormat::Iso)),
        value @ (toml::Value::Array(_) | toml::Value::Table(_)) => {
            (document(value).ok_or_else(|| fail(NOT_FINITE))?.to_string(), ValueType::Json)
        }
    };
    if text.is_empty() {
        return Err(fail("it is empty"));
    }
    let (target, path) = match own_field(defaults.kind, &name) {
        Some(target) => (target, vec![name.clone()]),
        None => (Target::Attribute, name.split('.').map(str::to_owned).collect()),
    };
    if path.iter().any(String::is_empty) {
        return Err(fail("its name is empty, or a level of it is"));
    }
    let mut column = PlanColumn::nested(&format!("constant {name}"), target, path, value);
    column.reading.zone = defaults.zone;
    column.constant = Some(text);
    Ok(column)
}

/// A value as JSON: date-times as text, for JSON has none. `None` where a number in it is not
/// finite.
fn document(value: toml::Value) -> Option<serde_json::Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)?.into(),
        toml::Value::Boolean(value) => value.into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => {
            items.into_iter().map(document).collect::<Option<Vec<_>>>()?.into()
        }
        toml::Value::Table(fields) => {
            let fields = fields.into_iter().map(|(name, value)| Some((name, document(value)?)));
            fields.collect::<Option<serde_json::Map<_, _>>>()?.into()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn columns(text: &str) -> Vec<PlanColumn> {
        parse(text, None).unwrap_or_else(|error| panic!("{error}")).columns
    }

    fn fails(text: &str) -> String {
        parse(text, None).expect_err(text).to_string()
    }

    #[test]
    fn everything_that_it_can_say() {
        let text = r#"
            kind = "events"
            event = "Purchase"
            timezone = "Europe/Berlin"
            null = ["NULL"]
            true = ["yes"]
            false = ["no"]

            [columns]
            cust = { to = "customer_id" }
            when = { to = "user_time", type = "datetime", format = "DD/MM/YYYY hh:mm:ss", timezone = "Asia/Kolkata" }
            price = { type = "double" }
            tags = { attribute = "labels", type = "array", items = "double", separator = ";" }
            city = { attribute = "address.city" }
            dotted = { attribute = ["a.b"], type = "bool", true = ["1"], null = ["-"] }
            blob = { type = "json", optional = true }
            mobile = { identifier = "moe_mobile" }
            note = { skip = true }
            platform = {}

            [constants]
            app_version = "4.1"
            "campaign.id" = 17
            object = { on = [2024-01-02, 1.5] }
            large = 1e300
        "#;
        let mapping = parse(text, Some(Kind::Events)).expect("sound");
        assert_eq!(mapping.kind, Some(Kind::Events));
        assert_eq!(mapping.event.as_deref(), Some("Purchase"));
        assert_eq!(mapping.null_words, ["NULL"]);
        let seen: Vec<_> = mapping
            .columns
            .iter()
            .map(|c| (c.source.as_str(), c.target, c.path.join("/"), c.value.as_str()))
            .collect();
        let own = |list: &[(&'static str, Target, &str, &'static str)]| -> Vec<_> {
            list.iter().map(|&(s, t, p, v)| (s, t, p.to_owned(), v)).collect()
        };
        assert_eq!(
            seen,
            own(&[
                ("cust", Target::CustomerId, "customer_id", "string"),
                ("when", Target::UserTime, "user_time", "datetime"),
                ("price", Target::Attribute, "price", "double"),
                ("tags", Target::Attribute, "labels", "array"),
                ("city", Target::Attribute, "address/city", "string"),
                ("dotted", Target::Attribute, "a.b", "bool"),
                ("blob", Target::Attribute, "blob", "json"),
                ("mobile", Target::Identifier, "moe_mobile", "string"),
                ("note", Target::Skip, "note", "string"),
                ("platform", Target::Platform, "platform", "string"),
                ("constant app_version", Target::AppVersion, "app_version", "string"),
                ("constant campaign.id", Target::Attribute, "campaign/id", "double"),
                ("constant object", Target::Attribute, "object", "json"),
                ("constant large", Target::Attribute, "large", "double"),
            ])
        );
        let zone = |name| Zone::from_name(name).expect(name);
        assert_eq!(mapping.columns[1].reading.zone, zone("Asia/Kolkata"));
        assert_eq!(mapping.columns[2].reading.zone, zone("Europe/Berlin"));
        assert_eq!(mapping.columns[2].reading.true_words, ["yes"]);
        assert_eq!(mapping.columns[5].reading.true_words, ["1"]);
        assert_eq!(mapping.columns[5].reading.null_words, ["-"]);
        assert_eq!(mapping.columns[3].reading.separator, ";");
        assert!(mapping.columns[6].optional);
        assert_eq!(mapping.columns[11].constant.as_deref(), Some("17"));
        assert_eq!(mapping.columns[12].constant.as_deref(), Some(r#"{"on":["2024-01-02",1.5]}"#));
        assert_eq!(mapping.columns[13].constant.as_deref(), Some("1e300"));
    }

    #[test]
    fn mistakes_are_named_with_what_was_meant() {
        let id = "[columns]\nid = { to = \"customer_id\" }\n";
        for (text, words) in [
            ("knd = \"users\"", "did you mean `kind`?"),
            ("kind = \"people\"", "none of users, events and devices"),
            ("timezone = \"Europe/Berlim\"", "did you mean `Europe/Berlin`?"),
            ("event = \"x\"", "kind = \"events\""),
            ("[columns]\na = {}\n", "to = \"customer_id\""),
            (&format!("{id}a = {{ atribute = \"x\" }}"), "did you mean `attribute`?"),
            (&format!("{id}a = {{ to = \"customer_di\" }}"), "did you mean `customer_id`?"),
            (&format!("{id}a = {{ to = \"action\" }}"), "no field of users"),
            (
                &format!("{id}a = {{ type = \"int\" }}"),
                "string, double, bool, datetime, array and json",
            ),
            (&format!("{id}a = {{ format = \"YYYY-MM-DD\" }}"), "type = \"datetime\" alone"),
            (&format!("{id}a = {{ type = \"datetime\", format = \"MM/DD/YYYY\" }}"), "DD/MM/YYYY"),
            (
                &format!("{id}a = {{ type = \"array\", items = \"bool\" }}"),
                "neither string nor double",
            ),
            (&format!("{id}a = {{ true = [\"x\"], false = [\"x\"] }}"), "for true and for false"),
            (&format!("{id}a = {{ attribute = \"x..y\" }}"), "a level of it is"),
            (&format!("{id}a = {{ skip = true, attribute = \"x\" }}"), "more than one of"),
            (
                &format!("{id}a = {{ attribute = \"x\" }}\nb = {{ attribute = \"x\" }}"),
                "both column",
            ),
            (
                &format!("{id}a = {{ attribute = \"x\" }}\nb = {{ attribute = \"x.y\" }}"),
                "an attribute is a value or an object",
            ),
            (
                &format!("{id}a = {{ attribute = \"x.y\" }}\n[constants]\nx.z = \"DE\""),
                "a value or an object, and a table of constants is a value; for one part of it write \
                 \"x.z\" = … in quotes",
            ),
            (
                &format!("{id}[constants]\nx = \"{{}}\"\n\"x.z\" = 1"),
                "to a part of it; an attribute is a value or an object",
            ),
            (&format!("{id}[constants]\nc = nan"), "no finite number"),
            (&format!("{id}[constants]\nc = 07:30:00"), "a time of day alone"),
            (&format!("{id}[constants]\nc = [{{ a = inf }}]"), "no finite number"),
            ("[columns", "TOML"),
        ] {
            let found = fails(text);
            assert!(found.contains(words), "{text}: {found}");
        }
        let text = format!("kind = \"events\"\n{id}");
        let error = parse(&text, Some(Kind::Users)).expect_err("two kinds");
        assert_eq!(error, Error::Kind { file: Kind::Events, flag: Kind::Users });
    }

    #[test]
    fn what_is_to_be_decided_is_named_with_its_line() {
        let text = "kind = \"users\"\n[columns]\nid = { to = \"customer_id\" }\n# born\n\
                    \"born on\" = { decide = \"day-first?\" }\n";
        assert_eq!(fails(text), "line 5, column `born on` is still to be decided: day-first?");
        let text = text.replace("[columns]", "decide = \"who?\"\n[columns]");
        assert_eq!(fails(&text), "line 2 is still to be decided: who?");
    }

    #[test]
    fn a_device_has_its_own_fields() {
        let text = "kind = \"devices\"\n[columns]\nu = { to = \"customer_id\" }\nd = { to = \"device_id\" }\n\
                    p = { attribute = \"platform\" }\nt = { attribute = \"push_id\" }\nm = { attribute = \"model\" }";
        let targets: Vec<_> = columns(text).iter().map(|column| column.target).collect();
        assert_eq!(
            targets,
            [
                Target::CustomerId,
                Target::DeviceId,
                Target::Platform,
                Target::PushId,
                Target::Attribute
            ]
        );
    }
}
