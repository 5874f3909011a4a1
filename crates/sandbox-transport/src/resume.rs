//! Logs and files that are read over several connections.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use crate::limits::{RESUME, RESUME_PAUSE};
use crate::source::{Source, event_stream};
use crate::{Error, ErrorKind, LogEvent, LogOptions, LogStream};

/// A factory of connections that send a log from an offset on, and a reader of them.
pub(crate) trait Connect: Send + 'static {
    type Connection: Send;

    /// Opens a connection that sends what follows `log.offset`. Returns `None` if the whole log has been read instead.
    fn open(
        &mut self,
        log: &mut Log,
    ) -> impl Future<Output = Result<Option<Self::Connection>, Error>> + Send;

    /// Reads one message of a connection into `log`. Returns `false` at the end of the log.
    ///
    /// After an error of a kind that [may pass](may_pass), the connection is replaced.
    fn read(
        &mut self,
        connection: &mut Self::Connection,
        log: &mut Log,
    ) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// The part of a log that has been read.
pub(crate) struct Log {
    /// The offset of the event after those in `ready`.
    pub(crate) offset: u64,
    pub(crate) ready: VecDeque<LogEvent>,
}

/// Follows a log: opens its first connection, and replaces one that breaks if `options` says so.
///
/// # Errors
///
/// Returns the error of the first [`Connect::open`]; later errors are in the stream.
pub(crate) async fn follow(
    mut connect: impl Connect,
    options: LogOptions,
) -> Result<LogStream, Error> {
    let mut log = Log {
        offset: options.offset,
        ready: VecDeque::new(),
    };
    let current = connect.open(&mut log).await?.map(Current::new);
    Ok(event_stream(Follower {
        connect,
        resumes: options.resume,
        log,
        current,
        cut: None,
    }))
}

struct Follower<C: Connect> {
    connect: C,
    resumes: bool,
    log: Log,
    /// `None` at the end of the log.
    current: Option<Current<C::Connection>>,
    /// The cut before the current connection.
    cut: Option<Cut>,
}

struct Current<C> {
    connection: C,
    since: Instant,
    has_brought: bool,
}

impl<C> Current<C> {
    fn new(connection: C) -> Self {
        Self {
            connection,
            since: Instant::now(),
            has_brought: false,
        }
    }
}

impl<C: Connect> Source<LogEvent> for Follower<C> {
    async fn next(&mut self) -> Result<Option<LogEvent>, Error> {
        loop {
            if let Some(event) = self.log.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(current) = &mut self.current else {
                return Ok(None);
            };
            let before = self.log.offset;
            match self
                .connect
                .read(&mut current.connection, &mut self.log)
                .await
            {
                Ok(true) => current.has_brought |= self.log.offset > before,
                Ok(false) => self.current = None,
                Err(error) => self.resume(error).await?,
            }
        }
    }
}

impl<C: Connect> Follower<C> {
    /// Replaces a connection that broke with `error`.
    async fn resume(&mut self, error: Error) -> Result<(), Error> {
        if !self.resumes || !may_pass(&error) {
            return Err(error);
        }
        // A connection that lasted for a while was good, whether the log had new output or not.
        let was_good = self
            .current
            .take()
            .is_some_and(|last| last.has_brought || last.since.elapsed() >= RESUME_PAUSE);
        // A cut after a good connection is a new one, with its own time and short pauses.
        let cut = self.cut.filter(|_| !was_good);
        match reopen(self, cut, error).await {
            Ok(cut) => {
                self.cut = Some(cut);
                Ok(())
            }
            Err(error) => {
                let offset = self.log.offset;
                let message = format!("the log cannot be followed on from byte {offset}");
                Err(Error::new(error.kind(), error.delivery(), message).with_source(error))
            }
        }
    }
}

impl<C: Connect> Reopen for Follower<C> {
    async fn reopen(&mut self) -> Result<(), Error> {
        let connection = self.connect.open(&mut self.log).await?;
        self.current = connection.map(Current::new);
        Ok(())
    }
}

/// What is read over a connection that can be replaced.
pub(crate) trait Reopen: Send {
    /// Opens a connection that continues where the last one ended.
    fn reopen(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Replaces a connection that broke with `error`, and returns the cut, which lasts until something arrives. `cut` is the one
/// before, if nothing has arrived since.
///
/// # Errors
///
/// Returns the last error if it does not [pass](may_pass), or if the cut lasts too long.
async fn reopen(
    source: &mut impl Reopen,
    cut: Option<Cut>,
    mut error: Error,
) -> Result<Cut, Error> {
    let mut cut = cut.unwrap_or_else(Cut::now);
    while !cut.is_over() && may_pass(&error) {
        // Before the first attempt, too: a daemon that restarts closes its connections some time before it listens again.
        cut.pause().await;
        match source.reopen().await {
            Ok(()) => return Ok(cut),
            Err(again) => error = again,
        }
    }
    Err(error)
}

/// The pieces of a file over one connection after another.
pub(crate) trait Pieces: Reopen + 'static {
    /// Returns the next piece, which is not empty; `None` after the last one.
    fn piece(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;

    /// Returns whether the rest can be requested: whether it is known that it would be of the same content.
    fn can_reopen(&self) -> bool;
}

/// A file whose transfer is resumed after a cut.
pub(crate) struct Resumed<P> {
    pieces: P,
    /// The cut after which nothing has arrived.
    cut: Option<Cut>,
}

impl<P: Pieces> Resumed<P> {
    pub(crate) fn new(pieces: P) -> Self {
        Self { pieces, cut: None }
    }
}

impl<P: Pieces> Source<Bytes> for Resumed<P> {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.pieces.piece().await {
                Ok(piece) => {
                    self.cut = None;
                    return Ok(piece);
                }
                Err(error) if !self.pieces.can_reopen() => return Err(error),
                Err(error) => {
                    self.cut = Some(reopen(&mut self.pieces, self.cut.take(), error).await?);
                }
            }
        }
    }
}

/// A period without a connection that sent output.
#[derive(Debug, Clone, Copy)]
struct Cut {
    since: Instant,
    pause: Duration,
}

impl Cut {
    fn now() -> Self {
        Self {
            since: Instant::now(),
            pause: Duration::from_millis(100),
        }
    }

    /// Waits before the next attempt; longer each time.
    async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RESUME_PAUSE);
    }

    /// Returns whether the period has lasted too long.
    fn is_over(&self) -> bool {
        self.since.elapsed() >= RESUME
    }
}

/// Returns whether the cause of a broken or failed connection may pass.
fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind(),
        // A proxy reports a daemon that restarts as a failure of the server (502, 503).
        ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout | ErrorKind::Server
    )
}
