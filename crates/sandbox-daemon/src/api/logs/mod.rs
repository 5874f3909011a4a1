//! Logs of commands: at once, as a stream, and over a WebSocket.

mod collected;
mod follower;
mod rendering;

use std::io;

use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use sandbox_engine::record::{BeyondEnd, Record};
use sandbox_logcodec::Channel;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION, SessionCommandLogsResponse};
use sandbox_wire::ws::subprotocol::{LOG_FRAMES, SDK_VERSION_PREFIX};

use super::peer::LogForm;
use super::response::{json, stream_body, typed, whole_body};
use super::session::find_command;
use super::{Answer, ApiError, Body, Call};
use crate::link::Link;
use crate::ws::{self, Source, Upgrade};

pub(super) use collected::{Collected, lossy};
pub(super) use follower::Follower;
pub(super) use rendering::Rendering;

/// `GET /process/session/{id}/command/{cid}/logs`.
pub(super) fn of_command(call: Call) -> Answer {
    Box::pin(async {
        let record = find_command(&call)?.record().clone();
        let form = call.peer().log_form();
        answer(call, &record, form).await
    })
}

/// `GET /process/session/entrypoint/logs`.
pub(super) fn of_entrypoint(call: Call) -> Answer {
    Box::pin(async {
        let session = call.state.engine.session(ENTRYPOINT_SESSION);
        let command = session.and_then(|session| session.command(ENTRYPOINT_COMMAND).ok());
        let command = command.ok_or_else(|| ApiError::process_not_found("entrypoint"))?;
        let form = call.peer().entrypoint_log_form();
        answer(call, command.record(), form).await
    })
}

async fn answer(call: Call, record: &Record, form: LogForm) -> Result<Response<Body>, ApiError> {
    // Only this one word, as with the reference.
    let follows = call.query("follow").as_deref() == Some("true");
    let offset = match call.query("offset") {
        Some(text) => text.parse().map_err(|_| {
            let message = "the offset is not a number of bytes";
            ApiError::new(ErrorCode::BadRequest, message)
        })?,
        None => 0,
    };
    if ws::is_upgrade(&call.parts.headers) {
        return upgrade(call, record, form, follows, offset);
    }
    // An object cannot be streamed, so that form has what there is now, as with the reference.
    if follows && form != LogForm::Json {
        return stream(call.link, record, form, offset);
    }
    let log = Collected::of(record, offset).await.map_err(beyond_end)?;
    let mut response = match form {
        LogForm::Json => {
            let truncation = log.truncation();
            json(
                StatusCode::OK,
                &SessionCommandLogsResponse {
                    output: lossy(log.marked()),
                    stdout: log.text(Channel::Stdout),
                    stderr: log.text(Channel::Stderr),
                    truncation: truncation.filter(|_| call.peer().takes_extensions()),
                },
            )?
        }
        LogForm::Marked => typed(TEXT, whole_body(log.marked().into())),
        LogForm::Plain => typed(TEXT, whole_body(log.plain().into())),
    };
    tell_gap(&mut response, log.missing());
    Ok(response)
}

/// Becomes a WebSocket that sends the log, to the command's end or to what there is now.
fn upgrade(
    call: Call,
    record: &Record,
    form: LogForm,
    follows: bool,
    offset: u64,
) -> Result<Response<Body>, ApiError> {
    let upgrade = Upgrade::check(&call.parts)?;
    let cursor = if follows {
        record.follow(offset)
    } else {
        record.snapshot(offset)
    };
    let cursor = cursor.map_err(beyond_end)?;
    let headers = &call.parts.headers;
    let offered = |found: fn(&str) -> bool| ws::offered(headers).find(|offered| found(offered));
    let frames = offered(|offered| offered == LOG_FRAMES);
    // Some clients give up when they offered the version and it was not selected.
    let version = offered(|offered| offered.starts_with(SDK_VERSION_PREFIX));
    let rendering = match (frames, form) {
        (Some(_), _) => Rendering::frames(offset),
        (None, LogForm::Plain) => Rendering::plain(),
        (None, LogForm::Json | LogForm::Marked) => Rendering::marked(),
    };
    let follower = Follower::new(cursor, rendering);
    Ok(
        upgrade.accept(frames.or(version), call.link, |socket, link| {
            ws::send_all(socket, follower, link)
        }),
    )
}

/// Follows the log in the body of the answer, which is cut off when the server ends before the command.
fn stream(
    link: Link,
    record: &Record,
    form: LogForm,
    offset: u64,
) -> Result<Response<Body>, ApiError> {
    let rendering = match form {
        LogForm::Plain => Rendering::plain(),
        LogForm::Json | LogForm::Marked => Rendering::marked(),
    };
    let cursor = record.follow(offset).map_err(beyond_end)?;
    let mut follower = Follower::new(cursor, rendering);
    let gap = follower.begin();
    let pieces = stream::unfold((follower, link), |(mut follower, mut link)| async {
        loop {
            if let Some(piece) = follower.ready() {
                return Some((Ok(piece), (follower, link)));
            }
            let more = tokio::select! {
                more = follower.wait() => more,
                () = link.shutdown_begun() => {
                    let error = io::ErrorKind::ConnectionAborted.into();
                    return Some((Err(error), (follower, link)));
                }
            };
            if !more {
                let last = follower.ready()?;
                return Some((Ok(last), (follower, link)));
            }
        }
    });
    let mut response = typed(TEXT, stream_body(pieces));
    tell_gap(&mut response, gap);
    Ok(response)
}

fn tell_gap(response: &mut Response<Body>, missing: u64) {
    if missing > 0 {
        let headers = response.headers_mut();
        headers.insert(LOG_GAP, HeaderValue::from(missing));
    }
}

fn beyond_end(error: BeyondEnd) -> ApiError {
    ApiError::new(ErrorCode::RangeNotSatisfiable, error.to_string())
}

/// How many bytes of the log are missing in an answer; of a streamed one, at its beginning.
const LOG_GAP: HeaderName = HeaderName::from_static("x-sandbox-log-gap");

const TEXT: &str = "text/plain; charset=utf-8";
