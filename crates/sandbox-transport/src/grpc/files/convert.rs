//! Conversions between the types of files and the messages; nothing else.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sandbox_wire::{names, pb};

use crate::grpc::convert::time;
use crate::model::{ArchiveSummary, FileInfo, FileKind, FoundLine, ReplaceOutcome};

pub(super) fn bytes(path: &Path) -> Bytes {
    Bytes::copy_from_slice(path.as_os_str().as_encoded_bytes())
}

pub(super) fn path(bytes: Bytes) -> PathBuf {
    names::from_bytes(bytes.into()).into()
}

pub(super) fn info(file: pb::FileInfo) -> FileInfo {
    FileInfo {
        kind: kind(file.r#type()),
        path: path(file.path),
        size: file.size,
        mode: file.mode,
        owner: file.uid.to_string(),
        group: file.gid.to_string(),
        modified: file.modified_at.and_then(time),
    }
}

fn kind(kind: pb::FileType) -> FileKind {
    match kind {
        pb::FileType::Regular => FileKind::File,
        pb::FileType::Directory => FileKind::Dir,
        pb::FileType::Symlink => FileKind::Symlink,
        pb::FileType::Fifo => FileKind::Fifo,
        pb::FileType::Socket => FileKind::Socket,
        pb::FileType::CharacterDevice => FileKind::CharDevice,
        pb::FileType::BlockDevice => FileKind::BlockDevice,
        pb::FileType::Unspecified => FileKind::Other,
    }
}

pub(super) fn line(line: pb::FoundLine) -> FoundLine {
    FoundLine {
        path: path(line.path),
        number: line.number,
        text: String::from_utf8_lossy(&line.text).into_owned(),
    }
}

pub(super) fn replaced(result: pb::ReplaceResult) -> ReplaceOutcome {
    let has_failed = !result.error_code.is_empty() || !result.error_message.is_empty();
    ReplaceOutcome {
        path: path(result.path),
        error: has_failed.then_some(result.error_message),
    }
}

pub(super) fn summary(summary: pb::ArchiveSummary) -> ArchiveSummary {
    ArchiveSummary {
        files: summary.files,
        directories: summary.directories,
        links: summary.links,
        bytes: summary.bytes,
        skipped: summary.skipped,
        skipped_paths: summary.skipped_paths.into_iter().map(path).collect(),
    }
}
