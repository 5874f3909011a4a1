//! Conversion of file metadata to the types of the protocol.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbox_files::{FileKind, Metadata};
use sandbox_wire::rest::FileInfo;

use crate::service::files::names;

/// Returns the metadata of the file at a path.
pub(super) fn info(path: &Path, metadata: &Metadata) -> FileInfo {
    // The root has no name.
    let name = path.file_name().map_or(path, Path::new);
    let modified = timestamp(metadata.modified);
    FileInfo {
        name: names::to_text(name),
        path: Some(names::to_text(path)),
        is_dir: metadata.is_dir(),
        size: metadata.size,
        mode: letters(metadata),
        permissions: format!("{:04o}", metadata.mode & 0o777),
        owner: metadata.uid.to_string(),
        group: metadata.gid.to_string(),
        mod_time: for_people(&modified),
        modified_at: Some(modified),
    }
}

/// Returns the type and the permissions of a file, in the letters that the clients know.
fn letters(metadata: &Metadata) -> String {
    // Go's `os.FileMode.String`, not the letters of ls(1).
    let mut letters = String::from(match metadata.kind {
        FileKind::Dir => "d",
        FileKind::Symlink => "L",
        FileKind::Fifo => "p",
        FileKind::Socket => "S",
        FileKind::BlockDevice => "D",
        FileKind::CharDevice => "Dc",
        _ => "",
    });
    for (bit, letter) in [(0o4000, 'u'), (0o2000, 'g'), (0o1000, 't')] {
        if metadata.mode & bit != 0 {
            letters.push(letter);
        }
    }
    if letters.is_empty() {
        letters.push('-');
    }
    for (place, letter) in "rwxrwxrwx".chars().enumerate() {
        let is_set = metadata.mode & (0o400 >> place) != 0;
        letters.push(if is_set { letter } else { '-' });
    }
    letters
}

/// Returns a time in UTC (RFC 3339), with as many digits as needed. A time before 1970 or after 9999 becomes the nearest one
/// in that range.
fn timestamp(time: SystemTime) -> String {
    let latest = UNIX_EPOCH + Duration::from_secs(END_OF_9999);
    let time = humantime::format_rfc3339_nanos(time.clamp(UNIX_EPOCH, latest)).to_string();
    let digits = time.trim_end_matches('Z').trim_end_matches('0');
    format!("{}Z", digits.trim_end_matches('.'))
}

/// Returns the same time as `2006-01-02 15:04:05.999999999 +0000 UTC`.
fn for_people(timestamp: &str) -> String {
    let text = timestamp.replace('T', " ");
    format!("{} +0000 UTC", text.trim_end_matches('Z'))
}

const END_OF_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written() {
        let check = |time: SystemTime, rfc: &str, people: &str| {
            let written = timestamp(time);
            assert_eq!((&*written, &*for_people(&written)), (rfc, people));
        };
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        check(
            UNIX_EPOCH,
            "1970-01-01T00:00:00Z",
            "1970-01-01 00:00:00 +0000 UTC",
        );
        check(
            at(1_700_000_010_120),
            "2023-11-14T22:13:30.12Z",
            "2023-11-14 22:13:30.12 +0000 UTC",
        );
        let early = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(timestamp(early), "1970-01-01T00:00:00Z");
        let late = UNIX_EPOCH + Duration::from_secs(END_OF_9999 + 1);
        assert_eq!(timestamp(late), "9999-12-31T23:59:59Z");
    }
}
