//! The Data API's contract as data: limits, envelopes, replies, disallowed ids and
//! reserved names. Knows nothing of files, rows or sockets.
//!
//! Each constant says whose rule it serves. "S rule" marks the founding rules of
//! the API description, which win; "U" marks what the public documentation adds.

pub mod api;
pub mod envelope;
pub mod ids;
pub mod limits;
pub mod names;
pub mod replies;
