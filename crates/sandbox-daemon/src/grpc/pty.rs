//! Pseudo-terminals.

use bytes::Bytes;
use sandbox_engine::{Pty, PtyInput, PtyOptions, PtyOutput, PtySize, PtyState};
use sandbox_wire::ErrorCode;
use sandbox_wire::pb;
use sandbox_wire::pb::connect_pty_request::Message;
use sandbox_wire::pb::connect_pty_response::Event;
use sandbox_wire::pb::pty_service_server::PtyService;
use tokio::sync::oneshot;
use tonic::{Request, Response, Status, Streaming};

use super::context::Context;
use super::convert;
use super::output::Chunks;
use super::resources::{self, with_usage};
use super::stream::{Events, Reader, Source, first_request, respond};
use crate::service::pty::{self, Attached};
use crate::service::{Error, State};

#[derive(Debug)]
pub(super) struct Ptys(pub(super) State);

impl Ptys {
    async fn create(&self, create: pb::PtyCreate) -> Result<Pty, Error> {
        let options = PtyOptions {
            cwd: convert::directory(create.cwd),
            env: create.envs.into_iter().collect(),
            size: match create.size {
                Some(wanted) => convert::size(wanted)?,
                None => PtySize::default(),
            },
            isolation: convert::isolation(create.isolation)?,
            is_lazy: create.lazy_start,
            limits: resources::limits(create.limits),
        };
        pty::create(&self.0, &create.idempotency_key, &create.pty_id, options).await
    }

    /// Attaches the client to the terminal of its first request.
    async fn first(&self, first: Option<Message>) -> Result<Attached, Error> {
        match first {
            Some(Message::Create(create)) => {
                Attached::new(self.create(create).await?, Some(0), false)
            }
            Some(Message::Attach(attach)) => {
                let found = pty::find(&self.0.engine, &attach.pty_id)?;
                pty::start(&self.0.engine, &found).await?;
                Attached::new(found, attach.offset, attach.read_only)
            }
            _ => Err(Error::bad("the first request is neither create nor attach")),
        }
    }
}

#[tonic::async_trait]
impl PtyService for Ptys {
    type ConnectPtyStream = Events<pb::ConnectPtyResponse>;

    async fn connect_pty(
        &self,
        request: Request<Streaming<pb::ConnectPtyRequest>>,
    ) -> Result<Response<Self::ConnectPtyStream>, Status> {
        let context = Context::of(&request)?;
        let mut requests = request.into_inner();
        let first = first_request(&mut requests).await?;
        let attached = self.first(first.and_then(|first| first.message)).await?;
        let Attached { pty, output, input } = attached;
        let (refuse, refused) = oneshot::channel();
        let reader = Reader::spawn(read(requests, pty.clone(), input, refuse));
        Ok(respond(Screen {
            has_opened: false,
            chunks: Chunks::new(output, true),
            pty,
            refused: Some(refused),
            context,
            _reader: reader,
        }))
    }

    async fn list_ptys(
        &self,
        _: Request<pb::ListPtysRequest>,
    ) -> Result<Response<pb::ListPtysResponse>, Status> {
        let ptys = self.0.engine.ptys().list().iter().map(describe).collect();
        Ok(Response::new(pb::ListPtysResponse { ptys }))
    }

    async fn get_pty(
        &self,
        request: Request<pb::GetPtyRequest>,
    ) -> Result<Response<pb::GetPtyResponse>, Status> {
        let pty = Some(describe(&pty::open(
            &self.0.engine,
            &request.get_ref().pty_id,
        )?));
        Ok(Response::new(pb::GetPtyResponse { pty }))
    }

    async fn resize_pty(
        &self,
        request: Request<pb::ResizePtyRequest>,
    ) -> Result<Response<pb::ResizePtyResponse>, Status> {
        let request = request.into_inner();
        let size = convert::size(request.size.unwrap_or_default())?;
        let resized = pty::resize(&self.0.engine, &request.pty_id, size).await?;
        let pty = Some(describe(&resized));
        Ok(Response::new(pb::ResizePtyResponse { pty }))
    }

    async fn kill_pty(
        &self,
        request: Request<pb::KillPtyRequest>,
    ) -> Result<Response<pb::KillPtyResponse>, Status> {
        pty::delete(&self.0.engine, &request.get_ref().pty_id).await?;
        Ok(Response::new(pb::KillPtyResponse {}))
    }
}

/// A call that shows a terminal.
struct Screen {
    has_opened: bool,
    chunks: Chunks<PtyOutput>,
    pty: Pty,
    /// Receives the reason if the call is to end before the terminal.
    refused: Option<oneshot::Receiver<Error>>,
    context: Context,
    _reader: Reader,
}

impl Source for Screen {
    type Event = Event;

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        if !self.has_opened {
            self.has_opened = true;
            return Ok(Some(Event::Opened(pb::PtyOpened {
                info: Some(describe(&self.pty)),
                offset: self.chunks.position(),
            })));
        }
        let chunk = tokio::select! {
            chunk = self.chunks.next() => chunk,
            error = refusal(&mut self.refused) => return Err(error.into()),
            status = self.context.over() => return Err(status),
        };
        Ok(Some(match chunk {
            Some(chunk) => chunk.into(),
            None => Event::Ended(convert::ended(
                with_usage(
                    convert::termination(&self.pty.ended().await),
                    self.pty.usage(),
                ),
                self.chunks.position(),
            )),
        }))
    }
}

/// Resolves to a refusal; never if there will be none. Cancel safe.
async fn refusal(refused: &mut Option<oneshot::Receiver<Error>>) -> Error {
    if let Some(receiver) = refused {
        if let Ok(error) = receiver.await {
            return error;
        }
        // The reader has ended without a refusal. A receiver must not be polled again after that.
        *refused = None;
    }
    std::future::pending().await
}

/// Writes the client's input to the terminal. While the maximum is pending, nothing is read from the client.
async fn read(
    mut requests: Streaming<pb::ConnectPtyRequest>,
    pty: Pty,
    input: Option<PtyInput>,
    refuse: oneshot::Sender<Error>,
) {
    while let Ok(Some(request)) = requests.message().await {
        if let Err(error) = obey(request.message, &pty, input.as_ref()).await {
            // The call may have ended.
            let _ = refuse.send(error);
            return;
        }
    }
}

async fn obey(message: Option<Message>, pty: &Pty, input: Option<&PtyInput>) -> Result<(), Error> {
    let read_only = || Error::new(ErrorCode::Forbidden, "this client only reads");
    match message {
        Some(Message::Input(given)) => {
            let input = input.ok_or_else(read_only)?;
            if given.offset.is_some() {
                return Err(Error::bad("what is typed has no offset"));
            }
            // If it has ended, the client is notified after the rest of the output.
            let _ = input.write(given.data).await;
            if given.eof {
                // A terminal's input cannot be closed while others hold it. The line discipline
                // makes this an end of file if the program has left it in canonical mode
                // (termios(3), VEOF).
                let _ = input.write(Bytes::from_static(END_OF_FILE)).await;
            }
            Ok(())
        }
        Some(Message::Resize(wanted)) => {
            input.ok_or_else(read_only)?;
            // A terminal that has ended cannot be resized; its end is reported anyway.
            let _ = pty.resize(convert::size(wanted)?).await;
            Ok(())
        }
        _ => Err(Error::bad("neither input nor a size")),
    }
}

fn describe(pty: &Pty) -> pb::PtyInfo {
    let state = pty.state();
    pb::PtyInfo {
        pty_id: pty.id().to_owned(),
        cwd: pty.cwd().to_string_lossy().into_owned(),
        envs: pty.env().iter().cloned().collect(),
        size: Some(convert::terminal_size(pty.size())),
        created_at: convert::timestamp(pty.created_at()),
        active: state == PtyState::Running,
        lazy_start: state == PtyState::Waiting,
        isolation_level: convert::level(pty.level()),
        ..pb::PtyInfo::default()
    }
}

/// The character that a terminal interprets as the end of the input.
const END_OF_FILE: &[u8] = b"\x04";
