//! Commands of their own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use sandbox_logcodec::Channel;
use sandbox_wire::ErrorCode;
use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use sandbox_wire::pb::exec_start::Program;
use sandbox_wire::pb::{self, termination::Cause};
use sandbox_wire::rest::{ErrorEnvelope, ExecuteRequest, ExecuteResponse, SignalSpec, Termination};
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::collected::Collected;
use super::duplex::{Incoming, Outgoing, begin, begun};
use super::output::Position;
use super::{GrpcTransport, convert, status};
use crate::client::answer_within;
use crate::source::{Source, event_stream};
use crate::{
    ApiFuture, Effect, Error, ExecConnection, ExecControl, ExecEvent, ExecStreamRequest, LogEvent,
};

/// Runs a command to its end.
pub(super) async fn execute(
    transport: &GrpcTransport,
    request: ExecuteRequest,
) -> Result<ExecuteResponse, Error> {
    let deadline = answer_within(request.timeout, request.timeout_millis);
    let is_split = request.split_output == Some(true);
    let start = pb::ExecStart {
        empty_input: true,
        ..start(request, is_split, false, transport.key())
    };
    let run = |wire| {
        let first = message(Message::Start(start.clone()));
        async move {
            let answers = call::exec(wire).exec(stream::iter([first])).await?;
            collect(answers.into_inner(), is_split).await
        }
    };
    let call = Call::new(Effect::Once).deadline(deadline).with_key();
    transport.call(call, run).await
}

/// Reads what a command did, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::ExecResponse>,
    is_split: bool,
) -> Result<ExecuteResponse, Failed> {
    let mut output = Collected::new();
    loop {
        let answer = answers.message().await?.ok_or_else(status::cut)?;
        match answer.event {
            Some(Event::Output(chunk)) => output.chunk(chunk)?,
            Some(Event::Gap(gap)) => output.gap(gap)?,
            Some(Event::Ended(ended)) => return outcome(&ended, &output, is_split),
            Some(Event::Started(_) | Event::Refused(_)) | None => {}
        }
    }
}

/// What a run did; or the error that a time limit is.
fn outcome(
    ended: &pb::Ended,
    output: &Collected,
    is_split: bool,
) -> Result<ExecuteResponse, Failed> {
    let told = termination_of(ended)?;
    let termination = convert::termination(told);
    let of = |channel| is_split.then(|| output.told(Some(channel)));
    let response = ExecuteResponse {
        exit_code: convert::exit_code(&termination),
        result: match &told.cause {
            Some(Cause::SpawnFailed(failed)) => failed.message.clone(),
            _ => output.told(None),
        },
        stdout: of(Channel::Stdout),
        stderr: of(Channel::Stderr),
        termination: Some(termination),
        truncation: output.truncation(),
    };
    match limit_of(told) {
        None => Ok(response),
        Some(limit) => Err(Failed::Error(timed_out(
            limit,
            ErrorEnvelope {
                result: Some(response.result),
                stdout: response.stdout,
                stderr: response.stderr,
                termination: response.termination,
                truncation: response.truncation,
                ..ErrorEnvelope::default()
            },
        ))),
    }
}

/// How what is told of ended.
pub(super) fn termination_of(ended: &pb::Ended) -> Result<&pb::Termination, Error> {
    let told = ended.termination.as_ref();
    told.ok_or_else(|| status::incomplete("termination"))
}

/// The time limit that ended a process, if that is how it ended.
pub(super) fn limit_of(told: &pb::Termination) -> Option<Duration> {
    match &told.cause {
        Some(Cause::TimedOut(late)) => {
            let limit = late.limit.and_then(|limit| limit.try_into().ok());
            Some(limit.unwrap_or_default())
        }
        _ => None,
    }
}

/// A time limit that ran out, as HTTP answers it.
pub(super) fn timed_out(limit: Duration, envelope: ErrorEnvelope) -> Error {
    let code = ErrorCode::ProcessExecutionTimeout;
    let limit = humantime::format_duration(limit);
    Error::answered(
        code.http_status(),
        ErrorEnvelope {
            message: format!("the time limit of {limit} ran out"),
            code: Some(code.name().to_owned()),
            source: Some(sandbox_wire::rest::SOURCE_DAEMON.to_owned()),
            ..envelope
        },
    )
}

/// Starts a command that is followed, fed and signaled.
pub(super) async fn start_stream(
    transport: &GrpcTransport,
    request: ExecStreamRequest,
) -> Result<ExecConnection, Error> {
    let is_split = request.request.split_output != Some(false);
    let start = pb::ExecStart {
        empty_input: !request.input,
        ..start(
            request.request,
            is_split,
            request.kill_on_drop,
            transport.key(),
        )
    };
    let open = |wire| {
        let (sender, requests) = begin(message(Message::Start(start.clone())));
        async move {
            let answers = call::exec(wire).exec(requests).await?;
            let (mut incoming, outgoing) = begun(sender, answers.into_inner());
            match incoming.next().await?.event {
                Some(Event::Started(started)) => Ok((incoming, outgoing, started.pid)),
                Some(Event::Ended(ended)) => Err(not_started(&ended)?.into()),
                _ => Err(status::incomplete("beginning").into()),
            }
        }
    };
    let call = Call::new(Effect::Once).with_key();
    let (incoming, outgoing, pid) = transport.call(call, open).await?;
    Ok(ExecConnection {
        events: event_stream(Events::new(incoming)),
        control: Arc::new(Control(outgoing)),
        pid: Some(pid).filter(|pid| *pid > 0),
    })
}

/// Why a command did not begin.
fn not_started(ended: &pb::Ended) -> Result<Error, Error> {
    let Termination { reason, .. } = convert::termination(termination_of(ended)?);
    let code = ErrorCode::UnprocessableEntity;
    Ok(Error::answered(
        code.http_status(),
        ErrorEnvelope {
            message: reason.unwrap_or_default(),
            code: Some(code.name().to_owned()),
            ..ErrorEnvelope::default()
        },
    ))
}

/// Unless it is to be killed the command goes on whatever becomes of the call, as over HTTP.
fn start(
    request: ExecuteRequest,
    is_split: bool,
    kill_on_drop: bool,
    idempotency_key: String,
) -> pb::ExecStart {
    let mode = match is_split {
        true => pb::OutputMode::Split,
        false => pb::OutputMode::Combined,
    };
    pb::ExecStart {
        program: Some(Program::Command(request.command)),
        options: Some(pb::RunOptions {
            cwd: request.cwd.unwrap_or_default(),
            envs: convert::variables(request.envs),
            timeout: convert::time_limit(request.timeout, request.timeout_millis),
            detach: !kill_on_drop,
            idempotency_key,
        }),
        output_mode: mode.into(),
        ..pb::ExecStart::default()
    }
}

pub(super) struct Events {
    incoming: Incoming<pb::ExecRequest, pb::ExecResponse>,
    position: Position,
    ready: VecDeque<LogEvent>,
    has_ended: bool,
}

impl Events {
    pub(super) fn new(incoming: Incoming<pb::ExecRequest, pb::ExecResponse>) -> Self {
        Self {
            incoming,
            position: Position::new(0),
            ready: VecDeque::new(),
            has_ended: false,
        }
    }
}

impl Source<ExecEvent> for Events {
    async fn next(&mut self) -> Result<Option<ExecEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event.into()));
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.incoming.next().await?.event {
                Some(Event::Output(chunk)) => {
                    let events = self.position.chunk(chunk)?;
                    self.ready.extend(events.into_iter().flatten());
                }
                Some(Event::Gap(gap)) => self.ready.extend(self.position.gap(gap)?),
                Some(Event::Refused(pb::Refused { code, message })) => {
                    return Ok(Some(ExecEvent::Refused { code, message }));
                }
                Some(Event::Ended(ended)) => {
                    let termination = convert::termination(termination_of(&ended)?);
                    self.has_ended = true;
                    self.incoming.end();
                    return Ok(Some(ExecEvent::Ended {
                        exit_code: convert::exit_code(&termination),
                        termination,
                    }));
                }
                Some(Event::Started(_)) | None => {}
            }
        }
    }
}

#[derive(Debug)]
struct Control(Outgoing<pb::ExecRequest>);

impl ExecControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        let input = |data| {
            message(Message::Input(pb::Input {
                data,
                ..pb::Input::default()
            }))
        };
        Box::pin(self.0.pieces(bytes, input))
    }

    fn close_input(&self) -> ApiFuture<'_, ()> {
        let end = message(Message::Input(pb::Input {
            eof: true,
            ..pb::Input::default()
        }));
        Box::pin(self.0.tell(end))
    }

    fn signal(&self, signal: SignalSpec) -> ApiFuture<'_, ()> {
        Box::pin(self.0.tell(message(Message::Signal(number(&signal)))))
    }
}

/// A signal; 0, which is none and refused as such, for a name that is none.
pub(super) fn number(signal: &SignalSpec) -> pb::Signal {
    pb::Signal {
        number: signal.number().unwrap_or_default(),
        ..pb::Signal::default()
    }
}

fn message(message: Message) -> pb::ExecRequest {
    pb::ExecRequest {
        message: Some(message),
    }
}
