//! The sender against a model of the server, in simulated time.

mod endings;
mod model;
mod pacing;
