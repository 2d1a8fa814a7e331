//! Users with more requests than fair use allows (Data API, U: fair use per single end user).
//!
//! Counts are lower bounds: a user who is rare in a block is not counted there, nor is a block
//! that lies in two windows, and windows stand side by side. So a warning is always true, and
//! a user near the limit can go unseen.

use std::collections::HashMap;

use crate::model::{Code, Position, Shaped, Tally};
use crate::wire::limits::FAIR_USE;

/// Users that are counted in one window; the least frequent ones are forgotten first.
const USERS_MAX: usize = 4_096;

/// Counts rows by user in the time in which they will be sent.
#[derive(Debug)]
pub struct FairUse {
    /// Rows that are sent in a minute; `None` = no limit, so all in one.
    rows_per_minute: Option<u64>,
    rows: u64,
    windows: Vec<Window>,
    column: Option<u32>,
}

#[derive(Debug)]
struct Window {
    minutes: u64,
    requests_max: u64,
    index: u64,
    users: HashMap<u64, u64>,
}

impl FairUse {
    /// Nothing counted yet. `column` is the one that names the user.
    pub fn new(rows_per_minute: Option<u64>, column: Option<u32>) -> Self {
        let window = |&(minutes, requests_max)| Window {
            minutes,
            requests_max,
            index: 0,
            users: HashMap::new(),
        };
        Self { rows_per_minute, rows: 0, windows: FAIR_USE.iter().map(window).collect(), column }
    }

    /// Counts a block, and adds to the tally who went over a limit in it, once a window.
    pub fn count(&mut self, block: &Shaped, tally: &mut Tally) {
        let minute = |row: u64| self.rows_per_minute.map_or(0, |rate| row / rate.max(1));
        let rows = block.elements.len() as u64;
        let (first, last) = (minute(self.rows), minute(self.rows + rows.saturating_sub(1)));
        self.rows += rows;
        for window in &mut self.windows {
            let index = first / window.minutes;
            if index != last / window.minutes {
                continue;
            }
            if index != window.index {
                window.index = index;
                window.users.clear();
            }
            let mut over: Option<Position> = None;
            for frequent in &block.frequent {
                let count = window.users.entry(frequent.user).or_default();
                let before = *count;
                *count += u64::from(frequent.count);
                if before <= window.requests_max && *count > window.requests_max {
                    over.get_or_insert_with(|| block.rows.position(frequent.row as usize));
                }
            }
            if window.users.len() > USERS_MAX {
                let mut counts: Vec<u64> = window.users.values().copied().collect();
                let (_, &mut median, _) = counts.select_nth_unstable(USERS_MAX / 2);
                window.users.retain(|_, count| *count > median);
            }
            if let Some(at) = over {
                tally.add(Code::FairUse.severity(), Code::FairUse, self.column, at);
            }
        }
    }
}
