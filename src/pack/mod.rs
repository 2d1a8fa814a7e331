//! Exact-size request bodies from elements: lengths are added, bytes concatenated.
//!
//! Pure, no I/O. The sequence of bodies is a function of the elements and the
//! [`Limits`] alone; [`PACKING_VERSION`] names that function.

use bytes::Bytes;

use crate::model::{Body, Part, Shaped};
use crate::wire::envelope::{OVERHEAD_BYTES, PREFIX, SUFFIX};

/// Changes whenever the same rows and options would give other bodies. A checkpoint
/// of another packing version cannot be resumed, since its ordinals mean other bodies.
pub const PACKING_VERSION: u32 = 1;

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
}

/// Builds bodies from blocks of elements that come in file order.
#[derive(Debug)]
pub struct Packer {
    limits: Limits,
    seq: u64,
    users_total: u64,
    events_total: u64,
    open: Open,
}

/// The body that is being filled.
#[derive(Debug, Default)]
struct Open {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    users: u64,
    events: u64,
}

impl Packer {
    /// A packer at the start of an import.
    pub fn new(limits: Limits) -> Self {
        Self { limits, seq: 0, users_total: 0, events_total: 0, open: Open::default() }
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
        for element in &block.elements {
            let end = start + element.len as usize;
            if !self.open.fits(element.len as usize, self.limits.body_bytes_max) {
                emit(self.close())?;
            }
            self.open.append(&block.json[start..end]);
            let users_before = self.users_total;
            let events_before = self.events_total;
            self.users_total += u64::from(element.users);
            self.events_total += u64::from(element.events);
            self.open.users += u64::from(element.users);
            self.open.events += u64::from(element.events);
            self.open.parts.push(Part {
                start: (self.open.bytes.len() - element.len as usize) as u32,
                len: element.len,
                users: element.users,
                events: element.events,
                key: element.key,
                position: block.rows.position(element.row as usize),
            });
            if crosses(users_before, self.users_total, self.limits.cut_users)
                || crosses(events_before, self.events_total, self.limits.cut_events)
            {
                emit(self.close())?;
            }
            start = end;
        }
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
        let capacity = self.open.bytes.capacity();
        let open = std::mem::take(&mut self.open);
        self.open.bytes.reserve(capacity);
        let mut bytes = open.bytes;
        bytes.extend_from_slice(SUFFIX);
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

impl Open {
    /// Whether one more element leaves the body within the limit. An empty body takes
    /// any element: one that is too large alone never gets here.
    fn fits(&self, len: usize, body_bytes_max: usize) -> bool {
        self.parts.is_empty() || self.bytes.len() + 1 + len + SUFFIX.len() <= body_bytes_max
    }

    fn append(&mut self, element: &[u8]) {
        self.bytes.extend_from_slice(if self.parts.is_empty() { PREFIX } else { b"," });
        self.bytes.extend_from_slice(element);
    }
}

/// Whether a running count has reached or passed a multiple of the cut count.
fn crosses(before: u64, after: u64, cut: Option<u64>) -> bool {
    cut.is_some_and(|cut| before / cut != after / cut)
}

/// Bytes of a body that holds one element of this length.
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
        let rows = Rows::Arrow(ArrowRows { file: 0, row_group: 0, first_row: 1, batch });
        let mut json = Vec::new();
        let elements = lens
            .iter()
            .enumerate()
            .map(|(row, &len)| {
                json.push(b'"');
                json.resize(json.len() + len as usize - 2, b'x');
                json.push(b'"');
                Element { len, row: row as u32, users, events, key: None }
            })
            .collect();
        Shaped { json, elements, rejects: vec![], tally: Tally::default(), rows: Arc::new(rows) }
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
        let limits = Limits { body_bytes_max: 100, cut_users: None, cut_events: None };
        let exact = pack(&[block(&[room - 11, 10], 1, 0)], limits);
        assert_eq!(exact.iter().map(|b| b.bytes.len()).collect::<Vec<_>>(), [100]);
        let over = pack(&[block(&[room - 10, 10], 1, 0)], limits);
        assert_eq!(over.len(), 2);
        assert_eq!(pack(&[block(&[], 1, 0)], limits).len(), 0);
    }

    #[test]
    fn cuts_fall_on_multiples_of_the_running_count() {
        let limits = Limits { body_bytes_max: 47, cut_users: Some(5), cut_events: None };
        // Three elements of 2 bytes fit: 33 + 2 + 1 + 2 + 1 + 2 + 2 bytes.
        assert_eq!(OVERHEAD_BYTES, 35);
        let bodies = pack(&[block(&[2; 7], 1, 0), block(&[2; 5], 1, 0)], limits);
        assert_eq!(bodies.iter().map(|b| b.parts.len()).collect::<Vec<_>>(), [4, 1, 4, 1, 2]);
        let events = Limits { body_bytes_max: 1000, cut_users: Some(5), cut_events: Some(6) };
        let bodies = pack(&[block(&[2; 13], 0, 1)], events);
        assert_eq!(bodies.iter().map(|b| b.events).collect::<Vec<_>>(), [6, 6, 1]);
    }

    proptest! {
        #[test]
        fn bodies_are_full_valid_and_hold_every_element_in_order(
            lens in prop::collection::vec(prop::collection::vec(2u32..60, 0..40), 0..6),
            body_bytes_max in 95usize..200,
            cut in prop::option::of(1u64..9),
        ) {
            let blocks: Vec<_> = lens.iter().map(|lens| block(lens, 1, 0)).collect();
            let limits = Limits { body_bytes_max, cut_users: cut, cut_events: None };
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
