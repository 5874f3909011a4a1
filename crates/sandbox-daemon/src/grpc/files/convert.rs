//! Conversions between the types of `sandbox-files` and those of protobuf.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use bytes::Bytes;
use sandbox_files::{ArchiveSummary, FileKind, Metadata};
use sandbox_wire::pb;

use crate::grpc::convert::timestamp;
use crate::service::Error;

/// Returns the path of these bytes.
pub(super) fn path_of(bytes: Bytes) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.into()))
}

/// Returns the bytes of a path.
pub(super) fn bytes_of(path: PathBuf) -> Bytes {
    path.into_os_string().into_vec().into()
}

/// Returns a mode, or an error if it has other bits than those of permissions.
pub(super) fn mode_of(mode: Option<u32>) -> Result<Option<u32>, Error> {
    match mode {
        Some(mode @ 0o10000..) => Err(Error::bad(format!(
            "the mode is at most 7777, not {mode:o}"
        ))),
        mode => Ok(mode),
    }
}

pub(super) fn info(path: PathBuf, metadata: &Metadata) -> pb::FileInfo {
    let kind = match metadata.kind {
        FileKind::File => pb::FileType::Regular,
        FileKind::Dir => pb::FileType::Directory,
        FileKind::Symlink => pb::FileType::Symlink,
        FileKind::Fifo => pb::FileType::Fifo,
        FileKind::Socket => pb::FileType::Socket,
        FileKind::CharDevice => pb::FileType::CharacterDevice,
        FileKind::BlockDevice => pb::FileType::BlockDevice,
        _ => pb::FileType::Unspecified,
    };
    pb::FileInfo {
        path: bytes_of(path),
        r#type: kind.into(),
        size: metadata.size,
        mode: metadata.mode,
        uid: metadata.uid,
        gid: metadata.gid,
        modified_at: timestamp(metadata.modified),
        entity_tag: metadata.entity_tag(),
    }
}

pub(super) fn summary(summary: ArchiveSummary) -> pb::ArchiveSummary {
    pb::ArchiveSummary {
        files: summary.files,
        directories: summary.dirs,
        links: summary.links,
        bytes: summary.bytes,
        skipped: summary.skipped,
        skipped_paths: summary.skipped_paths.into_iter().map(bytes_of).collect(),
    }
}
