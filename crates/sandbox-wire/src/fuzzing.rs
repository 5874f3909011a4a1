//! The bodies of the fuzz targets, for the fuzzer and for tests on the stable compiler.

use std::fmt::Debug;

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{pb, rest, ws};

/// Checks that any JSON either is refused or reads as a message that reads as the same after it is written.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn json(input: &[u8]) {
    same::<rest::ExecuteRequest>(input);
    same::<rest::ExecuteResponse>(input);
    same::<rest::ErrorEnvelope>(input);
    same::<rest::CodeRunRequest>(input);
    same::<rest::CreateSessionRequest>(input);
    same::<rest::Session>(input);
    same::<rest::SessionExecuteRequest>(input);
    same::<rest::SessionExecuteResponse>(input);
    same::<rest::SessionCommandLogsResponse>(input);
    same::<rest::SessionSendInputRequest>(input);
    same::<rest::SessionSignalRequest>(input);
    same::<rest::PtyCreateRequest>(input);
    same::<rest::PtySessionInfo>(input);
    same::<rest::PtyResizeRequest>(input);
    same::<rest::CreateContextRequest>(input);
    same::<rest::InterpreterContext>(input);
    same::<rest::Version>(input);
    same::<ws::ExecClientMessage>(input);
    same::<ws::ExecServerMessage>(input);
    same::<ws::InterpreterRequest>(input);
    same::<ws::InterpreterMessage>(input);
    same::<ws::PtyControl>(input);
    same::<ws::PtyCloseReason>(input);
}

fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(input: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(input) else {
        return;
    };
    let written = serde_json::to_vec(&read).expect("a message can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, read);
}

/// Checks that any bytes either are refused or read as a protobuf message that reads as the same after it is written.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn protobuf(input: &[u8]) {
    same_pb::<pb::OutputChunk>(input);
    same_pb::<pb::Gap>(input);
    same_pb::<pb::Input>(input);
    same_pb::<pb::Signal>(input);
    same_pb::<pb::TerminalSize>(input);
    same_pb::<pb::RunOptions>(input);
    same_pb::<pb::ResourceUsage>(input);
    same_pb::<pb::Termination>(input);
    same_pb::<pb::Ended>(input);
    same_pb::<pb::Chart>(input);
    same_pb::<pb::Refused>(input);
    same_pb::<pb::ExecRequest>(input);
    same_pb::<pb::ExecStart>(input);
    same_pb::<pb::ExecAttach>(input);
    same_pb::<pb::ExecResponse>(input);
    same_pb::<pb::ExecInfo>(input);
    same_pb::<pb::ListExecsResponse>(input);
    same_pb::<pb::SendExecInputRequest>(input);
    same_pb::<pb::SignalExecRequest>(input);
    same_pb::<pb::ResizeExecRequest>(input);
    same_pb::<pb::RunCodeRequest>(input);
    same_pb::<pb::RunCodeResponse>(input);
    same_pb::<pb::GetInfoResponse>(input);
    same_pb::<pb::UpdateEnvironmentRequest>(input);
    same_pb::<pb::InterpreterContext>(input);
    same_pb::<pb::CreateContextRequest>(input);
    same_pb::<pb::ExecuteCodeRequest>(input);
    same_pb::<pb::ExecuteCodeResponse>(input);
    same_pb::<pb::ConnectPtyRequest>(input);
    same_pb::<pb::ConnectPtyResponse>(input);
    same_pb::<pb::PtyInfo>(input);
    same_pb::<pb::ListPtysResponse>(input);
    same_pb::<pb::Session>(input);
    same_pb::<pb::Command>(input);
    same_pb::<pb::CreateSessionRequest>(input);
    same_pb::<pb::ListSessionsResponse>(input);
    same_pb::<pb::ExecuteCommandRequest>(input);
    same_pb::<pb::ExecuteCommandResponse>(input);
    same_pb::<pb::StartCommandRequest>(input);
    same_pb::<pb::GetCommandResponse>(input);
    same_pb::<pb::FollowLogRequest>(input);
    same_pb::<pb::FollowLogResponse>(input);
    same_pb::<pb::SendCommandInputRequest>(input);
    same_pb::<pb::SignalCommandRequest>(input);
    same_pb::<pb::CodeEnded>(input);
    same_pb::<pb::CodeError>(input);
    same_pb::<pb::CodeStarted>(input);
    same_pb::<pb::CommandStarted>(input);
    same_pb::<pb::CreateContextResponse>(input);
    same_pb::<pb::CreateSessionResponse>(input);
    same_pb::<pb::DeleteContextRequest>(input);
    same_pb::<pb::DeleteContextResponse>(input);
    same_pb::<pb::DeleteSessionRequest>(input);
    same_pb::<pb::DeleteSessionResponse>(input);
    same_pb::<pb::Display>(input);
    same_pb::<pb::ExecStarted>(input);
    same_pb::<pb::GetCommandRequest>(input);
    same_pb::<pb::GetExecRequest>(input);
    same_pb::<pb::GetExecResponse>(input);
    same_pb::<pb::GetInfoRequest>(input);
    same_pb::<pb::GetMetricsRequest>(input);
    same_pb::<pb::GetMetricsResponse>(input);
    same_pb::<pb::GetPtyRequest>(input);
    same_pb::<pb::GetPtyResponse>(input);
    same_pb::<pb::GetSessionRequest>(input);
    same_pb::<pb::GetSessionResponse>(input);
    same_pb::<pb::InterruptRequest>(input);
    same_pb::<pb::InterruptResponse>(input);
    same_pb::<pb::KillPtyRequest>(input);
    same_pb::<pb::KillPtyResponse>(input);
    same_pb::<pb::Limits>(input);
    same_pb::<pb::ListContextsRequest>(input);
    same_pb::<pb::ListContextsResponse>(input);
    same_pb::<pb::ListExecsRequest>(input);
    same_pb::<pb::ListPtysRequest>(input);
    same_pb::<pb::ListSessionsRequest>(input);
    same_pb::<pb::PtyAttach>(input);
    same_pb::<pb::PtyCreate>(input);
    same_pb::<pb::PtyOpened>(input);
    same_pb::<pb::ResizeExecResponse>(input);
    same_pb::<pb::ResizePtyRequest>(input);
    same_pb::<pb::ResizePtyResponse>(input);
    same_pb::<pb::RestartContextRequest>(input);
    same_pb::<pb::RestartContextResponse>(input);
    same_pb::<pb::SendCommandInputResponse>(input);
    same_pb::<pb::SendExecInputResponse>(input);
    same_pb::<pb::SignalCommandResponse>(input);
    same_pb::<pb::SignalExecResponse>(input);
    same_pb::<pb::StartCommandResponse>(input);
    same_pb::<pb::UpdateEnvironmentResponse>(input);
}

fn same_pb<M: Message + Default + PartialEq + Debug>(input: &[u8]) {
    let Ok(read) = M::decode(input) else {
        return;
    };
    let written = read.encode_to_vec();
    assert_eq!(written.len(), read.encoded_len());
    let again = M::decode(written.as_slice()).expect("what was written can be read");
    // Not by `==`: a NaN is not equal to itself.
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
}
