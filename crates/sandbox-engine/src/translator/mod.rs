//! Translator processes: programs are parsed and translated where a stack overflow, an endless loop or a lack of memory
//! ends one helper process and nothing else.
//!
//! A compiler recurses as deeply as its text nests, and a text comes from outside: 2.6 KB of brackets overflow a thread's
//! stack, which aborts the whole process. So the work is a pure function from bytes to bytes ([`serve`]), and an engine
//! calls it through a small pool of processes ([`Translators::ask`]). The end of a process fails that one
//! request ([`Fault`]); the next one gets a new process.
//!
//! # Origin of the process
//!
//! It is the host program, executed again. Before its `main`, a constructor of this crate (`sys/before_main.rs`) finds in
//! the environment that it is to be a translator, serves, and exits; `main` never runs. So the engine needs no other
//! executable, in a daemon as in a program that embeds it, and a translator is started through the
//! [`Spawner`](crate::spawner::Spawner) as every process is: labeled, reaped, with no descriptor, signal disposition or
//! variable but those that it is given.
//!
//! The alternative, `fork` without `exec`, was not taken:
//!
//! - The child of a process with threads may have inherited a lock that no thread of its own will release. The C
//!   library guards its own allocator, but a host may have another one, and std and the panic hook have locks, too.
//! - It has a copy of the host's memory: the access token, and the output of other programs. What the host
//!   frees later stays allocated in the child; 500 MB of output while it was forked are 500 MB as long as it lives.
//! - Page tables are copied while the host waits: 21 ms at 1 GiB.
//!
//! The host program can only be executed again if the constructor is in it. It is not if this crate is part of a shared
//! library that another program loads (`dlopen`), such as a module of a scripting language: then nothing is started,
//! TypeScript is refused, and a JavaScript program is a module if a line begins like one.
//!
//! # What ends a translator
//!
//! - the end of its socket, including the engine's death by KILL: its main thread reads the socket while another works;
//! - [`TRANSLATOR_IDLE`](crate::limits::TRANSLATOR_IDLE) without a request, and a request after which it retains more memory
//!   than [`TRANSLATOR_RESIDENT_BYTES`](crate::limits::TRANSLATOR_RESIDENT_BYTES): it exits with 0, and if a request was on
//!   its way another translator gets it;
//! - a request that is dropped or takes longer than [`TRANSLATION_TIME`](crate::limits::TRANSLATION_TIME), and the
//!   engine's shutdown: KILL.

mod process;
pub(crate) mod serve;
pub(crate) mod settings;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::process::{Failed, Process};
use self::settings::Settings;
use crate::launch::Launcher;
use crate::limits::{TRANSLATION_BYTES, TRANSLATION_TIME, TRANSLATION_WAIT, TRANSLATORS};
use crate::spawner::SpawnError;
use crate::sync::lock;

/// The translators of an engine.
#[derive(Debug)]
pub(crate) struct Translators {
    /// The most recently used one is the next to be used, so that the others may end.
    idle: Mutex<Vec<Process>>,
    slots: Semaphore,
    bounds: Bounds,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    processes: usize,
    /// The longest wait of a request for its turn.
    wait: Duration,
    /// The longest work of a translator on a request.
    time: Duration,
    response_bytes: u64,
    settings: Settings,
}

impl Default for Bounds {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            processes: cores.min(TRANSLATORS),
            wait: TRANSLATION_WAIT,
            time: TRANSLATION_TIME,
            response_bytes: TRANSLATION_BYTES,
            settings: Settings::default(),
        }
    }
}

/// The reason for a missing response.
#[derive(Debug, Error)]
pub(crate) enum Fault {
    #[error("the program is nested too deeply")]
    TooDeep,
    #[error("the program takes too much memory to be compiled")]
    TooLarge,
    #[error("the program takes longer than {} s to be compiled", limit.as_secs())]
    TooSlow { limit: Duration },
    #[error("the compiler has failed: {reason}")]
    Failed { reason: String },
    #[error(transparent)]
    NotStarted(#[from] SpawnError),
}

impl Translators {
    pub(crate) fn new() -> Arc<Self> {
        Self::bounded(Bounds::default())
    }

    fn bounded(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            idle: Mutex::default(),
            slots: Semaphore::new(bounds.processes),
            bounds,
        })
    }

    /// Returns the result of a translator's work on `request`.
    ///
    /// # Errors
    ///
    /// Returns [`Fault`]: [`NotStarted`](Fault::NotStarted) if the system is out of a resource or no translator became free in
    /// time; the others are the request's own.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the translator that works on the request is ended.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        launcher: &Launcher,
        request: &[&[u8]],
    ) -> Result<Vec<u8>, Fault> {
        let turn = timeout(self.bounds.wait, self.slots.acquire()).await;
        let _turn = turn
            .map_err(|_| busy())?
            .map_err(io::Error::other)
            .map_err(SpawnError::from)?;
        loop {
            let (mut process, is_new) = match self.take() {
                Some(process) => (process, false),
                None => (Process::start(self, launcher).await?, true),
            };
            match process.ask(request, &self.bounds).await {
                Ok(response) => {
                    self.idle().push(process);
                    return Ok(response);
                }
                // It was about to end when the request arrived.
                Err(Failed::Left) if !is_new => {}
                Err(failed) => {
                    tracing::debug!(pid = process.pid, ?failed, "a translator gave no response");
                    return Err(failed.into());
                }
            }
        }
    }

    fn take(&self) -> Option<Process> {
        let mut idle = self.idle();
        idle.retain(Process::is_open);
        idle.pop()
    }

    /// Removes the translators that have ended.
    fn forget_ended(&self) {
        self.idle().retain(Process::is_open);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        lock(&self.idle)
    }
}

fn busy() -> Fault {
    let error = io::Error::new(io::ErrorKind::TimedOut, "every translator is busy");
    SpawnError::Exhausted(error).into()
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        let reason = match failed {
            Failed::TooDeep => return Self::TooDeep,
            Failed::TooLarge => return Self::TooLarge,
            Failed::TooSlow { limit } => return Self::TooSlow { limit },
            Failed::Left => "it left without a word".to_owned(),
            Failed::Other { reason } => reason,
        };
        Self::Failed { reason }
    }
}
