//! The fault matrix: the real binary under every fault that can be made on one machine, against a
//! server by other hands, judged by one oracle (`oracle`). docs/reliability.md has the table.
//!
//! - `kills`, `calls`, `signals`, `panics`: the process ends, at random or at a chosen step
//! - `disk`, `torn`, `limits`: what the system refuses, or keeps badly
//! - `wire`, `replies`, `tls`: what a server and the way to it can do
//! - `inputs`, `doubts`, `together`, `clock`: what changes around a run
//!
//! A test that needs root, strace, a mount or a library says so and skips without (`missing`). A line of the
//! table is printed for each fault: `cargo test --test faults -- --nocapture`, and the long ones
//! with `--ignored`.
#![cfg(target_os = "linux")]

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
#[path = "../common/missing.rs"]
mod missing;
mod oracle;
mod panics;
mod replies;
mod rules;
mod server;
mod signals;
mod tls;
mod together;
mod tools;
mod torn;
mod wire;
