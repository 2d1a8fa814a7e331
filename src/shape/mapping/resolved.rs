//! A plan as a mapping in TOML: what was used, types included, to be used again.

use toml::{Table, Value};

use crate::shape::{
    datetime::{DateFormat, Zone},
    plan::{Items, Plan, PlanColumn, Reading, Target, ValueType},
};

/// The plan as a mapping file. Importing the same inputs with it, and otherwise the same
/// flags, gives the same bodies. Columns for which `is_optional` is true are missing in
/// some input.
pub fn to_toml(plan: &Plan, is_optional: impl Fn(usize) -> bool) -> String {
    let mut file = Table::new();
    file.insert("kind".into(), plan.kind.as_str().into());
    if let Some(event) = &plan.rules.event {
        file.insert("event".into(), event.as_str().into());
    }
    words(&mut file, "null", &plan.rules.null_values);
    if plan.rules.update_existing_only {
        file.insert("update_existing_only".into(), true.into());
    }
    // All constants are read in the zone of the file; a column may say its own.
    let constant_zone = plan.columns.iter().find(|column| column.constant.is_some());
    let zone = constant_zone.map_or(Zone::Utc, |column| column.reading.zone);
    if zone != Zone::Utc {
        file.insert("timezone".into(), zone.to_string().into());
    }
    let (mut columns, mut constants) = (Table::new(), String::new());
    for (at, column) in plan.columns.iter().enumerate() {
        match &column.constant {
            None => {
                columns.insert(column.source.clone(), entry(column, is_optional(at), zone).into());
            }
            Some(text) => constants.push_str(&line(&column.name(), &constant(column, text))),
        }
    }
    file.insert("columns".into(), columns.into());
    let mut file = file.to_string();
    if !constants.is_empty() {
        file.push_str("\n[constants]\n");
        file.push_str(&constants);
    }
    format!(
        "# The mapping as it was used, types included. Give it with --mapping to use it again;\n\
         # it is used by itself where a rejects file beside it is imported.\n\n{file}"
    )
}

/// `name = value` on one line. In a table of its own an object would come behind every flat
/// value, and its own objects last in it: another order of attributes, and other bodies.
fn line(name: &str, value: &Value) -> String {
    let key = Table::from_iter([(name.to_owned(), Value::Boolean(true))]).to_string();
    let key = key.trim_end().strip_suffix("true").unwrap_or_default();
    format!("{key}{value}\n")
}

fn entry(column: &PlanColumn, is_optional: bool, file_zone: Zone) -> Table {
    let mut entry = Table::new();
    match column.target {
        Target::Skip => {
            entry.insert("skip".into(), true.into());
            return entry;
        }
        Target::Attribute => {
            let levels = column.path.iter().map(|level| level.as_str().into()).collect();
            entry.insert("attribute".into(), Value::Array(levels));
        }
        Target::Identifier => {
            entry.insert("identifier".into(), column.path[0].as_str().into());
        }
        _ => {
            entry.insert("to".into(), column.path[0].as_str().into());
        }
    }
    let &Reading { ref true_words, ref false_words, ref null_words, zone, ref separator } =
        &column.reading;
    entry.insert("type".into(), column.value.as_str().into());
    match column.value {
        ValueType::DateTime(format) => {
            if format != DateFormat::Iso {
                entry.insert("format".into(), format.to_string().into());
            }
        }
        ValueType::Array(items) => {
            let items = match items {
                Items::Text => "string",
                Items::Number => "double",
            };
            entry.insert("items".into(), items.into());
            entry.insert("separator".into(), separator.as_str().into());
        }
        ValueType::Bool => {
            words(&mut entry, "true", true_words);
            words(&mut entry, "false", false_words);
        }
        ValueType::Text | ValueType::Number | ValueType::Json => {}
    }
    if zone != file_zone {
        entry.insert("timezone".into(), zone.to_string().into());
    }
    words(&mut entry, "null", null_words);
    if is_optional || column.optional {
        entry.insert("optional".into(), true.into());
    }
    entry
}

fn words(table: &mut Table, key: &str, words: &[String]) {
    if !words.is_empty() {
        let words = words.iter().map(|word| word.as_str().into()).collect();
        table.insert(key.to_owned(), Value::Array(words));
    }
}

fn constant(column: &PlanColumn, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    let parsed = |literal: &str| {
        let table: Option<Table> = format!("value = {literal}").parse().ok();
        table.and_then(|mut table| table.remove("value"))
    };
    match column.value {
        ValueType::Number | ValueType::Bool | ValueType::DateTime(_) => {
            parsed(text).unwrap_or_else(as_text)
        }
        ValueType::Json => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .and_then(|value| Value::try_from(value).ok())
            .unwrap_or_else(as_text),
        ValueType::Text | ValueType::Array(_) => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;
    use crate::shape::plan::Rules;

    #[test]
    fn a_plan_comes_back_as_it_was() {
        let text = r#"
            kind = "events"
            event = "Say \"hi\""
            null = ["NULL", "-"]
            [columns]
            "Cust No." = { to = "customer_id" }
            when = { to = "user_time", type = "datetime", format = "DD/MM/YYYY hh:mm:ss", timezone = "Asia/Kolkata" }
            tags = { attribute = "labels", type = "array", items = "double", separator = ";" }
            city = { attribute = "address.city" }
            dotted = { attribute = ["a.b"], type = "bool", true = ["1"], null = ["n"] }
            blob = { type = "json", optional = true }
            mobile = { identifier = "moe_mobile" }
            note = { skip = true }
            [constants]
            app_version = "4.1"
            "campaign.id" = 17
            share = 0.5
            vip = true
            day = 2024-01-02
            list = [{ a = 1 }, { a = 2 }]
            object = { z = { y = 1 }, a = [2024-01-02, 2.5, -0.0], "k\"\n" = "multi\nline" }
            "name \"of\" it\n" = "O'Neil\n"
            zero = -0.0
            large = 1e300
            whole = 1.0
            small = 1e-300
            least = -9223372036854775808
            moment = 2024-01-02T03:04:05.1234567
        "#;
        let mapping = parse(text, None).expect("sound");
        let rules = Rules {
            event: mapping.event.clone(),
            null_values: mapping.null_words.clone(),
            ..Rules::default()
        };
        let plan = Plan::new(crate::model::Kind::Events, mapping.columns.clone(), rules);
        let again = parse(&to_toml(&plan, |_| false), None).expect("its own output");
        assert_eq!(again, mapping);
        let again = parse(&to_toml(&plan, |at| at == 3), None).expect("its own output");
        assert!(again.columns[3].optional);
        let zoned = text.replace("kind =", "timezone = \"Europe/Berlin\"\nkind =");
        let mapping = parse(&zoned.replace("blob = {", "blob = { timezone = \"UTC\","), None);
        let mapping = mapping.expect("sound");
        let plan = Plan::new(crate::model::Kind::Events, mapping.columns.clone(), plan.rules);
        let again = parse(&to_toml(&plan, |_| false), None).expect("its own output");
        assert_eq!(again.columns, mapping.columns);
    }
}
