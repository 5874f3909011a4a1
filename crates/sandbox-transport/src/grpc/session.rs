//! Sessions and their commands.

use sandbox_logcodec::Channel;
use sandbox_wire::pb::execute_command_response::Event as RunEvent;
use sandbox_wire::pb::follow_log_response::Event as LogEvent;
use sandbox_wire::pb::{self};
use sandbox_wire::rest::{
    ENTRYPOINT_COMMAND, ENTRYPOINT_SESSION, SessionCommandLogsResponse, SessionExecuteRequest,
    SessionExecuteResponse,
};
use tonic::Streaming;

use super::call::{self, Call, Failed};
use super::collected::Collected;
use super::exec::termination_of;
use super::{GrpcTransport, convert, status};
use crate::client::answer_within;
use crate::{CommandInput, Delivery, Effect, Error, ErrorKind, LogSource};

/// Gives a session a command, and waits for its end unless told otherwise.
pub(super) async fn execute(
    transport: &GrpcTransport,
    session_id: &str,
    request: SessionExecuteRequest,
) -> Result<SessionExecuteResponse, Error> {
    if request.command_id.as_deref() == Some("") {
        let message = "the id of the command is empty";
        return Err(refused(message));
    }
    match request.run_async == Some(true) || request.deprecated_async == Some(true) {
        true => start(transport, session_id, request).await,
        false => run(transport, session_id, request).await,
    }
}

async fn start(
    transport: &GrpcTransport,
    session_id: &str,
    request: SessionExecuteRequest,
) -> Result<SessionExecuteResponse, Error> {
    let request = pb::StartCommandRequest {
        session_id: session_id.to_owned(),
        command: request.command,
        timeout: convert::time_limit(request.timeout, request.timeout_millis),
        suppress_input_echo: request.suppress_input_echo == Some(true),
        idempotency_key: transport.key(),
        command_id: request.command_id.unwrap_or_default(),
        cwd: request.cwd.unwrap_or_default(),
        envs: convert::variables(request.envs),
        user: request.user.unwrap_or_default(),
    };
    let send = |wire| {
        let request = request.clone();
        async move { Ok(call::session(wire).start_command(request).await?) }
    };
    let call = Call::new(Effect::Once).with_key();
    let started = transport.call(call, send).await?.into_inner();
    Ok(SessionExecuteResponse {
        cmd_id: started.command_id,
        ..SessionExecuteResponse::default()
    })
}

/// The command goes on whatever becomes of the call, as over HTTP.
async fn run(
    transport: &GrpcTransport,
    session_id: &str,
    request: SessionExecuteRequest,
) -> Result<SessionExecuteResponse, Error> {
    let deadline = answer_within(request.timeout, request.timeout_millis);
    let request = pb::ExecuteCommandRequest {
        session_id: session_id.to_owned(),
        command: request.command,
        timeout: convert::time_limit(request.timeout, request.timeout_millis),
        detach: true,
        idempotency_key: transport.key(),
        offset: 0,
        command_id: request.command_id.unwrap_or_default(),
        cwd: request.cwd.unwrap_or_default(),
        envs: convert::variables(request.envs),
        user: request.user.unwrap_or_default(),
    };
    let run = |wire| {
        let request = request.clone();
        async move {
            let answers = call::session(wire).execute_command(request).await?;
            collect(answers.into_inner()).await
        }
    };
    let call = Call::new(Effect::Once).deadline(deadline).with_key();
    transport.call(call, run).await
}

/// Reads what a command did, to its end.
pub(super) async fn collect(
    mut answers: Streaming<pb::ExecuteCommandResponse>,
) -> Result<SessionExecuteResponse, Failed> {
    let mut command_id = None;
    let mut output = Collected::new();
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
    let termination = convert::termination(termination_of(&ended)?);
    let id = command_id.ok_or_else(|| status::incomplete("command"))?;
    Ok(SessionExecuteResponse {
        cmd_id: id,
        output: Some(output.marked()),
        stdout: Some(output.text(Some(Channel::Stdout))),
        stderr: Some(output.text(Some(Channel::Stderr))),
        exit_code: Some(convert::command_exit_code(&termination)),
        termination: Some(termination),
        truncation: output.truncation(),
        session_ended: ended.session_ended.then_some(true),
    })
}

/// What a log holds now.
pub(super) async fn logs(
    transport: &GrpcTransport,
    source: &LogSource,
) -> Result<SessionCommandLogsResponse, Error> {
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

/// Reads a log as far as it goes.
pub(super) async fn collect_log(
    mut answers: Streaming<pb::FollowLogResponse>,
) -> Result<SessionCommandLogsResponse, Failed> {
    let mut output = Collected::new();
    while let Some(answer) = answers.message().await? {
        match answer.event {
            Some(LogEvent::Output(chunk)) => output.chunk(chunk)?,
            Some(LogEvent::Gap(gap)) => output.gap(gap)?,
            Some(LogEvent::Ended(_)) | None => {}
        }
    }
    // They are what tells the end from a cut.
    answers.trailers().await?.ok_or_else(status::cut)?;
    Ok(SessionCommandLogsResponse {
        output: output.marked(),
        stdout: output.text(Some(Channel::Stdout)),
        stderr: output.text(Some(Channel::Stderr)),
        truncation: output.truncation(),
    })
}

/// The request for a log, from its beginning, as far as it goes now.
pub(super) fn log_of(source: &LogSource) -> pb::FollowLogRequest {
    let (session_id, command_id) = match source {
        LogSource::Command {
            session_id,
            command_id,
        } => (session_id.as_str(), command_id.as_str()),
        LogSource::Entrypoint => (ENTRYPOINT_SESSION, ENTRYPOINT_COMMAND),
    };
    pb::FollowLogRequest {
        session_id: session_id.to_owned(),
        command_id: command_id.to_owned(),
        offset: 0,
        follow: false,
    }
}

/// What a command is given, with the newline that the daemon adds to a line over HTTP.
pub(super) fn input(given: CommandInput) -> Result<pb::Input, Error> {
    let mut data = given.data;
    if given.is_line {
        let mut line = String::from_utf8(data.into())
            .map_err(|error| refused("the line is not UTF-8").with_source(error))?;
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
