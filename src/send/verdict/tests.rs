use super::*;

/// 2026-11-24T00:00:00Z.
const NOW_MS: u64 = 1_795_478_400_000;

fn answer(status: u16, body: AnswerBody) -> Answer {
    Answer { status, retry_after: None, rate_limit_reset: None, body }
}

fn whole(status: u16, body: &str) -> Verdict {
    let body = AnswerBody::Whole(Bytes::copy_from_slice(body.as_bytes()));
    judge(&Outcome::Answered(answer(status, body)), NOW_MS, str::to_owned)
}

/// The name of a verdict, short enough for a table.
fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered { .. } => "delivered",
        Verdict::Isolate(_) => "isolate",
        Verdict::Wait { .. } => "wait",
        Verdict::Retry { in_doubt: true, .. } => "retry",
        Verdict::Retry { in_doubt: false, .. } => "retry, not sent",
        Verdict::Stop(_) => "stop",
        Verdict::Distrust(_) => "stop, not sent",
    }
}

#[test]
fn every_listed_reply_has_its_verdict() {
    let rows = [
        (400, "Missing header value", "The Content-Type Header is required", "stop"),
        (400, "Empty request body", "A valid JSON document is required", "stop"),
        (
            400,
            "Malformed JSON",
            "Could not decode the request body. The JSON was incorrect or not encoded as UTF-8.",
            "stop",
        ),
        (400, "Blacklisted", "Your account is blacklisted, Please contact MoEngage.", "stop"),
        (400, "InvalidParams", "given app_id is invalid.", "stop"),
        (400, "ParamsRequired", "app_id is required in path/query params.", "stop"),
        (400, "Empty request body", "A valid JSON document is required.", "stop"),
        (400, "Body type is not JSON", "A valid JSON document is required.", "stop"),
        (400, "MissingAttributeError", "{{key}} is expected to be {{datatype}}", "isolate"),
        (401, "Authentication Required", "Authentication Header Required", "stop"),
        (401, "Authentication required", "No identity information found", "stop"),
        (401, "Authentication required", "Invalid identity information found", "stop"),
        (401, "Authentication required", "APP_KEY missing in the authentication header", "stop"),
        (401, "Authentication required", "APP_SECRET missing in the authentication header", "stop"),
        (
            401,
            "Authentication required",
            "App Secret key mismatch. Please login to the dashboard to verify key",
            "stop",
        ),
        (401, "Authentication required", "Invalid APP_ID used in Authentication Header", "stop"),
        (403, "Account Suspended", "Account Suspended", "stop"),
        (403, "Account Temporarily Suspended", "Account Temporarily Suspended", "stop"),
        (409, "Authentication Mismatch", "App key mismatch in params and authentication", "stop"),
        (
            409,
            "Authentication required",
            "App Secret key is not set. Please login to the dashboard to set a key",
            "stop",
        ),
        (413, "Payload too large", "The payload can not exceed 128KB", "isolate"),
        (415, "Unsupported Media Type", "Unsupported Media Type", "stop"),
        (429, "Rate Limit Exceeded", "Rate Limits for User / Event exceeded", "wait"),
        (500, "Server Error", "Any other exception", "retry"),
    ];
    for (status, kind, message, expected) in rows {
        let error = serde_json::json!({ "type": kind, "message": message, "request_id": "r" });
        let body = serde_json::json!({ "status": "fail", "error": error }).to_string();
        let verdict = whole(status, &body);
        assert_eq!(name(&verdict), expected, "{status} {kind}: {message}");
        if let Verdict::Stop(refusal) | Verdict::Isolate(refusal) = verdict {
            let request_id = Some("r".to_owned());
            let (kind, message) = (kind.to_owned(), message.to_owned());
            assert_eq!(refusal, Refusal { status, kind, message, request_id });
        }
        assert!(class_of(kind).is_some(), "{kind} is not in the table");
    }
}

#[test]
fn every_other_reply_has_its_verdict() {
    let fail =
        |kind: &str| format!(r#"{{"status":"fail","error":{{"type":"{kind}","message":"m"}}}}"#);
    let rows = [
        (200, r#"{"status":"success"}"#.to_owned(), "delivered"),
        (202, r#"{"status":"success","request_id":"x"}"#.to_owned(), "delivered"),
        (200, fail("TypeError"), "isolate"),
        (200, r#"{"status":"fail"}"#.to_owned(), "isolate"),
        (200, fail("Blacklisted"), "stop"),
        (200, String::new(), "retry"),
        (204, String::new(), "retry"),
        (200, "<html>welcome to the hotel's network</html>".to_owned(), "retry"),
        (200, r#"{"status":"#.to_owned(), "retry"),
        (200, r#"{"status":"pending"}"#.to_owned(), "retry"),
        (200, "null".to_owned(), "retry"),
        (400, fail("TypeError"), "isolate"),
        (400, fail("AttributeError"), "isolate"),
        (400, fail("SomethingNew"), "isolate"),
        (400, fail("malformed json"), "stop"),
        (400, String::new(), "isolate"),
        (400, "<html>".to_owned(), "isolate"),
        (401, String::new(), "stop"),
        (404, "not found".to_owned(), "stop"),
        (405, String::new(), "stop"),
        (407, String::new(), "stop"),
        (408, String::new(), "retry"),
        (413, "<html>".to_owned(), "isolate"),
        (422, fail("TypeError"), "stop"),
        (429, "<html>".to_owned(), "wait"),
        (301, String::new(), "stop"),
        (302, r#"{"status":"success"}"#.to_owned(), "stop"),
        (304, String::new(), "stop"),
        (500, r#"{"status":"success"}"#.to_owned(), "retry"),
        (502, "<html>".to_owned(), "retry"),
        (503, String::new(), "retry"),
        (504, String::new(), "retry"),
        (599, String::new(), "retry"),
        (600, String::new(), "stop"),
        (101, String::new(), "stop"),
    ];
    for (status, body, expected) in rows {
        assert_eq!(name(&whole(status, &body)), expected, "{status} {body}");
    }
}

#[test]
fn replies_that_are_not_whole() {
    let rows = [
        (200, AnswerBody::Cut, "retry"),
        (200, AnswerBody::TooLong, "retry"),
        (400, AnswerBody::Cut, "retry"),
        (400, AnswerBody::TooLong, "isolate"),
        (401, AnswerBody::Cut, "stop"),
        (413, AnswerBody::Cut, "isolate"),
        (429, AnswerBody::TooLong, "wait"),
        (503, AnswerBody::Cut, "retry"),
    ];
    for (status, body, expected) in rows {
        let verdict =
            judge(&Outcome::Answered(answer(status, body.clone())), NOW_MS, str::to_owned);
        assert_eq!(name(&verdict), expected, "{status} {body:?}");
    }
}

#[test]
fn only_a_connection_never_made_is_surely_not_sent() {
    let never = Outcome::NeverConnected("connection refused".to_owned());
    assert_eq!(name(&judge(&never, NOW_MS, str::to_owned)), "retry, not sent");
    assert_eq!(name(&judge(&Outcome::Broken("reset".to_owned()), NOW_MS, str::to_owned)), "retry");
    assert_eq!(name(&judge(&Outcome::TimedOut, NOW_MS, str::to_owned)), "retry");
}

#[test]
fn waits_are_the_larger_of_what_the_server_names() {
    let rows = [
        (None, None, None),
        (Some("7"), None, Some(7_000)),
        (None, Some("42"), Some(42_000)),
        (Some("7"), Some("42"), Some(42_000)),
        (Some("60"), Some("42"), Some(60_000)),
        (Some(" 1.5 "), None, Some(1_500)),
        (Some("0"), None, None),
        (Some("-5"), Some("soon"), None),
        (Some("inf"), Some("NaN"), None),
        (Some(""), Some("."), None),
        (Some("0"), Some("3"), Some(3_000)),
        (Some("86400"), None, Some(86_400_000)),
        (Some("Tue, 24 Nov 2026 00:00:30 GMT"), None, Some(30_000)),
        (Some("Mon, 23 Nov 2026 23:59:30 GMT"), None, None),
        (Some("Fri, 31 Dec 9999 23:59:59 GMT"), None, Some(251_606_822_399_000)),
        (Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some("7"), Some(7_000)),
        (Some("7, 8"), None, None),
        (Some("1e3"), None, None),
        (Some("Tue, 99 Nov 2026 00:00:30 GMT"), None, None),
        (None, Some("1795478460"), Some(60_000)),
        (None, Some("1795478340"), None),
    ];
    for (retry_after, reset, expected) in rows {
        let answer = Answer {
            status: 429,
            retry_after: retry_after.map(str::to_owned),
            rate_limit_reset: reset.map(str::to_owned),
            body: AnswerBody::Cut,
        };
        let verdict = judge(&Outcome::Answered(answer), NOW_MS, str::to_owned);
        assert_eq!(verdict, Verdict::Wait { asked_ms: expected }, "{retry_after:?} {reset:?}");
    }
    assert!(wait_ms(&"9".repeat(400), NOW_MS).is_some_and(|ms| ms > ASKED_MS_MAX));
}

#[test]
fn back_off_doubles_from_two_seconds_to_thirty() {
    for failures in 0..100 {
        assert_eq!(back_off_ms(failures, 0.0), 2_000);
        assert!(back_off_ms(failures, 1.0) <= 30_000);
    }
    let ceilings: Vec<_> = (1..6).map(|failures| back_off_ms(failures, 1.0)).collect();
    assert_eq!(ceilings, [4_000, 8_000, 16_000, 30_000, 30_000]);
}

#[test]
fn the_advice_never_tells_to_make_a_new_key() {
    for status in 100..600 {
        for kind in ["", "Blacklisted", "InvalidParams", "Authentication required"] {
            let advice = advice(status, kind).to_ascii_lowercase();
            for word in ["generate", "regenerate", "new key", "reset", "rotate"] {
                assert!(!advice.contains(word), "{status}: {advice}");
            }
        }
    }
    assert!(advice(401, "").contains("check"));
}

#[test]
fn words_are_hidden_before_they_are_cut_and_the_verdict_is_of_those_that_came() {
    let long = "x".repeat(400);
    let hide = |words: &str| words.replace(&long, "…").replace("Main St\nBerlin", "…");
    for kind in ["TypeError", "Blacklisted"] {
        let message = format!("Main St\nBerlin\n: {long}");
        let body =
            serde_json::json!({"status": "fail", "error": {"type": kind, "message": message}});
        let body = AnswerBody::Whole(body.to_string().into());
        let verdict = judge(&Outcome::Answered(answer(400, body)), NOW_MS, hide);
        let (Verdict::Isolate(refusal) | Verdict::Stop(refusal)) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(refusal.message, "… : …");
    }
    let blocked = br#"{"status":"fail","error":{"type":"Blacklisted","message":"Blacklisted"}}"#;
    let body = AnswerBody::Whole(Bytes::from_static(blocked));
    let hide = |words: &str| words.replace("Blacklisted", "…");
    let verdict = judge(&Outcome::Answered(answer(400, body)), NOW_MS, hide);
    let Verdict::Stop(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!((refusal.kind.as_str(), refusal.message.as_str()), ("…", "…"));
}
