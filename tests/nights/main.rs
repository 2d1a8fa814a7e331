//! Nightly exports under `--only-changed`: the real binary against a `moebulk sandbox`, judged by
//! what users are there and how many updates came.
//!
//! - `three`: a full load, a night with changes that is killed and resumed, the mended rejects
//! - `s3`: the same from a server of S3, as partitioned Parquet
//! - `model`: many small nights, held against a plain map of what the server accepted
//! - `kills`: kill -9 at any moment; what comes after makes every user what the export says
//! - `interleaved`: imports that get in each other's way; whatever looks unchanged is what the server holds
//! - `answers`: answers that leave open what the server did, and refusals after them
//! - `figures`: what plans, reports and `state stats` say where it is easily wrong
//! - `ways`: devices, single records, inferred types, refused rows, pilots, stops
//! - `runs`: the runs that nights leave, and their removal
//! - `sandbox`: emulators that are gone with their import
//! - `refusals`: states that are of something else, damaged, or in use
#![cfg(unix)]

mod answers;
mod export;
mod figures;
mod interleaved;
mod kills;
#[path = "../common/missing.rs"]
mod missing;
mod model;
#[path = "../common/moto.rs"]
mod moto_server;
mod refusals;
mod runs;
mod s3;
#[path = "../inputs/server.rs"]
#[expect(dead_code, reason = "made for another test, of which this one needs a part")]
mod s3_server;
mod sandbox;
#[path = "../crash/support.rs"]
#[expect(dead_code, reason = "made for another test, of which this one needs a part")]
mod support;
mod three;
mod ways;
