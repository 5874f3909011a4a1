//! Every bound of this crate, in one place; LIMITS.md has a row for each.

use std::time::Duration;

/// Calls on the file system at a time, of all clones of a [`Files`](crate::Files); more wait. A file system that does not
/// respond holds no more threads than these.
pub const CALLS: usize = 64;

/// Longest wait for one of these [`CALLS`].
pub const CALL_WAIT: Duration = Duration::from_secs(30);

/// Bytes that are read from a file in one call. A [`Reader`](crate::Reader) retains the memory of two such pieces.
pub const READ_BYTES: usize = 256 * 1024;

/// Bytes that a [`Writer`](crate::Writer) gathers before it writes them. With the last piece, which is copied if it is at most twice
/// as long, it retains memory for three times as many.
pub const WRITE_BYTES: usize = 256 * 1024;

/// Entries of a listing.
pub const LIST_ENTRIES: usize = 100_000;

/// Entries of one page of a listing. Each page reads the whole directory.
pub const PAGE_ENTRIES: usize = 10_000;

/// Bytes of the absolute paths of one page, together, but for its first; a page with longer ones has fewer entries.
pub const PAGE_BYTES: usize = 1024 * 1024;

/// Names that a search finds.
pub const SEARCH_NAMES: usize = 100_000;

/// Lines that a search in files finds.
pub const FIND_LINES: usize = 10_000;

/// Bytes of these lines, together.
pub const FIND_BYTES: usize = 16 * 1024 * 1024;

/// Longest line of a file in which is searched; the rest of a file with a longer one is not searched.
pub const LINE_BYTES: usize = 1024 * 1024;

/// Searches in files and for names that run at a time; more wait for [`CALL_WAIT`].
pub const WALKS: usize = 4;

/// Threads of one search.
pub const WALK_THREADS: usize = 4;

/// Levels of directories below the one where a listing, a search or a deletion begins.
pub const WALK_DEPTH: usize = 256;

/// Directories of which a search knows and which it has not read yet.
pub const WALK_PENDING: usize = 16_384;

/// Bytes of a text that is replaced in files, and of the one in its place.
pub const REPLACE_TEXT_BYTES: usize = 1024 * 1024;

/// Archives that are created or extracted at a time; more wait for [`CALL_WAIT`].
pub const ARCHIVES: usize = 16;

/// Pieces of an archive, of up to [`READ_BYTES`] each, that are created before they are read, or written before they are
/// extracted.
pub const ARCHIVE_PIECES: usize = 2;

/// Bytes of a name of an entry in an archive that is extracted, or of the records with it.
pub const ARCHIVE_NAME_BYTES: usize = 1024 * 1024;

/// Directories of an archive that get their modes and times after the entries that follow them; with more, the first ones get
/// theirs earlier.
pub const ARCHIVE_DIRECTORIES: usize = 4096;

/// Paths of entries that an archive leaves out and names.
pub const ARCHIVE_SKIPPED: usize = 100;

/// Symbolic links that the last name of a path may lead through, as in Linux.
pub const LINKS: usize = 40;
