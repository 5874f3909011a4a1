//! A log that is followed over calls.

use sandbox_wire::pb;
use sandbox_wire::pb::follow_log_response::Event;
use tonic::Streaming;

use super::call::{self, Call};
use super::output::Position;
use super::session::log_of;
use super::{GrpcTransport, status};
use crate::resume::{self, Connect, Log};
use crate::{Effect, Error, LogOptions, LogSource, LogStream};

pub(super) async fn follow(
    transport: GrpcTransport,
    source: &LogSource,
    options: LogOptions,
) -> Result<LogStream, Error> {
    let request = pb::FollowLogRequest {
        follow: options.follow,
        ..log_of(source)
    };
    resume::follow(Calls { transport, request }, options).await
}

pub(super) struct Calls {
    pub(super) transport: GrpcTransport,
    pub(super) request: pb::FollowLogRequest,
}

impl Connect for Calls {
    type Connection = Streaming<pb::FollowLogResponse>;

    async fn open(&mut self, log: &mut Log) -> Result<Option<Self::Connection>, Error> {
        // Every daemon with this service sends from an offset, so that nothing is read twice and
        // compared.
        self.request.offset = log.offset;
        let read = |wire| {
            let request = self.request.clone();
            async move { Ok(call::session(wire).follow_log(request).await?) }
        };
        let answers = self.transport.call(Call::new(Effect::None), read).await?;
        Ok(Some(answers.into_inner()))
    }

    async fn read(&mut self, call: &mut Self::Connection, log: &mut Log) -> Result<bool, Error> {
        let Some(answer) = call.message().await.map_err(status::error)? else {
            // The trailers, which have arrived already, distinguish the end from a cut.
            let trailers = call.trailers().await.map_err(status::error)?;
            return trailers.map(|_| false).ok_or_else(status::cut);
        };
        let mut position = Position::new(log.offset);
        match answer.event {
            Some(Event::Output(chunk)) => {
                let events = position.chunk(chunk)?;
                log.ready.extend(events.into_iter().flatten());
            }
            Some(Event::Gap(gap)) => log.ready.extend(position.gap(gap)?),
            Some(Event::Ended(_)) => return Ok(false),
            None => {}
        }
        log.offset = position.offset();
        Ok(true)
    }
}
