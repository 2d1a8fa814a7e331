//! `moebulk config`

use schemars::schema_for;
use serde_json::{Value, json};

use super::{
    file::Config,
    layers::{Origin, Parsed},
};
use crate::cli::{
    args::{ImportArgs, Output},
    exit::Exit,
    print,
    resolve::{self, KEY_VARIABLE},
};
use crate::run::Error;

/// What stands in the place of the key.
const HIDDEN: &str = "set, not shown";

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::Checkpoint => "checkpoint",
            Self::File => "file",
            Self::Default => "default",
        }
    }
}

/// Writes the JSON Schema of the file.
///
/// # Errors
/// stdout cannot be written to.
pub fn schema() -> Result<Exit, Error> {
    let mut schema = schema_for!(Config).to_value();
    leave_out_defaults(&mut schema);
    let schema = serde_json::to_string_pretty(&schema)
        .map_err(|error| Error::Internal(error.to_string()))?;
    print(&schema)
}

/// A setting that is left out has no value in the file; what holds then is in the flag's help.
fn leave_out_defaults(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.remove("default");
            members.values_mut().for_each(leave_out_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_defaults),
        _ => {}
    }
}

/// Shows every setting of an import with where it came from.
///
/// # Errors
/// stdout cannot be written to.
pub fn show(parsed: &Parsed, args: &ImportArgs) -> Result<Exit, Error> {
    let names = Config::names().map_err(|error| Error::Internal(error.to_string()))?;
    let settings: Vec<Shown> = names
        .into_iter()
        .map(|(table, name)| {
            let (values, origin) = (parsed.values(&name), parsed.origin(&name));
            Shown { table, name, values, origin }
        })
        .collect();
    match args.job.output {
        Output::Json => print(&format!("{:#}", document(parsed, &settings))),
        Output::Text => print(&text(parsed, &settings)),
    }
}

/// Where an import would take the key from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A file that is named: by a flag, or by a file where the environment has none.
    InFile,
    InEnvironment,
    Missing,
}

impl Key {
    fn of(parsed: &Parsed) -> Self {
        if !parsed.values("api_key_file").is_empty() {
            Self::InFile
        } else if resolve::has_key_in_environment() {
            Self::InEnvironment
        } else {
            Self::Missing
        }
    }
}

struct Shown {
    table: &'static str,
    name: String,
    values: Vec<String>,
    origin: Origin,
}

fn document(parsed: &Parsed, settings: &[Shown]) -> Value {
    let mut tables = serde_json::Map::new();
    for Shown { table, name, values, origin } in settings {
        let entry = tables.entry(*table).or_insert_with(|| json!({}));
        let value = match values.as_slice() {
            [] => Value::Null,
            [value] => json!(value),
            values => json!(values),
        };
        entry[name.as_str()] = json!({ "value": value, "origin": origin.as_str() });
    }
    let key = Key::of(parsed);
    tables.entry("connection").or_insert_with(|| json!({}))["key"] = json!({
        "value": (key != Key::Missing).then_some(HIDDEN),
        "origin": if key == Key::InFile { "api_key_file" } else { "environment" },
    });
    json!({
        "version": 1,
        "file": parsed.file.as_ref().map(|file| file.path.display().to_string()),
        "settings": tables,
        "mapping_columns": mapped(parsed),
    })
}

/// Columns that the file maps.
fn mapped(parsed: &Parsed) -> Option<usize> {
    let mapping = parsed.file.as_ref()?.mapping.as_ref()?;
    Some(mapping.get("columns").and_then(toml::Value::as_table).map_or(0, toml::Table::len))
}

fn text(parsed: &Parsed, settings: &[Shown]) -> String {
    let file = parsed.file.as_ref().map(|file| file.path.display().to_string());
    let file_name = file.as_deref().unwrap_or("moebulk.toml");
    let from = |origin| match origin {
        Origin::File => file_name.to_owned(),
        other => other.as_str().to_owned(),
    };
    let mut rows: Vec<(&str, &str, String, String)> = Vec::new();
    for Shown { table, name, values, origin } in settings {
        if *name == "no_proxy" {
            let (value, origin) = match Key::of(parsed) {
                Key::InFile => (HIDDEN, "api_key_file".to_owned()),
                Key::InEnvironment => (HIDDEN, format!("environment, {KEY_VARIABLE}")),
                Key::Missing => ("-", "default".to_owned()),
            };
            rows.push((table, "key", value.to_owned(), origin));
        }
        let value = if values.is_empty() { "-".to_owned() } else { values.join(", ") };
        rows.push((table, name, value, from(*origin)));
    }
    let widest = rows.iter().map(|(_, _, value, _)| value.chars().count()).max().unwrap_or(0);
    let mut lines = vec![match &file {
        Some(file) => format!("file: {file}"),
        None => "file: none (no --config, and no moebulk.toml here)".to_owned(),
    }];
    let mut open = "";
    for (table, name, value, origin) in &rows {
        if open != *table {
            lines.push(format!("\n[{table}]"));
            open = table;
        }
        lines.push(format!("{name:<18} {value:<widest$}  {origin}"));
    }
    if let Some(columns) = mapped(parsed) {
        lines.push(format!("\n[mapping]\n{columns} columns, {file_name}"));
    }
    lines.join("\n")
}
