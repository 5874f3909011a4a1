//! The contract, operation by operation.

use std::sync::Arc;

use sandbox_wire::rest;

use super::call::{Call, unsupported};
use super::path::{add_query, path};
use super::ws::{exec, follow, interpreter, pty};
use super::{HttpTransport, convert, resources};
use crate::exchange::{isolates, respond_within, soft_limits};
use crate::model::{
    Capabilities, CommandInfo, CommandInput, CommandOutput, ContextInfo, ContextRequest, EnvUpdate,
    ExecRequest, ExecStreamRequest, InterpretRequest, LogOptions, LogSource, Metrics, Outcome,
    PtyAttachRequest, PtyInfo, PtyRequest, PtySize, RunRequest, SessionExecuteRequest, SessionInfo,
    SessionOutcome, SessionRequest, Signal,
};
use crate::{
    ApiFuture, CallOptions, Delivery, Effect, Error, ErrorKind, ExecConnection, FilesApi,
    InterpreterStream, LogStream, ProcessApi, PtyConnection,
};

impl ProcessApi for HttpTransport {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        Arc::new(self.with_call_options(options))
    }

    fn version(&self) -> ApiFuture<'_, String> {
        Box::pin(async {
            let received: rest::Version = self.fetch(Call::get("/version")).await?;
            Ok(received.version)
        })
    }

    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        Box::pin(async {
            // An error is not remembered, so that the next operation asks again.
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

    fn metrics(&self) -> ApiFuture<'_, Metrics> {
        Box::pin(async {
            let metrics = self.fetch(Call::get("/system/metrics")).await;
            metrics.map(convert::metrics).map_err(unsupported)
        })
    }

    fn update_env(&self, request: EnvUpdate) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            let call = Call::post("/env").json(&convert::env_update(request))?;
            let call = call.effect(Effect::Idempotent);
            self.command(call).await.map_err(unsupported)
        })
    }

    fn ports(&self) -> ApiFuture<'_, Vec<u16>> {
        Box::pin(async {
            let received: rest::PortList =
                self.fetch(Call::get("/port")).await.map_err(unsupported)?;
            Ok(received.ports)
        })
    }

    fn port_in_use(&self, port: u16) -> ApiFuture<'_, bool> {
        Box::pin(async move {
            let route = Call::get(format!("/port/{port}/in-use"));
            let received: rest::PortInUse = self.fetch(route).await.map_err(unsupported)?;
            Ok(received.is_in_use)
        })
    }

    fn files(&self) -> Arc<dyn FilesApi> {
        Arc::new(self.clone())
    }

    fn execute(&self, request: ExecRequest) -> ApiFuture<'_, Outcome> {
        Box::pin(async move {
            request.check_has_no_terminal()?;
            isolates(self, request.isolation.as_ref()).await?;
            soft_limits(self, &request).await?;
            let deadline = respond_within(request.first_limit());
            let call = Call::post("/process/execute").json(&convert::exec(request))?;
            match self.fetch(call.deadline(deadline)).await {
                Ok(received) => Ok(convert::executed(received)),
                // A time limit that ran out is an error of HTTP, with the outcome in its body.
                Err(error) => error.into_outcome(),
            }
        })
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        Box::pin(exec::start(self, request))
    }

    fn exec_info<'a>(&'a self, exec_id: &'a str) -> ApiFuture<'a, CommandInfo> {
        Box::pin(async move {
            let found = self.fetch(Call::get(exec_path(exec_id, &[])?)).await;
            found.map(convert::command).map_err(unsupported)
        })
    }

    fn exec_signal<'a>(&'a self, exec_id: &'a str, signal: Signal) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let signal = convert::signal(signal);
            let call = Call::post(exec_path(exec_id, &["signal"])?);
            let call = call.json(&rest::SessionSignalRequest { signal })?;
            self.command(call).await.map_err(unsupported)
        })
    }

    fn code_run(&self, request: RunRequest) -> ApiFuture<'_, Outcome> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let deadline = respond_within(request.timeout);
            let call = Call::post("/process/code-run").json(&convert::run(request))?;
            match self.fetch(call.deadline(deadline)).await {
                Ok(response) => Ok(convert::ran(response)),
                Err(error) => unsupported(error).into_outcome(),
            }
        })
    }

    fn create_session(&self, request: SessionRequest) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let request = convert::session_create(request);
            let call = Call::post("/process/session").json(&request)?;
            self.command(call).await
        })
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<SessionInfo>> {
        Box::pin(async {
            let listed: Vec<_> = self.fetch(Call::get("/process/session")).await?;
            Ok(listed.into_iter().map(convert::session).collect())
        })
    }

    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, SessionInfo> {
        Box::pin(async move {
            let found = self.fetch(Call::get(session(session_id, &[])?)).await;
            found.map(convert::session)
        })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, SessionInfo> {
        Box::pin(async {
            let found = self.fetch(Call::get("/process/session/entrypoint")).await;
            found.map(convert::session)
        })
    }

    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move { self.command(Call::delete(session(session_id, &[])?)).await })
    }

    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionOutcome> {
        Box::pin(async move {
            let mut call = Call::post(session(session_id, &["exec"])?);
            // In the background, the response does not wait for the end: the usual deadline holds.
            if !request.run_async {
                call = call.deadline(respond_within(request.timeout));
            }
            let call = call.json(&convert::session_execute(request))?;
            self.fetch(call).await.map(convert::session_executed)
        })
    }

    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, CommandInfo> {
        Box::pin(async move {
            let path = session(session_id, &["command", command_id])?;
            self.fetch(Call::get(path)).await.map(convert::command)
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, CommandOutput> {
        Box::pin(async move {
            let logs = self.fetch(Call::get(log(&source)?)).await;
            logs.map(convert::logs)
        })
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
            // Asked only if it matters, since the first time costs two requests.
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
        signal: Signal,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let path = session(session_id, &["command", command_id, "signal"])?;
            let signal = convert::signal(signal);
            let call = Call::post(path).json(&rest::SessionSignalRequest { signal })?;
            self.command(call).await.map_err(unsupported)
        })
    }

    fn create_pty(&self, request: PtyRequest) -> ApiFuture<'_, String> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let call = Call::post("/process/pty").json(&convert::pty_create(request))?;
            let response: rest::PtyCreateResponse = self.fetch(call).await?;
            Ok(response.session_id)
        })
    }

    fn open_pty(&self, request: PtyRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::open(self, request))
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::connect(self, request))
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtyInfo>> {
        Box::pin(async {
            let listed: rest::PtyListResponse = self.fetch(Call::get("/process/pty")).await?;
            Ok(listed.sessions.into_iter().map(convert::pty).collect())
        })
    }

    fn pty_info<'a>(&'a self, id: &'a str) -> ApiFuture<'a, PtyInfo> {
        Box::pin(async move {
            let found = self.fetch(Call::get(path(&["process", "pty", id])?)).await;
            found.map(convert::pty)
        })
    }

    fn resize_pty<'a>(&'a self, id: &'a str, size: PtySize) -> ApiFuture<'a, PtyInfo> {
        Box::pin(async move {
            let call = Call::post(path(&["process", "pty", id, "resize"])?)
                .json(&convert::pty_size(size))?;
            let resized = self.fetch(call.effect(Effect::Idempotent)).await;
            resized.map(convert::pty)
        })
    }

    fn delete_pty<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let path = path(&["process", "pty", id])?;
            self.command(Call::delete(path)).await
        })
    }

    fn create_context(&self, request: ContextRequest) -> ApiFuture<'_, ContextInfo> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let request = convert::context_create(request);
            let call = Call::post("/process/interpreter/context").json(&request)?;
            self.fetch(call).await.map(convert::context)
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<ContextInfo>> {
        Box::pin(async {
            let call = Call::get("/process/interpreter/context");
            let listed: rest::ListContextsResponse = self.fetch(call).await?;
            Ok(listed.contexts.into_iter().map(convert::context).collect())
        })
    }

    fn delete_context<'a>(&'a self, id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move { self.command(Call::delete(context(id, &[])?)).await })
    }

    fn interpret(&self, request: InterpretRequest) -> ApiFuture<'_, InterpreterStream> {
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
        let response: rest::DirResponse = self.fetch(Call::get(path)).await?;
        Ok(response.dir)
    }

    /// Asks what the daemon's system allows, and detects the extensions by a route that only this project's daemon has, and
    /// that needs no authorization.
    async fn probe(&self) -> Result<Capabilities, Error> {
        // `support` makes the daemon probe its system, which `version` does not pay for. Stock
        // daemons ignore it.
        let received: rest::Version = self.fetch(Call::get("/version?support=true")).await?;
        let health: Result<rest::Health, _> = self.fetch(Call::get("/healthz")).await;
        let extensions = match health {
            Ok(health) => matches!(health.status.as_str(), "ok" | "draining"),
            // A stock daemon has no such route.
            Err(error) if error.delivery() == Delivery::Rejected => false,
            // The response of a proxy, or of another server, which is no JSON.
            Err(error) if error.kind() == ErrorKind::Protocol => false,
            Err(error) => return Err(error),
        };
        Ok(Capabilities {
            isolation: received.isolation.map(convert::isolation_support),
            limits: { received.limits.into_iter() }
                .filter_map(resources::limit_support)
                .collect(),
            extensions,
            ..Capabilities::new(received.version)
        })
    }
}

fn session(id: &str, below: &[&str]) -> Result<String, Error> {
    path(&[&["process", "session", id], below].concat())
}

fn exec_path(id: &str, below: &[&str]) -> Result<String, Error> {
    path(&[&["process", "execute", id], below].concat())
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
        LogSource::Exec { exec_id } => exec_path(exec_id, &["logs"]),
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
    // The daemon rejects an empty body, even where it would add the newline.
    let data = if data.is_empty() && !input.eof {
        "\n".to_owned()
    } else {
        data
    };
    Call::post(path).json(&rest::SessionSendInputRequest {
        data,
        // Absent means a line, for which the daemon adds the newline; stock daemons know no other.
        raw: None,
        eof: input.eof.then_some(true),
    })
}

fn refused(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, Delivery::NotSent, message)
}
