//! Files that are not what they seem: each is refused with what it is and what to do.

use std::{fs::File, process::Stdio};

use crate::{packed, support::Lab};

/// The refusal of a file, by each command that reads it.
fn refused(lab: &Lab, code: i32, args: &[&str]) -> String {
    let commands: [&[&str]; 4] = [
        &["validate", "--run-dir", "run"],
        &["pack", "--out", "bodies"],
        &["init", "--out", "-"],
        &["import", "--sandbox", "--run-dir", "sandbox"],
    ];
    let refusal = |command: &[&str]| {
        let ran = lab.run(&[command, &["--progress", "off"], args].concat());
        assert_eq!(ran.code, code, "{command:?} {args:?}: {}", ran.stderr);
        ran.stderr
    };
    let all: Vec<String> = commands.into_iter().map(refusal).collect();
    assert!(all.iter().all(|text| *text == all[0]), "{all:#?}");
    all[0].clone()
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn lines_that_end_with_cr_alone_are_no_header() {
    let lab = Lab::new();
    let rows = "C01,1\rC02,2\r".repeat(60_000);
    for (text, byte) in [
        ("customer_id,a\rC01,1\rC02,2\r", 14),
        ("customer_id,a\rC01,1\rC02,2", 14),
        ("\u{feff}customer_id;a,b\rC01;1,2\r", 16),
        ("name,a;b\rC01,1;2\r", 9),
        ("\"customer_id\",\"a\"\r\"C01\",\"1\"\r", 18),
        ("customer_id,a\r\"C01\",1\r", 14),
        ("customer_id,a\rC01,\"1\r", 14),
        ("customer_id,a\r", 14),
        ("customer_id,a\r\r\nC01,1\r\r\n", 14),
        // All of it is longer than a record may be.
        (&format!("customer_id,a\r{rows}"), 14),
    ] {
        lab.write("cr.csv", text);
        for args in [&["cr.csv", "--threads", "1"][..], &["cr.csv"]] {
            let said = refused(&lab, 4, args);
            let at = format!("cr.csv: line 1: byte {byte} of the header is a CR");
            has(&said, &[&at, "files of old Macs", "tr '\\r' '\\n'"]);
            assert!(!said.contains("C01"), "no value is shown: {said}");
        }
    }
    let text = "C01,1\rC02,2\r";
    lab.write("cr.csv", text);
    let args = ["validate", "cr.csv", "--no-header", "--run-dir", "run", "--progress", "off"];
    let ran = lab.run(&args);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    has(&ran.stderr, &["byte 6 of the first record is a CR", "\n1 | X99,9\n"]);

    // What the advice makes of it, and what a CR elsewhere is.
    lab.write("cr.csv", "customer_id,a\rC01,1\rC02,2\r".replace('\r', "\n"));
    lab.write("lf.csv", "customer_id,a\nC01,1\nC02,2\n");
    assert!(packed(&lab, &["cr.csv"]) == packed(&lab, &["lf.csv"]));
    lab.write("cr.csv", "customer_id,\"a\rb\",c\r\nC01,1\r2,\"3\r4\"\r\n");
    let body = String::from_utf8(packed(&lab, &["cr.csv"])).expect("UTF-8");
    has(&body, &[r#""a\rb":"1\r2""#, r#""c":"3\r4""#]);
    // UTF-16 without a mark is something else.
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    lab.write("cr.csv", wide("customer_id,a\r\nC01,1\r\n"));
    has(&refused(&lab, 4, &["cr.csv"]), &["nul-byte"]);
}
