//! The rate log's lines, each with a checksum at its end:
//!
//! ```text
//! moebulk-rates 1 <wall ms> <booted ms> <pid> <number of lines that were written with this one>
//! clock <booted ms>
//! held <release ms> <users> <events>
//! shut <until ms>
//! charge <id> <wall ms> <deadline ms> <users> <events>
//! answer <id> <wall ms>
//! void <id>
//! ```
//!
//! A last line without its end was torn while it was written, so its request never left and it
//! is ignored. Anything else that can't be right (a broken line, times that lie ahead, run
//! backwards or are older than this program) leaves the past unknown: then the budget counts as
//! spent for a whole window, counted from the deadline of what had no answer. `shut` keeps that
//! for the process after the next.
//!
//! So does a wall clock that was set, which the times alone don't show where it was set forward:
//! then charges seem older than they are. `booted` is the wall clock's reading when the machine
//! was started (wall time less the time since then), so it moves only with a wall clock that is
//! set, or with another start; it is 0 where a system can't tell.

use std::collections::BTreeMap;
use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::send::budget::{Charge, ChargeId, HELD_MS};
use crate::send::clock::Clock;

pub(super) const MAGIC: &str = "moebulk-rates";
pub(super) const VERSION: u32 = 1;

/// No rate log is older than 2026: an earlier time was written by a clock that was wrong.
pub(super) const EARLIEST_MS: u64 = 1_767_225_600_000;

/// How far times may run backwards, in milliseconds: the steady and the wall clock are read one
/// after the other, and drift apart a little. Half of what [`HELD_MS`] has beyond the window.
const JITTER_MS: u64 = 50;

/// Longest time from a charge to its deadline that a lost line may have held, in milliseconds.
const LOST_SPAN_MS: u64 = 60_000;

/// What an earlier process left, in wall-clock milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    pub held: Vec<Held>,
    pub shut_until_ms: u64,
}

impl Past {
    /// The same in times of another clock, which tells `to_ms` where this one tells `from_ms`.
    pub fn moved(mut self, from_ms: u64, to_ms: u64) -> Self {
        let moved = |ms: u64| to_ms + ms.saturating_sub(from_ms);
        self.held.iter_mut().for_each(|held| held.release_ms = moved(held.release_ms));
        self.shut_until_ms = moved(self.shut_until_ms);
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub users: u64,
    pub events: u64,
    pub release_ms: u64,
}

pub(super) fn held_line(release_ms: u64, held: &Held) -> String {
    line(format_args!("held {release_ms} {} {}", held.users, held.events))
}

pub(super) fn charge_line(clock: &Clock, id: ChargeId, charge: &Charge) -> String {
    let (charged_ms, deadline_ms) =
        (clock.wall_at(charge.charged_ms), clock.wall_at(charge.deadline_ms));
    let (users, events) = (charge.users, charge.events);
    line(format_args!("charge {} {charged_ms} {deadline_ms} {users} {events}", id.0))
}

pub(super) fn line(text: fmt::Arguments<'_>) -> String {
    let text = text.to_string();
    format!("{text} {:08x}\n", checksum(&text))
}

fn checksum(text: &str) -> u32 {
    xxh3_64(text.as_bytes()) as u32
}

pub(super) fn shut_line(until_ms: u64) -> String {
    line(format_args!("shut {until_ms}"))
}

/// A line without its checksum; `None` where that doesn't match.
fn checked(line: &str) -> Option<&str> {
    let (text, sum) = line.rsplit_once(' ')?;
    (u32::from_str_radix(sum, 16).ok()? == checksum(text)).then_some(text)
}

/// The first line, without its version.
pub(super) struct Header {
    pub wall_ms: u64,
    pub booted_ms: u64,
    pub pid: u32,
    pub count: usize,
}

pub(super) fn header_line(clock: &Clock, booted_ms: u64, count: usize) -> String {
    let (wall_ms, pid) = (clock.wall_ms(), std::process::id());
    line(format_args!("{MAGIC} {VERSION} {wall_ms} {booted_ms} {pid} {count}"))
}

pub(super) fn clock_line(booted_ms: u64) -> String {
    line(format_args!("clock {booted_ms}"))
}

/// Whether the wall clock was set, or the machine started, between two readings.
pub(super) fn was_set(booted_ms: u64, later_ms: u64) -> bool {
    booted_ms == 0 || later_ms == 0 || booted_ms.abs_diff(later_ms) > JITTER_MS
}

pub(super) fn header_of(text: &str) -> Option<Header> {
    let text = checked(text.lines().next()?)?;
    let mut words = text.strip_prefix(MAGIC)?.split_ascii_whitespace();
    let version: u32 = words.next()?.parse().ok()?;
    if version != VERSION {
        return None;
    }
    Some(Header {
        wall_ms: words.next()?.parse().ok()?,
        booted_ms: words.next()?.parse().ok()?,
        pid: words.next()?.parse().ok()?,
        count: words.next()?.parse().ok()?,
    })
}

pub(super) fn is_newer(text: &str) -> bool {
    let words = text.lines().next().and_then(checked).and_then(|line| line.strip_prefix(MAGIC));
    let version =
        words.and_then(|words| words.split_ascii_whitespace().next()?.parse::<u32>().ok());
    version.is_some_and(|version| version > VERSION)
}

/// What still counts of a log, and until when nothing may be sent; `wall_ms` and `booted_ms` are
/// what the clock tells now.
pub(super) fn replay(text: &str, wall_ms: u64, booted_ms: u64) -> Past {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let (mut doubt, mut is_damaged) = (false, false);
    let mut held = Vec::new();
    let mut open = BTreeMap::new();
    let mut last_ms = EARLIEST_MS;
    let (mut header_ms, mut last_booted_ms, mut shut_until_ms) = (0, 0, 0);
    // How much later than a window what the file holds may come free.
    let mut span_ms = 0;
    let mut rewritten = 0;
    match header_of(whole) {
        Some(header) => {
            doubt |= header.wall_ms < EARLIEST_MS;
            (header_ms, last_ms) = (header.wall_ms, header.wall_ms);
            last_booted_ms = header.booted_ms;
            rewritten = header.count;
        }
        None => is_damaged = true,
    }
    let mut count = 0;
    for line in whole.lines().skip(1) {
        count += 1;
        let Some((kind, numbers)) = checked(line).and_then(|text| text.split_once(' ')) else {
            is_damaged = true;
            continue;
        };
        let numbers: Option<Vec<u64>> =
            numbers.split(' ').map(|number| number.parse().ok()).collect();
        match (kind, numbers.as_deref()) {
            ("held", Some(&[release_ms, users, events])) => {
                held.push(Held { users, events, release_ms });
                span_ms = span_ms.max(release_ms.saturating_sub(header_ms + HELD_MS));
            }
            ("shut", Some(&[until_ms])) => {
                shut_until_ms = until_ms;
                span_ms = span_ms.max(until_ms.saturating_sub(header_ms + HELD_MS));
            }
            ("charge", Some(&[id, charged_ms, deadline_ms, users, events])) => {
                // Charges that a rewriting kept are older than its header.
                if count > rewritten {
                    doubt |= charged_ms.saturating_add(JITTER_MS) < last_ms;
                    last_ms = last_ms.max(charged_ms);
                }
                let span_ms = deadline_ms.saturating_sub(charged_ms);
                let release_ms = deadline_ms.saturating_add(HELD_MS);
                open.insert(id, (Held { users, events, release_ms }, span_ms));
            }
            ("answer", Some(&[id, read_ms])) => {
                doubt |= read_ms.saturating_add(JITTER_MS) < last_ms;
                last_ms = last_ms.max(read_ms);
                if let Some((charge, _)) = open.remove(&id) {
                    let release_ms = read_ms.saturating_add(HELD_MS);
                    held.push(Held { release_ms, ..charge });
                }
            }
            ("clock", Some(&[booted_ms])) => {
                doubt |= was_set(last_booted_ms, booted_ms);
                last_booted_ms = booted_ms;
            }
            ("void", Some(&[id])) => drop(open.remove(&id)),
            _ => is_damaged = true,
        }
    }
    is_damaged |= count < rewritten;
    doubt |= is_damaged || was_set(last_booted_ms, booted_ms);
    doubt |= last_ms > wall_ms.saturating_add(JITTER_MS);
    if doubt {
        // No time in the file can be trusted: all that it may hold comes free after a window,
        // counted from the deadline of what had no answer.
        let spans = open.values().map(|&(_, span_ms)| span_ms);
        let lost_ms = if is_damaged { LOST_SPAN_MS } else { 0 };
        let span_ms = spans.fold(span_ms.max(lost_ms), u64::max);
        return Past {
            held: Vec::new(),
            shut_until_ms: (wall_ms + HELD_MS).saturating_add(span_ms),
        };
    }
    held.extend(open.into_values().map(|(charge, _)| charge));
    held.retain(|held| held.release_ms > wall_ms);
    Past { held, shut_until_ms }
}
