//! What is proposed: the kind, the customer_id, standard attributes, types, formats; and what is left
//! to be decided.

use crate::{comment, entry, init, mapping_of, support::Lab};

/// A CSV file of so many rows.
fn csv(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    let rows: Vec<String> = (0..rows).map(row).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

#[test]
fn the_kind_is_told_by_the_columns_or_the_flag() {
    for (header, row, flags, kind) in [
        ("user_id,email", "u-1,a@b.co", &[][..], "users"),
        ("user_id,event_name,timestamp", "u-1,Buy,2024-01-02", &[], "events"),
        ("user_id,event,price", "u-1,Buy,3", &[], "users"),
        ("user_id,when,timestamp", "u-1,x,2024-01-02", &["--event", "Buy"], "events"),
        ("user_id,device_id,fcm_token,platform", "u-1,d-1,t-1,web", &[], "devices"),
        ("user_id,device_id,os", "u-1,d-1,web", &[], "users"),
        ("user_id,event_name,timestamp", "u-1,Buy,2024-01-02", &["--kind", "users"], "users"),
    ] {
        let mapping = mapping_of(&format!("{header}\n{row}\n"), flags);
        assert_eq!(mapping["kind"].as_str(), Some(kind), "{header}");
    }
}

#[test]
fn fields_of_an_event_by_usual_names_where_the_values_fit() {
    let mapping = mapping_of(
        "Customer ID,Event Name,Timestamp,Platform,App Version,Device ID,TZ Offset,amount\n\
         c-1,Buy,1700000000,web,1.0,d-1,3600,2.5\n",
        &[],
    );
    for (column, expected) in [
        ("Customer ID", "to = \"customer_id\""),
        ("Event Name", "to = \"action\""),
        ("Timestamp", "to = \"user_time\""),
        ("Platform", "to = \"platform\""),
        ("App Version", "to = \"app_version\""),
        ("Device ID", "to = \"device_id\""),
        ("TZ Offset", "to = \"user_timezone_offset\""),
        ("amount", "type = \"double\""),
    ] {
        assert_eq!(entry(&mapping, column), expected, "{column}");
    }
    let lab = Lab::new();
    lab.write(
        "in.csv",
        "uid,event,time,platform,tz_offset\nc-1,Buy,1700000000000,Symbian,99999999\n",
    );
    let text = init(&lab, &["in.csv", "--kind", "events"]);
    for (column, why) in [
        ("time", "not proposed as user_time: epoch milliseconds"),
        ("platform", "not proposed as platform, which is one of ANDROID, iOS, web, TV, unknown"),
        ("tz_offset", "not proposed as user_timezone_offset"),
    ] {
        assert!(comment(&text, column).contains(why), "{text}");
    }
    assert!(text.contains("platform = { attribute = \"platform\" }"), "not the field: {text}");
}

#[test]
fn standard_attributes_by_name_and_shape() {
    let text = csv("customer_id,E-Mail,Mobile,First Name,surname,Sex,DOB,Name", 30, |n| {
        format!("c-{n},a{n}@b.co,+4930123456{n},Ann,Smith,F,{:02}/03/1990,Ann Smith", n % 28 + 1)
    });
    let mapping = mapping_of(&text, &[]);
    for (column, expected) in [
        ("customer_id", "to = \"customer_id\""),
        ("E-Mail", "attribute = \"u_em\""),
        ("Mobile", "attribute = \"u_mb\""),
        ("First Name", "attribute = \"u_fn\""),
        ("surname", "attribute = \"u_ln\""),
        ("Sex", "attribute = \"u_gd\""),
        ("DOB", "attribute = \"u_bd\", type = \"datetime\", format = \"DD/MM/YYYY\""),
        ("Name", "attribute = \"u_n\""),
    ] {
        assert_eq!(entry(&mapping, column), expected, "{column}");
    }
    // A phone number of plain digits stays text; a plan and a login are no standard attributes.
    let mapping = mapping_of("customer_id,phone,plan,username\nc-1,9907149204,gold,x\n", &[]);
    assert_eq!(entry(&mapping, "phone"), "attribute = \"u_mb\"");
    assert_eq!(entry(&mapping, "plan"), "");
    assert_eq!(entry(&mapping, "username"), "");
}

#[test]
fn a_name_whose_values_look_otherwise_is_not_proposed_and_says_why() {
    let lab = Lab::new();
    let rows = csv("customer_id,email,mobile,first_name,gender,birthday", 30, |n| {
        format!("c-{n},none given,unknown,{n},word{n},soon")
    });
    lab.write("in.csv", rows);
    let text = init(&lab, &["in.csv"]);
    for (column, why) in [
        ("email", "not proposed as u_em: no value looks like an e-mail address"),
        ("mobile", "not proposed as u_mb: no value looks like a telephone number"),
        ("first_name", "not proposed as u_fn: the values are of type double, not names"),
        ("gender", "not proposed as u_gd: there are more than a few values"),
        ("birthday", "not proposed as u_bd: not all values are dates in one format"),
    ] {
        assert!(comment(&text, column).contains(why), "{column}: {text}");
    }
    assert!(!text.contains("attribute ="), "{text}");
}

#[test]
fn customer_id_candidates_are_ranked_and_one_is_chosen_where_it_is_clear() {
    // The second has values that the API refuses; the third has no telling name.
    let rows = csv("user_id,customer_no,serial", 100, |n| {
        format!("u-{n},{},s-{n}", if n % 10 == 0 { "null".to_owned() } else { format!("k-{n}") })
    });
    let mapping = mapping_of(&rows, &[]);
    assert_eq!(entry(&mapping, "user_id"), "to = \"customer_id\"");
    assert_eq!(entry(&mapping, "customer_no"), "");
    let lab = Lab::new();
    lab.write("in.csv", &rows);
    let text = init(&lab, &["in.csv"]);
    let ranked: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.contains("candidates"))
        .skip(1)
        .take_while(|line| *line != "#")
        .collect();
    assert_eq!(
        ranked,
        [
            "#   user_id       100 % unique, all usable",
            "#   customer_no   91 % unique, 10 disallowed",
        ]
    );
    // The very name is the id, whatever else there is.
    let mapping = mapping_of("user_id,customer_id\nu-1,c-1\nu-2,c-2\n", &[]);
    assert_eq!(entry(&mapping, "customer_id"), "to = \"customer_id\"");
    assert_eq!(entry(&mapping, "user_id"), "");
}

#[test]
fn types_and_formats_hold_for_all_values() {
    let mapping = mapping_of(
        "customer_id,whole,mixed,flag,iso,day,dash,slash,month,digits,nulls,late\n\
         c-1,1,1,true,2024-01-02,01/02/2024,13-02-2024 10:00:00,2024/01/02,02/13/2024,0123,NULL,1\n\
         c-2,2.5,x,FALSE,2024-01-02T03:04,13/02/2024,01-02-2024 10:00:00,2024/12/31,01/02/2024,7,4,2\n",
        &[],
    );
    for (column, expected) in [
        ("whole", "type = \"double\""),
        ("mixed", ""),
        ("flag", "type = \"bool\""),
        ("iso", "type = \"datetime\""),
        ("day", "type = \"datetime\", format = \"DD/MM/YYYY\""),
        ("dash", "type = \"datetime\", format = \"DD-MM-YYYY hh:mm:ss\""),
        ("slash", "type = \"datetime\", format = \"YYYY/MM/DD\""),
        ("month", ""),
        ("digits", ""),
        ("nulls", "type = \"double\", null = [\"NULL\"]"),
    ] {
        assert_eq!(entry(&mapping, column), expected, "{column}");
    }
    // The last row of many decides too.
    let rows = csv("customer_id,n,d", 5_000, |n| match n {
        4_999 => "c-x,seven,02/28/2024".into(),
        n => format!("c-{n},{n},01/02/2024"),
    });
    let mapping = mapping_of(&rows, &[]);
    assert_eq!((entry(&mapping, "n"), entry(&mapping, "d")), (String::new(), String::new()));
}

#[test]
fn a_date_that_two_readings_fit_is_to_be_decided() {
    let lab = Lab::new();
    lab.write("in.csv", "customer_id,born,email\nc-1,01/02/1990,a@b.co\nc-2,03/04/1991,c@d.co\n");
    let ran = lab.run(&["init", "in.csv", "--format", "mapping", "--out", "m.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("to decide: `born`: day-first or month-first?"), "{}", ran.stderr);
    let text = String::from_utf8(lab.read("m.toml")).expect("UTF-8");
    let line = 1 + text.lines().position(|line| line.starts_with("born = ")).expect("its line");
    let refused = lab.run(&["validate", "in.csv", "--mapping", "m.toml"]);
    assert_eq!(refused.code, 2);
    let place = format!("line {line}, column `born` is still to be decided: day-first");
    assert!(refused.stderr.contains(&place), "{}", refused.stderr);
    // Either answer is one of those that it names.
    let question = text.lines().find(|line| line.starts_with("born = ")).expect("its line");
    for (answer, sent) in [
        (r#"{ attribute = "u_bd", type = "datetime", format = "DD/MM/YYYY" }"#, "1990-02-01"),
        (r#"{ attribute = "born", type = "string" }"#, "01/02/1990"),
    ] {
        assert!(question.contains(answer), "{question}");
        lab.write("answered.toml", text.replace(question, &format!("born = {answer}")));
        let (_, elements) = lab.pack(0, &["in.csv", "--mapping", "answered.toml"]);
        let name = if answer.contains("u_bd") { "u_bd" } else { "born" };
        let found = elements[0].get("attributes").get(name);
        assert_eq!(*found, crate::support::Json::text(sent));
    }
}

#[test]
fn rows_are_checked_as_if_an_open_date_was_day_first() {
    let lab = Lab::new();
    lab.write("in.csv", "uid,event,time\nu-1,Buy,01/02/2024\nu-2,Buy,03/04/2024\nu-3,Buy,NULL\n");
    let text = init(&lab, &["in.csv"]);
    assert!(text.contains("# - time: day-first or month-first?"), "{text}");
    assert!(text.contains("# Apart from that, all 3 rows can be sent."), "{text}");
    let day_first =
        r#"{ to = "user_time", type = "datetime", format = "DD/MM/YYYY", null = ["NULL"] }"#;
    assert!(text.contains(day_first), "{text}");
}

/// A value that is no date among many that are is named by its row.
#[test]
fn a_few_values_that_keep_a_column_from_its_type_are_named() {
    let lab = Lab::new();
    let rows = csv("customer_id,seen,n", 300, |n| match n {
        150 => format!("c-{n},2024-02-30,x"),
        n => format!("c-{n},2024-02-{:02},{n}", n % 29 + 1),
    });
    lab.write("in.csv", rows);
    let text = init(&lab, &["in.csv"]);
    for (column, narrower) in [("seen", "datetime"), ("n", "double")] {
        let note = format!("299 of 300 values fit {narrower}, the first in row 151 does not");
        assert!(comment(&text, column).contains(&note), "{text}");
    }
}

#[test]
fn several_good_customer_ids_or_none_are_to_be_decided() {
    for (csv, place, question) in [
        (
            "user_id,customer_no,plan\nu-1,k-1,a\nu-2,k-2,a\n",
            "column `user_id`",
            "which is the customer_id: user_id, customer_no?",
        ),
        ("code,plan\nx-1,a\nx-2,a\n", "column `code`", "is this the customer_id?"),
        ("plan,city\na,b\na,b\n", "line ", "which column identifies the customer?"),
    ] {
        let lab = Lab::new();
        lab.write("in.csv", csv);
        let ran = lab.run(&["init", "in.csv", "--format", "mapping", "--out", "m.toml"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let refused = lab.run(&["validate", "in.csv", "--mapping", "m.toml"]);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        for words in [place, question, "is still to be decided"] {
            assert!(refused.stderr.contains(words), "{words}: {}", refused.stderr);
        }
    }
}

#[test]
fn what_the_api_needs_and_no_column_gives_is_to_be_decided() {
    for (csv, kind, question) in [
        ("customer_id,price\nc-1,3\nc-2,4\n", "events", "what are the events named?"),
        ("customer_id,device_id,token\nc-1,d-1,t-1\n", "devices", "the platform of the device?"),
    ] {
        let mapping = mapping_of(csv, &["--kind", kind]);
        let found = mapping["decide"].as_str().expect("a question");
        assert!(found.contains(question), "{found}");
    }
}

/// Names that differ by case or punctuation alone do not meet in one attribute.
#[test]
fn names_that_are_all_but_the_same_get_one_attribute_each() {
    for (header, row, own) in [
        ("customer_id,U_EM,u_em,email", "c-1,a@b.co,c@d.co,e@f.co", &["u_em"][..]),
        ("customer_id,email,E-Mail", "c-1,a@b.co,c@d.co", &[]),
        ("uid,Action,action,time,Time", "c-1,a,b,2024-01-02,2024-01-03", &["action"]),
        (
            "customer_id,deviceId,device_id,token,push_id,Platform,platform,Model,model",
            "c-1,d-1,d-2,t-1,t-2,web,web,m,n",
            &["device_id", "push_id", "platform", "model"],
        ),
    ] {
        let lab = Lab::new();
        lab.write("in.csv", format!("{header}\n{row}\n"));
        let text = init(&lab, &["in.csv", "--format", "mapping"]);
        let mapping: toml::Table = text.parse().expect("TOML");
        for column in own {
            let entry = entry(&mapping, column);
            assert!(entry.is_empty() || entry == format!("to = \"{column}\""), "{column}: {text}");
        }
        lab.write("m.toml", &text);
        let (report, _) = lab.pack(0, &["in.csv", "--mapping", "m.toml"]);
        assert_eq!(report["rows"]["accepted"], 1, "{header}");
    }
}

#[test]
fn words_for_a_boolean_and_for_no_value_are_named() {
    let lab = Lab::new();
    lab.write(
        "in.csv",
        "customer_id,moe_unsubscribe,opt,note\nc-1,yes,Y,NULL\nc-2,no,N,hello\nc-3,no,Y,b\n",
    );
    let text = init(&lab, &["in.csv"]);
    let line = "moe_unsubscribe = { type = \"bool\", true = [\"yes\"], false = [\"no\"] }";
    assert!(text.contains(line), "{text}");
    let opt = comment(&text, "opt");
    assert!(opt.contains("type = \"bool\", true = [\"Y\"], false = [\"N\"]"), "{opt}");
    let note = comment(&text, "note");
    assert!(note.contains("1 × `NULL` is sent as text; if it means no value"), "{note}");
}

#[test]
fn limits_of_the_server_are_said_by_the_check_of_an_import() {
    let lab = Lab::new();
    let long = "y".repeat(513);
    lab.write(
        "in.csv",
        format!(
            "customer_id,id,source,moe_own,text,tags\nc-1,1,a,b,{long},[a|b]\nc-2,2,a,b,short,x\nnull,3,a,b,c,d\n"
        ),
    );
    let text = init(&lab, &["in.csv"]);
    for (column, note) in [
        ("id", "name-blocked: the server drops"),
        ("source", "name-reserved: the name is reserved"),
        ("moe_own", "name-prefix: names that begin with `moe_`"),
        ("text", "1 × string-too-long: the text has more than 512 characters"),
        ("tags", "1 × array-as-text: the text looks like an array"),
        ("customer_id", "1 × rejected, id-disallowed"),
    ] {
        assert!(comment(&text, column).contains(note), "{column}: {text}");
    }
    assert!(text.contains("# 2 of 3 rows can be sent; 1 would be rejected:"), "{text}");
    let wide: Vec<String> = (0..260).map(|n| format!("a{n}")).collect();
    lab.write("wide.csv", format!("customer_id,{}\nc-1,{}\n", wide.join(","), wide.join(",")));
    let text = init(&lab, &["wide.csv"]);
    assert!(!comment(&text, "a255").contains("attribute-count"), "{text}");
    assert!(comment(&text, "a256").contains("attribute-count: a workspace takes 256"), "{text}");
}

/// It asked for the customer_id, and said nothing of the rows.
#[test]
fn rows_that_cannot_be_read_are_said_to_be_such() {
    let lab = Lab::new();
    let run = |flags: &[&str]| {
        lab.run(&[&["init", "in.csv", "--progress", "off", "--force"], flags].concat())
    };
    let page = || String::from_utf8(lab.read("moebulk.toml")).expect("UTF-8").replace("\n#  ", "");
    lab.write("in.csv", b"wer,n\nM\xfcller,1\nM\xfcller,1\n");
    let ran = run(&[]);
    let said: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(said[0], "moebulk.toml: 2 rows of users in 2 columns, none of which can be read");
    assert!(said[1].starts_with("2 × invalid-utf8: the record is not UTF-8;"), "{}", said[1]);
    assert!(said[1].ends_with("such as --encoding windows-1252"), "{}", said[1]);
    assert_eq!(said[2], "to decide: which column identifies the customer?");
    assert_eq!(said[3..], ["next: mend that, and run init again with --force"]);
    let text = page();
    assert!(text.contains("# None of the 2 rows can be read:\n# - 2 × invalid-utf8:"), "{text}");
    assert!(text.contains("No row could be read, and no name tells: write"), "{text}");
    // As it says.
    let ran = run(&["--encoding", "windows-1252"]);
    let first = ran.stderr.lines().next();
    assert_eq!(first, Some("moebulk.toml: 2 rows of users in 2 columns"));
    assert!(!page().contains("can be read"));
    // Where a name tells what the customer_id is, it is the same.
    lab.write("in.csv", b"customer_id,n\nM\xfcller,1\nK\xf6ln,2\n");
    let ran = run(&[]);
    assert!(ran.stderr.contains("none of which can be read\n2 × invalid-utf8"), "{}", ran.stderr);
    assert!(page().contains("# 0 of 2 rows can be sent; 2 would be rejected:"));
    // Some of them.
    lab.write("in.csv", b"wer,n\nM\xfcller,1\nKiel,2\nKiel,2\n");
    let ran = run(&[]);
    assert!(!ran.stderr.contains("read"), "{}", ran.stderr);
    let text = page();
    assert!(text.contains("# 1 of 3 rows cannot be read:\n# - 1 × invalid-utf8:"), "{text}");
    // None at all.
    lab.write("in.csv", "customer_id,n\n");
    let first = run(&[]).stderr.lines().next().map(str::to_owned);
    let none = "moebulk.toml: 0 rows of users in 2 columns: there is no row to look at";
    assert_eq!(first.as_deref(), Some(none));
}
