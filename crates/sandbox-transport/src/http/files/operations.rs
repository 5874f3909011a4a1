//! The operations, one request each.

use std::path::{Path, PathBuf};

use http::HeaderMap;
use sandbox_wire::{ErrorCode, names, rest};

use super::names::request_bytes;
use super::{convert, download, upload};
use crate::files::{check_depth, check_text};
use crate::http::HttpTransport;
use crate::http::call::Call;
use crate::http::path::{add_bytes, add_query};
use crate::limits::SEARCH;
use crate::model::{ArchiveSummary, FileInfo, FoundLine, Matches, Permissions, ReplaceOutcome};
use crate::{ApiFuture, Effect, Error, ErrorKind, FileContent, FileReader, FilesApi};

impl FilesApi for HttpTransport {
    fn metadata<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileInfo> {
        Box::pin(async move {
            let received: rest::FileInfo =
                self.fetch(Call::get(about("/files/info", path))).await?;
            let decode = self
                .decoder(received.path.iter().chain([&received.name]))
                .await?;
            // Stock daemons report the name alone.
            let parent = path.parent().unwrap_or_else(|| Path::new(""));
            Ok(convert::info(received, parent, decode))
        })
    }

    fn list<'a>(&'a self, path: &'a Path, depth: u32) -> ApiFuture<'a, Matches<FileInfo>> {
        Box::pin(async move {
            check_depth(depth)?;
            let mut route = about("/files", path);
            if depth > 1 {
                add_query(&mut route, "depth", &depth.to_string());
            }
            let answer = self.send(&Call::get(route).deadline(SEARCH)).await?;
            let listed: Vec<rest::FileInfo> = answer.json()?;
            let texts = listed.iter().flat_map(|entry| entry.path.iter());
            let decode = self
                .decoder(texts.chain(listed.iter().map(|entry| &entry.name)))
                .await?;
            let entries = listed.into_iter();
            Ok(Matches {
                items: entries
                    .map(|entry| convert::info(entry, path, decode))
                    .collect(),
                is_truncated: is_truncated(&answer.headers),
            })
        })
    }

    fn read<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        Box::pin(download::start(self, about("/files/download", path)))
    }

    fn write<'a>(&'a self, path: &'a Path, content: FileContent) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            match upload::write(self, path, content).await? {
                None => Ok(()),
                Some(mode) => {
                    let permissions = Permissions::from_mode(mode);
                    self.set_permissions(path, permissions).await
                }
            }
        })
    }

    fn create_dir<'a>(&'a self, path: &'a Path, mode: Option<u32>) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let mut route = about("/files/folder", path);
            // Stock daemons require a mode.
            let mode = mode.unwrap_or(0o755);
            add_query(&mut route, "mode", &format!("{mode:04o}"));
            self.command(Call::post(route).effect(Effect::Idempotent))
                .await
        })
    }

    fn remove<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(async move { self.command(Call::delete(about("/files", path))).await })
    }

    fn remove_all<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let mut route = about("/files", path);
            add_query(&mut route, "recursive", "true");
            self.command(Call::delete(route).deadline(SEARCH)).await
        })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let mut route = String::from("/files/move");
            add_bytes(&mut route, "source", &request_bytes(from));
            add_bytes(&mut route, "destination", &request_bytes(to));
            self.command(Call::post(route).deadline(SEARCH)).await
        })
    }

    fn set_permissions<'a>(
        &'a self,
        path: &'a Path,
        permissions: Permissions,
    ) -> ApiFuture<'a, ()> {
        Box::pin(async move {
            let mut route = about("/files/permissions", path);
            if let Some(mode) = permissions.mode {
                add_query(&mut route, "mode", &format!("{mode:04o}"));
            }
            for (name, value) in [("owner", permissions.owner), ("group", permissions.group)] {
                if let Some(value) = value {
                    add_query(&mut route, name, &value);
                }
            }
            self.command(Call::post(route).effect(Effect::Idempotent))
                .await
        })
    }

    fn find<'a>(&'a self, path: &'a Path, text: &'a str) -> ApiFuture<'a, Matches<FoundLine>> {
        Box::pin(async move {
            check_text(text)?;
            let mut route = about("/files/find", path);
            add_query(&mut route, "pattern", text);
            let answer = self.send(&Call::get(route).deadline(SEARCH)).await?;
            // Stock daemons send `null` for no matches.
            let found: Option<Vec<rest::Match>> = answer.json()?;
            let found = found.unwrap_or_default();
            let decode = self.decoder(found.iter().map(|line| &line.file)).await?;
            let lines = found.into_iter();
            Ok(Matches {
                items: lines.map(|line| convert::line(line, decode)).collect(),
                is_truncated: is_truncated(&answer.headers),
            })
        })
    }

    fn search<'a>(&'a self, path: &'a Path, pattern: &'a str) -> ApiFuture<'a, Matches<PathBuf>> {
        Box::pin(async move {
            check_text(pattern)?;
            let mut route = about("/files/search", path);
            add_query(&mut route, "pattern", pattern);
            let answer = self.send(&Call::get(route).deadline(SEARCH)).await?;
            let found: rest::SearchFilesResponse = answer.json()?;
            let decode = self.decoder(&found.files).await?;
            let paths = found.files.into_iter();
            Ok(Matches {
                items: paths.map(|path| decode.path(&path)).collect(),
                is_truncated: is_truncated(&answer.headers),
            })
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
            let call = Call::post("/files/replace").json(&rest::ReplaceRequest {
                // JSON cannot hold names that are not UTF-8: their bytes are escaped, which only
                // this project's daemon reads.
                files: paths.iter().map(|path| names::to_text(path)).collect(),
                pattern: old.to_owned(),
                new_value: new.to_owned(),
            })?;
            let received: Vec<rest::ReplaceResult> = self.fetch(call.deadline(SEARCH)).await?;
            convert::replaced(received, paths)
        })
    }

    fn read_archive<'a>(&'a self, path: &'a Path) -> ApiFuture<'a, FileReader> {
        Box::pin(async move {
            let started = download::start(self, about("/files/archive", path)).await;
            started.map_err(without_archives)
        })
    }

    fn write_archive<'a>(
        &'a self,
        path: &'a Path,
        archive: FileContent,
    ) -> ApiFuture<'a, ArchiveSummary> {
        Box::pin(async move {
            let sent = upload::archive(self, about("/files/archive", path), archive).await;
            sent.map_err(without_archives)
        })
    }
}

/// Returns a route with the path of a file as a parameter.
fn about(route: &str, path: &Path) -> String {
    let mut route = route.to_owned();
    add_bytes(&mut route, "path", &request_bytes(path));
    route
}

/// Returns the error of an archive: a daemon may not have the route, which differs from a missing directory by its code.
fn without_archives(error: Error) -> Error {
    let is_file = error.code() == Some(ErrorCode::FileNotFound.name());
    match error.status() {
        Some(404) if !is_file => error.with_kind(ErrorKind::Unsupported),
        Some(405 | 501) => error.with_kind(ErrorKind::Unsupported),
        _ => error,
    }
}

fn is_truncated(headers: &HeaderMap) -> bool {
    headers
        .get("x-sandbox-truncated")
        .is_some_and(|value| value == "true")
}
