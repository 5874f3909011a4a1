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
    if record.len() < LARGE {
        return written(&record);
    }
    let written = tokio::task::spawn_blocking(move || written(&record)).await;
    written.map_err(io::Error::other)?
}

fn written(record: &[u8]) -> io::Result<Written> {
    let json = Chart::from_slice(record).to_json();
    let kind = json.get("type").and_then(Value::as_str);
    Ok(Written {
        kind: kind.unwrap_or("unknown").to_owned(),
        json: serde_json::to_vec(&json)?.into(),
    })
}

/// Size in bytes above which a chart is converted on a blocking thread.
const LARGE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

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
