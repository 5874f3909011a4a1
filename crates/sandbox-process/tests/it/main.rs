//! The client over a transport that responds by script, without any daemon.

mod docs;
mod ends;
mod files;
mod names;
mod sandboxes;
mod script;
mod streams;
