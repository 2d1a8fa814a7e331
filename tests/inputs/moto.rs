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

use crate::{
    gzip, packed,
    support::{Lab, Ran, UNLIMITED},
    users,
};

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

struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    fn start() -> Option<Self> {
        let Some(program) = program() else {
            let is_required = env::var("MOEBULK_MOTO").is_ok_and(|value| value == "required");
            assert!(!is_required, "moto_server is required and can't be had");
            eprintln!("skipped: there is no moto_server, and none can be installed");
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
    fn put(&self, path: &str, body: &[u8]) {
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

    fn run(&self, lab: &Lab, args: &[&str]) -> Ran {
        let endpoint = format!("http://{}", self.address);
        let environment = [
            ("AWS_ENDPOINT", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ];
        lab.run_with(args, Stdio::null(), &environment)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_server_of_s3_that_others_wrote_gives_the_same_bodies() {
    let Some(moto) = Moto::start() else { return };
    let lab = Lab::new();
    moto.put("/bucket", b"");
    let files = [
        ("day/dt=2026-01-01/a.csv", users(0, 20_000).into_bytes()),
        ("day/dt=2026-01-01/b.csv.gz", gzip(users(20_000, 500).as_bytes())),
        ("day/dt=2026-01-02/c d.csv", users(30_000, 10).into_bytes()),
    ];
    for (key, bytes) in &files {
        lab.write(key, bytes);
        moto.put(&format!("/bucket/{}", key.replace(' ', "%20")), bytes);
    }
    moto.put("/bucket/day/_SUCCESS", b"");
    let mapping = "[columns]\ncustomer_id = { to = 'customer_id' }\ncity = { attribute = 'city' }\n\
                   dt = { attribute = 'day', type = 'datetime' }\n";
    lab.write("map.toml", mapping);
    let plain = packed(&lab, &["day", "--mapping", "map.toml"]);
    for inputs in ["s3://bucket/day", "s3://bucket/day/", "s3://bucket/day/dt=*/*"] {
        let own = ["pack", inputs, "--mapping", "map.toml", "--out", "bodies", "--progress", "off"];
        let ran = moto.run(&lab, &[own.as_slice(), &UNLIMITED].concat());
        assert_eq!(ran.code, 0, "{inputs}: {}", ran.stderr);
        assert!(lab.read("bodies") == plain, "{inputs}");
    }
    for (input, words) in [
        ("s3://bucket/none.csv", "there is no such object"),
        ("s3://nobody-has-this/a.csv", "there is no such bucket"),
    ] {
        let ran = moto.run(&lab, &["validate", input, "--progress", "off"]);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{input}: {}", ran.stderr);
    }
    // An import is bound to the ETag, which is another one then.
    let to = ["--endpoint", "http://127.0.0.1:9", "--app-id", "A", "--retry-for", "1s"];
    let import = ["import", "s3://bucket/day/", "--run-dir", "run", "--progress", "off"];
    let import = || moto.run(&lab, &[import.as_slice(), &to].concat());
    assert_eq!(import().code, 3, "nobody takes it");
    moto.put("/bucket/day/dt=2026-01-01/a.csv", users(1, 20_000).as_bytes());
    let ran = import();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let words = "the content of s3://bucket/day/dt=2026-01-01/a.csv changed";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}
