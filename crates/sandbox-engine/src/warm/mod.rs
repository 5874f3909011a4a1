//! Warm starts: a Python program starts as a fork of an interpreter that is already running, and one of Node.js in a pooled
//! process ([`spare`]).
//!
//! A fork server is an interpreter that was started exactly as one for a program is, through the same
//! [`Spawner`](crate::spawner::Spawner), with the same executable, environment, working directory and kinds of descriptors; `server.py` holds it before the point at
//! which `boot.py` begins. A program with any other property starts cold, and so does one that the server or a check of
//! its text ([`Stage::of`]) rejects. There is one server per [`Stage`]. The first program of a stage runs
//! cold; its server starts when that has ended, so that it imports nothing that no program has imported before, and ends
//! when idle for [`WARM_IDLE`](crate::limits::WARM_IDLE), or with the engine.
//!
//! # What is the same as in a cold start, and why
//!
//! - environment, locale, hash seed if one is set, umask, resource limits, nice value, signal dispositions and mask, user,
//!   `sys.flags`, `sys.path`, standard streams and their encodings: inherited from a process that had them from the same
//!   start. Only equal environments are served; `PYTHONPATH` and other variables of Python's that do more than set a flag
//!   are not served at all.
//! - working directory: entered again for each program, so that a replaced directory is seen.
//! - descriptors: 0 to 4 are the program's own, passed over the socket; all others are closed.
//! - process group and session, label, out-of-memory score: its own group in the engine's session, labeled from outside
//!   before the program may begin, the score inherited.
//! - arguments, `__main__`, tracebacks, depth of the stack, exit status: `boot.py` runs at the same place of the stub.
//! - the program's end: files are flushed, and `__del__` and the `finally` of generators run, as usual. `leave.py` ends the
//!   process without the end of its interpreter, which would copy most pages of it, only if no object that the program
//!   has left can show how it ends.
//! - garbage: the objects from before the fork are in the collector's permanent generation until the end, or until
//!   something imports `gc`.
//! - exit: reported by a pidfd; the server reaps on request, so the process id stays reserved as long as for a direct child.
//! - what the start reads of the system (time zone, locale, resolver, shared libraries), and what it inherits from the engine
//!   (limits, umask, nice value, affinity, user, control group, namespaces): a server is for programs of an equal [`World`].
//! - random numbers: `random` and numpy seed themselves again. A program that makes a set or requests a hash ([`seed`]) starts
//!   cold, unless the environment sets the seed of hashes.
//! - installed packages: files of all loaded modules, mapped libraries, the directories of `sys.path` and those in which packages
//!   are installed, `.pth` files and the files that matplotlib read are checked before each fork. If one has changed, the server
//!   ends. If an entry of the working directory has the name of a module that a server imported, the program starts cold.
//! - threads: a server that has more than one after a fork is not used. numpy's own are ended by numpy before a fork,
//!   and started again when they are needed.
//! - output of an interpreter at its start: a server that wrote anything is not used.
//!
//! # What differs
//!
//! - The parent is the server, and `/proc/self/cmdline` is the server's; start time and peak memory count from the server's.
//! - Programs of one server share the layout of memory, so addresses are alike, and the hash seed, so a set that a module makes
//!   has the same order in each.
//! - A program that writes to the memory of its parent, as any of the same user can, changes the initial state of later ones.
//!
//! A program that refers to any of this by name (`getppid`, `/proc`, `gc`, ...) starts cold; one that assembles the name
//! is not detected.

mod key;
pub(crate) mod pool;
mod seed;
mod server;
mod servers;
mod slot;
pub(crate) mod spare;
mod stage;
mod world;

pub(crate) use key::is_strange;
pub(crate) use server::{begun, ended, told};
pub(crate) use servers::Warm;
pub(crate) use stage::Stage;
pub(crate) use world::{Place, Version, World, versions};
