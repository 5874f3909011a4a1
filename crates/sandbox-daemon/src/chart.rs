//! Charts in responses.

use std::io;

use bytes::Bytes;
use sandbox_charts::Chart;
use serde_json::Value;

/// A chart as JSON in the strict form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// The value of `type`, or `unknown`.
    pub(crate) kind: String,
    pub(crate) json: Bytes,
}

/// Parses a chart that a program showed, and serializes it; a large one on a blocking thread.
///
/// It passes through a [`Value`], whose size is estimated before it is built
/// ([`JSON_MEMORY_BYTES`](sandbox_charts::limits::JSON_MEMORY_BYTES)).
///
/// # Errors
///
/// Returns an error only if the runtime shuts down.
pub(crate) async fn write(record: Bytes) -> io::Result<Written> {
    apart(record.len(), move || written(&record)).await?
}

/// Runs `work`, which reads charts of `bytes` together; on a blocking thread if they are large.
///
/// # Errors
///
/// Returns an error only if the runtime shuts down.
pub(crate) async fn apart<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    // A hop to a blocking thread costs more than parsing a small chart.
    if bytes < LARGE {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)
}

fn written(record: &[u8]) -> io::Result<Written> {
    let json = Chart::from_slice(record).to_json();
    let kind = json.get("type").and_then(Value::as_str);
    Ok(Written {
        kind: kind.unwrap_or("unknown").to_owned(),
        json: serde_json::to_vec(&json)?.into(),
    })
}

/// Size in bytes above which charts are read on a blocking thread.
const LARGE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn large_charts_are_read_on_another_thread() {
        let here = thread::current().id();
        for (bytes, is_here) in [(0, true), (LARGE - 1, true), (LARGE, false)] {
            let reads = apart(bytes, || thread::current().id()).await.unwrap();
            assert_eq!(reads == here, is_here, "{bytes}");
        }
    }

    #[tokio::test]
    async fn large_charts_are_written_as_small_ones_are() {
        for label in ["a".to_owned(), "a".repeat(LARGE)] {
            let record = format!("{{\"elements\":[],\"title\":\"{label}\",\"type\":\"pie\"}}");
            let expect = Chart::from_slice(record.as_bytes()).to_json();
            let written = write(record.into()).await.unwrap();
            assert_eq!(written.kind, "pie");
            assert_eq!(
                serde_json::from_slice::<Value>(&written.json).unwrap(),
                expect
            );
        }
        let written = write(Bytes::from_static(b"no JSON")).await.unwrap();
        assert_eq!(written.kind, "unknown");
    }
}
