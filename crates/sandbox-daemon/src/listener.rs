//! The socket that a server listens on.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags};
use socket2::{Domain, SockAddr, SockRef, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::Listen;
use crate::connection::Socket;
use crate::limits::{PROBE_IDLE, PROBE_INTERVAL, PROBE_RETRIES, UNSENT_BYTES};
use crate::slots::Source;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix {
        socket: UnixListener,
        address: Address,
        owner: u32,
    },
    /// A Unix socket whose owner decides which processes reach it.
    Inherited {
        socket: UnixListener,
        address: Listen,
    },
}

/// The address that a Unix socket is bound to.
#[derive(Debug)]
pub(crate) enum Address {
    File(SocketFile),
    /// A name that is removed with the socket, however that is closed. Every user can connect to it;
    /// connections of other users are rejected when they are accepted.
    Abstract(PathBuf),
}

impl Listener {
    pub(crate) async fn bind(listen: &Listen) -> io::Result<Self> {
        match listen {
            Listen::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await?)),
            Listen::Unix(path) => {
                let (socket, address) = if is_abstract(path) {
                    (bind_abstract(path)?, Address::Abstract(path.clone()))
                } else {
                    // bind(2) fails with EADDRINUSE on any file that exists, also on the socket of
                    // a daemon that was killed.
                    remove_stale(path).await?;
                    let (socket, file) = bind_private(path)?;
                    (socket, Address::File(file))
                };
                Ok(Self::Unix {
                    socket,
                    address,
                    owner: rustix::process::geteuid().as_raw(),
                })
            }
        }
    }

    /// Takes over a socket that listens already.
    pub(crate) fn inherited(
        socket: std::os::unix::net::UnixListener,
        address: &Listen,
    ) -> io::Result<Self> {
        // `from_std` leaves the mode as it is, and a blocking socket would block a thread of the
        // runtime.
        socket.set_nonblocking(true)?;
        Ok(Self::Inherited {
            socket: UnixListener::from_std(socket)?,
            address: address.clone(),
        })
    }

    /// Returns the address that the socket is bound to, with the port that the system chose.
    pub(crate) fn address(&self) -> io::Result<Listen> {
        Ok(match self {
            Self::Tcp(socket) => Listen::Tcp(socket.local_addr()?),
            Self::Unix { address, .. } => Listen::Unix(match address {
                Address::File(file) => file.0.clone(),
                Address::Abstract(path) => path.clone(),
            }),
            Self::Inherited { address, .. } => address.clone(),
        })
    }

    /// Accepts the next connection.
    ///
    /// Cancel safe.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, Source)> {
        match self {
            Self::Tcp(socket) => loop {
                let (stream, peer) = socket.accept().await?;
                match prepare(&stream) {
                    Ok(()) => return Ok((stream.into(), peer.into())),
                    // An error of one connection is none of the listener.
                    Err(error) => tracing::debug!(%error, "a connection is of no use"),
                }
            },
            Self::Unix { socket, owner, .. } => loop {
                let (stream, _) = socket.accept().await?;
                match stream.peer_cred().map(|peer| peer.uid()) {
                    // SO_PEERCRED is from the time of connect(2), so that the client cannot change
                    // it afterwards. A name in the abstract namespace has no permissions of its own
                    // (unix(7)), and for a file this is a second check.
                    Ok(peer) if peer == 0 || peer == *owner => {
                        return Ok((stream.into(), Source::Local));
                    }
                    _ => tracing::debug!("turned away a connection of another user"),
                }
            },
            Self::Inherited { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                Ok((stream.into(), Source::Local))
            }
        }
    }

    /// Returns whether a connection waits to be accepted.
    pub(crate) fn has_waiting(&self) -> bool {
        match self {
            Self::Tcp(socket) => is_readable(socket),
            Self::Unix { socket, .. } | Self::Inherited { socket, .. } => is_readable(socket),
        }
    }
}

/// Returns whether a descriptor is readable; a listening socket is if a connection waits.
fn is_readable(socket: &impl AsFd) -> bool {
    let mut socket = [PollFd::new(socket, PollFlags::IN)];
    let at_once = Timespec::default();
    poll(&mut socket, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

/// Sets the options of a connection that was accepted: no delay, probes, little unsent output.
///
/// # Errors
///
/// Returns the error of the system; the connection is of no use then.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Responses are small, and clients wait for them.
    stream.set_nodelay(true)?;
    let options = SockRef::from(stream);
    options.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    options.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(PROBE_IDLE)
            .with_interval(PROBE_INTERVAL)
            .with_retries(PROBE_RETRIES),
    )
}

/// Binds a socket that only this user can connect to, whatever the umask is.
fn bind_private(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let mode = Mode::RUSR | Mode::WUSR;
    let socket = unix_socket()?;
    // The system creates the file with the mode of the socket, less the umask.
    rustix::fs::fchmod(&socket, mode)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile(path.to_owned());
    // The umask is a process's only one, and setting it here would affect files that other threads
    // create. So the file is corrected afterwards, and before the socket listens: until then
    // connect(2) is refused. O_PATH opens a socket's file, which open(2) otherwise refuses with
    // ENXIO.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let made = rustix::fs::fstat(&held)?;
    let is_socket = FileType::from_raw_mode(made.st_mode) == FileType::Socket;
    if is_socket && Mode::from_raw_mode(made.st_mode) != mode {
        // The link of the open descriptor, since the path could lead elsewhere meanwhile.
        rustix::fs::chmod(format!("/proc/self/fd/{}", held.as_raw_fd()), mode)?;
    }
    socket.listen(BACKLOG)?;
    Ok((UnixListener::from_std(socket.into())?, file))
}

fn bind_abstract(path: &Path) -> io::Result<UnixListener> {
    let socket = unix_socket()?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    UnixListener::from_std(socket.into())
}

fn unix_socket() -> io::Result<socket2::Socket> {
    socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)
}

/// Returns whether a path is a name in the abstract namespace of Unix sockets.
fn is_abstract(path: &Path) -> bool {
    // The kernel's mark of such a name (unix(7)): the path of a file cannot begin with it.
    path.as_os_str().as_bytes().starts_with(b"\0")
}

/// Length of the queue of connections that wait to be accepted; the same as tokio's.
const BACKLOG: i32 = 1024;

/// Removes the socket file of a daemon that has exited; a socket that accepts, and any other file, is an error.
async fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    // Only connecting shows whether somebody listens: a file with the same mode and owner remains
    // of a daemon that was killed.
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

/// Removes the socket's file when the server ends.
#[derive(Debug)]
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // An error cannot be reported from here, and the file may be removed already.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_connection_waits_until_it_is_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        for listen in [
            Listen::Tcp("127.0.0.1:0".parse().unwrap()),
            Listen::Unix(path.clone()),
        ] {
            let listener = Listener::bind(&listen).await.unwrap();
            assert!(!listener.has_waiting());
            let address = listener.address().unwrap();
            let _client = match &address {
                Listen::Tcp(address) => Ok(std::net::TcpStream::connect(address).unwrap()),
                Listen::Unix(path) => Err(std::os::unix::net::UnixStream::connect(path).unwrap()),
            };
            assert!(listener.has_waiting());
            let _accepted = listener.accept().await.unwrap();
            assert!(!listener.has_waiting());
        }
    }

    #[tokio::test]
    async fn an_inherited_socket_is_accepted_from_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let address = Listen::Unix("/elsewhere".into());
        let listener = Listener::inherited(socket, &address).unwrap();
        assert_eq!(listener.address().unwrap(), address);
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let (_accepted, source) = listener.accept().await.unwrap();
        assert!(matches!(source, Source::Local));
        drop(listener);
        assert!(path.exists(), "its file is its owner's");
    }

    #[tokio::test]
    async fn an_abstract_name_is_no_file_and_ends_with_its_socket() {
        let name = format!("\0sandbox-listener-{}", std::process::id());
        let listen = Listen::Unix(name.clone().into());
        let listener = Listener::bind(&listen).await.unwrap();
        assert_eq!(listener.address().unwrap(), listen);
        let client = UnixStream::connect(&name).await.unwrap();
        let (_accepted, source) = listener.accept().await.unwrap();
        assert!(matches!(source, Source::Local));
        assert!(client.peer_addr().unwrap().as_pathname().is_none());
        assert!(Listener::bind(&listen).await.is_err(), "it is in use");
        drop(listener);
        // A child process that another test starts has all descriptors until it calls `exec`.
        let refused = async {
            while UnixStream::connect(&name).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(60), refused).await;
        assert!(refused.is_ok(), "the name is still there");
    }
}
