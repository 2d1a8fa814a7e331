use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What a sink makes of a value: its JSON and the codes, or the code that refuses it.
fn written(tell: impl FnOnce(&mut Sink<'_>)) -> Result<(String, Vec<&'static str>), Code> {
    let mut out = b"before".to_vec();
    let mut buffers = Buffers::default();
    let mut sink = Sink::new(&mut out, &mut buffers, 0);
    tell(&mut sink);
    let flaws = sink.finish();
    let json = String::from_utf8(out).expect("UTF-8");
    let json = json.strip_prefix("before").expect("what was there stays");
    match flaws {
        Ok(flaws) => Ok((json.to_owned(), flaws.iter().map(Code::as_str).collect())),
        Err(code) => {
            assert_eq!(json, "", "a refused value leaves nothing behind");
            Err(code)
        }
    }
}

fn tell(value: &Value, sink: &mut Sink<'_>) {
    match value {
        Value::Null => sink.null(),
        Value::Bool(value) => sink.bool(*value),
        Value::Number(number) => sink.number(&number.to_string(), false),
        Value::String(text) => sink.string(text),
        Value::Array(items) => {
            sink.begin_list();
            items.iter().for_each(|item| tell(item, sink));
            sink.end_list();
        }
        Value::Object(entries) => {
            sink.begin_object();
            for (key, value) in entries {
                sink.key(key);
                tell(value, sink);
            }
            sink.end_object();
        }
    }
}

fn codes(value: Value) -> Vec<&'static str> {
    written(|sink| tell(&value, sink)).expect("a sound value").1
}

/// The value without its nulls, as it is sent.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            items.iter().filter(|item| !item.is_null()).map(without_nulls).collect()
        }
        Value::Object(entries) => {
            let kept = entries.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_reads_back_without_its_nulls(value in any_json()) {
        let (json, _) = written(|sink| tell(&value, sink)).expect("no key stands twice");
        if value.is_null() {
            prop_assert_eq!(json, "");
        } else {
            prop_assert_eq!(json, serde_json::to_string(&without_nulls(&value)).expect("JSON"));
        }
    }

    #[test]
    fn no_order_of_calls_breaks_it(calls in prop::collection::vec(0..10, 0..40)) {
        let mut out = Vec::new();
        let mut buffers = Buffers::default();
        let mut sink = Sink::new(&mut out, &mut buffers, 0);
        let known = KnownKey::new("k");
        for call in calls {
            match call {
                0 | 1 => sink.begin_object(),
                2 => sink.begin_list(),
                3 => sink.end_object(),
                4 => sink.end_list(),
                5 => sink.key("a"),
                6 => sink.known_key(&known),
                7 => sink.null(),
                8 => sink.number("1", false),
                _ => sink.string("s"),
            }
        }
        let _ = sink.finish();
    }
}

#[test]
fn the_limits_hold_at_their_edge_and_break_one_beyond() {
    let text = |characters| "é".repeat(characters);
    let url = |characters: usize| format!("HTTPS://{}", "x".repeat(characters - 8));
    let object =
        |keys: usize| Value::Object((0..keys).map(|n| (n.to_string(), json!(1))).collect());
    // {"k":"…"} with as many bytes as asked for, its text split so that no string is long.
    let heavy = |bytes: usize| {
        let entries = (0..50).map(|n| (format!("k{n:02}"), Value::from("v".repeat(490))));
        let mut entries: serde_json::Map<_, _> = entries.collect();
        let short = bytes - serde_json::to_vec(&entries).expect("JSON").len();
        entries.insert("k".to_owned(), "v".repeat(short - r#","k":"""#.len()).into());
        assert_eq!(serde_json::to_vec(&entries).expect("JSON").len(), bytes);
        Value::Object(entries)
    };
    for (within, beyond, code) in [
        (json!([text(512)]), json!([text(513)]), "string-too-long"),
        (json!({"a": text(512)}), json!({"a": text(513)}), "string-too-long"),
        (json!([url(512)]), json!([url(513)]), "url-too-long"),
        (json!(vec![7; 50]), json!(vec![7; 51]), "list-too-long"),
        (json!(vec![json!({}); 100]), json!(vec![json!({}); 101]), "list-too-long"),
        (json!([1, 2.5]), json!([1, "2"]), "list-mixed-types"),
        (json!([{"a": [1]}]), json!([[1], [2]]), "list-mixed-types"),
        (json!({"a": null}), json!([1, null]), "list-null"),
        (heavy(25_000), heavy(25_001), "object-too-large"),
        (object(100), object(101), "object-keys"),
        (json!({"a": [{"b": 1}]}), json!({"a": [{"b": {}}]}), "object-depth"),
        (json!({"a_b-c d": 1}), json!({"a.b": 1}), "object-key-characters"),
        (json!([999_999_999_999_999_u64]), json!([9_007_199_254_740_993_u64]), "number-precision"),
    ] {
        assert_eq!(codes(within), [""; 0], "{code}");
        assert_eq!(codes(beyond), [code]);
    }
    // A list of objects and others is mixed, and as short as any.
    let mut mixed = vec![json!({}); 50];
    mixed.push(json!(1));
    assert_eq!(codes(mixed.into()), ["list-too-long", "list-mixed-types"]);
    // Nulls are not sent, so they are not counted.
    assert_eq!(codes(json!(vec![Value::Null; 60])), ["list-null"]);
    for character in limits::OBJECT_KEY_CHARS_BARRED {
        let known = KnownKey::new(&character.to_string());
        let tell = |sink: &mut Sink<'_>| {
            sink.begin_object();
            sink.known_key(&known);
            sink.bool(true);
            sink.end_object();
        };
        let json = format!("{{\"{character}\":true}}");
        assert_eq!(written(tell), Ok((json, vec!["object-key-characters"])));
    }
}

#[test]
fn a_key_twice_is_found_in_its_own_object_only() {
    let object = |keys: &[&str]| {
        written(|sink| {
            sink.begin_object();
            for key in keys {
                sink.key(key);
                sink.begin_object();
                sink.key("inner");
                sink.bool(true);
                sink.end_object();
            }
            sink.end_object();
        })
    };
    assert!(object(&["a", "b", "inner"]).is_ok());
    assert_eq!(object(&["b", "a", "c", "b"]), Err(Code::ObjectKeyTwice));
    // An entry without a value is not there.
    let left_out = written(|sink| {
        sink.begin_object();
        for value in [false, true] {
            sink.key("a");
            if value { sink.string("x") } else { sink.null() }
        }
        sink.end_object();
    });
    assert_eq!(left_out, Ok((r#"{"a":"x"}"#.to_owned(), vec![])));
}

#[test]
fn what_cannot_be_sent_refuses_the_whole_value() {
    let list = |digits| {
        written(|sink| {
            sink.begin_list();
            sink.bool(true);
            sink.number(digits, false);
            sink.string("after");
            sink.end_list();
        })
    };
    assert_eq!(list("1e999"), Err(Code::NumberRange));
    assert_eq!(list("1,0"), Err(Code::TypeNumber));
    let endless = written(|sink| {
        sink.begin_list();
        while !sink.is_refused() {
            sink.string(&"x".repeat(500));
        }
        sink.end_list();
    });
    assert_eq!(endless, Err(Code::RowTooLarge));
}

#[test]
fn a_url_is_one_as_a_whole() {
    for text in ["https://x", "ftp://a.b/c", "HTTP://X"] {
        assert!(super::is_url(text), "{text}");
    }
    for text in ["https://x and more", "://x", "see https://x", "https://", "https:/x", ""] {
        assert!(!super::is_url(text), "{text}");
    }
}
