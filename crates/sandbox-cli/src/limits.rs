//! Bounds of this crate; LIMITS.md has what happens beyond each.

use std::time::Duration;

/// Pixels of a picture that is drawn on a terminal.
pub const PICTURE_PIXELS: u64 = 16_777_216;

/// Longest wait of a shell's completion for the names of the sandboxes.
pub const COMPLETION: Duration = Duration::from_secs(2);
