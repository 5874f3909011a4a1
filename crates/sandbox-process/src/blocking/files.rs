//! Files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::waiting::Waiter;
use super::{Process, Streaming};
#[cfg(all(unix, not(sandbox_portable)))]
use crate::ArchiveSummary;
use crate::{
    Error, FileContent, FileInfo, FileReader, FileWriter, FoundLine, Matches, Permissions,
    ReplaceOutcome,
};

/// Files.
impl Process {
    /// Returns the files of the sandbox.
    pub fn files(&self) -> Files {
        Files {
            inner: self.as_async().files(),
            waiter: Arc::clone(&self.waiter),
        }
    }
}

/// The files of a sandbox. See [`crate::Files`].
#[derive(Debug, Clone)]
pub struct Files {
    inner: crate::Files,
    waiter: Arc<Waiter>,
}

/// Methods that wait for their namesakes.
macro_rules! files {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Files {
            $(
                #[doc = concat!("Waits for [`crate::Files::", stringify!($name), "`].")]
                ///
                /// # Errors
                ///
                /// Those of its namesake.
                pub fn $name(&self, $($argument: $type),*) -> Result<$result, Error> {
                    self.waiter.block_on(self.inner.$name($($argument),*))
                }
            )*
        }
    };
}

files! {
    read(path: impl AsRef<Path>) -> Vec<u8>;
    read_to_string(path: impl AsRef<Path>) -> String;
    write(path: impl AsRef<Path>, content: impl Into<FileContent>) -> ();
    list(path: impl AsRef<Path>) -> Matches<FileInfo>;
    list_depth(path: impl AsRef<Path>, depth: u32) -> Matches<FileInfo>;
    metadata(path: impl AsRef<Path>) -> FileInfo;
    exists(path: impl AsRef<Path>) -> bool;
    create_dir_all(path: impl AsRef<Path>) -> ();
    remove_file(path: impl AsRef<Path>) -> ();
    remove_dir_all(path: impl AsRef<Path>) -> ();
    rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> ();
    set_permissions(path: impl AsRef<Path>, permissions: Permissions) -> ();
    find(path: impl AsRef<Path>, text: &str) -> Matches<FoundLine>;
    search(path: impl AsRef<Path>, pattern: &str) -> Matches<PathBuf>;
    replace(paths: Vec<PathBuf>, old: &str, new: &str) -> Vec<ReplaceOutcome>;
    upload_file(content: impl Into<FileContent>, path: impl AsRef<Path>) -> ();
    download_file(path: impl AsRef<Path>) -> Vec<u8>;
    list_files(path: impl AsRef<Path>) -> Matches<FileInfo>;
    get_file_info(path: impl AsRef<Path>) -> FileInfo;
    create_folder(path: impl AsRef<Path>, mode: u32) -> ();
    delete_file(path: impl AsRef<Path>) -> ();
    move_files(source: impl AsRef<Path>, destination: impl AsRef<Path>) -> ();
    find_files(path: impl AsRef<Path>, pattern: &str) -> Matches<FoundLine>;
    search_files(path: impl AsRef<Path>, pattern: &str) -> Matches<PathBuf>;
    replace_in_files(files: &[PathBuf], pattern: &str, new_value: &str) -> Vec<ReplaceOutcome>;
    set_file_permissions(path: impl AsRef<Path>, permissions: Permissions) -> ();
}

impl Files {
    /// Opens a file, as [`Read`](std::io::Read).
    ///
    /// # Errors
    ///
    /// Those of [`crate::Files::reader`].
    pub fn reader(&self, path: impl AsRef<Path>) -> Result<Streaming<FileReader>, Error> {
        let reader = self.waiter.block_on(self.inner.reader(path))?;
        Ok(Streaming::new(reader, Arc::clone(&self.waiter)))
    }

    /// Returns a writer of a file, as [`Write`](std::io::Write). [`Streaming::shutdown`] puts the file in its place; a writer
    /// that is dropped before leaves the file as it was.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Files::writer`].
    pub fn writer(&self, path: impl AsRef<Path>) -> Result<Streaming<FileWriter>, Error> {
        let writer = self.waiter.block_on(self.inner.writer(path))?;
        Ok(Streaming::new(writer, Arc::clone(&self.waiter)))
    }

    /// Returns the async handle.
    pub fn as_async(&self) -> &crate::Files {
        &self.inner
    }
}

/// Transfers.
#[cfg(all(unix, not(sandbox_portable)))]
impl Files {
    /// Returns a transfer of a file of this machine to the sandbox. See [`crate::Files::upload`].
    pub fn upload(&self, local: impl AsRef<Path>, path: impl AsRef<Path>) -> Transfer {
        self.transfer(self.inner.upload(local, path))
    }

    /// Returns a transfer of a file of the sandbox to this machine. See [`crate::Files::download`].
    pub fn download(&self, path: impl AsRef<Path>, local: impl AsRef<Path>) -> Transfer {
        self.transfer(self.inner.download(path, local))
    }

    /// Returns a transfer of what is in a directory of this machine to the sandbox. See [`crate::Files::upload_dir`].
    pub fn upload_dir(&self, local: impl AsRef<Path>, path: impl AsRef<Path>) -> Transfer {
        self.transfer(self.inner.upload_dir(local, path))
    }

    /// Returns a transfer of what is in a directory of the sandbox to this machine. See [`crate::Files::download_dir`].
    pub fn download_dir(&self, path: impl AsRef<Path>, local: impl AsRef<Path>) -> Transfer {
        self.transfer(self.inner.download_dir(path, local))
    }

    fn transfer(&self, inner: crate::Transfer) -> Transfer {
        Transfer {
            inner,
            waiter: Arc::clone(&self.waiter),
        }
    }
}

/// A transfer between a sandbox and this machine. See [`crate::Transfer`].
#[cfg(all(unix, not(sandbox_portable)))]
#[derive(Debug)]
#[must_use = "nothing is transferred before its last method is called"]
pub struct Transfer {
    inner: crate::Transfer,
    waiter: Arc<Waiter>,
}

#[cfg(all(unix, not(sandbox_portable)))]
impl Transfer {
    /// Calls `report` with the number of bytes after each piece that was transferred.
    pub fn on_progress(mut self, report: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.inner = self.inner.on_progress(report);
        self
    }

    /// Carries the transfer out.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Transfer`].
    pub fn run(self) -> Result<ArchiveSummary, Error> {
        let inner = self.inner;
        self.waiter.block_on(async { inner.await })
    }
}
