//! A program in JavaScript, as a translator returns it.

/// A program that Node.js understands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Translated {
    /// The text; one of TypeScript has a source map at its end, so that errors point to the lines that were written.
    pub(crate) code: String,
    /// Whether it is an ECMAScript module, not one of CommonJS.
    pub(crate) is_module: bool,
    /// Relative paths that it requires. A text with such has an empty line where more can be put.
    pub(crate) requests: Vec<String>,
    /// Where that line is.
    pub(crate) beginning: usize,
}
