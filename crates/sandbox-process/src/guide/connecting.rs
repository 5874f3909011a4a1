//! Connecting to a daemon.
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
//! With the feature `embedded`, `Process::local().await?` starts a daemon in this process. Nothing is connected to before the first
//! operation. A [`Process`](crate::Process) is cheap to clone, and its clones share their connections.
//!
//! With the feature `grpc`, the URLs `grpc://HOST:PORT`, `grpcs://HOST:PORT` and `grpc+unix:PATH` name daemons of this project by
//! gRPC, on the same port or socket as by HTTP; `ProcessBuilder::grpc` chooses it for any URL. The results are the same. Streams
//! share one connection, and none of them blocks another.
//!
//! # From its parts
//!
//! [`Process::new`](crate::Process::new) takes the three parts that the other constructors choose: the default language of programs, the
//! transport, and a function that is called before each operation, for example to start a sandbox that sleeps.
//!
//! ```no_run
//! use sandbox_process::transport::TransportBuilder;
//! use sandbox_process::{Error, Process, TypeScriptToolbox};
//!
//! # async fn wake() -> Result<(), Error> { Ok(()) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = TransportBuilder::new("http://127.0.0.1:2280".parse()?).build()?;
//! let process = Process::new(TypeScriptToolbox, transport, || wake());
//! process.code_run("const x: number = 1; console.log(x)").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Deadlines, keys and retries
//!
//! Every operation has a finite deadline; [`limits`](crate::transport::limits) has the defaults. A request is retried only if that
//! is safe: nothing of it was sent, or it changes nothing.
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
//! // This project's daemon carries out requests with the same key exactly once: they may be
//! // retried.
//! let once = CallOptions::new().idempotency_key("deploy-17").retry(KeyedRetries::default());
//! process.with_options(once).exec("./deploy").await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Other daemons
//!
//! Daytona's own daemon is used in the same way. What is marked *extension* returns an error of kind
//! [`Unsupported`](crate::ErrorKind::Unsupported) there, and nothing was done then. Time limits are rounded up to whole seconds
//! there, and what a command wrote before its limit expired is lost: that is an error of kind
//! [`Timeout`](crate::ErrorKind::Timeout).
