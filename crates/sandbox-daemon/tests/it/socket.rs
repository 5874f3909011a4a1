//! A WebSocket client: the handshake by hand, so that it may be wrong; the rest by tokio-tungstenite.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sandbox_logcodec::{Channel, Decoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Answer, Stream, TestServer};

/// An open WebSocket.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<Box<dyn Stream>>,
    pub(crate) answer: Answer,
}

/// What came until the end.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) messages: Vec<Bytes>,
    pub(crate) pongs: Vec<Bytes>,
    pub(crate) pings: usize,
    /// The close frame; `None` for a connection that ended without.
    pub(crate) close: Option<(u16, String)>,
}

const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

impl TestServer {
    /// Asks for a WebSocket, with headers instead of or besides those of a good handshake; an empty value leaves one out.
    ///
    /// `Err` is the response of a refusal, after which the server must have closed the connection.
    pub(crate) async fn upgrade(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Client, Answer> {
        let (path, addressed) = self.addressed(path);
        let mut request = format!("GET {path} HTTP/1.1\r\n");
        let given = |name: &str| {
            headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let addressed = addressed
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let usual = addressed.chain(HANDSHAKE).filter(|(name, _)| !given(name));
        for (name, value) in usual.chain(headers.iter().copied()) {
            if !value.is_empty() {
                request.extend([name, ": ", value, "\r\n"]);
            }
        }
        request.push_str("\r\n");
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            let rest = stream.read_to_end(&mut head);
            let rest = tokio::time::timeout(crate::robust::PATIENCE, rest).await;
            rest.expect("a refused upgrade closes").unwrap();
            return Err(Answer::parse(&head));
        }
        let answer = Answer::parse(&head);
        let expect = "s3pplmbitxaq9kygzzhzrbk+xoo=";
        assert_eq!(answer.header("sec-websocket-accept"), Some(expect));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Ok(Client { socket, answer })
    }

    /// Follows a log, which must be possible.
    pub(crate) async fn follow(&self, path: &str, headers: &[(&str, &str)]) -> Client {
        let path = format!("{path}?follow=true");
        self.upgrade(&path, headers).await.ok().unwrap()
    }
}

impl Client {
    /// Reads to the end, answering a close as it should be, and expects the server to end the connection then.
    pub(crate) async fn read_to_end(&mut self) -> Received {
        let mut received = Received::default();
        let reading = async {
            while let Some(message) = self.socket.next().await {
                match message {
                    Ok(message) => received.take(message),
                    Err(Error::Io(_) | Error::Protocol(_)) => return,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let limit = Duration::from_secs(60);
        tokio::time::timeout(limit, reading).await.expect("an end");
        received
    }

    /// Reads until so many bytes came.
    pub(crate) async fn read_bytes(&mut self, count: usize) -> Received {
        let mut received = Received::default();
        let reading = async {
            while received.bytes().len() < count {
                received.take(self.socket.next().await.unwrap().unwrap());
            }
        };
        let limit = crate::robust::PATIENCE;
        tokio::time::timeout(limit, reading).await.expect("bytes");
        received
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }
}

impl Received {
    fn take(&mut self, message: Message) {
        match message {
            Message::Binary(bytes) => self.messages.push(bytes),
            Message::Pong(bytes) => self.pongs.push(bytes),
            Message::Ping(_) => self.pings += 1,
            Message::Close(frame) => {
                assert_eq!(self.close, None);
                let told = |frame: CloseFrame| (frame.code.into(), frame.reason.to_string());
                self.close = Some(frame.map_or((1005, String::new()), told));
            }
            other => panic!("{other:?}"),
        }
    }

    /// Takes what came afterwards.
    pub(crate) fn merge(&mut self, later: Self) {
        self.messages.extend(later.messages);
        self.pongs.extend(later.pongs);
        self.pings += later.pings;
        self.close = later.close.or_else(|| self.close.take());
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.messages.concat()
    }

    /// What a client makes of the messages, holding them to the rule that no message ends in a marker.
    pub(crate) fn split(&self) -> [Vec<u8>; 2] {
        let mut decoder = Decoder::new();
        let mut split = [Vec::new(), Vec::new()];
        let mut put = |channel, bytes: &[u8]| {
            split[usize::from(channel == Channel::Stderr)].extend_from_slice(bytes);
        };
        for message in &self.messages {
            assert!(!message.ends_with(&[1; 3]) && !message.ends_with(&[2; 3]));
            let mut rest = &message[..];
            while let Some((channel, bytes)) = decoder.decode_slice(&mut rest) {
                put(channel, bytes);
            }
        }
        if let Some((channel, bytes)) = decoder.finish() {
            put(channel, &bytes);
        }
        split
    }

    #[track_caller]
    pub(crate) fn expect_close(&self, code: u16) {
        assert_eq!(self.close, Some((code, String::new())));
    }
}
