//! Persistent shell sessions.
//!
//! A session is a shell in which commands run one after another; directory, variables and functions remain. A command waits until
//! those before it have ended.
//!
//! ```no_run
//! use sandbox_process::Process;
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let session = process.create_session("my-session").await?;
//! session.run("cd /workspace").await?;
//! let outcome = session.run("cat test.txt").await?;
//! println!("stdout: {}, stderr: {}", outcome.stdout_lossy(), outcome.stderr_lossy());
//! if outcome.session_ended {
//!     println!("the command has ended the shell, as `exit` does");
//! }
//!
//! for session in process.list_sessions().await? {
//!     println!("Session {}: {} commands", session.session_id, session.commands.len());
//! }
//! for command in process.session("my-session").info().await?.commands {
//!     println!("{}: {:?}", command.command, command.exit_code);
//! }
//! session.delete().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # In the background: live logs and input
//!
//! ```no_run
//! # async fn example(session: sandbox_process::Session) -> Result<(), sandbox_process::Error> {
//! let command = session.spawn("read x; echo $x; cat").await?;
//! command.write_line("input data").await?;
//! // Bytes as they are, and the end of the input, are an extension.
//! command.write(&b"\0\xff"[..]).await?;
//! command.close_stdin().await?;
//! let end = command
//!     .wait_with(async |channel, bytes| {
//!         println!("[{channel}] {}", String::from_utf8_lossy(&bytes));
//!     })
//!     .await?;
//! println!("{:?}", end.exit_code());
//!
//! let logs = command.logs().await?;
//! println!("stdout: {}, stderr: {}", logs.stdout_lossy(), logs.stderr_lossy());
//! # Ok(())
//! # }
//! ```
//!
//! What a command is sent is logged as stdout, as a terminal shows what is typed;
//! [`suppress_input_echo`](crate::SessionSpawn::suppress_input_echo) leaves it out.
//!
//! # Bytes, offsets and gaps
//!
//! [`follow`](crate::SessionCommand::follow) returns events. A stream that is cut reconnects and continues where it was, so that
//! every byte comes exactly once.
//!
//! ```no_run
//! use sandbox_process::{LogEvent, LogOptions, OutputReader, Process};
//! use sandbox_process::{demux_log, parse_session_command_logs};
//! use tokio::io::AsyncReadExt;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let command = process.session("my-session").command("cmd-123");
//! let mut log = command.follow(LogOptions::new().offset(1000)).await?;
//! while let Some(event) = log.next().await {
//!     match event? {
//!         LogEvent::Output { channel, offset, bytes } => {
//!             println!("{channel} at {offset}: {bytes:?}");
//!         }
//!         LogEvent::Gap { length, .. } => println!("{length} bytes are missing"),
//!         _ => {}
//!     }
//! }
//!
//! let log = command.follow(LogOptions::new()).await?;
//! let mut everything = Vec::new();
//! OutputReader::from(log).read_to_end(&mut everything).await?;
//!
//! // What a daemon of the protocol stores, taken apart. Bytes before the first marker are
//! // dropped.
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
//! let session = process.entrypoint_session().await?;
//! println!("{:?}: {:?}", session.commands, process.entrypoint_logs().await?.output);
//! # Ok(())
//! # }
//! ```
//!
//! # By the names of the official SDKs
//!
//! ```no_run
//! use sandbox_process::{Process, SessionExecuteRequest};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let session_id = "my-session";
//! process.create_session(session_id).await?;
//! let session = process.get_session(session_id).await?;
//! for command in &session.commands {
//!     println!("Command: {}", command.command);
//! }
//! let request = SessionExecuteRequest::new("cat test.txt");
//! let result = process.execute_session_command(session_id, request).await?;
//! println!("stdout: {:?}, stderr: {:?}", result.stdout, result.stderr);
//!
//! let mut request = SessionExecuteRequest::new("read x; echo $x");
//! request.run_async = true;
//! let id = process.execute_session_command(session_id, request).await?.cmd_id;
//! process.send_session_command_input(session_id, &id, "input data").await?;
//! process
//!     .get_session_command_logs_async(
//!         session_id,
//!         &id,
//!         |log: String| println!("[STDOUT]: {log}"),
//!         async |log: String| eprintln!("[STDERR]: {log}"),
//!     )
//!     .await?;
//! let command = process.get_session_command(session_id, &id).await?;
//! if command.exit_code == Some(0) {
//!     println!("Command {} completed successfully", command.command);
//! }
//! let logs = process.get_session_command_logs(session_id, &id).await?;
//! println!("stdout: {}, stderr: {}", logs.stdout, logs.stderr);
//! process.delete_session(session_id).await?;
//! # Ok(())
//! # }
//! ```
