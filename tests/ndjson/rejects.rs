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

/// Beside the mapping that the run left, as a person would: keys that the rejected lines lack, and
/// values that are still wrong, are what they were.
#[test]
fn the_very_file_in_the_run_directory_is_read_as_its_source_was() {
    let lines: String = (0..40)
        .map(|at| match at {
            3 => "{\"customer_id\":\"\"}\n".to_owned(),
            7 => "{\"customer_id\":\"user-7\",\"tags\":5,\"n\":7}\n".to_owned(),
            at => format!(
                "{{\"customer_id\":\"user-{at}\",\"n\":{at},\"tags\":[\"a\"],\"s\":\"1\"}}\n"
            ),
        })
        .collect();
    let lab = Lab::new();
    lab.write("rows.ndjson", &lines);
    let (report, _) = lab.pack(1, &["rows.ndjson"]);
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let mapping = format!("{run_dir}/resolved-mapping.toml");
    let (again, _) = lab.pack(1, &["rows.ndjson", "--mapping", &mapping]);
    assert_eq!(again["bodies"]["digest"], report["bodies"]["digest"]);
    let rejects = format!("{run_dir}/rejects.ndjson");
    let text = String::from_utf8(lab.read(&rejects)).expect("UTF-8");
    lab.write(&rejects, text.replace("\"customer_id\":\"\"", "\"customer_id\":\"user-3\""));
    let (report, elements) = lab.pack(1, &[&rejects]);
    assert_eq!(report["problems"][0]["code"], "type-nested");
    assert_eq!(attributes(&elements).keys().collect::<Vec<_>>(), ["user-3"]);
}
