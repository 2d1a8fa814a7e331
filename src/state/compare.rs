//! Which rows are to be sent: those that are new or differ from what the server accepted last.

use std::{collections::HashMap, sync::Mutex};

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
        let known = known.map_or(Ok(Vec::new()), |known| known.part(part))?;
        let mut found = Part { everything, known: &known, ..Part::new(rows) };
        let entries = spilled.part(part, |entries| found.fold(entries))?;
        found.join(&entries);
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
    /// Sorted by id.
    known: &'a [Record],
    counts: Counts,
    /// The first rows of repeated ids, in order.
    repeated: Vec<(u32, u64)>,
    /// Rows of repeated ids that were folded, by id: how many, and how many are as is known.
    folded: HashMap<u128, (u64, u64)>,
}

impl<'a> Part<'a> {
    fn new(rows: &'a RowSet) -> Self {
        Self {
            rows,
            everything: false,
            known: &[],
            counts: Counts::default(),
            repeated: Vec::new(),
            folded: HashMap::new(),
        }
    }

    /// Of ids in several rows leaves the last one; the others are sent, whatever is known.
    fn fold(&mut self, entries: &mut Vec<Entry>) {
        let mut kept = 0;
        let mut start = 0;
        while let Some(first) = entries.get(start) {
            let id = first.id;
            let of_id = entries[start..].partition_point(|entry| entry.id == id);
            let end = start + of_id;
            let is_accepted = |entry: &Entry| entry.kind() == Kind::Accepted;
            let accepted = start + entries[start..end].partition_point(is_accepted);
            let last = accepted.saturating_sub(1).max(start);
            if last > start {
                let at = self.known.binary_search_by_key(&id, |record| record.0);
                let known = at.ok().map(|at| self.known[at].1);
                let (rows, same) = self.folded.entry(id).or_default();
                for entry in &entries[start..last] {
                    *rows += 1;
                    *same += u64::from(known == Some(entry.row));
                }
                entries[start..last].iter().for_each(|entry| self.send_repeated(entry.place()));
            }
            entries.copy_within(last..end, kept);
            kept += end - last;
            start = end;
        }
        entries.truncate(kept);
        // What says the same of an id says it once.
        entries.dedup();
    }

    /// The entries are sorted by id.
    fn join(&mut self, entries: &[Entry]) {
        self.counts.known = self.known.len() as u64;
        let mut known = self.known.iter().peekable();
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
        let Some(first) = rows.first() else { return };
        let (folded, mut same) = self.folded.remove(&first.id).unwrap_or_default();
        let all = folded + rows.len() as u64;
        let is_repeated = all > 1;
        if is_repeated {
            self.counts.repeated_ids += 1;
            self.counts.repeated_rows += all;
        }
        for entry in rows {
            let is_same = known.is_some_and(|known| known.1 == entry.row);
            same += u64::from(is_same);
            // A row that another of the same id stands beside is sent, so that the last one holds.
            if is_repeated {
                self.send_repeated(entry.place());
            } else if !is_same || self.everything {
                let (file, row) = entry.place();
                self.rows.insert(file, row);
            }
        }
        match known {
            None => self.counts.new += all,
            Some(_) => {
                self.counts.unchanged += same;
                self.counts.changed += all - same;
            }
        }
    }

    fn send_repeated(&mut self, (file, row): (u32, u64)) {
        self.rows.insert(file, row);
        if self.repeated.len() == FIRST_POSITIONS_MAX
            && self.repeated.last().is_some_and(|&last| last < (file, row))
        {
            return;
        }
        let at = self.repeated.partition_point(|&seen| seen < (file, row));
        self.repeated.insert(at, (file, row));
        self.repeated.truncate(FIRST_POSITIONS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of some entries, folded after every so many.
    fn found(
        entries: &[Entry],
        known: &[Record],
        everything: bool,
        every: usize,
    ) -> (Counts, Vec<(u32, u64)>, Vec<u64>) {
        let rows = RowSet::with_rows(&[1_000]);
        let mut part = Part { known, everything, ..Part::new(&rows) };
        let mut so_far: Vec<Entry> = Vec::new();
        for chunk in entries.chunks(every) {
            so_far.extend(chunk);
            so_far.sort();
            part.fold(&mut so_far);
        }
        part.join(&so_far);
        let sent = (1..=1_000).filter(|&row| rows.contains(0, row)).collect();
        (part.counts, part.repeated, sent)
    }

    #[test]
    fn folded_on_the_way_rows_are_what_they_are() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..200 {
            let ids = rng.u32(1..40);
            let mut entries: Vec<Entry> = (1..=rng.u64(0..120))
                .map(|row| {
                    let (id, hash) = (u128::from(rng.u32(0..ids)), u128::from(rng.u8(0..3)));
                    Entry::accepted(0, row, id, hash).expect("it fits")
                })
                .collect();
            for _ in 0..rng.u32(0..5) {
                entries.push(Entry::rejected(u128::from(rng.u32(0..ids))));
                entries.push(Entry::unsure(u128::from(rng.u32(0..ids))));
            }
            let known: Vec<Record> = (0..u128::from(ids))
                .filter(|_| rng.bool())
                .map(|id| (id, u128::from(id as u8 % 3)))
                .collect();
            let everything = rng.u8(0..5) == 0;
            let slow = found(&entries, &known, everything, usize::MAX);
            // By the rules, one id after the other.
            let of = |id: u128, kind: Kind| {
                entries.iter().filter(move |entry| entry.id == id && entry.kind() == kind)
            };
            let mut sent = Vec::new();
            for entry in entries.iter().filter(|entry| entry.kind() == Kind::Accepted) {
                let known = known.iter().find(|record| record.0 == entry.id);
                let known = known.filter(|_| of(entry.id, Kind::Unsure).count() == 0);
                let is_same = known.is_some_and(|known| known.1 == entry.row);
                if everything || !is_same || of(entry.id, Kind::Accepted).count() > 1 {
                    sent.push(entry.place().1);
                }
            }
            assert_eq!(slow.2, sent);
            let all = entries.iter().filter(|entry| entry.kind() == Kind::Accepted).count() as u64;
            let Counts { new, changed, unchanged, .. } = slow.0;
            assert_eq!(new + changed + unchanged, all);
            for every in [1, 2, 7, 50] {
                assert_eq!(found(&entries, &known, everything, every), slow, "every {every}");
            }
        }
    }
}
