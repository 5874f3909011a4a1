//! Bounds of this crate; LIMITS.md has what happens beyond each.

/// Pixels of a picture that is drawn on a terminal.
pub const PICTURE_PIXELS: u64 = 16_777_216;
