//! What was meant to be sent, and what became of it: the words that the sender
//! and the journal share.

use std::ops::Range;

use super::{Code, Position, RequestCounts};

/// What one turn of the sender has to write down, in one step: a crash leaves all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// What became of stretches since the last turn.
    pub settlements: Vec<Settlement>,
    /// The requests so far, those of the intents included; `None` where none ended since the last
    /// turn and none leaves next.
    pub requests: Option<RequestCounts>,
    /// Stretches that leave next.
    pub intents: Vec<Intent>,
}

impl Turn {
    /// Whether there is nothing to write down.
    pub fn is_empty(&self) -> bool {
        self.settlements.is_empty() && self.requests.is_none() && self.intents.is_empty()
    }
}

/// The intent to send a stretch of a body; durable before its first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The body's ordinal.
    pub seq: u64,
    /// Which of its elements, by index.
    pub range: Range<u32>,
    /// How many elements the whole body has.
    pub elements: u32,
    /// The row of the first element in the range.
    pub first: Position,
    /// The row of the last element in the range.
    pub last: Position,
}

/// What became of an intended stretch of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The body's ordinal.
    pub seq: u64,
    /// Which of its elements, by index.
    pub range: Range<u32>,
    /// How many elements the whole body has.
    pub elements: u32,
    /// The result.
    pub settled: Settled,
}

/// The result of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// A whole 2xx with `status` = `success`.
    Delivered {
        /// The server's `request_id`, where it gave one.
        request_id: Option<String>,
    },
    /// The server refused this one row; it stands alone in its range.
    Failed(RowFailure),
    /// Surely not taken in (no connection, or an answer that says so): it will be
    /// sent again, or in halves, and is not in doubt.
    NotTaken,
}

/// Why one row failed: the server refused it, or it was left in doubt on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFailure {
    /// The row.
    pub position: Position,
    /// The HTTP status; 0 where no answer came.
    pub status: u16,
    /// The server's error type, as it wrote it.
    pub kind: String,
    /// The server's message, as it wrote it.
    pub message: String,
    /// The server's `request_id`, where it gave one: MoEngage's support asks for it.
    pub request_id: Option<String>,
}

impl RowFailure {
    /// A row that an earlier run sent without an answer, and that is not to be sent again.
    pub fn in_doubt(position: Position) -> Self {
        Self {
            position,
            status: 0,
            kind: Code::InDoubt.as_str().to_owned(),
            message: String::new(),
            request_id: None,
        }
    }

    /// How the row counts in the report and the rejects.
    pub fn code(&self) -> Code {
        if self.status == 0 { Code::InDoubt } else { Code::ServerRefused }
    }
}
