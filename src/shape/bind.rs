//! How the columns of one file fit the plan.

use std::collections::HashMap;

use super::{
    plan::{OWN_COLUMN_PREFIX, Plan, PlanColumn, Target, ValueType},
    suggest::did_you_mean,
};
use crate::model::{GUARDED_COLUMN, Kind};

/// Columns of a file that a message names.
const LISTED_MAX: usize = 100;

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
        "{file}: the mapping's column `{column}` is not in the file{hint} (its columns are {columns}); correct the mapping, or have it skip that column"
    )]
    MissingColumn {
        /// The file.
        file: String,
        /// The mapping's column.
        column: String,
        /// A column that is spelt nearly so.
        hint: String,
        /// The file's columns.
        columns: String,
    },
    /// Nothing gives a device a field that the API requires.
    #[error(
        "{file}: no column holds the device's {field}, which the API requires (the columns are {columns}); map one, or set a constant"
    )]
    NoDeviceField {
        /// The file.
        file: String,
        /// `device_id`, `platform` or `push_id`.
        field: &'static str,
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
        "{file}: column `{column}` {refusal}; leave it out with a mapping that skips it, or convert it at the source"
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
        "{file}: column `{column}` holds lists, structs or maps, and the mapping has it as {mapped}; give it the type json, or skip it"
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
    /// Whether they are lists, with no struct or map in them.
    pub plain_lists: bool,
    /// The type of its values where its file declares one: what it is as long as it has none.
    pub declared: Option<ValueType>,
}

impl SourceColumn {
    /// A column of text.
    pub fn text(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            refusal: None,
            float: false,
            nested: false,
            plain_lists: false,
            declared: None,
        }
    }
}

/// The type that two files declare of one column, each where it declares any; text where they do
/// not agree.
pub fn declared_by_both(one: Option<ValueType>, other: Option<ValueType>) -> Option<ValueType> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Some(ValueType::Text),
        (one, other) => one.or(other),
    }
}

/// Which column of one file feeds each column of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// For each column of the plan the index in the file, where the file has it.
    pub sources: Vec<Option<usize>>,
    /// Names of the file's columns that the plan does not use.
    pub unused: Vec<String>,
    /// Cells that look like formulas have a guard before them, which is no part of the value.
    pub guarded: bool,
    /// For each column of the plan what the file's place gives it; empty where it gives nothing.
    pub given: Vec<Option<Given>>,
}

impl Binding {
    /// What the file's place gives a column of the plan.
    #[inline]
    pub fn given(&self, column: usize) -> Option<&Given> {
        self.given.get(column)?.as_ref()
    }

    /// Whether the rows of the file have the column, from wherever.
    pub fn has(&self, column: usize) -> bool {
        self.sources.get(column).is_some_and(Option::is_some) || self.given(column).is_some()
    }
}

/// What all rows of a file have in a column, by the place where the file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// No value.
    Absent,
    /// This text, read by the column's type.
    Text(String),
}

/// The columns that a file's place gives: their names, and their value where there is one.
pub type Partitions = [(String, Option<String>)];

impl Plan {
    /// Finds the plan's columns in one file, but for those whose values cannot be read.
    pub fn bind_readable(&self, columns: &[SourceColumn]) -> Binding {
        let readable: HashMap<&str, usize> = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.refusal.is_none())
            .map(|(at, column)| (column.name.as_str(), at))
            .collect();
        let sources =
            self.columns.iter().map(|column| readable.get(column.source.as_str()).copied());
        let guarded = columns.iter().any(|column| column.name == GUARDED_COLUMN);
        Binding { sources: sources.collect(), unused: Vec::new(), guarded, given: Vec::new() }
    }

    /// Fits the plan to one file. With a mapping every mapped column must be there;
    /// without, only the customer_id.
    ///
    /// # Errors
    /// It does not fit.
    pub fn bind(
        &self,
        file: &str,
        columns: &[SourceColumn],
        mapped: bool,
    ) -> Result<Binding, Error> {
        self.bind_at(file, columns, &[], mapped)
    }

    /// The same with what the file's place gives: columns that a mapping names, and that the file
    /// itself does not have.
    ///
    /// # Errors
    /// It does not fit.
    pub fn bind_at(
        &self,
        file: &str,
        columns: &[SourceColumn],
        partitions: &Partitions,
        mapped: bool,
    ) -> Result<Binding, Error> {
        let by_name: HashMap<&str, usize> =
            columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
        let listed = || {
            let names = columns.iter().take(LISTED_MAX).map(|column| column.name.as_str());
            let more = match columns.len().saturating_sub(LISTED_MAX) {
                0 => None,
                more => Some(format!("and {more} more")),
            };
            let keys = partitions.iter().map(|(key, _)| key.as_str());
            names.chain(more.as_deref()).chain(keys).collect::<Vec<_>>().join(", ")
        };
        let mut sources = Vec::with_capacity(self.columns.len());
        let mut given = vec![None; self.columns.len()];
        for (at, column) in self.columns.iter().enumerate() {
            let source = match column.constant {
                None => by_name.get(column.source.as_str()).copied(),
                Some(_) => None,
            };
            let needed = mapped
                && column.target != Target::Skip
                && column.constant.is_none()
                && !column.optional;
            let partition = partitions.iter().rev().find(|(key, _)| *key == column.source);
            let takes = mapped && column.target != Target::Skip && column.constant.is_none();
            match source.map(|at| &columns[at]) {
                None if takes && let Some((_, value)) = partition => {
                    given[at] = Some(value.clone().map_or(Given::Absent, Given::Text));
                }
                None if needed => {
                    return Err(Error::MissingColumn {
                        file: file.to_owned(),
                        column: column.source.clone(),
                        hint: hint_of(&column.source, columns),
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
            self.columns.iter().zip(sources.iter().zip(&given)).any(|(column, (at, given))| {
                let has = at.is_some() || column.constant.is_some() || given.is_some();
                column.target == target && has
            })
        };
        if !has(Target::CustomerId) && !has(Target::Identifier) {
            return Err(Error::NoId {
                file: file.to_owned(),
                columns: listed(),
                hint: id_hint(columns),
            });
        }
        if self.kind == Kind::Events && self.rules.event.is_none() && !has(Target::Action) {
            return Err(Error::NoAction { file: file.to_owned() });
        }
        if self.kind == Kind::Devices {
            let required = [
                (Target::DeviceId, "device_id"),
                (Target::Platform, "platform"),
                (Target::PushId, "push_id"),
            ];
            if let Some(&(_, field)) = required.iter().find(|&&(target, _)| !has(target)) {
                return Err(Error::NoDeviceField {
                    file: file.to_owned(),
                    field,
                    columns: listed(),
                });
            }
        }
        let planned: HashMap<&str, ()> = self
            .columns
            .iter()
            .filter(|column| column.constant.is_none())
            .map(|column| (column.source.as_str(), ()))
            .collect();
        let unused = columns
            .iter()
            .filter(|column| {
                !column.name.starts_with(OWN_COLUMN_PREFIX)
                    && !planned.contains_key(column.name.as_str())
            })
            .map(|column| column.name.clone())
            .collect();
        let guarded = by_name.contains_key(GUARDED_COLUMN);
        if given.iter().all(Option::is_none) {
            given.clear();
        }
        Ok(Binding { sources, unused, guarded, given })
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
                role: column.name(),
            });
        }
        if found.nested && column.value != ValueType::Json {
            return Err(Error::NestedType {
                file: file.to_owned(),
                column: found.name.clone(),
                mapped: column.value.as_str(),
            });
        }
        if found.float
            && matches!(column.target, Target::CustomerId | Target::DeviceId | Target::Identifier)
        {
            return Err(Error::FloatId {
                file: file.to_owned(),
                column: found.name.clone(),
                role: column.name(),
            });
        }
        Ok(())
    }
}

/// What is probably meant by a name that the file does not have. Such as `a.b` MoEngage's own imports
/// call a member of nested JSON.
fn hint_of(written: &str, columns: &[SourceColumn]) -> String {
    let likely = did_you_mean(written, columns.iter().map(|column| column.name.as_str()));
    let Some((outer, _)) = written.split_once('.') else { return likely };
    // What NDJSON and CSV have in a column is not known yet.
    let may_hold_objects = |column: &SourceColumn| column.declared.is_none() && !column.plain_lists;
    let has_outer = columns.iter().any(|column| column.name == outer && may_hold_objects(column));
    if !has_outer || !(likely.is_empty() || likely.contains(&format!("`{outer}`"))) {
        return likely;
    }
    format!(
        "; a member of the objects in `{outer}` is not read by itself: map `{outer}` whole, with the type json, or \
         write the member into a column of its own at the source"
    )
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
    use crate::shape::plan::Rules;

    fn sources(names: &[&str]) -> Vec<SourceColumn> {
        names.iter().map(|name| SourceColumn::text(name)).collect()
    }

    fn plan(kind: Kind, names: &[&str]) -> Plan {
        let columns = Plan::by_name(kind, [sources(names).as_slice()]);
        Plan::new(kind, columns, Rules::default())
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
                hint: String::new(),
                columns: "b, customer_id".into()
            }
        );
    }

    #[test]
    fn a_place_gives_what_a_mapping_names_and_the_file_does_not_have() {
        let plan = plan(Kind::Users, &["customer_id", "a", "b", "c"]);
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        let partitions = [pair("b", Some("x")), pair("a", Some("y")), pair("c", None)];
        let columns = sources(&["a", "customer_id"]);
        let bound = plan.bind_at("f.csv", &columns, &partitions, true).expect("fits");
        assert_eq!(bound.sources, [Some(1), Some(0), None, None], "the file's own column wins");
        let given = [None, None, Some(Given::Text("x".into())), Some(Given::Absent)];
        assert_eq!(bound.given, given);
        assert!(bound.has(1) && bound.has(2) && bound.has(3));
        let bound = plan.bind_at("f.csv", &columns, &partitions, false).expect("fits");
        assert!(bound.given.is_empty() && !bound.has(2), "nobody asks for it");
        let error = plan.bind_at("f.csv", &columns, &partitions[..1], true).expect_err("no c");
        assert!(error.to_string().contains("(its columns are a, customer_id, b)"), "{error}");
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
        let planned = Plan::by_name(Kind::Events, files.iter().map(Vec::as_slice));
        let rules = Rules { event: Some("e".to_owned()), ..Rules::default() };
        let mut plan = Plan::new(Kind::Events, planned, rules);
        assert_eq!(plan.columns[1].value, ValueType::Json);
        assert!(!plan.columns[1].inferred);
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
