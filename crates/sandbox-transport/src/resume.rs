//! A log that is followed over several connections.

use std::collections::VecDeque;
use std::time::Duration;

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
    async fn resume(&mut self, mut error: Error) -> Result<(), Error> {
        if !self.resumes || !may_pass(&error) {
            return Err(error);
        }
        // A connection that lasted for a while was good, whether the log had new output or not.
        let was_good = self
            .current
            .take()
            .is_some_and(|last| last.has_brought || last.since.elapsed() >= RESUME_PAUSE);
        let mut cut = self.cut.filter(|_| !was_good).unwrap_or_else(Cut::now);
        while !cut.is_over() && may_pass(&error) {
            cut.pause().await;
            error = match self.connect.open(&mut self.log).await {
                Ok(connection) => {
                    self.current = connection.map(Current::new);
                    self.cut = Some(cut);
                    return Ok(());
                }
                Err(error) => error,
            };
        }
        let offset = self.log.offset;
        let message = format!("the log cannot be followed on from byte {offset}");
        Err(Error::new(error.kind(), error.delivery(), message).with_source(error))
    }
}

/// A period without a connection that sent output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    since: Instant,
    pause: Duration,
}

impl Cut {
    pub(crate) fn now() -> Self {
        Self {
            since: Instant::now(),
            pause: Duration::from_millis(100),
        }
    }

    /// Waits before the next attempt; longer each time.
    pub(crate) async fn pause(&mut self) {
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RESUME_PAUSE);
    }

    /// Returns whether the period has lasted too long.
    pub(crate) fn is_over(&self) -> bool {
        self.since.elapsed() >= RESUME
    }
}

/// Returns whether the cause of a broken or failed connection may pass.
pub(crate) fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout | ErrorKind::Server
    )
}
