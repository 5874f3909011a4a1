//! Interpreters.
//!
//! What code sets stays for the code behind it. One context is there by itself; others are made, and run beside it.
//!
//! ```no_run
//! use std::time::Duration;
//! use sandbox_process::{InterpreterOutcome, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let python = process.code_interpreter();
//! python.run_code("x = 40").await?;
//! let result = python.run_code("print(x + 2)").env("K", "V").await?;
//! assert_eq!(result.stdout, "42\n");
//!
//! let context = python.create_context(Some("/workspace")).await?;
//! let result = python.run_code("x").context(&context.id).timeout(Duration::from_secs(5)).await?;
//! match (result.error, result.outcome) {
//!     (Some(error), _) => println!("{}: {}\n{}", error.name, error.value, error.traceback),
//!     (None, InterpreterOutcome::TimedOut) => println!("it took too long"),
//!     _ => println!("{:?}", result.displayed),
//! }
//! println!("{} contexts", python.list_contexts().await?.len());
//! python.delete_context(&context.id).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # JavaScript and TypeScript
//!
//! *Extension* of this project's daemon. `let`, `const` and `class` stay and may be declared anew; `await` and `import` are
//! good outside of functions; `require` finds what is in the context's directory. Code has ended when its last statement has,
//! and the promise that this gives, if it is one. What timers and other promises still do goes on in the background, and is
//! shown by whatever runs then. An interrupt ends what runs without its `finally`.
//!
//! ```no_run
//! use sandbox_process::{Language, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let interpreter = process.code_interpreter();
//! let context = interpreter.create_context(None).language(Language::TypeScript).await?;
//! let code = "import { readFile } from 'node:fs/promises'\nconst size = (await readFile('/etc/hosts')).length";
//! interpreter.run_code(code).context(&context.id).await?;
//! let result = interpreter.run_code("({ size })").context(&context.id).await?;
//! println!("{:?}", result.displayed[0].data["application/json"]);
//! # Ok(())
//! # }
//! ```
//!
//! Charts and the value of the last expression are *extensions*, as are
//! [`interrupt_context`](crate::CodeInterpreter::interrupt_context) and
//! [`restart_context`](crate::CodeInterpreter::restart_context).
//!
//! # As it comes
//!
//! ```no_run
//! use sandbox_process::{InterpreterEvent, Process};
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let mut events = process.code_interpreter().run_code("for i in range(3): print(i)").stream().await?;
//! while let Some(event) = events.next().await {
//!     match event? {
//!         InterpreterEvent::Output { channel, bytes } => print!("{channel:?}: {bytes:?}"),
//!         InterpreterEvent::Error { name, value, .. } => println!("{name}: {value}"),
//!         InterpreterEvent::Ended { outcome } => println!("{outcome:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
