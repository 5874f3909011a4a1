//! The page at `/`: the sandboxes, and for each a terminal and a box for Python.
//!
//! Its files are the same for every client and contain no data, so they need no key. The page asks for the key, stores it in the
//! `sessionStorage` of its tab, and sends it with the requests for all that it shows.

use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};

use crate::body::{Body, empty, whole};

/// A file of the page.
struct File {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! files {
    ($($path:literal $content_type:ident $name:literal;)*) => {
        &[$(File {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!($name),
        }),*]
    };
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

const FILES: &[File] = files! {
    "/" HTML "index.html";
    "/page/style.css" CSS "style.css";
    "/page/icon.svg" SVG "icon.svg";
    "/page/main.js" SCRIPT "main.js";
    "/page/api.js" SCRIPT "api.js";
    "/page/charts.js" SCRIPT "charts.js";
    "/page/dom.js" SCRIPT "dom.js";
    "/page/events.js" SCRIPT "events.js";
    "/page/list.js" SCRIPT "list.js";
    "/page/python.js" SCRIPT "python.js";
    "/page/styles.js" SCRIPT "styles.js";
    "/page/terminal.js" SCRIPT "terminal.js";
};

/// xterm.js, which is embedded at build time and is no part of the source. An empty file is one that this build does not have.
#[cfg(feature = "web")]
const TERMINAL: &[File] = {
    macro_rules! third_party {
        ($name:literal) => {
            include_bytes!(concat!(
                env!(
                    "SANDBOX_WEB_DIR",
                    "the feature `web` embeds xterm.js: `cargo xtask web` downloads it and builds with it"
                ),
                $name
            ))
        };
    }
    &[
        File {
            path: "/page/xterm/xterm.js",
            content_type: SCRIPT,
            bytes: third_party!("/xterm.js"),
        },
        File {
            path: "/page/xterm/fit.js",
            content_type: SCRIPT,
            bytes: third_party!("/fit.js"),
        },
        File {
            path: "/page/xterm/xterm.css",
            content_type: CSS,
            bytes: third_party!("/xterm.css"),
        },
        File {
            path: "/page/xterm/LICENSE",
            content_type: "text/plain; charset=utf-8",
            bytes: third_party!("/LICENSE"),
        },
    ]
};

#[cfg(not(feature = "web"))]
const TERMINAL: &[File] = &[];

/// Responds to a request for a file of the page; `None` if it is for something else.
pub(crate) fn respond(method: &Method, path: &str) -> Option<Response<Body>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return None;
    }
    let is_it = |file: &&File| file.path == path;
    let mut response = match FILES.iter().chain(TERMINAL).find(is_it) {
        Some(file) if !file.bytes.is_empty() => {
            let mut response = Response::new(whole(file.bytes));
            let content_type = HeaderValue::from_static(file.content_type);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type);
            response
        }
        // The page asks for its terminal without knowing whether this build has one.
        _ if path.starts_with("/page/xterm/") => empty(StatusCode::NOT_FOUND),
        _ => return None,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

/// What the page may do: run the scripts of this server, show pictures that it was sent as text, and talk to this server. No script
/// makes HTML of text, no other page frames it or has a handle to its window, and no file is taken for one of another type.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    // A new version of the server has other files below the same paths.
    (header::CACHE_CONTROL, "no-cache"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Ensures that no file contains what the policy forbids, and that every module that a script names is served.
    #[test]
    fn the_files_keep_to_the_policy() {
        let served: Vec<_> = FILES.iter().map(|file| file.path).collect();
        for file in FILES {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for forbidden in [
                "<style",
                " style=",
                " onclick=",
                "javascript:",
                "innerHTML",
                "outerHTML",
                "eval(",
                "insertAdjacentHTML",
                "document.write",
                "https://",
                "localStorage",
                "document.cookie",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", file.path);
            }
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let name = line.split('"').nth(1).unwrap();
                let path = name.replace("./", "/page/");
                assert!(served.contains(&path.as_str()), "{}: {line}", file.path);
            }
        }
        let html = std::str::from_utf8(FILES[0].bytes).unwrap();
        for piece in html.split("<script").skip(1) {
            assert!(
                piece.starts_with(" type=\"module\" src=\"/page/"),
                "{piece}"
            );
        }
    }

    #[test]
    fn only_files_are_served() {
        for path in [
            "/page",
            "/page/",
            "/page/mod.rs",
            "/page/../api",
            "/index.html",
            "//",
        ] {
            assert!(respond(&Method::GET, path).is_none(), "{path}");
        }
        assert!(respond(&Method::POST, "/").is_none());
        let status = |path: &str| respond(&Method::GET, path).unwrap().status();
        assert_eq!(status("/"), 200);
        assert_eq!(status("/page/xterm/no-such-file"), 404);
    }
}
