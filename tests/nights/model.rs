//! Many small nights, held against a plain map of what the server accepted last.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::export::{HEADER, Nights, User, count};

/// One row of a night: a user, or one that the check rejects.
enum Row {
    Sound(User),
    Rejected(u32),
}

/// A night of users out of few, some changed, some twice, some rejected.
fn night(rng: &mut Rng) -> Vec<Row> {
    let row = |rng: &mut Rng| {
        let number = rng.u32(0..60);
        match rng.u8(0..12) {
            0 => Row::Rejected(number),
            // Few values, so that many a row is as it was some nights ago.
            _ => Row::Sound(User { score: rng.u32(0..3), ..User::new(number) }),
        }
    };
    let mut rows: Vec<Row> = (0..rng.usize(0..50)).map(|_| row(rng)).collect();
    if rng.bool() {
        // Each user once.
        let mut seen = BTreeSet::new();
        rows.retain(|row| match row {
            Row::Sound(user) => seen.insert(user.id.clone()),
            Row::Rejected(_) => true,
        });
    }
    rows
}

#[test]
fn what_is_sent_is_what_a_plain_map_says() {
    let nights = Nights::new(&[]);
    let mut rng = Rng::with_seed(7);
    // Of every user the row that the server has.
    let mut known: BTreeMap<String, User> = BTreeMap::new();
    for number in 0..60 {
        let rows = night(&mut rng);
        let text = rows.iter().map(|row| match row {
            Row::Sound(user) => user.row(),
            Row::Rejected(number) => User::rejected(*number),
        });
        nights.home.write("night.csv", HEADER.to_owned() + &text.collect::<String>());
        let sound: Vec<&User> = rows
            .iter()
            .filter_map(|row| match row {
                Row::Sound(user) => Some(user),
                Row::Rejected(_) => None,
            })
            .collect();
        let times = |id: &str| sound.iter().filter(|user| user.id == id).count();
        let is_full = number % 9 == 8;
        let is_sent =
            |user: &User| is_full || times(&user.id) > 1 || known.get(&user.id) != Some(user);
        let sent = sound.iter().filter(|user| is_sent(user)).count() as u64;
        let new = sound.iter().filter(|user| !known.contains_key(&user.id)).count() as u64;
        let same = sound.iter().filter(|user| known.get(&user.id) == Some(*user)).count() as u64;
        let named: BTreeSet<String> = rows
            .iter()
            .map(|row| match row {
                Row::Sound(user) => user.id.clone(),
                Row::Rejected(number) => User::new(*number).id,
            })
            .collect();
        let vanished = known.keys().filter(|id| !named.contains(*id)).count() as u64;
        let repeated = sound.iter().filter(|user| times(&user.id) > 1).count() as u64;

        let before = nights.server.users();
        let run_dir = format!("runs/{number}");
        let mut flags = vec![
            "night.csv",
            "--run-dir",
            &run_dir,
            "--state",
            "state",
            "--mapping",
            "mapping.toml",
        ];
        flags.extend(is_full.then_some("--full"));
        let rejects = rows.len() - sound.len();
        let report = nights.import(&flags).report(i32::from(rejects > 0));
        for (name, expected) in [
            ("known", known.len() as u64),
            ("new", new),
            ("changed", sound.len() as u64 - new - same),
            ("unchanged", same),
            ("sent", sent),
            ("repeated_rows", repeated),
            ("vanished", vanished),
        ] {
            assert_eq!(count(&report, "changes", name), expected, "night {number}: {name}");
        }
        assert_eq!(count(&report, "rows", "delivered"), sent, "night {number}");
        assert_eq!(nights.server.users() - before, sent, "night {number}");
        let warned = report["problems"].as_array().expect("problems").iter();
        let warned: u64 = warned
            .filter(|problem| problem["code"] == "id-repeated")
            .map(|problem| problem["count"].as_u64().expect("a count"))
            .sum();
        assert_eq!(warned, repeated, "night {number}");
        if is_full {
            known.clear();
        }
        for user in sound {
            known.insert(user.id.clone(), user.clone());
        }
        // Of a user who stood in no night since a full one the server still has what it had.
        nights.assert_holds(known.values());
    }
}
