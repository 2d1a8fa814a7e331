//! The emulator over real sockets, against the API's written reference.

mod client;
mod elements;
mod endpoints;
mod faults;
mod limits;
mod requests;
mod silent;
mod silent_names;
mod users;

use std::io::Read;
use std::net::TcpStream;

use moebulk::sandbox::{Error, FaultRates, Options, Sandbox, ScriptedAnswer};

use client::{connect, start};

#[test]
fn only_loopback_is_served() {
    let listen = "0.0.0.0:0".parse().expect("an address");
    let refused = Sandbox::start(Options { listen, ..Options::default() });
    assert!(matches!(refused, Err(Error::NotLoopback(address)) if address == listen));
}

#[test]
fn a_taken_port_is_an_error_and_a_stopped_one_is_free() {
    let sandbox = start(Options::default());
    let address = sandbox.url().replace("http://", "");
    let same = || Options { listen: address.parse().expect("an address"), ..Options::default() };
    assert!(matches!(Sandbox::start(same()), Err(Error::Bind { .. })));
    let mut idle = connect(&sandbox).expect("a connection");
    sandbox.stop();
    // The open connection is closed too, and nobody answers any more.
    assert!(matches!(idle.read(&mut [0]), Ok(0) | Err(_)));
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn debug_output_holds_no_key() {
    let options = Options { api_key: "s3cret".to_owned(), ..Options::default() };
    assert!(!format!("{options:?}").contains("s3cret"));
    assert!(!format!("{:?}", start(options)).contains("s3cret"));
}

#[test]
fn unusable_options_name_the_next_step() {
    let error = "429:1".parse::<ScriptedAnswer>().expect_err("no state row").to_string();
    assert!(error.contains("403=Account Temporarily Suspended"), "{error}");
    let error = "500:0.7,reset:0.7".parse::<FaultRates>().expect_err("over 1").to_string();
    assert!(error.contains("lower them"), "{error}");
    let error = Sandbox::start(Options { app_id: String::new(), ..Options::default() });
    assert!(matches!(error, Err(Error::AppId)));
}
