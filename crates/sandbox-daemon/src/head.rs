//! Checks of the head of every request, on any route.

use http::{HeaderMap, HeaderValue, Request, Version, header};
use sandbox_wire::ErrorCode;

use crate::limits::{REQUEST_HEAD_BYTES, REQUEST_TARGET_BYTES};
use crate::service::Error;

/// Checks the length of a head, and that it contains a host.
///
/// # Errors
///
/// Returns 414 or 431 if a part is too long, and 400 for a head that is malformed according to RFC 9112.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Error> {
    let target = request.uri().path_and_query();
    let target = target.map_or(0, |target| target.as_str().len());
    if target > REQUEST_TARGET_BYTES {
        return Err(target_too_long());
    }
    let headers = request.headers();
    // The library bounds the head of HTTP/1 itself.
    if request.version() == Version::HTTP_2 && target + size(headers) > REQUEST_HEAD_BYTES {
        return Err(fields_too_large());
    }
    check_host(request.version(), headers)
}

/// Checks that the client expects nothing except an interim response.
///
/// # Errors
///
/// Returns 417 for any other expectation.
pub(crate) fn check_expectation(headers: &HeaderMap) -> Result<(), Error> {
    match headers.get(header::EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Error::new(
                ErrorCode::ExpectationFailed,
                "the only expectation that is met is 100-continue",
            ))
        }
        _ => Ok(()),
    }
}

/// Returns the error for a request whose target is too long.
pub(crate) fn target_too_long() -> Error {
    let message = format!("the request's target is longer than {REQUEST_TARGET_BYTES} bytes");
    Error::new(ErrorCode::UriTooLong, message)
}

/// Returns the error for a request whose header fields are too long or too many.
pub(crate) fn fields_too_large() -> Error {
    let message = format!(
        "the request's head is larger than {REQUEST_HEAD_BYTES} bytes or has too many fields"
    );
    Error::new(ErrorCode::RequestHeaderFieldsTooLarge, message)
}

/// Returns the size of a field section (RFC 9113, section 6.5.2).
fn size(headers: &HeaderMap) -> usize {
    let fields = headers.iter();
    fields
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD)
        .sum()
}

const FIELD_OVERHEAD: usize = 32;

/// Checks `Host` as RFC 9112, section 3.2 requires: HTTP/1.1 has exactly one, with a valid host.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Error> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let problem = match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host) => return Ok(()),
        (None, _) if version != Version::HTTP_11 => return Ok(()),
        (None, _) => "a request of HTTP/1.1 needs a Host header",
        (Some(_), None) => "the Host header is malformed",
        (Some(_), Some(_)) => "there is more than one Host header",
    };
    Err(Error::new(ErrorCode::BadRequest, problem))
}

/// Returns whether this is `host[:port]` (RFC 3986, section 3.2.2), or empty, for a target without a host.
pub fn is_host(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else {
        return false;
    };
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => match (rest.strip_prefix(':'), rest.is_empty()) {
            (Some(port), _) => (address, port),
            (None, true) => (address, ""),
            (None, false) => return false,
        },
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let is_address = text.starts_with('[');
    let is_name_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    let is_address_byte = |byte: u8| is_name_byte(byte) || byte == b':';
    let is_good_host = if is_address {
        host.bytes().all(is_address_byte)
    } else {
        host.bytes().all(is_name_byte)
    };
    is_good_host && (port.is_empty() || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_form() {
        let check = |bytes: &[u8], expect| {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            assert_eq!(is_host(&value), expect, "{value:?}");
        };
        for good in [
            "",
            "localhost",
            "localhost:2280",
            "sandbox.example.com:",
            "127.0.0.1:1",
            "[::1]",
            "[fe80::1%25eth0]:80",
            // Clients of Unix sockets derive this from the path of the socket.
            "%2Frun%2Fsandbox.sock",
        ] {
            check(good.as_bytes(), true);
        }
        for bad in [
            &b"evil\xff.com"[..],
            b"\xff",
            b"localhost:evil.com",
            b"localhost:99999",
            b"a b",
            b"a/b",
            b"user@localhost",
            b"[::1]x",
            b"[::1",
            b"::1",
        ] {
            check(bad, false);
        }
    }

    #[test]
    fn exactly_one_host_is_named() {
        let check = |version, hosts: &[&'static str], expect| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, HeaderValue::from_static(host));
            }
            assert_eq!(check_host(version, &headers).is_ok(), expect, "{hosts:?}");
        };
        check(Version::HTTP_11, &["a"], true);
        check(Version::HTTP_11, &[], false);
        check(Version::HTTP_11, &["a", "a"], false);
        check(Version::HTTP_10, &[], true);
        check(Version::HTTP_2, &[], true);
        check(Version::HTTP_2, &["a", "b"], false);
    }
}
