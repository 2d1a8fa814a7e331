//! The HTTP client: one request of the Data API, and what came of it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};

use crate::model;
use crate::wire::replies::REPLY_BYTES_MAX;

use super::clock::Clock;
use super::verdict::{Answer, AnswerBody, Outcome};
use super::{Settings, Transport};

/// How long an unused connection is kept. Well below what servers and load balancers
/// keep, since a connection that is closed while a body is on it leaves that body in doubt.
const IDLE: Duration = Duration::from_secs(15);

/// Why no client can be made; a matter of configuration.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is no address, or not one that bodies may be sent to.
    #[error(
        "endpoint `{endpoint}`: {reason}; give an https address, or http to loopback, such as \
         https://api-01.moengage.com"
    )]
    Endpoint {
        /// As given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A credential that no header can carry.
    #[error("{name} can't be sent in a header: {reason}")]
    Credential {
        /// Which one.
        name: &'static str,
        /// What is wrong with it; never its value.
        reason: &'static str,
    },
    /// TLS or the system's certificates.
    #[error("no HTTP client could be made: {0}")]
    Build(String),
}

/// The client of one account.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: Url,
    api_id: String,
    key: SecretString,
    clock: Clock,
    idle_ms: u64,
}

impl Client {
    /// Prepares a client; connects to nothing yet.
    ///
    /// # Errors
    /// Where the endpoint or the credentials can't be used, or TLS can't be set up.
    pub fn new(settings: &Settings, clock: &Clock) -> Result<Self, ClientError> {
        let path = [settings.api.path(), settings.app_id.as_str()];
        Self::to(api_url(&settings.endpoint, &settings.app_id, path)?, settings, clock)
    }

    /// A client of the test of a connection (Data API, U: paths), which names the app id in its
    /// header.
    pub(super) fn for_authentication(
        settings: &Settings,
        clock: &Clock,
    ) -> Result<Self, ClientError> {
        let path = ["integrations", "authentication"];
        Self::to(api_url(&settings.endpoint, &settings.app_id, path)?, settings, clock)
    }

    /// A client of one address.
    fn to(url: Url, settings: &Settings, clock: &Clock) -> Result<Self, ClientError> {
        let credential = |name, reason| ClientError::Credential { name, reason };
        if settings.api_id.is_empty() || settings.api_id.contains(':') {
            // Data API, S rule: Basic credentials split at the first colon.
            return Err(credential("the API id", "it is empty or holds a colon"));
        }
        if settings.key.expose_secret().is_empty() {
            return Err(credential("the Data API key", "it is empty"));
        }
        let app_id = HeaderValue::from_str(&settings.app_id)
            .map_err(|_| credential("the app id", "it holds control characters"))?;
        let headers = HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            // Without it a server may compress (RFC 9110, 12.5.3), and a success that can't be read
            // is none: the body would be sent again and again.
            (ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            (reqwest::header::HeaderName::from_static("moe-appkey"), app_id),
        ]);
        // Whoever was first wins; any provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("moebulk/", env!("CARGO_PKG_VERSION")))
            // One request at a time on a connection, as its retries take for given.
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            // Every try is charged to the budget, so nobody below may try again.
            .retry(reqwest::retry::never())
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(IDLE);
        if settings.no_proxy || is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Build(build_reason(error)))?;
        Ok(Self {
            http,
            url,
            api_id: settings.api_id.clone(),
            key: settings.key.clone(),
            clock: clock.clone(),
            idle_ms: settings.idle_timeout.as_millis() as u64,
        })
    }

    /// One request with the account's credentials.
    pub(super) async fn post(&self, body: Bytes) -> reqwest::Result<Response> {
        let request = self
            .http
            .post(self.url.clone())
            .basic_auth(&self.api_id, Some(self.key.expose_secret()))
            .body(body);
        request.send().await
    }

    /// The host that it asks.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Reads an answer, of any length up to the bound. One that comes to a halt counts as cut: its
    /// rest would be no use after so long, and the deadline is far.
    pub(super) async fn read(&self, mut response: Response) -> Outcome {
        let header = |name: &str| {
            response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
        };
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header(RETRY_AFTER.as_str()),
            rate_limit_reset: header("x-ratelimit-reset"),
            body: AnswerBody::TooLong,
        };
        let mut bytes = Vec::new();
        answer.body = loop {
            let idle_ms = self.clock.now_ms() + self.idle_ms;
            let Some(read) = self.clock.deadline(idle_ms, response.chunk()).await else {
                break AnswerBody::Cut;
            };
            match read {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > REPLY_BYTES_MAX => {
                    break AnswerBody::TooLong;
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break AnswerBody::Whole(bytes.into()),
                Err(_) => break AnswerBody::Cut,
            }
        };
        Outcome::Answered(answer)
    }
}

/// A runtime for requests, in the calling thread.
///
/// # Errors
/// [`ClientError::Build`] where the system has no files left for it.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, ClientError> {
    let failed = |error: std::io::Error| ClientError::Build(error.to_string());
    // tokio takes for granted that it can open the sockets that tell it of signals, and panics
    // where it can't: so as many files as a runtime takes are opened before.
    #[cfg(unix)]
    {
        let [one, two, three] = [(); 3].map(|()| std::os::unix::net::UnixStream::pair());
        drop((one.map_err(failed)?, two.map_err(failed)?, three.map_err(failed)?));
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)
}

impl Transport for Client {
    async fn send(&self, body: Bytes) -> Outcome {
        match self.post(body).await {
            Ok(response) => self.read(response).await,
            Err(error) if has_bad_certificate(&error) => Outcome::Untrusted(reason(error)),
            Err(error) if error.is_connect() => Outcome::NeverConnected(reason(error)),
            Err(error) => Outcome::Broken(reason(error)),
        }
    }
}

/// Data API, U rule: `POST /v1/{API}/{APP_ID}`; `path` is what follows the version.
fn api_url(endpoint: &str, app_id: &str, path: [&str; 2]) -> Result<Url, ClientError> {
    let refuse = |reason: &str| ClientError::Endpoint {
        // A password in it must not reach a terminal.
        endpoint: if endpoint.contains('@') { "…".to_owned() } else { endpoint.to_owned() },
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(endpoint).map_err(|error| refuse(&error.to_string()))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(refuse("plain http would show the key to the network")),
        _ => return Err(refuse("it is no web address")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it holds a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it holds a query or fragment"));
    }
    if matches!(app_id, "" | "." | "..") {
        return Err(ClientError::Credential { name: "the app id", reason: "it is empty or dots" });
    }
    let mut segments = url.path_segments_mut().map_err(|()| refuse("it is no web address"))?;
    segments.pop_if_empty().push("v1").extend(path);
    drop(segments);
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(model::is_loopback)
}

/// An error's innermost reason too, which is the one that names the fault; without the address,
/// which holds the app id.
pub(super) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = String::new();
    for inner in chain(&error) {
        let words = inner.to_string();
        if text.is_empty() {
            text = words;
        } else if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
    }
    text
}

/// Files that are open at a time, at most, while certificates are looked for: a directory, one in
/// it, and what a library may need beside them.
#[cfg(unix)]
const FILES_OF_A_BUILD: usize = 4;

/// Why no client can be made. Where too many files are open for those of the certificates, what TLS
/// says is that there are none.
fn build_reason(error: reqwest::Error) -> String {
    #[cfg(unix)]
    {
        let files = (0..FILES_OF_A_BUILD).map(|_| std::fs::File::open("/dev/null"));
        if let Err(error) = files.collect::<std::io::Result<Vec<_>>>()
            && rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::MFILE)
        {
            return error.to_string();
        }
    }
    reason(error)
}

/// Whether the server's certificate was refused. An error of the system may hold that one,
/// which is then not among its sources.
fn has_bad_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    chain(error).any(|error| {
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
            || held.is_some_and(|held| has_bad_certificate(held))
    })
}

/// An error, then what caused it, down to the innermost.
pub(super) fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests;
