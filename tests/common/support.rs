//! The binary in a fresh directory, the emulator as a process, and a slow, obvious JSON reader
//! that keeps every digit.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// No command here takes more than seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(300);

/// Rates of a server and of a client that wait for nothing.
pub const UNLIMITED: [&str; 4] =
    ["--users-per-minute", "unlimited", "--events-per-minute", "unlimited"];

/// A directory with its inputs, where the binary runs.
pub struct Lab {
    dir: TempDir,
}

/// What a command left.
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Lab {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, bytes).expect("an input");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn copy_samples(&self) {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        for entry in fs::read_dir(samples).expect("samples").flatten() {
            fs::copy(entry.path(), self.path(&entry.file_name().to_string_lossy())).expect("copy");
        }
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moebulk"));
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("MOENGAGE_DATA_API_KEY", "sandbox-key")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, Stdio::null(), &[])
    }

    /// Runs a command to its end, with a standard input and more of an environment.
    pub fn run_with(&self, args: &[&str], stdin: Stdio, environment: &[(&str, &str)]) -> Ran {
        // Files instead of pipes: nothing can fill up.
        let serial = fs::read_dir(self.dir.path()).expect("listing").count();
        let (out, err) = (format!(".out-{serial}"), format!(".err-{serial}"));
        let mut child = self
            .command()
            .args(args)
            .stdin(stdin)
            .envs(environment.iter().copied())
            .stdout(File::create(self.path(&out)).expect("stdout"))
            .stderr(File::create(self.path(&err)).expect("stderr"))
            .spawn()
            .expect("the binary starts");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a status") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{args:?} did not end: {}", String::from_utf8_lossy(&self.read(&err)));
            }
            thread::sleep(Duration::from_millis(5));
        };
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: self.read(&out),
            stderr: String::from_utf8_lossy(&self.read(&err)).into_owned(),
        }
    }

    /// Runs `validate`, `pack` or `import` for its `--output json`; holds it against
    /// `report.json`, byte for byte, and against the two conservation laws.
    pub fn report(&self, code: i32, args: &[&str]) -> serde_json::Value {
        let run_dir = format!("run-{}", fs::read_dir(self.dir.path()).expect("listing").count());
        let own = ["--progress", "off", "--output", "json", "--run-dir", run_dir.as_str()];
        let ran = self.run(&[args, own.as_slice()].concat());
        assert_eq!(ran.code, code, "{args:?}: {}", ran.stderr);
        let mut report = self.checked_report(&ran.stdout, &run_dir);
        report["run_dir"] = run_dir.into();
        report
    }

    fn checked_report(&self, stdout: &[u8], run_dir: &str) -> serde_json::Value {
        let file = self.read(&format!("{run_dir}/report.json"));
        assert!(file == stdout, "stdout and report.json differ");
        let report: serde_json::Value = serde_json::from_slice(stdout).expect("JSON");
        let count = |name: &str| report["rows"][name].as_u64().expect(name);
        assert_eq!(count("read"), count("accepted") + count("rejected") + count("skipped"));
        assert_eq!(count("accepted"), count("delivered") + count("failed") + count("pending"));
        report
    }

    /// Packs: the report, and the elements in order.
    pub fn pack(&self, code: i32, args: &[&str]) -> (serde_json::Value, Vec<Json>) {
        let flags = [["pack"].as_slice(), args, &["--out", "bodies"], &UNLIMITED].concat();
        let report = self.report(code, &flags);
        let bodies = String::from_utf8(self.read("bodies")).expect("UTF-8");
        let elements = bodies.lines().flat_map(raw_elements);
        (report, elements.map(|element| Json::parse(element.as_bytes())).collect())
    }

    /// Imports into an emulator of its own: the report, and the elements as they arrived.
    pub fn import(&self, code: i32, args: &[&str]) -> (serde_json::Value, Vec<Json>) {
        let sandbox = Sandbox::start(self);
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX"];
        // One connection, so that the order of arrival is the order of the file.
        let flags = [["import"].as_slice(), args, &to, &UNLIMITED, &["--connections", "1"]];
        let report = self.report(code, &flags.concat());
        assert_eq!(report["complete"], true);
        assert_eq!(report["rows"]["delivered"], report["rows"]["accepted"]);
        let records = sandbox.records();
        assert_eq!(sandbox.violations(), "", "the emulator saw a broken rule");
        (report, records.into_iter().map(|(_, element)| element).collect())
    }
}

/// `moebulk sandbox` as a process of its own.
pub struct Sandbox {
    child: Child,
    pub url: String,
}

impl Sandbox {
    pub fn start(lab: &Lab) -> Self {
        Self::start_with(lab, &[])
    }

    pub fn start_with(lab: &Lab, flags: &[&str]) -> Self {
        let mut child = lab
            .command()
            .arg("sandbox")
            .args(UNLIMITED)
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the emulator starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, line) = mpsc::channel();
        thread::spawn(move || {
            let mut url = String::new();
            let _ = stdout.read_line(&mut url);
            let _ = sender.send(url);
        });
        let url = line.recv_timeout(DEADLINE).expect("the emulator's URL");
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{url:?}");
        Self { child, url }
    }

    fn get(&self, path: &str) -> Vec<u8> {
        let host = self.url.strip_prefix("http://").expect("http");
        let mut stream = TcpStream::connect(host).expect("a connection");
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
            .expect("a request");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply");
        let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&reply[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200") && head.contains("content-length:"), "{head}");
        reply.split_off(end + 4)
    }

    /// Every element with its request, in order of arrival, read in pages.
    pub fn records(&self) -> Vec<(u64, Json)> {
        const PAGE: usize = 700;
        let mut records = Vec::new();
        loop {
            let path = format!("/_sandbox/records?offset={}&limit={PAGE}", records.len());
            let Json::Object(mut page) = Json::parse(&self.get(&path)) else { panic!("a page") };
            assert_eq!(page["count"], page["kept"], "the emulator kept all");
            let count = page["count"].clone();
            let Some(Json::Array(list)) = page.remove("records") else { panic!("records") };
            let last = list.len() < PAGE;
            records.extend(list.into_iter().map(|record| {
                let Json::Object(mut record) = record else { panic!("a record") };
                let Json::Number(request) = &record["request"] else { panic!("a request") };
                let request = request.parse().expect("a number");
                (request, record.remove("element").expect("an element"))
            }));
            if last {
                assert_eq!(count, Json::Number(records.len().to_string()));
                return records;
            }
        }
    }

    /// The broken rules; empty where there are none.
    pub fn violations(&self) -> String {
        let text = String::from_utf8(self.get("/_sandbox/violations")).expect("UTF-8");
        let page: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        if page["count"] == 0 { String::new() } else { text }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// JSON with its numbers as written. `Double` and `Stamp` occur in what is expected alone.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    /// Whatever digits read as this double.
    Double(f64),
    Text(String),
    /// A date-time; `.000` may be written or not.
    Stamp(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    pub fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub fn get(&self, name: &str) -> &Json {
        match self {
            Self::Object(fields) => fields.get(name).unwrap_or(&Json::Null),
            _ => &Json::Null,
        }
    }

    /// Whether a found value is this expected one.
    pub fn matches(&self, found: &Json) -> bool {
        match (self, found) {
            (Self::Double(value), Self::Number(digits)) => digits.parse() == Ok(*value),
            (Self::Number(expected), Self::Number(digits)) => expected.eq_ignore_ascii_case(digits),
            (Self::Stamp(expected), Self::Text(text)) => {
                expected.replace(".000Z", "Z") == text.replace(".000Z", "Z")
            }
            (Self::Array(expected), Self::Array(found)) => {
                expected.len() == found.len()
                    && expected.iter().zip(found).all(|(expected, found)| expected.matches(found))
            }
            (Self::Object(expected), Self::Object(found)) => {
                expected.len() == found.len()
                    && expected.iter().all(|(name, expected)| {
                        found.get(name).is_some_and(|found| expected.matches(found))
                    })
            }
            (expected, found) => expected == found,
        }
    }

    /// Reads a document; panics where it is none.
    pub fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let mut at = 0;
        let value = value(text, &mut at);
        skip_blanks(text, &mut at);
        assert_eq!(at, text.len(), "text follows the document");
        value
    }
}

fn skip_blanks(text: &str, at: &mut usize) {
    *at += text[*at..].bytes().take_while(u8::is_ascii_whitespace).count();
}

fn eat(text: &str, at: &mut usize, token: &str) -> bool {
    skip_blanks(text, at);
    let found = text[*at..].starts_with(token);
    if found {
        *at += token.len();
    }
    found
}

fn value(text: &str, at: &mut usize) -> Json {
    if eat(text, at, "{") {
        let mut fields = BTreeMap::new();
        while !eat(text, at, "}") {
            assert!(fields.is_empty() || eat(text, at, ","), "a comma at {at}");
            skip_blanks(text, at);
            let name = string(text, at);
            assert!(eat(text, at, ":"), "a colon at {at}");
            let twice = fields.insert(name.clone(), value(text, at));
            assert!(twice.is_none(), "{name:?} stands twice in an object");
        }
        return Json::Object(fields);
    }
    if eat(text, at, "[") {
        let mut items = Vec::new();
        while !eat(text, at, "]") {
            assert!(items.is_empty() || eat(text, at, ","), "a comma at {at}");
            items.push(value(text, at));
        }
        return Json::Array(items);
    }
    for (word, value) in
        [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)]
    {
        if eat(text, at, word) {
            return value;
        }
    }
    if text[*at..].starts_with('"') {
        return Json::Text(string(text, at));
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let len = text[*at..].bytes().take_while(|byte| is_digit(byte)).count();
    let digits = &text[*at..*at + len];
    serde_json::from_str::<f64>(digits).unwrap_or_else(|error| panic!("{digits:?}: {error}"));
    *at += len;
    Json::Number(digits.to_owned())
}

fn string(text: &str, at: &mut usize) -> String {
    let bytes = &text.as_bytes()[*at..];
    assert_eq!(bytes.first(), Some(&b'"'), "a string at {at}");
    let mut end = 1;
    while bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    let raw = &text[*at..=*at + end];
    *at += raw.len();
    serde_json::from_str(raw).unwrap_or_else(|error| panic!("{raw:?}: {error}"))
}

/// The raw elements of a body, sliced from its bytes.
pub fn raw_elements(body: &str) -> Vec<&str> {
    let mut at = 0;
    assert!(eat(body, &mut at, "{"), "an object");
    loop {
        let name = string(body, &mut at);
        assert!(eat(body, &mut at, ":"));
        if name == "elements" {
            break;
        }
        value(body, &mut at);
        assert!(eat(body, &mut at, ","), "elements");
    }
    assert!(eat(body, &mut at, "["));
    let mut elements = Vec::new();
    while !eat(body, &mut at, "]") {
        assert!(elements.is_empty() || eat(body, &mut at, ","));
        let start = at;
        value(body, &mut at);
        elements.push(&body[start..at]);
    }
    elements
}

/// Asserts that elements are the expected ones, in order.
pub fn assert_same(expected: &[Json], found: &[Json]) {
    for (at, (expected, found)) in expected.iter().zip(found).enumerate() {
        assert!(expected.matches(found), "element {at}\nexpected {expected:?}\nfound    {found:?}");
    }
    assert_eq!(expected.len(), found.len(), "elements");
}
