//! A command that runs or is to run: what it writes, what it is given, how it ends.

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::process::Signal;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::input::{Input, InputError};
use crate::limits::{INPUT_BYTES, RESPONSE};
use crate::record::{Record, WeakRecord};
use crate::terminal::PtySize;
use crate::termination::Termination;

/// A command of a session, or one that [`Engine::start`](crate::Engine::start) runs. Cheap to clone; all clones are one
/// command.
///
/// Dropping it changes nothing: the command runs on, to its end or its time limit.
#[derive(Debug, Clone)]
pub struct Command {
    inner: Arc<Inner>,
    record: Record,
}

/// The command as the task that runs it sees it. It does not keep the record: output of a command that nobody can read
/// any more is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Supervised {
    inner: Arc<Inner>,
    record: WeakRecord,
}

#[derive(Debug)]
struct Inner {
    id: String,
    text: String,
    state: watch::Sender<CommandState>,
    input: Option<Input>,
    echo: bool,
    requests: mpsc::Sender<Request>,
    /// Of one that is a process of its own, from its start on.
    pid: OnceLock<u32>,
    /// Of one on a terminal, from its start on.
    size: Mutex<Option<PtySize>>,
    created_at: SystemTime,
    started_at: OnceLock<SystemTime>,
    ended_at: OnceLock<SystemTime>,
}

impl Inner {
    fn size(&self) -> Option<PtySize> {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_running(&self) {
        // Before the state, so that a reader of the state finds the time.
        self.started_at.get_or_init(SystemTime::now);
        self.state.send_replace(CommandState::Running);
    }
}

/// How far a command is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// Others of its session run before it.
    Queued,
    /// It runs.
    Running,
    /// It has ended, and all that it wrote is in its record.
    Ended(Termination),
}

/// What a command reads from its standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum InputMode {
    /// Nothing: it finds the end at once.
    #[default]
    Empty,
    /// What [`Command::write_input`] gives it, which also goes to its record as stdout.
    Echoed,
    /// What [`Command::write_input`] gives it.
    Silent,
}

/// Why a command was not signaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// It has not begun.
    #[error("the command has not started yet")]
    Queued,
    /// It has ended.
    #[error("the command has already completed")]
    Ended,
    /// It runs in the session's shell alone, without a process of its own, and started none within
    /// [`SIGNAL_WAIT`](crate::limits::SIGNAL_WAIT).
    #[error(
        "the command runs no process that could be signaled; KILL ends it, with the session's shell if need be"
    )]
    NoProcess,
    /// Whether it was signaled is not known: its task has not responded within
    /// [`RESPONSE`](crate::limits::RESPONSE).
    #[error("the command's task does not respond")]
    NoResponse,
}

/// Why a command's terminal was not resized.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// It does not run on a terminal.
    #[error("the command has no terminal")]
    NoTerminal,
    /// It has ended.
    #[error("the command has already completed")]
    Ended,
    /// Whether it was resized is not known: its task has not responded within
    /// [`RESPONSE`](crate::limits::RESPONSE).
    #[error("the command's task does not respond")]
    NoResponse,
    /// The system refused.
    #[error("cannot resize the terminal")]
    Os(#[source] io::Error),
}

/// Something asked of the task that has a running command.
#[derive(Debug)]
pub(crate) enum Request {
    Resize {
        size: PtySize,
        reply: oneshot::Sender<Result<(), ResizeError>>,
    },
    Signal {
        /// The command's id.
        command: String,
        signal: Signal,
        reply: SignalReply,
    },
}

/// Where the result of a signal goes.
pub(crate) type SignalReply = oneshot::Sender<Result<(), SignalError>>;

impl Command {
    pub(crate) fn new(
        id: String,
        text: String,
        record: Record,
        mode: InputMode,
        requests: mpsc::Sender<Request>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                id,
                text,
                state: watch::Sender::new(CommandState::Queued),
                input: (mode != InputMode::Empty).then(|| Input::new(INPUT_BYTES)),
                echo: mode == InputMode::Echoed,
                requests,
                pid: OnceLock::new(),
                size: Mutex::new(None),
                created_at: SystemTime::now(),
                started_at: OnceLock::new(),
                ended_at: OnceLock::new(),
            }),
            record,
        }
    }

    /// Returns the side of it for the task that runs it.
    pub(crate) fn supervised(&self) -> Supervised {
        Supervised {
            inner: Arc::clone(&self.inner),
            record: self.record.downgrade(),
        }
    }

    /// Its id, unique within its session.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Its text, as it was given.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// The process that it is, which leads a group of its own. `None` for a command of a session, which has no process of its
    /// own, and for one that was not started.
    ///
    /// For people: once it has ended, the system may give the number to another process.
    pub fn pid(&self) -> Option<u32> {
        self.inner.pid.get().copied()
    }

    /// Returns the size of its terminal. `None` for one on pipes, for a command of a session, and for one that was not started.
    pub fn size(&self) -> Option<PtySize> {
        self.inner.size()
    }

    /// Returns when it was given to the engine, by the clock of this machine.
    pub fn created_at(&self) -> SystemTime {
        self.inner.created_at
    }

    /// Returns when its turn came. `None` for one that waits, and for one that never ran.
    pub fn started_at(&self) -> Option<SystemTime> {
        self.inner.started_at.get().copied()
    }

    /// Returns when it ended. `None` for one that has not.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.inner.ended_at.get().copied()
    }

    /// What it writes.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// How far it is.
    pub fn state(&self) -> CommandState {
        self.inner.state.borrow().clone()
    }

    /// Resolves when it has ended, to how.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the command runs on.
    pub async fn ended(&self) -> Termination {
        let mut state = self.inner.state.subscribe();
        loop {
            if let CommandState::Ended(termination) = &*state.borrow_and_update() {
                return termination.clone();
            }
            if state.changed().await.is_err() {
                unreachable!("the command holds the sender");
            }
        }
    }

    /// Resolves when its turn has come, or it has ended without.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn begun(&self) {
        let mut state = self.inner.state.subscribe();
        let begun = state.wait_for(|state| *state != CommandState::Queued).await;
        if begun.is_err() {
            unreachable!("the command holds the sender");
        }
    }

    /// Gives it more input, after what it was given before; bytes of one call stay together. Input for a queued command
    /// waits for it. Unless it was started without echo, the bytes also go to its record as stdout.
    ///
    /// Never waits: what the command does not read is kept for it, up to [`INPUT_BYTES`](crate::limits::INPUT_BYTES).
    ///
    /// # Errors
    ///
    /// [`InputError`]; then nothing of `bytes` was given.
    pub fn write_input(&self, bytes: Bytes) -> Result<(), InputError> {
        self.give(bytes, None)
    }

    /// The same for bytes that begin at this offset, counted in bytes of input from the beginning: those that it was given
    /// before are left out, so that input can be sent again when nobody knows whether it arrived.
    ///
    /// # Errors
    ///
    /// [`InputError`]; then nothing of `bytes` was given.
    pub fn write_input_at(&self, offset: u64, bytes: Bytes) -> Result<(), InputError> {
        self.give(bytes, Some(offset))
    }

    /// Resolves when [`write_input`](Self::write_input) of this many bytes would not be refused with [`InputError::Full`], unless
    /// they are more than ever fit.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn input_room(&self, length: usize) {
        if let Some(input) = &self.inner.input {
            input.room(length).await;
        }
    }

    /// How many bytes of input it was given so far.
    pub fn input_length(&self) -> u64 {
        self.inner.input.as_ref().map_or(0, Input::accepted)
    }

    /// Returns how many bytes of that do not wait for it any more: they are in its pipe or its terminal, or were discarded.
    pub fn input_taken(&self) -> u64 {
        self.inner.input.as_ref().map_or(0, Input::taken)
    }

    /// Resolves when [`input_taken`](Self::input_taken) has reached this many bytes; never if it does not.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn input_taken_up_to(&self, bytes: u64) {
        match &self.inner.input {
            Some(input) => input.taken_up_to(bytes).await,
            None => std::future::pending().await,
        }
    }

    fn give(&self, bytes: Bytes, offset: Option<u64>) -> Result<(), InputError> {
        let given = self.open_input()?.push(bytes, offset)?;
        if self.inner.echo {
            self.record.append(Channel::Stdout, given);
        }
        Ok(())
    }

    /// Ends its input: it reads what it was given, and then an end of file. On a terminal that is the character which ends the
    /// input there (Ctrl-D), typed after what it was given: it ends what reads at that time, and means what a program in raw mode
    /// makes of it.
    ///
    /// # Errors
    ///
    /// [`InputError`] if there is no input to end.
    pub fn close_input(&self) -> Result<(), InputError> {
        self.open_input()?.close()
    }

    fn open_input(&self) -> Result<&Input, InputError> {
        match (&*self.inner.state.borrow(), &self.inner.input) {
            (CommandState::Ended(Termination::NotStarted { .. }), _) => {
                Err(InputError::SessionEnded)
            }
            (CommandState::Ended(_), _) => Err(InputError::Ended),
            (_, None) => Err(InputError::Closed),
            (_, Some(input)) => Ok(input),
        }
    }

    /// Signals all its processes. The shell of a session is not one of them: after `KILL` whatever else it starts for this
    /// command is killed, too, and if it goes on by itself (a loop of builtins) it is ended, and the session with it. Any other
    /// signal reaches the processes that there are now. While there is none, because the shell is between two of them or runs
    /// builtins, it waits for the first, for [`SIGNAL_WAIT`](crate::limits::SIGNAL_WAIT) at most.
    ///
    /// # Errors
    ///
    /// [`SignalError`] if it does not run, or has no process.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the signal was sent or not, and is not sent later.
    pub async fn signal(&self, signal: Signal) -> Result<(), SignalError> {
        match self.state() {
            CommandState::Queued => return Err(SignalError::Queued),
            CommandState::Ended(_) => return Err(SignalError::Ended),
            CommandState::Running => {}
        }
        let request = |reply| Request::Signal {
            command: self.inner.id.clone(),
            signal,
            reply,
        };
        match ask(&self.inner.requests, request).await {
            Ok(signaled) => signaled,
            Err(Unanswered::Ended) => Err(SignalError::Ended),
            Err(Unanswered::Silent) => Err(SignalError::NoResponse),
        }
    }

    /// Sets the size of its terminal. Its foreground processes are sent `WINCH`, unless the size is the same.
    ///
    /// # Errors
    ///
    /// Returns [`ResizeError`]; unless that is [`NoResponse`](ResizeError::NoResponse), the size is the old one.
    ///
    /// # Cancel safety
    ///
    /// If dropped, it was resized or not.
    pub async fn resize(&self, size: PtySize) -> Result<(), ResizeError> {
        match self.state() {
            CommandState::Ended(_) => return Err(ResizeError::Ended),
            CommandState::Queued | CommandState::Running if self.size().is_none() => {
                return Err(ResizeError::NoTerminal);
            }
            CommandState::Queued | CommandState::Running => {}
        }
        let request = |reply| Request::Resize { size, reply };
        match ask(&self.inner.requests, request).await {
            Ok(resized) => resized,
            Err(Unanswered::Ended) => Err(ResizeError::Ended),
            Err(Unanswered::Silent) => Err(ResizeError::NoResponse),
        }
    }

    pub(crate) fn input(&self) -> Option<Input> {
        self.inner.input.clone()
    }

    pub(crate) fn set_running(&self) {
        self.inner.set_running();
    }
}

impl Supervised {
    pub(crate) fn set_size(&self, size: PtySize) {
        let mut known = self
            .inner
            .size
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(size);
    }

    pub(crate) fn record(&self) -> WeakRecord {
        self.record.clone()
    }

    pub(crate) fn input(&self) -> Option<Input> {
        self.inner.input.clone()
    }

    pub(crate) fn set_pid(&self, pid: u32) {
        // Only its own task sets it, once.
        let _ = self.inner.pid.set(pid);
    }

    pub(crate) fn set_running(&self) {
        self.inner.set_running();
    }

    fn set_ended(&self, termination: Termination) {
        if let Some(input) = &self.inner.input {
            input.end(InputError::Ended);
        }
        self.inner.ended_at.get_or_init(SystemTime::now);
        // First, so that a follower that sees the end of the record finds the exit code.
        let ended = CommandState::Ended(termination);
        self.inner.state.send_replace(ended);
        if let Some(record) = self.record.upgrade() {
            record.complete();
        }
    }
}

/// Why a task has not responded to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It has ended.
    Ended,
    /// It has not responded within [`RESPONSE`].
    Silent,
}

/// Sends a request to a task and waits for the response. If dropped, the request was sent or not.
pub(crate) async fn ask<R, A>(
    requests: &mpsc::Sender<R>,
    request: impl FnOnce(oneshot::Sender<A>) -> R,
) -> Result<A, Unanswered> {
    let (reply, response) = oneshot::channel();
    let asked = async {
        requests.send(request(reply)).await.ok()?;
        response.await.ok()
    };
    match tokio::time::timeout(RESPONSE, asked).await {
        Ok(response) => response.ok_or(Unanswered::Ended),
        Err(_) => Err(Unanswered::Silent),
    }
}

/// The obligation to end a command, which its task has. A command ends exactly once: if this is dropped, because the task
/// panics, as lost.
#[derive(Debug)]
pub(crate) struct CommandEnd {
    /// Until it is [released](Self::release).
    command: Option<Command>,
    /// Until it has ended.
    supervised: Option<Supervised>,
}

impl CommandEnd {
    pub(crate) fn of(command: Command) -> Self {
        Self {
            supervised: Some(command.supervised()),
            command: Some(command),
        }
    }

    pub(crate) fn command(&self) -> &Command {
        match &self.command {
            Some(command) => command,
            None => unreachable!("a task that releases its command does not ask for it"),
        }
    }

    /// Passes the command on, and with it the record: once no one holds it, its output is dropped.
    pub(crate) fn release(&mut self) -> Command {
        match self.command.take() {
            Some(command) => command,
            None => unreachable!("a command is released once"),
        }
    }

    /// Ends the command. Everything that it wrote has been appended.
    pub(crate) fn set(mut self, termination: Termination) {
        if let Some(supervised) = self.supervised.take() {
            supervised.set_ended(termination);
        }
    }
}

impl Drop for CommandEnd {
    fn drop(&mut self) {
        if let Some(supervised) = self.supervised.take() {
            supervised.set_ended(Termination::Lost {
                reason: "the task that ran the command failed".to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::record::Store;
    use crate::state::State;
    use crate::tag::Instance;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_respond_is_not_waited_for_without_end() {
        let record = Store::new(State::temporary(Instance::draw()), None).record();
        // It has no task: nothing takes the request from the channel.
        let (requests, _received) = mpsc::channel(1);
        let command = Command::new("c".into(), "x".into(), record, InputMode::Empty, requests);
        let end = CommandEnd::of(command.clone());
        command.set_running();
        for _ in 0..2 {
            let began = Instant::now();
            let signaled = command.signal(Signal::TERM).await;
            assert_eq!(signaled, Err(SignalError::NoResponse));
            assert_eq!(began.elapsed().as_secs(), RESPONSE.as_secs());
        }
        drop(end);
        assert!(matches!(command.ended().await, Termination::Lost { .. }));
    }
}
