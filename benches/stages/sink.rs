//! A server that reads each body whole, answers as the API does to what it takes, and counts.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
};

use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

const SUCCESS: &[u8] = br#"{"status":"success","request_id":"0123456789abcdef"}"#;

/// Serves from a thread of its own until the process ends.
pub struct Sink {
    /// Its address, without a trailing slash.
    pub url: String,
    bytes: Arc<AtomicU64>,
}

impl Sink {
    pub fn start() -> Self {
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
                tell.send(listener.local_addr().expect("an address")).expect("who asked");
                loop {
                    let (stream, _) = listener.accept().await.expect("a connection");
                    stream.set_nodelay(true).expect("a socket");
                    let counted = Arc::clone(&counted);
                    tokio::spawn(async move {
                        let service = hyper::service::service_fn(|request| take(request, &counted));
                        let stream = TokioIo::new(stream);
                        // It ends when the client does.
                        let _ = http1::Builder::new().serve_connection(stream, service).await;
                    });
                }
            })
        });
        Self { url: format!("http://{}", told.recv().expect("an address")), bytes }
    }

    /// Bytes of bodies since the last call.
    pub fn taken(&self) -> u64 {
        self.bytes.swap(0, Ordering::Relaxed)
    }
}

async fn take(
    request: Request<Incoming>,
    counted: &AtomicU64,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        counted.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    Ok(Response::new(Full::new(Bytes::from_static(SUCCESS))))
}
