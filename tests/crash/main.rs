//! What survives a crash, an interruption and a second run: the real binary against a `moebulk
//! sandbox` of its own, judged by what that server received and by what the checkpoint says.
//!
//! - `budget`: a minute is never over its budget, crashes or not (the slow ones, side by side)
//! - `doubt`: what was sent and not answered
//! - `kills`: kill -9 at random moments, over every phase
//! - `resume`: signals, finished runs, and what an unfinished run refuses
//! - `together`: two imports at a time
//! - `secrecy`: file modes, and where the key must not be
#![cfg(unix)]

mod budget;
mod checkpoint;
mod doubt;
mod kills;
mod resume;
mod secrecy;
mod support;
mod survival;
mod together;
