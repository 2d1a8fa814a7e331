//! Settings from more than the command line: `file` is what `moebulk.toml` may say, `layers` what
//! goes before what, `show` tells it.

pub mod file;
pub mod layers;
pub mod show;
