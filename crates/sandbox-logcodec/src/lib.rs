//! Splits and joins the stdout/stderr log streams of sandbox daemons, byte for byte.
//!
//! The log of a session's command in Daytona's toolbox API carries both outputs in one stream of bytes. Markers within it say
//! where the bytes that follow belong; there is no length and no escape:
//!
//! ```text
//! 01 01 01  h  e  l  l  o 0a  02 02 02  o  o  p  s 0a  01 01 01  ..
//! stdout ►  hello\n           stderr ►  oops\n         stdout ►
//! ```
//!
//! This crate takes such logs apart, whole or as they arrive, and makes ones that come apart as they were put together,
//! whatever the output holds. Beside them it has a framing of its own, for where both sides can agree on something better.
//!
//! | for | there is |
//! |---|---|
//! | a complete log | [`demux_log`], [`parse_session_command_logs`], [`mux_log`] |
//! | a log that is too long to hold | [`BoundedLog`], which keeps both ends |
//! | a client that follows a log | [`Decoder`], and [`TextDecoder`] for its text |
//! | a server whose clients follow a log | [`Encoder`] |
//! | records on disk, or between peers that agree on it | [`frame`] |
//!
//! # Examples
//!
//! A server sends, a client receives:
//!
//! ```
//! use sandbox_logcodec::{Channel, Decoder, Encoder, TextDecoder};
//!
//! let mut encoder = Encoder::new();
//! let mut messages = Vec::new();
//! // Output that looks like a marker is output all the same.
//! for mut output in ["caf", "é\n", "\u{1}\u{1}\u{1}\n"].map(str::as_bytes) {
//!     messages.extend(encoder.encode(Channel::Stdout, &mut output));
//!     messages.extend(encoder.flush());
//! }
//! messages.extend(encoder.finish());
//!
//! let mut decoder = Decoder::new();
//! let mut text = TextDecoder::new();
//! let mut stdout = String::new();
//! for message in &messages {
//!     let mut rest = &message[..];
//!     while let Some((channel, bytes)) = decoder.decode_slice(&mut rest) {
//!         assert_eq!(channel, Channel::Stdout);
//!         stdout.push_str(&text.decode(channel, bytes));
//!     }
//! }
//! assert_eq!(stdout, "café\n\u{1}\u{1}\u{1}\n");
//! ```
//!
//! # Layer
//!
//! Bytes go in and bytes come out: no I/O, no clock, no tasks. No input makes anything here panic or wait, and but for damaged
//! frames no input is an error.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `tokio` | no | `LogCodec` and `FrameCodec` for `tokio_util::codec::Framed` |
//!
//! # Limits
//!
//! The decoders keep at most two bytes of a stream, or three of a character, and slice the input instead of copying it. An
//! encoder keeps one message. The numbers are in [`limits`].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bounded;
mod channel;
#[cfg(feature = "tokio")]
mod codec;
mod decode;
mod encode;
pub mod frame;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod log;
mod marker;
mod render;
mod text;

pub use bounded::{BoundedLog, gap_notice};
pub use channel::{Channel, STDERR_MARKER, STDOUT_MARKER};
#[cfg(feature = "tokio")]
pub use codec::{FrameCodec, LogCodec};
pub use decode::Decoder;
pub use encode::Encoder;
pub use log::{LogWriter, SessionCommandLogs, demux_log, mux_log, parse_session_command_logs};
pub use text::TextDecoder;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
