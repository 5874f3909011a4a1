//! Transfers between the files of a sandbox and those of this machine.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use sandbox_files::WriteOptions;
use sandbox_transport::{
    ArchiveSummary, Delivery, Error, ErrorKind, FileContent, FileKind, FilesApi,
};

use super::{Files, tree};

/// A transfer between a sandbox and this machine; made by [`Files::upload`](crate::Files::upload) and its siblings. Await it to
/// carry it out.
///
/// Files of this machine are written as those of a sandbox are: each takes its place in one step when it is complete.
///
/// # Cancel safety
///
/// If the future is dropped, what is complete remains, and no part of a file does.
///
/// # Errors
///
/// Those of [`Files::read`](crate::Files::read) and [`Files::write`](crate::Files::write), and an error of kind
/// [`Local`](ErrorKind::Local) if a file of this machine cannot be read or written. What was transferred before remains.
#[must_use = "nothing is transferred before it is awaited"]
pub struct Transfer {
    files: Files,
    from: PathBuf,
    to: PathBuf,
    kind: Kind,
    progress: Progress,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Upload,
    Download,
    UploadDir,
    DownloadDir,
}

/// Transfers between the sandbox and this machine.
impl Files {
    /// Returns a transfer of a file of this machine to the sandbox. Its permissions are retained.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), sandbox_process::Error> {
    /// files.upload("data.csv", "/workspace/data.csv").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn upload(&self, local: impl AsRef<Path>, path: impl AsRef<Path>) -> Transfer {
        self.transfer(Kind::Upload, local.as_ref(), path.as_ref())
    }

    /// Returns a transfer of a file of the sandbox to this machine. Its permissions are retained.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), sandbox_process::Error> {
    /// let download = files.download("/workspace/result.bin", "result.bin");
    /// download.on_progress(|bytes| println!("{bytes} bytes")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download(&self, path: impl AsRef<Path>, local: impl AsRef<Path>) -> Transfer {
        self.transfer(Kind::Download, path.as_ref(), local.as_ref())
    }

    /// Returns a transfer of what is in a directory of this machine to a directory of the sandbox, which is created if it is
    /// missing.
    ///
    /// This is one request that carries a tar archive. Permissions and symbolic links are retained. Named pipes, sockets and
    /// devices are left out, and counted in the summary. A stock daemon receives each file by a request of its own, and links
    /// are left out as well.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), sandbox_process::Error> {
    /// let sent = files.upload_dir("project", "/workspace").await?;
    /// println!("{} files, {} bytes", sent.files, sent.bytes);
    /// # Ok(())
    /// # }
    /// ```
    pub fn upload_dir(&self, local: impl AsRef<Path>, path: impl AsRef<Path>) -> Transfer {
        self.transfer(Kind::UploadDir, local.as_ref(), path.as_ref())
    }

    /// Returns a transfer of what is in a directory of the sandbox to a directory of this machine, which is created if it is
    /// missing.
    ///
    /// Nothing is written outside of that directory, whatever the daemon sends: names that lead out of it, also through a link,
    /// are errors. The rest is as for [`upload_dir`](Self::upload_dir).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), sandbox_process::Error> {
    /// files.download_dir("/workspace/results", "results").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn download_dir(&self, path: impl AsRef<Path>, local: impl AsRef<Path>) -> Transfer {
        self.transfer(Kind::DownloadDir, path.as_ref(), local.as_ref())
    }

    fn transfer(&self, kind: Kind, from: &Path, to: &Path) -> Transfer {
        Transfer {
            files: self.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            kind,
            progress: Progress::default(),
        }
    }
}

impl Transfer {
    /// Calls `report` with the number of bytes after each piece that was transferred; for directories these include the heads
    /// of an archive's entries.
    pub fn on_progress(mut self, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.progress = Progress(Some(Arc::new(report)));
        self
    }
}

impl IntoFuture for Transfer {
    type Output = Result<ArchiveSummary, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            files,
            from,
            to,
            kind,
            progress,
        } = self;
        Box::pin(async move {
            let client = files.client.ready().await?;
            let files = client.files();
            match kind {
                Kind::Upload => {
                    let local = local_files()?;
                    upload(&*files, &local, &from, &to, &progress).await
                }
                Kind::Download => {
                    let local = local_files()?;
                    download(&*files, &local, &from, &to, &progress).await
                }
                Kind::UploadDir => tree::upload(client, &from, &to, &progress).await,
                Kind::DownloadDir => tree::download(client, &from, &to, &progress).await,
            }
        })
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("kind", &self.kind)
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Reports the bytes of a transfer.
#[derive(Clone, Default)]
pub(super) struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    pub(super) fn add(&self, bytes: usize) {
        if let Some(report) = &self.0 {
            report(bytes as u64);
        }
    }
}

/// Sends a file of this machine.
pub(super) async fn upload(
    files: &dyn FilesApi,
    local: &sandbox_files::Files,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let reader = local.reader(from).await;
    let reader = reader.map_err(|error| local_error(from, &error))?;
    let (mode, length) = (reader.metadata().mode, reader.remaining());
    let progress = progress.clone();
    let content = FileContent::stream(futures_util::stream::try_unfold(
        (reader, progress),
        async |(mut reader, progress)| {
            let piece = reader.next().await.map_err(std::io::Error::other)?;
            if let Some(piece) = &piece {
                progress.add(piece.len());
            }
            Ok(piece.map(|piece| (piece, (reader, progress))))
        },
    ));
    let mut content = content.with_mode(mode & PERMISSIONS);
    if let Some(length) = length {
        content = content.with_length(length);
    }
    files.write(to, content).await?;
    Ok(ArchiveSummary {
        files: 1,
        bytes: length.unwrap_or(0),
        ..ArchiveSummary::default()
    })
}

/// Receives a file, and writes it on this machine.
pub(super) async fn download(
    files: &dyn FilesApi,
    local: &sandbox_files::Files,
    from: &Path,
    to: &Path,
    progress: &Progress,
) -> Result<ArchiveSummary, Error> {
    let info = files.metadata(from).await?;
    let mut reader = files.read(from).await?;
    let options = WriteOptions {
        mode: (info.kind == FileKind::File).then_some(info.mode & PERMISSIONS),
        ..WriteOptions::default()
    };
    let failed = |error| local_error(to, &error);
    let mut writer = local.writer(to, options).await.map_err(failed)?;
    while let Some(piece) = reader.next().await {
        let piece = piece?;
        progress.add(piece.len());
        writer.write(piece).await.map_err(failed)?;
    }
    let bytes = writer.written();
    writer.finish().await.map_err(failed)?;
    Ok(ArchiveSummary {
        files: 1,
        bytes,
        ..ArchiveSummary::default()
    })
}

/// Returns the files of this machine.
pub(super) fn local_files() -> Result<sandbox_files::Files, Error> {
    let work_dir = std::env::current_dir().map_err(|error| {
        let message = "this process has no working directory";
        Error::new(ErrorKind::Local, Delivery::NotSent, message).with_source(error)
    })?;
    Ok(sandbox_files::Files::system(work_dir))
}

/// Returns the error of a file of this machine.
pub(super) fn local_error(path: &Path, error: &sandbox_files::Error) -> Error {
    let message = format!("{}: {error}", path.display());
    Error::new(ErrorKind::Local, Delivery::Uncertain, message)
}

/// The bits of a mode that are retained: no transfer makes a program run as another user.
const PERMISSIONS: u32 = 0o777;
