//! The handle of the files of a sandbox: reading, writing and looking.

use std::path::Path;
use std::sync::Arc;

use sandbox_transport::{Delivery, Error, ErrorKind, FileContent, FileInfo, FilesApi, Matches};

use super::{FileReader, FileWriter};
use crate::client::Client;

/// The files of a sandbox; made by [`Process::files`](crate::Process::files).
///
/// Names follow [`std::fs`]. Paths are those of the sandbox: a relative one is relative to the daemon's working directory.
/// Names need not be UTF-8, except for stock daemons. Nothing is in memory whole, except for what [`read`](Self::read)
/// returns.
///
/// A transfer has no time limit, but ends with an error of kind [`Timeout`](ErrorKind::Timeout) after 60 s without progress, or
/// after the [deadline](crate::CallOptions::deadline) that is set.
///
/// The handle is cheap to clone and changes nothing when it is dropped.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "embedded")]
/// # #[tokio::main]
/// # async fn main() -> Result<(), sandbox_process::Error> {
/// use sandbox_process::Process;
///
/// let process = Process::local().await?;
/// # let dir = process.exec("mktemp -d").await?.stdout_lossy().trim().to_owned();
/// # let path = format!("{dir}/notes.txt");
/// # let path = path.as_str();
/// let files = process.files();
/// files.write(path, "milk\n").await?;
/// assert_eq!(process.command("cat").arg(path).await?.stdout, "milk\n");
/// assert_eq!(files.read_to_string(path).await?, "milk\n");
/// # files.remove_dir_all(&dir).await?;
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "embedded"))]
/// # fn main() {}
/// ```
#[derive(Debug, Clone)]
pub struct Files {
    pub(super) client: Client,
}

impl Files {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Returns the operations of the transport when it may be used.
    pub(crate) async fn api(&self) -> Result<Arc<dyn FilesApi>, Error> {
        Ok(self.client.ready().await?.files())
    }

    async fn open(&self, path: &Path) -> Result<sandbox_transport::FileReader, Error> {
        self.api().await?.read(path).await
    }

    /// Reads a whole file into memory. [`reader`](Self::reader) reads a large one in pieces.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a directory, and for what is not a regular file.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// let bytes = files.read("data.bin").await?;
    /// println!("{} bytes", bytes.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
        let mut reader = self.open(path.as_ref()).await?;
        let capacity = reader.size().unwrap_or(0).min(PREALLOCATED_BYTES);
        let mut bytes = Vec::with_capacity(usize::try_from(capacity).unwrap_or(0));
        while let Some(piece) = reader.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes)
    }

    /// Reads a whole file into a string.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read), and an error of kind [`InvalidInput`](ErrorKind::InvalidInput) if the file is not UTF-8.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// let text = files.read_to_string("notes.txt").await?;
    /// println!("{text}");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn read_to_string(&self, path: impl AsRef<Path>) -> Result<String, Error> {
        let bytes = self.read(path).await?;
        String::from_utf8(bytes).map_err(|error| {
            let message = "the file is not UTF-8";
            Error::new(ErrorKind::InvalidInput, Delivery::Uncertain, message).with_source(error)
        })
    }

    /// Writes a file, and creates missing directories above it. `content` is bytes, a text, or a [stream](FileContent::stream).
    ///
    /// The file is replaced in one step when all of the content has arrived: a reader never sees a part of it. A file that is
    /// replaced retains its mode. (Stock daemons write the file in place.)
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the content was sent, the file remains as it was; after that, it is written or it is not.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a directory. Its
    /// [code](Error::code) is `INSUFFICIENT_STORAGE` if the disk is full.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// files.write("notes.txt", "milk\n").await?;
    /// assert_eq!(files.read("notes.txt").await?, b"milk\n");
    /// # Ok(())
    /// # }
    /// ```
    pub async fn write(
        &self,
        path: impl AsRef<Path>,
        content: impl Into<FileContent>,
    ) -> Result<(), Error> {
        let files = self.api().await?;
        files.write(path.as_ref(), content.into()).await
    }

    /// Opens a file to be read in pieces. A connection that is cut is replaced, and reading continues where it was, if the
    /// daemon supports that (this project's does).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncReadExt;
    ///
    /// let mut reader = files.reader("data.bin").await?;
    /// let mut start = [0; 16];
    /// reader.read_exact(&mut start).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reader(&self, path: impl AsRef<Path>) -> Result<FileReader, Error> {
        let reader = self.open(path.as_ref()).await?;
        Ok(FileReader::new(reader, self.client.clone()))
    }

    /// Returns a writer of a file, as [`write`](Self::write) writes it. [`FileWriter::finish`] puts the file in its place;
    /// a writer that is dropped before leaves the file as it was.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of the preparation of the transport; see [`Process::new`](crate::Process::new). What the daemon refuses is an error of
    /// the writer.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut writer = files.writer("data.bin").await?;
    /// writer.write_all(b"some bytes").await?;
    /// writer.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn writer(&self, path: impl AsRef<Path>) -> Result<FileWriter, Error> {
        let files = self.api().await?;
        Ok(FileWriter::new(files, path.as_ref(), self.client.clone()))
    }

    /// Lists a directory, in the order of the names. Links are not followed.
    ///
    /// [`Matches::is_truncated`] reports whether a limit of the daemon was reached; this project's daemon lists at most 100,000
    /// entries over HTTP.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what is not a directory.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in files.list("src").await? {
    ///     println!("{} {}", entry.name().display(), entry.size);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(&self, path: impl AsRef<Path>) -> Result<Matches<FileInfo>, Error> {
        self.list_depth(path, 1).await
    }

    /// Lists a directory and those below it, down to a depth; 1 is the directory alone. Daemons before 0.226 may list the
    /// directory alone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list), and an error of kind [`InvalidInput`](ErrorKind::InvalidInput) for a depth of 0.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// for entry in files.list_depth("src", 3).await? {
    ///     println!("{}", entry.path.display());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_depth(
        &self,
        path: impl AsRef<Path>,
        depth: u32,
    ) -> Result<Matches<FileInfo>, Error> {
        let files = self.api().await?;
        let mut listed = files.list(path.as_ref(), depth).await?;
        listed.items.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listed)
    }

    /// Returns the type, the length, the permissions and the time of a file. Links are followed.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the path is not valid.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// let info = files.metadata("notes.txt").await?;
    /// println!("{} bytes, mode {:o}", info.size, info.mode);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn metadata(&self, path: impl AsRef<Path>) -> Result<FileInfo, Error> {
        let files = self.api().await?;
        files.metadata(path.as_ref()).await
    }

    /// Returns whether a file or a directory has this path. A link that leads nowhere does not count.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`metadata`](Self::metadata), except for [`NotFound`](ErrorKind::NotFound).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// if !files.exists("notes.txt").await? {
    ///     files.write("notes.txt", "").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exists(&self, path: impl AsRef<Path>) -> Result<bool, Error> {
        match self.metadata(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What is reserved for a file before its bytes arrive; the daemon may report any length.
const PREALLOCATED_BYTES: u64 = 16 * 1024 * 1024;
