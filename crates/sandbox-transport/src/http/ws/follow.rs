//! A log that is followed over WebSockets.

use bytes::Bytes;
use sandbox_wire::rest::SessionCommandLogsResponse;
use sandbox_wire::ws::close_code;
use sandbox_wire::ws::subprotocol::LOG_FRAMES;

use super::log::{Digest, Frames, Marked};
use super::socket::{End, Frame, Incoming};
use crate::http::HttpTransport;
use crate::http::call::Call;
use crate::http::path::add_query;
use crate::resume::{self, Connect, Log};
use crate::{Delivery, Effect, Error, ErrorKind, LogOptions, LogStream};

pub(crate) async fn follow(
    transport: HttpTransport,
    path: String,
    options: LogOptions,
) -> Result<LogStream, Error> {
    let sockets = Sockets {
        transport,
        path,
        follows: options.follow,
        has_offsets: None,
        known: None,
    };
    resume::follow(sockets, options).await
}

struct Sockets {
    transport: HttpTransport,
    path: String,
    follows: bool,
    /// Whether the daemon reports offsets; `None` until that is known.
    has_offsets: Option<bool>,
    /// The digest of the log that has been read, if the daemon does not report offsets.
    known: Option<Digest>,
}

struct Connection {
    incoming: Incoming,
    form: Form,
}

enum Form {
    Frames(Frames),
    Marked(Marked),
}

impl Connect for Sockets {
    type Connection = Connection;

    async fn open(&mut self, log: &mut Log) -> Result<Option<Connection>, Error> {
        // A daemon that does not support offsets would send the log from its beginning.
        let asks_for_offset = log.offset > 0 && self.has_offsets != Some(false);
        let mut path = self.path.clone();
        if self.follows {
            add_query(&mut path, "follow", "true");
        }
        if asks_for_offset {
            add_query(&mut path, "offset", &log.offset.to_string());
        }
        let mut opened = self
            .transport
            .open(path, Effect::None, &[LOG_FRAMES])
            .await?;
        let has_offsets = opened.speaks(LOG_FRAMES);
        // The offset is one of the earlier daemon's log.
        if self.has_offsets.is_some_and(|before| before != has_offsets) {
            let message = "another daemon responds than before the cut";
            return Err(Error::new(ErrorKind::Conflict, Delivery::Rejected, message));
        }
        self.has_offsets = Some(has_offsets);
        if !has_offsets && !self.follows {
            // Stock daemons lose the end of a log that is not followed.
            return self.snapshot(log).await.map(|()| None);
        }
        if !has_offsets && asks_for_offset {
            // It is not known what the daemon made of the offset: request the log without one.
            let mut path = self.path.clone();
            add_query(&mut path, "follow", "true");
            opened = self.transport.open(path, Effect::None, &[]).await?;
        }
        let form = if has_offsets {
            Form::Frames(Frames::new())
        } else {
            Form::Marked(Marked::new(self.known))
        };
        let incoming = opened.socket.incoming;
        Ok(Some(Connection { incoming, form }))
    }

    async fn read(&mut self, connection: &mut Connection, log: &mut Log) -> Result<bool, Error> {
        let message: Bytes = match connection.incoming.next().await {
            Ok(Frame::Binary(bytes)) => bytes,
            Ok(Frame::Text(text)) => text.into(),
            Err(end) => return self.end(end, &mut connection.form, log).map(|()| false),
        };
        match &mut connection.form {
            Form::Frames(frames) => frames.push(&message, &mut log.offset, &mut log.ready)?,
            Form::Marked(marked) => marked.push(message, &mut log.offset, &mut log.ready)?,
        }
        Ok(true)
    }
}

impl Sockets {
    async fn snapshot(&self, log: &mut Log) -> Result<(), Error> {
        let call = Call::get(self.path.clone());
        let logs: SessionCommandLogsResponse = self.transport.fetch(call).await?;
        let mut marked = Marked::new(None);
        marked.push(logs.output.into(), &mut log.offset, &mut log.ready)?;
        marked.finish(&mut log.offset, &mut log.ready)
    }

    /// Distinguishes the end of a log from a cut.
    fn end(&mut self, end: End, form: &mut Form, log: &mut Log) -> Result<(), Error> {
        let code = match &end {
            End::Closed { code, .. } => Some(*code),
            End::Lost(_) => None,
        };
        match (code, form) {
            // Without a code this is a cut: a daemon that reports offsets sends one, and nothing is
            // lost by resuming.
            (Some(Some(close_code::NORMAL)), Form::Frames(frames)) => frames.finish(),
            // Some proxies leave out the code.
            (Some(Some(close_code::NORMAL) | None), Form::Marked(marked)) => {
                marked.finish(&mut log.offset, &mut log.ready)
            }
            (_, Form::Marked(marked)) => {
                // A connection that broke before it was back at the offset has only the earlier
                // digest.
                self.known = marked.digest_at(log.offset).or(self.known);
                Err(end.into_error())
            }
            (_, Form::Frames(_)) => Err(end.into_error()),
        }
    }
}
