//! The bounds of this crate.

/// How many composite charts may hold one another: 16.
///
/// The composite chart that is the 17th is [`Chart::Unknown`](crate::Chart::Unknown). Charts of matplotlib need one.
pub const NESTING: usize = 16;

/// How many lists and objects of a text may hold one another: 100.
///
/// A text with more is not read. A chart becomes a part of a response, which parsers of JSON read to some 127 levels.
pub const JSON_NESTING: usize = 100;

/// Bytes of memory that the JSON of a chart may take when it is read, as estimated before it is: 128 MiB.
///
/// A text that takes more is not read. A list or an object of few bytes takes a hundred times as many in memory; half a million
/// points fit.
pub const JSON_MEMORY_BYTES: usize = 128 * 1024 * 1024;
