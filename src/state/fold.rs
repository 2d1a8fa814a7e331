//! Moving on: a new file of ids from the one before and what became of rows.

use std::path::Path;

use super::{
    Entry, Error, Spilled,
    ids::{Ids, IdsWriter, Record, push},
    spill::PARTS,
};

/// What became of a row that an import was to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server accepted it.
    Delivered,
    /// It may have reached the server or not: what the server holds is unknown.
    Unsure,
    /// It did not reach the server.
    Unsent,
}

/// In the lowest bit of an entry's place: the id is to be forgotten.
const FORGET: u64 = 1;

/// An entry for a row that the server may have: `ordinal` counts in the order of sending.
pub(super) fn step((id, row): Record, fate: Fate, ordinal: u64) -> Option<Entry> {
    match fate {
        Fate::Delivered => Some(Entry { id, row, at: ordinal << 1 }),
        Fate::Unsure => Some(Entry { id, row, at: ordinal << 1 | FORGET }),
        Fate::Unsent => None,
    }
}

/// Writes the file of ids that holds after some steps; how many ids it has.
pub(super) fn fold(before: Option<&Ids>, steps: &Spilled, path: &Path) -> Result<u64, Error> {
    let mut writer = IdsWriter::create(path)?;
    let mut bytes = Vec::new();
    for part in 0..PARTS {
        let known = before.map_or(Ok(Vec::new()), |ids| ids.part(part))?;
        bytes.clear();
        merge(&known, &steps.part(part, keep_last)?, &mut bytes);
        writer.part(&bytes)?;
    }
    writer.finish()
}

/// Of several steps of an id leaves the last, which forgets it where one of them does.
fn keep_last(steps: &mut Vec<Entry>) {
    steps.dedup_by(|next, last| {
        let is_same = next.id == last.id;
        if is_same {
            *last = Entry { at: next.at | last.at & FORGET, ..*next };
        }
        is_same
    });
}

/// Both are sorted by id, and the steps of one id by their order.
fn merge(known: &[Record], steps: &[Entry], out: &mut Vec<u8>) {
    let mut known = known.iter().copied().peekable();
    for of_id in steps.chunk_by(|one, next| one.id == next.id) {
        let id = of_id[0].id;
        while let Some(record) = known.next_if(|record| record.0 < id) {
            push(out, record);
        }
        known.next_if(|record| record.0 == id);
        // Where one of them is not sure, no other says what the server holds.
        let is_sure = of_id.iter().all(|step| step.at & FORGET == 0);
        if let (true, Some(last)) = (is_sure, of_id.last()) {
            push(out, (id, last.row));
        }
    }
    known.for_each(|record| push(out, record));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Spill, ids::records};

    #[test]
    fn the_last_delivered_row_holds_and_what_is_unsure_is_forgotten() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut spill = Spill::new(dir.path());
        let steps = [
            // Twice delivered, in this order.
            ((5, 51), Fate::Delivered),
            ((5, 50), Fate::Delivered),
            // Not known before.
            ((7, 70), Fate::Delivered),
            ((2, 20), Fate::Unsure),
            ((3, 30), Fate::Unsure),
            ((3, 31), Fate::Delivered),
            ((4, 41), Fate::Unsent),
        ];
        for (ordinal, (record, fate)) in (0..).zip(steps) {
            if let Some(entry) = step(record, fate, ordinal) {
                spill.push(entry).expect("written");
            }
        }
        let known: Vec<Record> = (1..=6).map(|id| (id, id * 10 + 9)).collect();
        let mut bytes = Vec::new();
        let mut steps = spill.finish().part(0, |_| ()).expect("read");
        merge(&known, &steps, &mut bytes);
        let expected = [(1, 19), (4, 49), (5, 50), (6, 69), (7, 70)];
        assert!(records(&bytes).eq(expected));
        // Folded on the way they say the same.
        keep_last(&mut steps);
        assert_eq!(steps.len(), 4);
        bytes.clear();
        merge(&known, &steps, &mut bytes);
        assert!(records(&bytes).eq(expected));
    }
}
