//! Files come whole or not at all.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use sandbox_files::limits::{READ_BYTES, WRITE_BYTES};
use sandbox_files::{Error, Files, WriteOptions};

use super::{read, write};

#[tokio::test]
async fn a_file_is_seen_when_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let piece = Bytes::from(vec![b'x'; WRITE_BYTES / 2 + 1]);
    let mut writer = files.writer("file", WriteOptions::default()).await.unwrap();
    for _ in 0..5 {
        writer.write(piece.clone()).await.unwrap();
        assert!(!dir.path().join("file").exists());
    }
    assert_eq!(writer.written(), 5 * piece.len() as u64);
    writer.finish().await.unwrap();
    assert_eq!(
        fs::metadata(dir.path().join("file")).unwrap().len(),
        5 * piece.len() as u64
    );

    // One who reads the old one reads on.
    let mut reader = files.reader("file").await.unwrap();
    write(&files, "file", b"new").await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap().len(), READ_BYTES);
    assert_eq!(read(&files, "file").await.unwrap(), b"new");
}

/// Memory that is held while it is written makes a connection map new memory for the next piece.
#[test]
fn a_piece_is_released_before_it_is_written() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    runtime.block_on(async {
        let mut writer = files.writer("file", WriteOptions::default()).await.unwrap();
        // Nothing is written while the only thread for it waits.
        let (release, stuck) = std::sync::mpsc::channel::<()>();
        let stuck = tokio::task::spawn_blocking(move || stuck.recv().is_err());
        let memory = Arc::new(vec![b'x'; 2 * WRITE_BYTES]);
        {
            let piece = Bytes::from_owner(Piece(memory.clone()));
            let mut write = pin!(writer.write(piece));
            let mut context = Context::from_waker(Waker::noop());
            assert!(write.as_mut().poll(&mut context).is_pending());
            assert_eq!(Arc::strong_count(&memory), 1);
            drop(release);
            write.await.unwrap();
        }
        assert!(stuck.await.unwrap());
        writer.finish().await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), *memory);
    });
}

struct Piece(Arc<Vec<u8>>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Pieces that are copied, and those that are too long for that.
#[tokio::test]
async fn pieces_of_any_length_are_written_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let lengths = [
        1,
        2 * WRITE_BYTES + 1,
        0,
        2 * WRITE_BYTES,
        WRITE_BYTES - 1,
        1,
        7,
        4 * WRITE_BYTES,
        3,
    ];
    let mut writer = files.writer("file", WriteOptions::default()).await.unwrap();
    let mut whole = Vec::new();
    let mut bytes = (0..251).cycle();
    for length in lengths {
        let piece: Vec<_> = bytes.by_ref().take(length).collect();
        whole.extend_from_slice(&piece);
        writer.write(piece.into()).await.unwrap();
    }
    assert_eq!(writer.written(), whole.len() as u64);
    writer.finish().await.unwrap();
    assert!(fs::read(dir.path().join("file")).unwrap() == whole);
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    write(&files, "file", b"old").await.unwrap();
    for path in ["file", "new"] {
        let mut writer = files.writer(path, WriteOptions::default()).await.unwrap();
        writer.write(vec![0; 2 * WRITE_BYTES].into()).await.unwrap();
        drop(writer);
    }
    assert_eq!(read(&files, "file").await.unwrap(), b"old");
    let names = files.list(".", 1).await.unwrap().found;
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn modes_stay_or_are_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    write(&files, "file", b"new").await.unwrap();
    // What runs as its owner would run what anyone has written.
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o751);
    let options = WriteOptions {
        mode: Some(0o777),
        ..WriteOptions::default()
    };
    let writer = files.writer("file", options.clone()).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o777);
    files
        .writer("another", options)
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    let another = fs::metadata(dir.path().join("another")).unwrap();
    assert_eq!((another.mode() & 0o7777, another.len()), (0o777, 0));
}

#[tokio::test]
async fn the_last_of_two_writers_wins_whole() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let fill = async |byte: u8| {
        let mut writer = files.writer("file", WriteOptions::default()).await.unwrap();
        for _ in 0..4 {
            writer.write(vec![byte; WRITE_BYTES].into()).await.unwrap();
            tokio::task::yield_now().await;
        }
        writer.finish().await.unwrap();
    };
    tokio::join!(fill(b'a'), fill(b'b'));
    let bytes = read(&files, "file").await.unwrap();
    assert_eq!(bytes.len(), 4 * WRITE_BYTES);
    assert!(bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(files.list(".", 1).await.unwrap().found.len(), 1);
}

#[tokio::test]
async fn links_are_followed_and_stay() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    fs::create_dir(dir.path().join("sub")).unwrap();
    symlink("sub/file", dir.path().join("link")).unwrap();
    for text in ["through a link that leads nowhere", "through one to a file"] {
        write(&files, "link", text.as_bytes()).await.unwrap();
        assert_eq!(
            fs::read_to_string(dir.path().join("sub/file")).unwrap(),
            text
        );
        assert!(dir.path().join("link").is_symlink());
    }
    files.remove_file("link").await.unwrap();
    assert!(dir.path().join("sub/file").exists());
}

#[tokio::test]
async fn missing_directories_are_made_if_asked() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    assert!(matches!(
        write(&files, "a/b/file", b"").await,
        Err(Error::NotFound)
    ));
    let options = WriteOptions {
        create_dirs: true,
        ..WriteOptions::default()
    };
    files
        .writer("a/b/file", options)
        .await
        .unwrap()
        .finish()
        .await
        .unwrap();
    assert!(dir.path().join("a/b/file").exists());
}

#[tokio::test]
async fn what_changes_while_it_is_read_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let path = dir.path().join("file");
    fs::write(&path, vec![1; READ_BYTES + 10]).unwrap();
    let mut reader = files.reader("file").await.unwrap();
    assert_eq!(reader.remaining(), Some(READ_BYTES as u64 + 10));
    reader.next().await.unwrap().unwrap();
    fs::write(&path, "shorter").unwrap();
    assert!(matches!(reader.next().await, Err(Error::Changed)));

    // Of a longer one, what there was is read.
    let mut reader = files.reader("file").await.unwrap();
    fs::write(&path, "shorter and longer").unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), "shorter");
    assert!(reader.next().await.unwrap().is_none());

    let mut reader = files.reader("file").await.unwrap();
    reader.seek(12);
    assert_eq!(reader.next().await.unwrap().unwrap(), "longer");
    reader.seek(u64::MAX);
    assert!(reader.next().await.unwrap().is_none());

    let mut reader = files.reader("file").await.unwrap();
    reader.seek(8);
    reader.limit(3);
    assert_eq!(reader.remaining(), Some(3));
    assert_eq!(reader.next().await.unwrap().unwrap(), "and");
    assert!(reader.next().await.unwrap().is_none());
    let mut reader = files.reader("/proc/version").await.unwrap();
    reader.limit(5);
    assert_eq!(reader.next().await.unwrap().unwrap(), "Linux");
    assert!(reader.next().await.unwrap().is_none());
}

#[tokio::test]
async fn an_entity_tag_is_that_of_a_content() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let options = WriteOptions {
        sync: true,
        ..WriteOptions::default()
    };
    let written = async |text: &'static str| {
        let mut writer = files.writer("file", options.clone()).await.unwrap();
        writer.write(text.into()).await.unwrap();
        writer.finish().await.unwrap()
    };
    let tag = async || files.metadata("file").await.unwrap().entity_tag();
    let first = written("text").await;
    assert_eq!((first.entity_tag(), first.size), (tag().await, 4));
    fs::set_permissions(dir.path().join("file"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(tag().await, first.entity_tag());
    let second = written("text").await;
    assert_ne!(second.entity_tag(), first.entity_tag());
    fs::write(dir.path().join("file"), "longer text").unwrap();
    assert_ne!(tag().await, second.entity_tag());
    symlink("file", dir.path().join("link")).unwrap();
    let link = files.symlink_metadata("link").await.unwrap();
    assert_eq!(link.kind, sandbox_files::FileKind::Symlink);
    assert_eq!(
        files.metadata("link").await.unwrap().entity_tag(),
        tag().await
    );
}

#[tokio::test]
async fn files_without_a_length_are_read() {
    let files = Files::system("/");
    let version = read(&files, "/proc/version").await.unwrap();
    assert!(version.starts_with(b"Linux version"), "{version:?}");
    // Its length is that of a page.
    let path = "/sys/class/net/lo/mtu";
    assert_eq!(read(&files, path).await.unwrap(), fs::read(path).unwrap());
}

/// Takes the time of reading 4 GiB.
#[tokio::test]
#[ignore = "reads 4 GiB"]
async fn a_sparse_file_of_4_gib_is_read() {
    check_sparse(4 << 30).await;
}

#[tokio::test]
async fn a_transfer_takes_a_block_of_memory() {
    check_sparse(64 << 20).await;
}

/// No piece is longer than a block, whatever the length of the file.
async fn check_sparse(length: u64) {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::system(dir.path());
    let file = fs::File::create(dir.path().join("file")).unwrap();
    file.set_len(length).unwrap();
    let mut reader = files.reader("file").await.unwrap();
    let mut count = 0;
    while let Some(bytes) = reader.next().await.unwrap() {
        assert!(bytes.len() <= READ_BYTES);
        count += bytes.len() as u64;
    }
    assert_eq!(count, length);
}
