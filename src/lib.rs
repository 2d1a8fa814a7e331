//! moebulk
pub mod model;
pub mod pack;
pub mod shape;
pub mod source;
pub mod wire;
