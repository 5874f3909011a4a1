//! One fork server, from the engine's side.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::key::{ARGUMENTS, Key};
use super::stage::Stage;
use crate::launch::spawn_in_time;
use crate::limits::{KILL_WAIT, WARM_MESSAGE_BYTES, WARM_RESPONSE_TIMEOUT, WARM_START};
use crate::patience::Patience;
use crate::reaper::OwnChild;
use crate::scripts::python::{BOOT, LEAVE};
use crate::spawner::{
    ChildFd, Ends, Exited, ProcessGroup, ProcessUsage, SpawnLimits, SpawnSpec, Spawned, Spawner,
    pipe, reap,
};
use crate::sync::lock;
use crate::sys::{self, Channel, PidFd, Source};
use crate::tag::Tag;
use crate::termination::Termination;

/// A server that is ready. When the last reference is dropped, its socket closes, and it ends.
#[derive(Debug)]
pub(super) struct Server {
    line: tokio::sync::Mutex<Line>,
    /// Cancelled when the server misbehaves: it is to be ended.
    pub(super) broken: CancellationToken,
    /// Cancelled when the server's process has ended.
    pub(super) gone: CancellationToken,
    used: Mutex<Instant>,
    /// The server's own tag; those of the programs are of the same engine.
    tag: Option<Tag>,
}

#[derive(Debug)]
struct Line {
    channel: Channel,
    /// The number of the latest message; a response to an older one is ignored.
    number: u64,
}

/// The reason why a server did not start a program. The program certainly did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This program has to start cold; the server is still usable.
    Cold,
    /// The server is not usable any more.
    Done,
}

impl Server {
    /// Starts a server; resolves when it is ready. Also returns its process, which the caller must watch.
    ///
    /// The inner result is an error if the process is unfit for a server; then it is exiting, or is to be ended.
    pub(super) async fn begin(
        spawner: &dyn Spawner,
        key: &Key,
        stage: Stage,
    ) -> io::Result<(Spawned, io::Result<Self>)> {
        let (channel, theirs) = Channel::pair()?;
        let memory =
            sys::sealed_memory("sandbox-python", &[BOOT, LEAVE, SERVER].map(str::as_bytes))?;
        let mut argv: Vec<OsString> = vec![
            key.program.clone().into(),
            "-u".into(),
            "-c".into(),
            STUB.as_str().into(),
        ];
        argv.extend(stage.modules().iter().map(Into::into));
        let spec = SpawnSpec {
            program: key.program.clone(),
            argv,
            env: key.env.clone(),
            cwd: key.cwd.clone(),
            fds: vec![
                ChildFd::Null,
                ChildFd::Output,
                ChildFd::Output,
                ChildFd::Given(Arc::new(theirs)),
                ChildFd::Given(Arc::new(memory)),
            ],
            group: ProcessGroup::Own,
            limits: SpawnLimits::default(),
        };
        let spawned = spawn_in_time(spawner, spec).await;
        let spawned = spawned.map_err(io::Error::other)?;
        let ready = ready(&channel, spawned.pid, &spawned.fds).await;
        let server = ready.map(|()| Self {
            line: tokio::sync::Mutex::new(Line { channel, number: 0 }),
            broken: CancellationToken::new(),
            gone: CancellationToken::new(),
            used: Mutex::new(Instant::now()),
            tag: spawned.tag,
        });
        Ok((spawned, server))
    }

    /// Returns when the server last started a program, or reaped one.
    pub(super) fn last_used(&self) -> Instant {
        *lock(&self.used)
    }

    /// Starts the program of `spec`, for which [`Key::of`] returned a key.
    pub(super) async fn start(self: &Arc<Self>, spec: &SpawnSpec) -> Result<Spawned, Refused> {
        self.touch();
        // The fields are separated by NULs, so none may contain one; a cold start reports that as
        // an error.
        let mut message = b"R\0".to_vec();
        message.extend(spec.cwd.as_os_str().as_bytes());
        for argument in &spec.argv[ARGUMENTS..] {
            if argument.as_bytes().contains(&0) {
                return Err(Refused::Cold);
            }
            message.push(0);
            message.extend(argument.as_bytes());
        }
        if message.len() > WARM_MESSAGE_BYTES {
            return Err(Refused::Cold);
        }
        let ends = Ends::open(&spec.fds).map_err(|_| Refused::Cold)?;
        // The program begins when a byte is written to this pipe, and ends if the writing end is closed first.
        let (gate, open) = pipe().map_err(|_| Refused::Cold)?;
        let answer = {
            let mut fds = Vec::new();
            for source in ends.far() {
                match source {
                    Source::Fd(fd) => fds.push(fd),
                    Source::Terminal(_) => return Err(Refused::Cold),
                }
            }
            fds.push(gate.as_fd());
            self.ask(&message, &fds).await.map_err(|_| Refused::Done)?
        };
        drop(gate);
        let id = begun(&answer)?;
        let number = id.as_raw_nonzero().get().unsigned_abs();
        // The process waits for the byte and is reaped only on request, so the number is its own
        // until then. After an error from here on, `open` is closed, and the process ends without
        // having begun.
        let pidfd = PidFd::open(id).map_err(|_| Refused::Cold)?;
        let tag = self.tag.map(Tag::another);
        let tag = tag.filter(|tag| tag.put_on(number).is_ok());
        rustix::io::write(&open, b"g").map_err(|_| Refused::Cold)?;
        // It becomes this process's child if its server ends, and is no orphan then.
        let own = OwnChild::of(number);
        let server = Arc::clone(self);
        Ok(Spawned {
            pid: number,
            tag,
            fds: ends.take_near(),
            exit: Box::pin(async move {
                pidfd.ended().await?;
                let ended = match server.reap(number).await {
                    Ok(ended) => Ok(ended),
                    // Without its parent it is this process's child, if that adopts orphans. Otherwise its exit is lost.
                    Err(error) => match timeout(KILL_WAIT, server.gone.cancelled()).await {
                        Ok(()) => reap(pidfd.as_fd()).map_err(|_| error),
                        Err(_) => Err(error),
                    },
                };
                drop(own);
                ended
            }),
        })
    }

    async fn reap(&self, pid: u32) -> io::Result<Exited> {
        self.touch();
        let answer = self.ask(format!("W\0{pid}").as_bytes(), &[]).await?;
        ended(&answer)
    }

    /// Sends a message and waits for the response. After an error the server is ended.
    async fn ask(&self, message: &[u8], fds: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<String> {
        // Held until the response: there is one exchange at a time. If this future is dropped
        // before it, the next exchange skips the response by its number.
        let mut line = self.line.lock().await;
        line.number += 1;
        let number = line.number;
        let exchange = async {
            let whole = [format!("{number}\0").as_bytes(), message].concat();
            line.channel.send(&whole, fds).await?;
            loop {
                let (answered, word) = told(line.channel.receive().await?)?;
                if answered == number {
                    return Ok(word);
                }
            }
        };
        let answer = match timeout(WARM_RESPONSE_TIMEOUT, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        if answer.is_err() {
            self.broken.cancel();
        }
        answer
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }
}

/// Waits until a server reports that it is ready. If it writes anything else it is unfit: each program would have to, too.
async fn ready(channel: &Channel, pid: u32, fds: &[Option<OwnedFd>]) -> io::Result<()> {
    let patience = Patience::begin(pid, WARM_START);
    let said = match patience.wait_for(channel.receive()).await {
        Some(said) => told(said?)?.1,
        None => return Err(io::ErrorKind::TimedOut.into()),
    };
    if said != "ready" {
        return Err(io::Error::other(said));
    }
    for output in fds.iter().flatten() {
        rustix::io::ioctl_fionbio(output, true)?;
        if rustix::io::read(output, &mut [0; 1]) != Err(rustix::io::Errno::AGAIN) {
            return Err(io::Error::other("its start writes something"));
        }
    }
    Ok(())
}

/// Parses the id of the process in which a program began.
pub(crate) fn begun(answer: &str) -> Result<Pid, Refused> {
    if answer == "cold" {
        return Err(Refused::Cold);
    }
    let id = answer.parse().ok().filter(|id: &i32| *id > 0);
    id.and_then(Pid::from_raw).ok_or(Refused::Done)
}

/// Parses how a process ended.
pub(crate) fn ended(answer: &str) -> io::Result<Exited> {
    let mut words = answer.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let (kind, value, core) = (next(), next().parse(), next());
    let termination = match (kind, value) {
        ("exit", Ok(code @ 0..=255)) => Termination::Exited { code },
        ("signal", Ok(signal @ 1..=64)) => Termination::Signaled {
            signal,
            core_dumped: core == "1",
        },
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let mut number = || next().parse().ok();
    let usage = match (number(), number(), number()) {
        (Some(user), Some(system), Some(peak)) => Some(ProcessUsage {
            user_time: Duration::from_micros(user),
            system_time: Duration::from_micros(system),
            peak_rss_bytes: Some(u64::saturating_mul(peak, 1024)),
        }),
        _ => None,
    };
    Ok(Exited { termination, usage })
}

/// Splits a message into the number of its request and the response.
pub(crate) fn told(message: Vec<u8>) -> io::Result<(u64, String)> {
    if message.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let parts = String::from_utf8(message).ok();
    let parts = parts.as_deref().and_then(|text| text.split_once('\0'));
    let told = parts.and_then(|(number, word)| Some((number.parse().ok()?, word.to_owned())));
    told.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

const SERVER: &str = concat!(
    include_str!("../../python/files.py"),
    include_str!("../../python/server.py"),
);

/// Executes `server.py`, and in a forked process the program that it returns, at the depth at which a cold start's
/// stub does it. The namespace of `server.py` is emptied before: its functions and it refer to each other, so the program's
/// first collection would find them as garbage.
static STUB: LazyLock<String> = LazyLock::new(|| {
    let (boot, server) = (BOOT.len(), SERVER.len());
    let leave_end = boot + LEAVE.len();
    format!(
        "exec(*(lambda names:(exec(compile(__import__('os').pread(4,{server},{leave_end}),'<sandbox>','exec'),names),\
         names.pop('program'),names.clear())[1])({{'__name__':'_sandbox_warm','boot_length':{boot},'leave_end':{leave_end}}}))"
    )
});
