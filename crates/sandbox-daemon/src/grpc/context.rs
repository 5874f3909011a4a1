//! The bounds of a call: its deadline, and the server's shutdown.

use std::future::Future;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Status};

use crate::link::Link;

/// The bounds of one call.
#[derive(Debug, Clone)]
pub(super) struct Context {
    link: Link,
    deadline: Option<Instant>,
}

impl Context {
    pub(super) fn new(headers: &HeaderMap, link: Link) -> Result<Self, Status> {
        let deadline = match headers.get("grpc-timeout") {
            None => None,
            Some(value) => {
                let limit = value.to_str().ok().and_then(read);
                let limit =
                    limit.ok_or_else(|| Status::invalid_argument("grpc-timeout is none"))?;
                // A deadline that cannot be represented is no deadline.
                Instant::now().checked_add(limit)
            }
        };
        Ok(Self { link, deadline })
    }

    /// Returns the bounds of a request, which the server has attached to it.
    pub(super) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        let context = request.extensions().get::<Self>();
        context
            .cloned()
            .ok_or_else(|| Status::internal("a call without a context"))
    }

    /// Waits for `future` up to the deadline.
    pub(super) async fn within<T>(&self, future: impl Future<Output = T>) -> Result<T, Status> {
        tokio::select! {
            done = future => Ok(done),
            () = passed(self.deadline) => Err(too_late()),
        }
    }

    /// Waits for `future`, unless the call has to end first. Cancel safe if `future` is.
    pub(super) async fn unless_over<T>(
        &mut self,
        future: impl Future<Output = T>,
    ) -> Result<T, Status> {
        tokio::select! {
            done = future => Ok(done),
            status = self.over() => Err(status),
        }
    }

    /// Resolves when the call has to end, to its status. Cancel safe.
    pub(super) async fn over(&mut self) -> Status {
        let deadline = self.deadline;
        tokio::select! {
            () = passed(deadline) => too_late(),
            // The status after which clients may repeat a call, which the next daemon can serve.
            () = self.link.shutdown_begun() => Status::unavailable("the daemon shuts down"),
        }
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn too_late() -> Status {
    Status::deadline_exceeded("the deadline of the call has passed")
}

/// Parses a timeout in the format of gRPC: up to eight digits and a unit.
fn read(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Eight digits of hours are below 2^39 seconds, so that no product below overflows.
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(read("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in [
            "",
            "S",
            "1",
            "-1S",
            "+1S",
            "123456789S",
            "1x",
            "1.5S",
            "\u{e9}",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
