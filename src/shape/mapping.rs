//! Mapping files to the columns of a plan.
//!
//! - `moengage`: the JSON that users of MoEngage's dashboard imports already have;
//! - `own`: our TOML, which can say everything that a plan holds;
//! - `place`: where in the text of either a mistake lies;
//! - `resolved`: a plan back to that TOML, so that what was used can be used again.

mod moengage;
mod own;
mod place;
mod resolved;

use std::{collections::HashMap, ops::Range};

use super::plan::{PlanColumn, Target, ValueType};
use crate::model::Kind;

pub use own::File;
pub use place::{Fault, column, place, value_in_toml};
pub use resolved::to_toml;

/// Name of the file in a run directory that holds the mapping as it was used.
pub const RESOLVED_FILE: &str = "resolved-mapping.toml";

/// What a mapping file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What the rows are, where the file says it.
    pub kind: Option<Kind>,
    /// The columns.
    pub columns: Vec<PlanColumn>,
    /// Texts that mean no value, in every column.
    pub null_words: Vec<String>,
    /// The action of events that no column names.
    pub event: Option<String>,
    /// Users: never create one.
    pub update_existing_only: bool,
}

/// Why a mapping file cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Not JSON, or not of the mapping's form.
    #[error(
        "it is not a mapping of MoEngage's form, {{\"mapping\":[{{\"column\",\"moe_attr\",\"type\"}}…]}}: {reason}"
    )]
    Json {
        /// What the parser says.
        reason: String,
        /// Where it says it, in bytes of the text.
        at: usize,
    },
    /// Not TOML, or a key of the file that is not of the mapping's form.
    #[error("it is not a mapping in TOML: {reason}")]
    Toml {
        /// What is wrong.
        reason: String,
        /// The key, where it is known by name.
        key: Option<String>,
        /// Where the parser stood, in bytes of the text.
        span: Option<Range<usize>>,
    },
    /// A column's entry that is not of the mapping's form.
    #[error("column `{column}`: {reason}")]
    Entry {
        /// The source column.
        column: String,
        /// The key of the entry that it is about.
        key: Option<String>,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that `moebulk init` left to be decided.
    #[error("{place} is still to be decided: {question}")]
    Undecided {
        /// The line and the column.
        place: String,
        /// The source column, where it is about one.
        column: Option<String>,
        /// What is to be decided, and how it is written.
        question: String,
    },
    /// A constant that cannot be sent.
    #[error("constant `{name}`: {reason}")]
    Constant {
        /// Its name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An unknown type.
    #[error("column `{column}` has type `{found}`; the types are {known}")]
    Type {
        /// The source column.
        column: String,
        /// The type as written.
        found: String,
        /// Those that there are.
        known: &'static str,
    },
    /// An unknown date format.
    #[error("column `{column}` has the date format `{found}`; the formats are {known}")]
    Format {
        /// The source column.
        column: String,
        /// The format as written.
        found: String,
        /// Those that there are.
        known: String,
    },
    /// A source column twice.
    #[error("column `{0}` is mapped twice; keep one of the two entries")]
    ColumnTwice(String),
    /// A target twice.
    #[error(
        "both column `{first}` and column `{second}` are mapped to `{attribute}`; an attribute takes one column"
    )]
    AttributeTwice {
        /// The attribute or field.
        attribute: String,
        /// The first source column.
        first: String,
        /// The second source column.
        second: String,
    },
    /// An attribute that is a value and an object at once.
    #[error(
        "column `{value}` is mapped to `{attribute}` itself and column `{member}` to a part of it; an attribute is a value or an object{hint}"
    )]
    ValueAndObject {
        /// The attribute.
        attribute: String,
        /// The column of the value.
        value: String,
        /// The column of the member.
        member: String,
        /// What was probably meant, where the value is a table of constants.
        hint: String,
    },
    /// No customer_id.
    #[error("no column is mapped to the customer_id; {0}")]
    NoId(&'static str),
    /// An attribute without a name.
    #[error("column `{0}` has no moe_attr; name one, or set is_skipped to true")]
    NoAttribute(String),
    /// The flag and the file disagree.
    #[error("its kind is {file}, and --kind says {flag}; one run loads one kind")]
    Kind {
        /// What the file says.
        file: Kind,
        /// What the flag says.
        flag: Kind,
    },
}

/// Reads a mapping file's text, in whichever of the two forms it is. `kind` is what was
/// asked for by flag.
///
/// # Errors
/// It is of neither form, or contradicts itself or the flag.
pub fn parse(text: &str, kind: Option<Kind>) -> Result<Mapping, Error> {
    let text = text.trim_start_matches('\u{feff}');
    let mapping = if is_json(text) {
        moengage::parse(text, kind.unwrap_or(Kind::Users))?
    } else {
        own::parse(text, kind)?
    };
    check(&mapping)?;
    Ok(mapping)
}

/// Reads a mapping in our form that is a table of another file, whose text is there for the lines.
///
/// # Errors
/// It contradicts itself or the flag.
pub fn of_table(table: toml::Table, text: &str, kind: Option<Kind>) -> Result<Mapping, Error> {
    let mapping = own::of_table(table, text, kind)?;
    check(&mapping)?;
    Ok(mapping)
}

/// Whether a text is in MoEngage's form, rather than in ours.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && !is_toml_table(text)
}

/// A TOML file can start with the header of a table, `[columns]`, which no JSON can.
fn is_toml_table(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    let name = line.strip_prefix('[').and_then(|rest| rest.split(']').next());
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// How to write the members of a constant that is a table: `adr.land = "DE"` is one in TOML, where the
/// attribute `adr.land` is meant.
fn quotes(constant: &PlanColumn) -> String {
    let table = constant.constant.as_deref().filter(|_| constant.value == ValueType::Json);
    let table: Option<serde_json::Map<_, _>> =
        table.and_then(|table| serde_json::from_str(table).ok());
    let Some(member) = table.as_ref().and_then(|table| table.keys().next()) else {
        return String::new();
    };
    let name = format!("{}.{member}", constant.path.join("."));
    format!(
        ", and a table of constants is a value; for one part of it write \"{name}\" = … in quotes"
    )
}

/// No source and no target twice, and somebody whom the rows are about.
fn check(mapping: &Mapping) -> Result<(), Error> {
    let mut sources = HashMap::new();
    let mut targets: HashMap<(Target, &[String]), &str> = HashMap::new();
    let sent = || mapping.columns.iter().filter(|column| column.target != Target::Skip);
    for column in &mapping.columns {
        if column.constant.is_none() && sources.insert(column.source.as_str(), ()).is_some() {
            return Err(Error::ColumnTwice(column.source.clone()));
        }
    }
    for column in sent() {
        if let Some(first) = targets.insert((column.target, &column.path), &column.source) {
            return Err(Error::AttributeTwice {
                attribute: column.name(),
                first: first.to_owned(),
                second: column.source.clone(),
            });
        }
    }
    for column in sent() {
        for levels in 1..column.path.len() {
            let outer = &column.path[..levels];
            if let Some(value) = targets.get(&(column.target, outer)) {
                return Err(Error::ValueAndObject {
                    attribute: outer.join("."),
                    value: (*value).to_owned(),
                    member: column.source.clone(),
                    hint: sent()
                        .find(|of| of.target == column.target && of.path == outer)
                        .map_or_else(String::new, quotes),
                });
            }
        }
    }
    Ok(())
}
