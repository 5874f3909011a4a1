//! Sandboxes of a control plane.
//!
//! A control plane creates sandboxes and knows where their daemons are. `sandbox up` runs one on this machine, without root,
//! containers or virtual machines; its API is Daytona's, so that this client, the official SDKs and other programs for that API use
//! either.
//!
//! ```sh
//! $ sandbox up --detach
//! $ sandbox create web
//! $ sandbox exec -s web 'echo hello'
//! ```
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::{ErrorKind, Sandboxes};
//!
//! # async fn example() -> Result<(), sandbox_process::Error> {
//! // or Sandboxes::connect("http://127.0.0.1:3986/api", key)?
//! let sandboxes = Sandboxes::from_env()?;
//! let sandbox = match sandboxes.get("web").await {
//!     Err(error) if error.kind() == ErrorKind::NotFound => {
//!         sandboxes.create().name("web").auto_stop(Duration::from_secs(900)).await?
//!     }
//!     found => found?,
//! };
//! sandbox.start().await?; // does nothing if it runs
//!
//! sandbox.files().write("data.csv", "1,2\n").await?;
//! let outcome = sandbox.process().exec("cut -d, -f2 data.csv").await?;
//! assert_eq!(outcome.stdout, "2\n");
//! # Ok(())
//! # }
//! ```
//!
//! # Which control plane
//!
//! [`Sandboxes::from_env`](crate::Sandboxes::from_env) reads what the official SDKs read, `DAYTONA_API_URL` and `DAYTONA_API_KEY`;
//! without them, it finds the one of `sandbox up` by the file that it leaves in its state directory.
//!
//! # States
//!
//! `create`, `start` and `stop` resolve when the sandbox is in the state that they name. A stopped sandbox has its files and no
//! processes. A [`Sandbox`](crate::Sandbox) is a handle: its state is the one that the control plane reported last, and
//! [`refresh`](crate::Sandbox::refresh) asks for the current one. Dropping a handle changes nothing.
//!
//! # What runs in a sandbox
//!
//! [`Sandbox::process`](crate::Sandbox::process) returns the [`Process`](crate::Process) that all other pages are about, and
//! [`Sandbox::files`](crate::Sandbox::files) its files.
//!
//! ```no_run
//! # async fn example(sandbox: sandbox_process::Sandbox) -> Result<(), sandbox_process::Error> {
//! let session = sandbox.process().create_session("server").await?;
//! session.spawn("python3 -m http.server 8000").await?;
//! println!("{}", sandbox.preview_url(8000).await?.url);
//! # Ok(())
//! # }
//! ```
