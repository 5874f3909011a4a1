//! Isolated processes: a program that sees its own processes, devices and network, a read-only machine, and only those
//! writable directories that it was given.
//!
//! An [`Isolation`] describes the view. It is applied to a run ([`RunOptions::isolation`](crate::RunOptions)), a session, a
//! terminal or a context, or to [all of an engine](crate::EngineBuilder::isolation), and needs neither root nor a container
//! engine. Isolated programs start in new processes, never in pooled ones.
//!
//! # How a process is isolated
//!
//! The engine executes its own program again as a *launcher* (`host.rs`, `stage/`), through the
//! [`Spawner`](crate::Spawner) as every process, with the description in a sealed memory file. The launcher
//!
//! 1. creates the namespaces, with its own user mapped to itself and no other;
//! 2. forks process 1 of the process namespace, which builds the view, gives up every capability, filters its system
//!    calls, and forks the program;
//! 3. waits, and ends as the program has ended.
//!
//! So the engine's child is the launcher: its exit is the program's, its end kills process 1, and the end of that kills every
//! process inside. The launcher is executed and not forked from the engine because process 1 lives as long as the program:
//! it would otherwise retain a copy of the engine's memory, and cost more the larger the engine is.
//!
//! # Root
//!
//! In an engine that runs as root the program is the owner of root's files, without root's capabilities: it can read what
//! root owns (`/etc/shadow`) unless that is [hidden](IsolationBuilder::hide), and nothing that only other users may
//! read. [`run_as`](IsolationBuilder::run_as) gives it another user's rights instead.

mod check;
mod description;
mod detached;
mod error;
mod filter;
mod installed;
mod level;
mod plan;
mod resolver;
mod spare;
mod spawn;
pub(crate) mod stage;
mod temporary;
mod way_out;
mod within;

pub use check::InvalidIsolation;
pub(crate) use check::merged;
pub use description::{Access, Isolation, IsolationBuilder, Network};
pub(crate) use description::{Kind, Layer, Places, shows};
pub use detached::{Detached, DetachedProcess, probe as probe_detached, probe_way_out};
pub use error::{IsolationError, Step};
pub use level::Level;
use plan::Plan;
pub(crate) use spare::Spares;
pub(crate) use spawn::{Isolated, probe, program_of, spawn};
pub use way_out::check_way_out;
