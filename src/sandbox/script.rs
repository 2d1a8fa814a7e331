//! What goes wrong on request: answers scripted by number, and faults that strike at random.

use std::str::FromStr;

use super::replies::{Row, STATE_ROWS};

/// A text that is no scripted answer or no set of fault rates.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScriptError {
    /// The text does not have the form of an answer.
    #[error("`{0}` is no scripted answer: write CODE[=TYPE]:COUNT[@AFTER], as in 403:3 or 500:2@5")]
    AnswerForm(String),
    /// The code, or the type under that code, is not among those that state can cause.
    #[error("`{given}` can't be scripted: use one of {allowed}")]
    AnswerUnknown {
        /// The code and type as given.
        given: String,
        /// Every code and type that can be scripted.
        allowed: String,
    },
    /// The text does not have the form of fault rates.
    #[error(
        "`{0}` is no fault rate: write 500:RATE, 429:RATE, reset:RATE or slow:RATE, each once, separated by commas"
    )]
    FaultForm(String),
    /// A rate is no probability.
    #[error("the fault rate `{0}` is not between 0 and 1")]
    FaultRate(String),
    /// A request meets one fault at most, so the rates are shares of one whole.
    #[error("the fault rates add up to {0}: lower them to at most 1 together")]
    FaultSum(f64),
}

/// An answer given whatever the request is, as `CODE[=TYPE]:COUNT[@AFTER]`: the first `AFTER`
/// data requests pass it by, the next `COUNT` get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptedAnswer {
    row: &'static Row,
    count: u64,
    after: u64,
}

impl FromStr for ScriptedAnswer {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let form = || ScriptError::AnswerForm(text.to_owned());
        let number = |digits: &str| digits.trim().parse::<u64>().map_err(|_| form());
        let (answer, times) = text.rsplit_once(':').ok_or_else(form)?;
        let (count, after) = match times.split_once('@') {
            Some((count, after)) => (number(count)?, number(after)?),
            None => (number(times)?, 0),
        };
        Ok(Self { row: state_row(answer.trim())?, count, after })
    }
}

/// The row that `CODE` or `CODE=TYPE` names.
fn state_row(answer: &str) -> Result<&'static Row, ScriptError> {
    let (code, kind) = match answer.split_once('=') {
        Some((code, kind)) => (code, Some(kind)),
        None => (answer, None),
    };
    STATE_ROWS
        .iter()
        .find(|row| {
            row.code.to_string() == code
                && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(row.kind))
        })
        .ok_or_else(|| ScriptError::AnswerUnknown {
            given: answer.to_owned(),
            allowed: STATE_ROWS
                .iter()
                .map(|row| format!("{}={}", row.code, row.kind))
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The scripted answers that are still to be given.
#[derive(Debug)]
pub(super) struct Script(Vec<ScriptedAnswer>);

impl Script {
    pub(super) fn new(answers: Vec<ScriptedAnswer>) -> Self {
        Self(answers)
    }

    /// The row due for a request, used up once; `request` counts data requests from 1.
    pub(super) fn next(&mut self, request: u64) -> Option<&'static Row> {
        let due = self.0.iter_mut().find(|answer| answer.count > 0 && request > answer.after)?;
        due.count -= 1;
        Some(due.row)
    }
}

/// Shares of the data requests that meet a fault, as `500:0.1,429:0.05,reset:0.02,slow:0.01`:
/// each 0 to 1, together at most 1, none by default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultRates {
    server_error: f64,
    rate_limit: f64,
    reset: f64,
    slow: f64,
}

/// What strikes one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A 500; the request is not taken in.
    ServerError,
    /// A 429 that is not the budget's; the request is not taken in.
    RateLimit,
    /// A TCP reset instead of an answer.
    Reset,
    /// An answer that is late.
    Slow,
}

impl FaultRates {
    /// The fault that a roll in 0..1 stands for.
    pub(super) fn pick(&self, roll: f64) -> Option<Fault> {
        let mut upper = 0.0;
        [
            (self.server_error, Fault::ServerError),
            (self.rate_limit, Fault::RateLimit),
            (self.reset, Fault::Reset),
            (self.slow, Fault::Slow),
        ]
        .into_iter()
        .find_map(|(rate, fault)| {
            upper += rate;
            (roll < upper).then_some(fault)
        })
    }
}

impl FromStr for FaultRates {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        /// Decimal rates that fill the whole may add up to a hair above 1.
        const ROUNDING: f64 = 1e-9;
        let (mut server_error, mut rate_limit, mut reset, mut slow) = (None, None, None, None);
        for part in text.split(',') {
            let form = || ScriptError::FaultForm(part.to_owned());
            let (name, rate) = part.split_once(':').ok_or_else(form)?;
            let slot = match name.trim() {
                "500" => &mut server_error,
                "429" => &mut rate_limit,
                "reset" => &mut reset,
                "slow" => &mut slow,
                _ => return Err(form()),
            };
            let rate: f64 = rate.trim().parse().map_err(|_| form())?;
            if !(0.0..=1.0).contains(&rate) {
                return Err(ScriptError::FaultRate(part.to_owned()));
            }
            if slot.replace(rate).is_some() {
                return Err(form());
            }
        }
        let rates = Self {
            server_error: server_error.unwrap_or(0.0),
            rate_limit: rate_limit.unwrap_or(0.0),
            reset: reset.unwrap_or(0.0),
            slow: slow.unwrap_or(0.0),
        };
        let sum = rates.server_error + rates.rate_limit + rates.reset + rates.slow;
        if sum > 1.0 + ROUNDING {
            return Err(ScriptError::FaultSum(sum));
        }
        Ok(rates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_given_to_the_requests_it_names() {
        let answers = ["500:2@1", "403=account temporarily suspended:1@2"];
        let answers = answers.map(|text| text.parse().expect("an answer"));
        let mut script = Script::new(answers.to_vec());
        let given: Vec<_> =
            (1..=5).map(|request| script.next(request).map(|row| row.code)).collect();
        assert_eq!(given, [None, Some(500), Some(500), Some(403), None]);
    }

    #[test]
    fn texts_that_are_no_answer_are_refused() {
        for text in ["", "500", "500:", "500:x", "500:1@", ":1", "500:-1"] {
            assert!(text.parse::<ScriptedAnswer>().is_err(), "{text}");
        }
        for text in ["401:1", "403=Blacklisted:1", "429:1"] {
            let error = text.parse::<ScriptedAnswer>().expect_err(text).to_string();
            assert!(error.contains("409=Authentication required"), "{error}");
        }
    }

    #[test]
    fn rates_share_one_roll() {
        let rates: FaultRates = "500:0.1, 429:0.2,reset:0.3,slow:0.4".parse().expect("rates");
        let picked = [0.0, 0.15, 0.35, 0.65, 0.99].map(|roll| rates.pick(roll));
        let faults = [Fault::ServerError, Fault::RateLimit, Fault::Reset, Fault::Slow, Fault::Slow];
        assert_eq!(picked, faults.map(Some));
        assert_eq!(FaultRates::default().pick(0.0), None);
    }

    #[test]
    fn texts_that_are_no_rates_are_refused() {
        for text in [
            "",
            "500",
            "500:",
            "404:0.1",
            "500:1.1",
            "500:-0.1",
            "500:nan",
            "500:0.1,500:0.1",
            "500:0.6,slow:0.6",
        ] {
            assert!(text.parse::<FaultRates>().is_err(), "{text}");
        }
    }
}
