//! Tests that need something of the machine: a tool, a library, root, files that others made. Without it
//! they say that they skip and pass; with `MOEBULK_TESTS_STRICT=1` that is a failure.

use std::{
    env,
    io::{self, Write},
};

const STRICT: &str = "MOEBULK_TESTS_STRICT";

/// Tells that a test does nothing here, and why; past what hides the output of tests that pass.
pub fn skip(test: &str, why: &str) {
    let is_strict = env::var(STRICT).is_ok_and(|value| !value.is_empty() && value != "0");
    assert!(!is_strict, "{test}: {why}, and {STRICT} is set");
    let _ = writeln!(io::stderr(), "skipped: {test}: {why}");
}
