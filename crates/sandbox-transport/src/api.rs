//! The contract of the operations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::event::{ExecConnection, InterpreterStream, LogStream, PtyConnection};
use crate::model::{
    Capabilities, CommandInfo, CommandInput, CommandOutput, ContextInfo, ContextRequest, EnvUpdate,
    ExecRequest, ExecStreamRequest, InterpretRequest, LogOptions, LogSource, Metrics, Outcome,
    PtyAttachRequest, PtyInfo, PtyRequest, PtySize, RunRequest, SessionExecuteRequest, SessionInfo,
    SessionOutcome, Signal,
};
use crate::{CallOptions, Delivery, Error, ErrorKind};

/// An answer to come.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The body of an operation that a transport leaves out.
macro_rules! unsupported {
    ($name:ident $(, $argument:ident)*) => {{
        $(let _ = $argument;)*
        unsupported(stringify!($name))
    }};
}

/// The operations of a daemon, whatever carries them.
///
/// Every operation is one request that is sent once, unless the [`RetryPolicy`](crate::RetryPolicy) says otherwise, and has
/// a finite deadline: [`limits`](crate::limits) has the defaults, [`with_options`](Self::with_options) sets another one.
///
/// Operations of the protocol that older daemons lack, and those that are extensions of this project's daemon, fail with
/// [`ErrorKind::Unsupported`] where the daemon has them not; so does the default of every method here, for carriers that
/// leave one out. Nothing was done then.
///
/// # Cancel safety
///
/// Dropping a future before it resolves does not take the request back: the daemon does what it was told to. It never
/// spoils the carrier for other operations.
///
/// # Errors
///
/// [`Error::kind`] says what happened, and [`Error::delivery`] whether the daemon may have carried the request out. What
/// the daemon refuses has a [code](Error::code) in most cases.
pub trait ProcessApi: fmt::Debug + Send + Sync {
    /// The same daemon with other options for each operation. Those that `options` leaves out stay as they are here.
    ///
    /// Cheap: meant to be called for a single operation.
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi>;

    // What there is.

    /// Tells the daemon's version.
    fn version(&self) -> ApiFuture<'_, String> {
        unsupported!(version)
    }

    /// Tells what the daemon can do besides the protocol. Asked for once and kept.
    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        unsupported!(capabilities)
    }

    /// Tells the directory that relative paths are relative to.
    fn work_dir(&self) -> ApiFuture<'_, String> {
        unsupported!(work_dir)
    }

    /// Tells the home directory of the daemon's user.
    fn home_dir(&self) -> ApiFuture<'_, String> {
        unsupported!(home_dir)
    }

    /// Tells how busy the sandbox is. Daemons up to v0.190 have it not.
    fn metrics(&self) -> ApiFuture<'_, Metrics> {
        unsupported!(metrics)
    }

    /// Changes the daemon's environment, for processes that start later. Daemons up to v0.190 have it not.
    fn update_env(&self, request: EnvUpdate) -> ApiFuture<'_, ()> {
        unsupported!(update_env, request)
    }

    // Commands and programs.

    /// Runs a shell command to its end.
    ///
    /// A time limit that ran out is an outcome, [`TimedOut`](crate::Termination::TimedOut), with what was written until then.
    /// Where the daemon does not send that (stock ones do not), it is an error of kind [`Timeout`](ErrorKind::Timeout).
    fn execute(&self, request: ExecRequest) -> ApiFuture<'_, Outcome> {
        unsupported!(execute, request)
    }

    /// Starts a shell command that is followed, fed and signaled while it runs. *Extension.*
    ///
    /// Resolves when the command runs. A command that cannot be started, or a request that is refused, is an error here.
    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        unsupported!(execute_stream, request)
    }

    /// Runs a program to its end. Time limits are as for [`execute`](Self::execute).
    ///
    /// Daemons that are too old to run programs are given the program as a shell command, where the language is `python`
    /// or `javascript`; such an answer has no charts.
    fn code_run(&self, request: RunRequest) -> ApiFuture<'_, Outcome> {
        unsupported!(code_run, request)
    }

    // Sessions.

    /// Starts a session's shell. [`ErrorKind::Conflict`] for an id in use.
    fn create_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(create_session, session_id)
    }

    /// Lists the sessions, without the entrypoint's.
    fn list_sessions(&self) -> ApiFuture<'_, Vec<SessionInfo>> {
        unsupported!(list_sessions)
    }

    /// Tells about one session. [`ErrorKind::NotFound`] for an unknown one.
    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, SessionInfo> {
        unsupported!(get_session, session_id)
    }

    /// Tells about the session of the command that the daemon was started with. [`ErrorKind::NotFound`] without one.
    fn entrypoint_session(&self) -> ApiFuture<'_, SessionInfo> {
        unsupported!(entrypoint_session)
    }

    /// Ends a session with all its processes, and forgets its logs.
    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_session, session_id)
    }

    /// Runs a command in a session's shell; to its end, unless [`run_async`](SessionExecuteRequest::run_async) is set.
    ///
    /// [`ErrorKind::NotFound`] for an unknown session, [`ErrorKind::Conflict`] for one whose shell has ended.
    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionOutcome> {
        unsupported!(session_execute, session_id, request)
    }

    /// Tells about one command of a session, and how it ended.
    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, CommandInfo> {
        unsupported!(session_command, session_id, command_id)
    }

    /// Returns what a log holds now. Of a very long log the middle is left out, which [`follow_log`](Self::follow_log) reads.
    fn logs(&self, source: LogSource) -> ApiFuture<'_, CommandOutput> {
        unsupported!(logs, source)
    }

    /// Reads a log from an offset, and by default follows it to the command's end.
    ///
    /// Resolves when the daemon has begun to send. See [`LogStream`] for what holds after that.
    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        unsupported!(follow_log, source, options)
    }

    /// Gives a command input.
    ///
    /// Lines are part of the protocol. [Raw](CommandInput::raw) bytes and the [end](CommandInput::eof) of the input are
    /// extensions, and [`ErrorKind::Unsupported`] elsewhere. [`ErrorKind::Conflict`] when the command has ended.
    fn session_input<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        input: CommandInput,
    ) -> ApiFuture<'a, ()> {
        unsupported!(session_input, session_id, command_id, input)
    }

    /// Signals all processes of a command of a session, and not its shell. If there is none at the moment, the first that the command
    /// starts within 2 s gets the signal; if none comes, the error's kind is [`ErrorKind::Conflict`](crate::ErrorKind::Conflict).
    /// *Extension.*
    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: Signal,
    ) -> ApiFuture<'a, ()> {
        unsupported!(session_signal, session_id, command_id, signal)
    }

    // Terminals.

    /// Makes a terminal and does not connect to it. Returns its id.
    fn create_pty(&self, request: PtyRequest) -> ApiFuture<'_, String> {
        unsupported!(create_pty, request)
    }

    /// Makes a terminal and connects to it, so that nothing it shows is missed.
    ///
    /// Daemons up to v0.190 take two requests: should the second fail, the terminal is deleted.
    fn open_pty(&self, request: PtyRequest) -> ApiFuture<'_, PtyConnection> {
        unsupported!(open_pty, request)
    }

    /// Connects to a terminal that is there. Resolves when the daemon says that the client is connected.
    ///
    /// What is an extension in the request is [`ErrorKind::Unsupported`] where the daemon has it not.
    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        unsupported!(connect_pty, request)
    }

    /// Lists the terminals.
    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtyInfo>> {
        unsupported!(list_ptys)
    }

    /// Tells about one terminal.
    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtyInfo> {
        unsupported!(pty_info, id)
    }

    /// Sets the size of a terminal, for all its clients. [`ErrorKind::Conflict`] once its shell has ended.
    fn resize_pty<'a>(&'a self, id: &'a str, size: PtySize) -> ApiFuture<'a, PtyInfo> {
        unsupported!(resize_pty, id, size)
    }

    /// Ends a terminal with all its processes.
    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_pty, id)
    }

    // Interpreters.

    /// Makes an interpreter context.
    fn create_context(&self, request: ContextRequest) -> ApiFuture<'_, ContextInfo> {
        unsupported!(create_context, request)
    }

    /// Lists the interpreter contexts, without the default one.
    fn list_contexts(&self) -> ApiFuture<'_, Vec<ContextInfo>> {
        unsupported!(list_contexts)
    }

    /// Ends an interpreter context with what runs in it.
    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_context, id)
    }

    /// Runs code in an interpreter context.
    ///
    /// Resolves when the request is with the daemon, which may refuse it still: that is the stream's first item then.
    fn interpret(&self, request: InterpretRequest) -> ApiFuture<'_, InterpreterStream> {
        unsupported!(interpret, request)
    }

    /// Interrupts what runs in an interpreter context, as Ctrl-C does; its state stays. *Extension.*
    fn interrupt_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(interrupt_context, id)
    }

    /// Gives an interpreter context a new worker: what runs in it is ended, and its state is lost. *Extension.*
    fn restart_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(restart_context, id)
    }
}

fn unsupported<'a, T: Send + 'a>(operation: &str) -> ApiFuture<'a, T> {
    let message = format!("this carrier has no operation '{operation}'");
    let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, message);
    Box::pin(std::future::ready(Err(error)))
}
