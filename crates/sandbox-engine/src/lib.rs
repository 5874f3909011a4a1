//! Runs commands and code on this machine and records their output.
//!
//! An [`Engine`] starts shell commands ([`Engine::exec`]) and programs ([`Engine::run_code`]), collects their output
//! and artifacts, and reports how they ended. It is independent of HTTP, JSON and protobuf: a server wraps it.
//!
//! ```
//! use sandbox_engine::{Engine, RunOptions, Termination};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let engine = Engine::builder().build()?;
//! let outcome = engine.exec("echo hi; exit 3", RunOptions::default()).await?;
//! assert_eq!(outcome.output.merged.to_vec(), b"hi\n");
//! assert_eq!(outcome.termination, Termination::Exited { code: 3 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! | for | there is |
//! |---|---|
//! | a shell command | [`Engine::exec`], and [`Engine::start`] for one to follow while it runs |
//! | a program and its arguments, without a shell | [`Engine::start_program`] |
//! | a program in Python, JavaScript and others | [`Engine::run_code`] |
//! | a shell that keeps its state between commands | [`Engine::sessions`] |
//! | a terminal | [`Engine::ptys`] |
//! | an interpreter that keeps its variables | [`Engine::contexts`] |
//! | output, read again and from any offset | [`Record`](record::Record), of what is followed or recorded |
//! | limits and isolation of a run | [`resources::Limits`], [`isolation::Isolation`] |
//!
//! Every process is started through one trait, the [`Spawner`]. One task owns one child; nothing polls: a pidfd
//! reports an exit, and a pipe is read when it is ready.
//!
//! # Features
//!
//! `typescript` (off by default) enables [`Language::TypeScript`](code::Language::TypeScript), and includes a parser that
//! JavaScript uses as well. Without it:
//!
//! - A program whose text mentions `import` or `export` is left to Node.js to classify, and is a file in the working
//!   directory (`.program.js`) until it has ended. With it, the file of a module is removed before the first statement runs,
//!   and a module runs where the directory is not writable.
//! - Code in a context has no `import()`.
//!
//! # Limits
//!
//! See the constants of [`limits`]. Requires Linux 5.3 or newer (pidfds) with `/proc` mounted.

mod artifacts;
mod block;
mod builder;
mod capture;
pub mod code;
mod command;
mod containment;
mod core;
mod deadline;
mod direct;
mod engine;
mod environment;
mod exec;
#[doc(hidden)]
pub mod fuzzing;
mod guardian;
mod host;
mod input;
pub mod interpreter;
pub mod isolation;
mod launch;
mod leader;
pub mod limits;
mod offload;
mod oom;
mod outputs;
mod patience;
mod procfs;
mod pty;
mod reaper;
pub mod record;
mod registry;
pub mod resources;
mod run;
mod runtimes;
mod script;
mod scripts;
mod session;
mod shell;
pub mod spawner;
mod state;
mod supervise;
mod sync;
mod sys;
mod tag;
mod terminal;
mod termination;
#[cfg(feature = "typescript")]
mod translator;
mod tree;
mod warm;

pub use builder::{BuildError, EngineBuilder};
pub use capture::Captured;
pub use command::{Command, CommandState, InputMode, ResizeError, SignalError};
pub use containment::Containment;
pub use engine::Engine;
pub use environment::{Environment, InvalidVariable};
pub use exec::ExecError;
pub use input::InputError;
pub use pty::{
    CreatePtyError, Pty, PtyEnded, PtyInput, PtyOptions, PtyOutput, PtyState, Ptys, ResizePtyError,
};
pub use run::{Outcome, Output, OutputMode, Recorded, RunError, RunOptions};
/// The signals that can be sent to a command.
pub use rustix::process::Signal;
pub use session::{
    CommandOptions, CreateSessionError, NoCommand, Session, SessionEnd, SessionExecError,
    SessionOptions, Sessions, UserError,
};
pub use shell::Shell;
pub use spawner::{SpawnError, Spawner};
pub use state::remove_tree;
#[doc(hidden)]
pub use sys::before_main::play as __play;
pub use sys::{
    SecretError, close_on_exec_from, forbid_inspection, return_freed_memory, return_large_memory,
    take_secret,
};
pub use tag::Tag;
pub use terminal::{InvalidPtySize, PtySize};
pub use termination::Termination;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
