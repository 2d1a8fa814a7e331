//! What is wrong is shown in its place: the line of the file with the cell underlined, masked unless
//! values were asked for; the key of a mapping with what was probably meant.

#[path = "common/support.rs"]
#[expect(dead_code, reason = "other suites need more of it")]
mod support;

use std::process::{Command, Output};

use support::{Lab, UNLIMITED};

fn moebulk(lab: &Lab, environment: &[(&str, &str)], args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_moebulk"))
        .current_dir(lab.path(""))
        .env_clear()
        .env("HOME", lab.path(""))
        .envs(environment.iter().copied())
        .args(args)
        .output()
        .expect("the binary runs")
}

/// The rows that the summary of a check shows, in a pipe that is 80 columns wide.
fn shown(lab: &Lab, args: &[&str]) -> String {
    let args = [&["validate", "--run-dir", "run"], args].concat();
    let output = moebulk(lab, &[("COLUMNS", "80")], &args);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("\nproblems\n"), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let rows = text.split_once("\n\nreject[").map(|(_, rest)| format!("reject[{rest}"));
    let rows = rows
        .or_else(|| text.split_once("\n\nwarning[").map(|(_, rest)| format!("warning[{rest}")))
        .unwrap_or_else(|| panic!("no row is shown: {text}"));
    rows.split("\n\nnext\n").next().expect("the rows").to_owned()
}

/// What a command says that does not begin.
fn refused(lab: &Lab, code: i32, args: &[&str]) -> String {
    let output = moebulk(lab, &[("COLUMNS", "80")], args);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

const MAPPING: &str = "[columns]\ncustomer_id = {}\nn = { type = \"double\" }\n\
                       when = { type = \"datetime\", format = \"DD/MM/YYYY\" }\n";

fn lab(csv: impl AsRef<[u8]>) -> Lab {
    let lab = Lab::new();
    lab.write("u.csv", csv);
    lab.write("m.toml", MAPPING);
    lab
}

const MAPPED: [&str; 3] = ["u.csv", "--mapping", "m.toml"];

#[test]
fn the_first_row_of_each_kind_is_shown_masked_unless_values_are_asked_for() {
    let csv =
        "customer_id,n,when\r\nAda-1,1O5,01/02/2026\r\nBob-2,\"x,1\",31/04/2026\r\nEve-3,4\r\n";
    let lab = lab(csv);
    assert_eq!(
        shown(&lab, &MAPPED),
        "\
reject[type-number]: the cell is not a number
 --> u.csv:2:7
  |
2 | Xxx-9,9X9,99/99/9999
  |       ^^^ column `n`
  |
  = help: write digits with a point for decimals and nothing else, or map the column as string

reject[field-count]: the record has another number of fields than the header
 --> u.csv:4:8
  |
4 | Xxx-9,9
  |        ^ 2 fields, the header has 3
  |
  = help: quote cells that hold the delimiter

reject[type-datetime]: the cell is not a date or date-time of the expected format
 --> u.csv:3:13
  |
3 | Xxx-9,\"x,9\",99/99/9999
  |             ^^^^^^^^^^ column `when`: expected DD/MM/YYYY
  |
  = help: use a real calendar date, or set the format in the mapping"
    );
    let values = shown(&lab, &[&MAPPED[..], &["--show-values"]].concat());
    assert!(
        values.starts_with(
            "\
reject[type-number]: the cell is not a number
 --> u.csv:2:7
  |
2 | Ada-1,1O5,01/02/2026
  |       ^^^ column `n`: found \"1O5\"
"
        ),
        "{values}"
    );
    assert!(values.contains("\n3 | Bob-2,\"x,1\",31/04/2026\n"), "{values}");
}

#[test]
fn an_import_shows_them_too() {
    let lab = lab("customer_id,n,when\nuser-1,2,01/02/2026\nuser-2,two,\n");
    let args = [&["import", "--sandbox"], &MAPPED[..], &UNLIMITED].concat();
    let output = moebulk(&lab, &[], &args);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("\n3 | xxxx-9,xxx,\n  |        ^^^ column `n`\n"), "{text}");
}

/// What was inferred has its odd ones out among the rows, though they are sent.
#[test]
fn a_value_that_keeps_a_column_from_its_type_is_shown() {
    let mut csv = "customer_id,age\n".to_owned();
    (0..200).for_each(|row| csv += &format!("user-{row},{}\n", row + 20));
    csv += "user-200,4O\n";
    let lab = lab(csv);
    let text = shown(&lab, &["u.csv"]);
    assert!(text.starts_with("warning[type-minority]: "), "{text}");
    assert!(text.contains("\n   --> u.csv:202:10\n"), "{text}");
    assert!(text.contains("\n202 | xxxx-999,9X\n    |          ^^ column `age`\n"), "{text}");
}

#[test]
fn the_underline_stands_below_tabs_and_wide_characters() {
    let lab = lab("customer_id\tn\twhen\nuser\t1x\t\n");
    let text = shown(&lab, &MAPPED);
    assert!(text.contains("\n --> u.csv:2:6\n"), "{text}");
    assert!(
        text.contains("\n2 | xxxx    9x    \n  |         ^^ column `n`\n")
            || text.contains("\n2 | xxxx    9x\n  |         ^^ column `n`\n"),
        "{text}"
    );
    lab.write("u.csv", "customer_id,n,when\n東京🎉é,一,\n");
    let text = shown(&lab, &[&MAPPED[..], &["--show-values"]].concat());
    assert!(text.contains("\n --> u.csv:2:6\n"), "{text}");
    assert!(
        text.contains("\n2 | 東京🎉é,一,\n  |         ^^ column `n`: found \"一\"\n"),
        "{text}"
    );
    let text = shown(&lab, &MAPPED);
    assert!(text.contains("\n2 | xxxx,x,\n  |      ^ column `n`\n"), "{text}");
}

#[test]
fn a_cell_of_more_lines_is_shown_in_its_lines() {
    let lab = lab("customer_id,n,when\n\"user\n1\",\"2\n3\",\n");
    let text = shown(&lab, &MAPPED);
    assert!(
        text.contains(
            "\
 --> u.csv:3:4
  |
3 |   9\",\"9
  |  ____^
4 | | 9\",
  | |__^ column `n`
"
        ),
        "{text}"
    );
    let many = "7\n".repeat(40);
    lab.write("u.csv", format!("customer_id,n,when\nuser,\"{many}\",\n"));
    let text = shown(&lab, &MAPPED);
    assert_eq!(text.lines().filter(|line| line.contains("| 9")).count(), 2, "{text}");
}

#[test]
fn a_long_line_is_cut_around_its_cell() {
    let (before, behind) = ("b".repeat(3_000), "c".repeat(3_000));
    let lab = lab(format!("customer_id,n,when\n{before},12a,{behind}\n"));
    let text = shown(&lab, &MAPPED);
    let lines: Vec<&str> = text.lines().take(5).collect();
    assert_eq!(lines[1], " --> u.csv:2:3002");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    assert!(lines[3].starts_with("2 | ...xxx") && lines[3].ends_with("xxx..."), "{text}");
    let at = lines[3].find(",99x,").expect("the cell") + 1;
    assert_eq!(lines[4].find("^^^ column `n`"), Some(at), "{text}");
}

/// A cell may be longer than all of what is kept before one.
#[test]
fn a_long_cell_is_shown_by_its_start() {
    for chars in [60_000, 65_533, 65_536, 70_000, 900_000] {
        let lab = lab(format!("customer_id,n,when\nC01,{},\n", "x".repeat(chars)));
        let text = shown(&lab, &MAPPED);
        let lines: Vec<&str> = text.lines().take(5).collect();
        assert_eq!(lines[1], " --> u.csv:2:5", "{text}");
        assert!(lines[3].starts_with("2 | X99,xxxxxxxxxxx"), "{text}");
        assert!(lines[3].ends_with("...") && lines[4].starts_with("  |     ^^^^^^^^^^^"), "{text}");
        assert!(text.contains("column `n`"), "{text}");
    }
    // One that begins further to the right is named.
    let lab = lab(format!("customer_id,when,n\n{},,12a\n", "b".repeat(70_000)));
    let text = shown(&lab, &MAPPED);
    assert!(text.contains("--> u.csv: line 2, column `n`"), "{text}");
}

#[test]
fn a_place_in_another_encoding_is_one_in_its_text() {
    let csv = "customer_id,n,when\r\nJosé,1é,\r\n";
    let utf_16 = |csv: &str| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(csv.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let lab = lab(utf_16(csv));
    let expected = "\n --> u.csv:2:6\n  |\n2 | Xxxx,9x,\n  |      ^^ column `n`\n";
    assert!(shown(&lab, &MAPPED).contains(expected));
    let latin_1: Vec<u8> = csv.chars().map(|c| c as u8).collect();
    lab.write("u.csv", latin_1);
    let text = shown(&lab, &[&MAPPED[..], &["--encoding", "latin-1"]].concat());
    assert!(text.contains(expected), "{text}");
}

#[test]
fn bytes_that_are_no_text_are_shown_as_such() {
    let lab = lab(b"customer_id,n,when\nJos\xe9,1,\nuser-2,1\0,\nuser-3,1,\x1b[31m\n");
    assert_eq!(
        shown(&lab, &MAPPED),
        "\
reject[invalid-utf8]: the record is not UTF-8
 --> u.csv:2:4
  |
2 | Xxx\u{fffd},9,
  |    ^ byte 4 of the record is not UTF-8
  |
  = help: save the file as UTF-8, or of CSV name what it is, such as --encoding windows-1252

reject[nul-byte]: the record holds a NUL byte
 --> u.csv:3:9
  |
3 | xxxx-9,9 ,
  |         ^ byte 9 of the record is NUL
  |
  = help: export the file again as plain text, or name its encoding, such as --encoding utf-16le

reject[type-datetime]: the cell is not a date or date-time of the expected format
 --> u.csv:4:10
  |
4 | xxxx-9,9, [99x
  |          ^^^^^ column `when`: expected DD/MM/YYYY
  |
  = help: use a real calendar date, or set the format in the mapping"
    );
    let values = shown(&lab, &[&MAPPED[..], &["--show-values"]].concat());
    assert!(values.contains("\n3 | user-2,1␀,\n"), "{values}");
    assert!(values.contains("\n4 | user-3,1,␛[31m\n"), "{values}");
    assert!(!values.contains('\u{1b}'), "{values}");
    lab.write("u.csv", b"customer_id,n,when\nJos\x81\xe9,1,\n");
    let text = shown(&lab, &[&MAPPED[..], &["--encoding", "windows-1252"]].concat());
    assert!(text.contains("\n2 | Xxx\u{fffd}x,9,\n  |    ^ byte 4 of the record"), "{text}");
}

#[test]
fn broken_quoting_is_shown_where_it_breaks() {
    let lab = lab("");
    for (row, expected) in [
        ("user-1,1,a \"b\" c", "\n --> u.csv:2:12\n  |\n2 | xxxx-9,9,x \"x\" x\n  |            ^ "),
        ("user-2,1,\"b\"é", "\n --> u.csv:2:13\n  |\n2 | xxxx-9,9,\"x\"x\n  |             ^"),
        ("user-3,\"1,", "\n --> u.csv:2:8\n  |\n2 | xxxx-9,\"9,\n  |        ^^^\n"),
    ] {
        lab.write("u.csv", format!("customer_id,n,when\n{row}\n"));
        let text = shown(&lab, &MAPPED);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_row_of_parquet_is_named_by_its_place() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, RecordBatch, StringArray};
    let lab = Lab::new();
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["user-1", "user-2", ""]));
    let batch = RecordBatch::try_from_iter([("customer_id", ids)]).expect("a batch");
    let file = std::fs::File::create(lab.path("u.parquet")).expect("a file");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a footer");
    assert_eq!(
        shown(&lab, &["u.parquet"]),
        "\
reject[id-missing]: the customer_id is empty
--> u.parquet: row group 0, row 3, column `customer_id`
 = help: every row needs one, or another identifier where the mapping names one"
    );
}

#[test]
fn a_header_that_cannot_be_used_is_shown() {
    let lab = lab("customer_id,n,when,n\nuser-1,1,,1\n");
    assert_eq!(
        refused(&lab, 4, &["validate", "u.csv"]),
        "\
moebulk: u.csv: line 1: columns 2 and 4 are both named `n`
 --> u.csv:1:20
  |
1 | customer_id,n,when,n
  |             -      ^ the second
  |             |
  |             the first
  |
  = help: rename one of them
"
    );
    for (csv, expected) in [
        ("customer_id,,b\n", "\n1 | customer_id,,b\n  |             ^ no name\n"),
        ("\n\ncustomer_id,\"a\" b\n", "\n3 | customer_id,\"a\" b\n  |                ^\n"),
        ("customer_id,\"a\nAda,1\n", "\n1 | customer_id,\"a\n  |             ^^\n"),
        ("customer_id,\"a\nAda,b\"1\n", "\n2 | Xxx,x\"9\n  |       ^\n"),
    ] {
        lab.write("u.csv", csv);
        let text = refused(&lab, 4, &["validate", "u.csv"]);
        assert!(text.contains(expected), "{text}");
    }
    // Without a header the first record is one of the rows.
    lab.write("u.csv", "Ada,\"1\" b\n");
    let text = refused(&lab, 4, &["validate", "u.csv", "--no-header"]);
    assert!(text.contains("\n1 | Xxx,\"9\" x\n  |        ^\n"), "{text}");
    lab.write("u.csv", "User Id,mail\nuser-1,a\n");
    let text = refused(&lab, 2, &["validate", "u.csv"]);
    assert!(text.contains("\n1 | User Id,mail\n  | ^^^^^^^ did you mean this?\n"), "{text}");
    lab.write("u.csv", "name,mail\nuser-1,a\n");
    let text = refused(&lab, 2, &["validate", "u.csv"]);
    assert!(text.contains("\n1 | name,mail\n  | ^^^^^^^^^ no customer_id among these\n"), "{text}");
}

#[test]
fn a_column_that_the_mapping_misspells_is_shown_in_both_files() {
    let lab = Lab::new();
    lab.write("u.csv", "customer_id,email\nuser-1,a\n");
    lab.write("m.toml", "# ours\n[columns]\ncustomer_id = {}\nemial = { type = \"string\" }\n");
    let text = "  |
 ::: u.csv:1:13
  |
1 | customer_id,email
  |             ----- did you mean this?
  |
  = help: did you mean `email`? (its columns are customer_id, email); correct the mapping, or have it skip that column
";
    assert_eq!(
        refused(&lab, 2, &["validate", "u.csv", "--mapping", "m.toml"]),
        format!(
            "\
moebulk: u.csv: the mapping's column `emial` is not in the file
 --> m.toml:4:1
  |
4 | emial = {{ type = \"string\" }}
  | ^^^^^ unknown column
{text}"
        )
    );
    lab.write(
        "m.json",
        "{\"mapping\":[{\"column\":\"customer_id\",\"moe_attr\":\"uid\"},\n\
         {\"column\":\"emial\",\"moe_attr\":\"email\"}]}",
    );
    assert_eq!(
        refused(&lab, 2, &["validate", "u.csv", "--mapping", "m.json"]),
        format!(
            "\
moebulk: u.csv: the mapping's column `emial` is not in the file
 --> m.json:2:11
  |
2 | {{\"column\":\"emial\",\"moe_attr\":\"email\"}}]}}
  |           ^^^^^^^ unknown column
{text}"
        )
    );
}

#[test]
fn a_mistake_in_a_mapping_or_in_the_settings_is_shown() {
    let lab = Lab::new();
    lab.write("u.csv", "customer_id,email\nuser-1,a\n");
    let id = "[columns]\ncustomer_id = {}\n";
    for (file, text, expected) in [
        (
            "m.toml",
            format!("{id}email = {{ typ = \"x\" }}\n"),
            "\n3 | email = { typ = \"x\" }\n  |           ^^^\n  |\n  = help: did you mean `type`?\n",
        ),
        (
            "m.toml",
            format!("{id}email = {{ type = \"int\" }}\r\n"),
            "\n3 | email = { type = \"int\" }\n  |                  ^^^^^ no such type\n",
        ),
        ("m.toml", format!("{id}email = {{ type = \"a }}\n"), "\n3 | email = { type = \"a }\n"),
        ("m.toml", format!("é = 1\n{id}"), "\n1 | é = 1\n  | ^"),
        (
            "m.json",
            "{\"mapping\":[{\"column\":\"a\",}]}".to_owned(),
            "\n1 | {\"mapping\":[{\"column\":\"a\",}]}\n  |                           ^\n",
        ),
        (
            "moebulk.toml",
            "[limits]\nmax_reject = 5\n".to_owned(),
            "\n2 | max_reject = …\n  | ^^^^^^^^^^\n  |\n  = help: did you mean `max_rejects`?\n",
        ),
        (
            "moebulk.toml",
            "[limits]\nthreads = 0\n".to_owned(),
            "\n2 | threads = 0\n  |           ^\n",
        ),
        (
            "moebulk.toml",
            format!("[mapping]\n[mapping.columns]\n{}", "email = { too = 'x' }\n"),
            "\n3 | email = { too = 'x' }\n  |           ^^^\n",
        ),
    ] {
        lab.write("moebulk.toml", "");
        lab.write(file, text);
        let args = match file {
            "moebulk.toml" => vec!["validate", "u.csv"],
            _ => vec!["validate", "u.csv", "--mapping", file],
        };
        let text = refused(&lab, 2, &args);
        assert!(text.contains(&format!("\n --> {file}:")), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let secret = "s3cretKey";
    for text in [
        format!("[connection]\napi_key = '{secret}'\n"),
        format!("[connection]\napi_key = {secret}\n"),
        format!("[connection]\nendpoint = 'https://a:{secret}@b.example'\n"),
        format!("[connection]\ndata_center = '01'\nendpoint = 'http://a:{secret}@localhost'\n"),
    ] {
        lab.write("moebulk.toml", text);
        let text = refused(&lab, 2, &["validate", "u.csv"]);
        assert!(text.contains(" --> moebulk.toml:2:") || text.contains(":3:"), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
}

/// Files of any bytes, mostly those that CSV is made of: whatever is shown of them, nothing in it
/// commands a terminal.
#[test]
fn no_byte_of_a_file_commands_the_terminal() {
    let pieces: [&[u8]; 16] = [
        b",",
        b"\n",
        b"\r\n",
        b"\"",
        b"a",
        b"1",
        b"\t",
        b"\0",
        b"\x1b[31m",
        b"\xc2\x9b",
        b"\xff",
        "東".as_bytes(),
        "\u{202e}".as_bytes(),
        b"\r",
        b"user-1,2,\n",
        b"\x7f\x08",
    ];
    let mut random = 7_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize % below
    };
    let (lab, mut rows) = (lab(""), 0);
    for round in 0..80 {
        let mut csv = if next(4) > 0 { b"customer_id,n,when\n".to_vec() } else { Vec::new() };
        for _ in 0..next(60) {
            csv.extend_from_slice(pieces[next(pieces.len())]);
        }
        lab.write("u.csv", &csv);
        let more: &[&str] = if round % 2 == 0 { &["--show-values"] } else { &[] };
        let args = [&["validate", "--run-dir", "run"], &MAPPED[..], more].concat();
        let output = moebulk(&lab, &[], &args);
        assert!(matches!(output.status.code(), Some(0 | 1 | 2 | 4)), "{csv:?}: {output:?}");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{csv:?}: {text:?}");
        rows += text.matches("--> u.csv:").count();
    }
    assert!(rows > 60, "{rows} rows were shown");
}

/// The examples of docs/problems.md.
#[test]
fn the_document_shows_what_is_shown() {
    let document = include_str!("../docs/problems.md");
    let examples: Vec<&str> = document
        .split("\n```text\n")
        .skip(1)
        .map(|rest| rest.split("\n```").next().expect("its end"))
        .collect();
    let lab = Lab::new();
    lab.write(
        "customers.csv",
        "customer_id,email,name,score,born\nCUST-001,bob@example.com,Bob,17,1990-01-02\n\
         CUST-002,ada@example.com,Anna,1O5,1991-12-31\n",
    );
    lab.write("mapping.toml", "[columns]\ncustomer_id = {}\nscore = { type = \"double\" }\n");
    let mut found = vec![shown(&lab, &["customers.csv", "--mapping", "mapping.toml"])];
    lab.write("customers.csv", "customer_id,email\nCUST-001,bob@example.com\n");
    lab.write("mapping.toml", "[columns]\ncustomer_id = {}\nemial = { type = \"string\" }\n");
    let args = ["validate", "customers.csv", "--mapping", "mapping.toml"];
    found.push(refused(&lab, 2, &args).trim_end().to_owned());
    assert_eq!(examples, found);
}

#[test]
fn what_programs_read_has_no_lines_of_files() {
    let lab = lab("customer_id,n,when\nuser-1,x,\n");
    let report = lab.report(1, &["validate", "u.csv", "--mapping", "m.toml"]);
    assert!(!report.to_string().contains("xxxx-9"), "{report}");
    lab.write("u.csv", "customer_id,n,n\n");
    for form in [["--log-format", "json"], ["--output", "json"], ["--progress", "json"]] {
        let text = refused(&lab, 4, &[&["validate", "u.csv"], &form[..]].concat());
        let own: Vec<&str> = text.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(
            own,
            ["moebulk: u.csv: line 1: columns 2 and 3 are both named `n`; rename one of them"]
        );
    }
}

#[cfg(unix)]
mod terminal {
    use std::{
        fs::File,
        io::Read,
        process::{Command, Stdio},
    };

    use rustix::{
        fs::{Mode, OFlags},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{Winsize, tcsetwinsize},
    };

    use super::{Lab, MAPPED, lab};

    /// What a terminal of that size is shown.
    fn seen(lab: &Lab, size: (u16, u16), environment: &[(&str, &str)], args: &[&str]) -> String {
        let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&own).expect("its rights");
        unlockpt(&own).expect("its lock");
        let name = ptsname(&own, Vec::new()).expect("its name");
        let (ws_col, ws_row) = size;
        tcsetwinsize(&own, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        let other = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let other = File::from(other.expect("its other end"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_moebulk"))
            .current_dir(lab.path(""))
            .env_clear()
            .env("HOME", lab.path(""))
            .env("TERM", "xterm-256color")
            .envs(environment.iter().copied())
            .args(args)
            .args(["--progress", "off"])
            .stdin(Stdio::null())
            .stdout(other.try_clone().expect("stdout"))
            .stderr(other)
            .spawn()
            .expect("the binary starts");
        let mut bytes = Vec::new();
        // The other end is closed with an error, not with an end of file.
        let _ = File::from(own).read_to_end(&mut bytes);
        child.wait().expect("it ends");
        String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n")
    }

    #[test]
    fn colours_are_for_terminals_that_want_them() {
        let lab = lab("customer_id,n,when\nuser-1,x1,\n");
        let args = [&["validate", "--run-dir", "run"], &MAPPED[..]].concat();
        let plain = seen(&lab, (80, 50), &[("NO_COLOR", "1")], &args);
        assert!(!plain.contains('\u{1b}'), "{plain}");
        assert!(plain.contains("\n2 | xxxx-9,x9,\n  |        ^^ column `n`\n"), "{plain}");
        let colored = seen(&lab, (80, 50), &[("NO_COLOR", "")], &args);
        assert!(colored.contains("\u{1b}[1m\u{1b}[91mreject[type-number]"), "{colored:?}");
        assert!(!seen(&lab, (80, 50), &[("TERM", "dumb")], &args).contains('\u{1b}'));
        lab.write("u.csv", "customer_id,n,n\n");
        let error = seen(&lab, (80, 50), &[], &["validate", "u.csv"]);
        assert!(error.starts_with("\u{1b}[1m\u{1b}[91mmoebulk"), "{error:?}");
    }

    #[test]
    fn text_is_fitted_to_the_terminal() {
        let csv = "customer_id,n,when\nuser-1,x1,\nuser-2,1\nuser-3,1,x\nnull,1,\n";
        let lab = lab(format!("{csv}{},1,x\n", "y".repeat(500)));
        let args = [&["validate", "--run-dir", "run"], &MAPPED[..]].concat();
        let plain = [("NO_COLOR", "1")];
        let rows = |text: &str| text.matches("\n --> u.csv:").count();
        let tall = seen(&lab, (60, 80), &plain, &args);
        assert_eq!(rows(&tall), 3, "{tall}");
        let shown: Vec<&str> = tall.lines().skip_while(|line| !line.contains("reject[")).collect();
        let shown = shown.split(|line| *line == "next").next().expect("the rows");
        assert!(shown.iter().all(|line| line.chars().count() <= 60), "{tall}");
        assert!(
            shown.iter().any(|line| line.starts_with("          ")),
            "words are wrapped: {tall}"
        );
        // What is left of a low one goes to the figures and what to do next.
        for (height, expected) in [(32, 1), (24, 0)] {
            let low = seen(&lab, (100, height), &plain, &args);
            assert_eq!(rows(&low), expected, "{low}");
            assert!(low.lines().count() < usize::from(height), "{low}");
        }
    }
}
