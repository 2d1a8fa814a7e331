//! What `moebulk.toml` may say. The JSON Schema of `moebulk config schema` is made from these types.

use std::{fs, io, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::model::{Excerpt, ExcerptMark, masked_char};
use crate::run::Error;
use crate::shape::mapping::{self, Fault};

/// Name of the file that is found in the working directory.
pub const CONFIG_FILE: &str = "moebulk.toml";

/// Settings of moebulk: flags go before the environment, that before this file, and this file before
/// the defaults. The Data API key is no setting: it comes from the environment or a file of its own.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to send, and as whom.
    pub connection: Connection,
    /// What is sent of rows that an earlier import sent.
    pub changes: Changes,
    /// What is sent at a time, and how much is too much.
    pub limits: Limits,
    /// How CSV files are written.
    pub csv: Csv,
    /// What becomes of values that break a rule.
    pub rules: Rules,
    /// How a run behaves.
    pub run: Run,
    /// What becomes of each column: what a mapping file holds, in a table of its own.
    #[schemars(with = "Option<mapping::File>")]
    pub mapping: Option<toml::Table>,
}

/// Where to send, and as whom.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// The workspace's data center, as in its dashboard's address: 01 to 06, or 101.
    pub data_center: Option<String>,
    /// Another address of the API: https, or http on this machine. A file that was found in the
    /// working directory may name this machine alone.
    pub endpoint: Option<String>,
    /// The workspace id.
    pub app_id: Option<String>,
    /// The user name of the Data API, where it is not the workspace id.
    pub api_id: Option<String>,
    /// A file that only you can read, with the Data API key.
    pub api_key_file: Option<String>,
    /// Go straight to the server, whatever HTTPS_PROXY and the system's settings say.
    pub no_proxy: Option<bool>,
}

/// What is sent of rows that an earlier import sent.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Users and devices: only rows that are new or differ from what the server accepted last.
    pub only_changed: Option<bool>,
    /// The directory where that is remembered.
    pub state: Option<String>,
}

/// A number, or text such as `"unlimited"` or `"5%"`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "invalid type: expected a number, or text such as \"unlimited\" or \"5%\""
)]
pub enum Amount {
    /// A number.
    Number(u64),
    /// As the flag takes it.
    Text(String),
    /// No flag takes one. It is read all the same, so that the flag says what it takes.
    #[schemars(skip)]
    Negative(i64),
    /// The same of a fraction, and of what is no number.
    #[schemars(skip)]
    Fraction(#[serde(serialize_with = "as_text")] f64),
}

/// As text, since JSON has no infinity.
fn as_text<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// What is sent at a time, and how much is too much.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Your share of the account's budget of users in 60 s, or "unlimited" (loopback only).
    pub users_per_minute: Option<Amount>,
    /// Your share of the account's budget of events in 60 s, or "unlimited" (loopback only).
    pub events_per_minute: Option<Amount>,
    /// The largest request body, in bytes.
    pub max_body_bytes: Option<u64>,
    /// End a body at every multiple of so many users; without it users_per_minute.
    pub cut_users: Option<u64>,
    /// End a body at every multiple of so many events; without it events_per_minute.
    pub cut_events: Option<u64>,
    /// The most rejected rows with which the others are still sent, such as 100 or "5%".
    pub max_rejects: Option<Amount>,
    /// Threads that read and check rows.
    pub threads: Option<u64>,
    /// Requests under way at a time.
    pub connections: Option<u64>,
    /// How long to try on without any success, such as "90s", "30m" or "1h".
    #[schemars(with = "Option<String>")]
    pub retry_for: Option<Amount>,
}

/// How CSV files are written.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Csv {
    /// The encoding, by its label in the WHATWG list.
    pub encoding: Option<String>,
    /// What separates fields: one ASCII character, or "tab".
    pub delimiter: Option<String>,
    /// What encloses fields: one ASCII character, or "none".
    pub quote: Option<String>,
    /// A character that makes the next one literal.
    pub escape: Option<String>,
    /// The first record is data; columns are called column_1, column_2, …
    pub no_header: Option<bool>,
    /// Lines to pass over before the header.
    pub skip_lines: Option<u64>,
    /// Texts that mean no value.
    pub null_value: Vec<String>,
    /// Take stray quotes literally instead of rejecting the record.
    pub lenient_quotes: Option<bool>,
    /// The longest record, in bytes as UTF-8.
    pub max_record_bytes: Option<u64>,
}

/// What becomes of values that break a rule.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// What an empty cell becomes: "omit", "string" or "unset".
    pub empty: Option<String>,
    /// What a value of the wrong type does: "reject" the row, or "omit" the attribute.
    pub on_type_error: Option<String>,
    /// Reject ids that are disallowed but for blanks and case.
    pub strict_ids: Option<bool>,
    /// Warnings become rejections.
    pub strict: Option<bool>,
    /// Columns that a few values keep from a narrower type go as string.
    pub accept_inferred: Option<bool>,
}

/// How a run behaves.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// How progress is shown on stderr: "auto", "bar", "plain", "json" or "off".
    pub progress: Option<String>,
    /// The least weight of what is logged: "error", "warn", "info", "debug" or "trace".
    pub log_level: Option<String>,
    /// How a log line is written: "text" or "json".
    pub log_format: Option<String>,
    /// Put an apostrophe before cells of rejects.csv that a spreadsheet would run as formulas.
    pub rejects_safe: Option<bool>,
    /// Wait for another import into the same run directory or account to end.
    pub wait: Option<bool>,
}

/// One setting of a file, as its flag takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The table that it stands in.
    pub table: &'static str,
    /// Its name there: that of the flag, with `_` for `-`.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

impl Config {
    /// Reads a file, and gives its text with it. `Ok(None)` where it is not there.
    ///
    /// # Errors
    /// It cannot be read, or says something that is no setting.
    pub fn read(path: &Path) -> Result<Option<(Self, String)>, Error> {
        let fail =
            |error: &dyn std::fmt::Display| Error::Usage(format!("{}: {error}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(&error)),
        };
        let text = text.trim_start_matches('\u{feff}').to_owned();
        match toml::from_str(&text) {
            Ok(config) => Ok(Some((config, text))),
            Err(error) => {
                let mut fault = Fault::of(&error);
                fault.reason =
                    fault.reason.replace("expected u64", "expected a whole number of 0 or more");
                let marks = fault.span.iter().map(|span| ExcerptMark::new(span.clone(), ""));
                let marks = marks.collect();
                let shown = shown(&text, &fault);
                let excerpt = Excerpt::of(&path.display().to_string(), 1, &shown, marks);
                Err(fail(&fault.with_line(&text)).at(vec![excerpt]))
            }
        }
    }

    /// Every setting that there is, but for the mapping: its table and its name.
    ///
    /// # Errors
    /// None: these types can be written as JSON.
    pub fn names() -> serde_json::Result<Vec<(&'static str, String)>> {
        let members = Self::default().members()?;
        Ok(members.into_iter().map(|(table, name, _)| (table, name)).collect())
    }

    fn members(&self) -> serde_json::Result<Vec<(&'static str, String, Value)>> {
        let tables = [
            ("connection", serde_json::to_value(&self.connection)?),
            ("changes", serde_json::to_value(&self.changes)?),
            ("limits", serde_json::to_value(&self.limits)?),
            ("csv", serde_json::to_value(&self.csv)?),
            ("rules", serde_json::to_value(&self.rules)?),
            ("run", serde_json::to_value(&self.run)?),
        ];
        let members = tables.into_iter().flat_map(|(table, value)| match value {
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (table, name, value)).collect()
            }
            _ => Vec::new(),
        });
        Ok(members.collect())
    }

    /// What it sets, but for the mapping, in the order of the tables.
    ///
    /// # Errors
    /// None: these types can be written as JSON.
    pub fn settings(&self) -> serde_json::Result<Vec<Setting>> {
        let mut settings = Vec::new();
        for (table, name, value) in self.members()? {
            let values: Vec<String> = match value {
                Value::Null => continue,
                Value::Array(values) => values.iter().map(text).collect(),
                value => vec![text(&value)],
            };
            if !values.is_empty() {
                settings.push(Setting { table, name, values });
            }
        }
        Ok(settings)
    }
}

/// What may be shown of a file that the parser refuses. Where it does not know a key, or could not
/// tell one, what stands behind it may be the API key that somebody wrote there.
fn shown(text: &str, fault: &Fault) -> String {
    let about_value = ["invalid type", "invalid value", "unknown variant"];
    match &fault.span {
        Some(span) if fault.is_unknown => {
            let (before, rest) = text.split_at(span.end.min(text.len()));
            let line = rest.lines().next().unwrap_or_default();
            let value = line.find('=').map_or(line.to_owned(), |at| format!("{}= …", &line[..at]));
            format!("{before}{value}")
        }
        _ if about_value.iter().any(|start| fault.reason.starts_with(start)) => text.to_owned(),
        _ => without_values(text, |_| true),
    }
}

/// The text of a file with the values of some keys masked. It is as long as before, so that places
/// in it fit.
pub fn without_values(text: &str, is_secret: impl Fn(&str) -> bool) -> String {
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let value = line.find('=').filter(|&at| is_secret(line[..at].trim()));
        let value = value.map_or(line.len(), |at| at + 1);
        masked.push_str(&line[..value]);
        for c in line[value..].chars() {
            match c {
                '\r' | '\n' => masked.push(c),
                _ if c.is_ascii() => masked.push(masked_char(c)),
                _ => masked.extend(std::iter::repeat_n('x', c.len_utf8())),
            }
        }
    }
    masked
}

/// A value as its flag takes it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
