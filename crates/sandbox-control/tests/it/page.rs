//! The page at `/`, and the tickets by which it opens terminals.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Method, header};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::client::{Answer, Control, KEY};

/// Returns the files that the page names in its text.
fn named(page: &Answer) -> Vec<String> {
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let pieces = text.split('"').filter(|piece| piece.starts_with("/page/"));
    pieces.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_page_needs_no_key_and_has_a_strict_policy() {
    let control = Control::start().await;
    let open = async |method: Method, path: &str| control.send_with(method, path, &[], "").await;
    let page = open(Method::GET, "/").await;
    let mut files = named(&page);
    assert!(files.len() >= 3, "{files:?}");
    files.push("/".to_owned());
    for file in &files {
        let answer = open(Method::GET, file).await;
        assert_eq!(answer.status, 200, "{file}");
        let text = |name: &str| answer.headers[name].to_str().unwrap();
        let policy = text("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self';",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{policy}");
        }
        for loose in ["unsafe", "*", "http:", "https:", "blob:"] {
            assert!(!policy.contains(loose), "{policy}");
        }
        assert_eq!(text("x-content-type-options"), "nosniff");
        assert_eq!(text("referrer-policy"), "no-referrer");
        assert_eq!(text("cross-origin-opener-policy"), "same-origin");
        assert!(!answer.headers.contains_key("set-cookie"));
        let head = open(Method::HEAD, file).await;
        assert_eq!((head.status, head.body.len()), (200, 0), "{file}");
        let length = head.headers["content-length"].to_str().unwrap();
        assert_eq!(length, answer.body.len().to_string());
        // Nothing is done for a page whose name was made to resolve to this machine.
        let host = [("host", "evil.example")];
        let foreign = control.send_with(Method::GET, file, &host, "").await;
        foreign.refused(403, "FORBIDDEN", "another host");
        open(Method::POST, file)
            .await
            .refused(401, "UNAUTHORIZED", "key");
    }
}

/// Without the feature `web`, or with the empty files that a plain build embeds, the page has no terminal, which it says.
#[tokio::test]
async fn a_build_without_the_terminal_has_no_files_of_it() {
    let control = Control::start().await;
    for file in ["xterm.js", "fit.js", "xterm.css", "LICENSE"] {
        let path = format!("/page/xterm/{file}");
        let answer = control.send_with(Method::GET, &path, &[], "").await;
        let is_embedded = answer.status == 200 && !answer.body.is_empty();
        assert!(is_embedded || answer.status == 404, "{answer:?}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
}

/// Opens the WebSocket of a terminal that offers these subprotocols.
async fn connect(
    control: &Control,
    id: &str,
    path: &str,
    offers: &str,
) -> Result<(WebSocketStream<TcpStream>, Option<HeaderValue>), u16> {
    let url = format!("ws://{}/toolbox/{id}/{path}", control.address);
    let mut request = url.into_client_request().unwrap();
    let offers = HeaderValue::from_str(offers).unwrap();
    let headers = request.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offers);
    let stream = TcpStream::connect(control.address).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, response)) => {
            let selected = response.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            Ok((socket, selected.cloned()))
        }
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_ticket_opens_one_terminal_of_its_sandbox() {
    let control = Control::start().await;
    let id = control.create(&json!({"name": "one"})).await;
    let other = control.create(&json!({"name": "two"})).await;
    let ticket = async |id: &str| {
        let answer = control
            .post(&format!("/api/sandbox/{id}/ticket"), &json!({}))
            .await;
        let ticket = answer.json();
        assert_eq!(
            (answer.status, &ticket["expiresInSeconds"]),
            (200, &json!(30))
        );
        ticket["protocol"].as_str().unwrap().to_owned()
    };
    let terminal = "process/pty/create-connect?id=page";
    for refused in ["sandbox.pty.v1", "sandbox.ticket.", "sandbox.ticket.x", KEY] {
        let found = connect(&control, &id, terminal, refused).await;
        assert_eq!(found.err(), Some(401), "{refused}");
    }
    // Nothing else, and no other sandbox.
    for (at, path) in [(&other, terminal), (&id, "port/1/connect")] {
        let offers = format!("sandbox.pty.v1, {}", ticket(&id).await);
        assert_eq!(connect(&control, at, path, &offers).await.err(), Some(401));
    }
    let offers = format!("sandbox.pty.v1, {}", ticket("one").await);
    let (mut socket, selected) = connect(&control, "one", terminal, &offers).await.unwrap();
    assert_eq!(selected.unwrap(), "sandbox.pty.v1");
    let again = connect(&control, &id, "process/pty/page/connect", &offers).await;
    assert_eq!(again.err(), Some(401));
    let typed = Message::text("echo $((40 + 2)); env; exit\n");
    socket.send(typed).await.unwrap();
    let mut seen = Vec::new();
    while let Some(Ok(message)) = socket.next().await {
        seen.extend_from_slice(&message.into_data());
    }
    let seen = String::from_utf8_lossy(&seen);
    assert!(
        seen.contains("42") && !seen.contains("sandbox.ticket."),
        "{seen}"
    );
}
