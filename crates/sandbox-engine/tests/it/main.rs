//! The engine, without a socket.

mod exec;
mod guard;
mod python;
mod tree;
