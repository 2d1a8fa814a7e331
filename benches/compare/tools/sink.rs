//! A server that reads each body whole, answers as the API does to what it takes, and counts.

use std::{
    convert::Infallible,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// The API's answer to a body that it takes.
const SUCCESS: &str = "{\"status\":\"success\",\
    \"message\":\"Your request has been accepted and will be processed soon.\",\
    \"request_id\":\"0123456789abcdef\"}";

/// Timers are rounded up to whole milliseconds twice, by the runtime and in its wait for the
/// system, so in the mean they are one too late.
const TIMER_LATE: Duration = Duration::from_millis(1);

/// What the server does with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reads it, so that all there is to measure is the client.
    Read,
    /// Reads it and parses it, as a server has to.
    Parse,
}

/// What came since it was last asked for.
#[derive(Default)]
struct Tally {
    bodies: u64,
    bytes: u64,
    /// From a body's end to its answer, of all bodies.
    held: Duration,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Tally {
    fn count(&mut self, begun: Instant, held: Duration, bytes: usize) {
        self.bodies += 1;
        self.bytes += bytes as u64;
        self.held += held;
        self.first = Some(self.first.map_or(begun, |first| first.min(begun)));
        self.last = Some(Instant::now());
    }

    fn to_json(&self) -> String {
        let span = self.last.zip(self.first).map_or(Duration::ZERO, |(last, first)| last - first);
        format!(
            "{{\"bodies\":{},\"bytes\":{},\"seconds\":{},\"held_seconds\":{}}}",
            self.bodies,
            self.bytes,
            span.as_secs_f64(),
            self.held.as_secs_f64()
        )
    }
}

/// Serves until it is ended; its address is the first line of stdout. A GET tells the tally and
/// begins a new one: bodies, bytes, and seconds from the first request's head to the last answer.
pub fn serve(latency_ms: u64, work: Work) -> Result<(), Box<dyn Error>> {
    let latency = Duration::from_millis(latency_ms);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        let tally = Arc::new(Mutex::new(Tally::default()));
        loop {
            let (stream, _peer) = listener.accept().await?;
            tokio::spawn(connection(stream, latency, work, Arc::clone(&tally)));
        }
    })
}

async fn connection(stream: TcpStream, latency: Duration, work: Work, tally: Arc<Mutex<Tally>>) {
    // Best effort: without it the answers are late, which the figures then show.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(request, latency, work, &tally));
    // A client that goes away is the end of its connection, and no matter of ours.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    latency: Duration,
    work: Work,
    tally: &Mutex<Tally>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() == Method::GET {
        let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
        return Ok(Response::new(Full::new(Bytes::from(tally.to_json()))));
    }
    let begun = Instant::now();
    let mut body = request.into_body();
    let mut bytes = 0;
    let mut text = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.data_ref().map_or(&[][..], |data| data);
        bytes += data.len();
        if work == Work::Parse {
            text.extend_from_slice(data);
        }
    }
    let read = Instant::now();
    if work == Work::Parse && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_err() {
        let mut response = Response::new(Full::default());
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency.saturating_sub(TIMER_LATE)).await;
    }
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.count(begun, read.elapsed(), bytes);
    let mut response = Response::new(Full::new(Bytes::from_static(SUCCESS.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
