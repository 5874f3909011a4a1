//! A command of a client, in the sandbox's daemon: a WebSocket with its input, its outputs and its end.

use bytes::BytesMut;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, header};
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use sandbox_daemon::doors::chain;
use sandbox_logcodec::frame::Reader;
use sandbox_logcodec::{Channel, gap_notice};
use sandbox_provider::{Provider, SandboxId};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{ExecuteRequest, SignalSpec};
use sandbox_wire::ws::subprotocol::EXEC_STREAM;
use sandbox_wire::ws::{ExecClientMessage, ExecServerMessage};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::session::{End, FAILED, Program, STDERR, size};
use crate::error::ApiError;
use crate::limits::{DIAL, SSH_INPUT_STALL};
use crate::proxy;
use crate::shared::Shared;

/// A command that runs. Dropping it ends the command, with all its processes.
pub(super) struct Command<S> {
    socket: WebSocketStream<S>,
}

/// The client's messages to a command.
pub(super) struct Input<S> {
    sink: SplitSink<WebSocketStream<S>, Message>,
}

/// The outputs and the end of a command.
pub(super) struct Output<S> {
    stream: SplitStream<WebSocketStream<S>>,
}

impl<S> Command<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    /// Starts a program in a sandbox.
    ///
    /// # Errors
    ///
    /// Returns why the sandbox cannot be reached, or its daemon does not start the program.
    pub(super) async fn start<P: Provider<Stream = S>>(
        shared: &Shared<P>,
        id: &SandboxId,
        program: Program,
    ) -> Result<Self, ApiError> {
        let stream = proxy::dial(shared, id).await?;
        match timeout(DIAL, Self::open(stream, program)).await {
            Ok(opened) => opened,
            Err(_) => Err(failed("the sandbox did not respond in time")),
        }
    }

    async fn open(stream: S, program: Program) -> Result<Self, ApiError> {
        let request = "ws://localhost/process/execute/connect".into_client_request();
        let mut request = request.map_err(|error| failed(&chain(&error)))?;
        let protocol = HeaderValue::from_static(EXEC_STREAM);
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
        let opened = client_async_with_config(request, stream, Some(config)).await;
        let (mut socket, _) = opened.map_err(|error| match error {
            tungstenite::Error::Http(_) => failed("the daemon of the sandbox is too old for SSH"),
            error => failed(&chain(&error)),
        })?;
        let request = ExecuteRequest {
            command: program.command,
            envs: Some(program.variables),
            ..ExecuteRequest::default()
        };
        let start = message(&ExecClientMessage::Start {
            request,
            input: true,
            kill_on_drop: true,
            tty: program.tty,
            // Outputs and input wait for the client independently of each other.
            input_window: false,
        });
        let sent = socket.send(start).await;
        sent.map_err(|error| failed(&chain(&error)))?;
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            match serde_json::from_str(&text) {
                Ok(ExecServerMessage::Started { .. }) => return Ok(Self { socket }),
                Ok(ExecServerMessage::Error { message, .. }) => return Err(failed(&message)),
                _ => break,
            }
        }
        Err(failed("the sandbox did not start the command"))
    }

    pub(super) fn split(self) -> (Input<S>, Output<S>) {
        let (sink, stream) = self.socket.split();
        (Input { sink }, Output { stream })
    }
}

impl<S> Input<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    /// Passes on what the client sends. Resolves when the client has closed the channel, or has sent more than the command reads
    /// for [`SSH_INPUT_STALL`]: until then nothing else of its connection is read.
    pub(super) async fn pass(mut self, read: &mut ChannelReadHalf) {
        while let Some(received) = read.wait().await {
            let sent = match received {
                ChannelMsg::Close => return,
                ChannelMsg::Data { data } => Message::Binary(data),
                ChannelMsg::Eof => message(&ExecClientMessage::Eof),
                ChannelMsg::WindowChange {
                    col_width,
                    row_height,
                    ..
                } => message(&ExecClientMessage::Resize {
                    size: size(col_width, row_height),
                }),
                ChannelMsg::Signal { signal } => message(&ExecClientMessage::Signal {
                    signal: SignalSpec::Name(name(&signal).to_owned()),
                }),
                _ => continue,
            };
            match timeout(SSH_INPUT_STALL, self.sink.send(sent)).await {
                Ok(Ok(())) => {}
                // The command has ended, which its output reports. Until then the client's input is of no use.
                Ok(Err(_)) => while !matches!(read.wait().await, None | Some(ChannelMsg::Close)) {},
                Err(_) => {
                    tracing::debug!("closed an SSH channel whose command reads no input");
                    return;
                }
            }
        }
    }
}

impl<S> Output<S>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    /// Passes on the outputs of the command, as the client takes them, and returns how it has ended.
    pub(super) async fn pass(mut self, write: &ChannelWriteHalf<Msg>) -> End {
        let mut frames = Reader::new();
        let mut buffer = BytesMut::new();
        while let Some(Ok(received)) = self.stream.next().await {
            let passed = match received {
                Message::Binary(bytes) => {
                    buffer.extend_from_slice(&bytes);
                    pass_frames(&mut frames, &mut buffer, write).await
                }
                Message::Text(text) => match serde_json::from_str(&text) {
                    Ok(ExecServerMessage::Ended {
                        exit_code,
                        termination,
                    }) => {
                        let (end, said) = End::of(exit_code, &termination);
                        if let Some(said) = said {
                            say(write, said).await;
                        }
                        return end;
                    }
                    // A resize or a signal that came too late.
                    _ => Some(()),
                },
                _ => Some(()),
            };
            if passed.is_none() {
                break;
            }
        }
        say(write, "the connection to the sandbox has ended").await;
        End::Code(FAILED)
    }
}

/// Passes on the frames that are complete; `None` if they are damaged or the client has left.
async fn pass_frames(
    frames: &mut Reader,
    buffer: &mut BytesMut,
    write: &ChannelWriteHalf<Msg>,
) -> Option<()> {
    loop {
        let offset = frames.offset();
        let Some(frame) = frames.decode(buffer).ok()? else {
            return Some(());
        };
        let missing = frame.offset.saturating_sub(offset);
        if missing > 0 {
            say(write, &gap_notice(missing)).await;
        }
        let sent = match frame.channel {
            Channel::Stderr => write.extended_data_bytes(STDERR, frame.payload).await,
            _ => write.data_bytes(frame.payload).await,
        };
        sent.ok()?;
    }
}

/// Writes a line to the client's standard error.
async fn say(write: &ChannelWriteHalf<Msg>, line: &str) {
    let line = format!("{}\r\n", line.trim_end());
    // An error means that the client has left.
    let _ = write.extended_data_bytes(STDERR, line).await;
}

fn message(message: &ExecClientMessage) -> Message {
    // It is data with string keys, which can always be serialized.
    Message::text(serde_json::to_string(message).unwrap_or_default())
}

fn name(signal: &Sig) -> &str {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
}

fn failed(message: &str) -> ApiError {
    ApiError::new(ErrorCode::ServiceUnavailable, message).of_proxy()
}
