//! Listings page by page.

use std::fs;
use std::path::PathBuf;

use sandbox_files::limits::{PAGE_BYTES, PAGE_ENTRIES};
use sandbox_files::{Entry, Error, Files, PageOptions};

/// Returns all entries, from pages of this size, and the number of the pages.
async fn pages(files: &Files, path: &str, depth: usize, size: usize) -> (Vec<Entry>, usize) {
    let (mut entries, mut count) = (Vec::<Entry>::new(), 0);
    loop {
        let after = entries.last().map(|entry| entry.path.clone());
        let options = PageOptions { depth, after, size };
        let page = files.page(path, options).await.unwrap();
        assert!(!page.is_incomplete);
        assert!(page.entries.len() <= size.min(PAGE_ENTRIES) || size == 0);
        entries.extend(page.entries);
        count += 1;
        if !page.has_more {
            return (entries, count);
        }
    }
}

#[tokio::test]
async fn pages_are_a_listing_together() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for n in 0..30 {
        fs::create_dir(dir.path().join(format!("d{n}"))).unwrap();
        fs::write(dir.path().join(format!("d{n}/file")), "").unwrap();
        fs::write(dir.path().join(format!("d{n}.x")), "").unwrap();
    }
    for depth in [1, 2] {
        let whole = files.list(".", depth).await.unwrap().found;
        for (size, count) in [(1, whole.len()), (7, whole.len().div_ceil(7)), (0, 1)] {
            assert_eq!(
                pages(&files, ".", depth, size).await,
                (whole.clone(), count)
            );
        }
        let exact = pages(&files, ".", depth, whole.len()).await;
        assert_eq!(exact, (whole, 1));
    }
    // One after the last entry is empty, and so is that of an empty directory.
    let after = Some(PathBuf::from("z"));
    let options = PageOptions {
        after,
        ..PageOptions::default()
    };
    let page = files.page(".", options).await.unwrap();
    assert!(page.entries.is_empty() && !page.has_more);
    let refused = files.page("d1/file", PageOptions::default()).await;
    assert!(matches!(refused, Err(Error::NotADirectory)));
}

#[tokio::test]
async fn pages_are_bounded_in_entries_and_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    for n in 0..=PAGE_ENTRIES {
        fs::write(dir.path().join(n.to_string()), "").unwrap();
    }
    let page = files.page(".", PageOptions::default()).await.unwrap();
    assert_eq!((page.entries.len(), page.has_more), (PAGE_ENTRIES, true));
    let (entries, count) = pages(&files, ".", 1, usize::MAX).await;
    assert_eq!((entries.len(), count), (PAGE_ENTRIES + 1, 2));

    // Paths so long that fewer than that fit.
    let deep = vec!["x".repeat(250); 8].join("/");
    files.create_dir(&deep, None).await.unwrap();
    let count = PAGE_BYTES / (7 * 251) + 10;
    for n in 0..count {
        fs::write(dir.path().join(&deep).join(n.to_string()), "").unwrap();
    }
    let (entries, pages) = pages(&files, &"x".repeat(250), 9, 0).await;
    assert_eq!((entries.len(), pages), (count + 7, 2));
}
