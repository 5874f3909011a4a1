//! Files by the names of the official SDKs.

use std::path::{Path, PathBuf};

use sandbox_transport::{
    Error, FileContent, FileInfo, FoundLine, Matches, Permissions, ReplaceOutcome,
};

use crate::files::Files;

/// Files, by the names of the [official SDKs](crate::sdk).
impl Files {
    /// Writes a file. See [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub async fn upload_file(
        &self,
        content: impl Into<FileContent>,
        path: impl AsRef<Path>,
    ) -> Result<(), Error> {
        self.write(path, content).await
    }

    /// Reads a whole file into memory. See [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// Those of [`read`](Self::read).
    pub async fn download_file(&self, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
        self.read(path).await
    }

    /// Lists a directory. See [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// As for [`list`](Self::list).
    ///
    /// # Errors
    ///
    /// Those of [`list`](Self::list).
    pub async fn list_files(&self, path: impl AsRef<Path>) -> Result<Matches<FileInfo>, Error> {
        self.list(path).await
    }

    /// Returns the metadata of a file. See [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// As for [`metadata`](Self::metadata).
    ///
    /// # Errors
    ///
    /// Those of [`metadata`](Self::metadata).
    pub async fn get_file_info(&self, path: impl AsRef<Path>) -> Result<FileInfo, Error> {
        self.metadata(path).await
    }

    /// Creates a directory with these permissions, and those above it that are missing. See [`create_dir_all`](Self::create_dir_all).
    ///
    /// # Cancel safety
    ///
    /// As for [`create_dir_all`](Self::create_dir_all).
    ///
    /// # Errors
    ///
    /// Those of [`create_dir_all`](Self::create_dir_all).
    pub async fn create_folder(&self, path: impl AsRef<Path>, mode: u32) -> Result<(), Error> {
        let files = self.api().await?;
        files.create_dir(path.as_ref(), Some(mode)).await
    }

    /// Removes a file. See [`remove_file`](Self::remove_file).
    ///
    /// # Cancel safety
    ///
    /// As for [`remove_file`](Self::remove_file).
    ///
    /// # Errors
    ///
    /// Those of [`remove_file`](Self::remove_file).
    pub async fn delete_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.remove_file(path).await
    }

    /// Moves a file or a directory. See [`rename`](Self::rename).
    ///
    /// # Cancel safety
    ///
    /// As for [`rename`](Self::rename).
    ///
    /// # Errors
    ///
    /// Those of [`rename`](Self::rename).
    pub async fn move_files(
        &self,
        source: impl AsRef<Path>,
        destination: impl AsRef<Path>,
    ) -> Result<(), Error> {
        self.rename(source, destination).await
    }

    /// Finds the lines that contain a text. See [`find`](Self::find).
    ///
    /// # Cancel safety
    ///
    /// As for [`find`](Self::find).
    ///
    /// # Errors
    ///
    /// Those of [`find`](Self::find).
    pub async fn find_files(
        &self,
        path: impl AsRef<Path>,
        pattern: &str,
    ) -> Result<Matches<FoundLine>, Error> {
        self.find(path, pattern).await
    }

    /// Finds the paths whose last name matches a pattern. See [`search`](Self::search).
    ///
    /// # Cancel safety
    ///
    /// As for [`search`](Self::search).
    ///
    /// # Errors
    ///
    /// Those of [`search`](Self::search).
    pub async fn search_files(
        &self,
        path: impl AsRef<Path>,
        pattern: &str,
    ) -> Result<Matches<PathBuf>, Error> {
        self.search(path, pattern).await
    }

    /// Replaces a text in files. See [`replace`](Self::replace).
    ///
    /// # Cancel safety
    ///
    /// As for [`replace`](Self::replace).
    ///
    /// # Errors
    ///
    /// Those of [`replace`](Self::replace).
    pub async fn replace_in_files(
        &self,
        files: &[PathBuf],
        pattern: &str,
        new_value: &str,
    ) -> Result<Vec<ReplaceOutcome>, Error> {
        self.replace(files.iter().cloned(), pattern, new_value)
            .await
    }

    /// Sets the permissions of a file. See [`set_permissions`](Self::set_permissions).
    ///
    /// # Cancel safety
    ///
    /// As for [`set_permissions`](Self::set_permissions).
    ///
    /// # Errors
    ///
    /// Those of [`set_permissions`](Self::set_permissions).
    pub async fn set_file_permissions(
        &self,
        path: impl AsRef<Path>,
        permissions: Permissions,
    ) -> Result<(), Error> {
        self.set_permissions(path, permissions).await
    }
}
