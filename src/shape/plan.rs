//! What becomes of each source column, and how the columns of one file fit it.

use std::collections::HashMap;

use super::{datetime::DateFormat, json};
use crate::model::Kind;
use crate::wire::{limits, names};

/// Columns of a rejects file that the program itself added; ignored on import.
pub const OWN_COLUMN_PREFIX: &str = "_moebulk_";

/// Where a column's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The element's `customer_id`.
    CustomerId,
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
    /// An event's `platform`.
    Platform,
    /// An event's `app_version`.
    AppVersion,
    /// An event's `device_id`.
    DeviceId,
    /// Nowhere.
    Skip,
}

/// The event element's own field of that name (Data API, U: event element).
pub fn event_field(name: &str) -> Option<Target> {
    Some(match name {
        "action" => Target::Action,
        "user_time" => Target::UserTime,
        "current_time" => Target::CurrentTime,
        "user_timezone_offset" => Target::TimezoneOffset,
        "platform" => Target::Platform,
        "app_version" => Target::AppVersion,
        "device_id" => Target::DeviceId,
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
    /// A list or an object.
    Json,
}

impl ValueType {
    /// The name in mappings and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "double",
            Self::Bool => "bool",
            Self::DateTime(_) => "datetime",
            Self::Json => "json",
        }
    }
}

/// One column of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanColumn {
    /// Name of the source column.
    pub source: String,
    /// Where its values go.
    pub target: Target,
    /// Name of the attribute or field.
    pub name: String,
    /// The type that its values are sent as.
    pub value: ValueType,
    /// `"name":`, encoded once.
    pub key: Vec<u8>,
}

impl PlanColumn {
    /// A column of the plan.
    pub fn new(source: &str, target: Target, name: &str, value: ValueType) -> Self {
        let mut key = json::string(name);
        key.push(b':');
        Self { source: source.to_owned(), target, name: name.to_owned(), value, key }
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
    /// `--max-body-bytes`
    pub body_bytes_max: usize,
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
            body_bytes_max: limits::BODY_BYTES_MAX,
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
}

/// Why a plan cannot be made, or does not fit a file.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// No column holds the customer_id.
    #[error(
        "{file}: no column is named customer_id (the columns are {columns}); rename the column that identifies a user, or give --mapping with a column whose moe_attr is `uid`{hint}"
    )]
    NoId {
        /// The file.
        file: String,
        /// Its columns.
        columns: String,
        /// A column that is spelt nearly so.
        hint: String,
    },
    /// A mapped column is not in the file.
    #[error(
        "{file}: the mapping's column `{column}` is not in the file (its columns are {columns}); correct the mapping, or set is_skipped for that column"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The mapping's column.
        column: String,
        /// The file's columns.
        columns: String,
    },
    /// Nothing names the event.
    #[error("{file}: no column is named action, and --event is not given; events need a name")]
    NoAction {
        /// The file.
        file: String,
    },
    /// A column whose type cannot be sent.
    #[error(
        "{file}: column `{column}` {refusal}; leave it out with a mapping that sets is_skipped for it, or convert it at the source"
    )]
    Refused {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// Why, as a clause: "is a list, which …".
        refusal: String,
    },
    /// A column of lists or objects where one text is needed.
    #[error(
        "{file}: column `{column}` holds lists, structs or maps and is the {role}, which is one text; only attributes may be nested: map another column"
    )]
    Nested {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The element's own field.
        role: String,
    },
    /// A column of lists or objects under a flat type.
    #[error(
        "{file}: column `{column}` holds lists, structs or maps, and the mapping has it as {mapped}; give it the type json, or set is_skipped for it"
    )]
    NestedType {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// The mapped type.
        mapped: &'static str,
    },
    /// A floating-point column as an id.
    #[error(
        "{file}: column `{column}` is a floating-point column and holds the {role}; its text is not the id (7 would be sent as 7.0): store it as an integer or as text"
    )]
    FloatId {
        /// The file.
        file: String,
        /// The column.
        column: String,
        /// `customer_id` or `device_id`.
        role: String,
    },
}

/// A column of one file, as the plan needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// Why its values cannot be read, as a clause; `None` for every column that can.
    pub refusal: Option<String>,
    /// Whether its values are floating-point numbers.
    pub float: bool,
    /// Whether its values are lists, structs or maps.
    pub nested: bool,
}

impl SourceColumn {
    /// A column of text.
    pub fn text(name: &str) -> Self {
        Self { name: name.to_owned(), refusal: None, float: false, nested: false }
    }
}

/// Which column of one file feeds each column of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// For each column of the plan the index in the file, where the file has it.
    pub sources: Vec<Option<usize>>,
    /// Names of the file's columns that the plan does not use.
    pub unused: Vec<String>,
}

impl Plan {
    /// Columns for inputs without a mapping: names decide, types are still to be inferred
    /// (but for standard attributes and an event's own fields).
    ///
    /// The columns are the union over all files, in order of first appearance.
    pub fn by_name<'a>(
        kind: Kind,
        files: impl IntoIterator<Item = &'a [SourceColumn]>,
    ) -> Vec<PlanColumn> {
        let mut columns: Vec<PlanColumn> = Vec::new();
        let mut seen = HashMap::new();
        for column in files.into_iter().flatten() {
            let name = column.name.as_str();
            if name.starts_with(OWN_COLUMN_PREFIX) {
                continue;
            }
            if let Some(&at) = seen.get(name) {
                // Nested in one file, nested in all.
                let known: &mut PlanColumn = &mut columns[at];
                if column.nested && known.target == Target::Attribute {
                    known.value = ValueType::Json;
                }
                continue;
            }
            seen.insert(name, columns.len());
            let target = match kind {
                _ if name == "customer_id" => Target::CustomerId,
                Kind::Users => Target::Attribute,
                Kind::Events => event_field(name).unwrap_or(Target::Attribute),
            };
            let value = match (kind, names::standard_type(name)) {
                _ if column.nested && target == Target::Attribute => ValueType::Json,
                (Kind::Users, Some(names::StandardType::Bool)) => ValueType::Bool,
                (Kind::Users, Some(names::StandardType::DateTime)) => {
                    ValueType::DateTime(DateFormat::Iso)
                }
                _ => ValueType::Text,
            };
            columns.push(PlanColumn::new(name, target, name, value));
        }
        columns
    }

    /// Whether a column's type is left to inference where there is no mapping.
    pub fn is_inferred(kind: Kind, column: &PlanColumn) -> bool {
        column.target == Target::Attribute
            && column.value != ValueType::Json
            && (kind != Kind::Users || names::standard_type(&column.name).is_none())
    }

    /// Fits the plan to one file. With a mapping every mapped column must be there;
    /// without, only the customer_id.
    pub fn bind(
        &self,
        file: &str,
        columns: &[SourceColumn],
        mapped: bool,
    ) -> Result<Binding, Error> {
        let by_name: HashMap<&str, usize> =
            columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
        let listed = || {
            let names: Vec<_> = columns.iter().map(|column| column.name.as_str()).collect();
            names.join(", ")
        };
        let mut sources = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let source = by_name.get(column.source.as_str()).copied();
            let needed = mapped && column.target != Target::Skip;
            match source.map(|at| &columns[at]) {
                None if needed => {
                    return Err(Error::MissingColumn {
                        file: file.to_owned(),
                        column: column.source.clone(),
                        columns: listed(),
                    });
                }
                Some(found) if column.target != Target::Skip => {
                    self.check_source(file, column, found)?;
                }
                _ => {}
            }
            sources.push(source.filter(|_| column.target != Target::Skip));
        }
        let has = |target| {
            self.columns
                .iter()
                .zip(&sources)
                .any(|(column, at)| column.target == target && at.is_some())
        };
        if !has(Target::CustomerId) {
            return Err(Error::NoId {
                file: file.to_owned(),
                columns: listed(),
                hint: id_hint(columns),
            });
        }
        if self.kind == Kind::Events && self.rules.event.is_none() && !has(Target::Action) {
            return Err(Error::NoAction { file: file.to_owned() });
        }
        let planned: HashMap<&str, ()> =
            self.columns.iter().map(|column| (column.source.as_str(), ())).collect();
        let unused = columns
            .iter()
            .filter(|column| {
                !column.name.starts_with(OWN_COLUMN_PREFIX)
                    && !planned.contains_key(column.name.as_str())
            })
            .map(|column| column.name.clone())
            .collect();
        Ok(Binding { sources, unused })
    }

    fn check_source(
        &self,
        file: &str,
        column: &PlanColumn,
        found: &SourceColumn,
    ) -> Result<(), Error> {
        if let Some(refusal) = &found.refusal {
            return Err(Error::Refused {
                file: file.to_owned(),
                column: found.name.clone(),
                refusal: refusal.clone(),
            });
        }
        if found.nested && column.target != Target::Attribute {
            return Err(Error::Nested {
                file: file.to_owned(),
                column: found.name.clone(),
                role: column.name.clone(),
            });
        }
        if found.nested && column.value != ValueType::Json {
            return Err(Error::NestedType {
                file: file.to_owned(),
                column: found.name.clone(),
                mapped: column.value.as_str(),
            });
        }
        if found.float && matches!(column.target, Target::CustomerId | Target::DeviceId) {
            return Err(Error::FloatId {
                file: file.to_owned(),
                column: found.name.clone(),
                role: column.name.clone(),
            });
        }
        Ok(())
    }
}

/// Names the column that was probably meant as the customer_id.
fn id_hint(columns: &[SourceColumn]) -> String {
    let plain = |name: &str| name.to_lowercase().replace([' ', '_', '-'], "");
    columns
        .iter()
        .find(|column| {
            matches!(
                plain(&column.name).as_str(),
                "customerid" | "userid" | "uid" | "id" | "customer"
            )
        })
        .map(|column| format!("; did you mean `{}`?", column.name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(names: &[&str]) -> Vec<SourceColumn> {
        names.iter().map(|name| SourceColumn::text(name)).collect()
    }

    fn plan(kind: Kind, names: &[&str]) -> Plan {
        let columns = Plan::by_name(kind, [sources(names).as_slice()]);
        Plan { kind, columns, rules: Rules::default() }
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
        let seen: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.target)).collect();
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
        assert!(!Plan::is_inferred(Kind::Users, &users[2]), "a mobile number is text");
        assert_eq!(users[3].target, Target::Attribute);
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let plan = plan(Kind::Users, &["customer_id", "a", "b"]);
        let bound = plan.bind("f.csv", &sources(&["b", "z", "customer_id"]), false).expect("fits");
        assert_eq!(bound.sources, [Some(2), None, Some(0)]);
        assert_eq!(bound.unused, ["z"]);
        assert_eq!(
            plan.bind("f.csv", &sources(&["b", "customer_id"]), true).expect_err("a is mapped"),
            Error::MissingColumn {
                file: "f.csv".into(),
                column: "a".into(),
                columns: "b, customer_id".into()
            }
        );
    }

    #[test]
    fn a_missing_id_is_refused_with_a_hint() {
        let text = plan(Kind::Users, &["Customer ID", "a"])
            .bind("f.csv", &sources(&["Customer ID", "a"]), false)
            .expect_err("no id")
            .to_string();
        assert!(
            text.contains("(the columns are Customer ID, a)")
                && text.ends_with("did you mean `Customer ID`?"),
            "{text}"
        );
        let events = plan(Kind::Events, &["customer_id", "price"]);
        assert_eq!(
            events
                .bind("e.csv", &sources(&["customer_id", "price"]), false)
                .expect_err("no action"),
            Error::NoAction { file: "e.csv".into() }
        );
    }

    #[test]
    fn a_floating_point_id_is_refused() {
        let plan = plan(Kind::Users, &["customer_id"]);
        let column = SourceColumn { float: true, ..SourceColumn::text("customer_id") };
        assert!(matches!(plan.bind("f.parquet", &[column], false), Err(Error::FloatId { .. })));
    }

    #[test]
    fn only_attributes_may_be_nested_and_only_as_json() {
        let nested = |name| SourceColumn { nested: true, ..SourceColumn::text(name) };
        let id = SourceColumn::text("customer_id");
        let columns = [id.clone(), nested("tags"), SourceColumn::text("flat")];
        // Another file has the column flat, and comes first.
        let files = [sources(&["customer_id", "tags"]), columns.to_vec()];
        let mut plan = Plan {
            kind: Kind::Events,
            columns: Plan::by_name(Kind::Events, files.iter().map(Vec::as_slice)),
            rules: Rules { event: Some("e".to_owned()), ..Rules::default() },
        };
        assert_eq!(plan.columns[1].value, ValueType::Json);
        assert!(!Plan::is_inferred(Kind::Events, &plan.columns[1]));
        assert!(plan.bind("f.parquet", &columns, false).is_ok());
        plan.columns[1].value = ValueType::Number;
        let error = plan.bind("f.parquet", &columns, true).expect_err("a flat type");
        assert!(error.to_string().contains("has it as double; give it the type json"), "{error}");

        for name in ["customer_id", "platform"] {
            let mut columns = vec![id.clone(), SourceColumn::text("platform")];
            columns.retain(|column| column.name != name);
            columns.push(nested(name));
            plan.columns = Plan::by_name(Kind::Events, [columns.as_slice()]);
            let error = plan.bind("f.parquet", &columns, false).expect_err("nested");
            assert!(matches!(error, Error::Nested { role, .. } if role == name));
        }
    }
}
