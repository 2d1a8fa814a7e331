//! What a scene asks of its server.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rustls::ServerConfig;

pub const SUCCESS: &str = r#"{"status":"success","request_id":"taken"}"#;

/// What the server does with a request whose body it has whole.
#[derive(Clone, Debug)]
pub enum Act {
    /// Takes the rows in and says so.
    Take,
    /// Takes nothing, and says this.
    Refuse(Answer),
    /// Takes the rows in, and the sender never learns it.
    TakeAndLose(Loss),
    /// Takes nothing, and the sender does not learn that either.
    Lose(Loss),
    /// Does it after a while.
    Late(Duration, Box<Act>),
}

impl Act {
    /// Whether the rows are taken in, and whether the sender will not learn what was done.
    pub fn fate(&self) -> (bool, bool) {
        match self {
            Self::Take => (true, false),
            Self::Refuse(_) => (false, false),
            Self::TakeAndLose(_) => (true, true),
            Self::Lose(_) => (false, true),
            Self::Late(_, act) => act.fate(),
        }
    }
}

/// How an answer gets lost.
#[derive(Clone, Debug)]
pub enum Loss {
    /// The connection is reset.
    Reset,
    /// The connection is closed.
    Close,
    /// The answer is cut in its head.
    CutHead,
    /// The answer is cut in its body, the success said already.
    CutBody,
    /// Nothing ever comes.
    Silence,
    /// The head comes, and no more.
    SilenceInBody,
    /// Something whole comes that is no success.
    Says(Answer),
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// A failure as the API words it.
    pub fn fail(status: u16, kind: &str) -> Self {
        Self::fail_with(status, kind, "as scripted")
    }

    /// The same with words of its own.
    pub fn fail_with(status: u16, kind: &str, message: &str) -> Self {
        let error = serde_json::json!({"type": kind, "message": message});
        Self::new(status, serde_json::json!({"status": "fail", "error": error}).to_string())
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// What happens to a connection before the body of a request is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    /// Reset once the head was read.
    ResetAfterHead,
    /// Reset after so many bytes of the body.
    ResetInBody(usize),
    /// The body is read this slowly: so many bytes every 10 ms.
    ReadSlowly(usize),
}

type Rule<T> = Box<dyn Fn(usize, &[u64]) -> T + Send + Sync>;

/// What a scene asks of its server; each rule is given the number of the request from 0.
pub struct Rules {
    pub before: Box<dyn Fn(usize) -> Before + Send + Sync>,
    pub act: Rule<Act>,
    /// Connections to reset at once, by number from 0.
    pub reset_connections: BTreeSet<usize>,
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            before: Box::new(|_| Before::Nothing),
            act: Box::new(|_, _| Act::Take),
            reset_connections: BTreeSet::new(),
            tls: None,
        }
    }
}

impl Rules {
    /// Does this with each request.
    pub fn act(act: impl Fn(usize, &[u64]) -> Act + Send + Sync + 'static) -> Self {
        Self { act: Box::new(act), ..Self::default() }
    }

    /// Does this with the request of this number, and takes all others.
    pub fn once(number: usize, act: Act) -> Self {
        Self::act(move |nth, _| if nth == number { act.clone() } else { Act::Take })
    }

    /// Every answer comes this much later.
    pub fn slow(wait: Duration) -> Self {
        Self::act(move |_, _| Act::Late(wait, Box::new(Act::Take)))
    }
}
