//! Conversions between the types of files and the bodies of HTTP; nothing else.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sandbox_wire::{names, rest};
use serde::Deserialize;

use super::names::Decode;
use crate::http::convert::time;
use crate::model::{ArchiveSummary, FileInfo, FileKind, FoundLine, ReplaceOutcome};
use crate::{Delivery, Error, ErrorKind};

/// Returns the metadata of a file in `directory`, if the daemon does not report its whole path.
pub(super) fn info(received: rest::FileInfo, directory: &Path, decode: Decode) -> FileInfo {
    let path = match &received.path {
        Some(path) => decode.path(path),
        None => directory.join(decode.path(&received.name)),
    };
    FileInfo {
        path,
        kind: kind(&received.mode, received.is_dir),
        size: received.size,
        mode: mode(&received.mode, &received.permissions),
        owner: received.owner,
        group: received.group,
        modified: received
            .modified_at
            .as_deref()
            .and_then(time)
            .or_else(|| time_for_people(&received.mod_time)),
    }
}

pub(super) fn line(received: rest::Match, decode: Decode) -> FoundLine {
    FoundLine {
        path: decode.path(&received.file),
        number: received.line,
        text: received.content,
    }
}

/// Returns the results in the order of the requested paths.
pub(super) fn replaced(
    received: Vec<rest::ReplaceResult>,
    paths: &[PathBuf],
) -> Result<Vec<ReplaceOutcome>, Error> {
    if received.len() != paths.len() {
        let message = format!("{} results for {} files", received.len(), paths.len());
        return Err(Error::new(
            ErrorKind::Protocol,
            Delivery::Uncertain,
            message,
        ));
    }
    let results = received.into_iter().zip(paths);
    let result = |(received, path): (rest::ReplaceResult, &PathBuf)| ReplaceOutcome {
        path: path.clone(),
        error: if received.success {
            None
        } else {
            Some(received.error.unwrap_or_default())
        },
    };
    Ok(results.map(result).collect())
}

/// The response to an archive.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Summary {
    files: u64,
    directories: u64,
    links: u64,
    bytes: u64,
    skipped: u64,
    skipped_paths: Vec<String>,
}

pub(super) fn summary(received: Summary) -> ArchiveSummary {
    ArchiveSummary {
        files: received.files,
        directories: received.directories,
        links: received.links,
        bytes: received.bytes,
        skipped: received.skipped,
        skipped_paths: received
            .skipped_paths
            .iter()
            .map(|path| names::to_path(path.as_bytes()))
            .collect(),
    }
}

/// Returns the type from the letters before the permissions, as Go writes them.
fn kind(letters: &str, is_dir: bool) -> FileKind {
    let end = letters.len().saturating_sub(PERMISSIONS);
    let letters = letters.get(..end).unwrap_or_default();
    let has = |letter| letters.contains(letter);
    match () {
        () if is_dir || has('d') => FileKind::Dir,
        () if has('L') => FileKind::Symlink,
        () if has('p') => FileKind::Fifo,
        () if has('S') => FileKind::Socket,
        // Go writes both `D` and `c` for a character device, so that this comes before block
        // devices.
        () if has('c') => FileKind::CharDevice,
        () if has('D') => FileKind::BlockDevice,
        () if has('?') => FileKind::Other,
        () => FileKind::File,
    }
}

/// Returns the mode: the octal digits if they can be read, and the bits that only the letters have.
fn mode(letters: &str, digits: &str) -> u32 {
    let end = letters.len().saturating_sub(PERMISSIONS);
    let (kinds, permissions) = letters.split_at_checked(end).unwrap_or_default();
    let special = [('u', 0o4000), ('g', 0o2000), ('t', 0o1000)];
    let special = special
        .into_iter()
        .filter(|(letter, _)| kinds.contains(*letter));
    let special: u32 = special.map(|(_, bit)| bit).sum();
    let low = u32::from_str_radix(digits, 8).unwrap_or_else(|_| {
        let places = permissions.chars().enumerate();
        let set = places.filter(|(place, letter)| *letter != '-' && *place < PERMISSIONS);
        set.map(|(place, _)| 0o400 >> place).sum()
    });
    special | (low & 0o7777)
}

/// Parses a time as Go prints it: `2006-01-02 15:04:05.999999999 +0000 UTC`.
fn time_for_people(text: &str) -> Option<SystemTime> {
    let mut words = text.split(' ');
    let (date, clock, zone) = (words.next()?, words.next()?, words.next()?);
    let (hours, minutes) = zone.split_at_checked(3)?;
    time(&format!("{date}T{clock}{hours}:{minutes}"))
}

/// The letters of the permissions.
const PERMISSIONS: usize = "rwxrwxrwx".len();

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn letters_are_read() {
        let check = |letters, digits, expect_kind, expect_mode| {
            let read = (kind(letters, false), mode(letters, digits));
            assert_eq!(read, (expect_kind, expect_mode), "{letters} {digits}");
        };
        check("-rw-r--r--", "0644", FileKind::File, 0o644);
        check("drwxr-xr-x", "0755", FileKind::Dir, 0o755);
        check("dtrwxrwxrwx", "0777", FileKind::Dir, 0o1777);
        check("Lrwxrwxrwx", "0777", FileKind::Symlink, 0o777);
        check("urwxr-xr-x", "0755", FileKind::File, 0o4755);
        check("Dcrw-rw-rw-", "0666", FileKind::CharDevice, 0o666);
        check("Drw-rw----", "0660", FileKind::BlockDevice, 0o660);
        check("prw-r--r--", "", FileKind::Fifo, 0o644);
        check("Srwxr-xr-x", "what", FileKind::Socket, 0o755);
        check("", "", FileKind::File, 0);
        check("\u{e9}", "0644", FileKind::File, 0o644);
    }

    #[test]
    fn times_of_older_daemons_are_read() {
        let check = |text, expect: Option<u64>| {
            let expect = expect.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!(time_for_people(text), expect, "{text}");
        };
        check("1970-01-01 00:00:01 +0000 UTC", Some(1));
        check("1970-01-01 02:00:01 +0200 CEST", Some(1));
        check("1970-01-01 00:00:01 -0530 X m=+0.1", Some(19_801));
        check("", None);
        check("1970-01-01 00:00:01", None);
        check("1970-01-01 00:00:01 +", None);
    }

    #[test]
    fn older_daemons_report_names_alone() {
        let received = rest::FileInfo {
            name: "x".to_owned(),
            ..rest::FileInfo::default()
        };
        let decode = Decode { has_escapes: false };
        let read = info(received, Path::new("/a/b"), decode);
        assert_eq!(read.path, Path::new("/a/b/x"));
        assert_eq!(read.name(), Path::new("x"));
    }
}
