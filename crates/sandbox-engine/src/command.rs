//! A command, running or queued: its output, its input and its end.

use std::io;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use rustix::process::Signal;
use sandbox_logcodec::Channel;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};

use crate::input::{Input, InputError};
use crate::isolation::Level;
use crate::limits::{INPUT_BYTES, RESPONSE};
use crate::record::{Record, WeakRecord};
use crate::resources::Usage;
use crate::sync::lock;
use crate::terminal::PtySize;
use crate::termination::Termination;

/// A command of a session, or one that [`Engine::start`](crate::Engine::start) runs. Cheap to clone; all clones are one
/// command.
///
/// Dropping the handle has no effect: the command continues to its end or its time limit.
#[derive(Debug, Clone)]
pub struct Command {
    inner: Arc<Inner>,
    record: Record,
}

/// The command as seen by the task that runs it. It does not hold the record: output of a command that no reader can reach
/// is dropped.
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
    /// Set at the start of a command that is a process of its own.
    pid: OnceLock<u32>,
    /// Set at the start of a command on a terminal.
    size: Mutex<Option<PtySize>>,
    level: OnceLock<Level>,
    /// Set before the end.
    usage: OnceLock<Usage>,
    created_at: SystemTime,
    started_at: OnceLock<SystemTime>,
    ended_at: OnceLock<SystemTime>,
}

impl Inner {
    fn size(&self) -> Option<PtySize> {
        *lock(&self.size)
    }

    fn set_running(&self) {
        // Before the state, so that a reader that sees the state finds the time.
        self.started_at.get_or_init(SystemTime::now);
        self.state.send_replace(CommandState::Running);
    }
}

/// The state of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandState {
    /// Waiting for other commands of its session.
    Queued,
    /// Running.
    Running,
    /// Ended; all of the command's output is in its record.
    Ended(Termination),
}

/// The source of a command's standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum InputMode {
    /// No input: the command reads an end of file immediately.
    #[default]
    Empty,
    /// The bytes from [`Command::write_input`], which also go to the record as stdout.
    Echoed,
    /// The bytes from [`Command::write_input`].
    Silent,
}

/// An error from signaling a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The command has not started.
    #[error("the command has not started yet")]
    Queued,
    /// The command has ended.
    #[error("the command has already completed")]
    Ended,
    /// The command runs in the session's shell alone, without a process of its own, and started none within
    /// [`SIGNAL_WAIT`](crate::limits::SIGNAL_WAIT).
    #[error(
        "the command runs no process that could be signaled; KILL ends it, with the session's shell if need be"
    )]
    NoProcess,
    /// Whether the command was signaled is unknown: its task has not responded within
    /// [`RESPONSE`](crate::limits::RESPONSE).
    #[error("the command's task does not respond")]
    NoResponse,
}

/// An error from resizing a command's terminal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResizeError {
    /// The command does not run on a terminal.
    #[error("the command has no terminal")]
    NoTerminal,
    /// The command has ended.
    #[error("the command has already completed")]
    Ended,
    /// Whether the terminal was resized is unknown: the command's task has not responded within
    /// [`RESPONSE`](crate::limits::RESPONSE).
    #[error("the command's task does not respond")]
    NoResponse,
    /// The system failed to resize the terminal.
    #[error("cannot resize the terminal")]
    Os(#[source] io::Error),
}

/// A request to the task of a running command.
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

/// The channel for the result of a signal.
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
                level: OnceLock::new(),
                usage: OnceLock::new(),
                created_at: SystemTime::now(),
                started_at: OnceLock::new(),
                ended_at: OnceLock::new(),
            }),
            record,
        }
    }

    /// Returns how strongly the command is isolated.
    pub fn level(&self) -> Level {
        self.inner.level.get().copied().unwrap_or_default()
    }

    /// Returns what the command has used. `None` before its end, and if it is not known.
    pub fn usage(&self) -> Option<Usage> {
        self.inner.usage.get().copied()
    }

    /// Returns the handle for the task that runs the command.
    pub(crate) fn supervised(&self) -> Supervised {
        Supervised {
            inner: Arc::clone(&self.inner),
            record: self.record.downgrade(),
        }
    }

    /// Returns the command's id, unique within its session.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// Returns the text of the command as it was passed in.
    pub fn text(&self) -> &str {
        &self.inner.text
    }

    /// Returns the id of the command's process, which leads a process group. `None` for a command of a session, which has no
    /// process of its own, and for one that was not started.
    ///
    /// For display: after the command has ended, the system may reuse the number.
    pub fn pid(&self) -> Option<u32> {
        self.inner.pid.get().copied()
    }

    /// Returns the size of the command's terminal. `None` for one on pipes, for a command of a session, and for one that was not started.
    pub fn size(&self) -> Option<PtySize> {
        self.inner.size()
    }

    /// Returns the time at which the command was passed to the engine, by this machine's clock.
    pub fn created_at(&self) -> SystemTime {
        self.inner.created_at
    }

    /// Returns the time at which the command started. `None` for one that is queued, and for one that never ran.
    pub fn started_at(&self) -> Option<SystemTime> {
        self.inner.started_at.get().copied()
    }

    /// Returns the time at which the command ended. `None` for one that has not.
    pub fn ended_at(&self) -> Option<SystemTime> {
        self.inner.ended_at.get().copied()
    }

    /// Returns the record of the command's output.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the current state of the command.
    pub fn state(&self) -> CommandState {
        self.inner.state.borrow().clone()
    }

    /// Waits until the command has ended, and returns how it ended.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; the command continues.
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

    /// Waits until the command has started, or has ended without starting.
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

    /// Appends input for the command; bytes of one call stay together. Input for a queued command is held until it starts.
    /// Unless the mode is [`Silent`](InputMode::Silent), the bytes also go to the record as stdout.
    ///
    /// Never waits: unread input is buffered, up to [`INPUT_BYTES`](crate::limits::INPUT_BYTES).
    ///
    /// # Errors
    ///
    /// Returns [`InputError`]; then none of `bytes` was accepted.
    pub fn write_input(&self, bytes: Bytes) -> Result<(), InputError> {
        self.give(bytes, None)
    }

    /// Appends input that begins at `offset`, counted in bytes from the beginning of the input: bytes that were accepted
    /// before are skipped, so input can be sent again when it is unknown whether it arrived.
    ///
    /// # Errors
    ///
    /// Returns [`InputError`]; then none of `bytes` was accepted.
    pub fn write_input_at(&self, offset: u64, bytes: Bytes) -> Result<(), InputError> {
        self.give(bytes, Some(offset))
    }

    /// Waits until [`write_input`](Self::write_input) of this many bytes would not fail with [`InputError::Full`], unless
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

    /// Returns the number of input bytes accepted so far.
    pub fn input_length(&self) -> u64 {
        self.inner.input.as_ref().map_or(0, Input::accepted)
    }

    /// Returns how many of the accepted bytes are no longer buffered: they are in the pipe or terminal, or were discarded.
    pub fn input_taken(&self) -> u64 {
        self.inner.input.as_ref().map_or(0, Input::taken)
    }

    /// Waits until [`input_taken`](Self::input_taken) has reached `bytes`; forever if it does not.
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

    /// Closes the input: the command reads what is buffered, and then an end of file. On a terminal the character that ends
    /// the input there (Ctrl-D) is typed after what is buffered: it ends the input of the program that reads at that time, and a
    /// program in raw mode interprets it as it likes.
    ///
    /// # Errors
    ///
    /// Returns [`InputError`] if there is no open input.
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

    /// Signals all processes of the command. The shell of a session is not one of them: after `KILL` any other process that it
    /// starts for this command is killed too, and if it continues by itself (a loop of builtins) it is ended, and the session with
    /// it. Any other signal reaches the current processes. While there is none, because the shell is between two of them or runs
    /// builtins, it waits for the first, for [`SIGNAL_WAIT`](crate::limits::SIGNAL_WAIT) at most.
    ///
    /// # Errors
    ///
    /// Returns [`SignalError`] if the command is not running or has no process.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the signal was sent or not, and will not be sent later.
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

    /// Sets the size of the command's terminal. The foreground processes are sent `WINCH`, unless the size is unchanged.
    ///
    /// # Errors
    ///
    /// Returns [`ResizeError`]; unless that is [`NoResponse`](ResizeError::NoResponse), the size is unchanged.
    ///
    /// # Cancel safety
    ///
    /// If dropped, the terminal was resized or not.
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
    pub(crate) fn set_level(&self, level: Level) {
        // Set one time, before the start.
        let _ = self.inner.level.set(level);
    }

    /// Sets what the command has used, before its end.
    pub(crate) fn set_usage(&self, usage: Usage) {
        let _ = self.inner.usage.set(usage);
    }

    pub(crate) fn set_size(&self, size: PtySize) {
        let mut known = lock(&self.inner.size);
        *known = Some(size);
    }

    pub(crate) fn record(&self) -> WeakRecord {
        self.record.clone()
    }

    pub(crate) fn input(&self) -> Option<Input> {
        self.inner.input.clone()
    }

    pub(crate) fn set_pid(&self, pid: u32) {
        // Set only by the command's own task, exactly once.
        let _ = self.inner.pid.set(pid);
    }

    pub(crate) fn set_running(&self) {
        self.inner.set_running();
    }

    fn set_ended(&self, termination: Termination) {
        if let Some(input) = &self.inner.input {
            // First, so that input which arrives from now on is refused and not lost.
            input.end(InputError::Ended);
        }
        self.inner.ended_at.get_or_init(SystemTime::now);
        // The state first, so that a follower that sees the end of the record finds the exit code.
        let ended = CommandState::Ended(termination);
        self.inner.state.send_replace(ended);
        if let Some(record) = self.record.upgrade() {
            record.complete();
        }
    }
}

/// The reason for a missing response of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The task has ended.
    Ended,
    /// The task has not responded within [`RESPONSE`].
    Silent,
}

/// Sends a request to a task and waits for the response. If dropped, the request was sent or not.
pub(crate) async fn ask<R, A>(
    requests: &mpsc::Sender<R>,
    request: impl FnOnce(oneshot::Sender<A>) -> R,
) -> Result<A, Unanswered> {
    let (reply, response) = oneshot::channel();
    let asked = async {
        // Within the time limit, too: the channel is full while the task is busy.
        requests.send(request(reply)).await.ok()?;
        response.await.ok()
    };
    match tokio::time::timeout(RESPONSE, asked).await {
        Ok(response) => response.ok_or(Unanswered::Ended),
        Err(_) => Err(Unanswered::Silent),
    }
}

/// The obligation of a task to end its command. A command ends exactly once: if this is dropped, because the task
/// panics, it ends as lost.
#[derive(Debug)]
pub(crate) struct CommandEnd {
    /// Present until it is [released](Self::release).
    command: Option<Command>,
    /// Present until the command has ended.
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

    /// Returns the command, and with it the record: when nothing else holds the record, output is dropped.
    pub(crate) fn release(&mut self) -> Command {
        match self.command.take() {
            Some(command) => command,
            None => unreachable!("a command is released once"),
        }
    }

    /// Ends the command. All of its output must have been appended.
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
        // There is no task: nothing receives the request.
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
