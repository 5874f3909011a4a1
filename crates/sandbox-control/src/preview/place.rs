//! What a request for a preview names, by host or by path.

use sandbox_daemon::doors::decode_segment;

/// What a request for a preview names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The id or name of a sandbox, or the token of a signed URL.
    pub(crate) by: String,
    pub(crate) port: u16,
    /// The path before that of the server in the sandbox; empty for a preview by host.
    pub(crate) prefix: String,
}

impl Place {
    /// Reads `{port}-{id}.localhost`, or `None` for the name of another host.
    pub(crate) fn of_host(host: &str) -> Option<Self> {
        let name = host.split(':').next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let (port, by) = name.strip_suffix(".localhost")?.split_once('-')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let is_name = !by.is_empty() && !by.contains('.');
        is_name.then(|| Self {
            by: by.to_owned(),
            port,
            prefix: String::new(),
        })
    }

    /// Reads `/preview/{id}/{port}/...`.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/preview/")?;
        let (by, rest) = rest.split_once('/')?;
        let port = rest.split('/').next().unwrap_or_default();
        Some(Self {
            by: decode_segment(by),
            port: port.parse().ok().filter(|port| *port > 0)?,
            prefix: format!("/preview/{by}/{port}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_previews_are_read() {
        let check = |host: &str, expect: Option<(&str, u16)>| {
            let place = Place::of_host(host);
            let found = place.as_ref().map(|place| (place.by.as_str(), place.port));
            assert_eq!(found, expect, "{host}");
        };
        check("3000-abc.localhost", Some(("abc", 3000)));
        check("3000-ABC-d.LocalHost:3986", Some(("abc-d", 3000)));
        for other in [
            "localhost",
            "3000.localhost",
            "0-abc.localhost",
            "65536-abc.localhost",
            "x-abc.localhost",
            "3000-.localhost",
            "3000-abc.evil.localhost",
            "3000-abc.localhost.evil.com",
            "3000-abc",
            "",
        ] {
            check(other, None);
        }
    }

    #[test]
    fn paths_of_previews_are_read() {
        let check = |path: &str, expect: Option<(&str, u16, &str)>| {
            let place = Place::of_path(path);
            let found = place.as_ref();
            let found = found.map(|place| (&*place.by, place.port, &*place.prefix));
            assert_eq!(found, expect, "{path}");
        };
        check("/preview/abc/80", Some(("abc", 80, "/preview/abc/80")));
        check("/preview/abc/80/", Some(("abc", 80, "/preview/abc/80")));
        check(
            "/preview/a%20c/80/x/y",
            Some(("a c", 80, "/preview/a%20c/80")),
        );
        for other in [
            "/preview/abc",
            "/preview/abc/",
            "/preview/abc/0",
            "/preview/abc/x/80",
            "/previews/a/80",
        ] {
            check(other, None);
        }
    }
}
