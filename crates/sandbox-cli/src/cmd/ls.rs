//! `sandbox ls`: lists a directory of a sandbox.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use sandbox_process::{Channel, FileInfo, FileKind, Matches};
use serde_json::{Value, json};

use crate::args::{FormatArgs, TargetArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::{exit, output, place, target};

#[derive(Debug, Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct LsArgs {
    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    pub(crate) format: FormatArgs,

    /// Show the mode, the owner, the size and the time of each file as well
    #[arg(long, short)]
    long: bool,

    /// The directory, or a file
    #[arg(default_value = ".", value_parser = place::path())]
    path: PathBuf,
}

pub(crate) fn run(args: LsArgs, token: Option<OsString>) -> Result<Exit, CliError> {
    target::with_process(args.target, token, None, async move |process| {
        let files = process.files();
        let info = files.metadata(&args.path).await?;
        let listed = if info.is_dir() {
            files.list(&args.path).await?
        } else {
            Matches {
                items: vec![info],
                is_truncated: false,
            }
        };
        if args.format.json {
            let entries: Vec<_> = listed.items.iter().map(describe).collect();
            output::line(&Value::from(entries).to_string())?;
        } else {
            let mut text = Vec::new();
            for entry in &listed {
                if args.long {
                    text.extend_from_slice(details(entry).as_bytes());
                }
                output::put_name(&mut text, entry.name());
                text.push(b'\n');
            }
            output::print(Channel::Stdout, &text)?;
        }
        if listed.is_truncated {
            output::note("note: there are more entries than the daemon lists")?;
        }
        Ok(Exit::SUCCESS)
    })
}

fn describe(entry: &FileInfo) -> Value {
    json!({
        "name": entry.name().to_string_lossy(),
        "path": entry.path.to_string_lossy(),
        "kind": kind(entry.kind).1,
        "size": entry.size,
        "mode": format!("{:04o}", entry.mode),
        "owner": entry.owner,
        "group": entry.group,
        "modified": entry.modified.map(|at| humantime::format_rfc3339(at).to_string()),
    })
}

/// Returns what stands before the name.
fn details(entry: &FileInfo) -> String {
    let modified = entry.modified.map_or_else(
        || "-".to_owned(),
        |at| humantime::format_rfc3339_seconds(at).to_string(),
    );
    format!(
        "{}{} {:>6} {:>6} {:>12} {modified} ",
        kind(entry.kind).0,
        letters(entry.mode),
        output::printable(&entry.owner),
        output::printable(&entry.group),
        entry.size,
    )
}

fn kind(kind: FileKind) -> (char, &'static str) {
    match kind {
        FileKind::File => ('-', "file"),
        FileKind::Dir => ('d', "directory"),
        FileKind::Symlink => ('l', "symlink"),
        FileKind::Fifo => ('p', "fifo"),
        FileKind::Socket => ('s', "socket"),
        FileKind::CharDevice => ('c', "character_device"),
        FileKind::BlockDevice => ('b', "block_device"),
        _ => ('?', "other"),
    }
}

/// Returns the permissions in letters, as `ls` shows them.
fn letters(mode: u32) -> String {
    let mut letters = String::new();
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        letters.push(if bits & 4 != 0 { 'r' } else { '-' });
        letters.push(if bits & 2 != 0 { 'w' } else { '-' });
        letters.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => letter,
            (false, true) => letter.to_ascii_uppercase(),
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_letters() {
        assert_eq!(letters(0o644), "rw-r--r--");
        assert_eq!(letters(0o4755), "rwsr-xr-x");
        assert_eq!(letters(0o2640), "rw-r-S---");
        assert_eq!(letters(0o1777), "rwxrwxrwt");
        assert_eq!(letters(0o1000), "--------T");
    }
}
