//! The operations on files.

mod convert;
mod download;
mod names;
mod operations;
mod upload;
