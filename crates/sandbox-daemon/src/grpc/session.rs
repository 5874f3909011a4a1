//! Sessions, their commands and logs.

use sandbox_engine::{
    Command, CommandOptions, CommandState, InputMode, Session, SessionOptions, Termination,
};
use sandbox_wire::pb;
use sandbox_wire::pb::execute_command_response::Event as RunEvent;
use sandbox_wire::pb::follow_log_response::Event as LogEvent;
use sandbox_wire::pb::session_service_server::SessionService;
use tonic::{Request, Response, Status};

use super::context::Context;
use super::convert;
use super::output::Chunks;
use super::resources::{self, with_usage};
use super::stream::{Events, Source, respond};
use crate::service::session::{self, not_the_entrypoint};
use crate::service::{Error, Leash, State, command, exec};

#[derive(Debug)]
pub(super) struct Sessions(pub(super) State);

impl Sessions {
    fn command(&self, session: &str, id: &str) -> Result<Command, Error> {
        session::command(&self.0.engine, session, id)
    }
}

#[tonic::async_trait]
impl SessionService for Sessions {
    type ExecuteCommandStream = Events<pb::ExecuteCommandResponse>;
    type FollowLogStream = Events<pb::FollowLogResponse>;

    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let request = request.into_inner();
        let (id, key) = (&request.session_id, &request.idempotency_key);
        let options = SessionOptions {
            limits: resources::limits(request.limits),
            isolation: convert::isolation(request.isolation)?,
            ..SessionOptions::default()
        };
        let created = session::create(&self.0, key, id, options).await?;
        let session = Some(describe(&created));
        Ok(Response::new(pb::CreateSessionResponse { session }))
    }

    async fn list_sessions(
        &self,
        _: Request<pb::ListSessionsRequest>,
    ) -> Result<Response<pb::ListSessionsResponse>, Status> {
        let sessions = session::list(&self.0.engine);
        let sessions = sessions.iter().map(describe).collect();
        Ok(Response::new(pb::ListSessionsResponse { sessions }))
    }

    async fn get_session(
        &self,
        request: Request<pb::GetSessionRequest>,
    ) -> Result<Response<pb::GetSessionResponse>, Status> {
        let session = session::find(&self.0.engine, &request.get_ref().session_id)?;
        let session = Some(describe(&session));
        Ok(Response::new(pb::GetSessionResponse { session }))
    }

    async fn delete_session(
        &self,
        request: Request<pb::DeleteSessionRequest>,
    ) -> Result<Response<pb::DeleteSessionResponse>, Status> {
        session::delete(&self.0.engine, &request.get_ref().session_id).await?;
        Ok(Response::new(pb::DeleteSessionResponse {}))
    }

    async fn execute_command(
        &self,
        request: Request<pb::ExecuteCommandRequest>,
    ) -> Result<Response<Self::ExecuteCommandStream>, Status> {
        let context = Context::of(&request)?;
        let request = request.into_inner();
        not_the_entrypoint(&request.session_id, "be given commands")?;
        let options = CommandOptions {
            id: (!request.command_id.is_empty()).then_some(request.command_id),
            input: InputMode::Empty,
            cwd: convert::directory(request.cwd),
            env: request.envs.into_iter().collect(),
            user: (!request.user.is_empty()).then_some(request.user),
            timeout: convert::time_limit(request.timeout)?,
        };
        let (id, key) = (&request.session_id, &request.idempotency_key);
        let begun = session::execute(&self.0, id, key, &request.command, options).await?;
        let ((session, command), resumed) = (begun.result, begun.resumed);
        // Before anything that can fail, so that a call which ends with an error leaves no command
        // running. A repeated call does not own the command that the first one started.
        let leash = (!request.detach && !resumed).then(|| Leash::new(&command));
        let cursor = command.record().follow(request.offset);
        Ok(respond(Running {
            session,
            command,
            chunks: Chunks::new(cursor.map_err(Error::from)?, false),
            has_begun: false,
            resumed,
            context,
            _leash: leash,
        }))
    }

    async fn start_command(
        &self,
        request: Request<pb::StartCommandRequest>,
    ) -> Result<Response<pb::StartCommandResponse>, Status> {
        let request = request.into_inner();
        not_the_entrypoint(&request.session_id, "be given commands")?;
        let options = CommandOptions {
            id: (!request.command_id.is_empty()).then_some(request.command_id),
            input: if request.suppress_input_echo {
                InputMode::Silent
            } else {
                InputMode::Echoed
            },
            cwd: convert::directory(request.cwd),
            env: request.envs.into_iter().collect(),
            user: (!request.user.is_empty()).then_some(request.user),
            timeout: convert::time_limit(request.timeout)?,
        };
        let (id, key) = (&request.session_id, &request.idempotency_key);
        let begun = session::execute(&self.0, id, key, &request.command, options).await?;
        Ok(Response::new(pb::StartCommandResponse {
            command_id: begun.result.1.id().to_owned(),
            resumed: begun.resumed,
        }))
    }

    async fn get_command(
        &self,
        request: Request<pb::GetCommandRequest>,
    ) -> Result<Response<pb::GetCommandResponse>, Status> {
        let request = request.get_ref();
        let command = self.command(&request.session_id, &request.command_id)?;
        let command = Some(describe_command(&command));
        Ok(Response::new(pb::GetCommandResponse { command }))
    }

    async fn follow_log(
        &self,
        request: Request<pb::FollowLogRequest>,
    ) -> Result<Response<Self::FollowLogStream>, Status> {
        let context = Context::of(&request)?;
        let request = request.into_inner();
        let command = match request.exec_id.as_str() {
            "" => self.command(&request.session_id, &request.command_id)?,
            id => exec::command(&self.0, id)?,
        };
        let record = command.record();
        let cursor = if request.follow {
            record.follow(request.offset)
        } else {
            record.snapshot(request.offset)
        };
        Ok(respond(Log {
            chunks: Chunks::new(cursor.map_err(Error::from)?, false),
            command,
            context,
        }))
    }

    async fn send_command_input(
        &self,
        request: Request<pb::SendCommandInputRequest>,
    ) -> Result<Response<pb::SendCommandInputResponse>, Status> {
        let request = request.into_inner();
        not_the_entrypoint(&request.session_id, "be given input")?;
        let input = convert::checked_input(request.input)?;
        let command = self.command(&request.session_id, &request.command_id)?;
        input.write_when_it_fits(&command).await?;
        let input_offset = command.input_length();
        Ok(Response::new(pb::SendCommandInputResponse { input_offset }))
    }

    async fn signal_command(
        &self,
        request: Request<pb::SignalCommandRequest>,
    ) -> Result<Response<pb::SignalCommandResponse>, Status> {
        let request = request.into_inner();
        not_the_entrypoint(&request.session_id, "be signaled")?;
        let number = convert::signal_of(request.signal)?;
        let command = self.command(&request.session_id, &request.command_id)?;
        command::signal(&command, number).await?;
        Ok(Response::new(pb::SignalCommandResponse {}))
    }
}

/// A call that follows a command which it has started in a session.
struct Running {
    session: Session,
    command: Command,
    chunks: Chunks,
    has_begun: bool,
    resumed: bool,
    context: Context,
    _leash: Option<Leash>,
}

impl Source for Running {
    type Event = RunEvent;

    async fn next(&mut self) -> Result<Option<RunEvent>, Status> {
        if !self.has_begun {
            self.context.unless_over(self.command.begun()).await?;
            self.has_begun = true;
            let state = self.command.state();
            // What was not started has no beginning: the end is its only event.
            if !matches!(state, CommandState::Ended(Termination::NotStarted { .. })) {
                return Ok(Some(RunEvent::Started(pb::CommandStarted {
                    command_id: self.command.id().to_owned(),
                    started_at: self.command.started_at().and_then(convert::timestamp),
                    resumed: self.resumed,
                })));
            }
        }
        let chunk = self.context.unless_over(self.chunks.next()).await?;
        match chunk {
            Some(chunk) => Ok(Some(chunk.into())),
            None => {
                let ended = session::end_of(&self.session, &self.command).await?;
                Ok(Some(RunEvent::Ended(pb::Ended {
                    session_ended: self.session.ended().is_some(),
                    ..convert::ended(
                        with_usage(convert::termination(&ended), self.command.usage()),
                        self.chunks.position(),
                    )
                })))
            }
        }
    }
}

/// A call that reads a log.
struct Log {
    command: Command,
    chunks: Chunks,
    context: Context,
}

impl Source for Log {
    type Event = LogEvent;

    /// Returns the next event; `None` at the current end of a command that has not ended.
    async fn next(&mut self) -> Result<Option<LogEvent>, Status> {
        let chunk = self.context.unless_over(self.chunks.next()).await?;
        Ok(match chunk {
            Some(chunk) => Some(chunk.into()),
            None => convert::end_of(&self.command)
                .map(|ended| LogEvent::Ended(convert::ended(ended, self.chunks.position()))),
        })
    }
}

fn describe(session: &Session) -> pb::Session {
    pb::Session {
        session_id: session.id().to_owned(),
        commands: session.commands().iter().map(describe_command).collect(),
        created_at: convert::timestamp(session.created_at()),
        pid: session.pid().unwrap_or_default(),
        termination: session::shell_end(session)
            .as_ref()
            .map(convert::termination),
        forgotten_commands: session.forgotten_commands(),
        isolation_level: convert::level(session.level()),
    }
}

fn describe_command(command: &Command) -> pb::Command {
    pb::Command {
        command_id: command.id().to_owned(),
        command: command.text().to_owned(),
        created_at: convert::timestamp(command.created_at()),
        started_at: command.started_at().and_then(convert::timestamp),
        ended_at: command.ended_at().and_then(convert::timestamp),
        termination: convert::end_of(command),
        end_offset: command.record().length(),
        input_offset: command.input_length(),
    }
}
