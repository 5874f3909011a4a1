//! What travels between a sandbox daemon and its clients.
//!
//! Data only: public fields, serde derives and one table of error codes. Nothing here opens a socket,
//! reads a clock or decides anything; the two sides of the wire do that.
//!
//! The shapes are those of Daytona's toolbox "process" API. Fields that only this project's daemon sends
//! or reads are marked *extension*: each is optional, and absent it changes nothing for a stock peer.

#![forbid(unsafe_code)]

mod error_code;
pub mod rest;

pub use error_code::ErrorCode;
