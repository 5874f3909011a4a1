//! `Local`, as a program that embeds it uses it.
#![cfg(feature = "local")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod disk;
mod isolation;
mod lifecycle;
mod limits;
mod machine;
mod network;
mod restart;
mod seam;
