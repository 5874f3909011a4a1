//! What Ctrl-C and its like do to what runs elsewhere.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::CliError;
use crate::exit::Exit;

/// SIGINT is passed on; the second one kills, and the third leaves. SIGTERM and SIGHUP leave at once: what runs in a sandbox
/// does not end because a client does.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    hangup: Signal,
    terminate: Signal,
    count: u32,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send this signal to what runs.
    Forward(i32),
    /// Leave, with this exit code.
    Leave(Exit),
}

impl Interrupts {
    pub(crate) fn listen() -> Result<Self, CliError> {
        let listen = |kind| signal(kind).map_err(CliError::Runtime);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            count: 0,
        })
    }

    /// The next one. Cancel safe.
    pub(crate) async fn next(&mut self) -> Step {
        tokio::select! {
            _ = self.interrupt.recv() => {
                self.count += 1;
                step(self.count)
            }
            _ = self.hangup.recv() => Step::Leave(Exit::by_signal(SIGHUP)),
            _ = self.terminate.recv() => Step::Leave(Exit::by_signal(SIGTERM)),
        }
    }

    /// Resolves at the next one, for what leaves at each. Cancel safe.
    pub(crate) async fn leave(&mut self) -> Exit {
        match self.next().await {
            Step::Forward(signal) => Exit::by_signal(signal),
            Step::Leave(exit) => exit,
        }
    }
}

fn step(count: u32) -> Step {
    match count {
        0 | 1 => Step::Forward(SIGINT),
        2 => Step::Forward(SIGKILL),
        _ => Step::Leave(Exit::by_signal(SIGINT)),
    }
}

/// Returns what `work` returns, or the exit code once the keyboard, the terminal's end or another program ends this one.
///
/// Listens before `work` is polled for the first time. What that shows may be what an interrupt
/// waits for, and where SIGINT was ignored before, as in jobs of a script, it would be lost.
pub(crate) async fn or_interrupted<T>(
    work: impl Future<Output = Result<T, CliError>>,
    left: impl FnOnce(Exit) -> T,
) -> Result<T, CliError> {
    let mut interrupts = Interrupts::listen()?;
    tokio::select! {
        result = work => result,
        exit = interrupts.leave() => Ok(left(exit)),
    }
}

const SIGHUP: i32 = SignalKind::hangup().as_raw_value();
const SIGINT: i32 = SignalKind::interrupt().as_raw_value();
const SIGTERM: i32 = SignalKind::terminate().as_raw_value();
/// The protocol's numbers are those of Linux.
const SIGKILL: i32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_is_passed_on_and_twice_kills() {
        assert_eq!(step(1), Step::Forward(2));
        assert_eq!(step(2), Step::Forward(9));
        assert_eq!(step(3), Step::Leave(Exit::by_signal(2)));
    }
}
