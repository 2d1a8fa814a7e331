//! gzip and zstd, told by content.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::arrow::ArrowWriter;

use crate::{
    gzip, has_spool, missing, packed,
    support::{Lab, Sandbox, UNLIMITED},
    tree, users, zstd,
};

fn parquet(count: i64) -> Vec<u8> {
    let fields = vec![
        Field::new("customer_id", DataType::Utf8, false),
        Field::new("n", DataType::Int64, false),
    ];
    let ids: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..count).map(|at| format!("user-{at}"))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids, numbers]).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

#[test]
fn the_same_bodies_as_of_the_plain_files() {
    let lab = Lab::new();
    let (first, second) = (users(0, 9_000), users(9_000, 4_000));
    lab.write("plain/a.csv", &first);
    lab.write("plain/b.tsv", second.replace(',', "\t"));
    lab.write("plain/c.parquet", parquet(500));
    let plain = packed(&lab, &["plain"]);
    let half = first.find("user-004000").expect("a row");
    let members = [gzip(&first.as_bytes()[..half]), gzip(&first.as_bytes()[half..])].concat();
    let mut frames = vec![0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    frames.extend(zstd(second.replace(',', "\t").as_bytes()));
    for (dir, names) in [
        ("inner", ["a.csv.gz", "b.tsv.zst", "c.parquet.gz"]),
        // Nothing of the names says that they are compressed, and of one nothing what it holds.
        ("content", ["a.csv", "b.tsv", "c.parquet"]),
    ] {
        lab.write(&format!("{dir}/{}", names[0]), &members);
        lab.write(&format!("{dir}/{}", names[1]), &frames);
        lab.write(&format!("{dir}/{}", names[2]), gzip(&parquet(500)));
        for threads in ["1", "2", "7"] {
            assert!(packed(&lab, &[dir, "--threads", threads]) == plain, "{dir}, {threads}");
        }
    }
    lab.write("c", zstd(&parquet(500)));
    let by_content = packed(&lab, &["content/a.csv", "content/b.tsv", "c"]);
    assert!(by_content == plain, "Parquet by its inner first bytes");
    assert!(tree(&lab.path("moebulk-runs")).iter().all(|name| !name.contains("spool")));
}

#[test]
fn reports_rejects_and_messages_name_the_compressed_file() {
    let lab = Lab::new();
    lab.write("users.csv.gz", gzip(b"customer_id,city\nuser-1,Oslo\nnull,Rome\n"));
    let args = ["validate", "users.csv.gz", "--run-dir", "run", "--progress", "off"];
    let ran = lab.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let rejects = String::from_utf8(lab.read("run/rejects.csv")).expect("UTF-8");
    assert!(rejects.contains("users.csv.gz") && !rejects.contains("spool"), "{rejects}");
    let report = String::from_utf8(lab.read("run/report.json")).expect("UTF-8");
    assert!(report.contains("\"users.csv.gz\"") && !report.contains("spool"), "{report}");
    let shown = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(shown.contains("users.csv.gz:3"), "the row is shown in its place: {shown}");
    assert!(!has_spool(&lab, "run"));
}

/// Every command takes away what it unpacked, also where it fails.
#[test]
fn nothing_of_a_spool_stays_behind_validate_pack_and_init() {
    let lab = Lab::new();
    lab.write("users.csv.gz", gzip(users(0, 300).as_bytes()));
    lab.write("bad.csv.gz", gzip(b"name,city\na,b\n"));
    lab.write("cut.csv.gz", &gzip(users(0, 300).as_bytes())[..200]);
    for (input, code) in [("users.csv.gz", 0), ("bad.csv.gz", 2), ("cut.csv.gz", 4)] {
        for command in [
            ["validate", input, "--progress", "off"].as_slice(),
            &["pack", input, "--out", "/dev/null"],
        ] {
            let ran = lab.run(command);
            assert_eq!(ran.code, code, "{command:?}: {}", ran.stderr);
        }
    }
    assert!(tree(&lab.path("moebulk-runs")).iter().all(|name| !name.contains("spool")));
    let lab = Lab::new();
    lab.write("users.csv.gz", gzip(users(0, 300).as_bytes()));
    assert_eq!(lab.run(&["init", "users.csv.gz"]).code, 0);
    lab.write("cut.csv.gz", &gzip(users(0, 300).as_bytes())[..200]);
    assert_eq!(lab.run(&["init", "cut.csv.gz", "--out", "other.toml"]).code, 4);
    assert!(!lab.path("moebulk-runs").exists(), "init has no run directory of its own");
    let made = String::from_utf8(lab.read("moebulk.toml")).expect("UTF-8");
    assert!(made.contains("users.csv.gz"), "{made}");
}

#[test]
fn what_cannot_be_unpacked_is_named_with_its_place() {
    let lab = Lab::new();
    let whole = gzip(users(0, 20_000).as_bytes());
    let half = whole.len() / 2;
    let mut damaged = whole.clone();
    damaged[half] ^= 0x55;
    damaged[half + 1] ^= 0x55;
    let zeros = zstd(&vec![0; 1 << 20]).repeat(200);
    let two = [whole.as_slice(), &whole[..half]].concat();
    for (name, bytes, words) in [
        ("cut.gz", whole[..half].to_vec(), vec!["cut short", "member 1", "byte 0"]),
        ("second.gz", two, vec!["cut short", "member 2", &whole.len().to_string()]),
        ("damaged.gz", damaged, vec!["damaged", "member 1", "copy the file again"]),
        ("rest.gz", [whole.as_slice(), b"rest"].concat(), vec!["behind its last gzip member"]),
        ("bomb.zst", zeros, vec!["1000 times", "bytes hold"]),
        ("twice.gz", gzip(&zstd(b"customer_id\nuser-1\n")), vec!["holds a zstd-compressed file"]),
        ("zip.gz", gzip(b"PK\x03\x04...."), vec!["holds a zip-compressed file"]),
        ("x.csv.xz", b"\xfd7zXZ\0\0\0".to_vec(), vec!["is xz-compressed; decompress it first"]),
        ("x.csv.bz2", b"BZh91AY&SY".to_vec(), vec!["is bzip2-compressed; decompress it first"]),
        ("x.zip", b"PK\x03\x04\x14\0\0\0".to_vec(), vec!["is zip-compressed; decompress it first"]),
    ] {
        lab.write(name, bytes);
        let ran = lab.run(&["validate", name, "--progress", "off"]);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
        for word in [name].iter().chain(&words) {
            assert!(ran.stderr.contains(word), "{name}: {word}: {}", ran.stderr);
        }
    }
    // Zeros behind the last member are padding.
    lab.write("users.csv", users(0, 20_000));
    lab.write("padded.gz", [whole.as_slice(), &[0; 512]].concat());
    assert!(packed(&lab, &["padded.gz"]) == packed(&lab, &["users.csv"]));
}

/// An import that the server stopped keeps what it unpacked; a resume uses it, or makes it again.
#[test]
fn a_resume_uses_the_spool_or_makes_it_again() {
    for lost in ["nothing", "the file", "its note", "a byte of it"] {
        let lab = Lab::new();
        lab.write("users.csv.gz", gzip(users(0, 2_000).as_bytes()));
        // The first body is taken, the next request ends the run.
        let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
        let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--progress", "json"];
        let import = |inputs: &[&str]| {
            let own = ["--run-dir", "run", "--connections", "1"];
            lab.run(&[["import"].as_slice(), inputs, &own, &to, &UNLIMITED].concat())
        };
        let ran = import(&["users.csv.gz"]);
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let spool = tree(&lab.path("run/spool"));
        assert_eq!(spool.len(), 2, "{spool:?}");
        for name in &spool {
            let path = lab.path("run/spool").join(name);
            assert_eq!(fs::metadata(path).expect("metadata").permissions().mode() & 0o777, 0o600);
        }
        let dir = fs::metadata(lab.path("run/spool")).expect("metadata");
        assert_eq!(dir.permissions().mode() & 0o777, 0o700);
        let file = lab.path("run/spool").join(&spool[0]);
        let made = fs::metadata(&file).expect("metadata").modified().expect("a time");
        match lost {
            "the file" => fs::remove_file(&file).expect("removed"),
            "its note" => {
                fs::remove_file(lab.path("run/spool").join(&spool[1])).expect("removed");
            }
            "a byte of it" => {
                let mut bytes = fs::read(&file).expect("read");
                bytes[20_000] ^= 1;
                fs::write(&file, bytes).expect("written");
            }
            _ => {
                // It is used as it is.
                let ran =
                    lab.run(&["import", "--run-dir", "run", "--progress", "off", "--limit", "1"]);
                assert_eq!(ran.code, 2, "another import: {}", ran.stderr);
                let now = fs::metadata(&file).expect("metadata").modified().expect("a time");
                assert_eq!(now, made, "neither made again nor taken away");
            }
        }
        let ran = import(&[]);
        assert_eq!(ran.code, 0, "{lost}: {}", ran.stderr);
        assert_eq!(sandbox.records().len(), 2_000, "{lost}");
        assert!(!has_spool(&lab, "run"), "{lost}");
    }
}

#[test]
fn a_changed_compressed_file_is_no_resume() {
    let lab = Lab::new();
    lab.write("users.csv.gz", gzip(users(0, 2_000).as_bytes()));
    let sandbox = Sandbox::start_with(&lab, &["--answer", "403=Account Suspended:1@1"]);
    let to = ["--endpoint", &sandbox.url, "--app-id", "SANDBOX", "--run-dir", "run"];
    let import = || lab.run(&[["import", "users.csv.gz"].as_slice(), &to, &UNLIMITED].concat());
    assert_eq!(import().code, 3);
    lab.write("users.csv.gz", gzip(users(1, 2_000).as_bytes()));
    let ran = import();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("the content of users.csv.gz changed"), "{}", ran.stderr);
    lab.write("users.csv.gz", gzip(users(0, 2_000).as_bytes()));
    assert_eq!(import().code, 0);
    assert_eq!(sandbox.records().len(), 2_000);
}

#[test]
fn a_full_disk_says_what_it_needs() {
    let lab = Lab::new();
    lab.write("big.csv.gz", gzip(users(0, 300_000).as_bytes()));
    fs::create_dir(lab.path("disk")).expect("a directory");
    let disk = lab.path("disk");
    let run = |program: &str, args: &[&str]| {
        let command = Command::new(program).args(args).arg(&disk).stderr(Stdio::null()).status();
        command.is_ok_and(|status| status.success())
    };
    if !run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs"]) {
        missing::skip("a full disk", "a tmpfs can't be mounted here, which needs root");
        return;
    }
    let ran = lab.run(&["validate", "big.csv.gz", "--run-dir", "disk/run", "--progress", "off"]);
    let left = has_spool(&lab, "disk/run");
    assert!(run("umount", &[]), "it is not in use any more");
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    for words in ["No space left", "what big.csv.gz holds takes", "in all; make room", "--run-dir"]
    {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert!(!left, "what did not fit does not stay");
}
