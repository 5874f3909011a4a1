//! The operations.

use std::sync::Arc;

use sandbox_wire::pb;
use sandbox_wire::rest::ENTRYPOINT_SESSION;

use super::call::Call;
use super::resources::limits;
use super::{
    GrpcTransport, call, code, convert, exec, follow, info, interpreter, pty, session, status,
};
use crate::exchange::isolates;
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

/// Makes a call with a request, of this effect, or `Keyed` if the request has an idempotency key.
macro_rules! ask {
    ($transport:ident, $service:ident.$method:ident, Keyed, $request:expr) => {
        ask!(@ $transport, $service.$method, Call::keyed(), $request)
    };
    ($transport:ident, $service:ident.$method:ident, $effect:ident, $request:expr) => {
        ask!(@ $transport, $service.$method, Call::new(Effect::$effect), $request)
    };
    (@ $transport:ident, $service:ident.$method:ident, $call:expr, $request:expr) => {
        $transport
            .ask($call, $request, |wire, request| async move {
                call::$service(wire).$method(request).await
            })
            .await
    };
}

impl ProcessApi for GrpcTransport {
    fn with_options(&self, options: CallOptions) -> Arc<dyn ProcessApi> {
        Arc::new(Self {
            inner: self.inner.clone(),
            options: options.or(&self.options),
        })
    }

    fn files(&self) -> Arc<dyn FilesApi> {
        Arc::new(self.clone())
    }

    fn version(&self) -> ApiFuture<'_, String> {
        Box::pin(async { Ok(info::info(self).await?.version) })
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

    fn ports(&self) -> ApiFuture<'_, Vec<u16>> {
        Box::pin(info::ports(self))
    }

    fn port_in_use(&self, port: u16) -> ApiFuture<'_, bool> {
        Box::pin(info::port_in_use(self, port))
    }

    fn metrics(&self) -> ApiFuture<'_, Metrics> {
        Box::pin(async {
            let request = pb::GetMetricsRequest {};
            let metrics = ask!(self, info.get_metrics, None, request)?;
            Ok(convert::metrics(metrics))
        })
    }

    fn update_env(&self, request: EnvUpdate) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            let request = convert::env_update(request);
            ask!(self, info.update_environment, Idempotent, request)?;
            Ok(())
        })
    }

    fn execute(&self, request: ExecRequest) -> ApiFuture<'_, Outcome> {
        Box::pin(exec::execute(self, request))
    }

    fn execute_stream(&self, request: ExecStreamRequest) -> ApiFuture<'_, ExecConnection> {
        Box::pin(exec::start_stream(self, request))
    }

    fn exec_info<'a>(&'a self, exec_id: &'a str) -> ApiFuture<'a, CommandInfo> {
        Box::pin(async move { exec::info(self, id(exec_id)?).await })
    }

    fn exec_signal<'a>(&'a self, exec_id: &'a str, signal: Signal) -> ApiFuture<'a, ()> {
        Box::pin(async move { exec::signal(self, id(exec_id)?, signal).await })
    }

    fn code_run(&self, request: RunRequest) -> ApiFuture<'_, Outcome> {
        Box::pin(code::run(self, request))
    }

    fn create_session(&self, request: SessionRequest) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let request = pb::CreateSessionRequest {
                session_id: request.id,
                idempotency_key: self.key(),
                limits: limits(request.limits),
                isolation: request.isolation.map(convert::isolation),
            };
            ask!(self, session.create_session, Keyed, request)?;
            Ok(())
        })
    }

    fn list_sessions(&self) -> ApiFuture<'_, Vec<SessionInfo>> {
        Box::pin(async {
            let request = pb::ListSessionsRequest {};
            let listed = ask!(self, session.list_sessions, None, request)?;
            Ok(listed.sessions.into_iter().map(convert::session).collect())
        })
    }

    fn get_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, SessionInfo> {
        Box::pin(async move {
            let request = pb::GetSessionRequest {
                session_id: id(session_id)?,
            };
            let found = ask!(self, session.get_session, None, request)?.session;
            let found = found.ok_or_else(|| status::incomplete("session"))?;
            Ok(convert::session(found))
        })
    }

    fn entrypoint_session(&self) -> ApiFuture<'_, SessionInfo> {
        self.get_session(ENTRYPOINT_SESSION)
    }

    fn delete_session<'a>(&'a self, session_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::DeleteSessionRequest {
                session_id: id(session_id)?,
            };
            ask!(self, session.delete_session, Idempotent, request)?;
            Ok(())
        })
    }

    fn session_execute<'a>(
        &'a self,
        session_id: &'a str,
        request: SessionExecuteRequest,
    ) -> ApiFuture<'a, SessionOutcome> {
        Box::pin(async move {
            id(session_id)?;
            session::execute(self, session_id, request).await
        })
    }

    fn session_command<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
    ) -> ApiFuture<'a, CommandInfo> {
        Box::pin(async move {
            let request = pb::GetCommandRequest {
                session_id: id(session_id)?,
                command_id: id(command_id)?,
            };
            let found = ask!(self, session.get_command, None, request)?.command;
            let found = found.ok_or_else(|| status::incomplete("command"))?;
            Ok(convert::command(found))
        })
    }

    fn logs(&self, source: LogSource) -> ApiFuture<'_, CommandOutput> {
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
            ask!(self, session.send_command_input, Once, request)?;
            Ok(())
        })
    }

    fn session_signal<'a>(
        &'a self,
        session_id: &'a str,
        command_id: &'a str,
        signal: Signal,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::SignalCommandRequest {
                session_id: id(session_id)?,
                command_id: id(command_id)?,
                signal: Some(convert::signal(signal)),
            };
            ask!(self, session.signal_command, Once, request)?;
            Ok(())
        })
    }

    fn create_pty(&self, request: PtyRequest) -> ApiFuture<'_, String> {
        Box::pin(pty::make(self, request))
    }

    fn open_pty(&self, request: PtyRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(pty::open(self, request))
    }

    fn connect_pty(&self, request: PtyAttachRequest) -> ApiFuture<'_, PtyConnection> {
        Box::pin(async move {
            id(&request.id)?;
            pty::attach(self, request).await
        })
    }

    fn list_ptys(&self) -> ApiFuture<'_, Vec<PtyInfo>> {
        Box::pin(async {
            let request = pb::ListPtysRequest {};
            let listed = ask!(self, pty.list_ptys, None, request)?;
            Ok(listed.ptys.into_iter().map(convert::pty).collect())
        })
    }

    fn pty_info<'a>(&'a self, pty_id: &'a str) -> ApiFuture<'a, PtyInfo> {
        Box::pin(async move {
            let request = pb::GetPtyRequest {
                pty_id: id(pty_id)?,
            };
            let found = ask!(self, pty.get_pty, None, request)?.pty;
            let found = found.ok_or_else(|| status::incomplete("terminal"))?;
            Ok(convert::pty(found))
        })
    }

    fn resize_pty<'a>(&'a self, pty_id: &'a str, size: PtySize) -> ApiFuture<'a, PtyInfo> {
        Box::pin(async move {
            let request = pb::ResizePtyRequest {
                pty_id: id(pty_id)?,
                size: Some(convert::size(size)),
            };
            let found = ask!(self, pty.resize_pty, Idempotent, request)?.pty;
            let found = found.ok_or_else(|| status::incomplete("terminal"))?;
            Ok(convert::pty(found))
        })
    }

    fn delete_pty<'a>(&'a self, pty_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::KillPtyRequest {
                pty_id: id(pty_id)?,
            };
            ask!(self, pty.kill_pty, Idempotent, request)?;
            Ok(())
        })
    }

    fn create_context(&self, request: ContextRequest) -> ApiFuture<'_, ContextInfo> {
        Box::pin(async move {
            isolates(self, request.isolation.as_ref()).await?;
            let request = pb::CreateContextRequest {
                cwd: request.cwd.unwrap_or_default(),
                language: match request.language {
                    Some(language) if language.is_empty() => return Err(empty("a language")),
                    language => language.unwrap_or_default(),
                },
                idempotency_key: self.key(),
                limits: limits(request.limits),
                isolation: request.isolation.map(convert::isolation),
            };
            let made = ask!(self, interpreter.create_context, Keyed, request)?.context;
            let made = made.ok_or_else(|| status::incomplete("context"))?;
            Ok(convert::context(made))
        })
    }

    fn list_contexts(&self) -> ApiFuture<'_, Vec<ContextInfo>> {
        Box::pin(async {
            let request = pb::ListContextsRequest {};
            let listed = ask!(self, interpreter.list_contexts, None, request)?;
            Ok(listed.contexts.into_iter().map(convert::context).collect())
        })
    }

    fn delete_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::DeleteContextRequest {
                context_id: id(context_id)?,
            };
            ask!(self, interpreter.delete_context, Idempotent, request)?;
            Ok(())
        })
    }

    fn interpret(&self, request: InterpretRequest) -> ApiFuture<'_, InterpreterStream> {
        Box::pin(interpreter::execute(self, request))
    }

    fn interrupt_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::InterruptRequest {
                context_id: id(context_id)?,
            };
            ask!(self, interpreter.interrupt, Once, request)?;
            Ok(())
        })
    }

    fn restart_context<'a>(&'a self, context_id: &'a str) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::RestartContextRequest {
                context_id: id(context_id)?,
            };
            ask!(self, interpreter.restart_context, Once, request)?;
            Ok(())
        })
    }
}

/// Returns the id of an existing object. An empty one is an error, as in the path of a request; here it would mean the
/// default.
fn id(id: &str) -> Result<String, Error> {
    match id {
        "" => Err(empty("an id")),
        id => Ok(id.to_owned()),
    }
}

fn check(source: &LogSource) -> Result<(), Error> {
    match source {
        LogSource::Command {
            session_id,
            command_id,
        } => {
            id(session_id)?;
            id(command_id)?;
        }
        LogSource::Exec { exec_id } => {
            id(exec_id)?;
        }
        LogSource::Entrypoint => {}
    }
    Ok(())
}

fn empty(what: &str) -> Error {
    let message = format!("'' is not {what}");
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}
