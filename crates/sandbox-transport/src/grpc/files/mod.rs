//! The operations on files.

mod collect;
mod convert;
mod download;
mod operations;
mod upload;
