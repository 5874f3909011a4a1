//! The same without `async`: for programs that have no runtime.
//!
//! A [`Process`] here has a runtime of its own, in which the calling thread waits. Every method does what its namesake of
//! [`crate::Process`] does, whose documentation holds here too. What is built and then awaited there is given to
//! [`wait`](Process::wait) here:
//!
//! ```no_run
//! use sandbox_process::blocking::Process;
//!
//! # fn main() -> Result<(), sandbox_process::Error> {
//! let process = Process::connect("http://127.0.0.1:2280")?;
//! let response = process.wait(process.exec("ls").cwd("src"))?;
//! println!("{}", response.result);
//! process.create_session("work")?;
//! process.execute_session_command("work", "cd /tmp".into())?;
//! for event in process.streaming(process.wait(process.exec("make").stream())?) {
//!     println!("{:?}", event?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Panics
//!
//! Called within an async runtime every method that waits panics: a thread of that must not wait. Use [`crate::Process`]
//! there. Dropping what is here panics nowhere.

#[macro_use]
mod waiting;

mod interpreter;
mod process;
mod pty;
mod session;
mod streaming;

pub use process::Process;
pub use pty::PtyHandle;
pub use streaming::Streaming;
