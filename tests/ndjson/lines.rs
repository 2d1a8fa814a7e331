//! What a line may be: an object, nothing, or damage that ends with its line.

use crate::{
    attributes, codes, pack, rows_by_code,
    support::{Json, Lab},
};

const SOUND: &str = r#"{"customer_id":"sound-1","a":"x"}"#;

#[test]
fn what_is_no_object_is_one_rejected_line_and_reading_goes_on() {
    let lines: [&[u8]; 14] = [
        br#"{"customer_id":"sound-0","a":"x"}"#,
        b"[{\"customer_id\":\"in-array\"}]",
        b"17",
        b"\"text\"",
        b"null",
        b"{\"customer_id\":\"two-1\"} {\"customer_id\":\"two-2\"}",
        b"{\"customer_id\":\"bad\xff\"}",
        br#"{"customer_id":"one","customer_id":"two"}"#,
        br#"{"customer_id":"esc","\u0061":1,"a":2}"#,
        b"{customer_id:'no json'}",
        b"{\"customer_id\":\"raw\ttab\"}",
        br#"{"customer_id":"cut","a":"#,
        br#"{"\ud800":1}"#,
        SOUND.as_bytes(),
    ];
    let (lab, report, elements) = pack(1, lines.join(&b'\n'), &[]);
    assert_eq!(report["rows"]["read"], 14);
    let found = rows_by_code(&report, "reject");
    let expected: [(&str, &[u64]); 7] = [
        ("json-cut-off", &[12]),
        ("json-not-object", &[2, 3, 4, 5]),
        ("json-surrogate", &[13]),
        ("json-syntax", &[10, 11]),
        ("json-trailing", &[6]),
        ("invalid-utf8", &[7]),
        ("object-key-twice", &[8, 9]),
    ];
    assert_eq!(found, codes(&expected));
    let kept = attributes(&elements);
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["sound-0", "sound-1"]);
    // Every damaged line stands in damaged.txt, byte for byte.
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let damaged = lab.read(&format!("{run_dir}/damaged.txt"));
    for line in &lines[1..13] {
        let ending = [b"\n", *line, b"\n"].concat();
        let found = damaged.windows(ending.len()).any(|part| part == ending);
        assert!(found, "{}", String::from_utf8_lossy(line));
    }
    let head = b"# rows.ndjson, data row 7, line 7: invalid-utf8: ";
    assert!(damaged.windows(head.len()).any(|part| part == head));
}

#[test]
fn blank_lines_are_no_rows_and_every_line_end_and_a_mark_are_taken() {
    let text = "\u{feff}\r\n{\"customer_id\":\"u-1\"}\r\n\n \t \n{\"customer_id\":\"u-2\"}\n{\"customer_id\":\"u-3\",\"a\":\"last\"}";
    let (_, report, elements) = pack(0, text, &[]);
    assert_eq!((&report["rows"]["read"], elements.len()), (&3.into(), 3));
    let (_, report, _) = pack(1, format!("{text}\r\n\r\n{{}}\r\n"), &[]);
    let problem = &report["problems"][0];
    assert_eq!(problem["code"], "id-missing");
    assert_eq!(problem["first"][0]["row"], 4);
    assert_eq!(problem["first"][0]["line"], 8, "{problem}");
}

#[test]
fn a_last_line_that_is_cut_off_is_no_row() {
    for cut in 1..SOUND.len() {
        let text = format!("{}\n{}", SOUND.replace('1', "0"), &SOUND[..cut]);
        let (_, report, elements) = pack(1, text, &[]);
        assert_eq!(rows_by_code(&report, "reject"), codes(&[("json-cut-off", &[2])]), "{cut}");
        assert_eq!(elements.len(), 1);
    }
}

#[test]
fn a_line_longer_than_the_limit_is_passed_over_whatever_its_length() {
    let long = |len: usize| {
        let head = "{\"customer_id\":\"long\",\"a\":\"";
        format!("{head}{}\"}}", "y".repeat(len - head.len() - 2))
    };
    for (len, fits) in [(1_000, true), (1_001, false), (300_000, false), (2_000_000, false)] {
        for end in ["\n", "\r\n"] {
            let text = [SOUND, &long(len), &SOUND.replace('1', "2"), ""].join(end);
            let args = ["--max-record-bytes", "1000"];
            let (lab, report, elements) = pack(i32::from(!fits), text, &args);
            assert_eq!(report["rows"]["read"], 3, "{len}");
            assert_eq!(elements.len(), if fits { 3 } else { 2 }, "{len}");
            if !fits {
                assert_eq!(rows_by_code(&report, "reject"), codes(&[("record-too-long", &[2])]));
                let path = format!("{}/damaged.txt", report["run_dir"].as_str().expect("text"));
                let damaged = String::from_utf8(lab.read(&path)).expect("UTF-8");
                assert!(damaged.contains(&format!("the line has {len} bytes")), "{damaged:.200}");
                assert!(damaged.contains(&format!("\n{}\n", &long(len)[..1_000])));
            }
        }
    }
}

#[test]
fn a_file_without_an_object_says_what_is_wrong() {
    for (text, words) in [
        ("", "is empty"),
        ("\n \r\n", "is empty"),
        ("[{\"customer_id\": \"u-1\"}]\n", "no line is a JSON object (line 1: json-not-object"),
        ("{\n  \"customer_id\": \"u-1\"\n}\n", "one object on each line"),
    ] {
        let lab = Lab::new();
        lab.write("rows.ndjson", text);
        let ran = lab.run(&["validate", "rows.ndjson"]);
        assert_eq!(ran.code, 4, "{text:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{text:?}: {}", ran.stderr);
    }
}

#[test]
fn the_format_is_told_by_the_name_or_by_the_first_byte() {
    let lab = Lab::new();
    for name in ["a.ndjson", "b.jsonl", "c.JSONL", "d.json", "e"] {
        lab.write(name, format!("\u{feff}\n  {SOUND}\n"));
        let (_, elements) = lab.pack(0, &[name]);
        assert_eq!(elements[0].get("customer_id"), &Json::text("sound-1"), "{name}");
    }
    lab.write("dir/one.ndjson", SOUND);
    lab.write("dir/two.jsonl", SOUND);
    lab.write("dir/three.txt", SOUND);
    let (_, elements) = lab.pack(0, &["dir"]);
    assert_eq!(elements.len(), 2);
}

/// It is read in pieces, and the two bytes of a line end may lie on both sides of a cut.
#[test]
fn a_line_that_is_too_long_ends_wherever_it_is_cut() {
    const CUT: usize = 2 << 20;
    for bytes in [CUT - 2, CUT - 1, CUT, CUT + 256 * 1024 - 1] {
        for end in ["\n", "\r\n"] {
            let long = "x".repeat(bytes);
            let (lab, report, elements) = pack(1, format!("{long}{end}{SOUND}{end}"), &[]);
            let case = format!("{bytes} {end:?}");
            assert_eq!((&report["rows"]["read"], elements.len()), (&2.into(), 1), "{case}");
            assert_eq!(rows_by_code(&report, "reject"), codes(&[("record-too-long", &[1])]));
            let run_dir = report["run_dir"].as_str().expect("a directory");
            let damaged = lab.read(&format!("{run_dir}/damaged.txt"));
            let damaged = String::from_utf8_lossy(&damaged);
            let head = damaged.lines().next().unwrap_or_default();
            assert!(head.contains(&format!(" {bytes} bytes")), "{case}: {head}");
        }
    }
}
