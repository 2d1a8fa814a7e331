//! Lines without end, without sense, and with very many keys.

use crate::watched::Cage;

#[test]
fn a_line_without_end_takes_no_memory() {
    let cage = Cage::new();
    let mut text = b"{\"customer_id\":\"user-1\"}\n{\"customer_id\":\"".to_vec();
    text.resize(200 << 20, b'x');
    cage.write("rows.ndjson", text);
    let ran = cage.run(&["validate", "rows.ndjson", "--threads", "8"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn millions_of_damaged_lines_are_counted() {
    let cage = Cage::new();
    let text = ["{\"customer_id\":\"user-1\"}\n", &"x\n".repeat(2_000_000)].concat();
    cage.write("rows.ndjson", text);
    let ran = cage.run(&["validate", "rows.ndjson", "--threads", "8"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn nesting_without_end_overflows_no_stack() {
    let cage = Cage::new();
    let mut text = String::from("{\"customer_id\":\"user-1\",\"a\":{}}\n");
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[", ""), ("{\"a\":", "")] {
        let levels = 120_000;
        text.push_str(&format!(
            "{{\"customer_id\":\"user-1\",\"a\":{}1{}}}\n",
            open.repeat(levels),
            close.repeat(levels)
        ));
        text.push_str(&format!("{}{}\n", open.repeat(levels), close.repeat(levels)));
    }
    cage.write("rows.ndjson", text);
    let ran = cage.run(&["validate", "rows.ndjson"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
}

#[test]
fn keys_without_end_are_refused_or_passed_over() {
    let cage = Cage::new();
    let line = |from: usize| {
        let keys: String = (from..from + 60_000).map(|at| format!(",\"k{at}\":1")).collect();
        format!("{{\"customer_id\":\"user-{from}\"{keys}}}\n")
    };
    let text: String = (0..40).map(|at| line(at * 60_000)).collect();
    cage.refuses("rows.ndjson", &text, &["more than 16384 different keys"]);
    cage.write("map.toml", "[columns]\ncustomer_id = {}\nnone = { optional = true }\n");
    let ran = cage.run(&["validate", "rows.ndjson", "--mapping", "map.toml", "--threads", "8"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
