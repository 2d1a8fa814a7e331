//! Exact-size request bodies from elements: lengths are added, bytes concatenated.
//!
//! Pure, no I/O. The sequence of bodies is a function of the elements and the
//! [`Limits`] alone; [`PACKING_VERSION`] names that function.

use std::ops::Range;

use bytes::Bytes;

use crate::model::{Body, Part, Shaped};
use crate::wire::envelope::{ACTIONS_SUFFIX, OVERHEAD_BYTES, PREFIX, SUFFIX};

/// Changes whenever the same rows and options would give other bodies. A checkpoint
/// of another packing version cannot be resumed, since its ordinals mean other bodies.
pub const PACKING_VERSION: u32 = 2;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest body, envelope included.
    pub body_bytes_max: usize,
    /// A body also ends where the running count of users reaches a multiple of this,
    /// so that whole windows can be filled; `None` = no such cut.
    pub cut_users: Option<u64>,
    /// The same for events.
    pub cut_events: Option<u64>,
    /// Every row is a body of its own, without the bulk envelope: what the APIs for single
    /// records take.
    pub single: bool,
}

/// Builds bodies from blocks of elements that come in file order.
#[derive(Debug)]
pub struct Packer {
    limits: Limits,
    seq: u64,
    users: Count,
    events: Count,
    open: Open,
}

/// The body that is being filled.
#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    users: u64,
    events: u64,
    /// Where the head of the last element stands, if that element can take more actions.
    head: Option<Range<usize>>,
}

impl Packer {
    /// A packer at the start of an import.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            seq: 0,
            users: Count::new(limits.cut_users),
            events: Count::new(limits.cut_events),
            open: Open::default(),
        }
    }

    /// Packs a block; each body that is full goes to `emit`.
    ///
    /// # Errors
    /// Whatever `emit` returns.
    pub fn push<E>(
        &mut self,
        block: &Shaped,
        mut emit: impl FnMut(Body) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        // Whole elements that follow each other are appended at once.
        let mut run = Run::default();
        for element in &block.elements {
            let end = start + (element.head + element.len) as usize;
            let (head_start, rest_start) = if element.head == 0 && !self.limits.single {
                if !self.open.fits_whole(&run, end - start, self.limits.body_bytes_max) {
                    self.open.append_run(&block.json, &mut run);
                    emit(self.close())?;
                }
                let at = self.open.extend_run(&mut run, start..end);
                (at, at)
            } else {
                self.open.append_run(&block.json, &mut run);
                let (head, rest) = block.json[start..end].split_at(element.head as usize);
                if !self.open.fits(head, rest, self.limits.body_bytes_max) {
                    emit(self.close())?;
                }
                self.open.append(head, rest, self.limits.single)
            };
            self.open.users += u64::from(element.users);
            self.open.events += u64::from(element.events);
            self.open.parts.push(Part {
                head_start,
                head_len: element.head,
                start: rest_start,
                len: element.len,
                users: element.users,
                events: element.events,
                key: element.key,
                position: block.rows.position(element.row as usize),
            });
            // Both count, whichever is reached.
            let is_cut = self.users.add(element.users) | self.events.add(element.events);
            if self.limits.single || is_cut {
                self.open.append_run(&block.json, &mut run);
                emit(self.close())?;
            }
            // The comma between them.
            start = end + 1;
        }
        self.open.append_run(&block.json, &mut run);
        Ok(())
    }

    /// Hands out the last body, if rows are left.
    ///
    /// # Errors
    /// Whatever `emit` returns.
    pub fn finish<E>(mut self, emit: impl FnOnce(Body) -> Result<(), E>) -> Result<(), E> {
        if self.open.parts.is_empty() { Ok(()) } else { emit(self.close()) }
    }

    fn close(&mut self) -> Body {
        let open = std::mem::take(&mut self.open);
        // The next body will be about as large.
        self.open.bytes.reserve(open.bytes.capacity());
        self.open.parts.reserve(open.parts.len());
        let mut bytes = open.bytes;
        if open.head.is_some() {
            bytes.extend_from_slice(ACTIONS_SUFFIX);
        }
        if !self.limits.single {
            bytes.extend_from_slice(SUFFIX);
        }
        let seq = self.seq;
        self.seq += 1;
        Body {
            seq,
            bytes: Bytes::from(bytes),
            parts: open.parts,
            users: open.users,
            events: open.events,
        }
    }
}

/// Whole elements of a block that follow each other and are still to be appended to a body.
#[derive(Debug, Default)]
struct Run {
    /// Where they stand in the block's JSON, with the commas between them.
    json: Range<usize>,
    /// Where the first of them will stand in the body.
    at: usize,
}

impl Open {
    /// Whether one more whole element leaves the body within the limit, behind those of a run.
    fn fits_whole(&self, run: &Run, bytes: usize, body_bytes_max: usize) -> bool {
        if self.parts.is_empty() {
            return true;
        }
        let closing = if self.head.is_some() { ACTIONS_SUFFIX.len() } else { 0 };
        let body = if run.json.is_empty() { self.bytes.len() } else { run.at + run.json.len() };
        body + closing + 1 + bytes + SUFFIX.len() <= body_bytes_max
    }

    /// Adds a whole element to a run; where it will stand.
    fn extend_run(&mut self, run: &mut Run, element: Range<usize>) -> u32 {
        if run.json.is_empty() {
            if self.head.take().is_some() {
                self.bytes.extend_from_slice(ACTIONS_SUFFIX);
            }
            self.bytes.extend_from_slice(if self.parts.is_empty() { PREFIX } else { b"," });
            *run = Run { json: element.start..element.start, at: self.bytes.len() };
        }
        run.json.end = element.end;
        (run.at + (element.start - run.json.start)) as u32
    }

    /// Appends the elements of a run, which has none then.
    fn append_run(&mut self, json: &[u8], run: &mut Run) {
        self.bytes.extend_from_slice(&json[std::mem::take(&mut run.json)]);
    }

    /// Whether the last element of the body has this very head, and so takes one more action.
    fn continues(&self, head: &[u8]) -> bool {
        self.head.as_ref().is_some_and(|open| self.bytes[open.clone()] == *head)
    }

    /// Whether one more row leaves the body within the limit. An empty body takes
    /// any row: one that is too large alone never gets here.
    fn fits(&self, head: &[u8], rest: &[u8], body_bytes_max: usize) -> bool {
        if self.parts.is_empty() {
            return true;
        }
        let closing = if self.head.is_some() { ACTIONS_SUFFIX.len() } else { 0 };
        let more = if self.continues(head) { rest.len() } else { element_bytes(head, rest) };
        self.bytes.len() + closing + 1 + more + SUFFIX.len() <= body_bytes_max
    }

    /// Appends a row; where its head and the rest of it stand.
    fn append(&mut self, head: &[u8], rest: &[u8], single: bool) -> (u32, u32) {
        if let Some(open) = self.head.clone()
            && self.continues(head)
        {
            self.bytes.push(b',');
            self.bytes.extend_from_slice(rest);
            return (open.start as u32, (self.bytes.len() - rest.len()) as u32);
        }
        if self.head.take().is_some() {
            self.bytes.extend_from_slice(ACTIONS_SUFFIX);
        }
        if !single {
            self.bytes.extend_from_slice(if self.parts.is_empty() { PREFIX } else { b"," });
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(head);
        let rest_start = self.bytes.len();
        self.bytes.extend_from_slice(rest);
        self.head = (!head.is_empty()).then_some(start..rest_start);
        (start as u32, rest_start as u32)
    }
}

/// Bytes of an element that holds one row alone.
fn element_bytes(head: &[u8], rest: &[u8]) -> usize {
    let closing = if head.is_empty() { 0 } else { ACTIONS_SUFFIX.len() };
    head.len() + rest.len() + closing
}

/// A running count, and the next multiple of the cut count.
#[derive(Debug)]
struct Count {
    total: u64,
    cut: Option<u64>,
    next: u64,
}

impl Count {
    fn new(cut: Option<u64>) -> Self {
        Self { total: 0, cut, next: cut.unwrap_or(u64::MAX) }
    }

    /// Whether the count has reached or passed a multiple of the cut count with this.
    fn add(&mut self, more: u32) -> bool {
        self.total += u64::from(more);
        let Some(cut) = self.cut.filter(|_| self.total >= self.next) else { return false };
        self.next = (self.total / cut + 1) * cut;
        true
    }
}

/// Bytes of a bulk body that holds one element of this length.
pub fn body_bytes_of_one(len: usize) -> usize {
    OVERHEAD_BYTES + len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use std::sync::Arc;

    use crate::model::{ArrowRows, Element, Rows, Tally};

    /// A block whose elements are JSON strings of the given lengths (2 or more).
    fn block(lens: &[u32], users: u32, events: u32) -> Shaped {
        let batch =
            arrow::array::RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        let rows =
            Rows::Arrow(ArrowRows { file: 0, row_group: 0, is_batch: false, first_row: 1, batch });
        let mut json = Vec::new();
        let elements = lens
            .iter()
            .enumerate()
            .map(|(row, &len)| {
                json.push(b'"');
                json.resize(json.len() + len as usize - 2, b'x');
                json.extend_from_slice(b"\",");
                Element { head: 0, len, row: row as u32, users, events, key: None }
            })
            .collect();
        Shaped {
            json,
            elements,
            prints: vec![],
            rejected_ids: vec![],
            rejects: vec![],
            names: vec![],
            frequent: vec![],
            tally: Tally::default(),
            rows: Arc::new(rows),
        }
    }

    fn pack(blocks: &[Shaped], limits: Limits) -> Vec<Body> {
        let mut bodies = Vec::new();
        let mut packer = Packer::new(limits);
        let mut emit = |body| -> Result<(), std::convert::Infallible> {
            bodies.push(body);
            Ok(())
        };
        for block in blocks {
            let Ok(()) = packer.push(block, &mut emit);
        }
        let Ok(()) = packer.finish(&mut emit);
        bodies
    }

    #[test]
    fn the_limit_is_met_to_the_byte() {
        let room = 100 - OVERHEAD_BYTES as u32;
        let limits =
            Limits { body_bytes_max: 100, cut_users: None, cut_events: None, single: false };
        let exact = pack(&[block(&[room - 11, 10], 1, 0)], limits);
        assert_eq!(exact.iter().map(|b| b.bytes.len()).collect::<Vec<_>>(), [100]);
        let over = pack(&[block(&[room - 10, 10], 1, 0)], limits);
        assert_eq!(over.len(), 2);
        assert_eq!(pack(&[block(&[], 1, 0)], limits).len(), 0);
    }

    #[test]
    fn cuts_fall_on_multiples_of_the_running_count() {
        let limits =
            Limits { body_bytes_max: 47, cut_users: Some(5), cut_events: None, single: false };
        // Three elements of 2 bytes fit: 33 + 2 + 1 + 2 + 1 + 2 + 2 bytes.
        assert_eq!(OVERHEAD_BYTES, 35);
        let bodies = pack(&[block(&[2; 7], 1, 0), block(&[2; 5], 1, 0)], limits);
        assert_eq!(bodies.iter().map(|b| b.parts.len()).collect::<Vec<_>>(), [4, 1, 4, 1, 2]);
        let events =
            Limits { body_bytes_max: 1000, cut_users: Some(5), cut_events: Some(6), single: false };
        let bodies = pack(&[block(&[2; 13], 0, 1)], events);
        assert_eq!(bodies.iter().map(|b| b.events).collect::<Vec<_>>(), [6, 6, 1]);
    }

    #[test]
    fn single_records_have_no_envelope() {
        let limits =
            Limits { body_bytes_max: 100, cut_users: None, cut_events: None, single: true };
        let bodies = pack(&[block(&[4, 5], 1, 0)], limits);
        let texts: Vec<_> = bodies.iter().map(|body| body.bytes.as_ref()).collect();
        assert_eq!(texts, [b"\"xx\"".as_slice(), b"\"xxx\""]);
        let bodies = pack(&[actions(&[(1, 3), (1, 3)])], limits);
        let texts: Vec<_> = bodies.iter().map(|body| body.bytes.as_ref()).collect();
        assert_eq!(texts, [br#"{"u":1,"actions":["x"]}"#.as_slice(); 2]);
    }

    /// A block of events: for each the user, and the length of its action.
    fn actions(events: &[(u8, u32)]) -> Shaped {
        let mut shaped = block(&[], 0, 1);
        for (row, &(user, len)) in events.iter().enumerate() {
            let head = format!(r#"{{"u":{user},"actions":["#);
            shaped.json.extend_from_slice(head.as_bytes());
            shaped.json.push(b'"');
            shaped.json.resize(shaped.json.len() + len as usize - 2, b'x');
            shaped.json.extend_from_slice(b"\",");
            let head = head.len() as u32;
            let row = row as u32;
            shaped.elements.push(Element { head, len, row, users: 0, events: 1, key: None });
        }
        shaped
    }

    /// User and action of every event in a body; checks that no two neighbours share a user.
    fn events_of(bytes: &[u8]) -> Vec<(u8, u32)> {
        let json: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        let elements = json["elements"].as_array().expect("elements");
        assert!(elements.windows(2).all(|pair| pair[0]["u"] != pair[1]["u"]));
        let of = |element: &serde_json::Value| {
            let user = element["u"].as_u64().expect("a user") as u8;
            let actions = element["actions"].as_array().expect("actions").clone();
            assert!(!actions.is_empty());
            actions
                .into_iter()
                .map(move |action| (user, action.as_str().expect("text").len() as u32 + 2))
                .collect::<Vec<_>>()
        };
        elements.iter().flat_map(of).collect()
    }

    proptest! {
        #[test]
        fn actions_of_one_user_share_an_element_and_bodies_are_still_full(
            events in prop::collection::vec(prop::collection::vec((0u8..3, 2u32..30), 0..30), 0..5),
            body_bytes_max in 95usize..250,
            cut in prop::option::of(1u64..9),
            split in 0u32..1000,
        ) {
            let blocks: Vec<_> = events.iter().map(|events| actions(events)).collect();
            let limits =
                Limits { body_bytes_max, cut_users: None, cut_events: cut, single: false };
            let all: Vec<(u8, u32)> = events.concat();
            let mut seen = Vec::new();
            for body in pack(&blocks, limits) {
                prop_assert!(body.bytes.len() <= body_bytes_max);
                let found = events_of(&body.bytes);
                prop_assert_eq!(found.len(), body.parts.len());
                // Any stretch of it is a sound body of its own.
                let middle = split % (body.parts.len() as u32 + 1);
                for range in [0..middle, middle..body.parts.len() as u32] {
                    if !range.is_empty() {
                        let part = crate::wire::envelope::part_of(&body, &range);
                        let expected = &found[range.start as usize..range.end as usize];
                        prop_assert_eq!(events_of(&part), expected);
                    }
                }
                seen.extend_from_slice(&found);
                let at_cut = cut.is_some_and(|cut| (seen.len() as u64).is_multiple_of(cut));
                if let Some(&(user, len)) = all.get(seen.len()).filter(|_| !at_cut) {
                    let head = format!(r#"{{"u":{user},"actions":["#).len() + 2;
                    let same = found.last().is_some_and(|&(last, _)| last == user);
                    let more = len as usize + 1 + if same { 0 } else { head };
                    prop_assert!(body.bytes.len() + more > body_bytes_max);
                }
            }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn bodies_are_full_valid_and_hold_every_element_in_order(
            lens in prop::collection::vec(prop::collection::vec(2u32..60, 0..40), 0..6),
            body_bytes_max in 95usize..200,
            cut in prop::option::of(1u64..9),
        ) {
            let blocks: Vec<_> = lens.iter().map(|lens| block(lens, 1, 0)).collect();
            let limits = Limits { body_bytes_max, cut_users: cut, cut_events: None, single: false };
            let bodies = pack(&blocks, limits);
            let all: Vec<u32> = lens.concat();
            let mut seen = Vec::new();
            for (at, body) in bodies.iter().enumerate() {
                prop_assert_eq!(body.seq, at as u64);
                prop_assert!(body.bytes.len() <= body_bytes_max);
                let json: serde_json::Value = serde_json::from_slice(&body.bytes).expect("JSON");
                let elements = json["elements"].as_array().expect("array");
                prop_assert_eq!(elements.len(), body.parts.len());
                for (element, part) in elements.iter().zip(&body.parts) {
                    let bytes = &body.bytes[part.start as usize..(part.start + part.len) as usize];
                    prop_assert_eq!(element, &serde_json::from_slice::<serde_json::Value>(bytes).expect("JSON"));
                    seen.push(part.len);
                }
                let at_cut = cut.is_some_and(|cut| (seen.len() as u64).is_multiple_of(cut));
                if let Some(next) = all.get(seen.len()).filter(|_| !at_cut) {
                    prop_assert!(body.bytes.len() + 1 + *next as usize > body_bytes_max);
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
