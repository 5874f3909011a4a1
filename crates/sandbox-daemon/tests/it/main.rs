//! The daemon over its sockets: the doors, the recorded exchanges, bad input, the end.

mod binary;
mod client;
mod doors;
mod recorded;
mod robust;
