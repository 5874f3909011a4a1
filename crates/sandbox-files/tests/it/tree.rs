//! Whole directories are removed.

use std::fs;
use std::os::unix::fs::symlink;

use sandbox_files::limits::{LINKS, WALK_DEPTH};
use sandbox_files::{Error, Files};

use super::write;

#[tokio::test]
async fn directories_are_removed_with_what_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    fs::create_dir_all(dir.path().join("tree/a/b/c")).unwrap();
    fs::create_dir(dir.path().join("other")).unwrap();
    fs::write(dir.path().join("other/file"), "stays").unwrap();
    symlink("../../other", dir.path().join("tree/a/link")).unwrap();
    for n in 0..3000 {
        fs::write(dir.path().join(format!("tree/a/b/{n}")), "").unwrap();
    }
    files.remove_all("tree").await.unwrap();
    assert!(!dir.path().join("tree").exists());
    assert!(dir.path().join("other/file").exists());
    files.remove_all("other/file").await.unwrap();
    assert!(matches!(
        files.remove_all("other/file").await,
        Err(Error::NotFound)
    ));
}

#[tokio::test]
async fn walks_end_at_some_depth() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let deepest = "d/".repeat(WALK_DEPTH);
    files.create_dir(&deepest, None).await.unwrap();
    write(&files, format!("{deepest}file"), b"text")
        .await
        .unwrap();
    let found = files.find(".", "text").await.unwrap();
    assert_eq!((found.found.len(), found.is_truncated), (0, true));
    let found = files.find("d", "text").await.unwrap();
    assert_eq!((found.found.len(), found.is_truncated), (1, false));
    assert!(files.list(".", usize::MAX).await.unwrap().is_truncated);
    files
        .create_dir(format!("{deepest}d/d/d"), None)
        .await
        .unwrap();
    assert!(matches!(files.remove_all("d").await, Err(Error::TooDeep)));
    files.remove_all("d/d/d/d").await.unwrap();
    files.remove_all("d").await.unwrap();
}

#[tokio::test]
async fn chains_of_links_end() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for n in 1..=LINKS {
        symlink((n - 1).to_string(), dir.path().join(n.to_string())).unwrap();
    }
    write(&files, (LINKS - 1).to_string(), b"x").await.unwrap();
    assert_eq!(fs::read(dir.path().join("0")).unwrap(), b"x");
    let refused = write(&files, LINKS.to_string(), b"x").await;
    assert!(matches!(refused, Err(Error::InvalidPath(_))));
}
