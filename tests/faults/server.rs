//! A server by other hands than the emulator: it writes down the rows of each request at the moment
//! its body was read whole, then does what the scene asks of it.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;

use crate::lab::{APP, KEY, until};
pub use crate::rules::{Act, Answer, Before, Loss, Rules, SUCCESS};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The life of the import in which it came.
    pub life: u32,
    pub rows: Vec<u64>,
    /// The rows were taken in.
    pub taken: bool,
    /// What was done never reached the sender.
    pub lost: bool,
}

#[derive(Default)]
struct State {
    life: u32,
    heads: usize,
    requests: usize,
    connections: usize,
    open: usize,
    accepted: BTreeSet<SocketAddr>,
    arrivals: Vec<Arrival>,
    faults: Vec<String>,
}

struct Shared {
    rules: Rules,
    /// From here on every request is taken at once.
    is_kind: AtomicBool,
    state: Mutex<State>,
}

/// The server; its threads end with the test's process.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Mutex::default();
        let shared = Arc::new(Shared { rules, is_kind: AtomicBool::new(false), state });
        let this = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Ok(peer) = stream.peer_addr() else { continue };
                let number = {
                    let mut state = this.lock();
                    state.accepted.insert(peer);
                    state.open += 1;
                    state.connections += 1;
                    state.connections - 1
                };
                let this = Arc::clone(&this);
                thread::spawn(move || {
                    let _ = this.serve(stream, number);
                    this.lock().open -= 1;
                });
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        let scheme = if self.shared.rules.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.address.port())
    }

    /// Another life of the import begins.
    pub fn next_life(&self) -> u32 {
        let mut state = self.shared.lock();
        state.life += 1;
        state.life
    }

    /// No more faults.
    pub fn be_kind(&self) {
        self.shared.is_kind.store(true, Ordering::SeqCst);
    }

    /// Requests whose bodies were read whole.
    pub fn requests(&self) -> usize {
        self.shared.lock().requests
    }

    /// Waits until everything that a dead process left on its way is written down.
    pub fn quiesce(&self) {
        let probe = TcpStream::connect(self.address).expect("a connection");
        let port = probe.local_addr().expect("an address");
        until("earlier connections are accepted", || self.shared.lock().accepted.contains(&port));
        drop(probe);
        until("connections end with their process", || self.shared.lock().open == 0);
    }

    /// Connections so far, from anybody.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.lock().arrivals.clone()
    }

    /// What no request may be.
    pub fn faults(&self) -> Vec<String> {
        self.shared.lock().faults.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn serve(&self, stream: TcpStream, number: usize) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(200)))?;
        let raw = stream.try_clone()?;
        if self.rules.reset_connections.contains(&number) {
            return reset(&raw);
        }
        match &self.rules.tls {
            None => self.talk(stream, &raw),
            Some(config) => {
                let session =
                    ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                self.talk(StreamOwned::new(session, stream), &raw)
            }
        }
    }

    fn talk(&self, mut stream: impl Read + Write, raw: &TcpStream) -> io::Result<()> {
        loop {
            let Some(head) = read_head(&mut stream)? else { return Ok(()) };
            let length = header(&head, "content-length").and_then(|n| n.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            let heads = {
                let mut state = self.lock();
                state.heads += 1;
                state.heads - 1
            };
            let is_kind = self.is_kind.load(Ordering::SeqCst);
            match (self.rules.before)(heads) {
                _ if is_kind => stream.read_exact(&mut body)?,
                Before::Nothing => stream.read_exact(&mut body)?,
                Before::ResetAfterHead => return reset(raw),
                Before::ResetInBody(bytes) => {
                    let bytes = bytes.min(body.len().saturating_sub(1));
                    stream.read_exact(&mut body[..bytes])?;
                    return reset(raw);
                }
                Before::ReadSlowly(bytes) => {
                    for chunk in body.chunks_mut(bytes) {
                        stream.read_exact(chunk)?;
                        thread::sleep(Duration::from_millis(10));
                    }
                }
            }
            let act = self.record(&head, &body);
            if !perform(&mut stream, raw, act)? {
                return Ok(());
            }
        }
    }

    /// Writes a request down, and says what is to be done with it.
    fn record(&self, head: &str, body: &[u8]) -> Act {
        let rows = rows_of(body);
        let mut state = self.lock();
        let number = state.requests;
        state.requests += 1;
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{APP}:{KEY}")));
        let path = format!("POST /v1/transition/{APP} HTTP/1.1");
        let is_sound = head.starts_with(&path)
            && header(head, "authorization") == Some(&basic)
            && header(head, "content-type") == Some("application/json");
        let is_kind = self.is_kind.load(Ordering::SeqCst);
        let Some(rows) = rows.filter(|_| is_sound) else {
            state.faults.push(format!("request {number} is not as documented"));
            return Act::Refuse(Answer::fail(400, "Malformed JSON"));
        };
        let act = if is_kind { Act::Take } else { (self.rules.act)(number, &rows) };
        let (taken, lost) = act.fate();
        let life = state.life;
        state.arrivals.push(Arrival { life, rows, taken, lost });
        act
    }
}

/// Does it; `false` where the connection is over.
fn perform(stream: &mut (impl Read + Write), raw: &TcpStream, act: Act) -> io::Result<bool> {
    match act {
        Act::Take => say(stream, &Answer::new(200, SUCCESS)),
        Act::Refuse(answer) => say(stream, &answer),
        Act::TakeAndLose(loss) | Act::Lose(loss) => lose(stream, raw, loss),
        Act::Late(wait, act) => {
            thread::sleep(wait);
            perform(stream, raw, *act)
        }
    }
}

fn say(stream: &mut impl Write, answer: &Answer) -> io::Result<bool> {
    let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", answer.status).into_bytes();
    for (name, value) in &answer.headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", answer.body.len()).as_bytes());
    bytes.extend_from_slice(&answer.body);
    stream.write_all(&bytes)?;
    stream.flush().map(|()| true)
}

fn lose(stream: &mut (impl Read + Write), raw: &TcpStream, loss: Loss) -> io::Result<bool> {
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", SUCCESS.len() + 2);
    let to_the_end = |stream: &mut dyn Read| io::copy(stream, &mut io::sink()).map(|_| false);
    match loss {
        Loss::Reset => reset(raw)?,
        Loss::Close => {}
        Loss::CutHead => stream.write_all(&whole.as_bytes()[..20])?,
        Loss::CutBody => stream.write_all([whole.as_str(), SUCCESS].concat().as_bytes())?,
        Loss::Silence => return to_the_end(stream),
        Loss::SilenceInBody => {
            stream.write_all(&[whole.as_bytes(), &SUCCESS.as_bytes()[..9]].concat())?;
            stream.flush()?;
            return to_the_end(stream);
        }
        Loss::Says(answer) => return say(stream, &answer),
    }
    stream.flush().map(|()| false)
}

/// Ends a connection with a reset rather than an end.
fn reset(raw: &TcpStream) -> io::Result<()> {
    socket2::SockRef::from(raw).set_linger(Some(Duration::ZERO))
}

/// The head of a request with its lines, or nothing at the end of a connection.
fn read_head(stream: &mut impl Read) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// The column `n` of each element, or of each of its actions.
fn rows_of(body: &[u8]) -> Option<Vec<u64>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let mut rows = Vec::new();
    for element in body["elements"].as_array()? {
        let own = std::slice::from_ref(element);
        for holder in element["actions"].as_array().map_or(own, Vec::as_slice) {
            rows.push(holder["attributes"]["n"].as_u64()?);
        }
    }
    Some(rows)
}
