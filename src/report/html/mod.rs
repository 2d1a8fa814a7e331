//! `report.html`: the summary as one page that asks nothing of the network.
//!
//! - `page`: the summary's words and figures, as the template takes them
//! - `charts`, `flow`: what is drawn; `svg`: how a drawing gets the page's colours
//!
//! The template, the style and the script stand in `templates/`. Askama escapes every value; the
//! drawings alone come as they are, and escape their own texts. The page's Content-Security-Policy
//! takes this very style and script, by their hashes, and nothing else.

mod charts;
mod flow;
mod page;
mod svg;

use std::{
    io,
    path::{Path, PathBuf},
};

use askama::Template as _;
use base64::Engine as _;
use ring::digest;

use super::{Error, json::write_text};
use crate::model::Summary;
use page::Page;

/// The page's name in a run directory.
pub const PAGE_FILE: &str = "report.html";

const STYLE: &str = include_str!("../../../templates/report.css");
const SCRIPT: &str = include_str!("../../../templates/report.js");

/// The summary as a page.
///
/// # Errors
/// Where it can't be drawn or written as text, which memory alone could cause.
pub fn to_html(summary: &Summary) -> io::Result<String> {
    Page::new(summary)?.render().map_err(io::Error::other)
}

/// Writes `report.html` to a run directory, in the place of an earlier one.
///
/// # Errors
/// [`Error::Io`].
pub fn write_html(dir: &Path, summary: &Summary) -> Result<PathBuf, Error> {
    let text = to_html(summary).map_err(Error::io(&dir.join(PAGE_FILE)))?;
    write_text(dir, PAGE_FILE, &text)
}

/// The source expression by which a policy takes an inline element of this content.
fn source_hash(content: &str) -> String {
    let hash = digest::digest(&digest::SHA256, content.as_bytes());
    format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(hash))
}

#[cfg(test)]
mod tests;
