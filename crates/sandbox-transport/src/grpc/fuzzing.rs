//! The body of a fuzz target: what a daemon sends over gRPC.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Debug;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use sandbox_wire::pb::code_service_client::CodeServiceClient;
use sandbox_wire::pb::exec_service_client::ExecServiceClient;
use sandbox_wire::pb::interpreter_service_client::InterpreterServiceClient;
use sandbox_wire::pb::pty_service_client::PtyServiceClient;
use sandbox_wire::pb::session_service_client::SessionServiceClient;
use sandbox_wire::{GRPC_ERROR_CODE_KEY, pb};
use tonic::body::Body;
use tower_service::Service;

use super::call::Failed;
use super::duplex::{Incoming, begin, begun};
use super::follow::Calls;
use super::{code, convert, exec, interpreter, pty, session, status};
use crate::fuzzing::{command, events, finish, one_end, outputs};
use crate::resume::{Connect, Log};
use crate::{GrpcTransport, InterpreterEvent, PtyEvent};

/// Checks that any bytes in response to any call have the same result however they are cut: events that fit each other,
/// or an error.
///
/// The input is the bytes, or the messages that they consist of: each a length of one byte and its data.
pub(crate) fn calls(input: &[u8]) {
    let (first, rest) = input.split_first().unwrap_or((&0, &[]));
    let bytes = match first & 1 {
        0 => messages(rest),
        _ => rest.to_vec(),
    };
    let answer = |piece| Answer {
        bytes: bytes.clone().into(),
        piece,
        status: first >> 4,
    };
    let piece = 1 + usize::from(first >> 1 & 7);
    finish(async {
        let whole = collected(answer(usize::MAX)).await;
        assert_eq!(collected(answer(piece)).await, whole);
        followed(answer(piece)).await;
        let log = followed_log(answer(usize::MAX)).await;
        assert_eq!(followed_log(answer(piece)).await, log);
        described(answer(piece)).await;
    });
}

fn messages(mut input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let [length, rest @ ..] = input {
        let (data, rest) = rest.split_at(rest.len().min((*length).into()));
        // The first byte of a message is a flag: it is not compressed.
        bytes.push(0);
        bytes.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend(data);
        input = rest;
    }
    bytes
}

/// Returns the results that are read to their end, as far as they could be read.
async fn collected(answer: Answer) -> Vec<String> {
    let mut found = Vec::new();
    for is_split in [false, true] {
        let mut client = ExecServiceClient::new(answer.clone());
        let requests = stream::iter([pb::ExecRequest::default()]);
        found.push(match client.exec(requests).await {
            Ok(answers) => described_as(exec::collect(answers.into_inner(), is_split).await),
            Err(error) => described_as::<()>(Err(error.into())),
        });
        let mut client = CodeServiceClient::new(answer.clone());
        found.push(match client.run_code(pb::RunCodeRequest::default()).await {
            Ok(answers) => described_as(code::collect(answers.into_inner(), is_split).await),
            Err(error) => described_as::<()>(Err(error.into())),
        });
    }
    let mut client = SessionServiceClient::new(answer);
    let request = pb::ExecuteCommandRequest::default();
    found.push(match client.execute_command(request).await {
        Ok(answers) => described_as(session::collect(answers.into_inner()).await),
        Err(error) => described_as::<()>(Err(error.into())),
    });
    let request = pb::FollowLogRequest::default();
    found.push(match client.follow_log(request).await {
        Ok(answers) => described_as(session::collect_log(answers.into_inner()).await),
        Err(error) => described_as::<()>(Err(error.into())),
    });
    found
}

fn described_as<T: Debug>(result: Result<T, Failed>) -> String {
    let result = result.map_err(|failed| match failed {
        Failed::Error(error) => error,
        Failed::Status(received) => status::error(received),
    });
    match result {
        Ok(found) => format!("{found:?}"),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty());
            format!("{:?} {:?} {text}", error.kind(), error.delivery())
        }
    }
}

/// Reads the streams of events.
async fn followed(answer: Answer) {
    let (sender, requests) = begin(pb::ExecRequest::default());
    if let Ok(answers) = ExecServiceClient::new(answer.clone()).exec(requests).await {
        let (incoming, _outgoing): (Incoming<pb::ExecRequest, _>, _) =
            begun(sender, answers.into_inner());
        let (events, is_whole) = events(exec::Events::new(incoming)).await;
        command(&events, is_whole);
    }
    let (sender, requests) = begin(pb::ConnectPtyRequest::default());
    let mut client = PtyServiceClient::new(answer.clone());
    if let Ok(answers) = client.connect_pty(requests).await {
        let (screen, _keyboard) = begun(sender, answers.into_inner());
        let (events, is_whole) = events(pty::Events::new(screen, 0)).await;
        one_end(&events, is_whole, |event| {
            matches!(event, PtyEvent::Exited { .. })
        });
    }
    let mut client = InterpreterServiceClient::new(answer);
    let request = pb::ExecuteCodeRequest::default();
    if let Ok(answers) = client.execute_code(request).await {
        let (events, is_whole) = events(interpreter::Events::new(answers.into_inner())).await;
        one_end(&events, is_whole, |event| {
            matches!(event, InterpreterEvent::Ended { .. })
        });
    }
}

/// Returns the output of a log that is followed, and whether it was read to its end.
async fn followed_log(answer: Answer) -> (Vec<Bytes>, bool) {
    let endpoint = "grpc://127.0.0.1:1".parse().expect("it is an endpoint");
    let transport = GrpcTransport::builder(endpoint).build_grpc();
    let mut calls = Calls {
        // This is for a reconnection, which does not happen here.
        transport: transport.expect("it has all that it takes"),
        request: pb::FollowLogRequest::default(),
    };
    let mut log = Log {
        offset: 0,
        ready: VecDeque::new(),
    };
    let request = calls.request.clone();
    let Ok(answers) = SessionServiceClient::new(answer).follow_log(request).await else {
        return (Vec::new(), false);
    };
    let mut answers = answers.into_inner();
    loop {
        match calls.read(&mut answers, &mut log).await {
            Ok(true) => {}
            Ok(false) => return (outputs(&log.ready), true),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return (outputs(&log.ready), false);
            }
        }
    }
}

/// Reads the descriptions that consist of a single response.
async fn described(answer: Answer) {
    let mut client = SessionServiceClient::new(answer.clone());
    let sessions = client.list_sessions(pb::ListSessionsRequest {}).await;
    for found in sessions.iter().flat_map(|list| &list.get_ref().sessions) {
        let session = convert::session(found.clone());
        assert_eq!(session.commands.len(), found.commands.len());
    }
    let mut client = PtyServiceClient::new(answer.clone());
    let ptys = client.list_ptys(pb::ListPtysRequest {}).await;
    for found in ptys.iter().flat_map(|list| &list.get_ref().ptys) {
        assert_eq!(convert::pty(found.clone()).id, found.pty_id);
    }
    let mut client = InterpreterServiceClient::new(answer);
    let contexts = client.list_contexts(pb::ListContextsRequest {}).await;
    for found in contexts.iter().flat_map(|list| &list.get_ref().contexts) {
        assert_eq!(convert::context(found.clone()).id, found.context_id);
    }
}

/// A service that sends the same response to every call.
#[derive(Debug, Clone)]
struct Answer {
    bytes: Bytes,
    /// The size of the pieces, in bytes.
    piece: usize,
    /// The status at the end: 0 to 13; otherwise there is none.
    status: u8,
}

impl Service<Request<Body>> for Answer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let pieces = self.bytes.chunks(self.piece).map(Bytes::copy_from_slice);
        let mut frames: Vec<Result<_, Infallible>> =
            pieces.map(|piece| Ok(Frame::data(piece))).collect();
        // Without trailers the call was cut, which must not look like its end.
        if self.status < 14 {
            let name = HeaderValue::from_bytes(&self.bytes[..self.bytes.len().min(20)]);
            let trailers = [
                ("grpc-status", Some(u16::from(self.status).into())),
                ("grpc-message", name.as_ref().ok().cloned()),
                (GRPC_ERROR_CODE_KEY, name.ok()),
            ];
            let mut map = HeaderMap::new();
            for (name, value) in trailers {
                map.extend(value.map(|value| (Some(header::HeaderName::from_static(name)), value)));
            }
            frames.push(Ok(Frame::trailers(map)));
        }
        let body = Body::new(StreamBody::new(stream::iter(frames)));
        let mut response = Response::new(body);
        let grpc = HeaderValue::from_static("application/grpc");
        response.headers_mut().insert(header::CONTENT_TYPE, grpc);
        ready(Ok(response))
    }
}
