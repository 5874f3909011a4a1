//! Names that are not UTF-8, in requests and responses of JSON.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sandbox_wire::names;

use crate::http::HttpTransport;
use crate::{Error, ProcessApi};

/// How a daemon writes names that are not UTF-8.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decode {
    pub(super) has_escapes: bool,
}

impl Decode {
    pub(super) fn path(self, text: &str) -> PathBuf {
        if self.has_escapes {
            names::to_path(text.as_bytes())
        } else {
            PathBuf::from(text)
        }
    }
}

impl HttpTransport {
    /// Returns how to read these names. Only names with characters that may stand for bytes depend on the daemon.
    pub(super) async fn decoder(
        &self,
        texts: impl IntoIterator<Item = &String>,
    ) -> Result<Decode, Error> {
        let is_ambiguous = texts.into_iter().any(|text| names::has_escapes(text));
        Ok(Decode {
            has_escapes: is_ambiguous && self.capabilities().await?.extensions,
        })
    }
}

/// Returns the bytes by which a path is requested: its own, unless this project's daemon would take some of them for an
/// escape.
pub(super) fn request_bytes(path: &Path) -> Bytes {
    let bytes = path.as_os_str().as_encoded_bytes();
    let text = String::from_utf8_lossy(bytes);
    if names::has_escapes(&text) {
        names::to_text(path).into()
    } else {
        Bytes::copy_from_slice(bytes)
    }
}
