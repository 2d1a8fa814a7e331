//! The log on stderr. The rooms say what happens, with `tracing`; only here it gets a form.
//!
//! Only moebulk's own events are written: what its libraries say at `trace` may hold headers
//! and bodies, and so the key and a user's data.

use std::{
    fmt::{self, Write},
    sync::Arc,
    time::SystemTime,
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer, Registry,
    filter::Targets,
    layer::{Context, SubscriberExt},
};

use super::args::{LogArgs, LogFormat, LogLevel};
use crate::progress::Progress;

/// What the events of this crate begin with.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// Writes what is logged from now on to stderr, around whatever progress shows there.
pub fn start(args: &LogArgs, progress: &Arc<Progress>) {
    let level = match args.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let lines = Lines { format: args.log_format, progress: Arc::clone(progress) };
    let own = Targets::new().with_target(OWN_TARGET, level);
    // A second one in a process changes nothing.
    let _ =
        tracing::subscriber::set_global_default(Registry::default().with(lines.with_filter(own)));
}

/// One line an event.
struct Lines {
    format: LogFormat,
    progress: Arc<Progress>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time =
            DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Millis, true);
        let level = *event.metadata().level();
        self.progress.say(&match self.format {
            LogFormat::Text => fields.text(&time, level),
            LogFormat::Json => fields.json(&time, level),
        });
    }
}

/// The fields of an event, in their order.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    /// `2026-01-31T23:59:59.123Z WARN  message key=value`
    fn text(&self, time: &str, level: Level) -> String {
        let mut line = format!("{time} {level:<5} {}", self.message);
        for (name, value) in &self.rest {
            let _ = match value.as_str() {
                Some(text) if is_plain(text) => write!(line, " {name}={text}"),
                // Quoted as in JSON, so that no text makes a line of its own.
                _ => write!(line, " {name}={value}"),
            };
        }
        line
    }

    fn json(self, time: &str, level: Level) -> String {
        let mut line = Map::new();
        line.insert("time".to_owned(), time.into());
        line.insert("level".to_owned(), level.as_str().to_lowercase().into());
        line.insert("message".to_owned(), self.message.into());
        for (name, value) in self.rest {
            line.entry(name).or_insert(value);
        }
        Value::Object(line).to_string()
    }

    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.rest.push((field.name(), value.into()));
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '='))
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            message: "a pause".to_owned(),
            rest: vec![
                ("seconds", 7.into()),
                ("cause", "in\ntwo lines".into()),
                ("status", "429".into()),
                ("time", "kept out".into()),
            ],
        }
    }

    #[test]
    fn a_text_line_is_one_line() {
        assert_eq!(
            fields().text("T", Level::WARN),
            r#"T WARN  a pause seconds=7 cause="in\ntwo lines" status=429 time="kept out""#
        );
    }

    #[test]
    fn a_json_line_has_the_documented_names_first() {
        assert_eq!(
            fields().json("T", Level::INFO),
            r#"{"time":"T","level":"info","message":"a pause","seconds":7,"cause":"in\ntwo lines","status":"429"}"#
        );
    }
}
