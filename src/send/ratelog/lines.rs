//! The rate log's lines, each with a checksum at its end:
//!
//! ```text
//! moebulk-rates 1 <wall ms> <pid> <number of lines that were written with this one>
//! held <release ms> <users> <events>
//! charge <id> <wall ms> <deadline ms> <users> <events>
//! answer <id> <wall ms>
//! void <id>
//! ```
//!
//! A last line without its end was torn while it was written, so its request never left and it
//! is ignored. Anything else that can't be right (a broken line, times that lie ahead, run
//! backwards or are older than this program) leaves the past unknown: then the budget counts as
//! spent for a whole window.

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

/// What an earlier process left, in wall-clock milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    pub held: Vec<Held>,
    pub shut_until_ms: u64,
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

/// A line without its checksum; `None` where that doesn't match.
fn checked(line: &str) -> Option<&str> {
    let (text, sum) = line.rsplit_once(' ')?;
    (u32::from_str_radix(sum, 16).ok()? == checksum(text)).then_some(text)
}

/// The first line, without its version.
pub(super) struct Header {
    pub wall_ms: u64,
    pub pid: u32,
    pub count: usize,
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

/// What still counts of a log, and until when nothing may be sent.
pub(super) fn replay(text: &str, wall_ms: u64) -> Past {
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    let mut doubt = false;
    let mut held = Vec::new();
    let mut open = BTreeMap::new();
    let mut last_ms = EARLIEST_MS;
    let mut rewritten = 0;
    match header_of(whole) {
        Some(header) => {
            doubt |= header.wall_ms < EARLIEST_MS;
            last_ms = header.wall_ms;
            rewritten = header.count;
        }
        None => doubt = true,
    }
    let mut count = 0;
    for line in whole.lines().skip(1) {
        count += 1;
        let Some((kind, numbers)) = checked(line).and_then(|text| text.split_once(' ')) else {
            doubt = true;
            continue;
        };
        let numbers: Option<Vec<u64>> =
            numbers.split(' ').map(|number| number.parse().ok()).collect();
        match (kind, numbers.as_deref()) {
            ("held", Some(&[release_ms, users, events])) => {
                held.push(Held { users, events, release_ms });
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
            ("void", Some(&[id])) => drop(open.remove(&id)),
            _ => doubt = true,
        }
    }
    doubt |= count < rewritten || last_ms > wall_ms.saturating_add(JITTER_MS);
    let span_ms = open.values().map(|&(_, span_ms)| span_ms).max().unwrap_or(0);
    held.extend(open.into_values().map(|(charge, _)| charge));
    if doubt {
        // No time in the file can be trusted: all that it may hold comes free after a window,
        // counted from the deadline of what had no answer.
        return Past {
            held: Vec::new(),
            shut_until_ms: (wall_ms + HELD_MS).saturating_add(span_ms),
        };
    }
    held.retain(|held| held.release_ms > wall_ms);
    Past { held, shut_until_ms: 0 }
}
