//! Which rows are to be sent: those that are new or differ from what the server accepted last.

use std::sync::Mutex;

use rayon::{ThreadPool, prelude::*};
use serde::{Deserialize, Serialize};

use super::{
    Entry, Error, Spilled,
    ids::{Ids, Record},
    spill::PARTS,
};
use crate::model::{FIRST_POSITIONS_MAX, RowSet};

/// What the rows of an export are beside what the state knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows whose id is not known, or of which it is not sure what the server holds.
    pub new: u64,
    /// Rows whose id is known, with another row.
    pub changed: u64,
    /// Rows that are as the server accepted them.
    pub unchanged: u64,
    /// Ids that stand in several rows.
    pub repeated_ids: u64,
    /// Their rows. All of them are sent, whatever is known.
    pub repeated_rows: u64,
    /// Known ids that no row of the export has.
    pub vanished: u64,
    /// Ids that were known.
    pub known: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self {
            new: self.new + other.new,
            changed: self.changed + other.changed,
            unchanged: self.unchanged + other.unchanged,
            repeated_ids: self.repeated_ids + other.repeated_ids,
            repeated_rows: self.repeated_rows + other.repeated_rows,
            vanished: self.vanished + other.vanished,
            known: self.known + other.known,
        }
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub struct Compared {
    /// How many rows are what.
    pub counts: Counts,
    /// The first rows whose ids stand in other rows too, by file and row.
    pub repeated: Vec<(u32, u64)>,
}

/// Bits of the row in the place of an [`Entry`]; above them stand the file and then the kind.
const ROW_BITS: u32 = 40;

const FILE_BITS: u32 = 22;

/// What an [`Entry`] is. Of one id the accepted rows come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Accepted,
    Rejected,
    Unsure,
}

impl Entry {
    /// An accepted row (from 1) of a file; `None` where there are more rows or files than fit.
    pub fn accepted(file: u32, row: u64, id: u128, hash: u128) -> Option<Self> {
        let fits = row >> ROW_BITS == 0 && file >> FILE_BITS == 0;
        fits.then_some(Self { id, row: hash, at: u64::from(file) << ROW_BITS | row })
    }

    /// An id that stands in a rejected row: it has not vanished.
    pub fn rejected(id: u128) -> Self {
        Self { id, row: 0, at: (Kind::Rejected as u64) << (ROW_BITS + FILE_BITS) }
    }

    /// An id of which it is not sure what the server holds.
    pub(super) fn unsure(id: u128) -> Self {
        Self { id, row: 0, at: (Kind::Unsure as u64) << (ROW_BITS + FILE_BITS) }
    }

    fn kind(&self) -> Kind {
        match self.at >> (ROW_BITS + FILE_BITS) {
            0 => Kind::Accepted,
            1 => Kind::Rejected,
            _ => Kind::Unsure,
        }
    }

    fn place(&self) -> (u32, u64) {
        let file = (self.at >> ROW_BITS) & ((1 << FILE_BITS) - 1);
        (file as u32, self.at & ((1 << ROW_BITS) - 1))
    }
}

/// Holds rows against what is known of their ids, and adds those to `rows` that are to be sent;
/// with `everything`, all of them.
///
/// # Errors
/// A file can't be read, or is damaged.
pub fn compare(
    spilled: &Spilled,
    known: Option<&Ids>,
    everything: bool,
    rows: &RowSet,
    pool: &ThreadPool,
) -> Result<Compared, Error> {
    let repeated = Mutex::new(Vec::new());
    let part = |part: usize| {
        let entries = spilled.part(part)?;
        let known = known.map_or(Ok(Vec::new()), |known| known.part(part))?;
        let mut found = Part { rows, everything, counts: Counts::default(), repeated: Vec::new() };
        found.join(&entries, &known);
        if let (false, Ok(mut first)) = (found.repeated.is_empty(), repeated.lock()) {
            first.append(&mut found.repeated);
            first.sort_unstable();
            first.truncate(FIRST_POSITIONS_MAX);
        }
        Ok(found.counts)
    };
    let counts = pool.install(|| {
        (0..PARTS)
            .into_par_iter()
            .map(part)
            .try_reduce(Counts::default, |one, more| Ok(one.plus(more)))
    })?;
    Ok(Compared { counts, repeated: repeated.into_inner().unwrap_or_default() })
}

/// What is found of the ids of one part.
struct Part<'a> {
    rows: &'a RowSet,
    everything: bool,
    counts: Counts,
    /// The first rows of repeated ids, in order.
    repeated: Vec<(u32, u64)>,
}

impl Part<'_> {
    /// Both are sorted by id.
    fn join(&mut self, entries: &[Entry], known: &[Record]) {
        self.counts.known = known.len() as u64;
        let mut known = known.iter().peekable();
        for of_id in entries.chunk_by(|one, next| one.id == next.id) {
            let id = of_id[0].id;
            while known.next_if(|record| record.0 < id).is_some() {
                self.counts.vanished += 1;
            }
            let known = known.next_if(|record| record.0 == id);
            let accepted = of_id.partition_point(|entry| entry.kind() == Kind::Accepted);
            let (accepted, others) = of_id.split_at(accepted);
            let in_export = others.iter().any(|entry| entry.kind() == Kind::Rejected);
            if accepted.is_empty() && !in_export && known.is_some() {
                self.counts.vanished += 1;
            }
            let is_unsure = others.iter().any(|entry| entry.kind() == Kind::Unsure);
            self.rows_of_id(accepted, known.filter(|_| !is_unsure));
        }
        self.counts.vanished += known.count() as u64;
    }

    fn rows_of_id(&mut self, rows: &[Entry], known: Option<&Record>) {
        let is_repeated = rows.len() > 1;
        if is_repeated {
            self.counts.repeated_ids += 1;
            self.counts.repeated_rows += rows.len() as u64;
        }
        for entry in rows {
            let (file, row) = entry.place();
            // A row that another of the same id stands beside is sent, so that the last one holds.
            let is_sent = match known {
                None => {
                    self.counts.new += 1;
                    true
                }
                Some(known) if known.1 != entry.row => {
                    self.counts.changed += 1;
                    true
                }
                Some(_) => {
                    self.counts.unchanged += 1;
                    is_repeated || self.everything
                }
            };
            if is_sent {
                self.rows.insert(file, row);
            }
            if is_repeated {
                let at = self.repeated.partition_point(|&seen| seen < (file, row));
                self.repeated.insert(at, (file, row));
                self.repeated.truncate(FIRST_POSITIONS_MAX);
            }
        }
    }
}
