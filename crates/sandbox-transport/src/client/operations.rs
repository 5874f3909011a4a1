//! The contract, operation by operation.

use std::sync::Arc;
use std::time::Duration;

use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, CreateContextRequest, CreateSessionRequest, DirResponse,
    ExecuteRequest, ExecuteResponse, Health, InterpreterContext, ListContextsResponse,
    PtyCreateRequest, PtyCreateResponse, PtyListResponse, PtyResizeRequest, PtySessionInfo,
    Session, SessionCommand, SessionCommandLogsResponse, SessionExecuteRequest,
    SessionExecuteResponse, SessionSendInputRequest, SessionSignalRequest, SignalSpec,
    SystemMetrics, UpdateEnvRequest, Version,
};
use sandbox_wire::ws::InterpreterRequest;

use super::path::{add_query, path};
use super::{Call, HttpTransport, code};
use crate::limits::{ANSWER_AFTER_LIMIT, ANSWER_WITHOUT_LIMIT};
use crate::ws::{exec, follow, interpreter, pty};
use crate::{
    ApiFuture, CallOptions, Capabilities, CommandInput, Delivery, Effect, Error, ErrorKind,
    ExecConnection, ExecStreamRequest, InterpreterStream, LogOptions, LogSource, LogStream,
    ProcessApi, PtyAttachRequest, PtyConnection,
};

impl ProcessApi for HttpTransport {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        Arc::new(Self {
            inner: self.inner.clone(),
            options: options.or(&self.options),
        })
    }

    fn version(&self) -> ApiFuture<'_, Version> {
        Box::pin(self.fetch(Call::get("/version")))
    }

    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        Box::pin(async {
            let known = self.inner.capabilities.get_or_try_init(|| self.probe());
            known.await.cloned()
        })
    }

    fn work_dir(&self) -> ApiFuture<'_, String> {
        Box::pin(self.directory("/work-dir"))
    }

    fn home_dir(&self) -> ApiFuture<'_, String> {
        Box::pin(self.directory("/user-home-dir"))
    }

    fn metrics(&self) -> ApiFuture<'_, SystemMetrics> {
        Box::pin(async {
            let metrics = self.fetch(Call::get("/system/metrics")).await;
            metrics.map_err(unsupported)
        })
    }

    fn update_env(&self, request: UpdateEnvRequest) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            let call = Call::post("/env").json(&request)?;
            let call = call.effect(Effect::Idempotent);
            self.command(call).await.map_err(unsupported)
        })
    }

    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse> {
        Box::pin(async move {
            let deadline = answer_within(request.timeout, request.timeout_millis);
            let call = Call::post("/process/execute").json(&request)?;
            self.fetch(call.deadline(deadline)).await
        })
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        Box::pin(exec::start(self, request))
    }

    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse> {
        Box::pin(async move {
            let deadline = answer_within(request.timeout, request.timeout_millis);
            let call = Call::post("/process/code-run").json(&request)?;
            match self.fetch(call.deadline(deadline)).await {
                Err(error) if is_missing(&error) => {
                    let command = code::as_command(request).ok_or_else(|| unsupported(error))?;
                    self.execute(command).await.map(code::response)
                }
                result => result,
            }
        })
    }

    fn create_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let call = Call::post("/process/session").json(&CreateSessionRequest {
                session_id: session_id.to_owned(),
            })?;
            self.command(call).await
        })
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<Session>> {
        Box::pin(self.fetch(Call::get("/process/session")))
    }

    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, Session> {
        Box::pin(async move { self.fetch(Call::get(session(session_id, &[])?)).await })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, Session> {
        Box::pin(self.fetch(Call::get("/process/session/entrypoint")))
    }

    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move { self.command(Call::delete(session(session_id, &[])?)).await })
    }

    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionExecuteResponse> {
        Box::pin(async move {
            let mut call = Call::post(session(session_id, &["exec"])?).json(&request)?;
            if request.run_async != Some(true) && request.deprecated_async != Some(true) {
                call = call.deadline(answer_within(request.timeout, request.timeout_millis));
            }
            self.fetch(call).await
        })
    }

    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, SessionCommand> {
        Box::pin(async move {
            let path = session(session_id, &["command", command_id])?;
            self.fetch(Call::get(path)).await
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, SessionCommandLogsResponse> {
        Box::pin(async move { self.fetch(Call::get(log(&source)?)).await })
    }

    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        Box::pin(async move {
            let path = log(&source)?;
            follow::follow(self.clone(), path, options).await
        })
    }

    fn session_input<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        input: CommandInput,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            if (input.eof || !input.is_line) && !self.capabilities().await?.extensions {
                let message = "the daemon takes lines of input only";
                return Err(refused(ErrorKind::Unsupported, message));
            }
            let path = session(session_id, &["command", command_id, "input"])?;
            self.command(give(path, input)?).await
        })
    }

    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: SignalSpec,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let path = session(session_id, &["command", command_id, "signal"])?;
            let call = Call::post(path).json(&SessionSignalRequest { signal })?;
            self.command(call).await.map_err(unsupported)
        })
    }

    fn create_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, String> {
        Box::pin(async move {
            let call = Call::post("/process/pty").json(&request)?;
            let response: PtyCreateResponse = self.fetch(call).await?;
            Ok(response.session_id)
        })
    }

    fn open_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::open(self, request))
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::connect(self, request))
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtySessionInfo>> {
        Box::pin(async {
            let response: PtyListResponse = self.fetch(Call::get("/process/pty")).await?;
            Ok(response.sessions)
        })
    }

    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtySessionInfo> {
        Box::pin(async move { self.fetch(Call::get(path(&["process", "pty", id])?)).await })
    }

    fn resize_pty<'a>(
        &'a self,
        id: &'a str,
        size: PtyResizeRequest,
    ) -> ApiFuture<'a, PtySessionInfo> {
        Box::pin(async move {
            let call = Call::post(path(&["process", "pty", id, "resize"])?).json(&size)?;
            self.fetch(call.effect(Effect::Idempotent)).await
        })
    }

    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let path = path(&["process", "pty", id])?;
            self.command(Call::delete(path)).await
        })
    }

    fn create_context(&self, request: CreateContextRequest) -> ApiFuture<'_, InterpreterContext> {
        Box::pin(async move {
            let call = Call::post("/process/interpreter/context").json(&request)?;
            self.fetch(call).await
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<InterpreterContext>> {
        Box::pin(async {
            let call = Call::get("/process/interpreter/context");
            let response: ListContextsResponse = self.fetch(call).await?;
            Ok(response.contexts)
        })
    }

    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move { self.command(Call::delete(context(id, &[])?)).await })
    }

    fn interpret(&self, request: InterpreterRequest) -> ApiFuture<'_, InterpreterStream> {
        Box::pin(interpreter::execute(self, request))
    }

    fn interrupt_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let call = Call::post(context(id, &["interrupt"])?);
            self.command(call).await.map_err(unsupported)
        })
    }

    fn restart_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let call = Call::post(context(id, &["restart"])?);
            self.command(call).await.map_err(unsupported)
        })
    }
}

impl HttpTransport {
    async fn directory(&self, path: &str) -> Result<String, Error> {
        let response: DirResponse = self.fetch(Call::get(path)).await?;
        Ok(response.dir)
    }

    /// The route of this project's daemon that stock ones have not, and that needs nothing.
    async fn probe(&self) -> Result<Capabilities, Error> {
        let Version { version } = self.fetch(Call::get("/version")).await?;
        let health: Result<Health, _> = self.fetch(Call::get("/healthz")).await;
        let extensions = match health {
            Ok(health) => matches!(health.status.as_str(), "ok" | "draining"),
            Err(error) if error.delivery() == Delivery::Rejected => false,
            Err(error) if error.kind() == ErrorKind::Protocol => false,
            Err(error) => return Err(error),
        };
        Ok(Capabilities::new(version, extensions))
    }
}

fn session(id: &str, below: &[&str]) -> Result<String, Error> {
    path(&[&["process", "session", id], below].concat())
}

fn context(id: &str, below: &[&str]) -> Result<String, Error> {
    path(&[&["process", "interpreter", "context", id], below].concat())
}

fn log(source: &LogSource) -> Result<String, Error> {
    match source {
        LogSource::Command {
            session_id,
            command_id,
        } => session(session_id, &["command", command_id, "logs"]),
        LogSource::Entrypoint => Ok("/process/session/entrypoint/logs".to_owned()),
    }
}

fn give(mut path: String, input: CommandInput) -> Result<Call, Error> {
    if !input.is_line {
        if input.eof {
            add_query(&mut path, "eof", "true");
        }
        return Ok(Call::post(path).body("application/octet-stream", input.data));
    }
    let data = String::from_utf8(input.data.into()).map_err(|error| {
        refused(ErrorKind::InvalidInput, "the line is not UTF-8").with_source(error)
    })?;
    // The daemon refuses nothing at all, where it would add the newline.
    let data = match data.is_empty() && !input.eof {
        true => "\n".to_owned(),
        false => data,
    };
    Call::post(path).json(&SessionSendInputRequest {
        data,
        raw: None,
        eof: input.eof.then_some(true),
    })
}

/// Whether the daemon does not know the route: then it has no code to say so with.
pub(crate) fn is_missing(error: &Error) -> bool {
    match error.status() {
        Some(404) => error.code().is_none(),
        Some(405 | 501) => true,
        _ => false,
    }
}

/// The error of a route that daemons may lack.
pub(crate) fn unsupported(error: Error) -> Error {
    match is_missing(&error) {
        true => error.with_kind(ErrorKind::Unsupported),
        false => error,
    }
}

fn refused(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, Delivery::NotSent, message)
}

/// How long the answer about a command may take, by the longer of its limits: a stock daemon knows only the first.
pub(crate) fn answer_within(seconds: Option<u32>, millis: Option<u64>) -> Duration {
    let seconds = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    match seconds.max(millis.map(Duration::from_millis)) {
        Some(limit) if !limit.is_zero() => limit.saturating_add(ANSWER_AFTER_LIMIT),
        _ => ANSWER_WITHOUT_LIMIT,
    }
}
