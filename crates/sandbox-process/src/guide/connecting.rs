//! The ways in.
//!
//! ```no_run
//! use sandbox_process::Process;
//!
//! # async fn example() -> Result<(), sandbox_process::Error> {
//! let open = Process::connect("http://127.0.0.1:2280")?;
//! let behind_a_token = Process::builder("https://sandbox.example").token("secret").build()?;
//! let on_this_machine = Process::connect("unix:/run/sandbox.sock")?;
//! let from_the_environment = Process::from_env()?;
//! println!("{}", open.version().await?);
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `embedded`, `Process::local().await?` starts a daemon in this very process. Nothing is connected to before
//! the first operation. A [`Process`](crate::Process) is cheap to clone, and its clones share their connections.
//!
//! With the feature `grpc`, `grpc://HOST:PORT`, `grpcs://HOST:PORT` and `grpc+unix:PATH` are daemons of this project that are spoken
//! to over gRPC, on the same port or socket as over HTTP, and `ProcessBuilder::grpc` asks for that where the URL leaves it open.
//! The results are the same; output comes by offset on streams that share one connection and hold up none of each other.
//!
//! # In full
//!
//! [`Process::new`](crate::Process::new) takes the three things that all other ways in choose: what runs code, what carries the
//! operations, and what is called before each of them, as to wake a sandbox that sleeps.
//!
//! ```no_run
//! use std::sync::Arc;
//! use sandbox_process::transport::HttpTransport;
//! use sandbox_process::{Error, Process, TypeScriptToolbox};
//!
//! # async fn wake() -> Result<(), Error> { Ok(()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let carrier = HttpTransport::builder("http://127.0.0.1:2280".parse()?).build()?;
//! let process = Process::new(TypeScriptToolbox, Arc::new(carrier), || wake());
//! process.code_run("const x: number = 1; console.log(x)").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Deadlines, keys and repetitions
//!
//! Every operation has a finite deadline; [`limits`](crate::transport::limits) has the defaults. A request is sent once, unless
//! that can do no harm: nothing of it was sent, or it changes nothing.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::transport::{KeyedRetries, NoRetries};
//! use sandbox_process::{CallOptions, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let impatient = CallOptions::new().deadline(Duration::from_secs(2)).retry(NoRetries);
//! process.with_options(impatient).list_sessions().await?;
//!
//! // This project's daemon carries out once what has the same key, so that it may be repeated.
//! let once = CallOptions::new().idempotency_key("deploy-17").retry(KeyedRetries::default());
//! process.with_options(once).exec("./deploy").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Other daemons
//!
//! Daytona's own daemon is spoken to in the same way. What is marked *extension* here fails there with
//! [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), and nothing was done then. A limit of time is rounded up to whole
//! seconds there, and what a command wrote before its limit is lost with it: that is an error of kind
//! [`Timeout`](crate::ErrorKind::Timeout).
