//! A log that is followed, over as many calls as it takes.

use std::collections::VecDeque;

use sandbox_wire::pb::follow_log_response::Event;
use sandbox_wire::pb::{self};
use tokio::time::Instant;
use tonic::Streaming;

use super::call::{self, Call};
use super::output::Position;
use super::session::log_of;
use super::{GrpcTransport, status};
use crate::limits::RESUME_PAUSE;
use crate::resume::{Cut, given_up, may_pass};
use crate::source::{Source, event_stream};
use crate::{Effect, Error, LogEvent, LogOptions, LogSource, LogStream};

pub(super) async fn follow(
    transport: GrpcTransport,
    source: &LogSource,
    options: LogOptions,
) -> Result<LogStream, Error> {
    let mut follow = Follow {
        transport,
        request: pb::FollowLogRequest {
            follow: options.follow,
            ..log_of(source)
        },
        resumes: options.resume,
        position: Position::new(options.offset),
        ready: VecDeque::new(),
        state: State::Ended,
    };
    follow.connect(None).await?;
    Ok(event_stream(follow))
}

struct Follow {
    transport: GrpcTransport,
    request: pb::FollowLogRequest,
    /// Whether it goes on behind a cut.
    resumes: bool,
    /// Where the next event behind those that are ready belongs.
    position: Position,
    ready: VecDeque<LogEvent>,
    state: State,
}

enum State {
    Connected(Box<Connection>),
    Cut(Cut),
    Ended,
}

struct Connection {
    answers: Streaming<pb::FollowLogResponse>,
    since: Instant,
    has_brought: bool,
    /// The cut before it.
    cut: Option<Cut>,
}

impl Source<LogEvent> for Follow {
    async fn next(&mut self) -> Result<Option<LogEvent>, Error> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            match &mut self.state {
                State::Ended => return Ok(None),
                State::Cut(cut) => {
                    let cut = *cut;
                    self.connect_again(cut).await?;
                }
                State::Connected(connection) => match connection.next().await {
                    Ok(Some(answer)) => self.take(answer)?,
                    Ok(None) => self.state = State::Ended,
                    Err(error) => self.cut(error)?,
                },
            }
        }
    }
}

impl Connection {
    /// The next message; `None` at the end of a log that is not followed. Cancel safe.
    async fn next(&mut self) -> Result<Option<pb::FollowLogResponse>, Error> {
        match self.answers.message().await {
            Ok(Some(answer)) => Ok(Some(answer)),
            // The trailers, which are here already, are what tells the end from a cut.
            Ok(None) => match self.answers.trailers().await {
                Ok(Some(_)) => Ok(None),
                Ok(None) => Err(status::cut()),
                Err(error) => Err(status::error(error)),
            },
            Err(error) => Err(status::error(error)),
        }
    }
}

impl Follow {
    /// Begins to read where this stands.
    async fn connect(&mut self, cut: Option<Cut>) -> Result<(), Error> {
        let request = pb::FollowLogRequest {
            offset: self.position.offset(),
            ..self.request.clone()
        };
        let read = |wire| {
            let request = request.clone();
            async move { Ok(call::session(wire).follow_log(request).await?) }
        };
        let answers = self.transport.call(Call::new(Effect::None), read).await?;
        self.state = State::Connected(Box::new(Connection {
            answers: answers.into_inner(),
            since: Instant::now(),
            has_brought: false,
            cut,
        }));
        Ok(())
    }

    fn take(&mut self, answer: pb::FollowLogResponse) -> Result<(), Error> {
        let State::Connected(connection) = &mut self.state else {
            return Ok(());
        };
        let before = self.position.offset();
        match answer.event {
            Some(Event::Output(chunk)) => {
                let events = self.position.chunk(chunk)?;
                self.ready.extend(events.into_iter().flatten());
            }
            Some(Event::Gap(gap)) => self.ready.extend(self.position.gap(gap)?),
            Some(Event::Ended(_)) => {
                self.state = State::Ended;
                return Ok(());
            }
            None => {}
        }
        connection.has_brought |= self.position.offset() > before;
        Ok(())
    }

    fn cut(&mut self, error: Error) -> Result<(), Error> {
        let State::Connected(connection) = &mut self.state else {
            return Ok(());
        };
        if !self.resumes || !may_pass(&error) {
            return Err(error);
        }
        // A connection that lived for a while was good, whether there was something to bring or not.
        let was_good = connection.has_brought || connection.since.elapsed() >= RESUME_PAUSE;
        let cut = connection
            .cut
            .filter(|_| !was_good)
            .unwrap_or_else(Cut::now);
        if cut.is_over() {
            return Err(given_up(self.position.offset(), error));
        }
        self.state = State::Cut(cut);
        Ok(())
    }

    async fn connect_again(&mut self, mut cut: Cut) -> Result<(), Error> {
        loop {
            cut.pause().await;
            self.state = State::Cut(cut);
            let error = match self.connect(Some(cut)).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !may_pass(&error) || cut.is_over() {
                return Err(given_up(self.position.offset(), error));
            }
        }
    }
}
