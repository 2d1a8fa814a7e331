//! Directories below directories, and what their names say.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use parquet::arrow::ArrowWriter;

use crate::{
    gzip,
    support::{Json, Lab},
};

const MAPPING: &str = "[columns]
customer_id = { to = 'customer_id' }
n = { attribute = 'n', type = 'double' }
dt = { attribute = 'day', type = 'datetime' }
shop = { attribute = 'shop', type = 'double' }
country = { attribute = 'country' }
";

fn parquet(ids: [&str; 2]) -> Vec<u8> {
    let fields = vec![
        Field::new("customer_id", DataType::Utf8, false),
        Field::new("n", DataType::Int64, false),
    ];
    let ids: ArrayRef = Arc::new(StringArray::from(ids.to_vec()));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![ids, numbers]).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

fn export(lab: &Lab) {
    lab.write("map.toml", MAPPING);
    let at = |place: &str, bytes: &[u8]| lab.write(&format!("export/{place}"), bytes);
    at(
        "dt=2024-01-31/shop=7/country=S%C3%A3o Tom%c3%a9/a.csv",
        b"customer_id,n\nuser-1,1\nuser-2,2\n",
    );
    at(
        "dt=2024-01-31/shop=8/country=__HIVE_DEFAULT_PARTITION__/b.parquet",
        &parquet(["user-3", "user-4"]),
    );
    // The file's own column is the one that counts.
    let own = "customer_id,n,country\nuser-5,1,Own\nuser-6,2,\n";
    at("dt=2024-02-01/shop=9/country=Other/c.csv.gz", &gzip(own.as_bytes()));
    at("dt=2024-02-01/shop=9/_temporary/0/half.csv", b"no table");
    at("_SUCCESS", b"");
}

#[test]
fn names_of_directories_are_columns_where_a_mapping_asks() {
    let lab = Lab::new();
    export(&lab);
    let expected = [
        ("user-1", "2024-01-31", "7", Some("São Tomé")),
        ("user-2", "2024-01-31", "7", Some("São Tomé")),
        ("user-3", "2024-01-31", "8", None),
        ("user-4", "2024-01-31", "8", None),
        ("user-5", "2024-02-01", "9", Some("Own")),
        ("user-6", "2024-02-01", "9", None),
    ];
    let mut bodies = Vec::new();
    for inputs in ["export", "export/dt=*/*/*/*.*", "export/dt=2024-0*/shop=*/*/*"] {
        for threads in ["1", "4"] {
            let args = [inputs, "--mapping", "map.toml", "--threads", threads];
            let (report, elements) = lab.pack(0, &args);
            assert_eq!(report["rows"]["accepted"], 6, "{inputs}");
            for (element, (id, day, shop, country)) in elements.iter().zip(expected) {
                let attributes = element.get("attributes");
                assert_eq!(element.get("customer_id"), &Json::text(id));
                assert!(matches!(attributes.get("day"), Json::Text(text) if text.starts_with(day)));
                assert_eq!(attributes.get("shop"), &Json::Number(shop.to_owned()), "{id}");
                let country = country.map_or(Json::Null, Json::text);
                assert_eq!(attributes.get("country"), &country, "{id}");
            }
            bodies.push(lab.read("bodies"));
        }
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn without_a_mapping_they_are_named_and_not_sent() {
    let lab = Lab::new();
    export(&lab);
    let run = ["validate", "export", "--progress", "off"];
    let ran = lab.run(&run);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let said = "the paths name dt, shop, country; that is sent where a mapping has a column";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.stderr);
    let (_, elements) = lab.pack(0, &["export"]);
    assert_eq!(elements[0].get("attributes").get("dt"), &Json::Null);
    let mapped = lab.run(&[run.as_slice(), &["--mapping", "map.toml"]].concat());
    assert!(!mapped.stderr.contains("the paths name"), "{}", mapped.stderr);
    let init = lab.run(&["init", "export", "--out", "-"]);
    assert!(init.stderr.contains(said), "{}", init.stderr);
}

#[test]
fn what_neither_the_file_nor_its_place_has_is_missing() {
    let lab = Lab::new();
    export(&lab);
    lab.write("map.toml", format!("{MAPPING}city = {{ attribute = 'c' }}\n"));
    let ran = lab.run(&["validate", "export", "--mapping", "map.toml"]);
    assert_eq!(ran.code, 2);
    let words =
        "column `city` is not in the file (its columns are customer_id, n, dt, shop, country)";
    assert!(ran.stderr.replace("\n", " ").contains(words), "{}", ran.stderr);
}

/// A value that does not fit is told with its file and row; the rejects carry what the place gave, so
/// that they can be mended and imported alone.
#[test]
fn rejects_hold_what_their_place_gave() {
    let lab = Lab::new();
    export(&lab);
    let at = |place: &str, bytes: &[u8]| lab.write(&format!("bad/{place}"), bytes);
    at("dt=2024-01-31/shop=7/country=A,B/a.csv", b"customer_id,n\nuser-1,x\nuser-2,2\n");
    at("dt=2024-01-31/shop=7/country=C/b.parquet", &parquet(["null", "user-4"]));
    at("dt=2024-01-31/shop=seven/country=D/c.csv", b"customer_id,n\nuser-5,5\n");
    let args =
        ["validate", "bad", "--mapping", "map.toml", "--run-dir", "run", "--progress", "off"];
    let ran = lab.run(&args);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let rejects = String::from_utf8(lab.read("run/rejects.csv")).expect("UTF-8");
    let lines: Vec<&str> = rejects.lines().collect();
    assert!(lines[0].starts_with("customer_id,n,dt,shop,country,_moebulk_file"), "{rejects}");
    assert!(lines[1].starts_with("user-1,x,2024-01-31,7,\"A,B\",\"bad/dt=2024-01-31"), "{rejects}");
    assert!(lines[2].starts_with("user-5,5,2024-01-31,seven,D,bad/"), "{rejects}");
    assert!(lines[2].contains("/c.csv,1,2,"), "{rejects}");

    let mended = rejects.replace("user-1,x", "user-1,1").replace("seven,D", "9,D");
    lab.write("run/rejects.csv", mended);
    let (_, elements) = lab.pack(0, &["run/rejects.csv"]);
    let attributes = elements[0].get("attributes");
    assert_eq!(attributes.get("country"), &Json::text("A,B"));
    assert_eq!(elements[1].get("attributes").get("shop"), &Json::Number("9".to_owned()));
    // The id of the Parquet row is still none; its other columns are read.
    let (report, _) = lab.pack(1, &["run/rejects.parquet"]);
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(report["rows"]["rejected"], 1);
}

/// Lines have no header that says what is theirs: there the place counts.
#[test]
fn lines_of_json_have_what_their_place_gives() {
    let lab = Lab::new();
    lab.write("map.toml", MAPPING);
    let lines = "{\"customer_id\":\"user-1\",\"n\":1}\n{\"customer_id\":\"null\",\"n\":2}\n";
    lab.write("export/dt=2024-01-31/shop=7/country=A%2FB/a.ndjson", lines);
    let (report, elements) = lab.pack(1, &["export", "--mapping", "map.toml"]);
    let attributes = elements[0].get("attributes");
    assert_eq!(attributes.get("country"), &Json::text("A/B"));
    assert_eq!(attributes.get("shop"), &Json::Number("7".to_owned()));
    let run_dir = report["run_dir"].as_str().expect("a directory");
    let rejects = String::from_utf8(lab.read(&format!("{run_dir}/rejects.ndjson"))).expect("UTF-8");
    let members =
        "\"n\":2,\"dt\":\"2024-01-31\",\"shop\":\"7\",\"country\":\"A/B\",\"_moebulk_file\"";
    assert!(rejects.contains(members), "{rejects}");
}
