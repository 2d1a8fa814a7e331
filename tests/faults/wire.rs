//! The wire: resets before, during and after the body, answers that get lost, black holes, slow
//! servers and slow readers.

use std::{
    collections::BTreeSet,
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::{
    job::Scene,
    lab::until,
    oracle::{Tally, side_by_side},
    server::{Act, Answer, Before, Loss, Rules, SUCCESS},
};

/// One life in which faults are lived through, then the whole is judged.
fn live_through(rules: Rules) -> Tally {
    let mut scene = Scene::small(rules);
    let ended = scene.live(&[], &["--log-level", "trace"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    scene.finish()
}

/// Loses the answers of the second and the fourth request in this way, the rows taken in or not.
fn lose(loss: Loss, taken: bool) -> Tally {
    let tally = live_through(Rules::act(move |nth, _| match nth {
        1 | 3 if taken => Act::TakeAndLose(loss.clone()),
        1 | 3 => Act::Lose(loss.clone()),
        _ => Act::Take,
    }));
    let expected = if taken { 20 } else { 0 };
    assert_eq!(tally.duplicated, expected, "each lost answer is one body again");
    tally
}

#[test]
fn a_reset_before_the_body_costs_nothing() {
    let at_once = Rules { reset_connections: BTreeSet::from([0, 1, 3]), ..Rules::default() };
    let before = Box::new(|nth| if nth < 3 { Before::ResetAfterHead } else { Before::Nothing });
    let after_head = Rules { before, ..Rules::default() };
    let tally = side_by_side(vec![at_once, after_head], live_through);
    tally.conclude_without_duplicates("reset before the body", "at once, and after the head");
}

#[test]
fn a_reset_within_the_body_costs_nothing() {
    let before = Box::new(|nth| match nth {
        0 => Before::ResetInBody(1),
        2 => Before::ResetInBody(500),
        4 => Before::ResetInBody(usize::MAX),
        _ => Before::Nothing,
    });
    let tally = live_through(Rules { before, ..Rules::default() });
    tally.conclude_without_duplicates("reset within the body", "after 1, 500, all but one bytes");
}

#[test]
fn a_reset_after_the_body_is_sent_again() {
    let ways = vec![(Loss::Reset, true), (Loss::Close, true), (Loss::Reset, false)];
    let tally = side_by_side(ways, |(loss, taken)| lose(loss, taken));
    tally.conclude("reset or end after the body", "rows taken in or not");
}

#[test]
fn an_answer_that_is_cut_is_no_delivery() {
    let tally = side_by_side(vec![Loss::CutHead, Loss::CutBody], |loss| lose(loss, true));
    tally.conclude("an answer that is cut", "in its head, in its body");
}

#[test]
fn an_answer_that_makes_no_sense_is_no_delivery() {
    let huge = [SUCCESS.as_bytes(), &vec![b' '; 200_000]].concat();
    let answers = vec![
        Answer::new(200, "<html>welcome to the hotel</html>"),
        Answer::new(200, ""),
        Answer::new(200, r#"{"status":"success""#),
        Answer::new(200, huge),
        Answer::new(204, ""),
        Answer::new(200, r#"{"status":"maybe"}"#),
    ];
    let tally = side_by_side(answers, |answer| lose(Loss::Says(answer), true));
    tally.conclude("200 with garbage, cut JSON, 200 KB, nothing", "six answers");
}

#[test]
fn a_server_that_goes_away_is_waited_for_and_then_given_up() {
    // Nothing listens: no body leaves, so nothing is in doubt.
    let mut scene = Scene::small(Rules::default());
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    scene.elsewhere = Some(format!("http://{}", free.local_addr().expect("an address")));
    drop(free);
    let ended = scene.live(&[], &["--retry-for", "1s"]);
    ended.says(3, &["--retry-for"]);
    assert!(scene.claims().in_doubt.is_empty(), "no byte left: {:?}", scene.claims());
    scene.books.tally.conclude_without_duplicates("a server that is away", "connection refused");
}

#[test]
fn a_black_hole_can_be_stopped_and_leaves_its_rows_in_doubt() {
    let hole = |taken: bool| {
        move |_: usize, _: &[u64]| match taken {
            true => Act::TakeAndLose(Loss::Silence),
            false => Act::Lose(Loss::SilenceInBody),
        }
    };
    let mut tally = Tally::default();
    for taken in [true, false] {
        let mut scene = Scene::small(Rules::act(hole(taken)));
        let mut process = scene.start(&[], &[]);
        until("two bodies are under way", || scene.server.requests() == 2 || process.has_ended());
        let ended = process.kill();
        scene.audit(ended);
        assert_eq!(scene.claims().in_doubt.len(), 20);
        tally.add(scene.finish());
    }
    assert_eq!(tally.duplicated, 20);
    tally.conclude("a black hole, killed", "no answer, and half an answer");
}

#[test]
#[ignore = "the deadline of a request is a minute"]
fn a_black_hole_is_left_after_the_deadline() {
    let mut scene = Scene::small(Rules::once(1, Act::TakeAndLose(Loss::Silence)));
    let before = Instant::now();
    let ended = scene.live(&[], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!((60.0..100.0).contains(&before.elapsed().as_secs_f64()), "{:?}", before.elapsed());
    let tally = scene.finish();
    assert_eq!(tally.duplicated, 10);
    tally.conclude("a black hole, waited for", "one answer of seven never comes");
}

#[test]
fn connections_that_are_never_made_cost_nothing() {
    // A backlog that is full: the system drops what comes, as a firewall does.
    let domain = socket2::Domain::IPV4;
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
    socket.listen(0).expect("a listener");
    let address = socket.local_addr().expect("an address").as_socket().expect("an IP address");
    let timeout = Duration::from_millis(300);
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, timeout) {
        held.push(stream);
        assert!(held.len() < 10, "the backlog does not fill");
    }
    let mut scene = Scene::small(Rules::default());
    scene.elsewhere = Some(format!("http://{address}"));
    let ended = scene.live(&[], &["--retry-for", "1s"]);
    ended.says(3, &["--retry-for"]);
    assert!(scene.claims().in_doubt.is_empty(), "no byte left: {:?}", scene.claims());
    drop(held);
    scene.books.tally.conclude_without_duplicates("a black hole for connections", "a full backlog");
}

#[test]
fn a_slow_server_and_a_slow_reader_get_each_row_once() {
    let slow = Rules::slow(Duration::from_millis(1500));
    let before = Box::new(|_| Before::ReadSlowly(10));
    let slow_reader = Rules { before, ..Rules::default() };
    let tally = side_by_side(vec![slow, slow_reader], live_through);
    let how = "each answer after 1.5 s; 10 bytes read every 10 ms";
    tally.conclude_without_duplicates("a slow server, a slow reader", how);
}
