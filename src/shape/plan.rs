//! What becomes of each source column.

use std::collections::HashMap;

use super::{
    datetime::{DateFormat, Zone},
    event_names::KnownNames,
    json, naming,
};
use crate::model::{Code, Kind};
use crate::wire::{limits, names};

pub use super::bind::{Binding, Error, Given, Partitions, SourceColumn, declared_by_both};

/// Columns of a rejects file that the program itself added; ignored on import.
pub const OWN_COLUMN_PREFIX: &str = "_moebulk_";

/// Where a column's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The element's `customer_id`.
    CustomerId,
    /// Another identifier of the user, where the workspace resolves identities: among the
    /// `attributes` of a user, in the `user_identifiers` of an event.
    Identifier,
    /// An attribute.
    Attribute,
    /// An event's `action`.
    Action,
    /// An event's `user_time`.
    UserTime,
    /// An event's `current_time`.
    CurrentTime,
    /// An event's `user_timezone_offset`.
    TimezoneOffset,
    /// The `platform` of an event, or among a device's attributes.
    Platform,
    /// An event's `app_version`.
    AppVersion,
    /// The `device_id` of an event or a device.
    DeviceId,
    /// A device's `push_id`, among its attributes.
    PushId,
    /// A device's `moe_push_opted`, among its attributes.
    PushOpted,
    /// Nowhere.
    Skip,
}

/// An element's own field of that name, and not an attribute (Data API, U: event and
/// device elements).
pub fn own_field(kind: Kind, name: &str) -> Option<Target> {
    Some(match (kind, name) {
        (_, "customer_id") => Target::CustomerId,
        (Kind::Events, "action") => Target::Action,
        (Kind::Events, "user_time") => Target::UserTime,
        (Kind::Events, "current_time") => Target::CurrentTime,
        (Kind::Events, "user_timezone_offset") => Target::TimezoneOffset,
        (Kind::Events, "app_version") => Target::AppVersion,
        (Kind::Events | Kind::Devices, "platform") => Target::Platform,
        (Kind::Events | Kind::Devices, "device_id") => Target::DeviceId,
        (Kind::Devices, "push_id") => Target::PushId,
        (Kind::Devices, "moe_push_opted") => Target::PushOpted,
        _ => return None,
    })
}

/// The type that a column's values are sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// The text, untouched.
    Text,
    /// A JSON number with the same digits.
    Number,
    /// `true` or `false`.
    Bool,
    /// A date or a date-time in UTC.
    DateTime(DateFormat),
    /// A JSON array of what stands between the separators of a cell.
    Array(Items),
    /// A JSON document as it stands in the cell, or a nested value of a typed file.
    Json,
}

/// What the elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// Strings.
    Text,
    /// Numbers.
    Number,
}

impl ValueType {
    /// The name in mappings and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "double",
            Self::Bool => "bool",
            Self::DateTime(_) => "datetime",
            Self::Array(_) => "array",
            Self::Json => "json",
        }
    }
}

/// How the cells of a column are read beyond their type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Words for true beside `true`.
    pub true_words: Vec<String>,
    /// Words for false beside `false`.
    pub false_words: Vec<String>,
    /// Texts that mean no value in this column.
    pub null_words: Vec<String>,
    /// The zone of date-times that name none.
    pub zone: Zone,
    /// What stands between the elements of an array.
    pub separator: String,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            true_words: Vec::new(),
            false_words: Vec::new(),
            null_words: Vec::new(),
            zone: Zone::Utc,
            separator: "|".to_owned(),
        }
    }
}

/// One column of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanColumn {
    /// Name of the source column; for a constant what messages call it.
    pub source: String,
    /// The text that every row has here, instead of a source column.
    pub constant: Option<String>,
    /// Where its values go.
    pub target: Target,
    /// Name of the attribute or field. An attribute inside an object has the names of all
    /// levels, outermost first; never empty.
    pub path: Vec<String>,
    /// The type that its values are sent as.
    pub value: ValueType,
    /// How its cells are read.
    pub reading: Reading,
    /// Whether the type is left to inference; `value` is then the one that holds as long as there are
    /// no values.
    pub inferred: bool,
    /// Whether its values are known to be lists, with no object in them.
    pub plain_lists: bool,
    /// Whether an input may lack the column although a mapping names it.
    pub optional: bool,
    /// `"name":` of the innermost level, encoded once.
    pub key: Vec<u8>,
    /// What is to be said of every value that the column sends, whatever it is: rules that
    /// its name, type or place breaks.
    pub remarks: Vec<Code>,
    /// The values that its attribute has by the documentation, where that lists them.
    pub listed: Option<&'static [&'static str]>,
}

impl PlanColumn {
    /// A column of the plan whose values go to a field or an attribute of one level.
    pub fn new(source: &str, target: Target, name: &str, value: ValueType) -> Self {
        Self::nested(source, target, vec![name.to_owned()], value)
    }

    /// A column whose values go to an attribute inside of objects.
    pub fn nested(source: &str, target: Target, path: Vec<String>, value: ValueType) -> Self {
        let mut key = json::string(path.last().map_or("", String::as_str));
        key.push(b':');
        Self {
            source: source.to_owned(),
            constant: None,
            target,
            path,
            value,
            reading: Reading::default(),
            inferred: false,
            plain_lists: false,
            optional: false,
            key,
            remarks: Vec::new(),
            listed: None,
        }
    }

    /// The name of the attribute or field, levels joined by dots.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// Objects of an attribute that its values stand in.
    pub fn objects_around(&self) -> usize {
        self.path.len().saturating_sub(1)
    }
}

/// What an empty cell becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Empty {
    /// The attribute is left out.
    #[default]
    Omit,
    /// An attribute of type string is sent as the empty string; others are left out.
    Text,
    /// The attribute's value at the server is removed (`unset_attributes`; users alone).
    Unset,
}

/// The rules that shape rows: every flag under Rules, and those limits that a row can break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `--empty`
    pub empty: Empty,
    /// `--null-value`: texts that mean no value.
    pub null_values: Vec<String>,
    /// `--on-type-error omit`: leave the attribute out, with a warning, instead of
    /// rejecting the row.
    pub omit_on_type_error: bool,
    /// `--strict-ids`
    pub strict_ids: bool,
    /// `--strict`: warnings become rejections.
    pub strict: bool,
    /// `--show-values`: problem texts may hold values.
    pub show_values: bool,
    /// `--event`: the action of rows that have none.
    pub event: Option<String>,
    /// Users: never create one (Data API, U: `update_existing_only`).
    pub update_existing_only: bool,
    /// `--max-body-bytes`
    pub body_bytes_max: usize,
    /// Every row is a body of its own, without the bulk envelope.
    pub single: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            empty: Empty::default(),
            null_values: Vec::new(),
            omit_on_type_error: false,
            strict_ids: false,
            strict: false,
            show_values: false,
            event: None,
            update_existing_only: false,
            body_bytes_max: limits::BODY_BYTES_MAX,
            single: false,
        }
    }
}

impl Rules {
    /// Whether a text means no value.
    pub fn is_null(&self, text: &str) -> bool {
        self.null_values.iter().any(|null| null == text)
    }
}

/// What becomes of every column of an import.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the rows are.
    pub kind: Kind,
    /// The columns, in the order in which attributes are written.
    pub columns: Vec<PlanColumn>,
    /// The rules.
    pub rules: Rules,
    /// The event names that a workspace takes, once there are more in the import.
    pub event_names: KnownNames,
}

impl Plan {
    /// The column that names the user, by index.
    pub fn id_column(&self) -> Option<u32> {
        let is_id =
            |column: &PlanColumn| matches!(column.target, Target::CustomerId | Target::Identifier);
        self.columns.iter().position(is_id).map(|at| at as u32)
    }

    /// A plan, with what is to be said of its columns' names and types.
    pub fn new(kind: Kind, columns: Vec<PlanColumn>, rules: Rules) -> Self {
        let mut plan = Self { kind, columns, rules, event_names: KnownNames::default() };
        naming::review(&mut plan);
        plan
    }

    /// A plan in which every column is an attribute of its own name, whose type is open where it is
    /// not nested.
    pub fn open(kind: Kind, sources: &[SourceColumn], rules: Rules) -> Self {
        let columns = sources.iter().map(|source| {
            let declared = source.declared.unwrap_or(ValueType::Text);
            let value = if source.nested { ValueType::Json } else { declared };
            let mut column = PlanColumn::new(&source.name, Target::Attribute, &source.name, value);
            column.inferred = !source.nested;
            column
        });
        Self::new(kind, columns.collect(), rules)
    }

    /// Learns from the columns of all inputs which attributes can hold no object, and what is
    /// to be said of the columns then.
    pub fn note_lists<'a>(&mut self, sources: impl Iterator<Item = &'a SourceColumn>) {
        let mut only_lists: HashMap<&str, bool> = HashMap::new();
        for source in sources {
            *only_lists.entry(&source.name).or_insert(true) &= source.plain_lists;
        }
        for column in &mut self.columns {
            let known = only_lists.get(column.source.as_str());
            column.plain_lists = column.constant.is_none() && known == Some(&true);
        }
        naming::review(self);
    }

    /// Columns for inputs without a mapping: names decide, types are still to be inferred
    /// (but for standard attributes and an element's own fields).
    ///
    /// The columns are the union over all files, in order of first appearance.
    pub fn by_name<'a>(
        kind: Kind,
        files: impl IntoIterator<Item = &'a [SourceColumn]>,
    ) -> Vec<PlanColumn> {
        let mut columns: Vec<PlanColumn> = Vec::new();
        let mut seen: HashMap<&str, (usize, Option<ValueType>)> = HashMap::new();
        for column in files.into_iter().flatten() {
            let name = column.name.as_str();
            if name.starts_with(OWN_COLUMN_PREFIX) {
                continue;
            }
            if let Some((at, declared)) = seen.get_mut(name) {
                // Nested in one file, nested in all.
                let known: &mut PlanColumn = &mut columns[*at];
                if column.nested && known.target == Target::Attribute {
                    (known.value, known.inferred) = (ValueType::Json, false);
                }
                *declared = declared_by_both(*declared, column.declared);
                if known.inferred {
                    known.value = declared.unwrap_or(ValueType::Text);
                }
                continue;
            }
            seen.insert(name, (columns.len(), column.declared));
            let target = own_field(kind, name).unwrap_or(Target::Attribute);
            let fixed = match kind {
                _ if column.nested && target == Target::Attribute => Some(ValueType::Json),
                Kind::Users => names::standard_type(name).map(|standard| match standard {
                    names::StandardType::Text => ValueType::Text,
                    names::StandardType::Bool => ValueType::Bool,
                    names::StandardType::DateTime => ValueType::DateTime(DateFormat::Iso),
                }),
                Kind::Devices if names::DEVICE_ATTRIBUTES.contains(&name) => Some(ValueType::Text),
                Kind::Events | Kind::Devices => None,
            };
            let inferred = target == Target::Attribute && fixed.is_none();
            let declared = column.declared.filter(|_| inferred);
            let value = fixed.or(declared).unwrap_or(ValueType::Text);
            let mut planned = PlanColumn::new(name, target, name, value);
            planned.inferred = inferred;
            columns.push(planned);
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(names: &[&str]) -> Vec<SourceColumn> {
        names.iter().map(|name| SourceColumn::text(name)).collect()
    }

    #[test]
    fn names_decide_where_there_is_no_mapping() {
        let columns = Plan::by_name(
            Kind::Events,
            [
                sources(&["customer_id", "action", "price"]).as_slice(),
                sources(&["price", "platform", "_moebulk_row", "customer_id"]).as_slice(),
            ],
        );
        let seen: Vec<_> = columns.iter().map(|c| (c.path[0].as_str(), c.target)).collect();
        assert_eq!(
            seen,
            [
                ("customer_id", Target::CustomerId),
                ("action", Target::Action),
                ("price", Target::Attribute),
                ("platform", Target::Platform),
            ]
        );
        let users = Plan::by_name(
            Kind::Users,
            [sources(&["u_bd", "moe_sub_w", "u_mb", "action"]).as_slice()],
        );
        assert_eq!(users[0].value, ValueType::DateTime(DateFormat::Iso));
        assert_eq!(users[1].value, ValueType::Bool);
        assert_eq!(users[2].value, ValueType::Text);
        assert!(!users[2].inferred, "a mobile number is text");
        assert_eq!(users[3].target, Target::Attribute);
    }

    #[test]
    fn a_device_has_fields_and_documented_attributes() {
        let names = ["device_id", "push_id", "model", "moe_push_opted", "colour"];
        let columns = Plan::by_name(Kind::Devices, [sources(&names).as_slice()]);
        let seen: Vec<_> = columns.iter().map(|c| (c.target, c.inferred)).collect();
        assert_eq!(
            seen,
            [
                (Target::DeviceId, false),
                (Target::PushId, false),
                (Target::Attribute, false),
                (Target::PushOpted, false),
                (Target::Attribute, true),
            ]
        );
    }
}
