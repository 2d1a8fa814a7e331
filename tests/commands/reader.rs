//! A reader who does what a document says, in a directory of their own.
//!
//! The account of the documents is an emulator: a data center's name, in a command or in settings,
//! becomes its address. Should anything go to another host all the same, a proxy that answers nobody
//! takes it, and is looked at in the end.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use moebulk::sandbox::{Options, Sandbox};
use tempfile::TempDir;

use crate::{
    document::{Document, Step, What, fits},
    missing,
};

/// No command here takes more than seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(300);

/// The workspace of the documents.
const WORKSPACE: &str = "YOUR_WORKSPACE_ID";

/// Its data center: as a flag, as a setting, and as what is printed.
const FLAG: &str = "--data-center 01";
const SETTING: &str = "data_center = \"01\"";
const ADDRESS: &str = "https://api-01.moengage.com";

/// Where the documents start an emulator; a port that is free takes its place.
const LISTEN: &str = "127.0.0.1:8080";

/// Samples that the documents also have as files of the reader's own.
const OWN: [&str; 3] = ["customers.csv", "events.csv", "devices.csv"];

pub struct Reader {
    dir: TempDir,
    account: Sandbox,
    /// What a request to another machine would meet.
    elsewhere: TcpListener,
    /// In the place of [`LISTEN`].
    listen: String,
    emulators: Vec<Child>,
    exported: BTreeMap<String, String>,
}

impl Reader {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
        fs::create_dir(dir.path().join("samples")).expect("a directory");
        for entry in fs::read_dir(&samples).expect("samples").flatten() {
            let to = dir.path().join("samples").join(entry.file_name());
            fs::copy(entry.path(), to).expect("a copy");
        }
        for name in OWN {
            fs::copy(samples.join(name), dir.path().join(name)).expect("a copy");
        }
        let account = Sandbox::start(Options {
            app_id: WORKSPACE.to_owned(),
            users_per_minute: None,
            events_per_minute: None,
            ..Options::default()
        });
        let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port");
        elsewhere.set_nonblocking(true).expect("a socket");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        Self {
            dir,
            account: account.expect("an emulator"),
            elsewhere,
            listen: free.expect("a free port").to_string(),
            emulators: Vec::new(),
            exported: BTreeMap::new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn report(&self, run_dir: &str) -> serde_json::Value {
        let path = self.path(run_dir).join("report.json");
        serde_json::from_slice(&fs::read(path).expect("a report")).expect("JSON")
    }

    /// Does all that a document says, but for the commands that are left out.
    pub fn follows(&mut self, document: &Document, left_out: impl Fn(&str) -> bool) {
        for Step { line, what } in &document.steps {
            let at = format!("{}:{line}", document.name);
            match what {
                What::Types { command, .. } if left_out(command) => {}
                What::Types { command, prints } => self.types(&at, command, prints.as_deref()),
                What::Sets(text) => self.sets(text),
                What::Writes { name, text } => self.writes(name, text),
            }
        }
        let visit = self.elsewhere.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(visit, Err(io::ErrorKind::WouldBlock), "{}: sent elsewhere", document.name);
    }

    /// Types a command; `# exit code N` behind it says how it ends.
    fn types(&mut self, at: &str, command: &str, prints: Option<&[String]>) {
        if let Some(assignment) = command.strip_prefix("export ") {
            let (name, value) = assignment.split_once('=').expect("NAME=VALUE");
            let value = value.split(" #").next().unwrap_or_default().trim();
            // The reader's own key is the one of the emulator.
            let value = if value == "…" { self.account.api_key() } else { value };
            self.exported.insert(name.to_owned(), value.to_owned());
            return;
        }
        let expected = command.split_once("# exit code ").map_or("0", |(_, code)| code.trim());
        let line = self.here(command);
        if line.starts_with("moebulk sandbox") {
            return self.starts_emulator(at, &line);
        }
        if line.starts_with("curl ") && !self.has("curl") {
            return missing::skip(at, "curl is missing");
        }
        let (code, printed) = self.runs(&line);
        assert_eq!(code, expected, "{at}: {command}\n{printed}");
        if let Some(shown) = prints.filter(|shown| !shown.is_empty()) {
            let printed = self.as_written(&printed);
            let lines: Vec<&str> = printed.lines().collect();
            assert!(
                fits(shown, &lines),
                "{at}: {command}\nis shown to print\n{}\n\nand prints\n{printed}",
                shown.join("\n")
            );
        }
    }

    /// Runs a line to its end: its exit code, and what a terminal would show.
    fn runs(&self, line: &str) -> (String, String) {
        let path = self.path(".printed");
        let printed = File::create(&path).expect("a file");
        let mut child = self
            .shell(line)
            .stdout(printed.try_clone().expect("a handle"))
            .stderr(printed)
            .spawn()
            .expect("a shell");
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a status") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{line}: does not end");
            }
            thread::sleep(Duration::from_millis(5));
        };
        let code = status.code().map_or("none".to_owned(), |code| code.to_string());
        let printed = fs::read(path).expect("what was printed");
        (code, String::from_utf8_lossy(&printed).into_owned())
    }

    fn shell(&self, line: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_moebulk"));
        let path = env::var_os("PATH").unwrap_or_default();
        let dirs = binary.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&path));
        let proxy = self.elsewhere.local_addr().expect("an address");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", line])
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", env::join_paths(dirs).expect("a path"))
            .env("HOME", self.dir.path())
            .env("XDG_STATE_HOME", self.path("state"))
            .env("HTTPS_PROXY", format!("http://{proxy}"))
            .env("https_proxy", format!("http://{proxy}"))
            .env("MOENGAGE_DATA_API_KEY", self.account.api_key())
            .envs(&self.exported)
            .stdin(Stdio::null());
        shell
    }

    fn has(&self, program: &str) -> bool {
        self.runs(&format!("command -v {program}")).0 == "0"
    }

    /// Starts an emulator that serves until the document ends, or until another one is started.
    fn starts_emulator(&mut self, at: &str, line: &str) {
        self.stops_emulators();
        let mut child = self
            .shell(&format!("exec {line}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        self.emulators.push(child);
        let (sender, url) = mpsc::channel();
        thread::spawn(move || {
            let mut url = String::new();
            let _ = stdout.read_line(&mut url);
            let _ = sender.send(url);
        });
        let url = url.recv_timeout(DEADLINE).unwrap_or_default();
        assert!(url.starts_with("http://127.0.0.1:"), "{at}: {line}: no URL, but {url:?}");
    }

    fn stops_emulators(&mut self) {
        for mut child in self.emulators.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Puts settings into moebulk.toml, table by table.
    fn sets(&self, text: &str) {
        let path = self.path("moebulk.toml");
        let parse = |text: &str| text.parse::<toml::Table>().expect("TOML");
        let mut settings = parse(&fs::read_to_string(&path).unwrap_or_default());
        for (name, value) in parse(&self.here(text)) {
            match (settings.get_mut(&name), value) {
                (Some(toml::Value::Table(old)), toml::Value::Table(new)) => old.extend(new),
                (_, value) => drop(settings.insert(name, value)),
            }
        }
        fs::write(path, settings.to_string()).expect("settings");
    }

    fn writes(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        fs::write(&path, self.here(text)).expect("a script");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    /// A text of the document with the addresses that hold here.
    fn here(&self, text: &str) -> String {
        let url = self.account.url();
        let text = text
            .replace(FLAG, &format!("--endpoint {url}"))
            .replace(SETTING, &format!("endpoint = \"{url}\""))
            .replace(LISTEN, &self.listen);
        let is_elsewhere = ["--data-center", "data_center", "moengage.com", "--no-proxy"]
            .iter()
            .any(|word| text.contains(word));
        assert!(!is_elsewhere, "not an address of this machine: {text}");
        text
    }

    /// The other way round.
    fn as_written(&self, printed: &str) -> String {
        printed.replace(&self.account.url(), ADDRESS).replace(&self.listen, LISTEN)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stops_emulators();
    }
}
