//! SIGINT and SIGTERM: the first asks the run to stop, the second ends it at once.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
};

use crate::progress::Progress;
use crate::run::Stop;

/// Exit code of an interrupted run: 128 and the signal's number.
const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

static EXIT_CODE: AtomicU8 = AtomicU8::new(INTERRUPTED);

/// The exit code for the signal that came.
pub fn exit_code() -> u8 {
    EXIT_CODE.load(Ordering::Relaxed)
}

/// Listens for signals from now on, in a thread of its own; the first is answered where progress is
/// shown.
pub fn listen(progress: &Arc<Progress>) -> Stop {
    let (stop, ask) = Stop::new();
    let progress = Arc::clone(progress);
    let listening = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(wait_for_two(ask, &progress));
        }
    });
    // Without the thread a signal ends the process as it always does.
    drop(listening);
    stop
}

async fn wait_for_two(ask: impl Fn(), progress: &Progress) {
    let Ok(mut signals) = Signals::new() else { return };
    let code = signals.next().await;
    EXIT_CODE.store(code, Ordering::Relaxed);
    progress.say("stopping: what is under way is finished; again to stop at once");
    ask();
    let code = signals.next().await;
    process::exit(i32::from(code));
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => INTERRUPTED,
            _ = self.terminate.recv() => TERMINATED,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> u8 {
        match tokio::signal::ctrl_c().await {
            Ok(()) => INTERRUPTED,
            Err(_) => TERMINATED,
        }
    }
}
