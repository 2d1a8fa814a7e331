//! Promises that no other suite shows, through the real binary: what stands where, in which
//! form, and what a run asks before it sends to a real server.

mod before_sending;
mod files;
mod forms;
#[cfg(unix)]
mod guards;
#[path = "../common/missing.rs"]
mod missing;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;
