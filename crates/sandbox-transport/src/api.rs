//! The contract of the operations.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, CreateContextRequest, ExecuteRequest, ExecuteResponse,
    InterpreterContext, PtyCreateRequest, PtyResizeRequest, PtySessionInfo, Session,
    SessionCommand, SessionCommandLogsResponse, SessionExecuteRequest, SessionExecuteResponse,
    SignalSpec, SystemMetrics, UpdateEnvRequest, Version,
};
use sandbox_wire::ws::InterpreterRequest;

use crate::{
    CallOptions, Capabilities, CommandInput, Delivery, Error, ErrorKind, ExecConnection,
    ExecStreamRequest, InterpreterStream, LogOptions, LogSource, LogStream, PtyAttachRequest,
    PtyConnection,
};

/// An answer to come.
pub type ApiFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

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
/// the daemon refuses has an [envelope](Error::envelope).
pub trait ProcessApi: fmt::Debug + Send + Sync {
    /// The same daemon with other options for each operation. Those that `options` leaves out stay as they are here.
    ///
    /// Cheap: meant to be called for a single operation.
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi>;

    // What there is.

    /// Tells the daemon's version.
    fn version(&self) -> ApiFuture<'_, Version> {
        unsupported("version")
    }

    /// Tells what the daemon can do besides the protocol. Asked for once and kept.
    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        unsupported("capabilities")
    }

    /// Tells the directory that relative paths are relative to.
    fn work_dir(&self) -> ApiFuture<'_, String> {
        unsupported("work_dir")
    }

    /// Tells the home directory of the daemon's user.
    fn home_dir(&self) -> ApiFuture<'_, String> {
        unsupported("home_dir")
    }

    /// Tells how busy the sandbox is. Daemons up to v0.190 have it not.
    fn metrics(&self) -> ApiFuture<'_, SystemMetrics> {
        unsupported("metrics")
    }

    /// Changes the daemon's environment, for processes that start later. Daemons up to v0.190 have it not.
    fn update_env(&self, request: UpdateEnvRequest) -> ApiFuture<'_, ()> {
        let _ = request;
        unsupported("update_env")
    }

    // Commands and programs.

    /// Runs a shell command to its end.
    ///
    /// A time limit that ran out is an error of kind [`Timeout`](ErrorKind::Timeout) with an
    /// [envelope](Error::envelope), which has the output where the daemon sends it.
    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse> {
        let _ = request;
        unsupported("execute")
    }

    /// Starts a shell command that is followed, fed and signaled while it runs. *Extension.*
    ///
    /// Resolves when the command runs. A command that cannot be started, or a request that is refused, is an error here.
    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        let _ = request;
        unsupported("execute_stream")
    }

    /// Runs a program to its end. Time limits are as for [`execute`](Self::execute).
    ///
    /// Daemons that are too old to run programs are given the program as a shell command, where the language is `python`
    /// or `javascript`; such an answer has no charts.
    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse> {
        let _ = request;
        unsupported("code_run")
    }

    // Sessions.

    /// Starts a session's shell. [`ErrorKind::Conflict`] for an id in use.
    fn create_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        let _ = session_id;
        unsupported("create_session")
    }

    /// Lists the sessions, without the entrypoint's.
    fn list_sessions(&self) -> ApiFuture<'_, Vec<Session>> {
        unsupported("list_sessions")
    }

    /// Tells about one session. [`ErrorKind::NotFound`] for an unknown one.
    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, Session> {
        let _ = session_id;
        unsupported("get_session")
    }

    /// Tells about the session of the command that the daemon was started with. [`ErrorKind::NotFound`] without one.
    fn entrypoint_session(&self) -> ApiFuture<'_, Session> {
        unsupported("entrypoint_session")
    }

    /// Ends a session with all its processes, and forgets its logs.
    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        let _ = session_id;
        unsupported("delete_session")
    }

    /// Runs a command in a session's shell; to its end, unless [`run_async`](SessionExecuteRequest::run_async) is set.
    ///
    /// `stdout` and `stderr` of the answer are lossy UTF-8, and `output` has both with the markers of `sandbox-logcodec`.
    /// [`ErrorKind::NotFound`] for an unknown session, [`ErrorKind::Conflict`] for one whose shell has ended.
    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionExecuteResponse> {
        let _ = (session_id, request);
        unsupported("session_execute")
    }

    /// Tells about one command of a session, and how it ended.
    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, SessionCommand> {
        let _ = (session_id, command_id);
        unsupported("session_command")
    }

    /// Tells what a log holds now, as text: invalid UTF-8 is lost, and a very long log has its middle left out.
    ///
    /// [`follow_log`](Self::follow_log) gives the bytes.
    fn logs(&self, source: LogSource) -> ApiFuture<'_, SessionCommandLogsResponse> {
        let _ = source;
        unsupported("logs")
    }

    /// Reads a log from an offset, and by default follows it to the command's end.
    ///
    /// Resolves when the daemon has begun to send. See [`LogStream`] for what holds after that.
    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        let _ = (source, options);
        unsupported("follow_log")
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
        let _ = (session_id, command_id, input);
        unsupported("session_input")
    }

    /// Signals all processes of a command of a session, and not its shell. *Extension.*
    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: SignalSpec,
    ) -> ApiFuture<'a, ()> {
        let _ = (session_id, command_id, signal);
        unsupported("session_signal")
    }

    // Terminals.

    /// Makes a terminal and does not connect to it. Returns its id.
    fn create_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, String> {
        let _ = request;
        unsupported("create_pty")
    }

    /// Makes a terminal and connects to it, so that nothing it shows is missed.
    ///
    /// Daemons up to v0.190 take two requests: should the second fail, the terminal is deleted.
    fn open_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, PtyConnection> {
        let _ = request;
        unsupported("open_pty")
    }

    /// Connects to a terminal that is there. Resolves when the daemon says that the client is connected.
    ///
    /// What is an extension in the request is [`ErrorKind::Unsupported`] where the daemon has it not.
    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        let _ = request;
        unsupported("connect_pty")
    }

    /// Lists the terminals.
    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtySessionInfo>> {
        unsupported("list_ptys")
    }

    /// Tells about one terminal.
    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtySessionInfo> {
        let _ = id;
        unsupported("pty_info")
    }

    /// Sets the size of a terminal, for all its clients. [`ErrorKind::Conflict`] once its shell has ended.
    fn resize_pty<'a>(
        &'a self,
        id: &'a str,
        size: PtyResizeRequest,
    ) -> ApiFuture<'a, PtySessionInfo> {
        let _ = (id, size);
        unsupported("resize_pty")
    }

    /// Ends a terminal with all its processes.
    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        let _ = id;
        unsupported("delete_pty")
    }

    // Interpreters.

    /// Makes an interpreter context.
    fn create_context(&self, request: CreateContextRequest) -> ApiFuture<'_, InterpreterContext> {
        let _ = request;
        unsupported("create_context")
    }

    /// Lists the interpreter contexts, without the default one.
    fn list_contexts(&self) -> ApiFuture<'_, Vec<InterpreterContext>> {
        unsupported("list_contexts")
    }

    /// Ends an interpreter context with what runs in it.
    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        let _ = id;
        unsupported("delete_context")
    }

    /// Runs code in an interpreter context.
    ///
    /// Resolves when the request is with the daemon, which may refuse it still: that is the stream's first item then.
    fn interpret(&self, request: InterpreterRequest) -> ApiFuture<'_, InterpreterStream> {
        let _ = request;
        unsupported("interpret")
    }

    /// Interrupts what runs in an interpreter context, as Ctrl-C does; its state stays. *Extension.*
    fn interrupt_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        let _ = id;
        unsupported("interrupt_context")
    }

    /// Gives an interpreter context a new worker: what runs in it is ended, and its state is lost. *Extension.*
    fn restart_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        let _ = id;
        unsupported("restart_context")
    }
}

fn unsupported<'a, T: Send + 'a>(operation: &str) -> ApiFuture<'a, T> {
    let message = format!("this carrier has no operation '{operation}'");
    let error = Error::new(ErrorKind::Unsupported, Delivery::NotSent, message);
    Box::pin(std::future::ready(Err(error)))
}
