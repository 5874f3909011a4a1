//! The operations.

use std::sync::Arc;

use sandbox_wire::pb;
use sandbox_wire::rest::{
    CodeRunRequest, CodeRunResponse, CreateContextRequest, ENTRYPOINT_SESSION, ExecuteRequest,
    ExecuteResponse, InterpreterContext, PtyCreateRequest, PtyResizeRequest, PtySessionInfo,
    Session, SessionCommand, SessionCommandLogsResponse, SessionExecuteRequest,
    SessionExecuteResponse, SignalSpec, SystemMetrics, UpdateEnvRequest, Version,
};
use sandbox_wire::ws::InterpreterRequest;

use super::{
    GrpcTransport, call, code, convert, exec, follow, info, interpreter, pty, session, status,
};
use crate::{
    ApiFuture, CallOptions, Capabilities, CommandInput, Delivery, Effect, Error, ErrorKind,
    ExecConnection, ExecStreamRequest, InterpreterStream, LogOptions, LogSource, LogStream,
    ProcessApi, PtyAttachRequest, PtyConnection,
};

impl ProcessApi for GrpcTransport {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        Arc::new(Self {
            inner: self.inner.clone(),
            options: options.or(&self.options),
        })
    }

    fn version(&self) -> ApiFuture<'_, Version> {
        Box::pin(async {
            let version = info::info(self).await?.version;
            Ok(Version { version })
        })
    }

    fn capabilities(&self) -> ApiFuture<'_, Capabilities> {
        Box::pin(info::capabilities(self))
    }

    fn work_dir(&self) -> ApiFuture<'_, String> {
        Box::pin(async { Ok(info::info(self).await?.work_dir) })
    }

    fn home_dir(&self) -> ApiFuture<'_, String> {
        Box::pin(async { Ok(info::info(self).await?.user_home_dir) })
    }

    fn metrics(&self) -> ApiFuture<'_, SystemMetrics> {
        Box::pin(info::metrics(self))
    }

    fn update_env(&self, request: UpdateEnvRequest) -> ApiFuture<'_, ()> {
        Box::pin(info::update_env(self, request))
    }

    fn execute(&self, request: ExecuteRequest) -> ApiFuture<'_, ExecuteResponse> {
        Box::pin(exec::execute(self, request))
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        Box::pin(exec::start_stream(self, request))
    }

    fn code_run(&self, request: CodeRunRequest) -> ApiFuture<'_, CodeRunResponse> {
        Box::pin(code::run(self, request))
    }

    fn create_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::CreateSessionRequest {
                session_id: session_id.to_owned(),
            };
            let send =
                |wire, request| async move { call::session(wire).create_session(request).await };
            self.ask(Effect::Once, request, send).await?;
            Ok(())
        })
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<Session>> {
        Box::pin(async {
            let request = pb::ListSessionsRequest {};
            let send =
                |wire, request| async move { call::session(wire).list_sessions(request).await };
            let listed = self.ask(Effect::None, request, send).await?;
            Ok(listed.sessions.into_iter().map(convert::session).collect())
        })
    }

    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, Session> {
        Box::pin(async move {
            let request = pb::GetSessionRequest {
                session_id: id(session_id)?,
            };
            let send =
                |wire, request| async move { call::session(wire).get_session(request).await };
            let found = self.ask(Effect::None, request, send).await?.session;
            let found = found.ok_or_else(|| status::incomplete("session"))?;
            Ok(convert::session(found))
        })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, Session> {
        self.get_session(ENTRYPOINT_SESSION)
    }

    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::DeleteSessionRequest {
                session_id: id(session_id)?,
            };
            let send =
                |wire, request| async move { call::session(wire).delete_session(request).await };
            self.ask(Effect::Idempotent, request, send).await?;
            Ok(())
        })
    }

    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionExecuteResponse> {
        Box::pin(async move {
            id(session_id)?;
            session::execute(self, session_id, request).await
        })
    }

    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, SessionCommand> {
        Box::pin(async move {
            let request = pb::GetCommandRequest {
                session_id: id(session_id)?,
                command_id: id(command_id)?,
            };
            let send =
                |wire, request| async move { call::session(wire).get_command(request).await };
            let found = self.ask(Effect::None, request, send).await?.command;
            let found = found.ok_or_else(|| status::incomplete("command"))?;
            Ok(convert::command(found))
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, SessionCommandLogsResponse> {
        Box::pin(async move {
            check(&source)?;
            session::logs(self, &source).await
        })
    }

    fn follow_log(&self, source: LogSource, options: LogOptions) -> ApiFuture<'_, LogStream> {
        Box::pin(async move {
            check(&source)?;
            follow::follow(self.clone(), &source, options).await
        })
    }

    fn session_input<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        input: CommandInput,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::SendCommandInputRequest {
                session_id: id(session_id)?,
                command_id: id(command_id)?,
                input: Some(session::input(input)?),
            };
            let send = |wire, request| async move {
                call::session(wire).send_command_input(request).await
            };
            self.ask(Effect::Once, request, send).await?;
            Ok(())
        })
    }

    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: SignalSpec,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::SignalCommandRequest {
                session_id: id(session_id)?,
                command_id: id(command_id)?,
                signal: Some(exec::number(&signal)),
            };
            let send =
                |wire, request| async move { call::session(wire).signal_command(request).await };
            self.ask(Effect::Once, request, send).await?;
            Ok(())
        })
    }

    fn create_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, String> {
        Box::pin(pty::make(self, request))
    }

    fn open_pty(&self, request: PtyCreateRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::open(self, request))
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(async move {
            id(&request.id)?;
            pty::attach(self, request).await
        })
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtySessionInfo>> {
        Box::pin(async {
            let request = pb::ListPtysRequest {};
            let send = |wire, request| async move { call::pty(wire).list_ptys(request).await };
            let listed = self.ask(Effect::None, request, send).await?;
            Ok(listed.ptys.into_iter().map(convert::pty).collect())
        })
    }

    fn pty_info<'a>(&'a self, pty_id: &'a str) -> ApiFuture<'a, PtySessionInfo> {
        Box::pin(async move {
            let request = pb::GetPtyRequest {
                pty_id: id(pty_id)?,
            };
            let send = |wire, request| async move { call::pty(wire).get_pty(request).await };
            let found = self.ask(Effect::None, request, send).await?.pty;
            let found = found.ok_or_else(|| status::incomplete("terminal"))?;
            Ok(convert::pty(found))
        })
    }

    fn resize_pty<'a>(
        &'a self,
        pty_id: &'a str,
        size: PtyResizeRequest,
    ) -> ApiFuture<'a, PtySessionInfo> {
        Box::pin(async move {
            let request = pb::ResizePtyRequest {
                pty_id: id(pty_id)?,
                size: Some(convert::size(size)),
            };
            let send = |wire, request| async move { call::pty(wire).resize_pty(request).await };
            let found = self.ask(Effect::Idempotent, request, send).await?.pty;
            let found = found.ok_or_else(|| status::incomplete("terminal"))?;
            Ok(convert::pty(found))
        })
    }

    fn delete_pty<'a>(&'a self, pty_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::KillPtyRequest {
                pty_id: id(pty_id)?,
            };
            let send = |wire, request| async move { call::pty(wire).kill_pty(request).await };
            self.ask(Effect::Idempotent, request, send).await?;
            Ok(())
        })
    }

    fn create_context(&self, request: CreateContextRequest) -> ApiFuture<'_, InterpreterContext> {
        Box::pin(async move {
            let request = pb::CreateContextRequest {
                cwd: request.cwd.unwrap_or_default(),
                language: match request.language {
                    Some(language) if language.is_empty() => return Err(empty("a language")),
                    language => language.unwrap_or_default(),
                },
            };
            let send = |wire, request| async move {
                call::interpreter(wire).create_context(request).await
            };
            let made = self.ask(Effect::Once, request, send).await?.context;
            let made = made.ok_or_else(|| status::incomplete("context"))?;
            Ok(convert::context(made))
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<InterpreterContext>> {
        Box::pin(async {
            let request = pb::ListContextsRequest {};
            let send =
                |wire, request| async move { call::interpreter(wire).list_contexts(request).await };
            let listed = self.ask(Effect::None, request, send).await?;
            Ok(listed.contexts.into_iter().map(convert::context).collect())
        })
    }

    fn delete_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::DeleteContextRequest {
                context_id: id(context_id)?,
            };
            let send = |wire, request| async move {
                call::interpreter(wire).delete_context(request).await
            };
            self.ask(Effect::Idempotent, request, send).await?;
            Ok(())
        })
    }

    fn interpret(&self, request: InterpreterRequest) -> ApiFuture<'_, InterpreterStream> {
        Box::pin(interpreter::execute(self, request))
    }

    fn interrupt_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::InterruptRequest {
                context_id: id(context_id)?,
            };
            let send =
                |wire, request| async move { call::interpreter(wire).interrupt(request).await };
            self.ask(Effect::Once, request, send).await?;
            Ok(())
        })
    }

    fn restart_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::RestartContextRequest {
                context_id: id(context_id)?,
            };
            let send = |wire, request| async move {
                call::interpreter(wire).restart_context(request).await
            };
            self.ask(Effect::Once, request, send).await?;
            Ok(())
        })
    }
}

/// The id of something that is there. An empty one is none, as in the path of a request; here it would mean the default.
fn id(id: &str) -> Result<String, Error> {
    match id {
        "" => Err(empty("an id")),
        id => Ok(id.to_owned()),
    }
}

fn check(source: &LogSource) -> Result<(), Error> {
    if let LogSource::Command {
        session_id,
        command_id,
    } = source
    {
        id(session_id)?;
        id(command_id)?;
    }
    Ok(())
}

fn empty(what: &str) -> Error {
    let message = format!("'' is not {what}");
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}
