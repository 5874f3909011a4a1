//! Logs of commands: in one response, as a stream, and over a WebSocket.

mod follower;
mod rendering;

use std::io;

use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use sandbox_engine::record::{BeyondEnd, Record};
use sandbox_logcodec::Channel;
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{
    ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION, OutputTruncation, SessionCommandLogsResponse,
};
use sandbox_wire::ws::subprotocol::{LOG_FRAMES, SDK_VERSION_PREFIX};

use super::peer::LogForm;
use super::response::{short_or_streamed, stream_body, typed};
use super::texts::{Content, Notices, Object, Part, Text, truncation};
use super::ws::{self, Source, Upgrade};
use super::{ApiError, Body, Call, Responded};
use crate::link::Link;
use crate::service::Error;
use crate::service::output::{Form, Stretch};

pub(super) use follower::Follower;
pub(super) use rendering::Rendering;

/// `GET /process/session/{id}/command/{cid}/logs`.
pub(super) async fn of_command(call: Call) -> Responded {
    let record = call.command()?.record().clone();
    let form = call.peer().log_form();
    answer(call, &record, form).await
}

/// `GET /process/session/entrypoint/logs`.
pub(super) async fn of_entrypoint(call: Call) -> Responded {
    let session = call.state.engine.sessions().get(ENTRYPOINT_SESSION);
    let command = session.and_then(|session| session.command(ENTRYPOINT_COMMAND).ok());
    let command = command.ok_or_else(|| Error::not_found("entrypoint"))?;
    let form = call.peer().entrypoint_log_form();
    answer(call, command.record(), form).await
}

async fn answer(call: Call, record: &Record, form: LogForm) -> Responded {
    // Only this exact value, as in the reference.
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
    // An object cannot be streamed, so that form contains the current log, as in the reference.
    if follows && form != LogForm::Json {
        return stream(call.link, record, form, offset);
    }
    let takes_extensions = call.peer().takes_extensions();
    let shape = Shape {
        form,
        is_json: form == LogForm::Json,
        takes_extensions,
    };
    // A scan first: the number of missing bytes belongs into the head of the response.
    let texts = Texts::of(record, offset, shape).await?;
    let missing = texts.missing();
    let mut response = match form {
        LogForm::Json => {
            let truncation = texts.truncation().filter(|_| takes_extensions);
            let response = SessionCommandLogsResponse {
                truncation,
                ..SessionCommandLogsResponse::default()
            };
            Object::new(&response, texts.into_members())?.into_response(StatusCode::OK)
        }
        LogForm::Marked | LogForm::Plain => {
            let output = texts.into_output();
            typed(TEXT, short_or_streamed(|| output.clone().stream()))
        }
    };
    write_gap(&mut response, missing);
    Ok(response)
}

/// The content of a record at one moment, in the form of a response.
#[derive(Debug)]
pub(super) struct Texts {
    record: Record,
    stretch: Stretch,
    shape: Shape,
}

/// The form in which a client receives a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) form: LogForm,
    /// Whether the log is in an object.
    pub(super) is_json: bool,
    /// Whether that object may have fields that official clients do not know.
    pub(super) takes_extensions: bool,
}

impl Texts {
    /// Scans the current content of `record`, from `offset` on.
    pub(super) async fn of(record: &Record, offset: u64, shape: Shape) -> Result<Self, BeyondEnd> {
        let form = Form {
            is_json: shape.is_json,
            is_marked: shape.form != LogForm::Plain,
            only: None,
        };
        Ok(Self {
            record: record.clone(),
            stretch: Stretch::of(record, offset, form).await?,
            shape,
        })
    }

    /// Returns the bytes that are in the record's stretch and not in the texts.
    pub(super) fn missing(&self) -> u64 {
        self.stretch.missing()
    }

    pub(super) fn truncation(&self) -> Option<OutputTruncation> {
        truncation(&self.stretch)
    }

    /// Returns the log as one text.
    pub(super) fn into_output(self) -> Text {
        let content = match self.shape.form {
            LogForm::Json | LogForm::Marked => Content::Marked,
            LogForm::Plain => Content::Both,
        };
        self.text(content, self.notices())
    }

    /// Returns the log as the members of an object: as one text, and in the JSON form with both channels separately.
    pub(super) fn into_members(self) -> Vec<(&'static str, Part)> {
        let stdout = self.text(Content::Only(Channel::Stdout), Notices::None);
        let stderr = self.text(Content::Only(Channel::Stderr), self.notices());
        let is_split = self.shape.form == LogForm::Json;
        let mut members = vec![("output", self.into_output().into())];
        if is_split {
            members.extend([("stdout", stdout.into()), ("stderr", stderr.into())]);
        }
        members
    }

    /// Returns the notices: a client that has no field for the missing bytes gets a line of text in their place.
    fn notices(&self) -> Notices {
        if self.shape.is_json && self.shape.takes_extensions {
            Notices::None
        } else {
            Notices::Lines
        }
    }

    fn text(&self, content: Content, notices: Notices) -> Text {
        Text::new(&self.record, self.stretch, content, notices)
    }
}

/// Upgrades to a WebSocket that sends the log, to the command's end or to the current end.
fn upgrade(call: Call, record: &Record, form: LogForm, follows: bool, offset: u64) -> Responded {
    let upgrade = Upgrade::check(&call.parts)?;
    let cursor = if follows {
        record.follow(offset)
    } else {
        record.snapshot(offset)
    }?;
    let headers = &call.parts.headers;
    let offered = |found: fn(&str) -> bool| ws::offered(headers).find(|offered| found(offered));
    let frames = offered(|offered| offered == LOG_FRAMES);
    // Some clients close if they offered the version and it was not selected.
    let version = offered(|offered| offered.starts_with(SDK_VERSION_PREFIX));
    let rendering = match (frames, form) {
        (Some(_), _) => Rendering::frames(offset),
        (None, form) => rendering(form),
    };
    let follower = Follower::new(cursor, rendering);
    Ok(upgrade.accept(frames.or(version), call.link, |duplex| {
        duplex.run(follower, ())
    }))
}

/// Follows the log in the body of the response, which is cut off if the server ends before the command, or if a part of
/// the log was not retained.
fn stream(link: Link, record: &Record, form: LogForm, offset: u64) -> Responded {
    let cursor = record.follow(offset)?;
    let mut follower = Follower::new(cursor, rendering(form));
    // Before the response's head is written, which is the only place for the header.
    let gap = follower.begin();
    let follower = Some(follower);
    let pieces = stream::unfold((follower, link), |(follower, mut link)| async {
        let mut follower = follower?;
        loop {
            if let Some(piece) = follower.ready() {
                return Some((Ok(piece), (Some(follower), link)));
            }
            let more = tokio::select! {
                more = follower.wait() => more,
                () = link.shutdown_begun() => {
                    let error = io::ErrorKind::ConnectionAborted.into();
                    return Some((Err(error), (None, link)));
                }
            };
            if !more {
                return match follower.ready() {
                    Some(last) => Some((Ok(last), (Some(follower), link))),
                    None if follower.unreported_gap() == 0 => None,
                    // The end of a chunked body would mean that the log is complete.
                    None => {
                        // Unwritten output would be lost with the connection; it is written when there is no more.
                        tokio::task::yield_now().await;
                        Some((Err(io::ErrorKind::UnexpectedEof.into()), (None, link)))
                    }
                };
            }
        }
    });
    let mut response = typed(TEXT, stream_body(pieces));
    write_gap(&mut response, gap);
    Ok(response)
}

/// Returns the rendering of a form. A stream cannot be an object.
fn rendering(form: LogForm) -> Rendering {
    match form {
        LogForm::Plain => Rendering::plain(),
        LogForm::Json | LogForm::Marked => Rendering::marked(),
    }
}

fn write_gap(response: &mut Response<Body>, missing: u64) {
    if missing > 0 {
        let headers = response.headers_mut();
        headers.insert(LOG_GAP, HeaderValue::from(missing));
    }
}

/// The number of bytes of the log that are missing in a response; of a streamed one, at its beginning.
const LOG_GAP: HeaderName = HeaderName::from_static("x-sandbox-log-gap");

const TEXT: &str = "text/plain; charset=utf-8";
