//! Input that bites: whatever a file says, the process neither panics nor hangs, and stays
//! below 512 MB.

mod arrow;
mod bombs;
mod csv;
mod damaged;
mod footers;
mod forge;
mod mutants;
mod ndjson;
#[path = "../common/support.rs"]
#[expect(dead_code, reason = "shared with other tests, and a part of it used here")]
mod support;
mod watched;
