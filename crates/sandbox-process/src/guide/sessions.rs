//! Sessions.
//!
//! A session is a shell in which commands run one after another; directory, variables and functions stay.
//!
//! ```no_run
//! use sandbox_process::{Process, SessionExecuteRequest};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let session_id = "my-session";
//! process.create_session(session_id).await?;
//! process.execute_session_command(session_id, "cd /workspace".into()).await?;
//! let request = SessionExecuteRequest::new("cat test.txt");
//! let result = process.execute_session_command(session_id, request).await?;
//! println!("stdout: {:?}, stderr: {:?}", result.stdout, result.stderr);
//!
//! let command = process.get_session_command(session_id, &result.cmd_id).await?;
//! if command.exit_code == Some(0) {
//!     println!("Command {} completed successfully", command.command);
//! }
//! for session in process.list_sessions().await? {
//!     println!("Session {}: {} commands", session.session_id, session.commands.len());
//! }
//! for command in process.get_session(session_id).await?.commands {
//!     println!("Command: {}", command.command);
//! }
//! process.delete_session(session_id).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # In the background: live logs and input
//!
//! A handler is a closure that returns nothing or a future; the next piece waits for it. A closure that blocks keeps its thread
//! from everything else.
//!
//! ```no_run
//! use sandbox_process::{CommandInput, Process, SessionExecuteRequest};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! # let session_id = "my-session";
//! let request = SessionExecuteRequest { run_async: true, ..SessionExecuteRequest::new("read x; echo $x; cat") };
//! let id = process.execute_session_command(session_id, request).await?.cmd_id;
//! process.send_session_command_input(session_id, &id, "input data").await?;
//! // Bytes as they are, and the end of the input, are an extension.
//! let last = CommandInput::raw(&b"\0\xff"[..]).then_eof();
//! process.send_session_command_bytes(session_id, &id, last).await?;
//! process
//!     .get_session_command_logs_async(
//!         session_id,
//!         &id,
//!         |log: String| println!("[STDOUT]: {log}"),
//!         async |log: String| eprintln!("[STDERR]: {log}"),
//!     )
//!     .await?;
//! let logs = process.get_session_command_logs(session_id, &id).await?;
//! println!("stdout: {}, stderr: {}", logs.stdout, logs.stderr);
//! # Ok(())
//! # }
//! ```
//!
//! # Bytes, offsets and gaps
//!
//! [`follow_session_command_logs`](crate::Process::follow_session_command_logs) gives events. A stream that is cut connects
//! again and goes on where it was, so that every byte comes once.
//!
//! ```no_run
//! use sandbox_process::{LogEvent, LogOptions, Output, Process, demux_log, parse_session_command_logs};
//! use tokio::io::AsyncReadExt;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let options = LogOptions::new().offset(1000);
//! let mut log = process.follow_session_command_logs("my-session", "cmd-123", options).await?;
//! while let Some(event) = log.next().await {
//!     match event? {
//!         LogEvent::Output { channel, offset, bytes } => println!("{channel:?} at {offset}: {bytes:?}"),
//!         LogEvent::Gap { length, .. } => println!("{length} bytes are gone"),
//!         _ => {}
//!     }
//! }
//!
//! let log = process.follow_session_command_logs("my-session", "cmd-123", LogOptions::new()).await?;
//! let mut everything = Vec::new();
//! Output::from(log).read_to_end(&mut everything).await?;
//!
//! // What a daemon of the protocol stores, taken apart.
//! let (stdout, stderr) = demux_log(b"\x01\x01\x01out\n\x02\x02\x02err\n");
//! assert_eq!((&*stdout, &*stderr), (&b"out\n"[..], &b"err\n"[..]));
//! assert_eq!(parse_session_command_logs(b"\x01\x01\x01out\n").stdout_lossy(), "out\n");
//! # Ok(())
//! # }
//! ```
//!
//! # The entrypoint
//!
//! The command that the daemon was started with has a session of its own, which is not listed.
//!
//! ```no_run
//! # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
//! let session = process.get_entrypoint_session().await?;
//! println!("{:?}: {}", session.commands, process.get_entrypoint_logs().await?.output);
//! process.get_entrypoint_logs_async(|log: String| print!("{log}"), |log: String| eprint!("{log}")).await?;
//! # Ok(())
//! # }
//! ```
