//! The stubs of both sides, with nothing between them: what the client's writes, the server's reads.

use std::pin::Pin;

use sandbox_wire::pb::exec_request::Message;
use sandbox_wire::pb::exec_response::Event;
use sandbox_wire::pb::exec_service_client::ExecServiceClient;
use sandbox_wire::pb::exec_service_server::{ExecService, ExecServiceServer};
use sandbox_wire::pb::*;
use sandbox_wire::{ErrorCode, GRPC_ERROR_CODE_KEY};
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};

/// Knows no command, and "runs" one that gives back what it receives.
struct Echo;

type Events = Pin<Box<dyn Stream<Item = Result<ExecResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ExecService for Echo {
    type ExecStream = Events;

    async fn exec(
        &self,
        request: Request<Streaming<ExecRequest>>,
    ) -> Result<Response<Events>, Status> {
        let mut offset = 0;
        let events = request.into_inner().map(move |request| {
            let event = match request?.message {
                Some(Message::Start(_)) => Event::Started(ExecStarted::default()),
                Some(Message::Input(input)) if input.eof => Event::Ended(Ended {
                    end_offset: offset,
                    ..Ended::default()
                }),
                Some(Message::Input(input)) => {
                    let chunk = OutputChunk {
                        channel: Channel::Stdout.into(),
                        offset,
                        data: input.data,
                    };
                    offset += chunk.data.len() as u64;
                    Event::Output(chunk)
                }
                other => return Err(Status::invalid_argument(format!("{other:?}"))),
            };
            Ok(ExecResponse { event: Some(event) })
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn list_execs(
        &self,
        _: Request<ListExecsRequest>,
    ) -> Result<Response<ListExecsResponse>, Status> {
        Ok(Response::new(ListExecsResponse::default()))
    }

    async fn get_exec(
        &self,
        _: Request<GetExecRequest>,
    ) -> Result<Response<GetExecResponse>, Status> {
        let code = ErrorCode::ProcessNotFound;
        let mut status = Status::new(Code::from_i32(code.grpc_code()), "no such command");
        let name = code.name().parse().unwrap();
        status.metadata_mut().insert(GRPC_ERROR_CODE_KEY, name);
        Err(status)
    }

    async fn send_exec_input(
        &self,
        _: Request<SendExecInputRequest>,
    ) -> Result<Response<SendExecInputResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn signal_exec(
        &self,
        _: Request<SignalExecRequest>,
    ) -> Result<Response<SignalExecResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn resize_exec(
        &self,
        _: Request<ResizeExecRequest>,
    ) -> Result<Response<ResizeExecResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tokio::test]
async fn a_stream_goes_both_ways() {
    let input = |data: &'static str, eof| {
        Message::Input(Input {
            data: data.into(),
            offset: None,
            eof,
        })
    };
    let requests = [
        Message::Start(ExecStart::default()),
        input("a\n", false),
        input("\0\u{1}\u{1}\u{1}", false),
        input("", true),
    ];
    let requests = requests.map(|message| ExecRequest {
        message: Some(message),
    });
    let mut client = ExecServiceClient::new(ExecServiceServer::new(Echo));
    let answer = client.exec(tokio_stream::iter(requests)).await.unwrap();

    let chunk = |offset, data: &'static str| {
        Event::Output(OutputChunk {
            channel: Channel::Stdout.into(),
            offset,
            data: data.into(),
        })
    };
    let expect = [
        Event::Started(ExecStarted::default()),
        chunk(0, "a\n"),
        chunk(2, "\0\u{1}\u{1}\u{1}"),
        Event::Ended(Ended {
            end_offset: 6,
            ..Ended::default()
        }),
    ];
    let events: Vec<_> = answer
        .into_inner()
        .map(|response| response.unwrap().event.unwrap())
        .collect()
        .await;
    assert_eq!(events, expect);
}

/// The name of an error travels beside the status code, which says less.
#[tokio::test]
async fn an_error_keeps_its_name() {
    let mut client = ExecServiceClient::new(ExecServiceServer::new(Echo));
    let status = client
        .get_exec(GetExecRequest::default())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let name = status.metadata().get(GRPC_ERROR_CODE_KEY).unwrap();
    let code = ErrorCode::from_name(name.to_str().unwrap());
    assert_eq!(code, Some(ErrorCode::ProcessNotFound));
}

/// The numbers of the table are those of the gRPC library.
#[test]
fn every_code_has_a_status() {
    for code in ErrorCode::ALL {
        let status = Code::from_i32(code.grpc_code());
        assert!(
            !matches!(status, Code::Ok | Code::Unknown),
            "{}",
            code.name()
        );
        assert_eq!(i32::from(status), code.grpc_code());
    }
}
