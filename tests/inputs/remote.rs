//! Objects of S3 and of plain servers, read from a server that counts what it serves.

use std::{fs::File, process::Stdio, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    file::{metadata::ParquetMetaDataReader, properties::WriterProperties},
};

use crate::{
    gzip, has_spool, packed,
    server::{Rules, Server},
    support::{Lab, Ran, Sandbox, UNLIMITED},
    tree, users, zstd,
};

fn run(lab: &Lab, server: &Server, args: &[&str]) -> Ran {
    let environment = server.s3();
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ran = lab.run_with(args, Stdio::null(), &environment);
    for text in [&ran.stderr, &String::from_utf8_lossy(&ran.stdout).into_owned()] {
        assert!(!text.contains("topsecret") && !text.contains("SIGNATURE"), "{text}");
    }
    ran
}

/// Packs, and gives the bodies.
fn bodies(lab: &Lab, server: &Server, args: &[&str]) -> Vec<u8> {
    let out = ["--out", "bodies", "--progress", "off"];
    let ran = run(lab, server, &[["pack"].as_slice(), args, &out, &UNLIMITED].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    lab.read("bodies")
}

/// Columns `customer_id`, `a` to `d`, in row groups, not compressed.
fn parquet(rows: usize) -> Vec<u8> {
    let names = ["customer_id", "a", "b", "c", "d"];
    let fields = names.map(|name| Field::new(name, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let column = |name: &str| -> ArrayRef {
        let value = |row: usize| format!("{name}-{row:07}-{}", "x".repeat(20));
        Arc::new(StringArray::from_iter_values((0..rows).map(value)))
    };
    let columns = names.map(column).to_vec();
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_max_row_group_row_count(Some(rows / 3))
        .set_data_page_size_limit(20_000)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

#[test]
fn objects_prefixes_and_patterns_give_the_bodies_of_the_files() {
    let (lab, server) = (Lab::new(), Server::start(Rules { page: 2, ..Rules::default() }));
    let files = [
        ("day/dt=1/a b.csv", users(0, 30_000).into_bytes()),
        ("day/dt=1/b.csv.gz", gzip(users(30_000, 400).as_bytes())),
        ("day/dt=2/c.parquet", parquet(3_000)),
        ("day/dt=2/d.csv.zst", zstd(users(50_000, 10).as_bytes())),
        ("day/dt=2/e%41.csv", users(60_000, 10).into_bytes()),
    ];
    for (key, bytes) in &files {
        lab.write(key, bytes);
        server.put(&format!("/bucket/{key}"), bytes.clone());
    }
    for key in
        ["day/_SUCCESS", "day/dt=1/.crc.csv", "day/_tmp/x.csv", "day/notes.txt", "dayx/z.csv"]
    {
        server.put(&format!("/bucket/{key}"), "no table\n");
    }
    let plain = packed(&lab, &["day"]);
    for inputs in ["s3://bucket/day/", "s3://bucket/day", "s3://bucket/day/dt=*/[a-e]*"] {
        for threads in ["1", "3"] {
            assert!(bodies(&lab, &server, &[inputs, "--threads", threads]) == plain, "{inputs}");
        }
    }
    let one =
        bodies(&lab, &server, &["s3://bucket/day/dt=1/a b.csv", "s3://bucket/day/dt=2/e%41.csv"]);
    assert!(one == packed(&lab, &["day/dt=1/a b.csv", "day/dt=2/e%41.csv"]));
    let mapping = "[columns]\ncustomer_id = { to = 'customer_id' }\ndt = { attribute = 'd' }\n";
    lab.write("map.toml", mapping);
    let mapped = bodies(&lab, &server, &["s3://bucket/day/", "--mapping", "map.toml"]);
    assert!(mapped == packed(&lab, &["day", "--mapping", "map.toml"]), "partitions");
    assert!(tree(&lab.path("moebulk-runs")).iter().all(|name| !name.contains("spool")));
    // What is read is named by its URL.
    server.put("/bucket/bad.csv", "customer_id,n\nnull,1\n");
    let args = ["validate", "s3://bucket/bad.csv", "--run-dir", "run", "--progress", "off"];
    assert_eq!(run(&lab, &server, &args).code, 1);
    let rejects = String::from_utf8(lab.read("run/rejects.csv")).expect("UTF-8");
    assert!(rejects.contains("null,1,s3://bucket/bad.csv,1,2,"), "{rejects}");
}

#[test]
fn of_parquet_the_footer_and_the_mapped_columns_travel() {
    let (lab, server) = (Lab::new(), Server::start(Rules::default()));
    let file = parquet(60_000);
    lab.write("f.parquet", &file);
    server.put("/bucket/f.parquet", file.clone());
    let mapping = "[columns]\ncustomer_id = { to = 'customer_id' }\nc = { attribute = 'c' }\n";
    lab.write("map.toml", mapping);
    let expected = packed(&lab, &["f.parquet", "--mapping", "map.toml"]);
    server.asked();
    let found = bodies(&lab, &server, &["s3://bucket/f.parquet", "--mapping", "map.toml"]);
    assert!(found == expected);
    let asked = server.asked();
    let served: u64 = asked.iter().map(|asked| asked.served).sum();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(file.clone()));
    let metadata = metadata.expect("a footer");
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let mapped = chunks.filter(|chunk| ["customer_id", "c"].contains(&chunk.column_descr().name()));
    let mapped: u64 = mapped.map(|chunk| chunk.byte_range().1).sum();
    // The footer, which is looked at by its end first, and 1 KiB behind a chunk for a page header.
    let least = mapped..mapped + 20_000;
    assert!(least.contains(&served), "{served}, {mapped} of {}", file.len());
    assert!(asked.len() < 40, "{} requests", asked.len());
    for one in asked.iter().filter(|one| one.target.contains("f.parquet")).skip(1) {
        assert!(one.headers.contains_key("if-match"), "{one:?}");
        assert!(one.headers.contains_key("range"), "{one:?}");
        assert!(one.headers["authorization"].starts_with("AWS4-HMAC-SHA256"), "{one:?}");
    }
}

#[test]
fn csv_is_asked_for_ahead_in_parts_that_grow() {
    let (lab, server) = (Lab::new(), Server::start(Rules::default()));
    let text = users(0, 700_000);
    lab.write("f.csv", &text);
    server.put("/f.csv", text.clone());
    let expected = packed(&lab, &["f.csv", "--kind", "users"]);
    server.asked();
    let url = server.url("/f.csv");
    assert!(bodies(&lab, &server, &[&url, "--kind", "users"]) == expected);
    let asked = server.asked();
    let largest = asked.iter().map(|asked| asked.served).max().expect("some");
    assert!((4 << 20..=8 << 20).contains(&largest), "{largest} of {}", text.len());
    let served: u64 = asked.iter().map(|asked| asked.served).sum();
    // Each pass reads a little of the front again, where the strict reader has been.
    assert!(served < 2 * text.len() as u64 + (8 << 20), "two passes: {served}");
    assert!(asked.iter().all(|asked| asked.method == "GET"), "nobody needs HEAD");
}

/// An import whose object is another one when it goes on.
#[test]
fn a_changed_object_is_refused_by_name() {
    let (lab, server) = (Lab::new(), Server::start(Rules::default()));
    let (old, new) = (users(0, 2_000), users(1, 2_000));
    server.put("/bucket/u.csv", old.clone());
    let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--progress", "off"];
    let own = ["--run-dir", "run", "--connections", "1"];
    let import = |inputs: &[&str]| {
        run(&lab, &server, &[["import"].as_slice(), inputs, &to, &own, &UNLIMITED].concat())
    };
    assert_eq!(import(&["s3://bucket/u.csv"]).code, 3);
    server.put("/bucket/u.csv", new.clone());
    let ran = import(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("the content of s3://bucket/u.csv changed"), "{}", ran.stderr);
    server.put("/bucket/u.csv", old.clone());
    assert_eq!(import(&[]).code, 0);
    assert_eq!(sandbox.records().len(), 2_000);
    // In the middle of a run.
    for requests in 1..=4 {
        server.put("/bucket/u.csv", old.clone());
        let change = (requests, "/bucket/u.csv".to_owned(), new.clone().into_bytes());
        server.rules(|rules| rules.changes = Some(change));
        let ran = run(&lab, &server, &["validate", "s3://bucket/u.csv", "--progress", "off"]);
        server.rules(|rules| rules.changes = None);
        if ran.code != 0 {
            assert_eq!(ran.code, 4, "{}", ran.stderr);
            let words = "the file changed while";
            assert!(ran.stderr.contains("s3://bucket/u.csv: "), "{}", ran.stderr);
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        } else {
            assert!(requests > 1, "a change before the first read is found");
        }
    }
}

#[test]
fn a_cut_connection_is_tried_again_and_then_named() {
    for no_versions in [false, true] {
        let (lab, server) = (Lab::new(), Server::start(Rules { no_versions, ..Rules::default() }));
        let text = users(0, 40_000);
        lab.write("f.csv", &text);
        server.put("/f.csv", text);
        let expected = packed(&lab, &["f.csv"]);
        server.rules(|rules| rules.cuts = 2);
        let url = server.url("/f.csv");
        assert!(bodies(&lab, &server, &[&url]) == expected);
        server.rules(|rules| {
            assert_eq!(rules.cuts, 0, "they were cut");
            rules.cuts = usize::MAX;
        });
        let ran = run(&lab, &server, &["validate", &url, "--progress", "off"]);
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        // At the first look at it, or when it is read.
        for words in [format!("{url}: ").as_str(), "it failed after several tries"] {
            assert!(ran.stderr.contains(words), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_server_without_ranges_gives_all_of_it_once() {
    for no_versions in [false, true] {
        let rules = Rules { no_ranges: true, no_versions, ..Rules::default() };
        let (lab, server) = (Lab::new(), Server::start(rules));
        let text = users(0, 3_000);
        lab.write("f.csv", &text);
        server.put("/f.csv", text.clone());
        server.put("/f.csv.gz", gzip(text.as_bytes()));
        server.put("/f", parquet(300));
        let expected = packed(&lab, &["f.csv"]);
        for path in ["/f.csv", "/f.csv.gz"] {
            assert!(bodies(&lab, &server, &[&server.url(path)]) == expected, "{path}");
        }
        lab.write("f.parquet", parquet(300));
        assert!(bodies(&lab, &server, &[&server.url("/f")]) == packed(&lab, &["f.parquet"]));

        let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--progress", "off"];
        let own = ["--run-dir", "run", "--connections", "1"];
        let url = server.url("/f.csv?X-SIGNATURE=secret");
        let import = |inputs: &[&str]| {
            run(&lab, &server, &[["import"].as_slice(), inputs, &to, &own, &UNLIMITED].concat())
        };
        let ran = import(&[&url]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert!(has_spool(&lab, "run"));
        let ran = import(&[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(sandbox.records().len(), 3_000);
        assert!(!has_spool(&lab, "run"));
        let report = String::from_utf8(lab.read("run/report.json")).expect("UTF-8");
        assert!(
            report.contains(&server.url("/f.csv\"")) && !report.contains("SIGNATURE"),
            "{report}"
        );
    }
}

#[test]
fn what_a_store_refuses_is_said_in_plain_words() {
    let lab = Lab::new();
    let server = Server::start(Rules::default());
    server.put("/bucket/u.csv", users(0, 3));
    server.put("/bucket/empty.csv", "");
    let dead = File::open("/dev/null").map(|_| "http://127.0.0.1:9").expect("a name");
    let own: Vec<(String, String)> = server.s3();
    let without = |left_out: &str, more: &[(&str, &str)]| -> Vec<(String, String)> {
        let kept = own.iter().filter(|(name, _)| !name.contains(left_out)).cloned();
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        kept.chain(more).collect()
    };
    let no_keys = without("KEY", &[("AWS_METADATA_ENDPOINT", dead)]);
    for (refuses, url, environment, words) in [
        (None, "s3://bucket/none.csv", &own, vec!["there is no such object"]),
        (None, "s3://nobucket/u.csv", &own, vec!["there is no such bucket"]),
        (None, "s3://bucket/none/", &own, vec!["s3://bucket/none/: the directory holds no"]),
        (None, "s3://bucket/no*.csv", &own, vec!["the pattern matches no file"]),
        (None, "s3://bucket/empty.csv", &own, vec!["s3://bucket/empty.csv: ", "empty"]),
        (None, "s3://bucket/u.csv", &no_keys, vec!["no credentials", "AWS_ACCESS_KEY_ID"]),
        (
            Some((403, "InvalidAccessKeyId")),
            "s3://bucket/u.csv",
            &own,
            vec!["does not let these credentials read it (InvalidAccessKeyId)"],
        ),
        (Some((403, "AccessDenied")), "s3://bucket/", &own, vec!["may read and list it"]),
        (Some((301, "PermanentRedirect")), "s3://bucket/u.csv", &own, vec!["set AWS_REGION"]),
        (
            Some((400, "AuthorizationHeaderMalformed")),
            "s3://bucket/u.csv",
            &own,
            vec!["set AWS_REGION"],
        ),
        (Some((503, "SlowDown")), "s3://bucket/u.csv", &own, vec!["after several tries", "503"]),
        (None, "ftp://host/u.csv", &own, vec!["inputs are read from s3://"]),
        (None, "http://example.com/u.csv", &own, vec!["use https://"]),
        (
            None,
            "https://no-such-host.invalid/u.csv",
            &own,
            vec!["https://no-such-host.invalid/u.csv: "],
        ),
    ] {
        server.rules(|rules| rules.refuses = refuses);
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let ran =
            lab.run_with(&["validate", url, "--progress", "off"], Stdio::null(), &environment);
        assert_eq!(ran.code, 4, "{url}: {}", ran.stderr);
        assert!(ran.stderr.contains(url.trim_end_matches('/')), "{url}: {}", ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{url}: {word}: {}", ran.stderr);
        }
        assert!(
            !ran.stderr.contains("topsecret") && !ran.stderr.contains("AKID"),
            "{}",
            ran.stderr
        );
    }
}
