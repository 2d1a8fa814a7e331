//! Damaged CSV, from the file to the bodies and the rejects: each clean row is delivered
//! exactly or found among the rejects, and no two rows become one.

use std::fmt::Write;

use crate::support::{Json, Lab};

const COLUMNS: [&str; 3] = ["a", "b", "c"];
const ROWS: usize = 120;
/// Rows that one change of a byte may cost: its own (two, at a line end), and for each a
/// neighbour.
const LOST_MAX: usize = 4;

/// The cells of a row; each ends with the row's mark, so that every piece of it is known.
fn cells(rng: &mut fastrand::Rng, row: usize) -> Vec<String> {
    let texts = ["x", "two words", "a,b", "say \"hi\"", "two\nlines", "é", ""];
    COLUMNS.iter().map(|_| format!("{}<r{row}>", texts[rng.usize(..texts.len())])).collect()
}

fn written(row: usize, cells: &[String]) -> String {
    let mut line = format!("id{row}");
    for cell in cells {
        let quoted = cell.contains([',', '"', '\n']);
        let cell = cell.replace('"', if quoted { "\"\"" } else { "\"" });
        let _ = if quoted { write!(line, ",\"{cell}\"") } else { write!(line, ",{cell}") };
    }
    line + "\n"
}

/// The rows whose marks a text has.
fn marks(text: &str) -> Vec<usize> {
    let number = |part: &str| part.split('>').next().and_then(|digits| digits.parse().ok());
    text.split("<r").skip(1).filter_map(number).collect()
}

fn law(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let rows: Vec<Vec<String>> = (0..ROWS).map(|row| cells(&mut rng, row)).collect();
    let mut file = b"customer_id,a,b,c\n".to_vec();
    let mut starts = Vec::new();
    for (row, cells) in rows.iter().enumerate() {
        starts.push(file.len());
        file.extend(written(row, cells).into_bytes());
    }
    // Changes, last first so that the places before stay; far apart, so that each is alone.
    let mut touched = Vec::new();
    for row in (10..ROWS - 10).step_by(25).rev() {
        // Not in a mark: it tells whose piece a text is.
        let places: Vec<usize> = (starts[row]..starts[row + 1])
            .filter(|&at| !b"<r>0123456789".contains(&file[at]))
            .collect();
        let at = *rng.choice(&places).expect("a place");
        let byte = *rng.choice(b"\"\"\",\n\r\0\xffx").expect("a byte");
        match rng.u8(..3) {
            0 => _ = file.remove(at),
            1 => file[at] = byte,
            _ => file.insert(at, byte),
        }
        touched.extend([row, row + 1]);
    }
    let lab = Lab::new();
    lab.write("in.csv", &file);
    let flags = ["--accept-inferred", "--delimiter", ",", "--quote", "\"", "--out", "bodies"];
    let ran = lab.run(&[&["pack", "in.csv", "--run-dir", "run"][..], &flags].concat());
    assert!([0, 1].contains(&ran.code), "{seed}: {}", ran.stderr);

    let bodies = String::from_utf8(lab.read("bodies")).expect("UTF-8");
    let mut delivered = [false; ROWS];
    for element in bodies.lines().flat_map(crate::support::raw_elements) {
        let element = Json::parse(element.as_bytes());
        let Json::Text(id) = element.get("customer_id") else { panic!("{seed}: an id") };
        let cell = |name: &&str| match element.get("attributes").get(name) {
            Json::Text(text) => text.clone(),
            _ => String::new(),
        };
        let found: Vec<String> = COLUMNS.iter().map(cell).collect();
        let exact = id.strip_prefix("id").and_then(|digits| digits.parse::<usize>().ok());
        if let Some(row) = exact.filter(|&row| row < ROWS && rows[row] == found) {
            assert!(!delivered[row], "{seed}: row {row} twice");
            delivered[row] = true;
            continue;
        }
        // Else it is a row that was changed, and has nothing of another.
        let all = marks(&found.concat());
        let own = all.first().copied();
        assert!(own.is_none_or(|row| touched.contains(&row)), "{seed}: made up: {id} {found:?}");
        assert!(all.iter().all(|&mark| Some(mark) == own), "{seed}: merged: {id} {found:?}");
    }
    let lost: Vec<usize> = (0..ROWS).filter(|&row| !delivered[row]).collect();
    let changes = touched.len() / 2;
    assert!(lost.len() <= LOST_MAX * changes, "{seed}: {changes} changes cost {lost:?}");
    // What is lost and was not changed stands in the rejects, bytes and all.
    let read = |name: &str| {
        let path = lab.path(&format!("run/{name}"));
        std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let kept = read("rejects.csv").unwrap_or_default() + &read("damaged.txt").unwrap_or_default();
    for row in lost.into_iter().filter(|row| !touched.contains(row)) {
        let raw = written(row, &rows[row]);
        assert!(kept.contains(raw.trim_end()), "{seed}: row {row} is nowhere: {raw:?}");
    }
}

#[test]
fn each_clean_row_is_delivered_exactly_or_found_among_the_rejects() {
    for seed in 0..60 {
        law(seed);
    }
}
