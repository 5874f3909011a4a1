//! A way to a daemon on which connections are cut where it is worst.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use sandbox_process::Process;
use sandbox_tests::{Sandbox, TOKEN};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// Numbers that look random, and come again from the same seed.
#[derive(Debug, Clone)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// From a seed of this moment, which is shown with a test that fails; or from `SANDBOX_TEST_SEED`, to see it again.
    #[expect(clippy::print_stderr, reason = "a test that fails shows it")]
    pub(super) fn of_now() -> Self {
        let given = std::env::var("SANDBOX_TEST_SEED").ok();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap();
        let of_now = now.as_secs() ^ (u64::from(now.subsec_nanos()) << 32);
        let seed = given.map_or(of_now, |seed| seed.parse().unwrap());
        eprintln!("SANDBOX_TEST_SEED={seed}");
        Self::new(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

/// Stands between a client and its daemon, by the same kind of socket.
pub(super) struct Cutter {
    /// A client of the daemon's that is cut.
    pub(super) process: Process,
    cuts: Arc<AtomicUsize>,
    /// Bytes of the daemon's that went through.
    brought: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    task: JoinHandle<()>,
    /// Where the socket is.
    _directory: TempDir,
}

impl Cutter {
    /// Cuts each connection after fewer bytes of the daemon's than `most`.
    pub(super) async fn of(sandbox: &Sandbox, mut numbers: Numbers, most: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (mut listener, daemon, url) = Listener::before(&sandbox.url, &directory).await;
        let cuts = Arc::new(AtomicUsize::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let brought = Arc::new(AtomicU64::new(0));
        let (counter, over) = (Arc::clone(&cuts), Arc::clone(&is_over));
        let bytes = Arc::clone(&brought);
        let task = tokio::spawn(async move {
            loop {
                let client = listener.accept().await.unwrap();
                let server = daemon.connect().await.unwrap();
                let room = if over.load(Ordering::Relaxed) {
                    u64::MAX
                } else {
                    // What a connection begins with passes at least.
                    2000 + numbers.below(most)
                };
                let (counter, bytes) = (Arc::clone(&counter), Arc::clone(&bytes));
                tokio::spawn(async move {
                    if carry(client, server, room, &bytes).await {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let process = Process::builder(&url).token(TOKEN).build().unwrap();
        Self {
            process,
            cuts,
            brought,
            is_over,
            task,
            _directory: directory,
        }
    }

    /// How many connections were cut.
    pub(super) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }

    /// How many bytes of the daemon's went through.
    pub(super) fn brought(&self) -> u64 {
        self.brought.load(Ordering::Relaxed)
    }

    /// Cuts no connection that begins from here on.
    pub(super) fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether it was cut.
async fn carry(
    client: Box<dyn Duplex>,
    server: Box<dyn Duplex>,
    room: u64,
    brought: &AtomicU64,
) -> bool {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (from_server, mut to_server) = tokio::io::split(server);
    let mut some = from_server.take(room);
    let down = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = some.read(&mut buffer).await?;
            if count == 0 {
                return io::Result::Ok(some.limit() == 0);
            }
            brought.fetch_add(count as u64, Ordering::Relaxed);
            to_client.write_all(&buffer[..count]).await?;
        }
    };
    tokio::select! {
        is_cut = down => is_cut.unwrap_or(false),
        // A client says nothing more only when it leaves.
        _ = tokio::io::copy(&mut from_client, &mut to_server) => false,
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Daemon {
    Tcp(String),
    Unix(PathBuf),
}

impl Listener {
    /// One before the daemon at `url`, the daemon, and the URL of this one.
    async fn before(url: &str, directory: &TempDir) -> (Self, Daemon, String) {
        if let Some((carrier, path)) = url.split_once("unix:") {
            let socket = directory.path().join("cutter.sock");
            let listener = UnixListener::bind(&socket).unwrap();
            let url = format!("{carrier}unix:{}", socket.display());
            return (Self::Unix(listener), Daemon::Unix(path.into()), url);
        }
        let (scheme, rest) = url.split_once("://").unwrap();
        let (address, path) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://{}/{path}", listener.local_addr().unwrap());
        (Self::Tcp(listener), Daemon::Tcp(address.to_owned()), url)
    }

    async fn accept(&mut self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
            Self::Unix(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Daemon {
    async fn connect(&self) -> io::Result<Box<dyn Duplex>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(TcpStream::connect(address).await?),
            Self::Unix(path) => Box::new(UnixStream::connect(path).await?),
        })
    }
}
