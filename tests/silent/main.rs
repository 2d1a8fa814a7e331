//! Every rule of the server that it applies without a word (Data API, U), through the real binary
//! and the emulator: what `validate` warns of, the server changes; what passes `--strict`, it keeps
//! whole.
//!
//! One test for each row of the reference's table.

mod levels;
mod names;
mod scene;
mod values;
mod workspace;

use scene::Case;

/// Texts, owned.
fn texts<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}
