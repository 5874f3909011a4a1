//! Commands outside of sessions.

use std::ffi::OsString;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sandbox_engine::{Command, InputMode, OutputMode};
use sandbox_wire::ErrorCode;
use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use sandbox_wire::pb::exec_service_server::ExecService;
use sandbox_wire::pb::{self, exec_start};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};
use tonic::{Request, Response, Status, Streaming};

use super::context::Context;
use super::convert;
use super::output::Chunks;
use super::resources;
use super::stream::{Events, Reader, Source, first_request, respond, respond_once};
use crate::service::exec::{self, Program, Start, Started};
use crate::service::{Error, Found, Leash, State, command};

#[derive(Debug)]
pub(super) struct Exec(pub(super) State);

impl Exec {
    /// Starts the requested program, or returns the one with its key; inside, the end of a program that could not be started.
    async fn start(
        &self,
        start: pb::ExecStart,
    ) -> Result<Result<Attached, pb::Termination>, Error> {
        let mut options = convert::run_options(start.options.clone(), start.output_mode())?;
        options.input = if start.empty_input {
            InputMode::Empty
        } else {
            InputMode::Silent
        };
        options.terminal = start.terminal.map(convert::size).transpose()?;
        let detached = start.options.as_ref().is_some_and(|options| options.detach);
        let key = start.options.map(|options| options.idempotency_key);
        let program = match start.program {
            Some(exec_start::Program::Command(text)) => Program::Command(text),
            Some(exec_start::Program::Argv(argv)) => {
                Program::Argv(argv.args.into_iter().map(OsString::from).collect())
            }
            None => return Err(convert::missing("a program")),
        };
        // An empty key is none: protobuf does not distinguish a text that is absent from an empty
        // one.
        let key = key.as_deref().unwrap_or_default();
        let soft_timeout = convert::time_limit(start.soft_timeout)?;
        let asked = Start {
            program,
            options,
            detached,
            soft_timeout,
        };
        match exec::start(&self.0, key, asked).await? {
            Ok(Found { result, resumed }) => Ok(Ok(Attached {
                exec: result,
                // A command that this call starts has no output before this call; an offset is for
                // a repetition.
                offset: if resumed { start.offset } else { 0 },
                is_new: !resumed,
                soft_timeout,
            })),
            Err(error) => Ok(Err(convert::not_started(&exec::not_started(error)?))),
        }
    }
}

/// The command that a call follows, and the client's requests.
struct Attached {
    exec: Arc<Started>,
    offset: u64,
    is_new: bool,
    soft_timeout: Option<Duration>,
}

#[tonic::async_trait]
impl ExecService for Exec {
    type ExecStream = Events<pb::ExecResponse>;

    async fn exec(
        &self,
        request: Request<Streaming<pb::ExecRequest>>,
    ) -> Result<Response<Self::ExecStream>, Status> {
        let context = Context::of(&request)?;
        let mut requests = request.into_inner();
        let first = first_request(&mut requests).await?;
        let attached = match first.and_then(|first| first.message) {
            Some(Message::Start(start)) => match self.start(start).await? {
                Ok(attached) => attached,
                Err(termination) => {
                    return Ok(respond_once(Event::Ended(convert::ended(termination, 0))));
                }
            },
            Some(Message::Attach(attach)) => Attached {
                exec: self.0.execs.find(&attach.exec_id)?,
                offset: attach.offset,
                is_new: false,
                soft_timeout: None,
            },
            _ => return Err(Error::bad("the first request is neither start nor attach").into()),
        };
        Ok(respond(Following::new(attached, requests, context)?))
    }

    async fn list_execs(
        &self,
        _: Request<pb::ListExecsRequest>,
    ) -> Result<Response<pb::ListExecsResponse>, Status> {
        let execs = self.0.execs.all();
        let execs = execs.iter().map(|exec| describe(exec)).collect();
        Ok(Response::new(pb::ListExecsResponse { execs }))
    }

    async fn get_exec(
        &self,
        request: Request<pb::GetExecRequest>,
    ) -> Result<Response<pb::GetExecResponse>, Status> {
        let exec = self.0.execs.find(&request.get_ref().exec_id)?;
        let exec = Some(describe(&exec));
        Ok(Response::new(pb::GetExecResponse { exec }))
    }

    async fn send_exec_input(
        &self,
        request: Request<pb::SendExecInputRequest>,
    ) -> Result<Response<pb::SendExecInputResponse>, Status> {
        let request = request.into_inner();
        let exec = self.0.execs.find(&request.exec_id)?;
        let input = convert::checked_input(request.input)?;
        input.write_when_it_fits(&exec.command).await?;
        let input_offset = exec.command.input_length();
        Ok(Response::new(pb::SendExecInputResponse { input_offset }))
    }

    async fn signal_exec(
        &self,
        request: Request<pb::SignalExecRequest>,
    ) -> Result<Response<pb::SignalExecResponse>, Status> {
        let request = request.into_inner();
        let number = convert::signal_of(request.signal)?;
        let exec = self.0.execs.find(&request.exec_id)?;
        command::signal(&exec.command, number).await?;
        Ok(Response::new(pb::SignalExecResponse {}))
    }

    async fn resize_exec(
        &self,
        request: Request<pb::ResizeExecRequest>,
    ) -> Result<Response<pb::ResizeExecResponse>, Status> {
        let request = request.into_inner();
        let size = convert::size(request.size.unwrap_or_default())?;
        let exec = self.0.execs.find(&request.exec_id)?;
        command::resize(&exec.command, size).await?;
        Ok(Response::new(pb::ResizeExecResponse {}))
    }
}

/// A call that follows a command.
struct Following {
    exec: Arc<Started>,
    /// The event that is sent first.
    started: Option<pb::ExecStarted>,
    chunks: Chunks,
    refusals: mpsc::Receiver<Error>,
    has_refusals: bool,
    /// Resolves at the soft limit.
    soft: Option<Pin<Box<Sleep>>>,
    /// Where the call ends; `None` for the end of the command.
    until: Option<u64>,
    context: Context,
    _reader: Reader,
    /// The leash of the command, which is dropped with the call.
    _leash: Option<Leash>,
}

impl Following {
    fn new(
        attached: Attached,
        requests: Streaming<pb::ExecRequest>,
        context: Context,
    ) -> Result<Self, Error> {
        let Attached {
            exec,
            offset,
            is_new,
            soft_timeout,
        } = attached;
        // Before any other step can fail.
        let leash = (is_new && !exec.detached).then(|| Leash::new(&exec.command));
        let cursor = exec.command.record().follow(offset)?;
        let (sender, refusals) = mpsc::channel(command::REFUSALS);
        // Requests are read by a task of their own: `next` is polled only while the client takes
        // events, and input must reach a command even if its output is not read.
        let reader = Reader::spawn(read(requests, exec.command.clone(), sender));
        Ok(Self {
            started: Some(pb::ExecStarted {
                exec_id: exec.command.id().to_owned(),
                pid: exec.command.pid().unwrap_or_default(),
                started_at: exec.command.started_at().and_then(convert::timestamp),
                resumed: !is_new,
                input_offset: exec.command.input_length(),
                isolation_level: convert::level(exec.command.level()),
            }),
            chunks: Chunks::new(cursor, exec.output == OutputMode::Merged),
            exec,
            refusals,
            has_refusals: true,
            soft: soft_timeout.map(|soft| Box::pin(sleep(soft))),
            until: None,
            context,
            _reader: reader,
            _leash: leash,
        })
    }
}

impl Source for Following {
    type Event = Event;

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        if let Some(started) = self.started.take() {
            return Ok(Some(Event::Started(started)));
        }
        loop {
            let position = self.chunks.position();
            if self.until.is_some_and(|until| position >= until) {
                return Ok(Some(Event::StillRunning(pb::StillRunning {
                    exec_id: self.exec.command.id().to_owned(),
                    end_offset: position,
                })));
            }
            tokio::select! {
                chunk = self.chunks.next() => match chunk {
                    Some(chunk) => return Ok(Some(chunk.into())),
                    None => break,
                },
                refusal = self.refusals.recv(), if self.has_refusals => match refusal {
                    Some(error) => return Ok(Some(Event::Refused(pb::Refused {
                        code: error.code().name().to_owned(),
                        message: error.message().to_owned(),
                    }))),
                    // The reader has ended. A closed channel is always ready, and would make this
                    // loop spin.
                    None => self.has_refusals = false,
                },
                () = passed(&mut self.soft) => {
                    // The limit has passed, and is not looked at again.
                    self.soft = None;
                    // What was written until now belongs to this response, so that it ends even if
                    // the command never stops writing; a client finds the rest by the command's id.
                    let is_running = command::end_of(&self.exec.command).is_none();
                    self.until = is_running.then(|| self.exec.command.record().length());
                },
                status = self.context.over() => return Err(status),
            }
        }
        let ended = self.exec.command.ended().await;
        let usage = self.exec.command.usage();
        let ended = resources::with_usage(convert::termination(&ended), usage);
        let end = convert::ended(ended, self.chunks.position());
        Ok(Some(Event::Ended(end)))
    }
}

/// Resolves at a soft limit; never without one.
async fn passed(soft: &mut Option<Pin<Box<Sleep>>>) {
    match soft {
        Some(soft) => soft.await,
        None => std::future::pending().await,
    }
}

/// Carries out the client's further requests.
async fn read(
    mut requests: Streaming<pb::ExecRequest>,
    command: Command,
    refusals: mpsc::Sender<Error>,
) {
    // A request is refused because of the command's state, as over a WebSocket.
    let conflict = |error: Error| Error::new(ErrorCode::Conflict, error.message());
    loop {
        let result = match requests.message().await {
            Ok(Some(pb::ExecRequest {
                message: Some(message),
            })) => match message {
                Message::Input(given) => {
                    // Until then nothing more is read, so that a client that is faster than the command waits. Unary calls
                    // do not wait.
                    command.input_room(given.data.len()).await;
                    let is_end = given.eof;
                    match convert::input(given).write_to(&command) {
                        Err(refusal) if !is_end => {
                            // If the client does not read its refusals, the first ones are enough.
                            let _ = refusals.try_send(conflict(refusal));
                            Ok(())
                        }
                        written => written.map_err(conflict),
                    }
                }
                Message::Signal(wanted) => match convert::signal_of(Some(wanted)) {
                    Ok(number) => command::signal(&command, number).await.map_err(conflict),
                    Err(error) => Err(error),
                },
                Message::Resize(wanted) => match convert::size(wanted) {
                    Ok(size) => command::resize(&command, size).await.map_err(conflict),
                    Err(error) => Err(error),
                },
                Message::Start(_) | Message::Attach(_) => {
                    Err(Error::bad("the command has been started"))
                }
            },
            Ok(Some(_)) => Err(Error::bad("a request of no known kind")),
            Ok(None) => {
                // An input that is closed already is not an error.
                let _ = command.close_input();
                return;
            }
            // The call has ended.
            Err(_) => return,
        };
        if let Err(refusal) = result
            && refusals.send(refusal).await.is_err()
        {
            return;
        }
    }
}

fn describe(exec: &Started) -> pb::ExecInfo {
    let Started {
        command, detached, ..
    } = exec;
    let mut description = command.text().to_owned();
    // A list has up to a thousand commands, and each text may have megabytes.
    description.truncate(description.floor_char_boundary(DESCRIPTION_BYTES));
    pb::ExecInfo {
        exec_id: command.id().to_owned(),
        pid: command.pid().unwrap_or_default(),
        description,
        started_at: command.started_at().and_then(convert::timestamp),
        ended_at: command.ended_at().and_then(convert::timestamp),
        termination: convert::end_of(command),
        end_offset: command.record().length(),
        input_offset: command.input_length(),
        terminal: command.size().map(convert::terminal_size),
        detached: *detached,
    }
}

const DESCRIPTION_BYTES: usize = 4096;
