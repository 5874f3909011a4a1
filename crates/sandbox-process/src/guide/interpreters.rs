//! Stateful interpreter contexts.
//!
//! What code sets in a context remains for the code that runs after it. The default context, for Python, is shared by all clients;
//! others are created, and run beside it.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::{Language, Process, Termination};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let python = process.create_context(Language::Python).cwd("/workspace").await?;
//! python.run("x = 40").await?;
//! let outcome = python.run("print(x + 2)").env("K", "V").await?;
//! assert_eq!(outcome.stdout, "42\n");
//!
//! let outcome = python.run("x + 1").timeout(Duration::from_secs(5)).await?;
//! match (&outcome.error, &outcome.termination) {
//!     (Some(error), _) => println!("{}: {}\n{}", error.name, error.value, error.traceback),
//!     (None, Termination::TimedOut) => println!("it took too long"),
//!     _ => println!("{:?}", outcome.displays),
//! }
//! println!("{} contexts", process.list_contexts().await?.len());
//! python.delete().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # JavaScript and TypeScript
//!
//! *Extension* of this project's daemon. `let`, `const` and `class` remain and may be declared anew; `await` and `import` are
//! allowed outside of functions; `require` finds what is in the context's directory. Code has ended when its last statement has,
//! and the promise that this returns, if it is one. What timers and other promises still do continues in the background, and is
//! shown by whatever runs then. An interrupt ends what runs without its `finally`.
//!
//! ```no_run
//! use sandbox_process::{Language, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let context = process.create_context(Language::TypeScript).await?;
//! context.run("import { readFile } from 'node:fs/promises'").await?;
//! context.run("const size = (await readFile('/etc/hosts')).length").await?;
//! let outcome = context.run("({ size })").await?;
//! println!("{:?}", outcome.displays[0].data["application/json"]);
//! # Ok(())
//! # }
//! ```
//!
//! Charts and the value of the last expression are *extensions*, as are [`interrupt`](crate::Context::interrupt) and
//! [`restart`](crate::Context::restart).
//!
//! # While it runs
//!
//! ```no_run
//! use sandbox_process::{InterpreterEvent, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let mut running = process.default_context().run("for i in range(3): print(i)").spawn().await?;
//! while let Some(event) = running.next().await {
//!     match event? {
//!         InterpreterEvent::Output { channel, bytes } => print!("{channel}: {bytes:?}"),
//!         InterpreterEvent::Error { name, value, .. } => println!("{name}: {value}"),
//!         InterpreterEvent::Ended { outcome, .. } => println!("{outcome:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
