//! Terminals.
//!
//! ```no_run
//! use sandbox_process::{Process, PtySize};
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let create = process.create_pty("my-pty").cwd("/workspace").envs([("VAR", "value")]);
//! let mut handle = create.size(PtySize::new(24, 80)?).await?;
//! handle.write("echo $VAR; exit\n").await?;
//! let result = handle
//!     .wait_with(async |shown| print!("{}", String::from_utf8_lossy(&shown)))
//!     .await?;
//! assert_eq!(result.exit_code, handle.exit_code());
//! assert!(!handle.is_connected());
//! # Ok(())
//! # }
//! ```
//!
//! # From elsewhere
//!
//! A terminal exists until its shell ends, whether a client is attached or not. Any number of clients may be attached; all see
//! everything, and all may type.
//!
//! ```no_run
//! use sandbox_process::{Process, PtySize};
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! for pty in process.list_ptys().await? {
//!     println!("{}: active={}, created={:?}", pty.id, pty.active, pty.created_at);
//! }
//! let pty = process.pty("my-pty");
//! let info = pty.info().await?;
//! println!("Terminal size: {}x{}", info.cols, info.rows);
//! pty.resize(PtySize::new(40, 150)?).await?;
//!
//! let mut handle = pty.attach().await?;
//! handle.disconnect();
//!
//! // Extensions: from an offset on, such as `PtyHandle::offset` returned, and without typing.
//! let watching = pty.attach().offset(1000).read_only().await?;
//! watching.kill().await?; // as `pty.kill()`
//! # Ok(())
//! # }
//! ```
//!
//! A [`PtyHandle`](crate::PtyHandle) is a `Stream` of events, gaps and the exit among them; [`next`](crate::PtyHandle::next)
//! returns only what is shown, and [`into_io`](crate::PtyHandle::into_io) makes it an `AsyncRead` and an `AsyncWrite`.
//! [`input`](crate::PtyHandle::input) types while another task reads.
//!
//! # By the names of the official SDKs
//!
//! ```no_run
//! use sandbox_process::{Bytes, Process, PtySize};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let mut handle = process
//!     .create_pty_session("my-pty")
//!     .cwd("/workspace")
//!     .envs([("VAR", "value")])
//!     .pty_size(PtySize { rows: 24, cols: 80 })
//!     .await?;
//! handle.wait_for_connection().await?;
//! handle.send_input("ls\n").await?;
//! handle.resize(PtySize { rows: 40, cols: 150 }).await?;
//! handle.wait(|shown: Bytes| print!("{}", String::from_utf8_lossy(&shown))).await?;
//!
//! let handle = process.connect_pty_session("my-pty").await?;
//! println!("{}", handle.session_id());
//! for session in process.list_pty_sessions().await? {
//!     println!("Session {}: active={}, created={:?}", session.id, session.active, session.created_at);
//! }
//! let info = process.get_pty_session_info("my-session").await?;
//! println!("Terminal size: {}x{}", info.cols, info.rows);
//! let info = process.resize_pty_session("my-session", PtySize { rows: 40, cols: 150 }).await?;
//! println!("Resized to {}x{}", info.cols, info.rows);
//! process.kill_pty_session("my-session").await?;
//! # Ok(())
//! # }
//! ```
