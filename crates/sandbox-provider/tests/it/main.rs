//! `Local`, as a program that embeds it uses it.
#![cfg(feature = "local")]

mod lifecycle;
mod machine;
