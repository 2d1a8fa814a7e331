//! Answers that are none of a sound server: storms of 5xx, every form of 429, 401 and 403 in the
//! middle of a run, poison rows, redirects.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use crate::{
    job::{Job, Scene},
    lab::DATA,
    oracle::{Tally, side_by_side},
    server::{Act, Answer, Loss, Rules, Server},
};

/// Lives through answers to the first requests, in one life, without a duplicate.
fn live_through(first: Vec<Answer>) -> (Tally, Duration) {
    let rules = Rules::act(move |nth, _| match first.get(nth) {
        Some(answer) => Act::Refuse(answer.clone()),
        None => Act::Take,
    });
    let mut scene = Scene::small(rules);
    let ended = scene.live(&[], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    (scene.finish(), ended.lasted)
}

#[test]
fn a_storm_of_5xx_is_waited_out() {
    let storms: Vec<Vec<Answer>> = [500, 502, 503, 504, 408, 599]
        .map(|status| (0..3).map(|_| Answer::new(status, "<html>bad gateway</html>")).collect())
        .into();
    let tally = side_by_side(storms, |storm| live_through(storm).0);
    tally.conclude_without_duplicates("5xx storm", "500, 502, 503, 504, 599, 408; three each");
}

#[test]
fn a_5xx_that_had_taken_the_rows_in_is_sent_again() {
    let loss = Loss::Says(Answer::fail(500, "Server Error"));
    let mut scene = Scene::small(Rules::once(2, Act::TakeAndLose(loss)));
    let ended = scene.live(&[], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let tally = scene.finish();
    assert_eq!(tally.duplicated, 10, "one body again");
    tally.conclude("5xx, the rows taken in", "one of seven answers");
}

#[test]
fn a_storm_past_retry_for_stops_and_the_same_command_goes_on() {
    let mut scene = Scene::small(Rules::act(|nth, _| match nth {
        0 => Act::Take,
        _ => Act::Refuse(Answer::fail(503, "Server Error")),
    }));
    let ended = scene.live(&[], &["--retry-for", "3s"]);
    ended.says(3, &["--retry-for", "503"]);
    assert_eq!(scene.claims().delivered.len(), 10);
    scene.finish().conclude("5xx past --retry-for", "3 s");
}

#[test]
fn a_429_of_every_form_is_waited_for_and_costs_nothing() {
    let limited = || Answer::fail(429, "Rate Limit Exceeded");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs();
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(4));
    let past = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(600));
    // Each answer, and how long it is waited for at least.
    let forms: Vec<(Answer, f64)> = vec![
        (limited(), 2.0),
        (limited().with("Retry-After", "2"), 2.0),
        (limited().with("Retry-After", "0"), 0.0),
        (limited().with("Retry-After", date), 2.0),
        (limited().with("Retry-After", past), 0.0),
        (limited().with("Retry-After", "soon"), 0.0),
        (limited().with("Retry-After", "-3"), 0.0),
        (limited().with("x-ratelimit-reset", "3"), 3.0),
        (limited().with("x-ratelimit-reset", (now + 4).to_string()), 2.0),
        (limited().with("Retry-After", "1").with("x-ratelimit-reset", "3"), 3.0),
        (limited().with("x-envoy-ratelimited", "true"), 2.0),
        (Answer::new(429, ""), 2.0),
        (Answer::new(429, "<html>slow down</html>"), 2.0),
    ];
    let tally = side_by_side(forms, |(answer, seconds)| {
        let (tally, lasted) = live_through(vec![answer.clone()]);
        assert!(lasted.as_secs_f64() >= seconds, "{lasted:?} for {answer:?}");
        assert!(lasted.as_secs_f64() < seconds + 30.0, "{lasted:?} for {answer:?}");
        tally
    });
    tally.conclude_without_duplicates("429 of every form", "13 forms");
}

#[test]
fn what_stops_a_run_in_its_middle_leaves_it_to_go_on() {
    let answers = vec![
        (Answer::fail(401, "Authentication required"), "401"),
        (Answer::fail(403, "Account Suspended"), "403"),
        (Answer::fail(403, "Account Temporarily Suspended"), "403"),
        (Answer::fail(409, "Authentication Mismatch"), "409"),
        (Answer::fail(415, "Unsupported Media Type"), "415"),
        (Answer::fail(400, "Blacklisted"), "Blacklisted"),
        (Answer::new(404, "not here"), "404"),
        (Answer::new(418, ""), "418"),
    ];
    let tally = side_by_side(answers, |(answer, word)| {
        let mut scene = Scene::small(Rules::act(move |nth, _| match nth {
            0..3 => Act::Take,
            _ => Act::Refuse(answer.clone()),
        }));
        let ended = scene.live(&[], &["--log-level", "trace"]);
        ended.says(3, &[word]);
        // Two may be under way when the first answer says stop, and none after that.
        assert!(scene.server.requests() <= 5, "{} requests", scene.server.requests());
        assert_eq!(scene.claims().delivered.len(), 30);
        assert!(scene.claims().in_doubt.is_empty(), "every answer came");
        scene.finish()
    });
    tally.conclude_without_duplicates("401, 403 and their like mid-run", "after three bodies");
}

#[test]
fn a_redirect_stops_the_run_and_nothing_goes_where_it_points() {
    let other = Server::start(Rules::default());
    let answers: Vec<Answer> = [300, 301, 302, 303, 307, 308]
        .map(|status| Answer::new(status, "").with("Location", format!("{}/x", other.url())))
        .into();
    let tally = side_by_side(answers, |answer| {
        let mut scene = Scene::small(Rules::act(move |nth, _| match nth {
            0 => Act::Take,
            _ => Act::Refuse(answer.clone()),
        }));
        scene.live(&[], &[]).says(3, &["redirects", "--endpoint"]);
        assert_eq!(scene.claims().delivered.len(), 10);
        scene.finish()
    });
    assert_eq!((other.requests(), other.connections()), (0, 0), "nothing followed");
    tally.conclude_without_duplicates("redirects", "300, 301, 302, 303, 307, 308");
}

/// A server that refuses every body with a poison row in it.
fn poisoned(poison: &BTreeSet<u64>, answer: Answer) -> Rules {
    let poison = poison.clone();
    Rules::act(move |_, rows| match rows.iter().any(|row| poison.contains(row)) {
        true => Act::Refuse(answer.clone()),
        false => Act::Take,
    })
}

fn refusals() -> Vec<Answer> {
    vec![
        Answer::fail(400, "TypeError"),
        Answer::fail(400, "MissingAttributeError"),
        Answer::fail(400, "SomethingNew"),
        Answer::fail(413, "Payload too large"),
        Answer::fail(200, "TypeError"),
    ]
}

#[test]
fn exactly_the_poison_rows_of_a_batch_are_refused() {
    let poison = BTreeSet::from([2, 13, 14, 40, 62]);
    let tally = side_by_side(refusals(), |answer| {
        let job = Job { poison: poison.clone(), ..Job::small() };
        let mut scene = Scene::new(job, poisoned(&poison, answer));
        let ended = scene.live(&[], &["--log-level", "trace"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(scene.claims().failed, poison, "exactly these");
        scene.finish()
    });
    tally.conclude_without_duplicates("poison rows in a batch", "five forms of refusal");
}

#[test]
fn a_value_that_the_server_quotes_goes_nowhere() {
    for (status, code) in [(400, 1), (401, 3)] {
        let poison = BTreeSet::from([2, 13]);
        let quoted = poison.clone();
        let rules = Rules::act(move |_, rows| {
            let Some(n) = rows.iter().find(|row| quoted.contains(row)) else { return Act::Take };
            let words = format!("{DATA}-user-{n:06}: `{DATA}-{n}` is no date");
            Act::Refuse(Answer::fail_with(status, "TypeError", &words))
        });
        let mut scene = Scene::new(Job { poison, ..Job::small() }, rules);
        // Every output and file is searched for canaries after each life.
        let ended = scene.live(&[], &["--log-level", "trace"]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let said = match status {
            400 => std::fs::read_to_string(scene.lab.path("run/rejects.csv")).expect("rejects"),
            _ => ended.stderr,
        };
        assert!(said.contains("…: `…` is no date"), "{said}");
    }
}

#[test]
fn a_quoted_value_of_several_lines_or_beyond_the_cut_goes_nowhere() {
    let address = format!("{DATA} Street 7\n2nd floor\n{DATA}");
    let long = DATA.repeat(16);
    let notes = BTreeMap::from([(2, address), (13, long)]);
    assert!(notes[&13].len() > 400, "longer than what is kept of a reply");
    for (status, code) in [(400, 1), (401, 3), (503, 3)] {
        for row in [2, 13] {
            let note = notes[&row].clone();
            let rules = Rules::act(move |_, rows| match rows.contains(&row) {
                true => {
                    Act::Refuse(Answer::fail_with(status, "TypeError", &format!("bad: {note}")))
                }
                false => Act::Take,
            });
            let poison = BTreeSet::from([row]);
            let mut scene = Scene::new(Job { poison, notes: notes.clone(), ..Job::small() }, rules);
            // Every output and file is searched for canaries after each life.
            let ended = scene.live(&[], &["--log-level", "trace", "--retry-for", "1s"]);
            assert_eq!(ended.code, Some(code), "{ended:?}");
            let said = match status {
                400 => std::fs::read_to_string(scene.lab.path("run/rejects.csv")).expect("rejects"),
                _ => ended.stderr,
            };
            assert!(said.contains("bad: …"), "{said}");
        }
    }
}

#[test]
fn poison_rows_are_found_across_kills() {
    let poison = BTreeSet::from([2, 13, 14, 40, 62]);
    let mut rng = fastrand::Rng::with_seed(3);
    let mut tally = Tally::default();
    for answer in refusals() {
        let job = Job { poison: poison.clone(), ..Job::small() };
        let rules = poisoned(&poison, answer);
        let slow = Rules::act(move |nth, rows| {
            Act::Late(Duration::from_millis(10), Box::new((rules.act)(nth, rows)))
        });
        let mut scene = Scene::new(job, slow);
        for _ in 0..4 {
            scene.live_for(Duration::from_millis(rng.u64(60..250)));
        }
        // It stays poisonous: the refusals of the last life are as real.
        tally.add(scene.finish_as_is());
    }
    tally.conclude("poison rows, killed four times", "five forms of refusal");
}
