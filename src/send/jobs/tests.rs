use crate::model::{Part, Place, Position};

use super::*;

/// A body of one event, which waits for no other.
fn work(seq: u64) -> Work {
    let position = Position { file: 0, row: seq + 1, place: Place::Line(seq + 2) };
    let part = Part {
        head_start: 0,
        head_len: 0,
        start: 0,
        len: 2,
        users: 0,
        events: 1,
        key: None,
        position,
    };
    let bytes = Bytes::from_static(b"{}");
    let body = Body { seq, bytes, parts: vec![part], users: 0, events: 1 };
    Work { pending: vec![body.whole()], body, in_doubt: Vec::new() }
}

#[test]
fn bodies_go_on_only_so_far_ahead_of_one_that_stays_open() {
    let mut jobs = Jobs::new(4);
    jobs.offer(work(0));
    jobs.launch(0).unwrap();
    jobs.retry(0, 1_000);
    let mut newest = 0;
    while jobs.wants_work() {
        newest += 1;
        jobs.offer(work(newest));
        jobs.launch(newest).unwrap();
        assert!(jobs.settle(newest).is_some());
    }
    assert_eq!(newest, AHEAD_MAX);
    jobs.launch(0).unwrap();
    assert!(jobs.settle(0).is_some());
    assert!(jobs.wants_work(), "the one that was waited for is settled");
}

#[test]
fn bodies_that_wait_are_bounded_beside_those_under_way() {
    for (connections, most) in [(1, 4), (3, 8), (64, 130), (1_024, 1_090)] {
        let mut jobs = Jobs::new(connections);
        let mut open = 0;
        while jobs.wants_work() {
            jobs.offer(work(open));
            jobs.launch(open).unwrap();
            jobs.retry(open, 1_000);
            open += 1;
        }
        assert_eq!(open, most, "{connections} connections");
    }
}
