//! Sessions and their commands.

use sandbox_wire::pb;
use sandbox_wire::pb::execute_command_response::Event as RunEvent;
use sandbox_wire::pb::follow_log_response::Event as LogEvent;
use sandbox_wire::rest::{ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION};
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::output::Gathered;
use super::{GrpcTransport, convert, status};
use crate::exchange::respond_within;
use crate::model::{CommandInput, CommandOutput, LogSource, SessionExecuteRequest, SessionOutcome};
use crate::{Delivery, Effect, Error, ErrorKind};

/// Runs a command in a session, and waits for its end unless it is to run in the background.
pub(super) async fn execute(
    transport: &GrpcTransport,
    session_id: &str,
    request: SessionExecuteRequest,
) -> Result<SessionOutcome, Error> {
    // In the message, an empty text means that the daemon chooses an id.
    if request.command_id.as_deref() == Some("") {
        return Err(refused("the id of the command is empty"));
    }
    let call = Call::keyed();
    if request.run_async {
        let request = convert::command_start(session_id, request, transport.key());
        let send = |wire| {
            let request = request.clone();
            async move { Ok(call::session(wire).start_command(request).await?) }
        };
        let started = transport.call(call, send).await?.into_inner();
        return Ok(SessionOutcome {
            command_id: started.command_id,
            ..SessionOutcome::default()
        });
    }
    let deadline = respond_within(request.timeout);
    let request = convert::command_run(session_id, request, transport.key());
    let run = |wire| {
        let request = request.clone();
        async move {
            let answers = call::session(wire).execute_command(request).await?;
            collect(answers.into_inner()).await
        }
    };
    transport.call(call.deadline(deadline), run).await
}

/// Reads the outcome of a command, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::ExecuteCommandResponse>,
) -> Result<SessionOutcome, Failed> {
    let mut command_id = None;
    let mut output = Gathered::new();
    let ended = loop {
        let answer = answers.message().await?.ok_or_else(status::cut)?;
        match answer.event {
            Some(RunEvent::Started(started)) => command_id = Some(started.command_id),
            Some(RunEvent::Output(chunk)) => output.chunk(chunk)?,
            Some(RunEvent::Gap(gap)) => output.gap(gap)?,
            Some(RunEvent::Ended(ended)) => break ended,
            None => {}
        }
    };
    let session_ended = ended.session_ended;
    let usage = convert::usage(&ended);
    let termination = convert::ended(ended)?;
    Ok(SessionOutcome {
        command_id: command_id.ok_or_else(|| status::incomplete("command"))?,
        output: Some(output.marked()),
        termination,
        usage,
        session_ended,
    })
}

/// Returns the current content of a log.
pub(super) async fn logs(
    transport: &GrpcTransport,
    source: &LogSource,
) -> Result<CommandOutput, Error> {
    let request = log_of(source);
    let read = |wire| {
        let request = request.clone();
        async move {
            let answers = call::session(wire).follow_log(request).await?;
            collect_log(answers.into_inner()).await
        }
    };
    transport.call(Call::new(Effect::None), read).await
}

/// Reads a log up to the end of the call.
pub(super) async fn collect_log(
    mut answers: Streaming<pb::FollowLogResponse>,
) -> Result<CommandOutput, Failed> {
    let mut output = Gathered::new();
    while let Some(answer) = answers.message().await? {
        match answer.event {
            Some(LogEvent::Output(chunk)) => output.chunk(chunk)?,
            Some(LogEvent::Gap(gap)) => output.gap(gap)?,
            Some(LogEvent::Ended(_)) | None => {}
        }
    }
    // The trailers distinguish the end from a cut.
    answers.trailers().await?.ok_or_else(status::cut)?;
    Ok(output.marked())
}

/// Returns the request for the current content of a log, from its beginning.
pub(super) fn log_of(source: &LogSource) -> pb::FollowLogRequest {
    let (session_id, command_id, exec_id) = match source {
        LogSource::Command {
            session_id,
            command_id,
        } => (session_id.as_str(), command_id.as_str(), ""),
        LogSource::Exec { exec_id } => ("", "", exec_id.as_str()),
        LogSource::Entrypoint => (ENTRYPOINT_SESSION, ENTRYPOINT_COMMAND, ""),
    };
    pb::FollowLogRequest {
        session_id: session_id.to_owned(),
        command_id: command_id.to_owned(),
        offset: 0,
        follow: false,
        exec_id: exec_id.to_owned(),
    }
}

/// Converts input, with the newline that the daemon adds to a line over HTTP.
pub(super) fn input(given: CommandInput) -> Result<pb::Input, Error> {
    let mut data = given.data;
    if given.is_line {
        let mut line = String::from_utf8(data.into())
            .map_err(|error| refused("the line is not UTF-8").with_source(error))?;
        // An end without a line must not send an empty line first.
        let is_only_the_end = line.is_empty() && given.eof;
        if !is_only_the_end && !line.ends_with('\n') {
            line.push('\n');
        }
        data = line.into();
    }
    Ok(pb::Input {
        data,
        offset: None,
        eof: given.eof,
    })
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, Delivery::NotSent, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_get_their_newline() {
        let check = |given, data: &str, eof| {
            let input = input(given).unwrap();
            assert_eq!((&input.data[..], input.eof), (data.as_bytes(), eof));
        };
        check(CommandInput::line("a"), "a\n", false);
        check(CommandInput::line("a\n"), "a\n", false);
        check(CommandInput::line(""), "\n", false);
        check(CommandInput::line("").then_eof(), "", true);
        check(CommandInput::raw("a"), "a", false);
        check(CommandInput::raw("a").then_eof(), "a", true);
        let bad = CommandInput {
            data: vec![0xff].into(),
            is_line: true,
            eof: false,
        };
        assert_eq!(input(bad).unwrap_err().delivery(), Delivery::NotSent);
    }
}
