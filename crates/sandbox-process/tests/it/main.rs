//! The facade over a carrier that answers by script, without any daemon.

mod ends;
mod names;
mod script;
mod streams;
