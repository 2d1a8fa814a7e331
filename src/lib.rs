//! moebulk loads users and events from large CSV, NDJSON, Parquet and Arrow files into MoEngage
//! through its Data API.
//!
//! The rooms, in the order in which data passes through them: [`source`] finds and
//! opens files, [`decode`] makes rows of them, [`shape`] checks each row and writes its
//! JSON once, [`pack`] fills request bodies to the byte, [`send`] delivers them inside
//! the account's limits, [`journal`] keeps what is done across crashes, [`report`] tells
//! people. [`state`] remembers over many imports what the server holds of each row. [`model`] is the
//! data between them, [`wire`] the API's contract. They meet in [`run`] alone; [`private`] makes files
//! that nobody else may read, [`sealed`] lines that tell whether they are whole, [`cli`] is the command
//! line, [`progress`] what it shows meanwhile, and [`sandbox`] an emulator of the API to try it all
//! against. `ARCHITECTURE.md` tells why.

pub mod cli;
pub mod decode;
pub mod journal;
pub mod model;
pub mod pack;
pub mod private;
pub mod progress;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod sealed;
pub mod send;
pub mod shape;
pub mod source;
pub mod state;
pub mod wire;
