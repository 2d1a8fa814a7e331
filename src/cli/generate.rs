//! `moebulk completions` and `moebulk man`: made from the definition of the command line.

use std::{fs, path::Path};

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{exit::Exit, print, switches};
use crate::run::Error;

/// Writes a shell's completions.
///
/// # Errors
/// stdout cannot be written to.
pub fn completions(shell: Shell) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut switches::command(), "moebulk", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Writes a manual page for every command into a directory, or that of moebulk to stdout.
///
/// # Errors
/// One cannot be written.
pub fn manual(dir: Option<&Path>) -> Result<Exit, Error> {
    let mut command = switches::command();
    command.build();
    let Some(dir) = dir else { return print(&String::from_utf8_lossy(&page(command)?)) };
    let output = |error| Error::Output { path: dir.display().to_string(), error };
    fs::create_dir_all(dir).map_err(output)?;
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        let inner = command.get_subcommands().filter(|command| command.get_name() != "help");
        left.extend(inner.cloned());
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        fs::write(dir.join(format!("{name}.1")), page(command)?).map_err(output)?;
    }
    Ok(Exit::SUCCESS)
}

fn page(command: Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    let made = Man::new(command).render(&mut page);
    made.map_err(|error| Error::Output { path: "stdout".to_owned(), error })?;
    Ok(page)
}
