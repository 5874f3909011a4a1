//! Values that code displays.

use std::collections::BTreeMap;

use bytes::Bytes;

/// A value, in the forms that its language provides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Display {
    /// The value as plain text, with U+FFFD for what is not UTF-8; may be empty.
    pub text: String,
    /// The contents of the value's forms, by media type.
    ///
    /// Over gRPC these are the bytes that the code showed. Over HTTP, JSON is written anew, and text that is not UTF-8 has
    /// U+FFFD; everything else, such as pictures, is exact.
    pub data: BTreeMap<String, Bytes>,
    /// The lengths in bytes of contents that were too large to send, by media type.
    pub omitted: BTreeMap<String, u64>,
}
