//! Operations that change files or search in them.

use std::path::{Path, PathBuf};

#[cfg(doc)]
use sandbox_transport::ErrorKind;
use sandbox_transport::{Error, FoundLine, Matches, Permissions, ReplaceOutcome};

use super::Files;

/// Changes and searches.
impl Files {
    /// Creates a directory and those above it that are missing. A directory that exists is left as it is.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the directory may or may not be created.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if something else has the path.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// files.create_dir_all("a/b/c").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn create_dir_all(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let files = self.api().await?;
        files.create_dir(path.as_ref(), None).await
    }

    /// Removes a file, or a link, which is not followed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file may or may not be removed.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a directory.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// files.remove_file("notes.txt").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let files = self.api().await?;
        files.remove(path.as_ref()).await
    }

    /// Removes a directory with everything in it; or a file, or a link, which is not followed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the removal continues.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the path
    /// is not valid. A part of the directory may be removed then.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// files.remove_dir_all("target").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn remove_dir_all(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let files = self.api().await?;
        files.remove_all(path.as_ref()).await
    }

    /// Moves a file or a directory. A file replaces a file at the target.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the move continues.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if a path is not valid; and
    /// of kind [`Conflict`](ErrorKind::Conflict) if a directory has the target's path.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// files.rename("draft.txt", "final.txt").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), Error> {
        let files = self.api().await?;
        files.rename(from.as_ref(), to.as_ref()).await
    }

    /// Sets the mode, the owner or the group of a file. Links are followed.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the permissions may or may not be set.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the daemon knows no such
    /// owner or group.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// use sandbox_process::Permissions;
    ///
    /// files.set_permissions("run.sh", Permissions::from_mode(0o755)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn set_permissions(
        &self,
        path: impl AsRef<Path>,
        permissions: Permissions,
    ) -> Result<(), Error> {
        let files = self.api().await?;
        files.set_permissions(path.as_ref(), permissions).await
    }

    /// Finds the lines that contain a text, in a file or in the files below a directory. Binary files are skipped.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for the empty text.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// for line in files.find("src", "fn main").await? {
    ///     println!("{}:{}: {}", line.path.display(), line.number, line.text);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn find(
        &self,
        path: impl AsRef<Path>,
        text: &str,
    ) -> Result<Matches<FoundLine>, Error> {
        let files = self.api().await?;
        files.find(path.as_ref(), text).await
    }

    /// Finds the paths below a directory whose last name matches a pattern, such as `*.rs`.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing changes.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`NotFound`](ErrorKind::NotFound) if nothing has the path, of kind
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) if the daemon's user may not do this, and of kind
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a pattern
    /// that is not valid.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// for path in files.search("src", "*.rs").await? {
    ///     println!("{}", path.display());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn search(
        &self,
        path: impl AsRef<Path>,
        pattern: &str,
    ) -> Result<Matches<PathBuf>, Error> {
        let files = self.api().await?;
        files.search(path.as_ref(), pattern).await
    }

    /// Replaces every occurrence of a text in files. Each file changes in one step or not at all.
    ///
    /// The results are in the order of the paths; an error in one file is in its result.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the replacement continues.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`InvalidInput`](ErrorKind::InvalidInput) for the empty text.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn example(files: sandbox_process::Files) -> Result<(), Box<dyn std::error::Error>> {
    /// for result in files.replace(["a.txt", "b.txt"], "old", "new").await? {
    ///     if let Some(error) = result.error {
    ///         println!("{}: {error}", result.path.display());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replace<P: Into<PathBuf>>(
        &self,
        paths: impl IntoIterator<Item = P>,
        old: &str,
        new: &str,
    ) -> Result<Vec<ReplaceOutcome>, Error> {
        let paths: Vec<_> = paths.into_iter().map(Into::into).collect();
        let files = self.api().await?;
        files.replace(&paths, old, new).await
    }
}
