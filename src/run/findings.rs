//! What a check pass finds, block by block: counts, the tally of problems, the rejects, the bodies.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::{Error, changes::Noted, check::Prepared, notes::Notes, sample};
use crate::model::{
    Body, BodyCounts, Code, Damage, Histogram, LinePlace, Position, RowCounts, RowFailure, Rows,
    Shaped, Tally, TextRows,
};
use crate::report::RejectsFile;
use crate::shape::{fair_use::FairUse, mix::Profiler};

/// Rows that the server refused or that were left in doubt, by position.
pub type Failures = HashMap<Position, RowFailure>;

/// What a check pass found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rows read, accepted and rejected.
    pub rows: RowCounts,
    /// Rows read from each file.
    pub rows_by_file: Vec<u64>,
    /// Records of each file that are not UTF-8.
    pub not_utf8_by_file: Vec<u64>,
    /// The problems.
    pub tally: Tally,
    /// Where rejected rows are, counted from the first row of the import.
    pub rejected_at: Histogram,
    /// What columns hold, in a sample of the rows.
    pub columns: Profiler,
    /// Where lines begin, here and there.
    pub lines: Lines,
    /// The bodies.
    pub bodies: BodyTotals,
    /// What is held against the state, under `--only-changed`.
    pub noted: Option<Noted>,
    /// Files of rejected rows.
    pub rejects: Vec<RejectsFile>,
    /// The file of damaged stretches.
    pub damaged: Option<PathBuf>,
}

/// Where lines of the inputs begin, here and there, so that one far behind can be found again
/// without all before it being read.
#[derive(Debug, Default)]
pub struct Lines {
    /// By file and line.
    places: Vec<(u32, LinePlace)>,
}

impl Lines {
    /// Bytes between two places, at least.
    const BYTES_BETWEEN: u64 = 32 << 20;

    /// Notes where a block begins, unless a place before it is near.
    fn note(&mut self, block: &Rows) {
        let Rows::Text(TextRows { file, start: Some(start), .. }) = block else { return };
        let last = self.places.last().filter(|(known, _)| known == file);
        let last = last.map_or(0, |(_, place)| place.offset);
        if start.offset >= last + Self::BYTES_BETWEEN {
            self.places.push((*file, *start));
        }
    }

    /// The last place in a file that is known before a line, or where it begins.
    pub fn before(&self, file: u32, line: u64) -> Option<LinePlace> {
        let end = self.places.partition_point(|(known, at)| (*known, at.line) <= (file, line));
        let (known, place) = self.places[..end].last()?;
        (*known == file).then_some(*place)
    }
}

/// Running totals over all bodies, in order.
#[derive(Clone)]
pub struct BodyTotals {
    /// Bodies.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the largest.
    pub bytes_max: u64,
    /// Users in all of them.
    pub users: u64,
    /// Events in all of them.
    pub events: u64,
    /// Users of the body with the most.
    pub users_max: u64,
    /// Events of the body with the most.
    pub events_max: u64,
    /// Bodies by tenths of the limit that they fill.
    pub fill: [u64; 10],
    body_bytes_max: u64,
    hashes: Xxh3Default,
}

impl Default for BodyTotals {
    fn default() -> Self {
        Self::new(0)
    }
}

impl std::fmt::Debug for BodyTotals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyTotals")
            .field("count", &self.count)
            .field("digest", &self.digest())
            .finish()
    }
}

impl BodyTotals {
    /// No bodies yet; each may have so many bytes.
    pub fn new(body_bytes_max: usize) -> Self {
        Self {
            count: 0,
            bytes: 0,
            bytes_max: 0,
            users: 0,
            events: 0,
            users_max: 0,
            events_max: 0,
            fill: [0; 10],
            body_bytes_max: body_bytes_max.max(1) as u64,
            hashes: Xxh3Default::default(),
        }
    }

    /// Takes in the next body.
    pub fn add(&mut self, body: &Body) {
        let bytes = body.bytes.len() as u64;
        // A body that fills a tenth to the byte belongs to that tenth.
        let tenth = (bytes * 10).div_ceil(self.body_bytes_max).clamp(1, 10);
        self.fill[tenth as usize - 1] += 1;
        self.count += 1;
        self.bytes += bytes;
        self.bytes_max = self.bytes_max.max(bytes);
        self.users += body.users;
        self.events += body.events;
        self.users_max = self.users_max.max(body.users);
        self.events_max = self.events_max.max(body.events);
        self.hashes.update(&xxh3_128(&body.bytes).to_be_bytes());
    }

    /// The digest of `report.json`.
    pub fn digest(&self) -> String {
        format!("{:032x}", self.hashes.digest128())
    }

    /// The totals as the report states them.
    pub fn counts(&self) -> BodyCounts {
        let fill_mean = match self.count {
            0 => 0.0,
            count => self.bytes as f64 / count as f64 / self.body_bytes_max as f64,
        };
        BodyCounts {
            count: self.count,
            bytes: self.bytes,
            bytes_max: self.bytes_max,
            fill_mean,
            fill: self.fill,
            digest: self.digest(),
        }
    }
}

/// What a check finds, block by block.
pub struct Findings<'p> {
    prepared: &'p Prepared<'p>,
    checked: Checked,
    notes: Notes<'p>,
    fair_use: FairUse,
}

impl<'p> Findings<'p> {
    /// Nothing yet.
    pub fn new(prepared: &'p Prepared<'p>, failures: &'p Failures, dir: &Path) -> Self {
        let Prepared { inputs, plan, job, .. } = prepared;
        let none = vec![0; inputs.files.len()];
        Self {
            prepared,
            checked: Checked {
                rows_by_file: none.clone(),
                not_utf8_by_file: none,
                columns: Profiler::new(plan),
                noted: prepared.changes.as_ref().and_then(|it| it.notes(dir, inputs.files.len())),
                ..Checked::default()
            },
            notes: Notes::new(inputs, plan, failures, dir, job.rejects_safe),
            fair_use: prepared.fair_use(),
        }
    }

    /// Takes in the next block.
    ///
    /// # Errors
    /// The rejects cannot be written.
    pub fn block(&mut self, block: &Shaped) -> Result<(), Error> {
        let Self { checked, fair_use, .. } = self;
        let file = block.rows.file() as usize;
        note_rejects(block, checked.rows.read, &mut checked.rejected_at);
        let Prepared { inputs, plan, .. } = self.prepared;
        checked.lines.note(&block.rows);
        let picked = sample::rows(&block.rows);
        let binding = &inputs.files[file].binding;
        checked.columns.look(plan, binding, &block.rows, &picked).map_err(Error::Internal)?;
        checked.rows.read += block.rows_read();
        checked.rows.rejected += block.rows_rejected();
        checked.rows.accepted += block.elements.len() as u64;
        checked.rows_by_file[file] += block.rows_read();
        let not_utf8 = |damage: &&Damage| damage.code == Code::InvalidUtf8;
        checked.not_utf8_by_file[file] +=
            block.rows.damage().iter().filter(not_utf8).count() as u64;
        checked.tally.merge(&block.tally);
        match &mut checked.noted {
            Some(noted) => noted.block(block)?,
            // Rows that are not sent count for nothing.
            None if self.prepared.changes.is_some() => {}
            None => fair_use.count(block, &mut checked.tally),
        }
        let source_bytes = inputs.files[file].source_bytes(&block.rows);
        self.prepared.around.progress.advance(source_bytes);
        self.notes.block(block, &mut checked.tally)
    }

    /// All that was found.
    ///
    /// # Errors
    /// The rejects cannot be written.
    pub fn finish(self, bodies: BodyTotals) -> Result<Checked, Error> {
        let Self { mut checked, notes, prepared, .. } = self;
        checked.bodies = bodies;
        (checked.rejects, checked.damaged) = notes.finish(prepared.around)?;
        prepared.around.progress.end();
        let RowCounts { read, accepted, rejected, .. } = checked.rows;
        let (bodies, bytes) = (checked.bodies.count, checked.bodies.bytes);
        tracing::info!(read, accepted, rejected, bodies, bytes, "rows checked and packed");
        Ok(checked)
    }
}

/// Counts a block's rejected rows where they are in the import, of which so many rows came before.
fn note_rejects(block: &Shaped, rows_before: u64, rejected_at: &mut Histogram) {
    if block.rows_read() == 0 {
        return;
    }
    let damage = block.rows.damage();
    let sound = (!block.rows.is_empty()).then(|| block.rows.position(0).row);
    let first = sound.into_iter().chain(damage.first().map(|damage| damage.position.row)).min();
    let Some(first) = first else { return };
    let rejects = block.rejects.iter().map(|reject| reject.position.row);
    for row in rejects.chain(damage.iter().map(|damage| damage.position.row)) {
        rejected_at.add(rows_before + row.saturating_sub(first), 1);
    }
    rejected_at.reach(rows_before + block.rows_read() - 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_looked_for_from_the_last_known_place_before_it() {
        let mut lines = Lines::default();
        let mut note = |file, mib: u64, line| {
            let start = Some(LinePlace { offset: mib << 20, line });
            lines.note(&Rows::Text(TextRows { file, start, ..TextRows::default() }));
        };
        for (file, mib, line) in [(0, 1, 10), (0, 32, 300), (0, 40, 400), (0, 70, 700), (2, 64, 90)]
        {
            note(file, mib, line);
        }
        lines.note(&Rows::Text(TextRows { file: 2, ..TextRows::default() }));
        let before =
            |file, line| lines.before(file, line).map(|place| (place.offset >> 20, place.line));
        assert_eq!(before(0, 299), None);
        assert_eq!(before(0, 300), Some((32, 300)));
        assert_eq!(before(0, 699), Some((32, 300)));
        assert_eq!(before(0, 9_999), Some((70, 700)));
        assert_eq!(before(1, 9_999), None);
        assert_eq!((before(2, 89), before(2, 91)), (None, Some((64, 90))));
    }
}
