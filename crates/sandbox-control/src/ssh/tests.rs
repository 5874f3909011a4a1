//! The bounds of the gateway, by a client in memory and the clock of the timers.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, ChannelOpenFailure};
use sandbox_provider::SandboxId;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::*;
use crate::fake::Plane;
use crate::limits::{SSH_CHANNELS, SSH_FORWARD_STALL, SSH_IDLE, SSH_INPUT_STALL};

/// A gateway over a provider in memory, with one sandbox.
struct Tested {
    plane: Plane,
    id: SandboxId,
    slots: Slots,
    protocol: Arc<Protocol>,
    shutdown: watch::Sender<bool>,
}

struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

const HOUR: Duration = Duration::from_secs(3600);

impl Tested {
    async fn new() -> Self {
        let plane = Plane::new();
        let id = plane.create(|_| {}).await;
        let dir = tempfile::tempdir().unwrap();
        let key = host_key::load(&dir.path().join("key")).unwrap();
        Self {
            plane,
            id,
            slots: Slots::new(SSH_CONNECTIONS, SSH_HANDSHAKE),
            protocol: Arc::new(protocol(key)),
            shutdown: watch::Sender::new(false),
        }
    }

    /// Opens a connection, without a word of the protocol.
    async fn dial(&self) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = duplex(64 * 1024);
        let connection = Connection {
            shared: Arc::clone(&self.plane.shared),
            protocol: Arc::clone(&self.protocol),
            slot: Arc::new(self.slots.enter(sandbox_daemon::doors::Source::Local).await),
            shutdown: self.shutdown.subscribe(),
        };
        (near, tokio::spawn(connection.serve(far)))
    }

    async fn shake_hands(&self) -> (Handle<Trusting>, JoinHandle<()>) {
        let (stream, served) = self.dial().await;
        (shake_hands(stream).await, served)
    }

    fn token(&self) -> String {
        self.plane.shared.ssh.issue(&self.id, HOUR).unwrap()
    }

    async fn client(&self) -> (Handle<Trusting>, JoinHandle<()>) {
        let (mut client, served) = self.shake_hands().await;
        let admitted = client.authenticate_none(self.token()).await.unwrap();
        assert!(admitted.success());
        (client, served)
    }

    /// Returns whether a request, which would count as a use, can begin a stop.
    fn is_used(&self) -> bool {
        let activity = &self.plane.shared.activity;
        activity.close(&self.id, self.plane.memory.day()).is_none()
    }

    /// Starts a command on a daemon that responds to nothing after that.
    async fn start(&mut self, client: &Handle<Trusting>) -> (russh::Channel<client::Msg>, Daemon) {
        let channel = client.channel_open_session().await.unwrap();
        channel.exec(true, "command").await.unwrap();
        let stream = self.plane.dialed.recv().await.unwrap();
        #[expect(clippy::result_large_err, reason = "as the handshake asks for it")]
        let accept = |request: &Request, mut response: Response| {
            let offered = request.headers()["sec-websocket-protocol"].clone();
            let headers = response.headers_mut();
            headers.insert("sec-websocket-protocol", offered);
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, accept).await;
        let mut socket = socket.unwrap();
        let start = socket.next().await.unwrap().unwrap();
        assert!(start.to_text().unwrap().contains("command"));
        let started = Message::text(r#"{"type": "started"}"#);
        socket.send(started).await.unwrap();
        (channel, socket)
    }
}

type Daemon = tokio_tungstenite::WebSocketStream<DuplexStream>;

async fn shake_hands(stream: DuplexStream) -> Handle<Trusting> {
    let config = Arc::new(client::Config::default());
    let connected = client::connect_stream(config, stream, Trusting).await;
    connected.unwrap()
}

/// Sends until nothing more is taken, and returns how much was.
async fn fill(channel: &russh::Channel<client::Msg>) -> usize {
    let mut sent = 0;
    let piece = vec![0; 16 * 1024];
    while timeout(Duration::from_secs(5), channel.data_bytes(piece.clone()))
        .await
        .is_ok()
    {
        sent += piece.len();
        assert!(
            sent < 64 * 1024 * 1024,
            "the bytes are held without a bound"
        );
    }
    sent
}

/// Waits until a channel is closed, and returns how long that took.
async fn closed(mut channel: russh::Channel<client::Msg>) -> Duration {
    let begun = Instant::now();
    while !matches!(channel.wait().await, None | Some(ChannelMsg::Close)) {}
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_token_is_not_waited_for() {
    let tested = Tested::new().await;
    let begun = Instant::now();
    let (_silent, served) = tested.dial().await;
    let (_shaken, other) = tested.shake_hands().await;
    served.await.unwrap();
    other.await.unwrap();
    let waited = begun.elapsed();
    let after = Duration::from_secs(1);
    assert!((SSH_HANDSHAKE..SSH_HANDSHAKE + after).contains(&waited));
}

#[tokio::test(start_paused = true)]
async fn attempts_at_a_token_are_few_and_slow() {
    let tested = Tested::new().await;
    let (mut client, served) = tested.shake_hands().await;
    let mut tried = 0;
    loop {
        let begun = Instant::now();
        match client.authenticate_none("wrong").await {
            Ok(result) if !result.success() && !served.is_finished() => tried += 1,
            _ => break,
        }
        assert!(begun.elapsed() >= SSH_REJECTION);
    }
    assert!(tried <= SSH_ATTEMPTS, "{tried}");
    timeout(SSH_REJECTION, served).await.unwrap().unwrap();
    let (mut other, _) = tested.shake_hands().await;
    let result = other.authenticate_none(tested.token()).await;
    assert!(result.unwrap().success());
}

#[tokio::test(start_paused = true)]
async fn channels_of_a_connection_are_bounded() {
    let mut tested = Tested::new().await;
    let (client, _served) = tested.client().await;
    // What has ended counts no more.
    for _ in 0..=SSH_CHANNELS {
        let (channel, mut daemon) = tested.start(&client).await;
        let ended = r#"{"type": "ended", "exitCode": 0, "termination": {"kind": "exited"}}"#;
        daemon.send(Message::text(ended)).await.unwrap();
        closed(channel).await;
    }
    // Nor does what is refused.
    tested.plane.memory.end(&tested.id);
    for _ in 0..=SSH_CHANNELS {
        let refused = client.channel_open_direct_tcpip("localhost", 80, "127.0.0.1", 1);
        let is_refused = matches!(
            refused.await.map(drop),
            Err(russh::Error::ChannelOpenFailure(
                ChannelOpenFailure::ConnectFailed
            ))
        );
        assert!(is_refused);
    }
    let mut channels = Vec::new();
    for _ in 0..SSH_CHANNELS {
        channels.push(client.channel_open_session().await.unwrap());
    }
    let refused = client.channel_open_session().await.map(drop);
    let refused = refused.unwrap_err();
    let is_shortage = matches!(
        refused,
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage)
    );
    assert!(is_shortage, "{refused}");
    let first = channels.pop().unwrap();
    first.close().await.unwrap();
    // Until nothing runs any more.
    tokio::time::sleep(Duration::from_millis(1)).await;
    client.channel_open_session().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_nothing_open_is_closed_and_another_is_not() {
    let mut tested = Tested::new().await;
    let (client, served) = tested.client().await;
    let (channel, _daemon) = tested.start(&client).await;
    tokio::time::sleep(3 * SSH_IDLE).await;
    assert!(!served.is_finished());
    assert!(tested.is_used());
    channel.close().await.unwrap();
    let begun = Instant::now();
    closed(channel).await;
    served.await.unwrap();
    let waited = begun.elapsed();
    assert!((SSH_IDLE..SSH_IDLE + SSH_KEEPALIVE).contains(&waited));
    assert!(!tested.is_used());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_lost_is_noticed() {
    let mut tested = Tested::new().await;
    let (mut far, served) = tested.dial().await;
    let (near, mut middle) = duplex(64 * 1024);
    // A way that loses everything from some time on, without an end.
    let (cut, mut lost) = watch::channel(false);
    let way = tokio::spawn(async move {
        tokio::select! {
            _ = copy_bidirectional(&mut middle, &mut far) => {}
            _ = lost.wait_for(|is_lost| *is_lost) => {}
        }
        (middle, far)
    });
    let mut client = shake_hands(near).await;
    let token = tested.token();
    assert!(client.authenticate_none(token).await.unwrap().success());
    let (_channel, _daemon) = tested.start(&client).await;
    cut.send_replace(true);
    let _ends = way.await.unwrap();
    let begun = Instant::now();
    served.await.unwrap();
    let probes = u32::try_from(SSH_KEEPALIVES).unwrap() + 1;
    assert!(begun.elapsed() <= (probes + 1) * SSH_KEEPALIVE);
    // The channel ends with it.
    while tested.is_used() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn input_that_no_command_reads_is_bounded() {
    let mut tested = Tested::new().await;
    let (client, _served) = tested.client().await;
    let (channel, _daemon) = tested.start(&client).await;
    let sent = fill(&channel).await;
    let messages = SSH_MESSAGES * 32 * 1024;
    let window = usize::try_from(SSH_WINDOW).unwrap();
    let buffers = 512 * 1024;
    assert!(
        (window / 2..2 * window + messages + buffers).contains(&sent),
        "{sent}"
    );
    let waited = closed(channel).await;
    assert!(waited <= SSH_INPUT_STALL && waited > SSH_INPUT_STALL / 2);
}

#[tokio::test(start_paused = true)]
async fn a_forwarded_port_that_reads_nothing_is_closed() {
    let mut tested = Tested::new().await;
    let (client, _served) = tested.client().await;
    let open = client.channel_open_direct_tcpip("localhost", 80, "127.0.0.1", 1);
    let daemon = async {
        let mut stream = tested.plane.dialed.recv().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"GET /port/80/connect HTTP/1.1\r\n"));
        let upgraded = b"HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n";
        stream.write_all(upgraded).await.unwrap();
        stream
    };
    let (channel, _daemon) = tokio::join!(open, daemon);
    let channel = channel.unwrap();
    fill(&channel).await;
    assert!(closed(channel).await <= SSH_FORWARD_STALL);
    assert!(!tested.is_used());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_and_a_revocation_close_connections() {
    let mut tested = Tested::new().await;
    let (client, served) = tested.client().await;
    let (channel, _daemon) = tested.start(&client).await;
    tested.plane.shared.ssh.forget(&tested.id);
    served.await.unwrap();
    closed(channel).await;
    assert!(!tested.is_used());
    let (_client, served) = tested.client().await;
    tested.shutdown.send_replace(true);
    served.await.unwrap();
}

#[tokio::test]
async fn connections_without_a_token_make_room() {
    let tested = Tested::new().await;
    let dir = tempfile::tempdir().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let gateway = Gateway::bind(SshConfig::new(listen, dir.path().join("key")));
    let gateway = gateway.await.unwrap();
    let address = gateway.place().address;
    let clients = async {
        let mut first = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut others = Vec::new();
        for _ in 0..SSH_CONNECTIONS {
            let stream = tokio::net::TcpStream::connect(address).await;
            others.push(stream.unwrap());
        }
        // Closed for another one.
        let mut banner = Vec::new();
        let _ = first.read_to_end(&mut banner).await;
        let config = Arc::new(client::Config::default());
        let mut client = client::connect(config, address, Trusting).await.unwrap();
        let result = client.authenticate_none(tested.token()).await;
        assert!(result.unwrap().success());
    };
    tokio::select! {
        () = gateway.accept(&tested.plane.shared, &tested.shutdown) => {}
        () = clients => {}
    }
}
