//! Crashes, damage and compaction, each against a state that is known by other means.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use proptest::prelude::*;

use super::*;
use crate::journal::Progress;
use crate::model::{Intent, Place, Position, RequestCounts, RowFailure, Settled, Settlement};

fn at(row: u64) -> Position {
    Position { file: 0, row, place: Place::Line(row + 1) }
}

fn intent(seq: u64, range: Range<u32>, elements: u32) -> Intent {
    let row = |element: u32| at(seq * 100 + u64::from(element) + 1);
    let (first, last) = (row(range.start), row(range.end - 1));
    Intent { seq, range, elements, first, last }
}

fn settlement(seq: u64, range: Range<u32>, elements: u32, settled: Settled) -> Settlement {
    Settlement { seq, range, elements, settled }
}

fn delivered() -> Settled {
    Settled::Delivered { request_id: Some("r".into()) }
}

fn refused(row: u64) -> Settled {
    Settled::Failed(RowFailure {
        position: at(row),
        status: 400,
        kind: "TypeError".into(),
        message: "expected string".into(),
        request_id: None,
    })
}

fn intend(intents: &[Intent]) -> Turn {
    Turn { intents: intents.to_vec(), ..Turn::default() }
}

fn settle(settlements: &[Settlement]) -> Turn {
    Turn { settlements: settlements.to_vec(), ..Turn::default() }
}

fn binding() -> Binding {
    Binding { kind: "users".into(), app_id: "APP".into(), ..Binding::default() }
}

/// A directory with a checkpoint of every record, and what it said after each.
fn journal() -> (tempfile::TempDir, PathBuf, Vec<Snapshot>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CHECKPOINT_FILE);
    let mut journal = Journal::create(&path, &binding()).unwrap();
    let mut states = vec![journal.snapshot().clone()];
    type Step = fn(&mut Journal) -> Result<(), Error>;
    let steps: [Step; 9] = [
        |j| j.plan(&Plan { rows_read: 30, rows_accepted: 30, bodies: 3, ..Plan::default() }),
        |j| j.turn(intend(&[intent(0, 0..10, 10), intent(1, 0..10, 10)])),
        |j| j.turn(settle(&[settlement(1, 0..10, 10, delivered())])),
        |j| j.turn(settle(&[settlement(0, 0..10, 10, Settled::NotTaken)])),
        |j| j.turn(intend(&[intent(0, 0..5, 10), intent(0, 5..6, 10), intent(0, 6..10, 10)])),
        |j| {
            j.turn(settle(&[
                settlement(0, 0..5, 10, delivered()),
                settlement(0, 5..6, 10, refused(6)),
            ]))
        },
        |j| {
            let settlements = vec![settlement(0, 6..10, 10, delivered())];
            let requests = Some(RequestCounts { sent: 5, ..RequestCounts::default() });
            j.turn(Turn { settlements, requests, intents: vec![intent(2, 0..5, 5)] })
        },
        |j| j.turn(settle(&[settlement(2, 0..5, 5, delivered())])),
        |j| j.finish(1),
    ];
    for step in steps {
        step(&mut journal).unwrap();
        states.push(journal.snapshot().clone());
    }
    (dir, path, states)
}

#[test]
fn a_run_reads_back_as_it_was() {
    let (_dir, path, states) = journal();
    let end = states.last().unwrap();
    assert_eq!((end.progress.mark, end.progress.delivered), (3, 24));
    assert_eq!(end.progress.failed[0].element, 5);
    assert_eq!(end.progress.in_doubt().count(), 0);
    assert_eq!(end.finished, Some(1));
    assert_eq!(end.plan.as_ref().unwrap().bodies, 3);
    assert_eq!(&Journal::peek(&path).unwrap(), end);
    assert_eq!(Journal::open(&path).unwrap().snapshot(), end);
}

#[test]
fn halves_that_are_answered_are_no_longer_in_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join(CHECKPOINT_FILE), &binding()).unwrap();
    let doubts =
        |journal: &Journal| -> Vec<Intent> { journal.snapshot().progress.in_doubt().collect() };
    // It went unanswered; then its halves went, since a row in it is refused.
    journal.turn(intend(&[intent(3, 0..8, 8)])).unwrap();
    journal.turn(intend(&[intent(3, 0..4, 8)])).unwrap();
    assert_eq!(doubts(&journal), [intent(3, 0..8, 8)]);
    let settlements = vec![settlement(3, 0..4, 8, delivered())];
    let next = vec![intent(3, 4..6, 8)];
    journal.turn(Turn { settlements, intents: next, ..Turn::default() }).unwrap();
    assert_eq!(doubts(&journal), [intent(3, 4..8, 8)]);
    journal.turn(settle(&[settlement(3, 4..6, 8, delivered())])).unwrap();
    // Where the last two begin, nothing told.
    let rest = Intent { first: at(301), ..intent(3, 6..8, 8) };
    assert_eq!(doubts(&journal), [rest]);
    journal.turn(intend(&[intent(3, 6..7, 8)])).unwrap();
    journal.turn(settle(&[settlement(3, 6..7, 8, refused(307))])).unwrap();
    let rest = Intent { first: at(301), ..intent(3, 7..8, 8) };
    assert_eq!(doubts(&journal), [rest]);
    journal.turn(settle(&[settlement(3, 7..8, 8, delivered())])).unwrap();
    assert_eq!(doubts(&journal), []);
}

#[test]
fn what_is_in_doubt_is_pending_and_listed() {
    let (_dir, path, states) = journal();
    let middle = &states[5].progress;
    assert_eq!(middle.mark, 0);
    assert_eq!(middle.pending(0, 10), vec![0..10]);
    assert_eq!(middle.pending(1, 10), Vec::new());
    assert_eq!(middle.pending(2, 10), vec![0..10]);
    let doubt: Vec<_> = middle.in_doubt().map(|intent| intent.range.clone()).collect();
    assert_eq!(doubt, [0..5, 5..6, 6..10]);
    assert_eq!(states[6].progress.pending(0, 10), vec![6..10]);
    let turned = &states[7].progress;
    assert_eq!((turned.mark, turned.delivered, turned.requests.sent), (2, 19, 5));
    assert_eq!(turned.in_doubt().map(|intent| intent.seq).collect::<Vec<_>>(), [2]);

    let mut journal = Journal::open(&path).unwrap();
    journal.turn(intend(&[intent(3, 0..10, 10)])).unwrap();
    assert_eq!(journal.snapshot().finished, None, "a run that goes on is not finished");
}

#[test]
fn a_crash_at_any_byte_leaves_a_prefix_and_a_log_that_goes_on() {
    let (dir, path, states) = journal();
    let whole = fs::read(&path).unwrap();
    let header = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let cut = dir.path().join("cut");
    for len in 0..=whole.len() {
        fs::write(&cut, &whole[..len]).unwrap();
        if len < header {
            assert!(matches!(Journal::open(&cut), Err(Error::Corrupt { line: 1, .. })));
            continue;
        }
        let records = whole[..len].iter().filter(|&&byte| byte == b'\n').count() - 1;
        assert_eq!(Journal::peek(&cut).unwrap(), states[records]);
        assert_eq!(fs::metadata(&cut).unwrap().len(), len as u64, "peek changes nothing");
        let mut journal = Journal::open(&cut).unwrap();
        assert_eq!(journal.snapshot(), &states[records]);
        if len % 16 == 0 {
            journal.finish(7).unwrap();
            assert_eq!(Journal::open(&cut).unwrap().snapshot().finished, Some(7));
        }
    }
}

#[test]
fn a_flipped_bit_is_refused_or_costs_the_last_record_alone() {
    let (dir, path, states) = journal();
    let whole = fs::read(&path).unwrap();
    let flipped = dir.path().join("flipped");
    let mut bytes = whole.clone();
    let last_two = states.len() - 3;
    for at in 0..whole.len() {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            fs::write(&flipped, &bytes).unwrap();
            bytes[at] ^= 1 << bit;
            match Journal::peek(&flipped) {
                Err(error) => assert!(matches!(error, Error::Corrupt { .. }), "{error}"),
                // A newline that is lost makes one bad line of the last two.
                Ok(state) => assert!(states[last_two..].contains(&state), "byte {at}, bit {bit}"),
            }
        }
    }
}

#[test]
fn damage_before_sound_records_names_its_line() {
    let (_dir, path, _) = journal();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"sent\":5", "\"sent\":6", 1)).unwrap();
    let error = Journal::open(&path).unwrap_err();
    assert!(matches!(error, Error::Corrupt { line: 8, .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CHECKPOINT_FILE);
    let mut line = Vec::new();
    push_line(&mut line, &serde_json::json!({"moebulk_checkpoint": 2, "other": []})).unwrap();
    fs::write(&path, line).unwrap();
    assert!(matches!(Journal::open(&path), Err(Error::NewerVersion { version: 2, .. })));
}

#[test]
fn a_checkpoint_is_private_and_never_overwritten() {
    let (dir, path, _) = journal();
    assert!(matches!(Journal::create(&path, &binding()), Err(Error::Exists(_))));
    assert!(matches!(Journal::open(&dir.path().join("no")), Err(Error::Missing(_))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_stretch_that_does_not_fit_its_body_is_refused_before_it_is_written() {
    let (_dir, path, _) = journal();
    let mut journal = Journal::open(&path).unwrap();
    let before = fs::read(&path).unwrap();
    journal.turn(intend(&[intent(5, 0..3, 3)])).unwrap();
    let after = fs::read(&path).unwrap();
    for wrong in [intent(5, 0..4, 4), intent(6, 0..4, 3)] {
        assert!(matches!(journal.turn(intend(&[wrong])), Err(Error::Misfit { .. })));
    }
    let wide = settlement(6, 0..2, 3, refused(1));
    assert!(matches!(journal.turn(settle(&[wide])), Err(Error::Misfit { .. })));
    assert!(after.len() > before.len());
    assert_eq!(fs::read(&path).unwrap(), after);
}

#[cfg(target_os = "linux")]
#[test]
fn after_a_failed_write_nothing_is_written_or_believed() {
    for device in [File::options().append(true).open("/dev/full"), File::open("/dev/null")] {
        let (_dir, path, _) = journal();
        let mut journal = Journal::open(&path).unwrap();
        let (before, state) = (fs::read(&path).unwrap(), journal.snapshot().clone());
        let sound = std::mem::replace(&mut journal.file, device.unwrap());
        assert!(matches!(journal.finish(0), Err(Error::Io { action: "write", .. })));
        journal.file = sound;
        assert!(matches!(journal.finish(0), Err(Error::Poisoned(_))));
        assert!(matches!(journal.turn(intend(&[intent(9, 0..1, 1)])), Err(Error::Poisoned(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(journal.snapshot(), &state);
    }
}

#[test]
fn a_long_run_keeps_a_short_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(CHECKPOINT_FILE);
    // Synced once an entry, so a batch stands for many calls.
    let mut journal = Journal::create(&path, &binding()).unwrap();
    for batch in 0..40_u64 {
        let bodies = batch * 100..(batch + 1) * 100;
        let intents: Vec<_> = bodies.clone().map(|seq| intent(seq, 0..2, 2)).collect();
        journal.turn(intend(&intents)).unwrap();
        let settled: Vec<_> = bodies.map(|seq| settlement(seq, 0..2, 2, delivered())).collect();
        journal.turn(settle(&settled)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() <= COMPACT_BYTES_MIN);
    }
    assert_eq!(journal.snapshot().progress.mark, 4_000);
    assert_eq!(Journal::open(&path).unwrap().snapshot(), journal.snapshot());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no staged file is left");
}

/// Elements of the bodies that the random runs send.
const SIZES: [u32; 4] = [1, 5, 9, 3];

#[derive(Clone, Debug)]
enum Step {
    Intend(u64, Range<u32>),
    Settle(u64, Range<u32>, u8),
    Reopen,
    Compact,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stretch = (0..SIZES.len()).prop_flat_map(|body| {
        let size = SIZES[body];
        (0..size).prop_flat_map(move |start| {
            (start + 1..=size).prop_map(move |end| (body as u64, start..end))
        })
    });
    let step = prop_oneof![
        4 => stretch.clone().prop_map(|(body, range)| Step::Intend(body, range)),
        4 => (stretch, 0_u8..4).prop_map(|((body, range), result)| Step::Settle(body, range, result)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Compact),
    ];
    prop::collection::vec(step, 0..40)
}

/// The state, kept the slow and obvious way: one flag an element.
#[derive(Default)]
struct Reference {
    settled: BTreeMap<(u64, u32), bool>,
    failed: Vec<(u64, u32)>,
    in_doubt: Vec<(u64, Range<u32>)>,
}

impl Reference {
    fn is_settled(&self, body: u64, range: &Range<u32>) -> bool {
        range.clone().all(|element| self.settled.contains_key(&(body, element)))
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Intend(body, range) => {
                let entry = (*body, range.clone());
                if !self.is_settled(*body, range) && !self.in_doubt.contains(&entry) {
                    self.in_doubt.push(entry);
                }
            }
            Step::Settle(body, range, 0) => self
                .in_doubt
                .retain(|(b, r)| b != body || !r.clone().all(|element| range.contains(&element))),
            Step::Settle(body, range, result) => {
                for element in range.clone() {
                    let fails = *result == 1;
                    if self.settled.insert((*body, element), fails).is_none() && fails {
                        self.failed.push((*body, element));
                    }
                }
                let in_doubt = std::mem::take(&mut self.in_doubt);
                self.in_doubt = in_doubt
                    .into_iter()
                    .filter(|(body, range)| !self.is_settled(*body, range))
                    .collect();
            }
            Step::Reopen | Step::Compact => {}
        }
    }

    fn agrees(&self, progress: &Progress) {
        let whole = |&(body, &size): &(usize, &u32)| self.is_settled(body as u64, &(0..size));
        let mark = SIZES.iter().enumerate().take_while(whole).count() as u64;
        assert_eq!(progress.mark, mark);
        for (body, size) in (0..).zip(SIZES) {
            let pending: Vec<u32> = progress.pending(body, size).into_iter().flatten().collect();
            let expected: Vec<u32> =
                (0..size).filter(|&e| !self.settled.contains_key(&(body, e))).collect();
            assert_eq!(pending, expected);
        }
        let failed: Vec<_> = progress.failed.iter().map(|row| (row.body, row.element)).collect();
        assert_eq!(failed, self.failed);
        assert_eq!(progress.delivered as usize + failed.len(), self.settled.len());
        let doubted = self.in_doubt.iter().flat_map(|(body, range)| {
            range
                .clone()
                .map(|element| (*body, element))
                .filter(|at| !self.settled.contains_key(at))
        });
        let expected: BTreeSet<_> = doubted.collect();
        let listed: Vec<_> = progress
            .in_doubt()
            .flat_map(|Intent { seq, range, .. }| range.map(move |element| (seq, element)))
            .collect();
        assert_eq!(listed, Vec::from_iter(expected), "each once, in order");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn random_runs_agree_with_the_reference(steps in steps()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CHECKPOINT_FILE);
        let mut journal = Journal::create(&path, &binding()).unwrap();
        let mut reference = Reference::default();
        for step in &steps {
            match step {
                Step::Intend(body, range) => {
                    let size = SIZES[*body as usize];
                    journal.turn(intend(&[intent(*body, range.clone(), size)])).unwrap();
                }
                Step::Settle(body, range, result) => {
                    let size = SIZES[*body as usize];
                    let of = |range, settled| settlement(*body, range, size, settled);
                    let batch = match result {
                        0 => vec![of(range.clone(), Settled::NotTaken)],
                        1 => range.clone().map(|e| of(e..e + 1, refused(1))).collect(),
                        _ => vec![of(range.clone(), delivered())],
                    };
                    journal.turn(settle(&batch)).unwrap();
                }
                Step::Reopen => {
                    let before = journal.snapshot().clone();
                    journal = Journal::open(&path).unwrap();
                    prop_assert_eq!(journal.snapshot(), &before);
                }
                Step::Compact => journal.compact().unwrap(),
            }
            reference.take(step);
            reference.agrees(&journal.snapshot().progress);
        }
        prop_assert_eq!(&Journal::peek(&path).unwrap(), journal.snapshot());
    }
}
