//! Paths of requests.

use std::fmt::Write;

use crate::{Delivery, Error, ErrorKind};

/// Joins the segments of a path, escaped, so that an id is always one segment, whatever it contains.
///
/// # Errors
///
/// Returns an error for segments that would be taken for another path: empty ones, `.` and `..`.
pub(crate) fn path(segments: &[&str]) -> Result<String, Error> {
    let mut path = String::new();
    for segment in segments {
        // A proxy, or the daemon's router, would remove such a segment (RFC 3986, section 5.2.4).
        if matches!(*segment, "" | "." | "..") {
            let message = format!("'{segment}' is no id");
            return Err(Error::new(
                ErrorKind::InvalidInput,
                Delivery::NotSent,
                message,
            ));
        }
        path.push('/');
        escape(segment.as_bytes(), &mut path);
    }
    Ok(path)
}

/// Appends a value to the query of a path.
pub(crate) fn add_query(path: &mut String, name: &str, value: &str) {
    add_bytes(path, name, value.as_bytes());
}

/// Appends a value that may not be UTF-8 to the query of a path.
pub(crate) fn add_bytes(path: &mut String, name: &str, value: &[u8]) {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    escape(value, path);
}

fn escape(bytes: &[u8], to: &mut String) {
    for byte in bytes {
        match *byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                to.push(char::from(*byte));
            }
            // Writing to a string never fails.
            _ => drop(write!(to, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_one_segment_each() {
        let check = |segments: &[&str], expect| assert_eq!(path(segments).unwrap(), expect);
        check(&["a", "b-._~9"], "/a/b-._~9");
        check(&["a/b", "c?d#e%f"], "/a%2Fb/c%3Fd%23e%25f");
        check(&["é \n", "..."], "/%C3%A9%20%0A/...");
        for bad in ["", ".", ".."] {
            let error = path(&["a", bad]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.delivery(), Delivery::NotSent);
        }
    }

    #[test]
    fn queries_are_escaped() {
        let mut path = "/a".to_owned();
        add_query(&mut path, "b", "c d&e=f");
        add_query(&mut path, "g", "1");
        add_bytes(&mut path, "h", b"\xFF/");
        assert_eq!(path, "/a?b=c%20d%26e%3Df&g=1&h=%FF%2F");
    }
}
