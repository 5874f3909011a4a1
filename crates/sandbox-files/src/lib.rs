//! File operations for sandboxes: streamed, atomic, and confined below a root.
//!
//! [`Files`] is the whole system as this process's user sees it, or what is below a directory. A file is written beside its
//! target and takes its place in one step, so that a reader never sees half of it, and a writer that ends early leaves nothing.
//! Nothing is ever in memory whole.
//!
//! # Examples
//!
//! ```
//! use sandbox_files::{Files, WriteOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! let files = Files::below(dir.path())?;
//!
//! let options = WriteOptions { create_dirs: true, ..WriteOptions::default() };
//! let mut writer = files.writer("notes/today.txt", options).await?;
//! writer.write("milk\nbread\n".into()).await?;
//! writer.finish().await?;
//!
//! let mut reader = files.reader("notes/today.txt").await?;
//! assert_eq!(reader.next().await?.as_deref(), Some(&b"milk\nbread\n"[..]));
//!
//! let found = files.find(".", "bread").await?;
//! assert_eq!(found.found[0].number, 2);
//! # Ok(())
//! # }
//! ```
//!
//! | for | there is |
//! |---|---|
//! | one file | [`Files::reader`], [`Files::writer`] |
//! | a directory as a tar archive | [`Files::read_archive`], [`Files::write_archive`] |
//! | entries of a directory | [`Files::list`], [`Files::page`], [`Files::metadata`] |
//! | files by name or content | [`Files::search`], [`Files::find`], and [`Files::replace`] |
//! | changes | [`Files::create_dir`], [`Files::rename`], [`Files::set_permissions`], [`Files::remove_all`] |
//!
//! # Limits
//!
//! A transfer takes a block of memory, whatever the file's length; listings and searches end at a bound and say so. The numbers
//! are in [`limits`].
#![forbid(unsafe_code)]

mod archive;
mod attributes;
mod blocking;
mod change;
mod descent;
mod error;
mod files;
mod find;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod list;
mod metadata;
mod overwrite;
mod owner;
mod part;
mod reader;
mod replace;
mod root;
mod transfer;
mod walk;
mod writer;

pub use archive::{ArchiveError, ArchiveReader, ArchiveSummary, ArchiveWriter};
pub use change::Permissions;
pub use error::Error;
pub use files::{Files, WriteOptions};
pub use find::{Line, Matches};
pub use list::{Page, PageOptions};
pub use metadata::{Entry, FileKind, Metadata};
pub use owner::Owner;
pub use reader::Reader;
pub use writer::Writer;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
