//! The checkpoint: what a run meant to send, what became of it, and what is still
//! to be sent after a crash.
//!
//! One file, `checkpoint`, in the run directory. It is a log: one record a line,
//! appended and synced before the call that wrote it returns. A line is
//!
//! ```text
//! <16 lower-case hex digits: xxh3-64 of the JSON> <compact JSON>\n
//! ```
//!
//! | JSON | meaning |
//! |---|---|
//! | `{"moebulk_checkpoint":1,"created":S,"binding":{…}}` | always the first line: the version, UNIX seconds, what the run is bound to ([`Binding`]) |
//! | `{"plan":{…}}` | what the check counted ([`Plan`]) |
//! | `{"turn":{"settle":[S,…],"requests":{…},"intend":[I,…]}}` | one turn of the sender ([`Turn`](crate::model::Turn)): what became of stretches, the request counts so far, and then which stretches may leave from now on; what is empty is left out |
//! | `{"mark":{…}}` | a compaction: the whole [`Progress`] up to here, in place of the records before it |
//! | `{"finished":{"exit_code":C}}` | the run came to its end |
//!
//! I is `{"body":B,"range":[from,to],"of":N,"first":P,"last":P}`: elements `from..to` of body B's
//! N elements; S is `{"body":B,"range":[from,to],"of":N,"result":R}`.
//! P, a position, is `{"file":0,"row":1,"line":2}` or `{"file":0,"row":1,"group":0}`;
//! R is `{"delivered":{"request_id":"…"}}`, `{"failed":{"position":P,"status":400,"kind":"…","message":"…","request_id":"…"}}`
//! or `"not_taken"`. The checksum and the first line's `moebulk_checkpoint` stay as they
//! are in every later version, so that an older program can tell a newer file from a
//! damaged one.
//!
//! One call makes one line, and the next line is begun only when that one is on the
//! disk. So a crash can tear the last line alone: it is dropped, whereas a bad line
//! before others is damage, and the file is refused.
//!
//! The parts: `binding` (which run a checkpoint belongs to), `record` (a line),
//! `progress`, `ranges` and `snapshot` (the state that records add up to), `store` (the file),
//! `lock` (one run per directory). The room must not know how bodies are made or
//! sent; it holds no values of rows and no secrets.

mod binding;
mod error;
mod lock;
mod progress;
mod ranges;
mod record;
mod snapshot;
mod store;

pub use binding::{Binding, Difference, InputBinding};
pub use error::Error;
pub use lock::RunLock;
pub use progress::{FailedRow, Progress};
pub use record::Plan;
pub use snapshot::Snapshot;
pub use store::{CHECKPOINT_FILE, Journal};
