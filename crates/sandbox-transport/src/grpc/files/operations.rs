//! The operations, one call each; [`collect`](super::collect) makes those with several messages.

use std::path::{Path, PathBuf};

use sandbox_wire::pb;
use tokio::time::timeout;

use super::collect::ENTRY_BYTES;
use super::convert::{self, bytes};
use super::{download, upload};
use crate::exchange::timed_out;
use crate::files::{check_depth, check_text};
use crate::grpc::call::{self, Call};
use crate::grpc::{GrpcTransport, status};
use crate::limits::SEARCH;
use crate::model::{ArchiveSummary, FileInfo, FoundLine, Matches, Permissions, ReplaceOutcome};
use crate::{ApiFuture, Delivery, Effect, Error, FileContent, FileReader, FilesApi};

impl FilesApi for GrpcTransport {
    fn metadata<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileInfo> {
        Box::pin(async move {
            let request = pb::StatRequest {
                path: bytes(path),
                ..pb::StatRequest::default()
            };
            let stat = |wire, request| async move { call::files(wire).stat(request).await };
            let received = self.ask(Call::new(Effect::None), request, stat).await?;
            let file = received.file.ok_or_else(|| status::incomplete("file"))?;
            Ok(convert::info(file))
        })
    }

    fn list<'a>(&'a self, path: &'a Path, depth: u32) -> ApiFuture<'a, Matches<FileInfo>> {
        Box::pin(async move {
            check_depth(depth)?;
            // For all pages together.
            let limit = self.options.deadline.unwrap_or(SEARCH);
            let listed = timeout(limit, self.pages(path, depth)).await;
            listed.map_err(|_| timed_out(limit, Delivery::Uncertain))?
        })
    }

    fn read<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        Box::pin(download::file(self, path))
    }

    fn write<'a>(&'a self, path: &'a Path, content: FileContent) -> ApiFuture<'a, ()> {
        Box::pin(upload::file(self, path, content))
    }

    fn create_dir<'a>(&'a self, path: &'a Path, mode: Option<u32>) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::CreateDirectoryRequest {
                path: bytes(path),
                // As over HTTP, where stock daemons require one.
                mode: Some(mode.unwrap_or(0o755)),
            };
            let create =
                |wire, request| async move { call::files(wire).create_directory(request).await };
            let call = Call::new(Effect::Idempotent);
            self.ask(call, request, create).await.map(drop)
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(remove(self, path, false))
    }

    fn remove_all<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(remove(self, path, true))
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::RenameRequest {
                from: bytes(from),
                to: bytes(to),
            };
            let rename = |wire, request| async move { call::files(wire).rename(request).await };
            // A repetition could move what has taken the name since. To another file system, a move
            // is a copy.
            let call = Call::new(Effect::Once).deadline(SEARCH);
            self.ask(call, request, rename).await.map(drop)
        })
    }

    fn set_permissions<'a>(
        &'a self,
        path: &'a Path,
        permissions: Permissions,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let request = pb::SetPermissionsRequest {
                path: bytes(path),
                mode: permissions.mode,
                owner: permissions.owner.unwrap_or_default(),
                group: permissions.group.unwrap_or_default(),
            };
            let set =
                |wire, request| async move { call::files(wire).set_permissions(request).await };
            let call = Call::new(Effect::Idempotent);
            self.ask(call, request, set).await.map(drop)
        })
    }

    fn find<'a>(&'a self, path: &'a Path, text: &'a str) -> ApiFuture<'a, Matches<FoundLine>> {
        Box::pin(async move {
            check_text(text)?;
            let request = pb::FindRequest {
                path: bytes(path),
                text: text.to_owned(),
            };
            let find = |wire, request| async move { call::files(wire).find(request).await };
            let found = self
                .collect(request, find, |message: &pb::FindResponse| {
                    let length = |line: &pb::FoundLine| line.path.len() + line.text.len();
                    message
                        .lines
                        .iter()
                        .map(length)
                        .map(|length| length + ENTRY_BYTES)
                        .sum()
                })
                .await?;
            let mut lines = Matches::default();
            for message in found {
                lines.is_truncated |= message.is_truncated;
                lines
                    .items
                    .extend(message.lines.into_iter().map(convert::line));
            }
            Ok(lines)
        })
    }

    fn search<'a>(&'a self, path: &'a Path, pattern: &'a str) -> ApiFuture<'a, Matches<PathBuf>> {
        Box::pin(async move {
            check_text(pattern)?;
            let request = pb::SearchRequest {
                path: bytes(path),
                pattern: pattern.to_owned(),
            };
            let search = |wire, request| async move { call::files(wire).search(request).await };
            let found = self
                .collect(request, search, |message: &pb::SearchResponse| {
                    let lengths = message.paths.iter().map(|path| path.len() + ENTRY_BYTES);
                    lengths.sum()
                })
                .await?;
            let mut paths = Matches::default();
            for message in found {
                paths.is_truncated |= message.is_truncated;
                paths
                    .items
                    .extend(message.paths.into_iter().map(convert::path));
            }
            Ok(paths)
        })
    }

    fn replace<'a>(
        &'a self,
        paths: &'a [PathBuf],
        old: &'a str,
        new: &'a str,
    ) -> ApiFuture<'a, Vec<ReplaceOutcome>> {
        Box::pin(async move {
            check_text(old)?;
            let request = pb::ReplaceRequest {
                paths: paths.iter().map(|path| bytes(path)).collect(),
                old: old.to_owned().into(),
                new: new.to_owned().into(),
            };
            let replace = |wire, request| async move { call::files(wire).replace(request).await };
            // The new text may contain the old one, which a repetition would replace again.
            let call = Call::new(Effect::Once).deadline(SEARCH);
            let received = self.ask(call, request, replace).await?;
            Ok(received
                .results
                .into_iter()
                .map(convert::replaced)
                .collect())
        })
    }

    fn read_archive<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        Box::pin(download::archive(self, path))
    }

    fn write_archive<'a>(
        &'a self,
        path: &'a Path,
        archive: FileContent,
    ) -> ApiFuture<'a, ArchiveSummary> {
        Box::pin(upload::archive(self, path, archive))
    }
}

async fn remove(transport: &GrpcTransport, path: &Path, recursive: bool) -> Result<(), Error> {
    let request = pb::RemoveRequest {
        path: bytes(path),
        recursive,
    };
    let remove = |wire, request| async move { call::files(wire).remove(request).await };
    let call = Call::new(Effect::Idempotent).deadline(SEARCH);
    transport.ask(call, request, remove).await.map(drop)
}
