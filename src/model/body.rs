//! One request body, and which rows its elements came from.

use std::ops::Range;

use bytes::Bytes;

use super::Position;

/// One bulk request body, ready to send.
#[derive(Clone, Debug)]
pub struct Body {
    /// Ordinal in the import, from 0. The same input and options give the same
    /// bytes for the same ordinal, whatever the number of threads.
    pub seq: u64,
    /// The encoded JSON document, envelope included.
    pub bytes: Bytes,
    /// What the rows contribute, in order, each with the row that it came from.
    pub parts: Vec<Part>,
    /// User (and device) elements in it, as the rate limit counts them.
    pub users: u64,
    /// Actions in it, as the rate limit counts them.
    pub events: u64,
}

/// What one row contributes to a [`Body`]: an element, or an action of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Offset in [`Body::bytes`] of the head of the element that the action belongs to;
    /// parts of one element share it.
    pub head_start: u32,
    /// The head's length in bytes; 0 = this part is a whole element.
    pub head_len: u32,
    /// Offset of the part's own JSON.
    pub start: u32,
    /// Its length in bytes.
    pub len: u32,
    /// Users it counts as.
    pub users: u32,
    /// Events it counts as.
    pub events: u32,
    /// Hash of the user (or device) that must be updated in file order; `None`
    /// for events, which carry their own time.
    pub key: Option<u64>,
    /// The row it came from.
    pub position: Position,
}

impl Body {
    /// All of its parts.
    pub fn whole(&self) -> Range<u32> {
        0..self.parts.len() as u32
    }

    /// Users and events in a range of its parts.
    pub fn weight(&self, range: &Range<u32>) -> (u64, u64) {
        if *range == self.whole() {
            return (self.users, self.events);
        }
        self.slice(range).iter().fold((0, 0), |(users, events), part| {
            (users + u64::from(part.users), events + u64::from(part.events))
        })
    }

    /// The parts of a range.
    pub fn slice(&self, range: &Range<u32>) -> &[Part] {
        &self.parts[range.start as usize..range.end as usize]
    }
}
