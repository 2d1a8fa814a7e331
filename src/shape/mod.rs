//! From source rows to elements: the mapping, type inference, checks, and the JSON
//! of each row, written once.
//!
//! - [`mapping`]: MoEngage's own mapping file.
//! - [`plan`], `bind`, `naming`: what becomes of each column, how one file's columns fit
//!   it, and which rules their names break.
//! - [`infer`]: column types from all values, where no mapping gives them.
//! - [`mix`]: what columns hold in a sample of the rows, for the report.
//! - [`profile`]: what the columns hold, counted over all values.
//! - [`propose`]: a mapping by names and values, for `init`.
//! - [`encode`]: a block of rows to JSON, problems with positions.
//! - [`number`], [`datetime`], [`nested`], [`cell`], [`arrow_cells`], `json_cells`, `digits`: values,
//!   exactly.
//!
//! Pure: no I/O, no threads. It must not know how rows are found or sent.

pub mod arrow_cells;
mod arrow_nested;
mod arrow_text;
mod bind;
pub mod cell;
mod cells;
pub mod datetime;
mod digits;
pub mod encode;
pub mod event_names;
pub mod fair_use;
pub mod infer;
pub mod json;
mod json_cells;
mod json_text;
mod lanes;
pub mod mapping;
pub mod mix;
mod naming;
pub mod nested;
pub mod number;
pub mod plan;
pub mod profile;
pub mod propose;
mod suggest;
