//! `moebulk check`

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    args::{CheckArgs, DocumentOutput},
    complain,
    exit::Exit,
    log, print, resolve,
};
use crate::model::Rate;
use crate::progress::{Mode, Progress};
use crate::run::Error;
use crate::send::{self, Finding, Probe, Settings};

/// Longest wait for the whole answer: a person is waiting.
const DEADLINE: Duration = Duration::from_secs(20);

/// Clocks that differ by more than this are worth a word, in seconds.
const CLOCKS_APART_MAX: u64 = 30;

/// Asks the server whether it takes the credentials; loads nothing.
///
/// # Errors
/// Flags that name no account.
pub fn run(args: &CheckArgs) -> Result<Exit, Error> {
    log::start(&args.log, &Arc::new(Progress::new(Mode::Off)));
    let endpoint = resolve::endpoint(&args.account)?;
    let credentials = resolve::credentials(&args.account)?;
    let app_id = credentials.app_id.clone();
    let unlimited = Rate::Unlimited;
    let settings = Settings {
        api_id: credentials.api_id,
        request_deadline: DEADLINE,
        no_proxy: args.account.no_proxy,
        ..Settings::new(
            endpoint.url.clone(),
            credentials.app_id,
            credentials.key,
            unlimited,
            unlimited,
        )
    };
    tracing::info!(endpoint = endpoint.url, "asking the server");
    let probe = send::probe_blocking(&settings).map_err(|error| Error::Usage(error.to_string()))?;
    let text = match args.output {
        DocumentOutput::Text => text(&probe, &endpoint.url, &app_id),
        DocumentOutput::Json => document(&probe, &endpoint.url, &app_id),
    };
    let printed = print(&text)?;
    let Some(trouble) = trouble(&probe.finding) else { return Ok(printed) };
    complain(&trouble);
    Ok(Exit::STOPPED)
}

/// What does not hold, in plain words, and what to do.
fn trouble(finding: &Finding) -> Option<String> {
    match finding {
        Finding::Accepted { .. } => None,
        Finding::Refused { status, kind, message, request_id, advice } => {
            let error = send::Error::Fatal {
                status: *status,
                kind: kind.clone(),
                message: message.clone(),
                request_id: request_id.clone(),
                advice,
            };
            Some(error.to_string())
        }
        Finding::Unreachable { obstacle, host, reason } => {
            Some(format!("{host} could not be reached ({reason}); {}", obstacle.advice()))
        }
    }
}

fn text(probe: &Probe, endpoint: &str, app_id: &str) -> String {
    let name = match &probe.finding {
        Finding::Accepted { app_name: Some(name), .. } => format!(" ({name})"),
        _ => String::new(),
    };
    let (reached, key) = match &probe.finding {
        Finding::Accepted { .. } => ("answers", "accepted"),
        Finding::Refused { status: 401 | 409, .. } => ("answers", "not accepted"),
        Finding::Refused { .. } => ("answers", "not known"),
        Finding::Unreachable { .. } => ("could not be reached", "not known"),
    };
    let mut lines = vec![
        format!("endpoint    {endpoint}, {reached}"),
        format!("workspace   {app_id}{name}"),
        format!("key         {key}"),
    ];
    if let Some(round_trip) = probe.round_trip {
        lines.push(format!("round trip  {} ms", round_trip.as_millis()));
    }
    if let Some(ahead) = probe.clock_ahead_seconds {
        lines.push(format!("clock       {}", clock(ahead)));
    }
    lines.join("\n")
}

fn clock(ahead_seconds: i64) -> String {
    let apart = ahead_seconds.unsigned_abs();
    if apart <= CLOCKS_APART_MAX {
        return format!("within {CLOCKS_APART_MAX} s of the server's");
    }
    let side = if ahead_seconds > 0 { "ahead of" } else { "behind" };
    format!("{apart} s {side} the server's; set it right, waits and logs are read by it")
}

fn document(probe: &Probe, endpoint: &str, app_id: &str) -> String {
    let mut document = json!({
        "version": 1,
        "command": "check",
        "ok": matches!(probe.finding, Finding::Accepted { .. }),
        "endpoint": endpoint,
        "app_id": app_id,
        "app_name": null,
        "finding": "accepted",
        "status": null,
        "error": null,
        "request_id": null,
        "advice": null,
        "round_trip_ms": probe.round_trip.map(|trip| trip.as_millis() as u64),
        "clock_ahead_seconds": probe.clock_ahead_seconds,
    });
    match &probe.finding {
        Finding::Accepted { app_name, request_id } => {
            document["app_name"] = json!(app_name);
            document["request_id"] = json!(request_id);
        }
        Finding::Refused { status, kind, message, request_id, advice } => {
            document["finding"] = json!("refused");
            document["status"] = json!(status);
            document["error"] = json!({"type": kind, "message": message});
            document["request_id"] = json!(request_id);
            document["advice"] = json!(advice);
        }
        Finding::Unreachable { obstacle, reason, .. } => {
            document["finding"] = json!("unreachable");
            document["error"] = json!({"type": obstacle.as_str(), "message": reason});
            document["advice"] = json!(obstacle.advice());
        }
    }
    format!("{document:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_named_only_where_it_is_more_than_30_s_off() {
        for (ahead, words) in [
            (0, "within 30 s of the server's"),
            (30, "within 30 s of the server's"),
            (-30, "within 30 s of the server's"),
            (31, "31 s ahead of the server's; set it right, waits and logs are read by it"),
            (-95, "95 s behind the server's; set it right, waits and logs are read by it"),
        ] {
            assert_eq!(clock(ahead), words);
        }
    }
}
