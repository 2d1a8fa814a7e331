//! The test of a connection: one request that loads nothing and is charged to no budget, and
//! what it tells of the way to the server, the credentials and the clocks.

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::wire::replies::{Reply, State};

use super::Settings;
use super::client::{Client, ClientError, chain, reason};
use super::clock::Clock;
use super::verdict::{AnswerBody, Outcome, advice};

/// What came of the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What holds.
    pub finding: Finding,
    /// From the first byte of the connection to the end of the answer; `None` where none came.
    pub round_trip: Option<Duration>,
    /// Seconds by which this machine's clock is ahead of the server's; negative where it is
    /// behind, `None` where the server doesn't tell its time.
    pub clock_ahead_seconds: Option<i64>,
}

/// What the server, or the way to it, said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The workspace and the key belong together.
    Accepted {
        /// The workspace's name, where the server tells it.
        app_name: Option<String>,
        /// The server's request id.
        request_id: Option<String>,
    },
    /// The server answered something else.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's error type, or empty.
        kind: String,
        /// The server's message, or how its answer begins.
        message: String,
        /// The server's request id.
        request_id: Option<String>,
        /// What to do.
        advice: &'static str,
    },
    /// No answer came.
    Unreachable {
        /// What stands in the way.
        obstacle: Obstacle,
        /// The host that was asked.
        host: String,
        /// The system's reason.
        reason: String,
    },
}

/// What keeps the server from being reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The host's name has no address.
    Name,
    /// The host refuses connections.
    Connection,
    /// No trusted, encrypted connection could be made.
    Tls,
    /// Nothing came in time.
    Time,
    /// Something else, such as a proxy or a broken connection.
    Other,
}

impl Obstacle {
    /// The word that scripts read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "dns",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Time => "timeout",
            Self::Other => "other",
        }
    }

    /// What a person can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Name => {
                "the host's name could not be looked up; check --data-center or --endpoint, and \
                 this machine's DNS and network"
            }
            Self::Connection => {
                "the host takes no connections there; check --endpoint and its port, and any \
                 firewall on the way"
            }
            Self::Tls => {
                "no trusted encrypted connection could be made; check --endpoint, this machine's \
                 certificates and clock, and whether a proxy opens TLS on the way"
            }
            Self::Time => {
                "nothing came in time; check any firewall or proxy on the way, then try again"
            }
            Self::Other => {
                "check --endpoint and any proxy on the way (HTTPS_PROXY), then try again"
            }
        }
    }
}

/// Asks the server whether it takes these credentials, on a runtime of its own in the calling
/// thread.
///
/// # Errors
/// Where no request can be made with these settings.
pub fn probe_blocking(settings: &Settings) -> Result<Probe, ClientError> {
    let runtime = super::client::runtime()?;
    let clock = Clock::system();
    let client = Client::for_authentication(settings, &clock)?;
    let body = document(settings, client.host());
    Ok(runtime.block_on(probe(&client, &clock, body, settings.request_deadline)))
}

/// Data API, U rule (test of a connection): the workspace id and the key once more, what asks, and
/// the number of the data center, as its address has it.
fn document(settings: &Settings, host: &str) -> Bytes {
    let region = host.strip_prefix("api-").and_then(|rest| rest.strip_suffix(".moengage.com"));
    let document = json!({
        "app_id": settings.app_id,
        "app_secret": settings.key.expose_secret(),
        "source": "moebulk",
        "region": region.unwrap_or_default(),
    });
    Bytes::from(document.to_string())
}

async fn probe(client: &Client, clock: &Clock, body: Bytes, deadline: Duration) -> Probe {
    let unreachable = |obstacle, reason| Probe {
        finding: Finding::Unreachable { obstacle, host: client.host().to_owned(), reason },
        round_trip: None,
        clock_ahead_seconds: None,
    };
    let start_ms = clock.now_ms();
    let asked = async {
        let response = client.post(body).await?;
        let date = response.headers().get(reqwest::header::DATE);
        let ahead = date.and_then(|date| clock_ahead_seconds(date.to_str().ok()?, clock.wall_ms()));
        Ok((client.read(response).await, ahead))
    };
    let deadline_ms = start_ms + deadline.as_millis() as u64;
    let (outcome, clock_ahead_seconds) = match clock.deadline(deadline_ms, asked).await {
        Some(Ok(answered)) => answered,
        Some(Err(error)) => {
            let obstacle = obstacle(&error);
            return unreachable(obstacle, reason(error));
        }
        None => {
            let words = format!("no answer within {} s", deadline.as_secs());
            return unreachable(Obstacle::Time, words);
        }
    };
    let ms = clock.now_ms() - start_ms;
    let round_trip = Some(Duration::from_millis(ms));
    match outcome {
        Outcome::Answered(answer) => {
            tracing::debug!(status = answer.status, ms, "test of the connection answered");
            let body: &[u8] = match &answer.body {
                AnswerBody::Whole(body) => body,
                AnswerBody::Cut => b"the reply was cut short",
                AnswerBody::TooLong => b"the reply is too long",
            };
            Probe { finding: finding(answer.status, body), round_trip, clock_ahead_seconds }
        }
        Outcome::NeverConnected(why) | Outcome::Broken(why) => unreachable(Obstacle::Other, why),
        Outcome::Untrusted(why) => unreachable(Obstacle::Tls, why),
        Outcome::TimedOut => unreachable(Obstacle::Time, "no answer".to_owned()),
    }
}

fn finding(status: u16, body: &[u8]) -> Finding {
    let reply = Reply::parse(status, body);
    if (200..=299).contains(&status) && reply.state == State::Success {
        return Finding::Accepted { app_name: reply.app_name, request_id: reply.request_id };
    }
    let advice = match status {
        429 => "the account's budget is used up at the moment; try again in a minute",
        408 | 500..=599 => "the server is in trouble; try again later",
        200..=299 if reply.state == State::Unclear => {
            "that is no answer of the Data API; check --endpoint and any proxy on the way"
        }
        _ => advice(status, &reply.kind),
    };
    let Reply { kind, message, request_id, .. } = reply;
    Finding::Refused { status, kind, message, request_id, advice }
}

/// HTTP dates have whole seconds, so half a second is meant.
fn clock_ahead_seconds(date: &str, wall_ms: u64) -> Option<i64> {
    let server = httpdate::parse_http_date(date).ok()?.duration_since(UNIX_EPOCH).ok()?;
    let ahead_ms = i128::from(wall_ms) - i128::try_from(server.as_millis()).ok()?;
    i64::try_from(ahead_ms / 1000).ok()
}

fn obstacle(error: &reqwest::Error) -> Obstacle {
    if error.is_timeout() {
        return Obstacle::Time;
    }
    for error in chain(error) {
        if is_tls(error) {
            return Obstacle::Tls;
        }
        // The resolver's own type is private to its library.
        if error.to_string().contains("dns error") {
            return Obstacle::Name;
        }
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(
                io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable,
            ) => return Obstacle::Connection,
            Some(io::ErrorKind::TimedOut) => return Obstacle::Time,
            _ => {}
        }
    }
    Obstacle::Other
}

/// Whether an error is one of TLS. An error of the system may hold it, which is then not among
/// its sources.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_success_is_one() {
        let accepted = finding(200, br#"{"status":"success","app_name":"Shop","request_id":"r"}"#);
        let app_name = Some("Shop".to_owned());
        assert_eq!(accepted, Finding::Accepted { app_name, request_id: Some("r".to_owned()) });
        for (status, body) in
            [(200, "<html>welcome"), (204, ""), (200, r#"{"status":"fail"}"#), (500, "")]
        {
            let found = finding(status, body.as_bytes());
            assert!(matches!(found, Finding::Refused { status: s, .. } if s == status), "{body}");
        }
    }

    #[test]
    fn no_advice_is_to_make_a_new_key() {
        for status in [200, 302, 400, 401, 403, 404, 407, 409, 415, 418, 429, 500] {
            let Finding::Refused { advice, .. } = finding(status, b"") else {
                panic!("{status}");
            };
            let advice = advice.to_lowercase();
            assert!(!advice.contains("new key") && !advice.contains("generat"), "{advice}");
        }
    }

    #[test]
    fn clocks_are_compared_in_seconds() {
        const AT_MS: u64 = 1_795_478_400_000;
        let date = "Tue, 24 Nov 2026 00:00:00 GMT";
        for (ms, seconds) in [(95_400, 95), (999, 0), (0, 0), (-999, 0), (-95_400, -95)] {
            let wall_ms = AT_MS.saturating_add_signed(ms);
            assert_eq!(clock_ahead_seconds(date, wall_ms), Some(seconds), "{ms}");
        }
        assert_eq!(clock_ahead_seconds("yesterday", AT_MS), None);
    }

    #[test]
    fn the_region_is_that_of_the_address() {
        let key = secrecy::SecretString::from("k");
        let rate = crate::model::Rate::Unlimited;
        let settings = Settings::new(String::new(), "APP".to_owned(), key, rate, rate);
        let region = |host: &str| -> String {
            let document: serde_json::Value =
                serde_json::from_slice(&document(&settings, host)).unwrap();
            document["region"].as_str().unwrap().to_owned()
        };
        assert_eq!(region("api-01.moengage.com"), "01");
        assert_eq!(region("api-101.moengage.com"), "101");
        assert_eq!(region("127.0.0.1"), "");
    }
}
