//! Who asks, where an answer depends on it.

use http::HeaderMap;

/// What a request tells of the program that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    is_strict: bool,
}

impl Peer {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let source = header("x-daytona-source").unwrap_or_default();
        let version = header("x-daytona-sdk-version").unwrap_or_default();
        Self {
            is_strict: source == "sdk-go" && is_below(version, (0, 188, 0)),
        }
    }

    /// Whether an answer may have fields that the reference's has not. Go SDKs before 0.188.0 fail on them.
    pub(super) fn takes_extensions(&self) -> bool {
        !self.is_strict
    }
}

/// Whether `version` is known to be older than `limit`; a development version is the newest, and one that cannot be
/// read is taken for new, as the reference does.
fn is_below(version: &str, limit: (u64, u64, u64)) -> bool {
    let numbers = version.trim_start_matches('v');
    if numbers.contains("dev") {
        return false;
    }
    let mut parts = numbers.splitn(3, '.').map(|part| {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..end].parse::<u64>()
    });
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => (major, minor, patch) < limit,
        (Some(Ok(major)), Some(Ok(minor)), None) => (major, minor, 0) < limit,
        (Some(Ok(major)), None, None) => (major, 0, 0) < limit,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes_extensions(source: &str, version: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("x-daytona-source", source.parse().unwrap());
        headers.insert("x-daytona-sdk-version", version.parse().unwrap());
        Peer::of(&headers).takes_extensions()
    }

    #[test]
    fn only_old_go_clients_are_strict() {
        for version in ["0.187.9", "0.100.0", "v0.187.0", "0.187", "0"] {
            assert!(!takes_extensions("sdk-go", version), "{version}");
            assert!(takes_extensions("sdk-python", version), "{version}");
        }
        for version in [
            "0.188.0",
            "0.188.0rc1",
            "0.205.1",
            "1.0.0",
            "0.0.0-dev",
            "",
            "latest",
        ] {
            assert!(takes_extensions("sdk-go", version), "{version}");
        }
        assert!(Peer::of(&HeaderMap::new()).takes_extensions());
    }
}
