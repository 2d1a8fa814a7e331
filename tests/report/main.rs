//! `report.html` through the real binary: what it tells, and whether it works in a browser.

#[cfg(unix)]
mod browser;
#[path = "../common/missing.rs"]
mod missing;
mod page;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/support.rs"]
mod support;
#[cfg(unix)]
mod webdriver;
