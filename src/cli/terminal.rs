//! What the terminal behind stdout or stderr can show.

use std::{env, io::IsTerminal};

use crate::report::Look;

/// The fewest columns that anybody is taken at their word for.
const COLUMNS_MIN: usize = 20;

#[cfg(unix)]
use std::os::fd::AsFd as AsHandle;
#[cfg(windows)]
use std::os::windows::io::AsHandle;

/// How text is to be written to a stream: fitted to its terminal, with colours unless the
/// environment says `NO_COLOR`. Where it is a file or a pipe, `COLUMNS` can say how wide.
pub fn look(stream: &(impl IsTerminal + AsHandle)) -> Look {
    let usual = Look::default();
    let said = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let said = said.filter(|&columns| columns >= COLUMNS_MIN).unwrap_or(usual.width);
    if !stream.is_terminal() {
        return Look { width: said, ..usual };
    }
    let size = terminal_size::terminal_size_of(stream);
    let (width, height) = size.map_or((said, usize::MAX), |(width, height)| {
        (usize::from(width.0), usize::from(height.0))
    });
    Look { width, height: Some(height), color: has_colors() }
}

/// Whether the terminal's colours are known, and wanted (<https://no-color.org>).
fn has_colors() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = env::var("TERM").map_or(cfg!(unix), |term| term == "dumb");
    let is_dumb = is_dumb && !(cfg!(windows) && is_set("WT_SESSION"));
    !is_set("NO_COLOR") && !is_dumb
}
