//! The `moebulk` command: parses arguments, runs, and maps the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    moebulk::cli::main()
}
