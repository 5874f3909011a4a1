//! The daemon that runs commands and code inside a sandbox.
//!
//! The server side of the wire over [`sandbox_engine`]: HTTP and WebSocket on a TCP port or a Unix socket, in the shapes
//! of Daytona's toolbox "process" API. The binary `sandbox-daemon` is this library with a command line; an application
//! may also [bind](Server::bind) a server of its own.
//!
//! ```
//! use sandbox_daemon::{Access, Config, Listen, Server};
//! use sandbox_engine::Engine;
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("daemon.sock");
//! let engine = Engine::builder().build()?;
//! let config = Config::new(Listen::Unix(path), Access::Open, engine);
//! let server = Server::bind(config).await?;
//! server.serve(async { /* resolves when it is to stop */ }).await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! | for | there is |
//! |---|---|
//! | an address, a token and an engine | [`Config`] |
//! | a server in this process | [`Server::bind`], then [`Server::serve`] |
//! | the clients that may connect | [`Access`] and [`Token`], and `Tls` with the feature `tls` |
//! | the command line of the binary | `cli`, with the feature `cli` |
//!
//! # Authorization
//!
//! Every route except `GET /healthz` requires the token, unless the listener is a Unix socket (mode 0600, and the peer
//! must be this user or root) or the caller asked for [`Access::Open`] on a loopback address. An open loopback listener
//! also refuses requests that a browser sends on behalf of a page: a foreign `Origin` or `Host`. The token is sent as
//! `Authorization: Bearer`, as `X-Sandbox-Token` or, for a WebSocket only, in the query as `DAYTONA_SANDBOX_AUTH_KEY`.
//!
//! What the daemon defends, how, and what it does not is in
//! [SECURITY.md](https://github.com/sandbox-process/sandbox-process/blob/main/SECURITY.md).
//!
//! # Features
//!
//! - `cli` (default): the command line of the binary ([`cli`]).
//! - `grpc` (default): gRPC on the same port; `proto/README.md` in the repository is its guide.
//! - `tls` (default): TLS on the socket.
//! - `typescript` (default): programs and contexts in TypeScript; it takes half a minute to build.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod admission;
mod chart;
#[cfg(feature = "cli")]
pub mod cli;
mod config;
mod connection;
#[doc(hidden)]
pub mod doors;
mod entrypoint;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "grpc")]
mod grpc;
mod head;
mod http;
#[cfg(feature = "cli")]
mod isolation_args;
pub mod limits;
mod link;
mod listener;
mod memory;
mod private;
mod router;
mod server;
mod service;
#[cfg(feature = "cli")]
mod settings;
mod slots;
mod sync;
#[cfg(feature = "tls")]
mod tls;
mod token;
mod uri;

pub use config::{Access, Config, Listen, ListenParseError};
pub use entrypoint::EntrypointError;
pub use memory::return_freed;
pub use server::{BindError, Server};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use token::{Token, TokenError};
