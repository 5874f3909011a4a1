//! The program that sent a request, where a response depends on it.

use http::HeaderMap;
use sandbox_wire::ws::subprotocol::SDK_VERSION_PREFIX;

use crate::http::ws;

/// The properties of the program that sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    version: SdkVersion,
    is_go: bool,
    is_python: bool,
    /// Whether the client has no version that understands markers.
    splits_output: bool,
}

/// The form in which a client understands a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogForm {
    /// An object with `output`, `stdout` and `stderr`.
    Json,
    /// Text with markers.
    Marked,
    /// Text of both channels together, without markers.
    Plain,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum SdkVersion {
    Absent,
    /// A version that cannot be parsed. `is_dev` is whether it contains "dev", which makes it the newest for the form of logs.
    Unreadable {
        is_dev: bool,
    },
    /// Numbers of a version. Pre-releases count as the releases that they precede.
    Read {
        numbers: [u64; 3],
        is_dev: bool,
    },
}

impl Peer {
    /// Returns the peer of a request. The version is in its header or, in a browser, in an offered subprotocol.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let version = header("x-daytona-sdk-version").filter(|version| !version.trim().is_empty());
        let version = version.or_else(|| {
            // A browser's WebSocket has no way to set a header of the handshake, but for the
            // subprotocols.
            ws::offered(headers).find_map(|offered| offered.strip_prefix(SDK_VERSION_PREFIX))
        });
        Self {
            version: SdkVersion::read(version.unwrap_or_default()),
            is_go: header("x-daytona-source") == Some("sdk-go"),
            // `sdk-python`, `sdk-python-async`, and the oldest are `python-sdk`.
            is_python: header("x-daytona-source").is_some_and(|name| name.contains("python")),
            splits_output: header("x-daytona-split-output") == Some("true"),
        }
    }

    /// Returns whether a response may have fields that the reference does not have. Go SDKs before 0.188.0 fail on them.
    pub(crate) fn takes_extensions(&self) -> bool {
        !(self.is_go && !self.version.is_dev() && self.version.is_below([0, 188, 0]))
    }

    /// Returns whether it decodes the UTF-8 of a part's file name twice, and supports no other form. Of the Python SDKs, 0.130
    /// does not, and 0.167 and 0.190 do; those between are assumed to be like the newer ones.
    pub(crate) fn decodes_names_twice(&self) -> bool {
        let is_between = self.version.is_below([0, 226, 0]) && !self.version.is_below([0, 131, 0]);
        self.is_python && is_between
    }

    /// Returns whether a new session starts in the home directory; older clients rely on it.
    pub(crate) fn starts_at_home(&self) -> bool {
        let unreleased = SdkVersion::Read {
            numbers: [0, 0, 0],
            is_dev: true,
        };
        self.version != unreleased && self.version.is_below([0, 103, 0])
    }

    /// Returns the form of a command's log.
    pub(crate) fn log_form(&self) -> LogForm {
        let is_combined = match self.version {
            SdkVersion::Absent => !self.splits_output,
            _ => self.version.is_below([0, 27, 0]) && !self.version.is_dev(),
        };
        match self.entrypoint_log_form() {
            LogForm::Marked if is_combined => LogForm::Plain,
            form => form,
        }
    }

    /// Returns the form of the entrypoint's log, from which markers are never removed.
    pub(crate) fn entrypoint_log_form(&self) -> LogForm {
        let is_new = self.version.is_read() && !self.version.is_below([0, 167, 0]);
        if is_new || self.version.is_dev() {
            LogForm::Json
        } else {
            LogForm::Marked
        }
    }
}

impl SdkVersion {
    /// Parses `1`, `1.2` and `1.2.3`, with an optional `v` prefix, and optional parts after `-` and `+`. A pre-release may
    /// follow three numbers directly, as in Python: `1.2.3rc1`.
    fn read(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Absent;
        }
        let is_dev = text.contains("dev");
        match numbers(text.strip_prefix('v').unwrap_or(text)) {
            Some(numbers) => Self::Read { numbers, is_dev },
            None => Self::Unreadable { is_dev },
        }
    }

    fn is_read(&self) -> bool {
        matches!(self, Self::Read { .. })
    }

    fn is_dev(&self) -> bool {
        match *self {
            Self::Absent => false,
            Self::Unreadable { is_dev } | Self::Read { is_dev, .. } => is_dev,
        }
    }

    /// Returns whether it is known to be older.
    fn is_below(&self, limit: [u64; 3]) -> bool {
        matches!(self, Self::Read { numbers, .. } if *numbers < limit)
    }
}

fn numbers(text: &str) -> Option<[u64; 3]> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let (release, suffix) = text.split_at(text.find(|c| !is_number(c)).unwrap_or(text.len()));
    let mut numbers = [0; 3];
    let mut count = 0;
    for part in release.split('.') {
        // A fourth number, or one that is too large, makes the version unreadable.
        *numbers.get_mut(count)? = part.parse().ok()?;
        count += 1;
    }
    let is_identifiers = |text: &str| {
        text.split('.').all(|part| {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !part.is_empty() && part.bytes().all(is_word)
        })
    };
    let is_good = match suffix.as_bytes() {
        [] => true,
        [b'-', ..] => suffix[1..].splitn(2, '+').all(is_identifiers),
        [first, ..] => count == 3 && first.is_ascii_alphabetic() && is_identifiers(suffix),
    };
    is_good.then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(headers: &[(&'static str, &str)]) -> Peer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Peer::of(&map)
    }

    #[test]
    fn only_old_go_clients_are_strict() {
        let takes_extensions = |source: &str, version: &str| {
            peer(&[
                ("x-daytona-source", source),
                ("x-daytona-sdk-version", version),
            ])
            .takes_extensions()
        };
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

    #[test]
    fn only_old_python_clients_decode_names_twice() {
        let decodes = |source: &str, version: &str| {
            let source = ("x-daytona-source", source);
            peer(&[source, ("x-daytona-sdk-version", version)]).decodes_names_twice()
        };
        for source in ["python-sdk", "sdk-python", "sdk-python-async"] {
            assert!(decodes(source, "0.167.0") && decodes(source, "0.225.9"));
            assert!(!decodes(source, "0.130.9"));
            assert!(!decodes(source, "0.226.0") && !decodes(source, ""));
        }
        assert!(!decodes("sdk-typescript", "0.190.0"));
    }

    #[test]
    fn versions_come_by_header_or_subprotocol() {
        let old = ("x-daytona-sdk-version", "0.26.0");
        let offered = (
            "sec-websocket-protocol",
            "other, X-Daytona-SDK-Version~0.226.1",
        );
        assert_eq!(peer(&[offered]).log_form(), LogForm::Json);
        assert_eq!(peer(&[old, offered]).log_form(), LogForm::Plain);
        let empty = ("x-daytona-sdk-version", "");
        assert_eq!(peer(&[empty, offered]).log_form(), LogForm::Json);
        let nothing = ("sec-websocket-protocol", "X-Daytona-SDK-Version~");
        assert_eq!(peer(&[nothing]).log_form(), LogForm::Plain);
    }

    #[test]
    fn a_client_without_version_may_ask_for_markers() {
        let split = ("x-daytona-split-output", "true");
        assert_eq!(peer(&[split]).log_form(), LogForm::Marked);
        let upper = ("x-daytona-split-output", "TRUE");
        assert_eq!(peer(&[upper]).log_form(), LogForm::Plain);
        let old = ("x-daytona-sdk-version", "0.26.0");
        assert_eq!(peer(&[split, old]).log_form(), LogForm::Plain);
    }

    #[test]
    fn hostile_versions_are_unreadable() {
        for version in [
            "1.2.3.4",
            "99999999999999999999",
            "1..2",
            ".",
            "v",
            "-1",
            "1.2.3-",
            "1.2.3+x",
            "1.2rc1",
            "1.2.3-a..b",
            "\u{e9}",
        ] {
            assert_eq!(
                SdkVersion::read(version),
                SdkVersion::Unreadable { is_dev: false },
                "{version}"
            );
        }
    }
}
