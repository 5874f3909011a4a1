//! Isolation from the machine, limits, and what a run has used.
//!
//! Without isolation a command has the rights of the daemon. With it, it sees a read-only machine, only its own processes, and no
//! network: [`Isolation`](crate::Isolation). *Extension* of this project's daemon; it needs neither root nor a container engine.
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), sandbox_process::Error> {
//! use sandbox_process::{Isolation, Process};
//!
//! let process = Process::local().await?;
//! # let support = process.api().capabilities().await?.isolation;
//! # if support.and_then(|support| support.level) != Some(sandbox_process::IsolationLevel::Namespaces) {
//! #     return Ok(());
//! # }
//! let outcome = process
//!     .exec("hostname; ls /home; (echo > /usr/x) 2>/dev/null || echo refused")
//!     .isolation(Isolation::strict())
//!     .await?;
//! assert_eq!(outcome.stdout, "sandbox\nrefused\n");
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! The working directory is writable, and so is what else is given: [`write`](crate::Isolation::write), [`read`](crate::Isolation::read)
//! and [`hide`](crate::Isolation::hide) change the view. A description of which one part would take back what another promises is refused.
//! Sessions, terminals, contexts and programs take an isolation as well: it is that of all that runs in them.
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), sandbox_process::Error> {
//! use sandbox_process::{ErrorKind, Isolation, Process};
//!
//! let process = Process::local().await?;
//! # let support = process.api().capabilities().await?.isolation;
//! # if support.and_then(|support| support.level) != Some(sandbox_process::IsolationLevel::Namespaces) {
//! #     return Ok(());
//! # }
//! let python = Isolation::strict().hide("/etc/passwd");
//! let outcome = process
//!     .code_run("print(open('/etc/passwd').read())")
//!     .isolation(python)
//!     .await?;
//! assert!(!outcome.success());
//!
//! let contradiction = Isolation::strict().hide("/srv").read("/srv");
//! let refused = process.exec("true").isolation(contradiction).await.unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::InvalidInput);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! # Levels
//!
//! [`IsolationLevel::Namespaces`](crate::IsolationLevel::Namespaces) is the default. Two others are asked for by name, for machines
//! that do not allow it: [`Bwrap`](crate::IsolationLevel::Bwrap), where only the program bubblewrap may make namespaces, and
//! [`Landlock`](crate::IsolationLevel::Landlock), where no program may: it has no view of its own, so `/tmp` is refused, and temporary
//! files go to the directory that `TMPDIR` names. A level is never replaced by another: what cannot be had is
//! refused, with the step that failed and what would help. `sandbox doctor` lists what a machine allows, and
//! [`Outcome::isolation_level`](crate::Outcome::isolation_level) is what a run had. SECURITY.md says what each level stops.
//!
//! # Networks
//!
//! - [`Network::None`](crate::Network::None), the default: a loopback interface of its own.
//! - [`Network::User`](crate::Network::User): other machines are reached, and nothing on the loopback interface of the daemon's machine. Needs the
//!   program slirp4netns.
//! - [`Network::Host`](crate::Network::Host): the network of the daemon's machine, with all that listens there.
//!
//! # Limits and usage
//!
//! Limits hold for all processes of a run together, isolated or not. A run that one of them ends says which one.
//!
//! ```
//! # #[cfg(feature = "embedded")]
//! # #[tokio::main]
//! # async fn main() -> Result<(), sandbox_process::Error> {
//! use sandbox_process::{Limit, Process, Termination};
//!
//! let process = Process::local().await?;
//! let writes = "f=$(mktemp); exec > $f; rm $f; exec head -c 2000 /dev/zero";
//! let outcome = process.exec(writes).file_size_limit(1000).await?;
//! assert_eq!(outcome.termination, Termination::LimitExceeded { limit: Limit::FileSize });
//!
//! // A limit that nothing enforces here is refused; memory needs a control group.
//! let limits = process.api().capabilities().await?.limits;
//! let memory = limits.iter().find(|support| support.limit == Limit::Memory).unwrap();
//! let run = process.exec("tail /dev/zero").memory_limit(64 << 20).await;
//! match &memory.mechanism {
//!     Some(_) => assert_eq!(run?.termination, Termination::LimitExceeded { limit: Limit::Memory }),
//!     None => assert!(run.is_err()),
//! }
//!
//! let usage = process.exec("ls /usr").await?.usage().unwrap();
//! assert!(!usage.wall_time.is_zero());
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```
//!
//! On the command line these are `sandbox exec --isolate --network user --memory 512M -- COMMAND`, and `sandbox run --isolate FILE`.
