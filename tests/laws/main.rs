//! The laws of the house, over the real binary: conservation, equality with a slow reference,
//! determinism, exact packing, and what each flag changes.

mod again;
mod census;
mod conserve;
mod csv;
mod data;
mod dialects;
mod pack;
mod reference;
#[path = "../common/support.rs"]
mod support;
mod threads;
mod types;
mod window;
