//! The fault matrix: the real binary under every fault that can be made on one machine, against a
//! server by other hands, judged by one oracle (`oracle`). docs/reliability.md has the table.
//!
//! - `kills`: SIGKILL at random moments
//! - `calls`: SIGKILL and errors at the Nth write, sync and rename
#![cfg(unix)]

mod calls;
mod checkpoint;
mod clock;
mod disk;
mod doubts;
mod inputs;
mod job;
mod kills;
mod lab;
mod limits;
mod oracle;
mod panics;
mod replies;
mod server;
mod signals;
mod tls;
mod together;
mod tools;
mod torn;
mod wire;
