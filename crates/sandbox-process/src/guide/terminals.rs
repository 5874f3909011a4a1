//! Terminals.
//!
//! ```no_run
//! use sandbox_process::{Bytes, Process, PtySize};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let mut handle = process
//!     .create_pty_session("my-pty")
//!     .cwd("/workspace")
//!     .envs([("VAR".to_owned(), "value".to_owned())].into())
//!     .pty_size(PtySize { rows: 24, cols: 80 })
//!     .await?;
//! handle.wait_for_connection().await?;
//! handle.send_input("echo $VAR; exit\n").await?;
//! let result = handle.wait(|shown: Bytes| print!("{}", String::from_utf8_lossy(&shown))).await?;
//! assert_eq!(result.exit_code, handle.exit_code());
//! assert!(!handle.is_connected());
//! # Ok(())
//! # }
//! ```
//!
//! # From elsewhere
//!
//! A terminal stays when nobody is connected, and takes any number of clients; all see everything and all may type.
//!
//! ```no_run
//! use sandbox_process::{Process, PtyAttachRequest, PtySize};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! for session in process.list_pty_sessions().await? {
//!     println!("Session {}: active={}, created={:?}", session.id, session.active, session.created_at);
//! }
//! let info = process.get_pty_session_info("my-pty").await?;
//! println!("Terminal size: {}x{}", info.cols, info.rows);
//! let size = PtySize { rows: 40, cols: 150 };
//! process.resize_pty_session("my-pty", size).await?;
//!
//! let mut handle = process.connect_pty_session("my-pty").await?;
//! handle.resize(size).await?;
//! handle.disconnect();
//!
//! // Extensions: from an offset on, such as PtyHandle::offset told, and without typing.
//! let request = PtyAttachRequest::new("my-pty").offset(1000).read_only();
//! let watching = process.attach_pty_session(request).await?;
//! watching.kill().await?; // as process.kill_pty_session("my-pty")
//! # Ok(())
//! # }
//! ```
//!
//! A [`PtyHandle`](crate::PtyHandle) is a `Stream` of events, gaps and the exit among them; [`next`](crate::PtyHandle::next)
//! gives only what is shown, and [`into_io`](crate::PtyHandle::into_io) makes it an `AsyncRead` and an `AsyncWrite`.
//! [`input`](crate::PtyHandle::input) types while another task reads.
