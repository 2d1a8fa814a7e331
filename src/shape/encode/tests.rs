use arrow::{
    array::{
        ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    },
    datatypes::{Field as ArrowField, Schema},
};

use super::*;
use crate::model::{ArrowRows, Field, TextRecord, TextRows};
use crate::shape::datetime::DateFormat;
use crate::shape::plan::{Empty, Items, Rules, SourceColumn, ValueType};

/// A block in memory of its own.
fn shape(plan: &Plan, binding: &Binding, rows: Arc<Rows>) -> Result<Shaped, String> {
    super::shape(plan, binding, rows, View::default(), Spare::default())
}

/// A block of CSV records; every cell as it would be read.
fn text_rows(columns: usize, records: &[&[&str]]) -> Rows {
    let mut rows = TextRows { columns, ..TextRows::default() };
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record.len(), columns);
        let raw = rows.bytes.len() as u32;
        for cell in *record {
            rows.fields.push(Field::raw(rows.bytes.len(), cell.len()));
            rows.bytes.extend_from_slice(cell.as_bytes());
        }
        let raw = raw..rows.bytes.len() as u32;
        rows.records.push(TextRecord { row: at as u64 + 1, line: at as u64 + 2, raw });
    }
    Rows::Text(rows)
}

fn plan(kind: Kind, columns: Vec<PlanColumn>, rules: Rules) -> (Plan, Binding) {
    let sources: Vec<_> = columns.iter().map(|column| SourceColumn::text(&column.source)).collect();
    let plan = Plan::new(kind, columns, rules);
    let binding = plan.bind("f.csv", &sources, false).expect("fits");
    (plan, binding)
}

fn attribute(name: &str, value: ValueType) -> PlanColumn {
    PlanColumn::new(name, Target::Attribute, name, value)
}

fn id() -> PlanColumn {
    PlanColumn::new("customer_id", Target::CustomerId, "customer_id", ValueType::Text)
}

const DATE: ValueType = ValueType::DateTime(DateFormat::Iso);

/// The elements of a block, and its rejects as (row, codes).
fn shaped(
    kind: Kind,
    columns: Vec<PlanColumn>,
    rules: Rules,
    records: &[&[&str]],
) -> (Vec<String>, Vec<(u32, Vec<&'static str>)>) {
    let (plan, binding) = plan(kind, columns, rules);
    let rows = Arc::new(text_rows(plan.columns.len(), records));
    results(&shape(&plan, &binding, rows).expect("readable"))
}

fn results(block: &Shaped) -> (Vec<String>, Vec<(u32, Vec<&'static str>)>) {
    let mut start = 0;
    let elements = block
        .elements
        .iter()
        .map(|element| {
            let end = start + (element.head + element.len) as usize;
            let mut json = String::from_utf8(block.json[start..end].to_vec()).expect("UTF-8");
            assert_eq!(block.json[end], b',');
            start = end + 1;
            if element.head > 0 {
                json.push_str("]}");
            }
            json
        })
        .collect();
    assert_eq!(start, block.json.len(), "no bytes of a rejected row stay behind");
    let codes =
        |reject: &Reject| reject.problems.iter().map(|problem| problem.code.as_str()).collect();
    (elements, block.rejects.iter().map(|reject| (reject.row, codes(reject))).collect())
}

#[test]
fn a_user_with_every_type() {
    let columns = vec![
        id(),
        attribute("first \"name\"", ValueType::Text),
        attribute("orders", ValueType::Number),
        attribute("vip", ValueType::Bool),
        attribute("seen", DATE),
    ];
    let (elements, rejects) = shaped(
        Kind::Users,
        columns,
        Rules::default(),
        &[
            &["USER1", "Zoë\n", "+007.50", "TRUE", "2024-01-02 03:04:05+02:00"],
            &["USER2", "", "", "", ""],
        ],
    );
    assert_eq!(
        elements,
        [
            r#"{"type":"customer","customer_id":"USER1","attributes":{"first \"name\"":"Zoë\n","orders":7.50,"vip":true,"seen":"2024-01-02T01:04:05Z"}}"#,
            r#"{"type":"customer","customer_id":"USER2","attributes":{}}"#,
        ]
    );
    assert_eq!(rejects, []);
}

#[test]
fn an_event_with_all_of_its_fields() {
    let field = |name: &str, target| PlanColumn::new(name, target, name, ValueType::Text);
    let columns = vec![
        field("device_id", Target::DeviceId),
        field("user_time", Target::UserTime),
        id(),
        field("action", Target::Action),
        attribute("price", ValueType::Number),
        field("platform", Target::Platform),
        field("user_timezone_offset", Target::TimezoneOffset),
        field("app_version", Target::AppVersion),
        field("current_time", Target::CurrentTime),
    ];
    let (elements, rejects) = shaped(
        Kind::Events,
        columns,
        Rules { event: Some("Viewed".into()), ..Rules::default() },
        &[
            &[
                "d1",
                "2024-01-02T03:04:05.6Z",
                "USER1",
                "Bought",
                "9.90",
                "iOS",
                "-18000",
                "4.1",
                "1700000000",
            ],
            &["", "1700000000.5", "USER2", "", "", "", "", "", ""],
            &["", "1700000000000", "USER3", "a", "", "ios", "54001", "", "soon"],
            &["", "", "USER4", "a", "", "", "", "", ""],
        ],
    );
    assert_eq!(
        elements,
        [
            concat!(
                r#"{"type":"event","customer_id":"USER1","device_id":"d1","actions":[{"action":"Bought","attributes":{"price":9.90},"#,
                r#""platform":"iOS","app_version":"4.1","user_time":"2024-01-02T03:04:05.600Z","current_time":1700000000,"user_timezone_offset":-18000}]}"#
            ),
            r#"{"type":"event","customer_id":"USER2","actions":[{"action":"Viewed","attributes":{},"user_time":1700000000.5}]}"#,
            r#"{"type":"event","customer_id":"USER4","actions":[{"action":"a","attributes":{}}]}"#,
        ]
    );
    assert_eq!(
        rejects,
        [(2, vec!["platform-value", "event-time-milliseconds", "event-time", "timezone-offset"])]
    );
}

#[test]
fn an_event_at_a_date_without_separators_is_not_of_1970() {
    let time = PlanColumn::new("t", Target::UserTime, "user_time", ValueType::Text);
    let columns = || vec![id(), time.clone()];
    let rules = || Rules { event: Some("Viewed".into()), ..Rules::default() };
    for text in ["20240229", "19000101", "21001231", "20240229.0", " 20240229"] {
        let (_, rejects) = shaped(Kind::Events, columns(), rules(), &[&["USER1", text]]);
        assert_eq!(rejects, [(0, vec!["event-time-date"])], "{text}");
    }
    // No day of the calendar, or none of these years; or no whole number.
    for text in ["20230229", "20241301", "20240100", "18991231", "21010101", "20240229.5", "0"] {
        let (elements, rejects) = shaped(Kind::Events, columns(), rules(), &[&["USER1", text]]);
        assert_eq!(rejects, [], "{text}");
        assert!(elements[0].ends_with(&format!(r#""user_time":{text}}}]}}"#)), "{elements:?}");
    }
}

#[test]
fn an_event_without_a_name_is_rejected() {
    let columns = vec![id(), PlanColumn::new("action", Target::Action, "action", ValueType::Text)];
    let (_, rejects) = shaped(Kind::Events, columns, Rules::default(), &[&["USER1", ""]]);
    assert_eq!(rejects, [(0, vec!["action-missing", "event-no-time"])]);
}

#[test]
fn names_and_ids_of_blanks_alone_are_none() {
    let action = || PlanColumn::new("action", Target::Action, "action", ValueType::Text);
    let given = Rules { event: Some("Viewed".into()), ..Rules::default() };
    for rules in [Rules::default(), given] {
        for blanks in [" ", "  ", "\t", "\u{a0}"] {
            let (_, rejects) =
                shaped(Kind::Events, vec![id(), action()], rules.clone(), &[&["USER1", blanks]]);
            assert_eq!(rejects, [(0, vec!["action-missing", "event-no-time"])], "{blanks:?}");
        }
    }
    let device = r#"
        kind = "devices"
        [columns]
        u = { to = "customer_id" }
        d = { to = "device_id" }
        token = { to = "push_id" }
        [constants]
        platform = "iOS"
    "#;
    let records: &[&[&str]] = &[&["USER1", " ", "\t"], &["USER2", " d", "t "]];
    let (elements, rejects) = mapped(device, Rules::default(), records);
    assert_eq!(rejects, [(0, vec!["device-id-missing", "push-id-missing"])]);
    assert!(elements[0].contains(r#""device_id":" d""#), "what has a name stays: {elements:?}");
    let resolved = "[columns]\nmobile = { identifier = \"moe_mobile\" }";
    let (_, rejects) = mapped(resolved, Rules::default(), &[&["  "], &["+47 1"]]);
    assert_eq!(rejects, [(0, vec!["id-missing"])]);
    // By the letter of the rule a customer_id of two blanks is one (Data API, S).
    let ids: &[&[&str]] = &[&[" "], &["  "]];
    let (_, rejects) = shaped(Kind::Users, vec![id()], Rules::default(), ids);
    assert_eq!(rejects, [(0, vec!["id-too-short"])]);
    let strict = Rules { strict_ids: true, ..Rules::default() };
    let (_, rejects) = shaped(Kind::Users, vec![id()], strict, ids);
    assert_eq!(rejects, [(0, vec!["id-too-short"]), (1, vec!["id-lookalike"])]);
}

#[test]
fn ids_by_the_letter_and_lookalikes_on_request() {
    let records: &[&[&str]] = &[&[""], &["x"], &["null"], &["NULL"], &["guest"], &["user"]];
    let (elements, rejects) = shaped(Kind::Users, vec![id()], Rules::default(), records);
    assert_eq!(elements.len(), 2);
    assert_eq!(
        rejects,
        [
            (0, vec!["id-missing"]),
            (1, vec!["id-too-short"]),
            (2, vec!["id-disallowed"]),
            (4, vec!["id-disallowed"])
        ]
    );
    let strict = Rules { strict_ids: true, ..Rules::default() };
    let (elements, rejects) = shaped(Kind::Users, vec![id()], strict, records);
    assert_eq!((elements.len(), rejects.len()), (1, 5));
    assert_eq!(rejects[3], (3, vec!["id-lookalike"]));
    let nulls = Rules { null_values: vec!["NULL".into()], ..Rules::default() };
    let (_, rejects) = shaped(Kind::Users, vec![id()], nulls, records);
    assert_eq!(rejects[3], (3, vec!["id-missing"]));
}

#[test]
fn ids_that_became_numbers_are_told() {
    let records: &[&[&str]] = &[&["123.0"], &["1.23E+10"], &["123"], &["1.5"]];
    let (elements, rejects) = shaped(Kind::Users, vec![id()], Rules::default(), records);
    assert_eq!((elements.len(), rejects.len()), (4, 0), "they are sent");
    let strict = Rules { strict_ids: true, ..Rules::default() };
    let (elements, rejects) = shaped(Kind::Users, vec![id()], strict, records);
    assert_eq!(elements.len(), 2);
    assert_eq!(rejects, [(0, vec!["id-as-float"]), (1, vec!["id-as-float"])]);
}

#[test]
fn every_mistake_of_a_row_is_named_and_its_bytes_are_gone() {
    let columns = vec![
        id(),
        attribute("n", ValueType::Number),
        attribute("b", ValueType::Bool),
        attribute("d", ValueType::DateTime(DateFormat::from_name("DD/MM/YYYY").expect("listed"))),
    ];
    let (plan, binding) =
        plan(Kind::Users, columns, Rules { show_values: true, ..Rules::default() });
    let rows: &[&[&str]] = &[
        &["USER1", "1,5", "yes", "2024-01-02"],
        &["USER2", "1e999", "", ""],
        &["USER3", "12345678901234567890", "false", "02/01/2024"],
    ];
    let block = shape(&plan, &binding, Arc::new(text_rows(4, rows))).expect("readable");
    let (elements, rejects) = results(&block);
    assert_eq!(
        rejects,
        [(0, vec!["type-number", "type-bool", "type-datetime"]), (1, vec!["number-range"])]
    );
    assert_eq!(
        elements,
        [
            r#"{"type":"customer","customer_id":"USER3","attributes":{"n":12345678901234567890,"b":false,"d":"2024-01-02"}}"#
        ]
    );
    assert_eq!(
        block.rejects[0].problems[2].detail.as_deref(),
        Some("expected DD/MM/YYYY, found \"2024-01-02\"")
    );
    assert_eq!(block.tally.count(Code::NumberPrecision), 1);
    assert_eq!(block.tally.count(Code::TypeNumber), 1);
}

#[test]
fn a_type_error_can_cost_the_attribute_alone() {
    let columns = || vec![id(), attribute("n", ValueType::Number)];
    let omit = Rules { omit_on_type_error: true, ..Rules::default() };
    let records: &[&[&str]] = &[&["USER1", "x"]];
    let (elements, _) = shaped(Kind::Users, columns(), omit.clone(), records);
    assert_eq!(elements, [r#"{"type":"customer","customer_id":"USER1","attributes":{}}"#]);
    let (elements, rejects) =
        shaped(Kind::Users, columns(), Rules { strict: true, ..omit }, records);
    assert_eq!(
        (elements.len(), rejects.len()),
        (0, 1),
        "--strict turns that warning into a rejection"
    );
}

#[test]
fn empty_cells_are_left_out_or_sent_as_asked() {
    let columns = || vec![id(), attribute("s", ValueType::Text), attribute("n", ValueType::Number)];
    let rules = Rules { empty: Empty::Text, null_values: vec!["-".into()], ..Rules::default() };
    let (elements, _) =
        shaped(Kind::Users, columns(), rules, &[&["USER1", "", ""], &["USER2", "-", "-"]]);
    assert_eq!(
        elements,
        [
            r#"{"type":"customer","customer_id":"USER1","attributes":{"s":""}}"#,
            r#"{"type":"customer","customer_id":"USER2","attributes":{}}"#,
        ]
    );
}

#[test]
fn the_body_limit_holds_for_a_row_alone_to_the_byte() {
    let element = r#"{"type":"customer","customer_id":"USER1","attributes":{"s":"xxxx"}}"#;
    let columns = || vec![id(), attribute("s", ValueType::Text)];
    let records: &[&[&str]] = &[&["USER1", "xxxx"]];
    let exact = element.len() + envelope::OVERHEAD_BYTES;
    let rules = |body_bytes_max| Rules { body_bytes_max, ..Rules::default() };
    assert_eq!(shaped(Kind::Users, columns(), rules(exact), records).0, [element]);
    assert_eq!(
        shaped(Kind::Users, columns(), rules(exact - 1), records).1,
        [(0, vec!["row-too-large"])]
    );
    // A row that goes alone has no envelope around it.
    let single = |body_bytes_max| Rules { single: true, ..rules(body_bytes_max) };
    assert_eq!(shaped(Kind::Users, columns(), single(element.len()), records).0, [element]);
    assert_eq!(
        shaped(Kind::Users, columns(), single(element.len() - 1), records).1,
        [(0, vec!["row-too-large"])]
    );
}

#[test]
fn typed_columns_are_sent_as_they_are() {
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("customer_id", Arc::new(Int64Array::from(vec![Some(1_234_567_890_123_456_789), None]))),
        ("big", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), None]))),
        ("f", Arc::new(Float64Array::from(vec![Some(0.1 + 0.2), Some(f64::NAN)]))),
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None]))),
        ("s", Arc::new(StringArray::from(vec![Some("007"), None]))),
    ];
    let fields: Vec<_> = arrays
        .iter()
        .map(|(name, array)| ArrowField::new(*name, array.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        arrays.iter().map(|(_, array)| Arc::clone(array)).collect(),
    )
    .expect("columns");
    let columns = vec![
        id(),
        attribute("big", ValueType::Number),
        attribute("f", ValueType::Number),
        attribute("t", DATE),
        attribute("s", ValueType::Text),
    ];
    let (plan, binding) = plan(Kind::Users, columns, Rules::default());
    let rows =
        Rows::Arrow(ArrowRows { file: 0, row_group: 2, is_batch: false, first_row: 11, batch });
    let block = shape(&plan, &binding, Arc::new(rows)).expect("readable");
    let (elements, rejects) = results(&block);
    assert_eq!(
        elements,
        [concat!(
            r#"{"type":"customer","customer_id":"1234567890123456789","attributes":{"big":9007199254740993,"#,
            r#""f":0.30000000000000004,"t":"2023-11-14T22:13:20.123Z","s":"007"}}"#
        )]
    );
    assert_eq!(rejects, [(1, vec!["id-missing", "number-not-finite"])]);
    assert_eq!(block.rejects[0].position.row, 12);
    assert_eq!(
        block.tally.count(Code::NumberPrecision),
        1,
        "an integer beyond 2^53, but no double"
    );
    assert_eq!(block.tally.count(Code::DatetimePrecision), 1);
}

/// The elements and rejects of records under a mapping in TOML.
fn mapped(
    mapping: &str,
    rules: Rules,
    records: &[&[&str]],
) -> (Vec<String>, Vec<(u32, Vec<&'static str>)>) {
    let mapping = crate::shape::mapping::parse(mapping, None).expect("a sound mapping");
    let sources: Vec<_> = mapping
        .columns
        .iter()
        .filter(|column| column.constant.is_none())
        .map(|column| SourceColumn::text(&column.source))
        .collect();
    let rules = Rules {
        event: mapping.event,
        update_existing_only: mapping.update_existing_only,
        null_values: mapping.null_words,
        ..rules
    };
    let plan = Plan::new(mapping.kind.expect("a kind"), mapping.columns, rules);
    let binding = plan.bind("f.csv", &sources, true).expect("fits");
    let rows = Arc::new(text_rows(sources.len(), records));
    results(&shape(&plan, &binding, rows).expect("readable"))
}

#[test]
fn objects_arrays_constants_words_and_zones() {
    let mapping = r#"
        timezone = "Asia/Kolkata"
        update_existing_only = true
        [columns]
        id = { to = "customer_id" }
        city = { attribute = "address.city" }
        tags = { type = "array" }
        zip = { attribute = "address.geo.zip" }
        sizes = { type = "array", items = "double", separator = ", " }
        vip = { type = "bool", true = ["ja"], false = ["nein"] }
        seen = { type = "datetime" }
        [constants]
        plan = "gold"
        "address.land" = "IN"
    "#;
    let (elements, rejects) = mapped(
        mapping,
        Rules::default(),
        &[
            &["USER1", "Pune", "[a|b \"c\"|]", "411001", "1, +2.50", "ja", "2024-01-02 05:30"],
            &["USER2", "", "[]", "", "[7]", "NEIN", ""],
            &["USER3", "", "", "", "1, x", "nein", ""],
        ],
    );
    assert_eq!(
        elements,
        [concat!(
            r#"{"type":"customer","customer_id":"USER1","attributes":{"address":{"city":"Pune","geo":{"zip":"411001"},"land":"IN"},"#,
            r#""tags":["a","b \"c\"",""],"sizes":[1,2.50],"vip":true,"seen":"2024-01-02T00:00:00Z","plan":"gold"},"update_existing_only":true}"#
        )]
    );
    assert_eq!(rejects, [(1, vec!["type-bool"]), (2, vec!["type-array"])]);
}

#[test]
fn a_user_by_another_identifier() {
    let mapping = r#"
        [columns]
        id = { to = "customer_id" }
        mobile = { identifier = "moe_mobile" }
        city = {}
    "#;
    let (elements, rejects) = mapped(
        mapping,
        Rules::default(),
        &[&["", "+491", "Bonn"], &["USER2", "", ""], &["", "", "x"], &["null", "+492", ""]],
    );
    assert_eq!(
        elements,
        [
            r#"{"type":"customer","attributes":{"moe_mobile":"+491","city":"Bonn"}}"#,
            r#"{"type":"customer","customer_id":"USER2","attributes":{}}"#,
        ]
    );
    assert_eq!(rejects, [(2, vec!["id-missing"]), (3, vec!["id-disallowed"])]);

    let events = format!("kind = \"events\"\nevent = \"Buy\"\n{}", mapping.trim());
    let (elements, _) = mapped(&events, Rules::default(), &[&["", "+491", "Bonn"]]);
    assert_eq!(
        elements,
        [
            r#"{"type":"event","user_identifiers":{"moe_mobile":"+491"},"actions":[{"action":"Buy","attributes":{"city":"Bonn"}}]}"#
        ]
    );
}

#[test]
fn a_device_has_what_the_api_requires() {
    let mapping = r#"
        kind = "devices"
        [columns]
        u = { to = "customer_id" }
        d = { to = "device_id" }
        platform = {}
        token = { to = "push_id" }
        moe_push_opted = {}
        colour = {}
    "#;
    let records: &[&[&str]] = &[
        &["USER1", "d1", "iOS", "t1", "True", ""],
        &["USER2", "", "unknown", "", "true", ""],
        &["USER3", "d3", "", "t3", "", "red"],
    ];
    let (elements, rejects) = mapped(mapping, Rules::default(), records);
    assert_eq!(
        elements,
        [
            r#"{"type":"device","customer_id":"USER1","device_id":"d1","attributes":{"platform":"iOS","push_id":"t1","moe_push_opted":"True"}}"#
        ]
    );
    assert_eq!(
        rejects,
        [
            (1, vec!["device-id-missing", "platform-value", "push-id-missing", "push-opted-value"]),
            (2, vec!["platform-missing", "device-attribute"]),
        ]
    );
}

#[test]
fn empty_cells_can_remove_a_users_values() {
    let mapping = r#"
        null = ["-"]
        [columns]
        id = { to = "customer_id" }
        "a\"" = {}
        n = { type = "double" }
        city = { attribute = "address.city" }
        gone = { optional = true, type = "bool" }
        profile = { type = "json" }
    "#;
    let rules = Rules { empty: Empty::Unset, ..Rules::default() };
    let (elements, _) = mapped(mapping, rules, &[&["USER1", "", "-", "", "true", " null "]]);
    assert_eq!(
        elements,
        [concat!(
            r#"{"type":"customer","customer_id":"USER1","attributes":{"gone":true},"#,
            r#""unset_attributes":[{"type":"equals","attr":"a\""},{"type":"equals","attr":"n"},{"type":"equals","attr":"profile"}]}"#
        )]
    );
}

#[test]
fn what_the_server_would_cut_is_a_warning_and_a_rejection_where_strict() {
    let long = "é".repeat(513);
    let url = format!("HTTPS://{}", "x".repeat(510));
    let whole = "é".repeat(512);
    let texts = [whole.as_str(), long.as_str(), url.as_str(), "[a|b]", "31/12/2024"];
    let records: Vec<Vec<&str>> = texts.iter().map(|text| vec!["USER1", *text]).collect();
    let records: Vec<&[&str]> = records.iter().map(Vec::as_slice).collect();
    let column = || {
        let mut column = attribute("s", ValueType::Text);
        column.inferred = true;
        vec![id(), column]
    };
    let (elements, _) = shaped(Kind::Users, column(), Rules::default(), &records);
    assert_eq!(elements.len(), 5, "all are sent as they are");
    let strict = Rules { strict: true, ..Rules::default() };
    let (elements, rejects) = shaped(Kind::Users, column(), strict.clone(), &records);
    assert_eq!(elements.len(), 1);
    let codes: Vec<_> = rejects.iter().map(|(_, codes)| codes[0]).collect();
    assert_eq!(codes, ["string-too-long", "url-too-long", "array-as-text", "date-as-text"]);

    let list = vec!["x"; 51].join("|");
    let columns = vec![id(), attribute("l", ValueType::Array(Items::Text))];
    let (_, rejects) =
        shaped(Kind::Users, columns, strict.clone(), &[&["USER1", &list], &["USER2", &list[2..]]]);
    assert_eq!(rejects, [(0, vec!["list-too-long"])]);

    let columns = vec![id(), PlanColumn::new("action", Target::Action, "action", ValueType::Text)];
    let names: &[&[&str]] = &[&["USER1", "a.b"], &["USER1", "id"], &["USER1", "moe_x"]];
    let (_, rejects) = shaped(Kind::Events, columns, strict, names);
    let codes: Vec<_> = rejects.iter().map(|(_, codes)| codes[0]).collect();
    assert_eq!(codes, ["event-name-dot", "name-blocked", "name-prefix"]);
}

#[test]
fn an_event_keeps_its_first_hundred_attributes() {
    let mut columns = vec![id()];
    columns.extend((0..101).map(|n| attribute(&format!("a{n}"), ValueType::Text)));
    let rules = Rules { event: Some("e".into()), ..Rules::default() };
    let mut all = vec!["USER1"];
    all.resize(102, "x");
    let mut fewer = all.clone();
    fewer[50] = "";
    let (plan, binding) = plan(Kind::Events, columns, rules);
    let rows = Arc::new(text_rows(102, &[&all, &fewer]));
    let block = shape(&plan, &binding, rows).expect("readable");
    assert_eq!(block.tally.count(Code::EventAttributeCount), 1);
}

mod both_ways {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    /// Cells that are plain, nearly so, and not at all.
    fn cell() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[ -~]{0,40}",
            2 => "\\PC{0,20}",
            1 => "[a-z\"\\\\\n\t]{0,20}",
            2 => "[-+]?[0-9]{0,4}\\.?[0-9]{0,14}(e[0-9]{1,3})?",
            2 => "(1[89]|20|21)[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,4})?(Z|\\+05:30)?)?",
            1 => "(true|false|TRUE|yes|null|guest)",
            1 => "\\[[a-c|1]{0,6}\\]",
            1 => "[x]{505,520}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Cells of a guarded file never go the plain way, and those without a guard mean what
        /// they mean in any other: so one block can go both ways.
        #[test]
        fn plain_cells_are_written_as_the_general_way_writes_them(
            rows in vec(vec(cell(), 6), 1..12),
            inferred in any::<bool>(),
            omit in any::<bool>(),
            strict in any::<bool>(),
            null_values in prop_oneof![3 => Just(vec![]), 1 => Just(vec!["null".to_owned()])],
        ) {
            prop_assume!(rows.iter().flatten().all(|cell| !cell.starts_with('\'')));
            let columns = vec![
                id(),
                PlanColumn { inferred, ..attribute("text", ValueType::Text) },
                attribute("number", ValueType::Number),
                attribute("bool", ValueType::Bool),
                attribute("date", DATE),
                attribute("a name that is longer than a key may be to be copied at once, by far", ValueType::Text),
            ];
            let rules = Rules { omit_on_type_error: omit, strict, null_values, ..Rules::default() };
            let (plan, plain) = plan(Kind::Users, columns, rules);
            let general = Binding { guarded: true, ..plain.clone() };
            let records: Vec<Vec<&str>> =
                rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
            let records: Vec<&[&str]> = records.iter().map(Vec::as_slice).collect();
            let block = Arc::new(text_rows(6, &records));
            let one = shape(&plan, &plain, Arc::clone(&block)).expect("readable");
            let other = shape(&plan, &general, block).expect("readable");
            prop_assert_eq!(results(&one), results(&other));
            let tally = |shaped: &Shaped| format!("{:?}", shaped.tally);
            prop_assert_eq!(tally(&one), tally(&other));
        }
    }
}
