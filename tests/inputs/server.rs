//! A small server of objects, written out by hand: plain files with ranges and ETags, and as much of
//! S3 as listing and reading need. It can cut answers, refuse, change an object, and forget ranges; it
//! counts what it serves.

use std::{
    collections::{BTreeMap, HashMap},
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// What a server does besides serving.
#[derive(Clone, Default)]
pub struct Rules {
    /// Answers with the whole file, whatever part is asked for.
    pub no_ranges: bool,
    /// Says neither ETag nor time.
    pub no_versions: bool,
    /// Breaks off so many answers to a part that begins behind the start, in their middle.
    pub cuts: usize,
    /// Answers everything with this status and S3 code.
    pub refuses: Option<(u16, &'static str)>,
    /// After so many answers, the object at this path is another one.
    pub changes: Option<(usize, String, Vec<u8>)>,
    /// Listing pages hold so many keys; 0 = all.
    pub page: usize,
}

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    pub target: String,
    pub headers: HashMap<String, String>,
    /// Bytes of the answer's body.
    pub served: u64,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    rules: Rules,
    asked: Vec<Asked>,
}

/// The server, until the test ends.
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let state = Arc::new(Mutex::new(State { rules, ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || while answer(&stream, &state).is_some() {});
            }
        });
        Self { address, state }
    }

    /// Puts an object at a path, such as `/bucket/key`.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.state.lock().expect("state").objects.insert(path.to_owned(), bytes.into());
    }

    pub fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state.lock().expect("state").rules);
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().expect("state").asked)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The environment with which S3 is here.
    pub fn s3(&self) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            pair("AWS_ENDPOINT", &self.url("")),
            pair("AWS_ALLOW_HTTP", "true"),
            pair("AWS_REGION", "eu-west-1"),
            pair("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            pair("AWS_SECRET_ACCESS_KEY", "topsecretsigningkey"),
        ]
    }
}

pub fn etag(bytes: &[u8]) -> String {
    format!("\"{:016x}\"", xxhash_rust::xxh3::xxh3_64(bytes))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, later @ ..] = rest {
        rest = later;
        if *first == b'%' {
            let digits = std::str::from_utf8(&later[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(digits, 16).expect("hex"));
            rest = &later[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// Answers one request; `None` where the connection is over.
fn answer(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&len| len > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let mut state = state.lock().expect("state");
    if let Some((0, path, bytes)) = state.rules.changes.clone() {
        state.objects.insert(path, bytes);
        state.rules.changes = None;
    }
    if let Some((left, ..)) = &mut state.rules.changes {
        *left -= 1;
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let path = unescaped(path);
    let is_list = query.contains("list-type=2");
    let (status, extra, body) = if let Some((status, code)) = state.rules.refuses {
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        (status, String::new(), body.into_bytes())
    } else if is_list {
        (200, String::new(), list(&state, &path, query).into_bytes())
    } else {
        object(&state, &path, &headers)
    };
    let is_cut = state.rules.cuts > 0 && status == 206 && body.len() > 100;
    let sent = match (method.as_str(), is_cut) {
        ("HEAD", _) => &[],
        (_, true) => &body[..body.len() / 2],
        _ => body.as_slice(),
    };
    state.rules.cuts -= usize::from(is_cut);
    state.asked.push(Asked { method, target, headers, served: sent.len() as u64 });
    drop(state);
    let head = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{extra}\r\n", body.len());
    let mut out = stream;
    out.write_all(head.as_bytes()).and_then(|()| out.write_all(sent)).ok()?;
    if is_cut {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    Some(())
}

/// Status, headers and body.
type Answer = (u16, String, Vec<u8>);

fn object(state: &State, path: &str, headers: &HashMap<String, String>) -> Answer {
    let Some(bytes) = state.objects.get(path) else {
        let bucket = path.split('/').nth(1).unwrap_or_default();
        let known = state.objects.keys().any(|key| key.starts_with(&format!("/{bucket}/")));
        let code = if known { "NoSuchKey" } else { "NoSuchBucket" };
        return (404, String::new(), format!("<Error><Code>{code}</Code></Error>").into_bytes());
    };
    let tag = etag(bytes);
    if headers.get("if-match").is_some_and(|wanted| *wanted != tag) {
        return (412, String::new(), Vec::new());
    }
    let version = match state.rules.no_versions {
        true => String::new(),
        false => format!("ETag: {tag}\r\nLast-Modified: Tue, 03 Nov 2026 10:00:00 GMT\r\n"),
    };
    let range = headers.get("range").filter(|_| !state.rules.no_ranges);
    let Some(range) = range.and_then(|range| range.strip_prefix("bytes=")) else {
        return (200, version, bytes.clone());
    };
    let (start, end) = range.split_once('-').expect("a range");
    let start: usize = start.parse().expect("a number");
    let end = end.parse().map_or(bytes.len(), |end: usize| (end + 1).min(bytes.len()));
    if start >= bytes.len() {
        return (416, String::new(), Vec::new());
    }
    let range = format!("Content-Range: bytes {start}-{}/{}\r\n{version}", end - 1, bytes.len());
    (206, range, bytes[start..end].to_vec())
}

/// A page of keys, as ListObjectsV2 answers.
fn list(state: &State, path: &str, query: &str) -> String {
    let argument = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| unescaped(value)).next()
    };
    let bucket = format!("{}/", path.trim_end_matches('/'));
    let prefix = argument("prefix").unwrap_or_default();
    let after = argument("continuation-token").unwrap_or_default();
    let keys = state.objects.iter().filter_map(|(key, bytes)| {
        Some((key.strip_prefix(&bucket)?, bytes)).filter(|(key, _)| key.starts_with(&prefix))
    });
    let mut keys = keys.filter(|(key, _)| *key > after.as_str()).peekable();
    let page = if state.rules.page == 0 { usize::MAX } else { state.rules.page };
    let (mut contents, mut last) = (String::new(), String::new());
    for (key, bytes) in keys.by_ref().take(page) {
        contents.push_str(&format!(
            "<Contents><Key>{}</Key><LastModified>2026-11-03T10:00:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{}</Size></Contents>",
            key.replace('&', "&amp;"),
            etag(bytes).replace('"', "&quot;"),
            bytes.len()
        ));
        last = key.to_owned();
    }
    let more = match keys.peek().is_some() {
        true => format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
        ),
        false => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name>{contents}{more}</ListBucketResult>"
    )
}
