//! Transfers of directories: as an archive in one request, or file by file with a daemon that has no archives.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use sandbox_files::{ArchiveError, FileKind as LocalKind};
use sandbox_transport::{
    ArchiveSummary, Delivery, Error, ErrorKind, FileContent, FileKind, FilesApi, ProcessApi,
};

use super::transfer::{self, Progress, local_error, local_files};

/// Sends what is in a directory of this machine.
pub(super) async fn upload(
    client: &dyn ProcessApi,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let local = local_files()?;
    check_dir(&local, from).await?;
    let files = client.files();
    if client.capabilities().await?.extensions {
        match upload_archive(&*files, &local, from, to, progress).await {
            Err(error) if error.is_unsupported() => {}
            sent => return sent,
        }
    }
    upload_each(&*files, from, to, progress).await
}

async fn upload_archive(
    files: &dyn FilesApi,
    local: &sandbox_files::Files,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let archive = local.read_archive(from).await;
    let archive = archive.map_err(|error| local_error(from, &error))?;
    // Only this side knows what it leaves out.
    let packed = Arc::new(OnceLock::new());
    let state = (archive, progress.clone(), packed.clone());
    let content =
        futures_util::stream::try_unfold(state, async |(mut archive, progress, packed)| {
            let piece: Option<Bytes> = archive.next().await.map_err(io::Error::other)?;
            match &piece {
                Some(piece) => progress.add(piece.len()),
                None => drop(
                    archive
                        .summary()
                        .cloned()
                        .map(|summary| packed.set(summary)),
                ),
            }
            Ok(piece.map(|piece| (piece, (archive, progress, packed))))
        });
    let sent = files
        .write_archive(to, FileContent::stream(content))
        .await?;
    let packed = packed.get().cloned().unwrap_or_default();
    Ok(ArchiveSummary {
        skipped: packed.skipped,
        skipped_paths: packed.skipped_paths,
        ..sent
    })
}

/// Sends each file by a request of its own.
async fn upload_each(
    files: &dyn FilesApi,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let below = sandbox_files::Files::below(from).map_err(|error| local_error(from, &error))?;
    let mut summary = ArchiveSummary::default();
    let mut dirs = vec![PathBuf::new()];
    while let Some(dir) = dirs.pop() {
        let mode = below.metadata(Path::new("/").join(&dir)).await;
        let mode = mode
            .map_err(|error| local_error(&from.join(&dir), &error))?
            .mode;
        files
            .create_dir(&to.join(&dir), Some(mode & 0o777 | OWNER))
            .await?;
        let listed = below.list(Path::new("/").join(&dir), 1).await;
        let listed = listed.map_err(|error| local_error(&from.join(&dir), &error))?;
        if listed.is_truncated {
            return Err(too_many(&from.join(&dir)));
        }
        for entry in listed.found {
            let path = dir.join(&entry.path);
            match entry.metadata.kind {
                LocalKind::Dir => {
                    summary.directories += 1;
                    dirs.push(path);
                }
                LocalKind::File => {
                    let (source, target) = (Path::new("/").join(&path), to.join(&path));
                    let sent = transfer::upload(files, &below, &source, &target, progress);
                    let sent = sent.await?;
                    summary.files += 1;
                    summary.bytes += sent.bytes;
                }
                _ => skip(&mut summary, path),
            }
        }
    }
    Ok(summary)
}

/// Receives what is in a directory, and writes it on this machine.
pub(super) async fn download(
    client: &dyn ProcessApi,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let files = client.files();
    // An archive of a file would be extracted as a file in the directory.
    if !files.metadata(from).await?.is_dir() {
        let message = format!("{}: not a directory", from.display());
        return Err(Error::new(
            ErrorKind::InvalidInput,
            Delivery::Rejected,
            message,
        ));
    }
    if client.capabilities().await?.extensions {
        match download_archive(&*files, from, to, progress).await {
            Err(error) if error.is_unsupported() => {}
            received => return received,
        }
    }
    download_each(&*files, from, to, progress).await
}

async fn download_archive(
    files: &dyn FilesApi,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let mut archive = files.read_archive(from).await?;
    let writer = local_files()?.write_archive(to).await;
    let mut writer = writer.map_err(|error| local_error(to, &error))?;
    while let Some(piece) = archive.next().await {
        let piece = piece?;
        progress.add(piece.len());
        if !writer.write(piece).await {
            break;
        }
    }
    let written = writer
        .finish()
        .await
        .map_err(|error| extraction(to, &error))?;
    Ok(ArchiveSummary {
        files: written.files,
        directories: written.dirs,
        links: written.links,
        bytes: written.bytes,
        skipped: written.skipped,
        skipped_paths: written.skipped_paths,
    })
}

/// Receives each file by a request of its own. Only the last names of what the daemon lists are used.
async fn download_each(
    files: &dyn FilesApi,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let local = local_files()?;
    let created = local.create_dir(to, None).await;
    created.map_err(|error| local_error(to, &error))?;
    let below = sandbox_files::Files::below(to).map_err(|error| local_error(to, &error))?;
    let mut summary = ArchiveSummary::default();
    let mut dirs = vec![(PathBuf::from("/"), from.to_owned(), 0)];
    while let Some((dir, source, depth)) = dirs.pop() {
        if depth > sandbox_files::limits::WALK_DEPTH {
            return Err(local_error(&source, &sandbox_files::Error::TooDeep));
        }
        let listed = files.list(&source, 1).await?;
        if listed.is_truncated {
            return Err(too_many(&source));
        }
        for entry in listed {
            let Some(name) = entry.path.file_name() else {
                let message = format!("{}: not the name of a file", entry.path.display());
                return Err(Error::new(
                    ErrorKind::Protocol,
                    Delivery::Uncertain,
                    message,
                ));
            };
            let (target, source) = (dir.join(name), source.join(name));
            match entry.kind {
                FileKind::Dir => {
                    let mode = entry.mode & 0o777 | OWNER;
                    let created = below.create_dir(&target, Some(mode)).await;
                    created.map_err(|error| local_error(&target, &error))?;
                    summary.directories += 1;
                    dirs.push((target, source, depth + 1));
                }
                FileKind::File => {
                    let received = transfer::download(files, &below, &source, &target, progress);
                    let received = received.await?;
                    summary.files += 1;
                    summary.bytes += received.bytes;
                }
                _ => skip(&mut summary, source),
            }
        }
    }
    Ok(summary)
}

async fn check_dir(local: &sandbox_files::Files, path: &Path) -> Result<(), Error> {
    let found = local.metadata(path).await;
    let found = found.map_err(|error| local_error(path, &error))?;
    if found.is_dir() {
        Ok(())
    } else {
        Err(local_error(path, &sandbox_files::Error::NotADirectory))
    }
}

fn skip(summary: &mut ArchiveSummary, path: PathBuf) {
    summary.skipped += 1;
    if summary.skipped_paths.len() < sandbox_files::limits::ARCHIVE_SKIPPED {
        summary.skipped_paths.push(path);
    }
}

/// Returns the error of a directory that was listed in part.
fn too_many(path: &Path) -> Error {
    let message = format!(
        "{}: too many entries to transfer one by one",
        path.display()
    );
    Error::new(ErrorKind::TooLarge, Delivery::Uncertain, message)
}

/// Returns the error of an archive that could not be extracted: the archive's, or this machine's.
fn extraction(to: &Path, error: &ArchiveError) -> Error {
    use sandbox_files::Error as Local;
    let kind = match &error.error {
        Local::InvalidArchive(_) | Local::InvalidPath(_) | Local::NotRegular => ErrorKind::Protocol,
        _ => ErrorKind::Local,
    };
    let message = format!("{}: {error}", to.display());
    Error::new(kind, Delivery::Uncertain, message)
}

/// The bits without which the owner could not write what belongs in a directory.
const OWNER: u32 = 0o700;
