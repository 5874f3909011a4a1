//! Streams of events, from sources that produce one after the other.

use std::future::Future;

use futures_util::stream;

use crate::{Error, EventStream};

/// A source of events.
pub(crate) trait Source<T>: Send {
    /// Returns the next event, or `Ok(None)` at the end. Not called again after that, nor after an error.
    fn next(&mut self) -> impl Future<Output = Result<Option<T>, Error>> + Send;
}

pub(crate) fn event_stream<T: Send + 'static>(source: impl Source<T> + 'static) -> EventStream<T> {
    EventStream::new(stream::unfold(Some(source), |source| async {
        let mut source = source?;
        match source.next().await {
            Ok(Some(event)) => Some((Ok(event), Some(source))),
            Ok(None) => None,
            // A source is not asked again after an error, whatever the consumer does.
            Err(error) => Some((Err(error), None)),
        }
    }))
}
