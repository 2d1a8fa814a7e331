//! A server of S3 that others wrote: `moto_server`, from the path or, where Python and its package index
//! are there, in an environment of its own below the target directory. Without either the test says so;
//! with `MOEBULK_MOTO=required` that is a failure.

use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::missing;

/// It starts within seconds; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// Where the server's program is, installed where it has to be.
fn program() -> Option<PathBuf> {
    let on_path = env::var_os("PATH").and_then(|path| {
        env::split_paths(&path).map(|dir| dir.join("moto_server")).find(|path| path.is_file())
    });
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
    let installed = environment.join("bin/moto_server");
    if on_path.is_some() || installed.is_file() {
        return on_path.or(Some(installed));
    }
    let quietly = |command: &mut Command| {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let is_there = quietly(Command::new("python3").args(["-m", "venv"]).arg(&environment))
        && quietly(Command::new(environment.join("bin/pip")).args([
            "install",
            "--quiet",
            "--retries",
            "1",
            "moto[s3,server]>=5,<6",
        ]));
    is_there.then_some(installed).filter(|path| path.is_file())
}

/// The server, until it is dropped.
pub struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            let is_required = env::var("MOEBULK_MOTO").is_ok_and(|value| value == "required");
            assert!(!is_required, "moto_server is required and can't be had");
            missing::skip("S3", "there is no moto_server, and none can be installed");
            return None;
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let moto = Self { child, address: address.to_string() };
        let start = Instant::now();
        while TcpStream::connect(&moto.address).is_err() {
            assert!(start.elapsed() < DEADLINE, "it listens");
            thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    /// Makes a bucket, or puts an object into one.
    pub fn put(&self, path: &str, body: &[u8]) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("sent");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }

    /// The environment with which S3 is here.
    pub fn s3(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
