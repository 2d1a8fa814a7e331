//! Input that bites: whatever a file says, the process neither panics nor hangs, and stays
//! below 512 MB.

mod bombs;
mod csv;
mod footers;
mod forge;
mod watched;
