//! Pictures, which travel in base64.

use std::fmt;
use std::ops::Deref;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

/// The bytes of a picture, as they are in a `.png` file.
///
/// Clones share the memory. What prints it for debugging prints its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Png(Bytes);

impl Png {
    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Decodes base64 with or without padding, broken into lines or not. Nothing at all is no picture.
    pub(crate) fn from_base64(text: &str) -> Option<Self> {
        let decoded = BASE64.decode(text).or_else(|_| {
            let is_blank = |character: &char| character.is_ascii_whitespace();
            let text: String = text.chars().filter(|one| !is_blank(one)).collect();
            BASE64.decode(text)
        });
        let bytes = decoded.ok().filter(|bytes| !bytes.is_empty())?;
        Some(Self(bytes.into()))
    }

    pub(crate) fn to_base64(&self) -> String {
        BASE64.encode(&self.0)
    }
}

impl fmt::Debug for Png {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Png({} bytes)", self.0.len())
    }
}

impl Deref for Png {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Png {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Png {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Png {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<Png> for Bytes {
    fn from(png: Png) -> Self {
        png.0
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<&[u8]>) {
        assert_eq!(Png::from_base64(text).as_deref(), expect);
    }

    #[test]
    fn base64_is_read_as_people_write_it() {
        check("iVBORw==", Some(b"\x89PNG"));
        check("iVBORw", Some(b"\x89PNG"));
        check(" iVBO\r\nRw==\n", Some(b"\x89PNG"));
        for text in [
            "",
            "\n",
            "iVBOR",
            "iVBORw==x",
            "data:image/png;base64,iVBORw==",
            "é",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn base64_is_written_with_padding() {
        assert_eq!(Png::from(b"\x89PNG".to_vec()).to_base64(), "iVBORw==");
    }

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(
            format!("{:?}", Png::from(vec![0; 3_000_000])),
            "Png(3000000 bytes)"
        );
    }
}
