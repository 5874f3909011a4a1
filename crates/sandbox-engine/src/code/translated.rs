//! A program in JavaScript, as a translator returns it.

/// A program in a form that Node.js runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Translated {
    /// The text; that of TypeScript has a source map at its end, so that errors refer to the original lines.
    pub(crate) code: String,
    /// Whether it is an ECMAScript module, not a CommonJS module.
    pub(crate) is_module: bool,
    /// The relative paths that it requires. If there are any, the text has an empty line where more can be inserted.
    pub(crate) requests: Vec<String>,
    /// The position of that line.
    pub(crate) beginning: usize,
}
