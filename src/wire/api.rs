//! The APIs that take records, by the path of their address (Data API, U: hosts and paths).

use crate::model::Kind;

/// Which API records are sent to. All of them draw on the same two budgets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// Many records a request. Every body is answered 200 and validated later, silently.
    #[default]
    Bulk,
    /// One user a request, with the true verdict on it.
    User,
    /// One event element a request.
    Event,
    /// One device a request.
    Device,
}

impl Api {
    /// What stands between the version and the app id in its address.
    pub fn path(self) -> &'static str {
        match self {
            Self::Bulk => "transition",
            Self::User => "customer",
            Self::Event => "event",
            Self::Device => "device",
        }
    }

    /// The word that flags use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::User => "user",
            Self::Event => "event",
            Self::Device => "device",
        }
    }

    /// The kind that it takes; `None` = all of them.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Bulk => None,
            Self::User => Some(Kind::Users),
            Self::Event => Some(Kind::Events),
            Self::Device => Some(Kind::Devices),
        }
    }

    /// Whether a request holds one record, without the bulk envelope.
    pub fn is_single(self) -> bool {
        self != Self::Bulk
    }
}
