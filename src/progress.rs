//! Progress on stderr: bars on a terminal, a plain line now and then elsewhere, one
//! JSON event a line for schedulers, or nothing.
//!
//! Wraps indicatif. Knows numbers and words only, not the rooms they come from.

use std::{
    collections::VecDeque,
    fmt,
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{
    DecimalBytes, HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState,
    ProgressStyle,
};

use crate::model::printable_lines;

/// Time between two plain lines, and between two JSON events.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The pace is over so long, told by rows at moments so far apart.
const PACE_OVER: Duration = Duration::from_secs(60);
const PACE_EVERY: Duration = Duration::from_secs(1);

/// Columns of a bar, at most; below the least there is none.
const BAR_COLUMNS_MAX: usize = 40;
const BAR_COLUMNS_MIN: usize = 10;

/// What stands beside a bar, the fullest first, and the columns that it may take with the phase's
/// name before it.
const READING: [(&str, usize); 4] = [
    (
        "{percent:>3} %  {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {left}",
        70,
    ),
    ("{percent:>3} %  {decimal_bytes} of {decimal_total_bytes}, {left}", 57),
    ("{percent:>3} %  {decimal_bytes} of {decimal_total_bytes}", 39),
    ("{percent:>3} %", 15),
];
const INCOMING: [(&str, usize); 2] =
    [("{decimal_bytes}, {decimal_bytes_per_sec}", 34), ("{decimal_bytes}", 19)];
const CHECKED: [(&str, usize); 2] =
    [("{percent:>3} %  {decimal_total_bytes} {msg}", 46), ("{percent:>3} %", 15)];
const SENDING: [(&str, usize); 2] = [
    ("{percent:>3} %  {human_pos} of {human_len} rows\n          {wide_msg}", 46),
    ("{percent:>3} %  {human_pos} rows\n          {wide_msg}", 32),
];

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
    /// Unpacking inputs to the run directory.
    Spool,
    /// Hashing the inputs, to know them again.
    Fingerprint,
    /// Reading every value to infer types.
    Infer,
    /// Checking and packing.
    Check,
    /// Packing the rows that changed.
    Pack,
    /// Sending.
    Send,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Spool => "unpacking",
            Self::Fingerprint => "reading",
            Self::Infer => "inferring",
            Self::Check => "checking",
            Self::Pack => "packing",
            Self::Send => "sending",
        }
    }
}

/// Where sending stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Rows delivered or failed so far, those of earlier runs included.
    pub rows: u64,
    /// Rows that the server refused, or that were left in doubt on request.
    pub failed: u64,
    /// What counts against the budget: `users` or `events`.
    pub unit: &'static str,
    /// How many of them the budget allows in a minute now; `None` = any number.
    pub budget: Option<u64>,
    /// What the next body waits for; `None` where it does not wait.
    pub waiting: Option<Wait>,
    /// Seconds left at the limits.
    pub seconds_left: u64,
}

/// What the next body waits for, and for how many seconds more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The budget is used up.
    Budget(u64),
    /// The server asked for a pause.
    Server {
        /// For how long.
        asked: u64,
        /// How much of it is left.
        left: u64,
    },
    /// The server is in trouble.
    BackOff(u64),
}

impl Wait {
    fn words(self) -> String {
        match self {
            Self::Budget(seconds) => format!("budget frees in {seconds} s"),
            Self::Server { asked, left } => {
                format!("the server asked for {asked} s, {left} s left")
            }
            Self::BackOff(seconds) => {
                format!("the server is in trouble, next try in {seconds} s")
            }
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Budget(_) => "budget",
            Self::Server { .. } => "server",
            Self::BackOff(_) => "back_off",
        }
    }
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
    /// Since when the phase goes on.
    since: Instant,
    sent: Sent,
    /// Rows at some moments of the last minute, the oldest first.
    pace: VecDeque<(Instant, u64)>,
    /// Bytes that were checked, and in how many seconds.
    checked: Option<(u64, f64)>,
    bars: MultiProgress,
    bar: ProgressBar,
    /// What was checked, above what is sent.
    checked_bar: ProgressBar,
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
            since: Instant::now(),
            sent: Sent::default(),
            pace: VecDeque::new(),
            checked: None,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)),
            bar: ProgressBar::hidden(),
            checked_bar: ProgressBar::hidden(),
            last_line: None,
        };
        Self { mode, state: Mutex::new(state) }
    }

    /// Where sending stands before it begins.
    pub fn before_sending(&self, sent: Sent) {
        self.with(|state, _| state.sent = sent);
    }

    /// Starts a phase: `total` is in bytes, or in rows where it sends.
    pub fn begin(&self, phase: Phase, total: u64) {
        self.with(|state, mode| {
            state.end_bars();
            state.phase = phase;
            state.done = if phase == Phase::Send { state.sent.rows } else { 0 };
            state.total = total;
            state.since = Instant::now();
            state.last_line = Some(state.since);
            state.pace.clear();
            if mode == Mode::Bar {
                state.begin_bars();
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
            state.note_pace(sent.rows);
            state.bar.set_position(sent.rows);
            state.sent = sent;
            state.bar.set_message(state.send_words());
            state.line_now_and_then(mode);
        });
    }

    /// Ends the phase, and clears its bars.
    pub fn end(&self) {
        self.with(|state, mode| {
            if state.phase == Phase::Check {
                state.checked = Some((state.done, state.since.elapsed().as_secs_f64()));
            }
            state.end_bars();
            if mode == Mode::Json {
                state.line(mode);
            }
        });
    }

    /// Prints a line of text to stderr without tearing a bar.
    pub fn say(&self, text: &str) {
        self.with(|state, _| state.bars.suspend(|| write_line(text)));
    }

    fn with(&self, change: impl FnOnce(&mut State, Mode)) {
        if let Ok(mut state) = self.state.lock() {
            change(&mut state, self.mode);
        }
    }
}

impl State {
    fn begin_bars(&mut self) {
        // What was checked stays in sight above what is sent.
        if let (Phase::Send, Some((bytes, seconds))) = (self.phase, self.checked) {
            let bar = self.bars.add(ProgressBar::new(bytes).with_style(style(&CHECKED)));
            bar.set_position(bytes);
            bar.set_prefix("checked");
            bar.set_message(format!("in {}", duration(seconds.ceil() as u64)));
            bar.tick();
            self.checked_bar = bar;
        }
        let bar = ProgressBar::new(self.total).with_style(style(match self.phase {
            Phase::Send => SENDING.as_slice(),
            // What comes in has no size yet.
            _ if self.total == 0 => INCOMING.as_slice(),
            _ => READING.as_slice(),
        }));
        self.bar = self.bars.add(bar);
        self.bar.set_prefix(self.phase.word());
        self.bar.enable_steady_tick(Duration::from_millis(500));
    }

    fn end_bars(&mut self) {
        for bar in [&mut self.bar, &mut self.checked_bar] {
            bar.finish_and_clear();
            *bar = ProgressBar::hidden();
        }
        let _ = self.bars.clear();
        self.bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
    }

    fn note_pace(&mut self, rows: u64) {
        let now = Instant::now();
        if self.pace.back().is_none_or(|(at, _)| now - *at >= PACE_EVERY) {
            self.pace.push_back((now, rows));
        }
        while self.pace.get(1).is_some_and(|(at, _)| now - *at >= PACE_OVER) {
            self.pace.pop_front();
        }
    }

    /// Rows in the last minute; where no budget holds them, what a minute of this pace has.
    fn per_minute(&self) -> u64 {
        let Some(&(since, before)) = self.pace.front() else { return 0 };
        let rows = self.done.saturating_sub(before);
        let seconds = since.elapsed().as_secs_f64().max(1.0);
        let is_part = self.sent.budget.is_none() && seconds < PACE_OVER.as_secs_f64();
        if is_part { (rows as f64 / seconds * 60.0).round() as u64 } else { rows }
    }

    /// Pace, budget, time left, and what it waits for, which comes first: a narrow terminal cuts
    /// the end.
    fn send_words(&self) -> String {
        let Sent { failed, unit, budget, waiting, seconds_left, .. } = &self.sent;
        let mut parts: Vec<String> = waiting.iter().map(|waiting| waiting.words()).collect();
        if *failed > 0 {
            parts.push(format!("{} failed", HumanCount(*failed)));
        }
        let pace = HumanCount(self.per_minute());
        parts.push(match budget {
            Some(budget) => format!("{pace} of {} {unit}/min", HumanCount(*budget)),
            None => format!("{pace} {unit}/min, no limit"),
        });
        parts.push(format!("{} left", duration(*seconds_left)));
        parts.join(", ")
    }

    fn line_now_and_then(&mut self, mode: Mode) {
        let due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due && matches!(mode, Mode::Plain | Mode::Json) {
            self.line(mode);
            self.last_line = Some(Instant::now());
        }
    }

    fn line(&self, mode: Mode) {
        if mode == Mode::Json {
            return write_line(&self.event().to_string());
        }
        let percent = (self.done.min(self.total) * 100).checked_div(self.total).unwrap_or(100);
        let word = self.phase.word();
        write_line(&match self.phase {
            Phase::Send => format!(
                "{word}: {} of {} rows ({percent} %), {}",
                HumanCount(self.done),
                HumanCount(self.total),
                self.send_words()
            ),
            _ if self.total == 0 => format!("{word}: {}", DecimalBytes(self.done)),
            _ => format!(
                "{word}: {} of {} ({percent} %)",
                DecimalBytes(self.done),
                DecimalBytes(self.total)
            ),
        });
    }

    /// An event of `--progress json`; docs/progress.md states its members.
    fn event(&self) -> serde_json::Value {
        let word = self.phase.word();
        let seconds = self.since.elapsed().as_secs();
        if self.phase != Phase::Send {
            return serde_json::json!({
                "phase": word, "seconds": seconds, "bytes": self.done, "bytes_total": self.total,
            });
        }
        let Sent { failed, unit, budget, waiting, seconds_left, .. } = &self.sent;
        serde_json::json!({
            "phase": word,
            "seconds": seconds,
            "rows": self.done,
            "rows_total": self.total,
            "failed": failed,
            "unit": unit,
            "per_minute": self.per_minute(),
            "budget_per_minute": budget,
            "waiting_for": waiting.map(Wait::code),
            "waiting": waiting.map(Wait::words),
            "seconds_left": seconds_left,
        })
    }
}

/// Progress must not end a run: a closed stderr is ignored.
fn write_line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", printable_lines(text));
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

/// The style of a bar on the terminal of stderr.
fn style(beside: &[(&str, usize)]) -> ProgressStyle {
    let columns = terminal_size::terminal_size_of(std::io::stderr());
    let columns = columns.map_or(80, |(columns, _)| usize::from(columns.0));
    let left = |state: &ProgressState, text: &mut dyn fmt::Write| {
        let _ = write!(text, "{} left", duration(state.eta().as_secs()));
    };
    ProgressStyle::with_template(&template(beside, columns))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", left)
}

/// The fullest text for which so many columns have room, and a bar rather than the fullest text.
fn template(beside: &[(&str, usize)], columns: usize) -> String {
    let with_bar = beside.iter().find(|(_, taken)| taken + 1 + BAR_COLUMNS_MIN <= columns);
    // A bar without a number of bytes or rows says too little.
    if let Some((text, taken)) = with_bar.filter(|(text, _)| text.contains("  {")) {
        let bar = (columns - taken - 1).min(BAR_COLUMNS_MAX);
        return format!("{{prefix:>9}} {{bar:{bar}.cyan/dim}} {text}");
    }
    let fits = beside.iter().find(|(_, taken)| *taken <= columns).or(beside.last());
    format!("{{prefix:>9}} {}", fits.map_or("", |(text, _)| text))
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

    #[test]
    fn rows_that_failed_are_not_all_refused() {
        let progress = Progress::new(Mode::Off);
        progress.sent(Sent { rows: 30, failed: 10, unit: "users", ..Sent::default() });
        let state = progress.state.lock().expect("a state");
        assert_eq!(state.send_words(), "10 failed, 0 users/min, no limit, 0 s left");
    }

    /// A template's first line, with the longest texts that its keys become.
    fn longest(template: &str) -> String {
        let mut text = template.lines().next().expect("a line").to_owned();
        for (key, longest) in [
            ("{prefix:>9}", "inferring"),
            ("{percent:>3}", "100"),
            ("{decimal_bytes}", "999.99 GB"),
            ("{decimal_total_bytes}", "999.99 GB"),
            ("{decimal_bytes_per_sec}", "999.99 MB/s"),
            ("{left}", "59 min 59 s left"),
            ("{human_pos}", "50,000,000"),
            ("{human_len}", "50,000,000"),
            ("{msg}", "in 59 min 59 s"),
        ] {
            text = text.replace(key, longest);
        }
        match text.split_once("{bar:") {
            None => text,
            Some((before, rest)) => {
                let (columns, rest) = rest.split_once(".cyan/dim}").expect("a bar");
                let bar = "█".repeat(columns.parse().expect("a number"));
                format!("{before}{bar}{rest}")
            }
        }
    }

    #[test]
    fn no_bar_wraps_on_any_terminal() {
        for columns in 32..220 {
            for beside in [READING.as_slice(), &INCOMING, &CHECKED, &SENDING] {
                let text = longest(&template(beside, columns));
                assert!(!text.contains('{'), "{text}");
                assert!(text.chars().count() <= columns, "{columns}: {text}");
            }
        }
        let bars = [45, 80, 200].map(|columns| longest(&template(&READING, columns)));
        assert_eq!(
            bars,
            [
                "inferring 100 %  999.99 GB of 999.99 GB".to_owned(),
                format!(
                    "inferring {} 100 %  999.99 GB of 999.99 GB, 59 min 59 s left",
                    "█".repeat(22)
                ),
                format!(
                    "inferring {} 100 %  999.99 GB of 999.99 GB, 999.99 MB/s, 59 min 59 s left",
                    "█".repeat(40)
                ),
            ]
        );
    }
}
