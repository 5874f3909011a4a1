//! Listings and searches end, and say so.

use std::fs;

use sandbox_files::limits::{
    FIND_BYTES, FIND_LINES, LINE_BYTES, LIST_ENTRIES, REPLACE_TEXT_BYTES, SEARCH_NAMES,
    WALK_PENDING,
};
use sandbox_files::{Error, Files};

use super::write;

#[tokio::test]
async fn lines_that_are_found_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "lines", "x\n".repeat(FIND_LINES).as_bytes())
        .await
        .unwrap();
    let found = files.find(".", "x").await.unwrap();
    assert_eq!((found.found.len(), found.is_truncated), (FIND_LINES, false));
    write(&files, "more", b"x\n").await.unwrap();
    let found = files.find(".", "x").await.unwrap();
    assert_eq!((found.found.len(), found.is_truncated), (FIND_LINES, true));

    let long = [&b"y".repeat(LINE_BYTES / 2)[..], b"\n"].concat();
    write(
        &files,
        "bytes",
        &long.repeat(2 * FIND_BYTES / LINE_BYTES + 1),
    )
    .await
    .unwrap();
    let found = files.find("bytes", "y").await.unwrap();
    let bytes: usize = found.found.iter().map(|line| line.text.len()).sum();
    assert!(found.is_truncated && bytes <= FIND_BYTES && bytes > FIND_BYTES - LINE_BYTES);
}

#[tokio::test]
async fn a_line_that_is_too_long_ends_the_search_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let long = [&b"z\n"[..], &b"y".repeat(2 * LINE_BYTES), b"\nz\n"].concat();
    write(&files, "a", &long).await.unwrap();
    write(&files, "b", b"z\n").await.unwrap();
    let found = files.find(".", "z").await.unwrap();
    assert_eq!((found.found.len(), found.is_truncated), (2, true));
}

#[tokio::test]
async fn texts_to_replace_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "a", b"x").await.unwrap();
    let longest = vec![b'y'; REPLACE_TEXT_BYTES];
    assert_eq!(files.replace("a", "x", longest.clone()).await.unwrap(), 1);
    assert_eq!(files.replace("a", longest.clone(), "x").await.unwrap(), 1);
    let longer = [longest, vec![b'y']].concat();
    for (old, new) in [(&longer[..], &b"x"[..]), (b"x", &longer)] {
        let refused = files.replace("a", old, new).await;
        assert!(matches!(refused, Err(Error::InvalidPattern(_))));
    }
}

#[tokio::test]
async fn very_large_directories_are_bounded() {
    // In memory, where that many files take a second and not a minute.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let files = Files::system(dir.path());
    let large = dir.path().join("large");
    fs::create_dir(&large).unwrap();
    // Directories, so that a search has all of them before it.
    for n in 0..=WALK_PENDING {
        fs::create_dir(large.join(n.to_string())).unwrap();
    }
    let file = large.join("file");
    fs::write(&file, "text\n").unwrap();
    for n in WALK_PENDING + 2..LIST_ENTRIES {
        fs::hard_link(&file, large.join(n.to_string())).unwrap();
    }
    let listed = files.list("large", 1).await.unwrap();
    assert_eq!(
        (listed.found.len(), listed.is_truncated),
        (LIST_ENTRIES, false)
    );
    let found = files.search("large", "1*0").await.unwrap();
    assert!(found.is_truncated, "a directory was not read");

    fs::write(large.join("one more"), "").unwrap();
    let listed = files.list("large", 1).await.unwrap();
    assert_eq!(
        (listed.found.len(), listed.is_truncated),
        (LIST_ENTRIES, true)
    );
    let found = files.search("large", "*").await.unwrap();
    assert_eq!(
        (found.found.len(), found.is_truncated),
        (SEARCH_NAMES, true)
    );
    files.remove_all("large").await.unwrap();
}
