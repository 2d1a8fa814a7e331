//! What the server is known to hold of each user or device: for every id a keyed hash of the row as
//! it was accepted last, so that an import can send only what is new or differs.
//!
//! A state is a directory. `manifest` says what it is of and which file of ids counts; that file
//! holds 32 bytes an id, sorted, and is replaced by a new one whenever the state moves on.
//! `pending` is there while an import sends: the rows that it sends, of which nobody can know what
//! became until its checkpoint has been asked. So a crash leaves either what was, or what was and
//! the list of ids that can't be relied on.
//!
//! The parts: `manifest` (what the state is of), `ids` (the sorted file), `pending` (rows on their
//! way), `spill` (rows by their ids, sorted through a temporary file), `compare` (which rows are to
//! be sent), `fold` (moving on), `frozen` (what an import decided, kept with its checkpoint),
//! `dir` (all of it as a directory). The room must not know how rows are read or sent; it holds no
//! values of rows and no ids.

mod compare;
mod dir;
mod error;
mod fold;
mod frozen;
mod ids;
mod manifest;
mod pending;
mod spill;

pub use compare::{Compared, Counts, compare};
pub use dir::{Moved, State, Verified, random_name};
pub use error::Error;
pub use fold::Fate;
pub use frozen::{FROZEN_FILE, FROZEN_STAGED_FILE, Frozen};
pub use ids::Ids;
pub use manifest::{Manifest, Purpose};
pub use pending::{Pending, PendingWriter};
pub use spill::{Entry, Spill, Spilled};
