//! What the program does about every reply, and about everything that is wrong before a request
//! could leave: the real binary against scripted servers.

mod api_table;
mod errors;
mod isolation;
mod output;
mod replies;
mod requests;
mod scene;
mod server;
mod setup_errors;
mod status;
