//! The operations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::{self, ArchiveReader, ArchiveWriter, Packed, Source};
use crate::blocking::Blocking;
use crate::change::{self, Permissions};
use crate::find::{self, Cancel, Line, Matches, Names};
use crate::limits::{ARCHIVES, CALLS, WALKS};
use crate::part::{Part, Sync};
use crate::reader::Blocks;
use crate::root::Root;
use crate::{Entry, Error, Metadata, Page, PageOptions, Reader, Writer, list, reader, replace};

/// The files of the system, or those below a root.
///
/// Relative paths are relative to the work directory, and a `~` that is their first name stands for the home directory, if
/// there is one. Symbolic links are followed, and below a root they never lead out of it: its `/` is the root.
///
/// Clones are cheap and share what bounds them: at most [`CALLS`] calls on the file system are made at a time, on threads of
/// the runtime that may block, so that a file system which does not respond holds up these operations and nothing else.
#[derive(Debug, Clone)]
pub struct Files {
    root: Arc<Root>,
    calls: Blocking,
    walks: Blocking,
    archives: Blocking,
}

/// How a file is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Its permissions, at most `0o7777`. Without, they stay as they are, or are `0o666` less what the umask takes.
    pub mode: Option<u32>,
    /// Whether missing directories are made, with the mode `0o755`.
    pub create_dirs: bool,
    /// Whether the content and the name are on the disk when [`Writer::finish`] returns.
    pub sync: bool,
}

impl Files {
    /// Returns the files of the whole system, as the user of this process sees them.
    pub fn system(work_dir: impl AsRef<Path>) -> Self {
        Self::new(Root::of_the_system(work_dir.as_ref()))
    }

    /// Returns the files below a directory, which is `/` for all paths, also as the work directory.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if the kernel cannot do it, and whatever keeps the directory from being opened.
    pub fn below(root: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self::new(Root::confined(root.as_ref())?))
    }

    fn new(root: Root) -> Self {
        Self {
            root: Arc::new(root),
            calls: Blocking::new(CALLS),
            walks: Blocking::new(WALKS),
            archives: Blocking::new(ARCHIVES),
        }
    }

    /// Sets the directory that relative paths are relative to.
    ///
    /// # Panics
    ///
    /// Panics if there are clones already.
    #[must_use]
    pub fn with_work_dir(mut self, work_dir: impl AsRef<Path>) -> Self {
        self.root_mut().set_work_dir(work_dir.as_ref());
        self
    }

    /// Sets what `~` stands for at the beginning of a path.
    ///
    /// # Panics
    ///
    /// Panics if there are clones already.
    #[must_use]
    pub fn with_home(mut self, home: impl Into<PathBuf>) -> Self {
        self.root_mut().set_home(home.into());
        self
    }

    fn root_mut(&mut self) -> &mut Root {
        Arc::get_mut(&mut self.root)
            .expect("the builder's methods are called before there are clones")
    }

    /// Returns a path as it is from the root on. Nothing needs to have it, and links in it are not followed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPath`] if it is empty or there is a NUL in it.
    pub fn absolute(&self, path: impl AsRef<Path>) -> Result<PathBuf, Error> {
        self.root.absolute(path.as_ref())
    }

    /// Makes a call on the file system with the absolute path.
    async fn call<T: Send + 'static>(
        &self,
        path: impl AsRef<Path>,
        call: impl FnOnce(&Root, &Path) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let path = self.absolute(path)?;
        let root = self.root.clone();
        self.calls.call(move || call(&root, &path)).await
    }

    /// Returns what the system knows of a file. Links are followed.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::AccessDenied`], [`Error::InvalidPath`] and what the system reports.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn metadata(&self, path: impl AsRef<Path>) -> Result<Metadata, Error> {
        let look = |root: &Root, path: &Path| Ok(Metadata::of(&root.look(path)?.1));
        self.call(path, look).await
    }

    /// Returns what the system knows of a file, or of the link that has this path.
    ///
    /// # Errors
    ///
    /// As [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn symlink_metadata(&self, path: impl AsRef<Path>) -> Result<Metadata, Error> {
        let look = |root: &Root, path: &Path| Ok(Metadata::of(&root.look_at_link(path)?));
        self.call(path, look).await
    }

    /// Returns what is in a directory, and for a `depth` of more than 1 what is so many levels below it, in the order of the
    /// paths. Links are not followed.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn list(
        &self,
        path: impl AsRef<Path>,
        depth: usize,
    ) -> Result<Matches<Entry>, Error> {
        self.call(path, move |root, path| list::list(root, path, depth))
            .await
    }

    /// Returns one page of the entries that [`list`](Self::list) returns. A directory may have any number of them; each page reads
    /// it anew, so that an entry which exists meanwhile is in exactly one page.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the listing ends.
    pub async fn page(&self, path: impl AsRef<Path>, options: PageOptions) -> Result<Page, Error> {
        let path = self.absolute(path)?;
        let cancel = Cancel::default();
        let (root, cancelled) = (self.root.clone(), cancel.0.clone());
        let page = move || list::page(&root, &path, &options, &cancelled);
        self.walks.call(page).await
    }

    /// Creates a directory with those above it that are missing; one that exists is left as it is. `mode` is that of the
    /// directory itself, whatever the umask is; without, and for those above, it is `0o755` less what the umask takes.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`] if something else has this path or one above it, [`Error::DiskFull`], and as
    /// [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the directory may be created or not.
    pub async fn create_dir(&self, path: impl AsRef<Path>, mode: Option<u32>) -> Result<(), Error> {
        self.call(path, move |root, path| change::create_dir(root, path, mode))
            .await
    }

    /// Removes a file, or a link, which is not followed.
    ///
    /// # Errors
    ///
    /// [`Error::IsADirectory`], and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the file may be removed or not.
    pub async fn remove_file(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.call(path, |root, path| change::remove(root, path, false))
            .await
    }

    /// Removes a file, a link, or a directory with everything in it.
    ///
    /// # Errors
    ///
    /// [`Error::TooDeep`], [`Error::NotEmpty`] if files are made in it meanwhile, and as [`metadata`](Self::metadata). Part of
    /// what is in a directory may be removed then.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the removal goes on.
    pub async fn remove_all(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        self.call(path, |root, path| change::remove(root, path, true))
            .await
    }

    /// Moves a file or a directory; a file takes the place of one that has the path already. To another file system, it is
    /// copied, appears at its new path in one step, and is removed then. A copy that fails leaves nothing. Owners, permissions,
    /// times, links, holes and extended attributes are copied as far as this user and the file system can; a file with several
    /// names is copied once for each, and set-user-id and set-group-id bits are not copied.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] if a directory has the path already, or a file has that of a directory; to another file system,
    /// [`Error::NotRegular`] if there are pipes, sockets or devices, [`Error::OtherFileSystem`] if one is mounted below, and what
    /// keeps the source from being removed, which then remains in part beside the complete copy; and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the move goes on.
    pub async fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), Error> {
        let to = self.absolute(to)?;
        self.call(from, move |root, from| change::rename(root, from, &to))
            .await
    }

    /// Sets the permissions of a file. Links are followed.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownOwner`], and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, they may be set or not.
    pub async fn set_permissions(
        &self,
        path: impl AsRef<Path>,
        permissions: Permissions,
    ) -> Result<(), Error> {
        let set = |root: &Root, path: &Path| change::set_permissions(root, path, permissions);
        self.call(path, set).await
    }

    /// Opens a regular file to be read from its beginning.
    ///
    /// # Errors
    ///
    /// [`Error::IsADirectory`], [`Error::NotRegular`] for what could block, and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn reader(&self, path: impl AsRef<Path>) -> Result<Reader, Error> {
        let open = |root: &Root, path: &Path| {
            let (file, stat) = root.open_file(path)?;
            let metadata = Metadata::of(&stat);
            let end = reader::end_of(&file, metadata.size)?;
            Ok((file, metadata, end))
        };
        let (file, metadata, end) = self.call(path, open).await?;
        Ok(Reader {
            file: Arc::new(file),
            metadata,
            offset: 0,
            limit: u64::MAX,
            end,
            blocks: Blocks::default(),
            blocking: self.calls.clone(),
        })
    }

    /// Starts a file that takes the place of whatever regular file has the path, in one step when it is complete. A link at the
    /// end of the path is followed.
    ///
    /// The owner, the permissions, the access control list and the extended attributes of users of a file that is replaced stay;
    /// the set-user-id and set-group-id bits do not, as with any write. A file with several names (hard links) is replaced under
    /// this one only. Its time of creation and its inode change.
    ///
    /// Where a new file cannot take the place of the old one, its complete content is copied into the old one instead, as `cp`
    /// does: if that is a mount point or belongs to another user, or if its directory may not be written to. A process that
    /// reads meanwhile may see some of both contents. A full disk is noticed before the first byte changes, if the file system
    /// can reserve space. The content waits in the directory for temporary files where there is no other place.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if the directory does not exist, [`Error::IsADirectory`], [`Error::NotRegular`],
    /// [`Error::AccessDenied`], also for a file that this user may not write, and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left but directories that were missing.
    pub async fn writer(
        &self,
        path: impl AsRef<Path>,
        options: WriteOptions,
    ) -> Result<Writer, Error> {
        let sync = if options.sync { Sync::Disk } else { Sync::No };
        let start = move |root: &Root, path: &Path| {
            if options.create_dirs {
                let parent = path.parent().ok_or(Error::InvalidPath("it has no name"))?;
                root.make_dirs(parent)?;
            }
            Part::new(root.place_of_target(path)?, options.mode)
        };
        let part = self.call(path, start).await?;
        Ok(Writer::new(part, sync, self.calls.clone()))
    }

    /// Returns the lines with a text in a file, or in the files below a directory. Links are not followed; files with a NUL
    /// count as binary and end there; what cannot be read is passed over.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPattern`] for the empty text, and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the search ends.
    pub async fn find(
        &self,
        path: impl AsRef<Path>,
        text: impl Into<String>,
    ) -> Result<Matches<Line>, Error> {
        let (path, text) = (self.absolute(path)?, text.into());
        let cancel = Cancel::default();
        let (root, cancelled) = (self.root.clone(), cancel.0.clone());
        let find = move || find::find(&root, &path, &text, &cancelled);
        self.walks.call(find).await
    }

    /// Returns the paths below a directory whose last name matches a pattern: `*`, `?`, `[a-z]` and `{a,b}`. A pattern with a
    /// `/` is for the whole path from the directory on, where `**` stands for any directories. Links are not followed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPattern`], and as [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the search ends.
    pub async fn search(
        &self,
        path: impl AsRef<Path>,
        pattern: &str,
    ) -> Result<Matches<PathBuf>, Error> {
        let (path, names) = (self.absolute(path)?, Names::new(pattern)?);
        let cancel = Cancel::default();
        let (root, cancelled) = (self.root.clone(), cancel.0.clone());
        let search = move || find::search(&root, &path, &names, &cancelled);
        self.walks.call(search).await
    }

    /// Archives a directory with everything in it, or a file, as a tar archive that is read while it is created.
    ///
    /// Names are relative to the directory, which is itself the first entry. Modes, times and symbolic links are retained; a file
    /// with several names is archived once for each. Pipes, sockets and devices are left out and counted.
    ///
    /// # Errors
    ///
    /// [`Error::NotRegular`], and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn read_archive(&self, path: impl AsRef<Path>) -> Result<ArchiveReader, Error> {
        let source = self.call(path, Source::open).await?;
        let (outgoing, receiver) = archive::outgoing();
        let packing = self.archives.start(move || archive::pack(source, outgoing));
        Ok(ArchiveReader {
            receiver,
            packed: Packed::Running(packing.await?),
        })
    }

    /// Starts to extract a tar archive into a directory, which is created with those above it if it is missing.
    ///
    /// Every file is complete before it has its name, and takes the place of a file or a link. Modes, times and symbolic links
    /// are retained; owners are not, nor the set-user-id and set-group-id bits. A directory that exists already keeps its mode.
    /// No entry is extracted outside of the directory.
    ///
    /// # Errors
    ///
    /// [`Error::NotADirectory`], [`Error::Unsupported`], and as [`metadata`](Self::metadata).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the directory may be created or not.
    pub async fn write_archive(&self, path: impl AsRef<Path>) -> Result<ArchiveWriter, Error> {
        let target = self.call(path, archive::Target::open).await?;
        let (sender, incoming) = archive::incoming();
        let unpacking = self
            .archives
            .start(move || archive::unpack(target, incoming));
        Ok(ArchiveWriter {
            sender,
            unpacking: unpacking.await?,
        })
    }

    /// Replaces every occurrence of a text in a file by another, and returns how many there were. The file changes in one step,
    /// and not at all if there was none.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidPattern`] for an empty text or one that is too long, and as [`writer`](Self::writer).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the replacement goes on.
    pub async fn replace(
        &self,
        path: impl AsRef<Path>,
        old: impl Into<Vec<u8>>,
        new: impl Into<Vec<u8>>,
    ) -> Result<u64, Error> {
        let (old, new) = (old.into(), new.into());
        self.call(path, move |root, path| {
            replace::replace(root, path, &old, &new)
        })
        .await
    }
}
