//! The `moebulk` command: parses arguments, runs, and maps the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    moebulk::cli::main()
}

/// glibc keeps freed memory by the thread, up to 64 MB each, so that the bound on what is
/// held would be none on what the process takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
