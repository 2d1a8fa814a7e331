//! MoEngage's own mapping file, which users of its dashboard imports already have
//! (Data API, U: mapping file).

use serde::Deserialize;

use super::{Error, Mapping};
use crate::model::Kind;
use crate::shape::{
    datetime::DateFormat,
    plan::{PlanColumn, Target, ValueType, own_field},
};

#[derive(Deserialize)]
struct File {
    mapping: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    column: String,
    #[serde(default)]
    moe_attr: Option<String>,
    #[serde(default, rename = "type")]
    value: Option<String>,
    #[serde(default)]
    datetime_format: Option<String>,
    #[serde(default)]
    is_skipped: bool,
}

/// Reads the text of MoEngage's mapping file.
pub(super) fn parse(text: &str, kind: Kind) -> Result<Mapping, Error> {
    let file: File = serde_json::from_str(text).map_err(|error| Error::Json {
        at: offset(text, error.line(), error.column()),
        reason: error.to_string(),
    })?;
    let columns =
        file.mapping.into_iter().map(|entry| entry.resolve(kind)).collect::<Result<Vec<_>, _>>()?;
    if !columns.iter().any(|column| column.target == Target::CustomerId) {
        return Err(Error::NoId("give one column the moe_attr `uid` or `customer_id`"));
    }
    Ok(Mapping {
        kind: None,
        columns,
        null_words: Vec::new(),
        event: None,
        update_existing_only: false,
    })
}

/// The offset of a line and a column, both from 1, where they name a byte.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    let start: usize = lines.map(str::len).sum();
    (start + column.saturating_sub(1)).min(text.len())
}

impl Entry {
    fn resolve(self, kind: Kind) -> Result<PlanColumn, Error> {
        let column = self.column;
        if self.is_skipped {
            return Ok(PlanColumn::new(&column, Target::Skip, &column, ValueType::Text));
        }
        let value = match self.value.as_deref().unwrap_or("string") {
            "string" => ValueType::Text,
            "double" => ValueType::Number,
            "bool" => ValueType::Bool,
            "datetime" => ValueType::DateTime(match self.datetime_format {
                None => DateFormat::Iso,
                Some(name) => match DateFormat::from_name(&name) {
                    Some(format) => format,
                    None => {
                        let known = DateFormat::names().collect::<Vec<_>>().join(", ");
                        return Err(Error::Format { column, found: name, known });
                    }
                },
            }),
            // Beyond MoEngage's own four: what nested columns of typed files are.
            "json" => ValueType::Json,
            other => {
                let known = "string, double, bool, datetime and json";
                return Err(Error::Type { found: other.to_owned(), column, known });
            }
        };
        match self.moe_attr.as_deref() {
            None | Some("") => Err(Error::NoAttribute(column)),
            Some("uid" | "customer_id") => {
                Ok(PlanColumn::new(&column, Target::CustomerId, "customer_id", value))
            }
            Some(name) => {
                let target = own_field(kind, name).unwrap_or(Target::Attribute);
                Ok(PlanColumn::new(&column, target, name, value))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, kind: Kind) -> Result<Vec<PlanColumn>, Error> {
        super::super::parse(text, Some(kind)).map(|mapping| mapping.columns)
    }

    fn entries(text: &str) -> String {
        format!(r#"{{"mapping":[{text}]}}"#)
    }

    const ID: &str = r#"{"column":"ID","moe_attr":"uid","type":"string","is_skipped":false}"#;

    #[test]
    fn columns_types_formats_and_skips() {
        let text = entries(&format!(
            r#"{ID},{{"column":"First Seen","moe_attr":"cr_t","type":"datetime","datetime_format":"DD/MM/YYYY hh:mm:ss","is_skipped":false}},
               {{"column":"n","moe_attr":"orders","type":"double"}},{{"column":"x","is_skipped":true}},
               {{"column":"action","moe_attr":"action","type":"string"}}"#
        ));
        let columns = parse(&text, Kind::Events).expect("sound");
        let seen: Vec<_> =
            columns.iter().map(|c| (c.source.as_str(), c.target, c.path[0].as_str())).collect();
        assert_eq!(
            seen,
            [
                ("ID", Target::CustomerId, "customer_id"),
                ("First Seen", Target::Attribute, "cr_t"),
                ("n", Target::Attribute, "orders"),
                ("x", Target::Skip, "x"),
                ("action", Target::Action, "action"),
            ]
        );
        assert_eq!(
            columns[1].value,
            ValueType::DateTime(DateFormat::from_name("DD/MM/YYYY hh:mm:ss").expect("listed"))
        );
        assert_eq!(columns[2].value, ValueType::Number);
        let users = parse(&text, Kind::Users).expect("sound");
        assert_eq!(users[4].target, Target::Attribute, "users have no action field");
    }

    #[test]
    fn each_mistake_is_named() {
        let fails = |text: &str| parse(text, Kind::Users).expect_err(text).to_string();
        assert!(fails("[]").contains("not a mapping"));
        assert!(
            fails(&entries(r#"{"column":"a","moe_attr":"a","type":"string"}"#)).contains("`uid`")
        );
        assert!(
            fails(&entries(&format!(r#"{ID},{{"column":"a","moe_attr":"a","type":"int"}}"#)))
                .contains("`int`")
        );
        let format = fails(&entries(&format!(
            r#"{ID},{{"column":"a","moe_attr":"a","type":"datetime","datetime_format":"MM/DD/YYYY"}}"#
        )));
        assert!(
            format.contains("`MM/DD/YYYY`")
                && format.contains("DD/MM/YYYY Thh:mm:ssTZD".replace(' ', "").as_str())
        );
        assert_eq!(
            fails(&entries(&format!("{ID},{ID}"))),
            "column `ID` is mapped twice; keep one of the two entries"
        );
        assert!(
            fails(&entries(&format!(
                r#"{ID},{{"column":"b","moe_attr":"customer_id","type":"string"}}"#
            )))
            .contains("both column `ID` and column `b`")
        );
        assert!(
            fails(&entries(&format!(r#"{ID},{{"column":"b","type":"string"}}"#)))
                .contains("no moe_attr")
        );
    }
}
