//! Requests written by hand, so that a missing header or an empty `Authorization` can really be
//! sent, and the elements they carry.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use moebulk::sandbox::{Options, Sandbox};
use serde_json::{Value, json};

pub const BULK: &str = "/v1/transition/SANDBOX";
pub const USER: &str = "/v1/customer/SANDBOX";
pub const EVENT: &str = "/v1/event/SANDBOX";
pub const DEVICE: &str = "/v1/device/SANDBOX";
pub const EXPORT: &str = "/v1/customers/export?app_id=SANDBOX";
pub const ONE_USER: &str = r#"{"type":"transition","elements":[{"type":"customer","customer_id":"USERID1234","attributes":{}}]}"#;

/// A request as it goes over the wire; each test changes what it is about.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub json: Value,
}

impl Request {
    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            headers: vec![
                ("Authorization", basic("SANDBOX:sandbox-key")),
                ("Content-Type", "application/json".to_owned()),
                ("MOE-APPKEY", "SANDBOX".to_owned()),
            ],
            body: body.into(),
        }
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| *header != name);
        self
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        let mut request = self.without(name);
        request.headers.push((name, value.into()));
        request
    }

    pub fn at(mut self, path: &str) -> Self {
        self.path = path.to_owned();
        self
    }

    pub fn write_to(&self, stream: &mut TcpStream) -> io::Result<()> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: sandbox\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(&self.body)
    }

    /// Sends over a connection of its own.
    pub fn try_send(&self, sandbox: &Sandbox) -> io::Result<Answer> {
        let mut stream = connect(sandbox)?;
        self.write_to(&mut stream)?;
        read_answer(&mut stream)
    }

    pub fn send(&self, sandbox: &Sandbox) -> Answer {
        self.try_send(sandbox).expect("an answer")
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Code, type and message of a failure.
    pub fn failure(&self) -> (u16, &str, &str) {
        assert_eq!(self.json["status"], "fail");
        let error = &self.json["error"];
        assert!(error["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        let text = |key: &str| error[key].as_str().expect("a text");
        (self.status, text("type"), text("message"))
    }
}

pub fn connect(sandbox: &Sandbox) -> io::Result<TcpStream> {
    let url = sandbox.url();
    let stream = TcpStream::connect(url.strip_prefix("http://").expect("an http URL"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// Reads exactly one answer, so that the connection can be used again.
pub fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("a head in ASCII");
    let mut lines = head.lines();
    let status_line = lines.next().expect("a status line");
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, bytes)| bytes.parse().expect("a length"))];
    stream.read_exact(&mut body)?;
    let answer = Answer {
        status: status.expect("a status"),
        headers,
        json: serde_json::from_slice(&body).expect("a JSON body"),
    };
    assert_eq!(answer.header("content-type"), Some("application/json"));
    Ok(answer)
}

pub fn start(options: Options) -> Sandbox {
    Sandbox::start(options).expect("a sandbox")
}

pub fn look(sandbox: &Sandbox, page: &str) -> Value {
    let mut request = Request::post(&format!("/_sandbox/{page}"), "");
    request.method = "GET";
    request.headers.clear();
    let answer = request.send(sandbox);
    assert_eq!(answer.status, 200);
    answer.json
}

pub fn basic(identity: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(identity))
}

pub fn envelope(elements: &[Value]) -> String {
    json!({"type": "transition", "elements": elements}).to_string()
}

pub fn user(customer_id: &str) -> Value {
    json!({"type": "customer", "customer_id": customer_id, "attributes": {"u_n": "Ann"}})
}

pub fn event(customer_id: &str, actions: usize) -> Value {
    let actions = vec![json!({"action": "Purchase"}); actions];
    json!({"type": "event", "customer_id": customer_id, "actions": actions})
}

pub fn device(customer_id: &str, device_id: &str) -> Value {
    json!({"type": "device", "customer_id": customer_id, "device_id": device_id,
        "attributes": {"platform": "ANDROID", "push_id": "p1"}})
}

/// Sends elements in one bulk body, which is accepted.
pub fn send_bulk(sandbox: &Sandbox, elements: &[Value]) {
    assert_eq!(Request::post(BULK, envelope(elements)).send(sandbox).status, 200);
}

/// What is stored of each record; null where nothing is.
pub fn stored(sandbox: &Sandbox) -> Vec<Value> {
    let mut page = look(sandbox, "records?stored=1");
    let records = page["records"].as_array_mut().expect("a list");
    records.iter_mut().map(|record| record["stored"].take()).collect()
}

/// Rule, name and deed of everything that the silent rules did.
pub fn dropped(sandbox: &Sandbox) -> Vec<(String, Option<String>, String)> {
    let page = look(sandbox, "dropped");
    let list = page["dropped"].as_array().expect("a list");
    assert_eq!(page["count"], json!(list.len()));
    let text = |one: &Value, key: &str| one[key].as_str().map(str::to_owned);
    list.iter()
        .map(|one| {
            assert!(text(one, "message").is_some_and(|message| !message.is_empty()));
            let rule = text(one, "rule").expect("a rule");
            (rule, text(one, "name"), text(one, "did").expect("a deed"))
        })
        .collect()
}

/// A sound body of exactly `bytes` bytes.
pub fn body_of(bytes: usize) -> String {
    let padding = bytes - envelope(&[user("")]).len();
    envelope(&[user(&"x".repeat(padding))])
}
