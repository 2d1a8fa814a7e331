//! What the program does about every reply, and about everything that is wrong before a request
//! could leave: the real binary against scripted servers.

mod api_table;
mod check;
mod errors;
mod isolation;
mod logs;
mod output;
mod pilots;
mod replies;
mod requests;
mod scene;
mod server;
mod setup_errors;
mod status;
