//! The words that the whole program counts in.

use std::fmt;

/// What an import loads; one kind a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// User elements: one row creates or updates one user.
    Users,
    /// Event elements: one row is one action of one user.
    Events,
    /// Device elements: one row adds or updates one device of an existing user.
    Devices,
}

impl Kind {
    /// The word that flags, checkpoints and reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Events => "events",
            Self::Devices => "devices",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A budget of users or events in any 60 s window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// At most this many; never 0.
    PerMinute(u64),
    /// No budget: allowed for a loopback endpoint only.
    Unlimited,
}

impl Rate {
    /// The number, or `None` where there is no limit.
    pub fn per_minute(self) -> Option<u64> {
        match self {
            Self::PerMinute(n) => Some(n),
            Self::Unlimited => None,
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerMinute(n) => write!(f, "{n}"),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unlimited" {
            return Ok(Self::Unlimited);
        }
        match text.parse() {
            Ok(n) if n > 0 => Ok(Self::PerMinute(n)),
            _ => Err("give a whole number of 1 or more, or `unlimited`".to_owned()),
        }
    }
}
