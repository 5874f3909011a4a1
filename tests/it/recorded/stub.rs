//! A server that says what was recorded.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::received;

/// Responds to every request with one entry; ends when it is dropped.
pub(super) struct Stub {
    pub(super) url: String,
    task: JoinHandle<()>,
}

impl Stub {
    pub(super) async fn answering(entry: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let entry = entry.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let entry = entry.clone();
                // A client that goes away in the middle is none of the stub's business.
                tokio::spawn(async move { drop(answer(stream, &entry).await) });
            }
        });
        Self { url, task }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Result = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn answer(stream: TcpStream, entry: &Value) -> Result {
    // Looked at without being taken: a handshake reads it once more.
    let mut head = vec![0; 64 * 1024];
    let head = loop {
        stream.readable().await?;
        let seen = stream.peek(&mut head).await?;
        match head[..seen].windows(4).position(|end| end == b"\r\n\r\n") {
            Some(_) => break String::from_utf8_lossy(&head[..seen]).into_owned(),
            None if seen == 0 => return Ok(()),
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let asks_version = ["GET /version ", "GET /version?"];
    let asks_version = asks_version.iter().any(|line| head.starts_with(line));
    if asks_version && entry["request"]["path"] != "/version" {
        return respond(
            stream,
            200,
            "application/json",
            br#"{"version":"v0.190.0"}"#,
        )
        .await;
    }
    if entry["status"] == 101 && head.to_ascii_lowercase().contains("upgrade: websocket") {
        return play(stream, entry).await;
    }
    let (status, headers, body) = match entry.get("response") {
        Some(response) => (&response["status"], &response["headers"], body(response)),
        None => (&entry["status"], &entry["headers"], text(&entry["body"])),
    };
    let Some(status) = status.as_u64() else {
        // The reference said nothing, and neither does this.
        return std::future::pending().await;
    };
    let kind = headers["Content-Type"].as_str().unwrap_or("text/plain");
    respond(stream, status, kind, &body).await
}

fn body(response: &Value) -> Vec<u8> {
    if let Some(encoded) = response["base64"].as_str() {
        return STANDARD.decode(encoded).unwrap();
    }
    match response.get("json") {
        Some(json) => json.to_string().into_bytes(),
        None => text(&response["text"]),
    }
}

fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Null => Vec::new(),
        value => value.to_string().into_bytes(),
    }
}

async fn respond(mut stream: TcpStream, status: u64, kind: &str, body: &[u8]) -> Result {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Recorded\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await?;
    // A request that was not read would reset the connection under the response.
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    Ok(())
}

/// Sends what the reference sent, whatever the client says.
async fn play(stream: TcpStream, entry: &Value) -> Result {
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    for frame in received(entry) {
        let payload = match frame["base64"].as_str() {
            Some(encoded) => STANDARD.decode(encoded)?,
            None => text(&frame["text"]),
        };
        let message = match frame["op"].as_str() {
            Some("binary") => Message::binary(payload),
            Some("text") => Message::text(String::from_utf8(payload)?),
            Some("close") => {
                let code = frame["code"]
                    .as_u64()
                    .and_then(|code| u16::try_from(code).ok());
                let close = CloseFrame {
                    code: CloseCode::from(code.unwrap_or(1000)),
                    reason: frame["reason"].as_str().unwrap_or_default().into(),
                };
                socket.close(Some(close)).await?;
                while let Some(Ok(_)) = socket.next().await {}
                return Ok(());
            }
            _ => continue,
        };
        socket.send(message).await?;
    }
    // The recording was left here, in silence or at the end of the connection.
    Ok(())
}
