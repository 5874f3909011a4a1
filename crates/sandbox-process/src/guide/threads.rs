//! Without `async`.
//!
//! A [`blocking::Process`](crate::blocking::Process) has a runtime of its own, in which the calling thread waits. Its builders end with a
//! method that waits: `run`, `start`, `create` or `connect`.
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use sandbox_process::{ExecEvent, Language};
//! use sandbox_process::blocking::Process;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let process = Process::connect("http://127.0.0.1:2280")?;
//! let outcome = process.exec("ls").cwd("src").run()?;
//! println!("{}", outcome.stdout_lossy());
//!
//! for event in process.command("make").spawn().start()? {
//!     if let ExecEvent::Output { bytes, .. } = event? {
//!         println!("{bytes:?}");
//!     }
//! }
//!
//! let (mut output, mut input) = process.command("sort").spawn().piped_stdin().start()?.into_io();
//! input.write_all(b"b\na\n")?;
//! input.shutdown()?;
//! let mut sorted = String::new();
//! output.read_to_string(&mut sorted)?;
//!
//! let session = process.create_session("work")?;
//! let command = session.spawn("make").start()?;
//! println!("{:?}", command.wait()?.exit_code());
//!
//! let python = process.create_context(Language::Python).create()?;
//! println!("{}", python.run("print(6 * 7)").run()?.stdout_lossy());
//!
//! let mut handle = process.create_pty("t").create()?;
//! handle.write("exit\n")?;
//! println!("{:?}", handle.wait_with(|_| {})?.exit_code);
//! # Ok(())
//! # }
//! ```
//!
//! Sandboxes of a control plane are those of [`blocking::Sandboxes`](crate::blocking::Sandboxes), which share its runtime.
//!
//! Within an async runtime its methods panic, as a thread of the runtime must not block; dropping its values panics nowhere.
