//! The bodies of the fuzz targets: properties that hold for every input.
//!
//! Each takes the bytes of a fuzzer and panics where a property is violated. Tests run them on the stable compiler.

mod children;
mod descriptions;
mod files;
#[cfg(feature = "typescript")]
mod programs;
mod terminals;

pub use children::{artifacts, session_reports, spare_messages, warm_messages, worker_reports};
pub use descriptions::{isolations, limits};
pub use files::{control_groups, process_files, shells, users};
#[cfg(feature = "typescript")]
pub use programs::{programs, translator_requests};
pub use terminals::terminal_output;

/// Splits off the first byte: the size of the pieces in which the rest is passed.
fn pieces(input: &[u8]) -> (usize, &[u8]) {
    let (size, rest) = input.split_first().unwrap_or((&0, &[]));
    (1 + usize::from(size % 32), rest)
}
