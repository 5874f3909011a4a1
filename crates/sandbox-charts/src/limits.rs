//! The bounds of this crate.

/// How many composite charts may hold one another: 16.
///
/// The composite chart that is the 17th is [`Chart::Unknown`](crate::Chart::Unknown). Charts of matplotlib need one.
pub const NESTING: usize = 16;
