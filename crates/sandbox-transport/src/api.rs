//! The contract of the operations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::FilesApi;
use crate::event::{ExecConnection, InterpreterStream, LogStream, PtyConnection};
use crate::files::NoFiles;
use crate::model::{
    Capabilities, CommandInfo, CommandInput, CommandOutput, ContextInfo, ContextRequest, EnvUpdate,
    ExecRequest, ExecStreamRequest, InterpretRequest, LogOptions, LogSource, Metrics, Outcome,
    PtyAttachRequest, PtyInfo, PtyRequest, PtySize, RunRequest, SessionExecuteRequest, SessionInfo,
    SessionOutcome, SessionRequest, Signal,
};
use crate::{CallOptions, Delivery, Error, ErrorKind};

/// A future that resolves to the result of an operation.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Expands to the body of an operation that a transport does not implement.
macro_rules! unsupported {
    ($name:ident $(, $argument:ident)*) => {{
        $(let _ = $argument;)*
        $crate::api::missing_operation(stringify!($name))
    }};
}
pub(crate) use unsupported;

/// The operations of a daemon, independent of the transport.
///
/// Every operation is one request that is sent exactly once, unless the [`RetryPolicy`](crate::RetryPolicy) says
/// otherwise, and has a finite deadline: [`limits`](crate::limits) has the defaults,
/// [`with_options`](Self::with_options) sets another one.
///
/// Operations of the protocol that older daemons lack, and extensions of this project's daemon, fail with
/// [`ErrorKind::Unsupported`] if the daemon does not have them. So does the default implementation of every method
/// here, for transports that leave one out. In that case nothing was done.
///
/// # Cancel safety
///
/// Dropping a future before it resolves does not cancel the request: the daemon still carries out what it received. The
/// transport remains usable for other operations.
///
/// # Errors
///
/// [`Error::kind`] says what happened, and [`Error::delivery`] whether the daemon may have carried the request out.
/// Refusals by the daemon have a [code](Error::code) in most cases.
pub trait ProcessApi: fmt::Debug + Send + Sync {
    /// Returns the same daemon with other options for each operation. Those that `options` leaves out are unchanged.
    ///
    /// This is cheap, and meant to be called for a single operation.
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi>;

    // Information about the daemon.

    /// Returns the daemon's version.
    fn version(&self) -> ApiFuture<'_, String> {
        unsupported!(version)
    }

    /// Returns what the daemon supports besides the protocol. The first result is cached. The daemon tries what its system allows when
    /// it is first asked for it, which takes tens of milliseconds; [`version`](Self::version) does not.
    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        unsupported!(capabilities)
    }

    /// Returns the directory that relative paths are relative to.
    fn work_dir(&self) -> ApiFuture<'_, String> {
        unsupported!(work_dir)
    }

    /// Returns the home directory of the daemon's user.
    fn home_dir(&self) -> ApiFuture<'_, String> {
        unsupported!(home_dir)
    }

    /// Returns the sandbox's resource usage. Daemons up to v0.190 do not have this operation.
    fn metrics(&self) -> ApiFuture<'_, Metrics> {
        unsupported!(metrics)
    }

    /// Changes the daemon's environment for later processes. Daemons up to v0.190 do not have this operation.
    fn update_env(&self, request: EnvUpdate) -> ApiFuture<'_, ()> {
        unsupported!(update_env, request)
    }

    /// Returns the TCP ports from 3000 to 9999 on which something listens in the sandbox.
    fn ports(&self) -> ApiFuture<'_, Vec<u16>> {
        unsupported!(ports)
    }

    /// Returns whether something listens on a TCP port, from 3000 to 9999, in the sandbox.
    fn port_in_use(&self, port: u16) -> ApiFuture<'_, bool> {
        unsupported!(port_in_use, port)
    }

    // Files.

    /// Returns the operations on files, with the same options.
    fn files(&self) -> Arc<dyn FilesApi> {
        Arc::new(NoFiles)
    }

    // Commands and programs.

    /// Runs a shell command to its end, or to its [soft limit](ExecRequest::soft_timeout).
    ///
    /// If the time limit runs out, the outcome is [`TimedOut`](crate::Termination::TimedOut), with what was written
    /// until then. If the daemon does not send that (stock ones do not), it is an error of kind
    /// [`Timeout`](ErrorKind::Timeout).
    fn execute(&self, request: ExecRequest) -> ApiFuture<'_, Outcome> {
        unsupported!(execute, request)
    }

    /// Starts a shell command that is followed, fed and signaled while it runs. *Extension.*
    ///
    /// Resolves when the command runs. Returns an error if the command cannot be started or the request is refused.
    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        unsupported!(execute_stream, request)
    }

    /// Returns a command without a session, and how it ended, if it did. *Extension.*
    ///
    /// Its id is that of [`StillRunning`](crate::Termination::StillRunning); its log is [`LogSource::Exec`]. Fails with
    /// [`ErrorKind::NotFound`] if it is unknown, or has ended and is no longer retained.
    fn exec_info<'a>(&'a self, exec_id: &'a str) -> ApiFuture<'a, CommandInfo> {
        unsupported!(exec_info, exec_id)
    }

    /// Signals all processes of a command without a session. Fails with [`ErrorKind::Conflict`] if it has ended. *Extension.*
    fn exec_signal<'a>(&'a self, exec_id: &'a str, signal: Signal) -> ApiFuture<'a, ()> {
        unsupported!(exec_signal, exec_id, signal)
    }

    /// Runs a program to its end. Time limits are as for [`execute`](Self::execute).
    ///
    /// Daemons that are too old to run programs fail with [`ErrorKind::Unsupported`].
    fn code_run(&self, request: RunRequest) -> ApiFuture<'_, Outcome> {
        unsupported!(code_run, request)
    }

    // Sessions.

    /// Starts a session's shell. Fails with [`ErrorKind::Conflict`] if the id is in use.
    fn create_session(&self, request: SessionRequest) -> ApiFuture<'_, ()> {
        unsupported!(create_session, request)
    }

    /// Lists the sessions, without the entrypoint's.
    fn list_sessions(&self) -> ApiFuture<'_, Vec<SessionInfo>> {
        unsupported!(list_sessions)
    }

    /// Returns a session and its commands. Fails with [`ErrorKind::NotFound`] if the session does not exist.
    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, SessionInfo> {
        unsupported!(get_session, session_id)
    }

    /// Returns the session of the command that the daemon was started with. Fails with [`ErrorKind::NotFound`] if there
    /// is none.
    fn entrypoint_session(&self) -> ApiFuture<'_, SessionInfo> {
        unsupported!(entrypoint_session)
    }

    /// Deletes a session: ends all its processes and discards its logs.
    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_session, session_id)
    }

    /// Runs a command in a session's shell: to its end, unless [`run_async`](SessionExecuteRequest::run_async) is set.
    ///
    /// Fails with [`ErrorKind::NotFound`] if the session does not exist, and [`ErrorKind::Conflict`] if its shell has
    /// ended.
    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionOutcome> {
        unsupported!(session_execute, session_id, request)
    }

    /// Returns a command of a session, and how it ended.
    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, CommandInfo> {
        unsupported!(session_command, session_id, command_id)
    }

    /// Returns the current content of a log. The middle of a very long log is left out;
    /// [`follow_log`](Self::follow_log) reads it.
    fn logs(&self, source: LogSource) -> ApiFuture<'_, CommandOutput> {
        unsupported!(logs, source)
    }

    /// Reads a log from an offset, and by default follows it to the command's end.
    ///
    /// Resolves when the daemon has begun to send. See [`LogStream`] for what holds after that.
    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        unsupported!(follow_log, source, options)
    }

    /// Sends input to a command.
    ///
    /// Lines are part of the protocol. [Raw](CommandInput::raw) bytes and the [end](CommandInput::eof) of the input are
    /// extensions, and [`ErrorKind::Unsupported`] elsewhere. Fails with [`ErrorKind::Conflict`] if the command has
    /// ended.
    fn session_input<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        input: CommandInput,
    ) -> ApiFuture<'a, ()> {
        unsupported!(session_input, session_id, command_id, input)
    }

    /// Signals all processes of a session's command, but not the session's shell. If there is none at the moment, the
    /// first that the command starts within 2 s gets the signal; if none starts, this fails with
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict). *Extension.*
    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: Signal,
    ) -> ApiFuture<'a, ()> {
        unsupported!(session_signal, session_id, command_id, signal)
    }

    // Terminals.

    /// Creates a terminal without connecting to it. Returns its id.
    fn create_pty(&self, request: PtyRequest) -> ApiFuture<'_, String> {
        unsupported!(create_pty, request)
    }

    /// Creates a terminal and connects to it, so that none of its output is missed.
    ///
    /// Daemons up to v0.190 take two requests: if the second fails, the terminal is deleted.
    fn open_pty(&self, request: PtyRequest) -> ApiFuture<'_, PtyConnection> {
        unsupported!(open_pty, request)
    }

    /// Connects to an existing terminal. Resolves when the daemon reports that the client is connected.
    ///
    /// An extension in the request fails with [`ErrorKind::Unsupported`] if the daemon does not have it.
    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        unsupported!(connect_pty, request)
    }

    /// Lists the terminals.
    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtyInfo>> {
        unsupported!(list_ptys)
    }

    /// Returns a terminal's description.
    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtyInfo> {
        unsupported!(pty_info, id)
    }

    /// Sets the size of a terminal, for all its clients. Fails with [`ErrorKind::Conflict`] if its shell has ended.
    fn resize_pty<'a>(&'a self, id: &'a str, size: PtySize) -> ApiFuture<'a, PtyInfo> {
        unsupported!(resize_pty, id, size)
    }

    /// Deletes a terminal and ends all its processes.
    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_pty, id)
    }

    // Interpreters.

    /// Creates an interpreter context.
    fn create_context(&self, request: ContextRequest) -> ApiFuture<'_, ContextInfo> {
        unsupported!(create_context, request)
    }

    /// Lists the interpreter contexts, without the default one.
    fn list_contexts(&self) -> ApiFuture<'_, Vec<ContextInfo>> {
        unsupported!(list_contexts)
    }

    /// Deletes an interpreter context and ends what runs in it.
    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(delete_context, id)
    }

    /// Runs code in an interpreter context.
    ///
    /// Resolves when the request is with the daemon, which may still refuse it: the refusal is then the stream's first
    /// item.
    fn interpret(&self, request: InterpretRequest) -> ApiFuture<'_, InterpreterStream> {
        unsupported!(interpret, request)
    }

    /// Interrupts what runs in an interpreter context, as Ctrl-C does; its state is preserved. *Extension.*
    fn interrupt_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(interrupt_context, id)
    }

    /// Restarts an interpreter context with a new worker: what runs in it is ended, and its state is lost. *Extension.*
    fn restart_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        unsupported!(restart_context, id)
    }
}

pub(crate) fn missing_operation<'a, T: Send + 'a>(operation: &str) -> ApiFuture<'a, T> {
    let message = format!("this transport has no operation '{operation}'");
    let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, message);
    Box::pin(std::future::ready(Err(error)))
}
