//! Values: strings, lists, objects, dates, standard attributes.

use super::{Case, texts};

fn url(scheme: &str, chars: usize) -> String {
    format!("{scheme}{}", "x".repeat(chars - scheme.len()))
}

#[test]
fn a_string_has_512_characters() {
    let sound = ["é".repeat(512), "a b".to_owned()];
    // What only begins with a URL is none.
    let broken = ["é".repeat(513), format!("{} and more", url("https://", 600))];
    Case::of("note", &sound, &broken, "string-too-long", "string-length").hold();
    Case::of("note", &sound, &broken, "string-too-long", "string-length").events().hold();

    let mut case = Case::of("m", &sound, &broken[..1], "string-too-long", "string-length");
    case.rows[1][0] = "x-2".to_owned();
    case.mapped("m = { identifier = \"moe_mobile\" }").hold();
}

#[test]
fn a_longer_url_is_dropped() {
    let sound = [url("https://", 512), url("s3://", 512)];
    let broken = [url("https://", 513), url("HTTP://", 513), url("s3://", 600)];
    Case::of("link", &sound, &broken, "url-too-long", "url-length").hold();
}

#[test]
fn a_list_has_50_elements_of_512_characters() {
    let list = |items: usize| format!("[{}]", vec!["x"; items].join("|"));
    let columns = "tags = { type = \"array\" }";
    let (sound, broken) = ([list(50), String::new()], [list(51), vec!["y"; 60].join("|")]);
    Case::of("tags", &sound, &broken, "list-too-long", "list-length").mapped(columns).hold();

    let long = |chars: usize| format!("[a|{}|b]", "é".repeat(chars));
    Case::of("tags", &[long(512)], &[long(513)], "string-too-long", "list-item-length")
        .mapped(columns)
        .hold();

    let numbers = |items: usize| format!("[{}]", vec!["1.5"; items].join("|"));
    Case::of("n", &[numbers(50)], &[numbers(51)], "list-too-long", "list-length")
        .mapped("n = { type = \"double\" }")
        .hold();
}

#[test]
fn a_list_has_one_datatype_and_100_objects() {
    let columns = "v = { type = \"json\" }";
    let sound = texts(["[1,2.5]", "[\"a\",\"b\"]", "[true]", "[]", "[{\"k\":1},{\"k\":\"x\"}]"]);
    let broken = texts(["[1,\"a\"]", "[\"a\",1]", "[true,1]", "[\"a\",{\"k\":1}]"]);
    Case::of("v", &sound, &broken, "list-mixed-types", "list-datatype").mapped(columns).hold();

    let objects = |items: usize| format!("[{}]", vec!["{\"k\":1}"; items].join(","));
    Case::of("v", &[objects(100)], &[objects(101)], "list-too-long", "list-length")
        .mapped(columns)
        .hold();
    let lists = |items: usize| format!("{{\"k\":[{}]}}", vec!["1"; items].join(","));
    Case::of("v", &[lists(50)], &[lists(51)], "list-too-long", "list-length")
        .mapped(columns)
        .hold();
}

/// A file whose columns `c0` and on are members of one object, `o`; the row's cells.
fn members(rows: &[Vec<String>]) -> Case {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let mut rows = rows.to_vec();
    for row in &mut rows {
        row.resize(count, String::new());
    }
    let names: Vec<String> = (0..count).map(|index| format!("c{index}")).collect();
    let columns: String =
        names.iter().map(|name| format!("{name} = {{ attribute = \"o.{name}\" }}\n")).collect();
    Case { header: names, rows, columns: Some(columns), ..Case::default() }
}

#[test]
fn an_object_has_25_kb_and_100_keys() {
    // `{"c0":"x","c1":…}` of exactly so many bytes.
    let sized = |bytes: usize| {
        let overhead: usize = (0..60).map(|index| format!("\"c{index}\":\"\",").len()).sum();
        let text = bytes - 2 - overhead + 1;
        let each = |index: usize| "x".repeat(text / 60 + usize::from(index < text % 60));
        (0..60).map(each).collect::<Vec<_>>()
    };
    let mut case = members(&[sized(25_000), sized(25_001)]);
    case.warnings = vec![("object-too-large", Some("c0".to_owned()), vec![2])];
    case.changes = vec![("object-bytes", 2)];
    case.hold();

    let keys = |count: usize| vec!["x".to_owned(); count];
    let mut case = members(&[keys(100), keys(101)]);
    case.warnings = vec![("object-keys", Some("c0".to_owned()), vec![2])];
    case.changes = vec![("object-keys", 2)];
    case.hold();

    // An object in it has its own hundred.
    let mut case = members(&[keys(100), keys(101)]);
    case.columns = case.columns.map(|columns| columns.replace("\"o.", "\"o.inner."));
    case.warnings = vec![("object-keys", Some("c0".to_owned()), vec![2])];
    case.changes = vec![("object-keys", 2)];
    case.hold();
}

#[test]
fn an_object_has_two_levels_and_plain_keys() {
    let mapped =
        |path: &str| format!("city = {{ attribute = \"a.b.city\" }}\nx = {{ attribute = {path} }}");
    let case = |code, rule| Case {
        header: texts(["city", "x"]),
        rows: vec![texts(["Oslo", ""]), texts(["Oslo", "y"])],
        warnings: vec![(code, Some("x".to_owned()), vec![2])],
        changes: vec![(rule, 2)],
        ..Case::default()
    };
    case("object-depth", "object-levels").mapped(mapped("\"a.b.c.d\"")).hold();
    for key in ["a$", "b.c", "%", "#"] {
        let path = format!("[\"a\", \"{key}\"]");
        case("object-key-characters", "object-key-characters").mapped(mapped(&path)).hold();
    }
}

#[test]
fn an_object_in_a_cell_has_the_same_limits() {
    let columns = "v = { type = \"json\" }";
    let keys = |count: usize| {
        let members: Vec<_> = (0..count).map(|index| format!("\"k{index}\":1")).collect();
        format!("{{{}}}", members.join(","))
    };
    Case::of("v", &[keys(100)], &[keys(101)], "object-keys", "object-keys").mapped(columns).hold();
    let sound = texts(["{\"a\":{\"b\":1}}"]);
    let broken = texts(["{\"a\":{\"b\":{\"c\":1}}}"]);
    Case::of("v", &sound, &broken, "object-depth", "object-levels").mapped(columns).hold();
    let broken = texts(["{\"a.b\":1}", "{\"a\":{\"$\":1}}"]);
    Case::of("v", &sound, &broken, "object-key-characters", "object-key-characters")
        .mapped(columns)
        .hold();
    let sized = |bytes: usize| {
        let text = "x".repeat(500);
        let mut members: Vec<_> =
            (0..40).map(|index| format!("\"k{index:02}\":\"{text}\"")).collect();
        let rest = bytes - 2 - members.iter().map(|member| member.len() + 1).sum::<usize>();
        let list: Vec<_> = (0..9).map(|_| format!("\"{}\"", "y".repeat(500))).collect();
        let list = format!("\"l\":[{}", list.join(","));
        let last = rest - list.len() - ",\"\"]".len();
        members.push(format!("{list},\"{}\"]", "z".repeat(last)));
        let object = format!("{{{}}}", members.join(","));
        assert_eq!(object.len(), bytes);
        object
    };
    Case::of("v", &[sized(25_000)], &[sized(25_001)], "object-too-large", "object-bytes")
        .mapped(columns)
        .hold();
    // Inside of another object only the outer one has a size, of which the key is a part.
    let key = "{\"b\":}".len();
    let (sound, broken) = ([sized(25_000 - key)], [sized(25_001 - key)]);
    Case::of("v", &sound, &broken, "object-too-large", "object-bytes")
        .mapped("v = { attribute = \"a.b\", type = \"json\" }")
        .hold();
    Case::of("v", &sound, &[sized(25_001)], "object-too-large", "object-bytes")
        .mapped("v = { attribute = \"a.b\", type = \"json\" }")
        .hold();
}

#[test]
fn a_date_that_is_none_is_text() {
    let sound = texts(["a word", "2024-02-29", "2026-12-31T23:59:59.999Z", "13-13-2025", "1.2.3"]);
    let broken = texts([
        "2025-02-29",
        "2025-02-30T25:61:00Z",
        "31/01/2025",
        "2025-01-31 10:00",
        "2025-01-31T10:00:00+02:00",
    ]);
    Case::of("when", &sound, &broken, "date-as-text", "date-format").hold();
    Case::of("when", &sound, &broken, "date-as-text", "date-format").events().hold();
}

#[test]
fn an_email_optin_status_is_one_of_three() {
    let name = "moe_email_optin_status";
    let sound = texts(["DOUBLE_OPTED_IN", "OPTED_OUT", "OPT_IN_PENDING", ""]);
    let broken = texts(["opted_out", "OPTED_IN", "true", "1", "2026-01-01", "OPTED_OUT "]);
    Case::of(name, &sound, &broken, "standard-value", "standard-value").hold();
    // Of another name, and in an object, it is any text.
    Case::of("v", &sound, &broken, "standard-value", "standard-value")
        .mapped(format!("v = {{ attribute = \"{name}\" }}"))
        .hold();
    let mut case = Case::of(name, &sound, &broken[..1], "standard-value", "standard-value");
    case.header.push("other".to_owned());
    case.rows.iter_mut().for_each(|row| row.push("opted_out".to_owned()));
    case.mapped(format!("{name} = {{}}\nother = {{ attribute = \"o.{name}\" }}")).hold();
}

#[test]
fn a_standard_text_sent_as_number_or_list() {
    let mapped = "u_fn = { type = \"double\" }\nu_ln = { type = \"array\" }";
    Case {
        header: texts(["u_fn", "u_ln"]),
        rows: vec![texts(["", ""]), texts(["7", ""]), texts(["", "[a|b]"])],
        warnings: ["u_fn", "u_ln"]
            .into_iter()
            .zip([2, 3])
            .map(|(name, row)| ("standard-type", Some(name.to_owned()), vec![row]))
            .collect(),
        changes: vec![("standard-string", 2), ("standard-string", 3)],
        ..Case::default()
    }
    .mapped(mapped)
    .hold();
}
