//! A scripted HTTP/1.1 server: a list of replies, then success; every request is recorded.

use std::{
    collections::{HashSet, VecDeque},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;

pub const SUCCESS: &str = r#"{"status":"success","message":"accepted","request_id":"r-ok"}"#;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// Answers 429 with a date, so far ahead of the answer.
    LimitedFor(Duration),
    /// Answers after a while.
    Late(Duration, Box<Reply>),
    /// Closes the connection before it reads anything.
    CloseBeforeReading,
    /// Reads the request, then resets the connection.
    ResetAfterBody,
    /// Promises more bytes than it sends, then closes.
    Truncated { status: u16, body: Vec<u8> },
    /// Reads the request and never answers.
    Stall,
    /// Begins to answer and never ends.
    StallInBody,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    /// A failure as the API words it.
    pub fn fail(status: u16, kind: &str, message: &str) -> Self {
        let error = serde_json::json!({"type": kind, "message": message, "request_id": "r-bad-7"});
        Self::new(status, serde_json::json!({"status": "fail", "error": error}).to_string())
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub at: Instant,
    /// Whether the answer took the elements in.
    pub taken: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Vec<&str> {
        let fits = |found: &&(String, String)| found.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(fits).map(|(_, value)| value.as_str()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// The customer ids of the body, in order.
    pub fn ids(&self) -> Vec<String> {
        let json = self.json();
        let elements = json["elements"].as_array().expect("elements");
        let id = |element: &Value| element["customer_id"].as_str().expect("id").to_owned();
        elements.iter().map(id).collect()
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    poison: HashSet<String>,
    refusal: Option<Reply>,
    requests: Vec<Request>,
    connections: usize,
}

/// The server; its threads end with the test's process.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    /// Gives the replies in order, and success to whatever comes after them.
    pub fn scripted(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(State { script: script.into_iter().collect(), ..State::default() })
    }

    /// Refuses every body that holds one of these ids.
    pub fn poisoned(ids: impl IntoIterator<Item = String>, refusal: Reply) -> Self {
        let poison = ids.into_iter().collect();
        Self::start(State { poison, refusal: Some(refusal), ..State::default() })
    }

    fn start(state: State) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
        let address = listener.local_addr().expect("address");
        let server = Self { address, state: Arc::new(Mutex::new(state)) };
        let this = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let this = this.clone();
                this.lock().connections += 1;
                thread::spawn(move || this.serve(stream));
            }
        });
        server
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.lock().connections
    }

    /// Ids of the elements that were taken in, in the order of their arrival.
    pub fn delivered(&self) -> Vec<String> {
        self.requests().iter().filter(|request| request.taken).flat_map(Request::ids).collect()
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.set_nodelay(true)?;
        // A connection that is closed unread takes one reply of the script.
        {
            let mut state = self.lock();
            if matches!(state.script.front(), Some(Reply::CloseBeforeReading)) {
                state.script.pop_front();
                drop(state);
                return stream.shutdown(Shutdown::Both);
            }
        }
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(mut request) = read(&mut reader)? {
            let reply = {
                let mut state = self.lock();
                let is_poisoned = !state.poison.is_empty()
                    && request.ids().iter().any(|id| state.poison.contains(id));
                let reply = match state.script.pop_front() {
                    Some(reply) => reply,
                    None if is_poisoned => state.refusal.clone().expect("a refusal"),
                    None => Reply::new(200, SUCCESS),
                };
                request.taken = takes(&reply);
                state.requests.push(request);
                reply
            };
            if !answer(&mut stream, reply)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether a reply says, whole, that the elements were taken in.
fn takes(reply: &Reply) -> bool {
    match reply {
        Reply::Answer { status: 200..=299, body, .. } => body == SUCCESS.as_bytes(),
        Reply::Late(_, reply) => takes(reply),
        _ => false,
    }
}

/// Answers; `false` where the connection is over.
fn answer(stream: &mut TcpStream, reply: Reply) -> io::Result<bool> {
    match reply {
        Reply::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} Some Reason\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            if status != 204 {
                head.push_str(&format!("Content-Length: {}\r\n", body.len()));
            }
            head.push_str("\r\n");
            stream.write_all(&[head.as_bytes(), &body].concat())?;
            Ok(true)
        }
        Reply::LimitedFor(wait) => {
            let until = httpdate::fmt_http_date(SystemTime::now() + wait);
            let limited = Reply::fail(429, "Rate Limit Exceeded", "Rate Limits exceeded");
            answer(stream, limited.with("Retry-After", until))
        }
        Reply::Late(wait, reply) => {
            thread::sleep(wait);
            answer(stream, *reply)
        }
        Reply::CloseBeforeReading => stream.shutdown(Shutdown::Both).map(|()| false),
        Reply::ResetAfterBody => {
            socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?;
            Ok(false)
        }
        Reply::Truncated { status, body } => {
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len() + 9);
            stream.write_all(&[head.as_bytes(), &body].concat())?;
            stream.shutdown(Shutdown::Both).map(|()| false)
        }
        Reply::Stall => {
            thread::sleep(Duration::from_secs(150));
            Ok(false)
        }
        Reply::StallInBody => {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", SUCCESS.len());
            stream.write_all(&[head.as_bytes(), &SUCCESS.as_bytes()[..20]].concat())?;
            thread::sleep(Duration::from_secs(150));
            Ok(false)
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut request = Request {
        line: line.trim_end().to_owned(),
        headers,
        body: vec![],
        at: Instant::now(),
        taken: false,
    };
    let length = request.header("content-length").first().map_or(0, |n| n.parse().unwrap_or(0));
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}
