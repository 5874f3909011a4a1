//! Signed URLs of files: what their clients may do without the key of the control plane.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use ring::hmac;
use sandbox_daemon::doors::{query_bytes, query_value};
use sandbox_wire::ErrorCode;
use uuid::Uuid;

use crate::error::ApiError;

/// The operation that a signed URL is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedUrl {
    method: &'static str,
    path: String,
    /// In seconds since 1970; 0 is never.
    expires: u64,
    signature: String,
}

impl SignedUrl {
    /// Reads the URL of a request to the toolbox. Returns `None` if it is not signed, or of an operation that cannot be.
    pub(crate) fn of(method: &Method, route: &str, query: Option<&str>) -> Option<Self> {
        let method = match (method, route) {
            (&Method::GET | &Method::HEAD, "files/download") => "GET",
            (&Method::POST, "files/upload-v2") => "POST",
            _ => return None,
        };
        let signature = query_value(query, "signature")?;
        // What is not UTF-8 has no signature: clients sign a text.
        let path = String::from_utf8(query_bytes(query, "path")?).ok()?;
        let expires = query_value(query, "expires")?.parse().ok()?;
        Some(Self {
            method,
            path,
            expires,
            signature,
        })
    }

    /// Checks the URL with the key of its sandbox.
    ///
    /// # Errors
    ///
    /// Returns 401 if the sandbox has no key or another one, and if the URL has expired.
    pub(crate) fn check(&self, key: Option<&str>, now: SystemTime) -> Result<(), ApiError> {
        let refused = |message| Err(ApiError::new(ErrorCode::Unauthorized, message));
        let signature = self.signature.strip_prefix(VERSION);
        let signature = signature.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let (Some(key), Some(signature)) = (key, signature) else {
            return refused("the signature of the URL is not valid");
        };
        let Self {
            method,
            path,
            expires,
            ..
        } = self;
        let signed = format!("v1:files:{method}:{path}:{expires}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        if hmac::verify(&key, signed.as_bytes(), &signature).is_err() {
            return refused("the signature of the URL is not valid");
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        if *expires != 0 && *expires <= now {
            refused("the signed URL has expired")
        } else {
            Ok(())
        }
    }

    /// Returns the query that is passed on: what was signed, and nothing that was added to it.
    pub(crate) fn query(&self) -> String {
        let mut query = String::from("path=");
        for byte in self.path.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
                query.push(char::from(byte))
            } else {
                query.extend(format!("%{byte:02X}").chars())
            }
        }
        query
    }
}

/// Returns a key for the URLs of a sandbox: 244 random bits.
pub(crate) fn new_key() -> String {
    let [one, other] = [Uuid::new_v4(), Uuid::new_v4()];
    format!("{}{}", one.simple(), other.simple())
}

/// What a signature begins with.
const VERSION: &str = "v1_";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn url(query: &str) -> Option<SignedUrl> {
        SignedUrl::of(&Method::GET, "files/download", Some(query))
    }

    fn check(query: &str, key: Option<&str>, seconds: u64) -> bool {
        let now = UNIX_EPOCH + Duration::from_secs(seconds);
        url(query).unwrap().check(key, now).is_ok()
    }

    /// The signatures are those of the Python SDK 0.226.1.
    #[test]
    fn urls_are_valid_for_their_operation_and_time() {
        let signed =
            "path=%2Fa+b&expires=100&signature=v1_3mEExb9U5ni3L75c1FYVdAVU6BXFOG9liPJhXy5SQhU";
        assert!(check(signed, Some("key"), 99));
        assert!(!check(signed, Some("key"), 100));
        assert!(!check(signed, Some("other"), 99));
        assert!(!check(signed, None, 99));
        assert!(!check(&signed.replace("100", "101"), Some("key"), 99));
        assert!(!check(&signed.replace("%2Fa", "%2Fb"), Some("key"), 99));
        assert!(!check(&signed.replace("v1_", "v2_"), Some("key"), 99));
        let forever =
            "path=%2Fa+b&expires=0&signature=v1_Fc9mxojmwoG44jAr3VMPWPe7FcX-_H0ypD50nGJ-1F8";
        assert!(check(forever, Some("key"), u64::from(u32::MAX)));
        let upload = SignedUrl::of(&Method::POST, "files/upload-v2", Some(signed)).unwrap();
        assert!(upload.check(Some("key"), UNIX_EPOCH).is_err());
    }

    #[test]
    fn what_is_not_signed_is_not_passed_on() {
        let signed = "x=1&path=/%C3%A4+b%26&path=/other&mode=4777&expires=0&signature=v1_";
        assert_eq!(url(signed).unwrap().query(), "path=/%C3%A4%20b%26");
        for unsigned in [
            "path=/a&expires=0",
            "path=/a&signature=v1_",
            "path=/a&expires=x&signature=v1_",
            "path=%FF&expires=0&signature=v1_",
            "",
        ] {
            assert_eq!(url(unsigned), None, "{unsigned}");
        }
        for (method, route) in [
            (Method::DELETE, "files/download"),
            (Method::POST, "files/download"),
            (Method::GET, "files/upload-v2"),
            (Method::POST, "files/upload"),
            (Method::GET, "files"),
        ] {
            assert_eq!(SignedUrl::of(&method, route, Some(signed)), None, "{route}");
        }
    }
}
