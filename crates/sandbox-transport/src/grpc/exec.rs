//! Commands without a session.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use tokio::sync::mpsc;
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::duplex::{Incoming, Outgoing, begin, begun};
use super::output::{Gathered, Position};
use super::{GrpcTransport, convert, status};
use crate::exchange::{isolates, respond_within, soft_limits};
use crate::limits::INPUT_QUEUE;
use crate::model::{
    CommandInfo, ExecRequest, ExecStreamRequest, Outcome, PtySize, Signal, Termination,
};
use crate::source::{Source, event_stream};
use crate::{ApiFuture, Delivery, Effect, Error, ExecConnection, ExecControl, ExecEvent, LogEvent};

/// Runs a command to its end.
pub(super) async fn execute(
    transport: &GrpcTransport,
    request: ExecRequest,
) -> Result<Outcome, Error> {
    request.check_has_no_terminal()?;
    soft_limits(transport, &request).await?;
    isolates(transport, request.isolation.as_ref()).await?;
    let deadline = respond_within(request.first_limit());
    let is_split = request.split_output == Some(true);
    let start = convert::exec(request, is_split, false, false, transport.key());
    let run = |wire| {
        // Cloned, since the stub consumes the messages, and each attempt needs them.
        let first = message(Message::Start(start.clone()));
        async move {
            let answers = call::exec(wire).exec(stream::iter([first])).await?;
            collect(answers.into_inner(), is_split).await
        }
    };
    let call = Call::keyed().deadline(deadline);
    transport.call(call, run).await
}

/// Reads the outcome of a command, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::ExecResponse>,
    is_split: bool,
) -> Result<Outcome, Failed> {
    let mut output = Gathered::new();
    let mut isolation_level = None;
    loop {
        // `Ended` is the last message. Without it the outcome is not known, whatever the status of
        // the call.
        let answer = answers.message().await?.ok_or_else(status::cut)?;
        match answer.event {
            Some(Event::Output(chunk)) => output.chunk(chunk)?,
            Some(Event::Gap(gap)) => output.gap(gap)?,
            Some(Event::Ended(ended)) => {
                return Ok(Outcome {
                    output: output.output(is_split),
                    usage: convert::usage(&ended),
                    termination: convert::ended(ended)?,
                    charts: Vec::new(),
                    isolation_level,
                });
            }
            Some(Event::Started(started)) => {
                isolation_level = convert::level(started.isolation_level());
            }
            Some(Event::StillRunning(running)) => {
                return Ok(Outcome {
                    output: output.output(is_split),
                    termination: Termination::StillRunning {
                        exec_id: running.exec_id,
                    },
                    isolation_level,
                    ..Outcome::default()
                });
            }
            // `None` is an event that this version does not know.
            Some(Event::Refused(_)) | None => {}
        }
    }
}

/// Returns a command by its id, and how it ended, if it did.
pub(super) async fn info(transport: &GrpcTransport, exec_id: String) -> Result<CommandInfo, Error> {
    let request = pb::GetExecRequest { exec_id };
    let send = |wire, request| async { call::exec(wire).get_exec(request).await };
    let call = Call::new(Effect::None);
    let found = transport.ask(call, request, send).await?.exec;
    let found = found.ok_or_else(|| status::incomplete("command"))?;
    Ok(convert::exec_info(found))
}

/// Sends a command a signal.
pub(super) async fn signal(
    transport: &GrpcTransport,
    exec_id: String,
    signal: Signal,
) -> Result<(), Error> {
    let request = pb::SignalExecRequest {
        exec_id,
        signal: Some(convert::signal(signal)),
    };
    let send = |wire, request| async { call::exec(wire).signal_exec(request).await };
    // A second signal may have another effect than the first: many programs shut down in order at
    // the first SIGINT, and exit immediately at the second.
    let call = Call::new(Effect::Once);
    transport.ask(call, request, send).await.map(drop)
}

/// Starts a command that is followed, given input and signaled.
pub(super) async fn start_stream(
    transport: &GrpcTransport,
    request: ExecStreamRequest,
) -> Result<ExecConnection, Error> {
    request.request.check_has_no_soft_limit()?;
    isolates(transport, request.request.isolation.as_ref()).await?;
    let is_split = request.request.split_output != Some(false);
    let (has_input, kill_on_drop) = (request.input, request.kill_on_drop);
    let start = convert::exec(
        request.request,
        is_split,
        has_input,
        kill_on_drop,
        transport.key(),
    );
    let open = |wire| {
        let (sender, requests) = begin(message(Message::Start(start.clone())));
        async move {
            let answers = call::exec(wire).exec(requests).await?;
            let (mut incoming, outgoing) = begun(sender, answers.into_inner());
            match incoming.next().await?.event {
                Some(Event::Started(started)) => Ok((incoming, outgoing, started)),
                // A command that ends before it started could not be started.
                Some(Event::Ended(ended)) => Err(not_started(ended)?.into()),
                _ => Err(status::incomplete("beginning").into()),
            }
        }
    };
    let call = Call::keyed();
    // The deadline ends with `open`, when the command has started. The rest of the stream has none.
    let (incoming, outgoing, started) = transport.call(call, open).await?;
    let (refuse, refusals) = mpsc::channel(INPUT_QUEUE);
    let events = Events {
        refusals: Some(refusals),
        ..Events::new(incoming)
    };
    let isolation_level = convert::level(started.isolation_level());
    Ok(ExecConnection {
        events: event_stream(events),
        control: Arc::new(Control {
            outgoing,
            transport: transport.clone(),
            exec_id: started.exec_id,
            refuse,
        }),
        pid: Some(started.pid).filter(|pid| *pid > 0),
        isolation_level,
    })
}

/// Returns the error of a command that was not started, as over HTTP.
fn not_started(ended: pb::Ended) -> Result<Error, Error> {
    let reason = match convert::ended(ended)? {
        Termination::NotStarted { reason } => reason,
        _ => String::new(),
    };
    let code = ErrorCode::UnprocessableEntity;
    let name = Some(code.name().to_owned());
    Ok(Error::answered(code.http_status(), name, &reason))
}

pub(super) struct Events {
    incoming: Incoming<pb::ExecRequest, pb::ExecResponse>,
    /// The refusals of separate calls.
    refusals: Option<mpsc::Receiver<ExecEvent>>,
    position: Position,
    ready: VecDeque<LogEvent>,
    has_ended: bool,
}

impl Events {
    pub(super) fn new(incoming: Incoming<pb::ExecRequest, pb::ExecResponse>) -> Self {
        Self {
            incoming,
            refusals: None,
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
            // Both are cancel safe: the branch that loses has taken nothing.
            let response = tokio::select! {
                response = self.incoming.next() => response?,
                refused = refusal(&mut self.refusals) => return Ok(Some(refused)),
            };
            match response.event {
                Some(Event::Output(chunk)) => {
                    let events = self.position.chunk(chunk)?;
                    self.ready.extend(events.into_iter().flatten());
                }
                Some(Event::Gap(gap)) => self.ready.extend(self.position.gap(gap)?),
                Some(Event::Refused(pb::Refused { code, message })) => {
                    return Ok(Some(ExecEvent::Refused { code, message }));
                }
                Some(Event::Ended(ended)) => {
                    let usage = convert::usage(&ended);
                    let termination = convert::ended(ended)?;
                    self.has_ended = true;
                    self.incoming.end();
                    return Ok(Some(ExecEvent::Ended { termination, usage }));
                }
                // It has no soft limit.
                Some(Event::Started(_) | Event::StillRunning(_)) | None => {}
            }
        }
    }
}

/// Resolves to the next refusal of a separate call; never if there will be none. Cancel safe.
async fn refusal(refusals: &mut Option<mpsc::Receiver<ExecEvent>>) -> ExecEvent {
    if let Some(receiver) = refusals {
        if let Some(refused) = receiver.recv().await {
            return refused;
        }
        *refusals = None;
    }
    std::future::pending().await
}

/// The control of a command. Input is sent in the call itself; signals and sizes are separate calls, which no input
/// delays.
#[derive(Debug)]
struct Control {
    outgoing: Outgoing<pb::ExecRequest>,
    transport: GrpcTransport,
    exec_id: String,
    refuse: mpsc::Sender<ExecEvent>,
}

impl Control {
    /// Reports the daemon's refusal of a separate call as an event, as if the request had been sent in the main call.
    fn apart<A>(&self, done: Result<A, Error>) -> Result<(), Error> {
        match done {
            // Without a code the refusal is not the daemon's, but a proxy's or a library's.
            Err(error) if error.delivery() == Delivery::Rejected && error.code().is_some() => {
                let bad = ErrorCode::BadRequest.name();
                // Any other refusal is due to the current state.
                let code = error.code().filter(|code| *code == bad);
                // If nothing reads the refusals, the first ones are sufficient.
                let _ = self.refuse.try_send(ExecEvent::Refused {
                    code: code.unwrap_or(ErrorCode::Conflict.name()).to_owned(),
                    message: error.to_string(),
                });
                Ok(())
            }
            done => done.map(drop),
        }
    }
}

impl ExecControl for Control {
    fn write(&self, bytes: Bytes) -> ApiFuture<'_, ()> {
        let input = |data| {
            message(Message::Input(pb::Input {
                data,
                ..pb::Input::default()
            }))
        };
        Box::pin(self.outgoing.pieces(bytes, input))
    }

    fn close_input(&self) -> ApiFuture<'_, ()> {
        let end = message(Message::Input(pb::Input {
            eof: true,
            ..pb::Input::default()
        }));
        Box::pin(self.outgoing.tell(end))
    }

    fn signal(&self, signal: Signal) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            // A separate call would reach the daemon even after this connection has ended.
            self.outgoing.check_open()?;
            let request = pb::SignalExecRequest {
                exec_id: self.exec_id.clone(),
                signal: Some(convert::signal(signal)),
            };
            let send = |wire, request| async { call::exec(wire).signal_exec(request).await };
            self.apart(
                self.transport
                    .ask(Call::new(Effect::Once), request, send)
                    .await,
            )
        })
    }

    fn resize(&self, size: PtySize) -> ApiFuture<'_, ()> {
        Box::pin(async move {
            self.outgoing.check_open()?;
            let request = pb::ResizeExecRequest {
                exec_id: self.exec_id.clone(),
                size: Some(convert::size(size)),
            };
            let send = |wire, request| async { call::exec(wire).resize_exec(request).await };
            self.apart(
                self.transport
                    .ask(Call::new(Effect::Idempotent), request, send)
                    .await,
            )
        })
    }
}

fn message(message: Message) -> pb::ExecRequest {
    pb::ExecRequest {
        message: Some(message),
    }
}
