//! Inputs from a server of S3 that others wrote.

use std::process::Stdio;

use crate::{
    gzip,
    moto_server::Moto,
    packed,
    support::{Lab, Ran, UNLIMITED},
    users,
};

fn run(moto: &Moto, lab: &Lab, args: &[&str]) -> Ran {
    let environment = moto.s3();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    lab.run_with(args, Stdio::null(), &environment)
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
        let ran = run(&moto, &lab, &[own.as_slice(), &UNLIMITED].concat());
        assert_eq!(ran.code, 0, "{inputs}: {}", ran.stderr);
        assert!(lab.read("bodies") == plain, "{inputs}");
    }
    for (input, words) in [
        ("s3://bucket/none.csv", "there is no such object"),
        ("s3://nobody-has-this/a.csv", "there is no such bucket"),
    ] {
        let ran = run(&moto, &lab, &["validate", input, "--progress", "off"]);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{input}: {}", ran.stderr);
    }
    // An import is bound to the ETag, which is another one then.
    let to = ["--endpoint", "http://127.0.0.1:9", "--app-id", "A", "--retry-for", "1s"];
    let import = ["import", "s3://bucket/day/", "--run-dir", "run", "--progress", "off"];
    let import = || run(&moto, &lab, &[import.as_slice(), &to].concat());
    assert_eq!(import().code, 3, "nobody takes it");
    moto.put("/bucket/day/dt=2026-01-01/a.csv", users(1, 20_000).as_bytes());
    let ran = import();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let words = "the content of s3://bucket/day/dt=2026-01-01/a.csv changed";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}
