//! Files: read, written, searched and transferred.
//!
//! [`Process::files`](crate::Process::files) returns a handle whose methods have the names of [`std::fs`]. Paths are those of the
//! sandbox; a relative path is relative to the daemon's working directory.
//!
//! ```no_run
//! use sandbox_process::Process;
//!
//! # async fn example(process: Process) -> Result<(), sandbox_process::Error> {
//! let files = process.files();
//! files.write("input/data.csv", "a,b\n1,2\n").await?;
//! process.exec("wc -l < input/data.csv > lines.txt").await?;
//! println!("{}", files.read_to_string("lines.txt").await?);
//!
//! for entry in files.list("input").await? {
//!     println!("{:o} {} {}", entry.mode, entry.size, entry.name().display());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A file is replaced in one step when all of it has arrived. What is interrupted leaves the file as it was. Owner, permissions,
//! access control list and extended attributes stay; other names of the file (hard links) retain the old content. A file that is a
//! mount point or another user's, or is in a directory that may not be written to, is overwritten as `cp` does it: also when all
//! has arrived, but not in one step.
//!
//! # Large files
//!
//! Readers and writers hold one piece of a file at a time, whatever its length. A read that is cut continues where it was.
//!
//! ```no_run
//! use sandbox_process::Process;
//! use tokio::io::AsyncWriteExt;
//!
//! # async fn example(process: Process) -> Result<(), Box<dyn std::error::Error>> {
//! let files = process.files();
//! let mut reader = files.reader("big.bin").await?;
//! println!("{:?} bytes", reader.size());
//! let mut writer = files.writer("copy.bin").await?;
//! tokio::io::copy_buf(&mut reader, &mut writer).await?;
//! writer.finish().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # To this machine and from it
//!
//! ```no_run
//! # async fn example(process: sandbox_process::Process) -> Result<(), sandbox_process::Error> {
//! let files = process.files();
//! files.upload("model.bin", "/workspace/model.bin").await?;
//! files.upload_dir("src", "/workspace/src").await?;
//! let received = files.download_dir("/workspace/results", "results").await?;
//! println!("{} files, {} bytes", received.files, received.bytes);
//! # Ok(())
//! # }
//! ```
//!
//! A directory is one request. Permissions and symbolic links are retained; nothing is written outside of the target, whatever
//! the sandbox sends. What is left out, such as a named pipe, is in
//! [`skipped_paths`](crate::ArchiveSummary::skipped_paths). With a stock daemon, each file is a request, and links are left out.
//!
//! # Errors
//!
//! The [kind](crate::Error::kind) is [`NotFound`](crate::ErrorKind::NotFound), [`PermissionDenied`](crate::ErrorKind::PermissionDenied),
//! [`InvalidInput`](crate::ErrorKind::InvalidInput) for a directory in place of a file and the reverse,
//! [`Conflict`](crate::ErrorKind::Conflict) if something else has the path, and [`Local`](crate::ErrorKind::Local) for the files of
//! this machine. The [code](crate::Error::code) is more specific: `INSUFFICIENT_STORAGE` is a full disk.
