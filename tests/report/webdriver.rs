//! Just enough of WebDriver to look at a page: chromedriver as a process, one session, its logs.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

/// A browser takes seconds to start where the machine is busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// A browser with one window.
pub struct Browser {
    driver: Child,
    address: String,
    session: String,
    profile: tempfile::TempDir,
}

/// A program, where one of these names is on the path.
fn found(names: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| dirs.iter().map(|dir| dir.join(name)).find(|path| path.is_file()))
}

impl Browser {
    /// Starts one without a window; `None` where none is installed.
    pub fn start() -> Option<Self> {
        let browser = found(&["chromium", "chromium-browser", "google-chrome"])?;
        let driver = found(&["chromedriver"])?;
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(driver.stdout.take().expect("a pipe")).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let address = format!("127.0.0.1:{}", port.expect("chromedriver's port"));
        let profile = tempfile::tempdir().expect("a directory");
        let mut this = Self { driver, address, session: String::new(), profile };
        let capabilities = this.capabilities(&browser);
        let session = this.call("POST", "/session", Some(capabilities));
        this.session = format!("/session/{}", session["sessionId"].as_str().expect("a session"));
        Some(this)
    }

    fn capabilities(&self, browser: &Path) -> Value {
        let args = [
            "--headless",
            // A root user needs it, and the page is ours.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", self.profile.path().display()),
        ];
        json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": browser, "args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}})
    }

    /// Goes to a file.
    pub fn open(&self, file: &Path) {
        let file = fs::canonicalize(file).expect("a page");
        self.post("/url", json!({"url": format!("file://{}", file.display())}));
    }

    /// What a function's body returns in the page.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []}))
    }

    /// Types into the first element that a selector finds; U+E007 is Enter.
    pub fn type_into(&self, selector: &str, text: &str) {
        let found = self.post("/element", json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|found| found.values().next()).expect("an element");
        let id = id.as_str().expect("an id");
        self.post(&format!("/element/{id}/value"), json!({"text": text}));
    }

    /// A command of the DevTools protocol.
    pub fn devtools(&self, command: &str, params: Value) -> Value {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": params}))
    }

    /// What the console was told since the last look, by the page or by the browser.
    pub fn console(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({"type": "browser"}));
        entries.as_array().expect("entries").iter().map(Value::to_string).collect()
    }

    /// What was asked for over the network or of a disk since the last look.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.post("/se/log", json!({"type": "performance"}));
        let messages = entries.as_array().expect("entries").iter().map(|entry| {
            let text = entry["message"].as_str().expect("a message");
            serde_json::from_str::<Value>(text).expect("JSON")["message"].take()
        });
        messages
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().expect("a URL").to_owned())
            .collect()
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), Some(body))
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .expect("a request");
        let mut reply = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reply.read_line(&mut line).expect("a head");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut bytes = vec![0; length];
        reply.read_exact(&mut bytes).expect("a reply");
        let mut reply: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert!(reply["value"]["error"].is_null(), "{method} {path}: {reply}");
        reply["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call("DELETE", &self.session, None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
