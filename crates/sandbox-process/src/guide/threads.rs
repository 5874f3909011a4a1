//! Without `async`.
//!
//! A [`blocking::Process`](crate::blocking::Process) has a runtime of its own, in which the calling thread waits. What is built
//! is given to [`wait`](crate::blocking::Process::wait), and streams, readers and writers to
//! [`streaming`](crate::blocking::Process::streaming).
//!
//! ```no_run
//! use std::io::{Read, Write};
//! use sandbox_process::blocking::Process;
//! use sandbox_process::{Bytes, ExecEvent, PtySize};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let process = Process::connect("http://127.0.0.1:2280")?;
//! let response = process.wait(process.exec("ls").cwd("src"))?;
//! println!("{}", response.result);
//!
//! for event in process.streaming(process.wait(process.exec("make").stream())?) {
//!     if let ExecEvent::Output { bytes, .. } = event? {
//!         println!("{bytes:?}");
//!     }
//! }
//!
//! let (output, input) = process.wait(process.exec("sort").with_input().stream())?.into_io();
//! let mut input = process.streaming(input);
//! input.write_all(b"b\na\n")?;
//! input.shutdown()?;
//! let mut sorted = String::new();
//! process.streaming(output).read_to_string(&mut sorted)?;
//!
//! let mut handle = process.create_pty_session("t", PtySize::default())?;
//! handle.send_input("exit\n")?;
//! println!("{:?}", handle.wait(|_: Bytes| {})?.exit_code);
//! # Ok(())
//! # }
//! ```
//!
//! Within an async runtime its methods panic, as a thread of that must not wait; dropping it panics nowhere.
