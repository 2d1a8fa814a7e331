use super::lines::{MAGIC, VERSION};
use super::*;
use crate::model::Rate;
use crate::send::budget::{HELD_MS, Refused};
use crate::send::clock::SimulatedTime;

const ENDPOINT: &str = "https://api-01.moengage.com";
const NOW_MS: u64 = 1_795_478_400_000;
const DEADLINE_MS: u64 = 60_000;

fn open(directory: &Path, wall_ms: u64) -> Result<RateLog, RateLogError> {
    RateLog::open(directory, ENDPOINT, "APP", &Clock::starting_at(wall_ms))
}

fn path(directory: &Path) -> PathBuf {
    directory.join(file_name(ENDPOINT, "APP"))
}

fn budget() -> Budget {
    Budget::new(Rate::PerMinute(1000), Rate::PerMinute(10_000), 0, 0)
}

/// Charges 1,000 users at a time, then answers where told to.
fn spend(directory: &Path, wall_ms: u64, answered: bool) {
    let clock = Clock::starting_at(wall_ms);
    let mut log = RateLog::open(directory, ENDPOINT, "APP", &clock).unwrap();
    let mut budget = budget();
    let id = budget.charge(wall_ms, (1000, 0), wall_ms + DEADLINE_MS).unwrap();
    log.charge(&clock, &budget.select(&[id])).unwrap();
    if answered {
        budget.answer(id, wall_ms);
        log.answer(&clock, id, wall_ms);
        log.flush(&clock, &budget).unwrap();
    }
}

/// How many milliseconds after opening at `wall_ms` a full budget is there again.
fn wait_at(directory: &Path, wall_ms: u64) -> u64 {
    let log = open(directory, wall_ms).unwrap();
    let mut budget = budget();
    log.replay_into(&mut budget);
    match budget.charge(wall_ms, (1000, 10_000), wall_ms + DEADLINE_MS) {
        Ok(_) => 0,
        Err(Refused::Until(until_ms)) => until_ms - wall_ms,
        Err(Refused::Never) => u64::MAX,
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_log_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(wait_at(&directory.path().join("a/b"), NOW_MS), 0);
    assert_eq!(wait_at(&directory.path().join("a/b"), NOW_MS + 5), 0);
}

#[tokio::test(start_paused = true)]
async fn charges_outlive_the_process_until_a_window_after_their_answer() {
    let directory = tempfile::tempdir().unwrap();
    spend(directory.path(), NOW_MS, true);
    assert_eq!(wait_at(directory.path(), NOW_MS + 1_000), HELD_MS - 1_000);
    assert_eq!(wait_at(directory.path(), NOW_MS + 2_000), HELD_MS - 2_000, "rewritten");
    assert_eq!(wait_at(directory.path(), NOW_MS + HELD_MS + 1_000), 0);
}

#[tokio::test(start_paused = true)]
async fn charges_without_an_answer_count_from_their_deadline() {
    let directory = tempfile::tempdir().unwrap();
    spend(directory.path(), NOW_MS, false);
    let wait_ms = wait_at(directory.path(), NOW_MS + 10_000);
    assert_eq!(wait_ms, DEADLINE_MS + HELD_MS - 10_000, "{wait_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_second_import_is_kept_out_and_told_by_whom() {
    let directory = tempfile::tempdir().unwrap();
    let held = open(directory.path(), NOW_MS).unwrap();
    let error = open(directory.path(), NOW_MS).unwrap_err();
    assert!(
        matches!(error, RateLogError::Held { pid: Some(pid), .. } if pid == std::process::id())
    );
    let other = RateLog::open(directory.path(), ENDPOINT, "OTHER", &Clock::starting_at(NOW_MS));
    assert!(other.is_ok(), "another account");
    drop(held);
    assert!(open(directory.path(), NOW_MS).is_ok());
}

#[tokio::test(start_paused = true)]
async fn spellings_of_one_endpoint_share_a_log() {
    let name = file_name(ENDPOINT, "APP");
    assert_eq!(file_name("HTTPS://API-01.moengage.com:443/", "APP"), name);
    assert_ne!(file_name("https://api-02.moengage.com", "APP"), name);
}

#[tokio::test(start_paused = true)]
async fn a_torn_last_line_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    spend(directory.path(), NOW_MS - 200_000, true);
    let path = path(directory.path());
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("charge 1 17954784");
    std::fs::write(&path, text).unwrap();
    assert_eq!(wait_at(directory.path(), NOW_MS), 0);
}

#[tokio::test(start_paused = true)]
async fn whatever_else_is_broken_costs_a_window_past_a_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let path = path(directory.path());
    spend(directory.path(), NOW_MS - 200_000, true);
    let sound = std::fs::read_to_string(&path).unwrap();
    let flipped = sound.replacen("charge 0", "charge 7", 1);
    let header = |count| {
        let (at_ms, pid, booted_ms) = (NOW_MS - 1000, 1, Clock::starting_at(NOW_MS).booted_ms());
        line(format_args!("{MAGIC} {VERSION} {at_ms} {booted_ms} {pid} {count}"))
    };
    for broken in [String::new(), "garbage\n".to_owned(), flipped, header(2)] {
        std::fs::write(&path, &broken).unwrap();
        let wait_ms = wait_at(directory.path(), NOW_MS);
        assert_eq!(wait_ms, DEADLINE_MS + HELD_MS, "{broken:?}: {wait_ms}");
    }
    std::fs::write(&path, b"\xff\xfe\x00\n").unwrap();
    assert_eq!(wait_at(directory.path(), NOW_MS), DEADLINE_MS + HELD_MS);
    let left_ms = wait_at(directory.path(), NOW_MS + 20_000);
    assert_eq!(left_ms, DEADLINE_MS + HELD_MS - 20_000, "kept for the next: {left_ms}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_looks_wrong_costs_a_window() {
    let ahead = tempfile::tempdir().unwrap();
    spend(ahead.path(), NOW_MS + 3_600_000, true);
    assert_eq!(wait_at(ahead.path(), NOW_MS), HELD_MS, "written in the future");

    let old = tempfile::tempdir().unwrap();
    spend(old.path(), 1_000_000, true);
    assert_eq!(wait_at(old.path(), NOW_MS), HELD_MS, "written in 1970");

    let back = tempfile::tempdir().unwrap();
    spend(back.path(), NOW_MS, true);
    let path = path(back.path());
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(&line(format_args!("charge 1 {} {} 5 5", NOW_MS - 90_000, NOW_MS - 80_000)));
    std::fs::write(&path, text).unwrap();
    let wait_ms = wait_at(back.path(), NOW_MS + 300_000);
    assert_eq!(wait_ms, HELD_MS + 10_000, "ran backwards: {wait_ms}");
}

/// Charges of this moment look old to a clock that was set forward, and new to one set back.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_was_set_costs_a_window_once() {
    for by_ms in [3_600_000, 61_000, 300, -300, -61_000, -3_600_000] {
        let directory = tempfile::tempdir().unwrap();
        let time = std::sync::Arc::new(SimulatedTime::starting_at(NOW_MS));
        let wait_ms = || {
            let clock = Clock::of(time.clone());
            let log = RateLog::open(directory.path(), ENDPOINT, "APP", &clock).unwrap();
            let mut budget = budget();
            log.replay_into(&mut budget);
            match budget.charge(clock.now_ms(), (1000, 0), clock.now_ms() + DEADLINE_MS) {
                Err(Refused::Until(until_ms)) => until_ms - clock.now_ms(),
                free => panic!("{by_ms}: {free:?}"),
            }
        };
        spend(directory.path(), NOW_MS, false);
        assert_eq!(wait_ms(), DEADLINE_MS + HELD_MS, "{by_ms}");
        time.set_wall(by_ms);
        assert_eq!(wait_ms(), DEADLINE_MS + HELD_MS, "{by_ms}: of a request without an answer");
        let clock = Clock::of(time.clone());
        clock.sleep_until(clock.now_ms() + 20_000).await;
        assert_eq!(wait_ms(), DEADLINE_MS + HELD_MS - 20_000, "{by_ms}: once");
        time.reboot();
        assert_eq!(wait_ms(), DEADLINE_MS + HELD_MS - 20_000, "{by_ms}: started anew");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(path(directory.path()), line(format_args!("{MAGIC} 2 anything"))).unwrap();
    assert!(matches!(open(directory.path(), NOW_MS), Err(RateLogError::Newer { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_grown_log_is_rewritten_with_what_still_counts() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::starting_at(NOW_MS);
    let mut log = RateLog::open(directory.path(), ENDPOINT, "APP", &clock).unwrap();
    let mut budget = budget();
    let open_id = budget.charge(NOW_MS, (400, 0), NOW_MS + DEADLINE_MS).unwrap();
    let answered = budget.charge(NOW_MS, (600, 0), NOW_MS + DEADLINE_MS).unwrap();
    log.charge(&clock, &budget.select(&[open_id, answered])).unwrap();
    budget.answer(answered, NOW_MS);
    log.answer(&clock, answered, NOW_MS);
    while std::fs::metadata(path(directory.path())).unwrap().len() < COMPACT_BYTES {
        (0..2_000).for_each(|id| log.void(ChargeId(1_000_000 + id)));
        log.flush(&clock, &budget).unwrap();
        if log.store.as_ref().is_some_and(|store| store.bytes < 1_000) {
            break;
        }
    }
    assert!(std::fs::metadata(path(directory.path())).unwrap().len() < 1_000);
    // The charge that was open then can still be answered.
    budget.answer(open_id, NOW_MS + 3_000);
    log.answer(&clock, open_id, NOW_MS + 3_000);
    log.flush(&clock, &budget).unwrap();
    drop(log);
    assert_eq!(wait_at(directory.path(), NOW_MS + 10_000), HELD_MS - 7_000);
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("moebulk");
    drop(open(&inner, NOW_MS).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&inner), mode(&path(&inner))), (0o700, 0o600));
}
