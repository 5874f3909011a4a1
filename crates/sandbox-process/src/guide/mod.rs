//! A page per topic, with examples that compile.
//!
//! - [`connecting`]: the ways in, deadlines, what is repeated, other daemons.
//! - [`commands`]: to their end, or followed while they run.
//! - [`programs`]: code in a language, and its charts.
//! - [`sessions`]: shells that stay, live logs, input.
//! - [`terminals`]: made, typed into, left and found again.
//! - [`interpreters`]: code that remembers.
//! - [`errors`]: results and errors, dropping and giving up.
//! - [`threads`]: the same without `async`.
//!
//! # Names of the official SDKs
//!
//! Whoever knows these finds them here under the same names. Optional arguments became methods of what is built and then
//! awaited, and callbacks are closures of either kind.
//!
//! | there | here |
//! |---|---|
//! | `exec(command, cwd=, env=, timeout=)` | [`exec`](crate::Process::exec)`(command).cwd(..).env(..).timeout(..).await` |
//! | `code_run(code, params=, timeout=)` | [`code_run`](crate::Process::code_run)`(code).params(..).timeout(..).await` |
//! | `create_pty_session(id=, cwd=, envs=, pty_size=)` | [`create_pty_session`](crate::Process::create_pty_session)`(id).cwd(..).envs(..).pty_size(..).await` |
//! | `handle.wait(on_data, timeout)` | [`wait`](crate::PtyHandle::wait)`(on_data)` within a time-out of your runtime |
//! | `interpreter.run_code(code, context=, ..)` | [`run_code`](crate::CodeInterpreter::run_code)`(code).context(..).await`, or `.stream().await` for callbacks |
//! | `exit_code`, an integer | `Option<i32>`: `None` where there is none |
//! | exceptions | one [`Error`](crate::Error) with a [kind](crate::ErrorKind) |

pub mod commands;
pub mod connecting;
pub mod errors;
pub mod interpreters;
pub mod programs;
pub mod sessions;
pub mod terminals;
pub mod threads;
