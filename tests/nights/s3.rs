//! Three nights from a server of S3, as partitioned Parquet: from one that others wrote, where it can be
//! had, and from the little one of another test.

use std::{fs::File, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray},
    datatypes::Int64Type,
};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};
use serde_json::{Value, json};

use crate::{
    export::{Nights, count},
    moto_server::Moto,
    s3_server::{Rules, Server},
    support::until,
};

const USERS: i64 = 2_000;

/// Users whose id is none the first night.
const NAMELESS: [i64; 2] = [11, 1_205];

const MAPPING: &str = "kind = \"users\"\n[columns]\ncustomer_id = { to = \"customer_id\" }\n\
    city = { type = \"string\" }\nscore = { type = \"double\" }\ntier = { type = \"string\" }\n";

#[derive(Clone)]
struct User {
    id: String,
    city: String,
    score: i64,
}

/// The partition that a user is in.
fn tier(user: &User) -> &'static str {
    if user.score % 3 == 0 { "gold" } else { "silver & tin" }
}

fn user(number: i64) -> User {
    User { id: format!("user-{number:05}"), city: format!("Città {}", number % 9), score: number }
}

fn attributes(user: &User) -> Value {
    json!({"city": user.city, "score": user.score, "tier": tier(user)})
}

/// An export as objects: two partitions, the larger in two files, with row groups of 300.
fn objects(users: &[User]) -> Vec<(String, Vec<u8>)> {
    let of =
        |name: &str| -> Vec<&User> { users.iter().filter(|user| tier(user) == name).collect() };
    let (gold, silver) = (of("gold"), of("silver & tin"));
    let (one, two) = silver.split_at(silver.len() / 2);
    vec![
        ("tier=gold/part-0.parquet".to_owned(), parquet(&gold)),
        ("tier=silver%20%26%20tin/part-0.parquet".to_owned(), parquet(one)),
        ("tier=silver%20%26%20tin/part-1.parquet".to_owned(), parquet(two)),
    ]
}

fn parquet(users: &[&User]) -> Vec<u8> {
    let text = |of: fn(&User) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(users.iter().map(|user| of(user))))
    };
    let score = Int64Array::from_iter_values(users.iter().map(|user| user.score));
    let columns: [(&str, ArrayRef); 3] = [
        ("customer_id", text(|user| &user.id)),
        ("score", Arc::new(score)),
        ("city", text(|user| &user.city)),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(300))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("a file")
}

/// Gives the nameless users of a rejects file their ids.
fn mend(path: &std::path::Path) -> usize {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("rejects"));
    let batches: Vec<RecordBatch> =
        reader.expect("Parquet").build().expect("rows").map(|batch| batch.expect("rows")).collect();
    let schema = batches[0].schema();
    let mut writer =
        ArrowWriter::try_new(File::create(path).expect("a file"), schema.clone(), None)
            .expect("a writer");
    let mut rows = 0;
    for batch in batches {
        let at = |name: &str| schema.index_of(name).expect(name);
        let scores = batch.column(at("score")).as_primitive::<Int64Type>().values().to_vec();
        rows += scores.len();
        let ids = StringArray::from_iter_values(scores.into_iter().map(|score| user(score).id));
        let mut columns = batch.columns().to_vec();
        columns[at("customer_id")] = Arc::new(ids);
        let mended = RecordBatch::try_new(schema.clone(), columns).expect("a batch");
        writer.write(&mended).expect("written");
    }
    writer.close().expect("a file");
    rows
}

/// `put` takes an object by its path, percent-encoded where it has to be.
fn three_nights(environment: Vec<(String, String)>, put: impl Fn(&str, Vec<u8>)) {
    let mut nights = Nights::new(&["--fault", "slow:1.0", "--slow", "50ms"]);
    nights.environment = environment;
    nights.home.write("mapping.toml", MAPPING);
    let night = |name: &str, users: &[User]| {
        for (key, bytes) in objects(users) {
            put(&format!("/exports/{name}/{key}"), bytes);
        }
    };
    let holds = |users: &mut dyn Iterator<Item = &User>| {
        let found = nights.at_server();
        for user in users {
            assert_eq!(found.get(&user.id), Some(&attributes(user)), "{}", user.id);
        }
    };
    let state = ["--mapping", "mapping.toml", "--state", "state"];

    let mut first: Vec<User> = (0..USERS).map(user).collect();
    for number in NAMELESS {
        first[number as usize].id = "null".to_owned();
    }
    night("night-1", &first);
    let flags = [["s3://exports/night-1/", "--run-dir", "runs/1"].as_slice(), &state].concat();
    let report = nights.import(&flags).report(1);
    let sound = (first.len() - NAMELESS.len()) as u64;
    assert_eq!(count(&report, "rows", "delivered"), sound);
    assert_eq!((count(&report, "rows", "rejected"), nights.server.users()), (2, sound));
    assert_eq!(report["inputs"][0]["path"], "s3://exports/night-1/tier=gold/part-0.parquet");
    first.retain(|user| user.id != "null");
    holds(&mut first.iter());
    assert_eq!(nights.at_server().len() as u64, sound);

    // One in a hundred another, one in a thousand gone, as many new; killed, and resumed.
    let mut second: Vec<User> = first.clone();
    second.retain(|user| user.score % 1_000 != 500);
    let mut changed = 0;
    for user in second.iter_mut().filter(|user| user.score % 100 == 7) {
        user.city = "Møllersvej".to_owned();
        changed += 1;
    }
    second.extend((USERS..USERS + 2).map(user));
    night("night-2", &second);
    let slow = ["--max-body-bytes", "700", "--connections", "1", "--run-dir", "runs/2"];
    let flags = [["s3://exports/night-2/"].as_slice(), &slow, &state].concat();
    let before = nights.server.users();
    let run = nights.spawn(&flags);
    until("some of the changes are there", || nights.server.users() > before + 4);
    let killed = run.kill();
    assert_eq!(killed.code, None, "it was still sending: {killed:?}");
    let report = nights.import(&flags).report(0);
    assert_eq!((changed, count(&report, "changes", "changed")), (20, 20));
    assert_eq!(count(&report, "changes", "new"), 2);
    assert_eq!(count(&report, "changes", "vanished"), 2);
    let sent = nights.server.users() - before;
    // One connection, and so one body under way, of at most seven users.
    assert!((22..=22 + 7).contains(&sent), "{sent} updates");
    holds(&mut second.iter());

    // The mended rejects of the first night, which have the partition that they came from.
    let rejects = nights.home.path("runs/1/rejects.parquet");
    assert_eq!(mend(&rejects), NAMELESS.len());
    let before = nights.server.users();
    let flags = ["runs/1/rejects.parquet", "--run-dir", "runs/3", "--state", "state"];
    let report = nights.import(&flags).report(0);
    assert_eq!(report["changes"]["mapping_changed"], false);
    assert_eq!(nights.server.users() - before, NAMELESS.len() as u64);
    let mended: Vec<User> = NAMELESS.map(user).into();
    holds(&mut mended.iter().chain(&second));

    // Everything once more, as other objects: nobody is sent.
    let all: Vec<User> = second.into_iter().chain(mended).collect();
    night("night-4", &all);
    let flags =
        [["s3://exports/night-4/tier=*/*", "--run-dir", "runs/4"].as_slice(), &state].concat();
    let report = nights.import(&flags).report(0);
    assert_eq!(count(&report, "rows", "skipped"), all.len() as u64);
    let digest = |threads: &str| {
        let flags =
            ["s3://exports/night-2/", "--full", "--threads", threads, "--run-dir", "runs/5"];
        let mut args = nights.args(&[flags.as_slice(), &state].concat());
        args[0] = "validate";
        // What is about sending is no flag of a check.
        for flag in ["--endpoint", "--app-id"] {
            let at = args.iter().position(|arg| *arg == flag).expect(flag);
            args.drain(at..at + 2);
        }
        args.retain(|arg| *arg != "--yes");
        let mut command = nights.home.command(&args);
        command.envs(nights.environment.iter().map(|(name, value)| (name, value)));
        nights.home.start(command).wait().report(0)["bodies"]["digest"].clone()
    };
    let digests = ["1", "2", "3", "8"].map(digest);
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
}

#[test]
fn from_a_server_of_s3_that_others_wrote() {
    let Some(moto) = Moto::start() else { return };
    moto.put("/exports", b"");
    three_nights(moto.s3(), |path, bytes| moto.put(path, &bytes));
}

#[test]
fn from_a_little_server_of_s3() {
    let server = Server::start(Rules { page: 2, ..Rules::default() });
    three_nights(server.s3(), |path, bytes| server.put(path, bytes));
}
