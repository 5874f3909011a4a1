//! The files of the repository.

use std::path::Path;

use crate::sh::{self, Result};

/// Every text file that is committed, or would be.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

#[derive(Debug)]
pub(crate) struct File {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Tree {
    pub(crate) fn read() -> Result<Self> {
        let mut git = sh::command("git");
        // The tree may belong to another user, as in a container.
        git.args(["-c", "safe.directory=*", "ls-files", "-z"]);
        git.args(["--cached", "--others", "--exclude-standard"]);
        let paths = match sh::output(&mut git) {
            Ok(list) => list.split_terminator('\0').map(str::to_owned).collect(),
            Err(_) => walk(sh::root())?,
        };
        let read = |path: String| {
            // A link has no text of its own, a picture has none, and a file may be deleted and not yet committed.
            let file = sh::root().join(&path);
            let plain = file.symlink_metadata().is_ok_and(|data| data.is_file());
            let text = std::fs::read_to_string(file).ok().filter(|_| plain)?;
            Some(File { path, text })
        };
        let files = paths.into_iter().filter_map(read).collect();
        Ok(Self { files })
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

impl File {
    pub(crate) fn has_extension(&self, among: &[&str]) -> bool {
        let extension = Path::new(&self.path).extension();
        extension.is_some_and(|extension| among.iter().any(|one| extension == *one))
    }

    pub(crate) fn is_generated(&self) -> bool {
        self.path.split('/').any(|folder| folder == "generated")
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The first line that holds `text`, or the first of all.
    pub(crate) fn line_of(&self, text: &str) -> usize {
        let mut lines = self.lines();
        lines
            .find(|(_, line)| line.contains(text))
            .map_or(1, |(number, _)| number)
    }
}

/// Where there is no git, as in an unpacked archive: every file but what is built.
fn walk(root: &Path) -> Result<Vec<String>> {
    let (mut paths, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != "target" && entry.file_name() != ".git" {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                paths.extend(path.strip_prefix(root)?.to_str().map(str::to_owned));
            }
        }
    }
    Ok(paths)
}

#[cfg(test)]
impl Tree {
    /// A tree of a test.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        let files = files.iter().map(file).collect();
        Self { files }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_found_with_git_and_without() {
        let tree = Tree::read().unwrap();
        let file = tree.get("xtask/src/tidy/tree.rs").unwrap();
        assert_eq!(
            file.line_of("this_file_is_found"),
            file.line_of("#[test]") + 1
        );
        let walked = walk(sh::root()).unwrap();
        assert!(walked.contains(&file.path));
        assert!(!walked.iter().any(|path| path.starts_with("target/")));
    }
}
