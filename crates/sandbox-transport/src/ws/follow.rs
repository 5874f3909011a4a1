//! A log that is followed, over as many connections as it takes.

use std::collections::VecDeque;

use bytes::Bytes;
use sandbox_wire::rest::SessionCommandLogsResponse;
use sandbox_wire::ws::close_code;
use sandbox_wire::ws::subprotocol::LOG_FRAMES;
use tokio::time::Instant;

use super::log::{Digest, Frames, Marked};
use super::{End, Frame, Incoming, Source, event_stream};
use crate::client::{Call, add_query};
use crate::limits::RESUME_PAUSE;
use crate::resume::{Cut, given_up, may_pass};
use crate::{Delivery, Effect, Error, ErrorKind, HttpTransport, LogEvent, LogOptions, LogStream};

pub(crate) async fn follow(
    transport: HttpTransport,
    path: String,
    options: LogOptions,
) -> Result<LogStream, Error> {
    let mut follow = Follow {
        transport,
        path,
        options,
        offset: options.offset,
        ready: VecDeque::new(),
        state: State::Ended,
        has_offsets: None,
        known: None,
    };
    follow.connect().await?;
    Ok(event_stream(follow))
}

struct Follow {
    transport: HttpTransport,
    path: String,
    options: LogOptions,
    /// Where the next event behind those that are ready belongs.
    offset: u64,
    ready: VecDeque<LogEvent>,
    state: State,
    /// Whether the daemon tells offsets, once that is known.
    has_offsets: Option<bool>,
    /// Where it does not: the digest of the log up to `offset`.
    known: Option<Digest>,
}

enum State {
    Connected(Connection),
    Cut(Cut),
    Ended,
}

struct Connection {
    incoming: Incoming,
    form: Form,
    since: Instant,
    has_brought: bool,
    /// The cut before it.
    cut: Option<Cut>,
}

enum Form {
    Frames(Frames),
    Marked(Marked),
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
                State::Connected(connection) => match connection.incoming.next().await {
                    Ok(Frame::Binary(bytes)) => self.push(bytes)?,
                    Ok(Frame::Text(text)) => self.push(text.into())?,
                    Err(end) => self.end(end)?,
                },
            }
        }
    }
}

impl Follow {
    /// Begins to read where this stands.
    async fn connect(&mut self) -> Result<(), Error> {
        // A daemon that does not know offsets would send the log from its beginning.
        let asks_for_offset = self.offset > 0 && self.has_offsets != Some(false);
        let mut path = self.path.clone();
        if self.options.follow {
            add_query(&mut path, "follow", "true");
        }
        if asks_for_offset {
            add_query(&mut path, "offset", &self.offset.to_string());
        }
        let mut opened = self
            .transport
            .open(path, Effect::None, &[LOG_FRAMES])
            .await?;
        let has_offsets = opened.speaks(LOG_FRAMES);
        if self.has_offsets.is_some_and(|before| before != has_offsets) {
            let message = "another daemon answers than before the cut";
            return Err(Error::new(ErrorKind::Conflict, Delivery::Rejected, message));
        }
        self.has_offsets = Some(has_offsets);
        if !has_offsets && !self.options.follow {
            // Stock daemons lose the end of a log that is not followed.
            return self.snapshot().await;
        }
        if !has_offsets && asks_for_offset {
            // Whatever it made of the offset: without one there is no doubt.
            let mut path = self.path.clone();
            add_query(&mut path, "follow", "true");
            opened = self.transport.open(path, Effect::None, &[]).await?;
        }
        let form = match has_offsets {
            true => Form::Frames(Frames::new()),
            false => Form::Marked(Marked::new(self.known)),
        };
        let cut = match &self.state {
            State::Cut(cut) => Some(*cut),
            _ => None,
        };
        self.state = State::Connected(Connection {
            incoming: opened.socket.incoming,
            form,
            since: Instant::now(),
            has_brought: false,
            cut,
        });
        Ok(())
    }

    async fn snapshot(&mut self) -> Result<(), Error> {
        let call = Call::get(self.path.clone());
        let logs: SessionCommandLogsResponse = self.transport.fetch(call).await?;
        let mut marked = Marked::new(None);
        marked.push(logs.output.into(), &mut self.offset, &mut self.ready)?;
        marked.finish(&mut self.offset, &mut self.ready)?;
        self.state = State::Ended;
        Ok(())
    }

    fn push(&mut self, message: Bytes) -> Result<(), Error> {
        let State::Connected(connection) = &mut self.state else {
            return Ok(());
        };
        let before = self.offset;
        match &mut connection.form {
            Form::Frames(frames) => frames.push(&message, &mut self.offset, &mut self.ready)?,
            Form::Marked(marked) => marked.push(message, &mut self.offset, &mut self.ready)?,
        }
        connection.has_brought |= self.offset > before;
        Ok(())
    }

    fn end(&mut self, end: End) -> Result<(), Error> {
        let State::Connected(connection) = &mut self.state else {
            return Ok(());
        };
        match (&end, &mut connection.form) {
            (
                End::Closed {
                    code: Some(close_code::NORMAL),
                    ..
                },
                Form::Frames(frames),
            ) => {
                frames.finish()?;
                self.state = State::Ended;
                return Ok(());
            }
            // Some proxies leave out the code.
            (
                End::Closed {
                    code: Some(close_code::NORMAL) | None,
                    ..
                },
                Form::Marked(marked),
            ) => {
                marked.finish(&mut self.offset, &mut self.ready)?;
                self.state = State::Ended;
                return Ok(());
            }
            (_, Form::Marked(marked)) => {
                self.known = marked.digest_at(self.offset).or(self.known);
            }
            (_, Form::Frames(_)) => {}
        }
        let error = end.into_error();
        if !self.options.resume || matches!(error.kind(), ErrorKind::Protocol | ErrorKind::TooLarge)
        {
            return Err(error);
        }
        // A connection that lived for a while was good, whether there was something to bring or not.
        let was_good = connection.has_brought || connection.since.elapsed() >= RESUME_PAUSE;
        let cut = connection
            .cut
            .filter(|_| !was_good)
            .unwrap_or_else(Cut::now);
        if cut.is_over() {
            return Err(given_up(self.offset, error));
        }
        self.state = State::Cut(cut);
        Ok(())
    }

    async fn connect_again(&mut self, mut cut: Cut) -> Result<(), Error> {
        loop {
            cut.pause().await;
            self.state = State::Cut(cut);
            let error = match self.connect().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if !may_pass(&error) || cut.is_over() {
                return Err(given_up(self.offset, error));
            }
        }
    }
}
