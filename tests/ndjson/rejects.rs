//! `rejects.ndjson`: mended by hand and imported as it is.

use serde_json::Value;

use crate::{attributes, pack, support::Lab};

#[test]
fn rejected_lines_come_back_as_they_stood_with_what_is_wrong() {
    let lines = concat!(
        "{\"customer_id\":\"u-1\",\"n\":1}\n",
        "\n",
        " { \"n\" : 12345678901234567890.50, \"customer_id\" : null, \"o\":{\"a\":[1.0]}}\r\n",
        "{}\n",
    );
    let (lab, report, _) = pack(1, lines, &[]);
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let rejects = String::from_utf8(lab.read(&format!("{run_dir}/rejects.ndjson"))).expect("UTF-8");
    let found: Vec<&str> = rejects.lines().collect();
    assert_eq!(found.len(), 2);
    let start = "{ \"n\" : 12345678901234567890.50, \"customer_id\" : null, \"o\":{\"a\":[1.0]},\"_moebulk_file\":\"rows.ndjson\",\"_moebulk_row\":2,\"_moebulk_line\":3,\"_moebulk_codes\":\"id-missing\",\"_moebulk_message\":\"";
    assert!(found[0].starts_with(start), "{}", found[0]);
    assert!(
        found[1].starts_with("{\"_moebulk_file\":\"rows.ndjson\",\"_moebulk_row\":3,"),
        "{}",
        found[1]
    );
    for line in found {
        let members: Value = serde_json::from_str(line).expect("an object");
        assert!(members["_moebulk_message"].as_str().expect("a text").contains("customer_id"));
    }
}

#[test]
fn a_mended_rejects_file_is_imported_as_the_source_would_have_been() {
    let sound = |at: usize| {
        format!("{{\"customer_id\":\"user-{at}\",\"n\":{at}.50,\"tags\":[\"t{at}\"]}}\n")
    };
    let mut lines: String = (0..50).map(sound).collect();
    let broken = lines.replace("\"user-7\"", "\"\"").replace("\"user-9\"", "\"x\"");
    let lab = Lab::new();
    lab.write("rows.ndjson", &broken);
    let (report, first) = lab.pack(1, &["rows.ndjson"]);
    assert_eq!((report["rows"]["rejected"].as_u64(), first.len()), (Some(2), 48));
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let rejects = String::from_utf8(lab.read(&format!("{run_dir}/rejects.ndjson"))).expect("UTF-8");
    // One of them is mended, and comes out; the other comes back once more, its reasons anew.
    lab.write("again.ndjson", rejects.replace("\"x\"", "\"user-9\""));
    let (report, second) = lab.pack(1, &["again.ndjson"]);
    assert_eq!(second.len(), 1);
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let rejects = String::from_utf8(lab.read(&format!("{run_dir}/rejects.ndjson"))).expect("UTF-8");
    assert_eq!(rejects.matches("_moebulk_row").count(), 1, "{rejects}");
    assert!(
        rejects.contains("\"_moebulk_file\":\"again.ndjson\",\"_moebulk_row\":1,"),
        "{rejects}"
    );
    lab.write("last.ndjson", rejects.replacen("\"\"", "\"user-7\"", 1));
    let (_, third) = lab.pack(0, &["last.ndjson"]);
    // Together they are what a sound file would have given.
    let all: Vec<_> = [first, second, third].concat();
    lines.push('\n');
    lab.write("sound.ndjson", &lines);
    let (_, expected) = lab.pack(0, &["sound.ndjson"]);
    assert_eq!(attributes(&all), attributes(&expected));
}
