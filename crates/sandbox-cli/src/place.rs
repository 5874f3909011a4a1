//! Paths on the command line: of the sandbox, or of this machine.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A path of the sandbox: `:PATH`, or `NAME:PATH` with the sandbox's name.
    Sandbox(Option<String>, PathBuf),
    /// A path of this machine.
    Local(PathBuf),
    /// Standard input or output: `-`.
    Stream,
}

/// Returns the parser of a side of a copy.
pub(crate) fn side() -> impl TypedValueParser<Value = Place> {
    OsStringValueParser::new().try_map(|text| place(&text))
}

/// Returns the parser of a path of the sandbox.
pub(crate) fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().try_map(|text| in_sandbox(&text))
}

/// Reads a side of a copy.
fn place(text: &OsStr) -> Result<Place, String> {
    let bytes = text.as_bytes();
    if bytes == b"-" {
        return Ok(Place::Stream);
    }
    let first = bytes.split(|byte| *byte == b'/').next().unwrap_or_default();
    if let Some(colon) = first.iter().position(|byte| *byte == b':') {
        let name = std::str::from_utf8(&bytes[..colon]);
        let name = name.map_err(|_| "the name of the sandbox is not UTF-8".to_owned())?;
        let name = Some(name).filter(|name| !name.is_empty());
        let path = or_work_dir(&bytes[colon + 1..]);
        return Ok(Place::Sandbox(name.map(str::to_owned), path));
    }
    match bytes {
        [] => Err("the path is empty".to_owned()),
        _ => Ok(Place::Local(text.into())),
    }
}

/// Reads a path of the sandbox, with the colon that `sandbox cp` needs or without it.
fn in_sandbox(text: &OsStr) -> Result<PathBuf, String> {
    match text.as_bytes() {
        [] => Err("the path is empty".to_owned()),
        [b':', path @ ..] => Ok(or_work_dir(path)),
        path => Ok(or_work_dir(path)),
    }
}

fn or_work_dir(path: &[u8]) -> PathBuf {
    match path {
        [] => PathBuf::from("."),
        path => PathBuf::from(OsString::from_vec(path.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_read() {
        let check = |text: &[u8], expect| {
            assert_eq!(place(OsStr::from_bytes(text)).ok(), expect, "{text:?}");
        };
        let path = |bytes: &[u8]| PathBuf::from(OsString::from_vec(bytes.to_vec()));
        let sandbox = |name: &str, bytes| {
            let name = Some(name.to_owned()).filter(|name| !name.is_empty());
            Some(Place::Sandbox(name, path(bytes)))
        };
        check(b":/a b", sandbox("", b"/a b"));
        check(b":", sandbox("", b"."));
        check(b":a:b", sandbox("", b"a:b"));
        check(b":\xff", sandbox("", b"\xff"));
        check(b"web:a/b", sandbox("web", b"a/b"));
        check(b"web:", sandbox("web", b"."));
        check(b"web:a:b", sandbox("web", b"a:b"));
        check(b"\xff:a", None);
        check(b"a/b:c", Some(Place::Local(path(b"a/b:c"))));
        check(b"./a:b", Some(Place::Local(path(b"./a:b"))));
        check(b"\xff", Some(Place::Local(path(b"\xff"))));
        check(b"-", Some(Place::Stream));
        check(b"./-", Some(Place::Local(path(b"./-"))));
        check(b"", None);
        let read = in_sandbox(OsStr::new(":x")).unwrap();
        assert_eq!(read, in_sandbox(OsStr::new("x")).unwrap());
        assert!(in_sandbox(OsStr::new("")).is_err());
    }
}
