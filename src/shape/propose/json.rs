//! A proposal as MoEngage's own mapping.

use serde_json::{Map, Value, json};

use super::{Becomes, Proposal};
use crate::shape::{datetime::DateFormat, plan::ValueType, profile::Profile};

/// The proposal as MoEngage's own mapping. What that form can't say (words for true and false, words
/// that mean no value) goes as text; a date that is to be decided has a format that is refused.
pub fn to_json(proposal: &Proposal, profile: &Profile) -> String {
    let columns = proposal.columns.iter().zip(&profile.columns).map(|(column, stats)| {
        let mut entry = Map::new();
        entry.insert("column".into(), column.name.as_str().into());
        let attribute = match &column.becomes {
            Becomes::Skip => {
                entry.insert("is_skipped".into(), true.into());
                return Value::Object(entry);
            }
            Becomes::Field("customer_id") => "uid",
            Becomes::Field(field) => field,
            Becomes::Attribute(name) => name,
        };
        entry.insert("moe_attr".into(), attribute.into());
        let has_words = !column.null_words.is_empty() || !column.true_words.is_empty();
        let mut format = None;
        let value = match column.value {
            _ if column.decide.is_some() && stats.dates.alike == stats.values => {
                format = Some("to be decided: day-first or month-first?".to_owned());
                "datetime"
            }
            _ if has_words => "string",
            ValueType::DateTime(DateFormat::Iso) => {
                format = stats.dates.moengage_iso(stats.values).map(|format| format.to_string());
                "datetime"
            }
            // MoEngage's own mapping has no format for these; as text they are kept as they are.
            ValueType::DateTime(DateFormat::Database) => "string",
            ValueType::DateTime(fixed) => {
                format = Some(fixed.to_string());
                "datetime"
            }
            ValueType::Array(_) => "string",
            value => value.as_str(),
        };
        entry.insert("type".into(), value.into());
        if let Some(format) = format {
            entry.insert("datetime_format".into(), format.into());
        }
        entry.insert("is_skipped".into(), false.into());
        Value::Object(entry)
    });
    format!("{:#}\n", json!({ "mapping": columns.collect::<Vec<_>>() }))
}
