//! `sandbox cp`: copies between this machine and a sandbox.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::ArgValueCompleter;
use sandbox_process::{ArchiveSummary, Channel, Error, Files, Transfer};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::place::{self, Place};
use crate::progress::Bytes;
use crate::{complete, exit, input, output, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct CpArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Copy directories with everything in them
    #[arg(long, short)]
    recursive: bool,

    /// What to copy: :PATH in the sandbox, or NAME:PATH in the one of this name, PATH on this machine, - for standard input
    #[arg(value_name = "SRC", value_parser = place::side(), add = ArgValueCompleter::new(complete::places))]
    source: Place,

    /// Where to: :PATH or NAME:PATH in a sandbox, PATH on this machine, - for standard output
    #[arg(value_name = "DST", value_parser = place::side(), add = ArgValueCompleter::new(complete::places))]
    destination: Place,
}

pub(crate) fn run(mut args: CpArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    args.name_sandbox()?;
    let is_json = args.format.json;
    let how = How {
        is_recursive: args.recursive,
        is_quiet: is_json,
        is_here: args.target.is_here(),
    };
    let copy = Copy::new(args.source, args.destination)?;
    if is_json && matches!(copy, Copy::ToStdout(_)) {
        return Err(CliError::Usage(
            "standard output is for the file, not for JSON",
        ));
    }
    target::with_process(args.target, token, None, async move |process| {
        let files = process.files();
        let copied = match copy {
            Copy::Up(from, to) => up(&files, from, to, how).await?,
            Copy::Down(from, to) => down(&files, from, to, how).await?,
            Copy::FromStdin(to) => from_stdin(&files, &to, is_json).await?,
            Copy::ToStdout(from) => to_stdout(&files, &from).await?,
        };
        report(&copied, is_json)?;
        Ok(Exit::SUCCESS)
    })
}

impl CpArgs {
    /// Takes the sandbox's name from the paths, where it may stand in place of the option.
    fn name_sandbox(&mut self) -> Result<(), CliError> {
        for place in [&self.source, &self.destination] {
            let Place::Sandbox(Some(name), _) = place else {
                continue;
            };
            let sandbox = self.target.sandbox.get_or_insert_with(|| name.clone());
            if sandbox != name {
                return Err(CliError::Usage("the paths are in different sandboxes"));
            }
        }
        match (&self.target.sandbox, &self.target.url) {
            (Some(_), Some(_)) => Err(CliError::Usage(
                "--url is for paths without the name of a sandbox; write ./ before the name of a file with a colon",
            )),
            _ => Ok(()),
        }
    }
}

/// What is copied where.
enum Copy {
    Up(PathBuf, PathBuf),
    Down(PathBuf, PathBuf),
    FromStdin(PathBuf),
    ToStdout(PathBuf),
}

impl Copy {
    fn new(from: Place, to: Place) -> Result<Self, CliError> {
        match (from, to) {
            (Place::Local(from), Place::Sandbox(_, to)) => Ok(Self::Up(from, to)),
            (Place::Sandbox(_, from), Place::Local(to)) => Ok(Self::Down(from, to)),
            (Place::Stream, Place::Sandbox(_, to)) => Ok(Self::FromStdin(to)),
            (Place::Sandbox(_, from), Place::Stream) => Ok(Self::ToStdout(from)),
            (Place::Sandbox(..), Place::Sandbox(..)) => Err(CliError::Usage(
                "both paths are in the sandbox; `sandbox exec cp` copies there",
            )),
            _ => Err(CliError::Usage(
                "one of the paths is in the sandbox: write it as :PATH",
            )),
        }
    }
}

/// How a file or a directory is copied.
#[derive(Debug, Clone, Copy)]
struct How {
    is_recursive: bool,
    is_quiet: bool,
    /// Whether the sandbox is this machine, so that both paths are in one tree.
    is_here: bool,
}

impl How {
    /// Checks that a directory may be copied: not into itself, which would have no end.
    fn check_dir(self, from: &Path, to: &Path) -> Result<(), CliError> {
        if !self.is_recursive {
            return Err(CliError::IsDirectory { path: from.into() });
        }
        if self.is_here && is_within(to, from) {
            return Err(CliError::Usage("a directory cannot be copied into itself"));
        }
        Ok(())
    }
}

/// Returns whether a path, which may not exist yet, is in a directory or is that directory.
fn is_within(path: &Path, dir: &Path) -> bool {
    let from_home = |path: &Path| match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => path.to_owned(),
    };
    let path = std::path::absolute(from_home(path)).unwrap_or_default();
    let existing = path
        .ancestors()
        .find_map(|ancestor| ancestor.canonicalize().ok());
    match (existing, from_home(dir).canonicalize()) {
        (Some(path), Ok(dir)) => path.starts_with(dir),
        _ => false,
    }
}

async fn up(
    files: &Files,
    from: PathBuf,
    to: PathBuf,
    how: How,
) -> Result<ArchiveSummary, CliError> {
    let found = std::fs::metadata(&from).map_err(|source| CliError::Read {
        path: from.clone(),
        source,
    })?;
    let is_dir = match files.metadata(&to).await {
        Ok(info) => info.is_dir(),
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(error.into()),
    };
    let to = within(&from, to, is_dir);
    if !found.is_dir() {
        let transfer = files.upload(&from, &to);
        return Ok(watched(transfer, Some(found.len()), how.is_quiet).await?);
    }
    how.check_dir(&from, &to)?;
    Ok(watched(files.upload_dir(&from, &to), None, how.is_quiet).await?)
}

async fn down(
    files: &Files,
    from: PathBuf,
    to: PathBuf,
    how: How,
) -> Result<ArchiveSummary, CliError> {
    let found = files.metadata(&from).await?;
    // The name of the home directory is not in its path.
    let named = if from == Path::new("~") {
        &found.path
    } else {
        &from
    };
    let to = within(named, to.clone(), to.is_dir());
    if !found.is_dir() {
        let transfer = files.download(&from, &to);
        return Ok(watched(transfer, Some(found.size), how.is_quiet).await?);
    }
    how.check_dir(&from, &to)?;
    Ok(watched(files.download_dir(&from, &to), None, how.is_quiet).await?)
}

/// Returns where to write: what is copied to a directory gets its own name there, as with `cp`.
fn within(from: &Path, to: PathBuf, is_dir: bool) -> PathBuf {
    let is_dir = is_dir || to.as_os_str().as_encoded_bytes().ends_with(b"/");
    match from.file_name() {
        // The source may also be a directory without a name, such as `.`.
        Some(name) if is_dir && !is_contents(from) => to.join(name),
        _ => to,
    }
}

/// Returns whether a path means what is in a directory: `dir/.`, which a `Path` would take for `dir`.
fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.ends_with(b"/.") || bytes.ends_with(b"/./")
}

async fn watched(
    transfer: Transfer,
    total: Option<u64>,
    is_quiet: bool,
) -> Result<ArchiveSummary, Error> {
    let bar = Bytes::new(total);
    let shown = bar.clone();
    let transfer = transfer.on_progress(move |bytes| shown.add(bytes));
    bar.while_waiting(is_quiet, async { transfer.await }).await
}

async fn from_stdin(files: &Files, to: &Path, is_quiet: bool) -> Result<ArchiveSummary, CliError> {
    let mut pieces = input::pieces(Some);
    let mut writer = files.writer(to).await?;
    let bar = Bytes::new(None);
    let copied = bar.while_waiting(is_quiet, async {
        let mut total = 0;
        while let Some(piece) = pieces.recv().await {
            let piece = piece.map_err(|source| CliError::Read {
                path: "standard input".into(),
                source,
            })?;
            writer.write_all(&piece).await.map_err(process_error)?;
            // What is sent now does not wait for the next input.
            writer.flush().await.map_err(process_error)?;
            bar.add(piece.len() as u64);
            total += piece.len() as u64;
        }
        writer.finish().await?;
        Ok::<_, CliError>(total)
    });
    Ok(one_file(copied.await?))
}

/// Writes a file on standard output. A reader that closes its pipe ends the copy, which is no error.
pub(crate) async fn to_stdout(files: &Files, from: &Path) -> Result<ArchiveSummary, CliError> {
    let mut reader = files.reader(from).await?;
    let mut total = 0;
    loop {
        let piece = reader.fill_buf().await.map_err(process_error)?;
        if piece.is_empty() {
            return Ok(one_file(total));
        }
        if !output::is_read(Channel::Stdout, piece)? {
            return Ok(one_file(total));
        }
        let length = piece.len();
        reader.consume(length);
        total += length as u64;
    }
}

/// Returns the error of the sandbox in an error of I/O.
fn process_error(error: io::Error) -> CliError {
    match error.downcast::<Error>() {
        Ok(error) => error.into(),
        Err(error) => CliError::Write(error),
    }
}

fn one_file(bytes: u64) -> ArchiveSummary {
    ArchiveSummary {
        files: 1,
        bytes,
        ..ArchiveSummary::default()
    }
}

fn report(copied: &ArchiveSummary, is_json: bool) -> Result<(), CliError> {
    let skipped = copied.skipped_paths.iter();
    let skipped: Vec<_> = skipped.map(|path| path.to_string_lossy()).collect();
    if is_json {
        let object = json!({
            "files": copied.files,
            "directories": copied.directories,
            "links": copied.links,
            "bytes": copied.bytes,
            "skipped": copied.skipped,
            "skippedPaths": skipped,
        });
        return output::line(&object.to_string());
    }
    if let Some(first) = skipped.first() {
        let count = copied.skipped;
        output::note(&format!(
            "note: {count} files that are neither regular nor directories were left out, such as {}",
            output::printable(first)
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_not_copied_into_itself() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        for inside in ["a", "a/b", "a/new", "a/new/deeper", "a/b/..", "link/new"] {
            assert!(is_within(&at(inside), &at("a")), "{inside}");
        }
        for outside in ["", "ab", "new", "a/..", "b/a"] {
            assert!(!is_within(&at(outside), &at("a")), "{outside}");
        }
    }

    #[test]
    fn what_is_copied_to_a_directory_retains_its_name() {
        let check = |from: &str, to: &str, is_dir, expect: &str| {
            let found = within(Path::new(from), to.into(), is_dir);
            assert_eq!(found, Path::new(expect), "{from} {to}");
        };
        check("a/b", "x", false, "x");
        check("a/b", "x", true, "x/b");
        check("a/b", "x/", false, "x/b");
        check("a/b/", "x", true, "x/b");
        check("a/b/.", "x", true, "x");
        check("a/b/./", "x", true, "x");
        check(".", "x", true, "x");
        check("/", "x", true, "x");
        check("a/..", "x", true, "x");
    }
}
