//! One translator from the engine's side: a socket, and a task that owns the process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::serve::{DONE, PANICKED};
use super::settings::Settings;
use super::{Bounds, Translators};
use crate::host;
use crate::launch::Launcher;
use crate::limits::KILL_WAIT;
use crate::spawner::{ChildFd, ProcessGroup, SpawnError, SpawnLimits, SpawnSpec, Spawned};
use crate::sys::before_main::TRANSLATOR_PROGRAM;
use crate::termination::Termination;

/// A translator process. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    line: UnixStream,
    ended: oneshot::Receiver<Termination>,
    _end: DropGuard,
}

/// The reason for a missing response of a translator.
#[derive(Debug)]
pub(super) enum Failed {
    TooDeep,
    TooLarge,
    TooSlow {
        limit: Duration,
    },
    /// The translator exited by itself, and has not read the request.
    Left,
    Other {
        reason: String,
    },
}

impl Process {
    pub(super) async fn start(
        pool: &Arc<Translators>,
        launcher: &Launcher,
    ) -> Result<Self, SpawnError> {
        let (line, theirs) = StdUnixStream::pair()?;
        line.set_nonblocking(true)?;
        let line = UnixStream::from_std(line)?;
        let spec = spec(pool.bounds.settings, theirs.into())?;
        let kills_before = launcher.oom_kills().count();
        let spawned = launcher.spawn(spec).await?;
        let pid = spawned.pid;
        let end = CancellationToken::new();
        let (tell, ended) = oneshot::channel();
        let (pool, ends) = (Arc::downgrade(pool), end.clone());
        let (stop, oom_kills) = (launcher.stopped(), launcher.oom_kills());
        // Nothing is awaited between the start and this, so that no process is without its owner.
        drop(launcher.track(async move {
            let mut termination = own(spawned, ends, stop).await;
            oom_kills.explain(&mut termination, kills_before);
            // The receiver may have been dropped.
            let _ = tell.send(termination);
            Weak::upgrade(&pool).inspect(|pool| pool.forget_ended());
        }));
        Ok(Self {
            pid,
            line,
            ended,
            _end: end.drop_guard(),
        })
    }

    /// Returns whether the translator has not closed its end of the socket, as by ending.
    pub(super) fn is_open(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        // Between requests it sends nothing.
        rustix::net::recv(&self.line, &mut [0_u8; 1], flags) == Err(rustix::io::Errno::AGAIN)
    }

    /// Sends a request and waits for its response. After an error the translator is not usable any more.
    pub(super) async fn ask(
        &mut self,
        request: &[&[u8]],
        bounds: &Bounds,
    ) -> Result<Vec<u8>, Failed> {
        let limit = bounds.time;
        let exchange = exchange(&mut self.line, request, bounds.response_bytes);
        match timeout(limit, exchange).await {
            Ok(Ok((DONE, response))) => Ok(response),
            Ok(Ok((PANICKED, message))) => Err(Failed::Other {
                reason: String::from_utf8_lossy(&message).into_owned(),
            }),
            Ok(Ok(_)) => Err(Failed::Other {
                reason: "its response is not valid".to_owned(),
            }),
            Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => Err(Failed::TooLarge),
            Ok(Err(error)) => Err(match timeout(KILL_WAIT, &mut self.ended).await {
                Ok(Ok(termination)) => why(&termination),
                _ => Failed::Other {
                    reason: error.to_string(),
                },
            }),
            Err(_) => Err(Failed::TooSlow { limit }),
        }
    }
}

/// Returns the description of a translator that reads from `line`.
pub(super) fn spec(settings: Settings, line: OwnedFd) -> io::Result<SpawnSpec> {
    let program = host::program()?;
    let mut env = host::environment();
    env.set(Settings::VARIABLE, settings.to_text());
    Ok(SpawnSpec {
        // By descriptor: the file may have been replaced by another version meanwhile.
        program: format!("/proc/self/fd/{TRANSLATOR_PROGRAM}").into(),
        argv: vec!["sandbox-translator".into()],
        env,
        cwd: "/".into(),
        fds: vec![
            ChildFd::Null,
            ChildFd::Null,
            ChildFd::Null,
            ChildFd::Given(Arc::new(line)),
            ChildFd::Given(program),
        ],
        group: ProcessGroup::Own,
        limits: SpawnLimits::default(),
    })
}

/// Owns the process until its end.
async fn own(mut spawned: Spawned, end: CancellationToken, stop: CancellationToken) -> Termination {
    let ended = tokio::select! {
        ended = &mut spawned.exit => ended,
        () = end.cancelled() => spawned.kill().await,
        () = stop.cancelled() => spawned.kill().await,
    };
    match ended {
        Ok(exited) => exited.termination,
        Err(error) => Termination::Lost {
            reason: error.to_string(),
        },
    }
}

/// Writes a number of bytes and the bytes; reads a number, a number of bytes and the bytes.
///
/// # Errors
///
/// Returns [`io::ErrorKind::FileTooLarge`] for a response of more than `most` bytes.
async fn exchange(
    line: &mut UnixStream,
    request: &[&[u8]],
    most: u64,
) -> io::Result<(u8, Vec<u8>)> {
    let length: usize = request.iter().map(|part| part.len()).sum();
    line.write_all(&(length as u64).to_le_bytes()).await?;
    for part in request {
        line.write_all(part).await?;
    }
    let kind = line.read_u8().await?;
    let length = line.read_u64_le().await?;
    if length > most {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    // Not `with_capacity(length)`: the translator declares the length and may send less.
    let mut response = Vec::new();
    line.take(length).read_to_end(&mut response).await?;
    if response.len() as u64 == length {
        Ok((kind, response))
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Derives the failure of a request from the end of the translator that was working on it.
fn why(termination: &Termination) -> Failed {
    match *termination {
        Termination::Exited { code: 0 } => Failed::Left,
        // A stack ends at a page without access rights.
        Termination::Signaled { signal, .. } if OVERFLOW.contains(&signal) => Failed::TooDeep,
        // The end of a Rust process in which an allocation fails.
        Termination::Signaled { signal, .. } if signal == libc::SIGABRT => Failed::TooLarge,
        Termination::OutOfMemory => Failed::TooLarge,
        Termination::Signaled { signal, .. } => Failed::Other {
            reason: format!("signal {signal} has ended it"),
        },
        ref other => Failed::Other {
            reason: format!("it ended: {other:?}"),
        },
    }
}

/// The signals that end a process with a stack overflow.
const OVERFLOW: [i32; 2] = [libc::SIGSEGV, libc::SIGBUS];
