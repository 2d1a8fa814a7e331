//! One import at a time in a run directory and for an account: whoever comes second is
//! refused, or waits for its turn.

use std::{thread, time::Duration};

use super::{Error, Surroundings};
use crate::journal;
use crate::send::{self, RateLogError};
use crate::state;

/// How often a lock is tried again.
const TRY_EVERY: Duration = Duration::from_millis(200);

/// Takes a lock; where `wait` says so, once the process that holds it has ended.
///
/// # Errors
/// Those of `take`; [`Error::Interrupted`] where a stop is asked for before the turn comes.
pub fn patiently<T>(
    wait: bool,
    around: &Surroundings,
    mut take: impl FnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut is_told = false;
    loop {
        match take() {
            Err(error) if wait && is_held(&error) => {
                if around.stop.is_asked() {
                    return Err(Error::Interrupted);
                }
                if !is_told {
                    around.progress.say(&format!("waiting: {error}"));
                    is_told = true;
                }
                thread::sleep(TRY_EVERY);
            }
            taken => return taken,
        }
    }
}

fn is_held(error: &Error) -> bool {
    matches!(
        error,
        Error::Journal(journal::Error::Held { .. })
            | Error::State(state::Error::Held { .. })
            | Error::Send(send::Error::RateLog(RateLogError::Held { .. }))
    )
}
