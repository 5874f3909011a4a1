//! The user's terminal, attached to one in a sandbox.

use sandbox_process::{Bytes, Channel, Error, PtySize};
use tokio::signal::unix::{SignalKind, signal};

use crate::detach::{DetachKeys, Watch};
use crate::error::CliError;
use crate::exit::Exit;
use crate::interrupt::Interrupts;
use crate::output;
use crate::terminal::{self, Raw};

/// A terminal in a sandbox.
pub(crate) trait Remote {
    /// Types bytes.
    async fn write(&self, bytes: Vec<u8>) -> Result<(), Error>;

    /// Sets the size.
    async fn resize(&self, size: PtySize) -> Result<(), Error>;

    /// Returns what is shown next; `None` after the end. Cancel safe.
    async fn next(&mut self) -> Result<Option<Bytes>, Error>;
}

/// Why the user's terminal is no longer attached.
#[derive(Debug)]
pub(crate) enum Detached {
    /// The program on the other terminal has ended.
    Ended,
    /// The keys were typed.
    ByKeys,
    /// A signal came; to exit with this code.
    BySignal(Exit),
}

/// Attaches the user's terminal until the program on the other one ends, the keys are typed, or a signal ends this program.
///
/// The user's terminal passes on every key as it is meanwhile, and is restored however this ends. The other one has its size.
pub(crate) async fn attach(
    remote: &mut impl Remote,
    keys: DetachKeys,
) -> Result<Detached, CliError> {
    let mut resized = signal(SignalKind::window_change()).map_err(CliError::Runtime)?;
    // Those that would end this program without restoring the terminal.
    let mut interrupts = Interrupts::listen()?;
    resize(remote).await;
    let _raw = Raw::begin().map_err(CliError::Terminal)?;
    let mut typed = terminal::input();
    let mut watch = Watch::new(keys);
    loop {
        tokio::select! {
            // What is typed comes first: a flood must not keep the keys from being seen.
            biased;
            Some(chunk) = typed.recv() => {
                let (pass, detached) = watch.look(&chunk);
                if !pass.is_empty() {
                    remote.write(pass).await?;
                }
                if detached {
                    return Ok(Detached::ByKeys);
                }
            }
            _ = resized.recv() => resize(remote).await,
            exit = interrupts.leave() => return Ok(Detached::BySignal(exit)),
            shown = remote.next() => match shown? {
                Some(bytes) => output::print(Channel::Stdout, &bytes)?,
                None => return Ok(Detached::Ended),
            },
        }
    }
}

/// Makes the other terminal as large as the user's. It may have ended meanwhile.
async fn resize(remote: &impl Remote) {
    let _ = remote.resize(terminal::pty_size()).await;
}
