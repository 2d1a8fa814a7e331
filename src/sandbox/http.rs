//! The sockets: accepts connections, reads requests whole, sends the answers, and resets connections
//! where that is the outcome.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::checks::{BODY_BYTES_MAX, Body};
use super::desk::{Desk, Moment, Outcome};
use super::replies::Reply;
use super::route::Route;

/// Connections served at a time; more wait in the system's queue. Each may hold one body.
const CONNECTIONS_MAX: usize = 512;

/// How much of a body that is too large is still read (and dropped) before the 413: closing on a
/// client that is still writing would reset the connection before it has read the answer.
const BODY_BYTES_DRAINED_MAX: usize = 8 * 1024 * 1024;

/// How long accepting pauses when the system has no descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error("the client went away before its request was whole")]
    CutShort(#[from] hyper::Error),
    #[error("the connection is to be reset")]
    Reset,
}

/// Serves until `stopped` resolves; the connections end with the event loop.
pub(super) async fn serve(
    listener: TcpListener,
    desk: Arc<Mutex<Desk>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => return,
            accepted = accept(&listener, &permits) => accepted,
        };
        if let Some((stream, permit)) = accepted {
            let desk = Arc::clone(&desk);
            tokio::spawn(async move {
                serve_connection(stream, &desk).await;
                drop(permit);
            });
        }
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => Some((stream, permit)),
        Err(_) => {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn serve_connection(stream: TcpStream, desk: &Mutex<Desk>) {
    // An answer is one small write: waiting to fill a packet would only add latency. Where the
    // system refuses, the latency stays.
    let _ = stream.set_nodelay(true);
    let service = service_fn(async |request| respond(desk, request).await);
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = Pin::new(&mut connection).await
        && is_reset(&error)
    {
        let stream = connection.into_parts().io.into_inner();
        // With no time to linger, closing sends RST instead of FIN.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}

fn is_reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    matches!(source.and_then(|source| source.downcast_ref()), Some(Unanswered::Reset))
}

async fn respond(
    desk: &Mutex<Desk>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Unanswered> {
    let (head, incoming) = request.into_parts();
    let route = Route::of(&head.method, head.uri.path(), head.uri.query());
    let body = read_body(incoming).await?;
    let outcome = desk.lock().unwrap_or_else(PoisonError::into_inner).decide(
        &route,
        &head.headers,
        &body,
        Moment::now(),
    );
    match outcome {
        Outcome::Answer { reply, delay } => {
            tokio::time::sleep(delay).await;
            Ok(response(reply))
        }
        Outcome::Reset => Err(Unanswered::Reset),
    }
}

/// Counts every byte that arrives, keeps those of an acceptable body, and stops at a bound.
async fn read_body(mut incoming: Incoming) -> Result<Body, hyper::Error> {
    let mut body = Body::default();
    while body.bytes <= BODY_BYTES_DRAINED_MAX
        && let Some(frame) = incoming.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            body.bytes += data.len();
            let room = BODY_BYTES_MAX - body.kept.len();
            body.kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(body)
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in reply.headers {
        // Numbers and method names only, so every one is a header value.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}
