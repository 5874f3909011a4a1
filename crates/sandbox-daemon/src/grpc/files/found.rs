//! Sends what searches have found, in messages of a bounded size.

use std::path::{Path, PathBuf};

use futures_util::stream;
use sandbox_files::{Line, Matches};
use sandbox_wire::pb;
use tonic::Response;

use super::convert::bytes_of;
use crate::grpc::stream::Events;
use crate::limits::GRPC_CHUNK_BYTES;
use crate::service::files::joined;

/// Responds with lines.
pub(super) fn lines(path: PathBuf, found: Matches<Line>) -> Response<Events<pb::FindResponse>> {
    let convert = move |line: Line| pb::FoundLine {
        path: bytes_of(joined(&path, &line.path)),
        number: line.number,
        text: line.text.into(),
    };
    let size = |line: &pb::FoundLine| line.path.len() + line.text.len();
    batches(found, convert, size, |lines, is_truncated| {
        pb::FindResponse {
            lines,
            is_truncated,
        }
    })
}

/// Responds with paths.
pub(super) fn paths(
    path: PathBuf,
    found: Matches<PathBuf>,
) -> Response<Events<pb::SearchResponse>> {
    let convert = move |found: PathBuf| bytes_of(joined(&path, Path::new(&found)));
    batches(found, convert, bytes::Bytes::len, |paths, is_truncated| {
        pb::SearchResponse {
            paths,
            is_truncated,
        }
    })
}

/// Responds with messages that have about as many bytes as a chunk has; at least one message.
fn batches<T, U, R>(
    found: Matches<T>,
    mut convert: impl FnMut(T) -> U + Send + 'static,
    size: impl Fn(&U) -> usize + Send + 'static,
    response: impl Fn(Vec<U>, bool) -> R + Send + 'static,
) -> Response<Events<R>>
where
    T: Send + 'static,
    R: Send + 'static,
{
    let is_truncated = found.is_truncated;
    let mut items = Some(found.found.into_iter());
    let responses = std::iter::from_fn(move || {
        let left = items.as_mut()?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for item in left.by_ref() {
            let item = convert(item);
            bytes += size(&item) + OVERHEAD;
            batch.push(item);
            if bytes >= GRPC_CHUNK_BYTES {
                break;
            }
        }
        // Known from the length, not from a next item: the last message with items has the flag,
        // and an empty result has one message.
        let is_last = left.len() == 0;
        if is_last {
            items = None;
        }
        Some(Ok(response(batch, is_last && is_truncated)))
    });
    Response::new(Box::pin(stream::iter(responses)))
}

/// Bytes that an item takes besides its texts.
const OVERHEAD: usize = 16;
