//! `GET /process/interpreter/execute`: the socket on which one piece of code is executed.

use std::time::Duration;

use bytes::Bytes;
use sandbox_engine::Engine;
use sandbox_engine::interpreter::{ExecuteOptions, Execution};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::DEFAULT_CONTEXT;
use sandbox_wire::ws::{InterpreterRequest, close_code, subprotocol};
use tokio_tungstenite::tungstenite::Message;

use super::messages::{OutputMessages, last};
use crate::chart;
use crate::http::convert::variables;
use crate::http::ws::{Close, Duplex, Source, Upgrade, json, offered};
use crate::http::{Call, Responded, body};
use crate::limits::{INTERPRETER_MESSAGE_BYTES, INTERPRETER_TIME};
use crate::service::interpreter;

/// Responds to the upgrade. The code runs on when its client disconnects.
pub(in crate::http) async fn execute(call: Call) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?.message_bytes(INTERPRETER_MESSAGE_BYTES);
    let headers = &call.parts.headers;
    let offered = |found: fn(&str) -> bool| offered(headers).find(|offered| found(offered));
    let rich = offered(|offered| offered == subprotocol::INTERPRETER_RICH);
    // Some clients close if they offered the version and it was not selected.
    let version = offered(|offered| offered.starts_with(subprotocol::SDK_VERSION_PREFIX));
    let is_rich = rich.is_some();
    let engine = call.state.engine.clone();
    Ok(upgrade.accept(rich.or(version), call.link, move |duplex| {
        serve(duplex, engine, is_rich)
    }))
}

async fn serve(mut duplex: Duplex, engine: Engine, is_rich: bool) {
    let begun = match duplex.first("no code came").await {
        Ok(request) => begin(request.into_data(), &engine, is_rich)
            .await
            .map_err(Some),
        Err(close) => Err(close),
    };
    match begun {
        Ok(run) => duplex.run(run, ()).await,
        Err(close) => duplex.close(close).await,
    }
}

/// Starts to execute the code in its context.
async fn begin(message: Bytes, engine: &Engine, is_rich: bool) -> Result<Run, Close> {
    let unreadable = || Close::new(close_code::PROTOCOL_ERROR, "invalid JSON payload");
    let refused = |reason: &str| Close::new(close_code::POLICY_VIOLATION, reason.to_owned());
    // Go's encoding/json, the reference's, accepts `null` for a struct; what is missing then is the
    // code.
    let request = if message.trim_ascii() == b"null" {
        InterpreterRequest::default()
    } else {
        let read = body::parse_apart(message, ErrorCode::BadRequest).await;
        read.map_err(|_| unreadable())?
    };
    if request.code.is_empty() {
        return Err(refused("code is required"));
    }
    let timeout = time_limit(request.timeout)
        .ok_or_else(|| refused("timeout must be greater than or equal to 0"))?;
    let id = request.context_id.as_deref().unwrap_or(DEFAULT_CONTEXT);
    let options = ExecuteOptions {
        env: variables(request.envs),
        timeout,
        shows_value: is_rich,
    };
    let executed = interpreter::execute(engine, id, &request.code, options);
    let (execution, cursor) = executed.map_err(|error| refused(error.message()))?;
    Ok(Run {
        output: OutputMessages::new(cursor),
        execution,
        is_rich,
    })
}

/// Returns the time limit for this many seconds; `None` if the number is invalid.
fn time_limit(asked: Option<i64>) -> Option<Option<Duration>> {
    Some(match asked {
        None => Some(INTERPRETER_TIME),
        Some(0) => None,
        Some(seconds) => Some(Duration::from_secs(u64::try_from(seconds).ok()?)),
    })
}

/// The output of code, followed by the remaining messages. A slow client delays nothing: output that it has not read is
/// in the execution's record.
struct Run {
    execution: Execution,
    output: OutputMessages,
    is_rich: bool,
}

impl Source for Run {
    type Message = Message;

    fn ready(&mut self) -> Option<Message> {
        self.output.ready().as_ref().map(json)
    }

    async fn wait(&mut self) -> bool {
        self.output.wait().await
    }

    async fn finish(&mut self) -> (Vec<Message>, Close) {
        let ended = self.execution.ended().await;
        let bytes = ended.charts.iter().map(Bytes::len).sum();
        let is_rich = self.is_rich;
        let written = chart::apart(bytes, move || {
            let (messages, close) = last(&ended, is_rich);
            (messages.iter().map(json).collect::<Vec<_>>(), close)
        });
        let mut messages: Vec<_> = self.output.finish().map(|message| json(&message)).collect();
        match written.await {
            Ok((last, close)) => {
                messages.extend(last);
                (messages, self.output.close(close))
            }
            Err(error) => (
                messages,
                Close::new(close_code::GOING_AWAY, error.to_string()),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_names_no_limit_has_one() {
        assert_eq!(time_limit(None), Some(Some(Duration::from_secs(600))));
        assert_eq!(time_limit(Some(0)), Some(None));
        assert_eq!(time_limit(Some(3)), Some(Some(Duration::from_secs(3))));
        assert_eq!(time_limit(Some(-1)), None);
    }
}
