//! Progress on stderr: bars on a terminal, a plain line now and then elsewhere, one
//! JSON event a line for schedulers, or nothing.
//!
//! Wraps indicatif. Knows numbers and words only, not the rooms they come from.

use std::{
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two plain lines, and between two JSON events.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// A plain line every ten seconds.
    Plain,
    /// A JSON event every ten seconds, and at each change of phase.
    Json,
    /// Nothing.
    Off,
}

/// What the run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Hashing the inputs, to know them again.
    Fingerprint,
    /// Reading every value to infer types.
    Infer,
    /// Checking and packing.
    Check,
    /// Sending.
    Send,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Fingerprint => "reading",
            Self::Infer => "inferring",
            Self::Check => "checking",
            Self::Send => "sending",
        }
    }
}

/// Where sending stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Rows delivered or refused so far, those of earlier runs included.
    pub rows: u64,
    /// Rows that the server refused.
    pub failed: u64,
    /// The rate that holds now, in words.
    pub rate: String,
    /// What the next body waits for, in words; empty where it does not wait.
    pub waiting: String,
    /// Seconds left at the limits.
    pub seconds_left: u64,
}

/// Shows progress. All methods are cheap and may be called from any thread.
#[derive(Debug)]
pub struct Progress {
    mode: Mode,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    done: u64,
    total: u64,
    sent: Sent,
    bar: ProgressBar,
    last_line: Option<Instant>,
}

impl Progress {
    /// Progress in a mode; [`Mode::Auto`] looks at stderr.
    pub fn new(mode: Mode) -> Self {
        let mode = match mode {
            Mode::Auto if std::io::stderr().is_terminal() => Mode::Bar,
            Mode::Auto => Mode::Plain,
            mode => mode,
        };
        let state = State {
            phase: Phase::Check,
            done: 0,
            total: 0,
            sent: Sent::default(),
            bar: ProgressBar::hidden(),
            last_line: None,
        };
        Self { mode, state: Mutex::new(state) }
    }

    /// Starts a phase: `total` is in bytes, or in rows where it sends.
    pub fn begin(&self, phase: Phase, total: u64) {
        self.with(|state, mode| {
            state.end_bar();
            state.phase = phase;
            state.done = 0;
            state.total = total;
            state.last_line = Some(Instant::now());
            if mode == Mode::Bar {
                state.bar = ProgressBar::with_draw_target(
                    Some(total),
                    ProgressDrawTarget::stderr_with_hz(8),
                );
                state.bar.set_style(style(phase));
                state.bar.set_prefix(phase.word());
                state.bar.enable_steady_tick(Duration::from_millis(500));
            } else if mode == Mode::Json {
                state.line(mode);
            }
        });
    }

    /// So many more bytes were read.
    pub fn advance(&self, bytes: u64) {
        self.with(|state, mode| {
            state.done += bytes;
            state.bar.set_position(state.done);
            state.line_now_and_then(mode);
        });
    }

    /// Where sending stands now.
    pub fn sent(&self, sent: Sent) {
        self.with(|state, mode| {
            state.done = sent.rows;
            state.bar.set_position(sent.rows);
            state.bar.set_message(send_message(&sent));
            state.sent = sent;
            state.line_now_and_then(mode);
        });
    }

    /// Ends the phase, and clears its bar.
    pub fn end(&self) {
        self.with(|state, mode| {
            state.end_bar();
            if mode == Mode::Json {
                state.line(mode);
            }
        });
    }

    /// Prints a line of text to stderr without tearing a bar.
    pub fn say(&self, text: &str) {
        self.with(|state, _| state.bar.suspend(|| write_line(text)));
    }

    fn with(&self, change: impl FnOnce(&mut State, Mode)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state, self.mode);
        }
    }
}

impl State {
    fn end_bar(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }

    fn line_now_and_then(&mut self, mode: Mode) {
        let due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due && matches!(mode, Mode::Plain | Mode::Json) {
            self.line(mode);
            self.last_line = Some(Instant::now());
        }
    }

    fn line(&self, mode: Mode) {
        let percent = (self.done.min(self.total) * 100).checked_div(self.total).unwrap_or(100);
        let word = self.phase.word();
        let text = match (mode, self.phase) {
            (Mode::Json, Phase::Send) => serde_json::json!({
                "phase": word, "rows": self.done, "rows_total": self.total, "failed": self.sent.failed,
                "rate": self.sent.rate, "waiting": self.sent.waiting, "seconds_left": self.sent.seconds_left,
            })
            .to_string(),
            (Mode::Json, _) => {
                serde_json::json!({"phase": word, "bytes": self.done, "bytes_total": self.total}).to_string()
            }
            (_, Phase::Send) => format!(
                "{word}: {} of {} rows ({percent} %), {}",
                HumanCount(self.done),
                HumanCount(self.total),
                send_message(&self.sent)
            ),
            _ => format!("{word}: {} of {} ({percent} %)", HumanBytes(self.done), HumanBytes(self.total)),
        };
        write_line(&text);
    }
}

/// Progress must not end a run: a closed stderr is ignored.
fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn send_message(sent: &Sent) -> String {
    // What it waits for comes first: a narrow terminal cuts the end.
    let mut parts = Vec::new();
    if !sent.waiting.is_empty() {
        parts.push(sent.waiting.clone());
    }
    if sent.failed > 0 {
        parts.push(format!("{} refused", HumanCount(sent.failed)));
    }
    parts.push(format!("{} left at {}", duration(sent.seconds_left), sent.rate));
    parts.join(", ")
}

/// A duration in the two units that matter: `2 h 5 min`, `3 min 20 s`, `12 s`.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

fn style(phase: Phase) -> ProgressStyle {
    let template = match phase {
        Phase::Send => "{prefix:>9} {bar:24} {human_pos}/{human_len} rows, {wide_msg}",
        _ => "{prefix:>9} {bar:24} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_725, "1 h 2 min"),
            (86_400 * 3 + 7_200, "3 d 2 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
