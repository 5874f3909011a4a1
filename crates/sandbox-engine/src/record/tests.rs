//! Tests of records, in memory and in files.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use sandbox_logcodec::Channel;

use super::*;
use crate::limits::SPOOL_BUFFER_BYTES;
use crate::state::State;
use crate::tag::Instance;

const SMALL: usize = 4096;

fn state(directory: &Path) -> std::io::Result<State> {
    State::at(directory, Instance::draw())
}

fn store(memory: usize, spill: u64) -> (Store, tempfile::TempDir) {
    store_of(memory, spill, u64::MAX)
}

fn store_of(memory: usize, spill: u64, all: u64) -> (Store, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = state(directory.path()).unwrap();
    let store = Store::with_limits(state, memory, spill, all);
    (store, directory)
}

/// Returns pieces of every size, alternating irregularly between the channels.
fn pieces(count: usize, longest: usize) -> Vec<(Channel, Bytes)> {
    let mut state = 7_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap()
    };
    (0..count)
        .map(|n| {
            let channel = if random() % 3 == 0 {
                Channel::Stderr
            } else {
                Channel::Stdout
            };
            let length = 1 + random() % longest;
            (
                channel,
                Bytes::from(vec![u8::try_from(n % 251).unwrap(); length]),
            )
        })
        .collect()
}

/// Reads every byte of a record from `offset` on with its channel.
async fn read(mut cursor: Cursor) -> Vec<(Channel, u8)> {
    let mut all = Vec::new();
    while let Some(piece) = cursor.next().await {
        match piece {
            Piece::Data { channel, bytes, .. } => {
                all.extend(bytes.iter().map(|byte| (channel, *byte)))
            }
            Piece::Gap { offset, length } => panic!("a gap of {length} at {offset}"),
        }
    }
    all
}

fn flat(pieces: &[(Channel, Bytes)]) -> Vec<(Channel, u8)> {
    pieces
        .iter()
        .flat_map(|(channel, bytes)| bytes.iter().map(|byte| (*channel, *byte)))
        .collect()
}

#[tokio::test]
async fn a_record_is_what_was_appended_from_every_offset() {
    for (memory, longest) in [(SMALL, 10), (SMALL, 700), (SMALL, 20_000), (1 << 20, 700)] {
        let (store, _directory) = store(memory, 1 << 30);
        let record = store.record();
        let pieces = pieces(300, longest);
        let expect = flat(&pieces);
        for (channel, bytes) in &pieces {
            record.append(*channel, bytes.clone());
        }
        record.complete();
        assert_eq!(record.length(), expect.len() as u64);
        for offset in (0..expect.len())
            .step_by(1 + expect.len() / 40)
            .chain([expect.len()])
        {
            let cursor = record.follow(offset as u64).unwrap();
            assert!(
                read(cursor).await == expect[offset..],
                "{memory} {longest} from {offset}"
            );
        }
        assert_eq!(record.dropped(), 0);
        let beyond = record.follow(record.length() + 1).unwrap_err();
        assert_eq!(beyond.length, record.length());
    }
}

#[tokio::test]
async fn memory_is_bounded_even_byte_by_byte() {
    let (store, directory) = store(SMALL, 1 << 30);
    let record = store.record();
    for n in 0..10_000_u32 {
        record.append(
            Channel::Stdout,
            Bytes::copy_from_slice(&n.to_le_bytes()[..1]),
        );
    }
    let file = store.spool().file().unwrap();
    // Each of a few batches begins a block.
    let on_disk = file.metadata().unwrap().blocks() * 512;
    assert!((4096..40_960).contains(&on_disk), "{on_disk} bytes on disk");
    drop(record);
    assert_eq!(file.metadata().unwrap().blocks(), 0);
    let names = names(directory.path());
    assert!(
        names.iter().all(|name| name.ends_with("/engine")),
        "{names:?}"
    );
}

/// Returns the names in a directory and those below it, except those of directories.
fn names(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(names(&path))
        } else {
            found.push(path.display().to_string())
        }
    }
    found
}

#[tokio::test]
async fn records_outlive_the_removal_of_every_directory() {
    let (store, directory) = store(SMALL, 1 << 30);
    let pieces = pieces(400, 200);
    let fill = |record: &Record, part: std::ops::Range<usize>| {
        for (channel, bytes) in &pieces[part] {
            record.append(*channel, bytes.clone());
        }
    };
    let early = store.record();
    fill(&early, 0..200);
    std::fs::remove_dir_all(directory.path()).unwrap();
    fill(&early, 200..400);
    let late = store.record();
    fill(&late, 0..400);
    for record in [early, late] {
        record.complete();
        assert!(read(record.follow(0).unwrap()).await == flat(&pieces));
    }
    // Nothing is on disk yet, so there is no file to reuse.
    let directory = directory.path();
    let store = Store::with_limits(state(directory).unwrap(), SMALL, 1 << 30, u64::MAX);
    std::fs::remove_dir_all(directory).unwrap();
    let record = store.record();
    fill(&record, 0..400);
    assert_eq!(record.dropped(), 0);
    assert!(directory.is_dir());
}

#[test]
fn one_buffer_is_retained_for_the_next_write() {
    let (store, _directory) = store(SMALL, u64::MAX);
    let record = store.record();
    let bytes = Bytes::from(vec![b'x'; SMALL]);
    let used = || {
        record.append(Channel::Stdout, bytes.clone());
        let buffer = store.spool().take_buffer(0);
        let (place, capacity) = (buffer.as_ptr(), buffer.capacity());
        assert!(buffer.is_empty() && capacity >= SMALL, "{capacity}");
        store.spool().put_buffer(buffer);
        (place, capacity)
    };
    assert_eq!(used(), used());
    let (one, other) = (
        store.spool().take_buffer(SMALL),
        store.spool().take_buffer(SMALL),
    );
    assert_ne!(one.as_ptr(), other.as_ptr(), "two batches at a time");
    store
        .spool()
        .put_buffer(BytesMut::with_capacity(SPOOL_BUFFER_BYTES + 1));
    assert_eq!(store.spool().take_buffer(0).capacity(), 0);
}

#[test]
fn records_go_on_in_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let state = state(directory.path()).unwrap();
    let spool = spool::Spool::with_files_of(3 * 4096, state, u64::MAX);
    let files = || std::fs::read_dir("/proc/self/fd").unwrap();
    let ours = || {
        let links = files().filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        links
            .filter(|link| link.starts_with(directory.path()))
            .count()
    };
    drop(spool.write(b"the first file").unwrap());
    let before = ours();
    let extents: Vec<_> = (0..7_u8)
        .map(|n| Arc::new(spool.write(&[n; 4096]).unwrap()))
        .collect();
    assert_eq!(ours(), before + 2);
    for (n, extent) in (0..7_u8).zip(&extents) {
        let mut read = [0; 96];
        extent.range(4000, 96).unwrap().read(&mut read).unwrap();
        assert_eq!(read, [n; 96]);
        assert!(extent.range(4000, 97).is_none());
    }
    drop(extents);
    assert_eq!(ours(), before, "files that nobody needs are closed");
    let error = spool.write(&[0; 4 * 4096]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}

#[tokio::test]
async fn what_neither_memory_nor_file_holds_is_a_counted_gap() {
    for limit in [0, 20_000] {
        let (store, _directory) = store(SMALL, limit);
        let record = store.record();
        let pieces = pieces(1000, 100);
        let expect = flat(&pieces);
        for (channel, bytes) in &pieces {
            record.append(*channel, bytes.clone());
        }
        record.complete();
        let mut cursor = record.follow(0).unwrap();
        let mut gaps = 0;
        while let Some(piece) = cursor.next().await {
            match piece {
                Piece::Data {
                    offset,
                    channel,
                    bytes,
                } => {
                    let at = usize::try_from(offset).unwrap();
                    let expect = &expect[at..at + bytes.len()];
                    assert!(
                        bytes
                            .iter()
                            .map(|byte| (channel, *byte))
                            .eq(expect.iter().copied())
                    );
                }
                Piece::Gap { length, .. } => {
                    gaps += 1;
                    assert_eq!(length, record.dropped());
                }
            }
        }
        assert_eq!((gaps, cursor.position()), (1, record.length()));
    }
}

#[tokio::test]
async fn a_damaged_file_is_a_gap() {
    let (store, _directory) = store(SMALL, 1 << 30);
    let record = store.record();
    for (channel, bytes) in pieces(200, 200) {
        record.append(channel, bytes);
    }
    record.complete();
    store.spool().file().unwrap().set_len(0).unwrap();
    let mut cursor = record.follow(0).unwrap();
    assert!(matches!(
        cursor.next().await,
        Some(Piece::Gap { offset: 0, .. })
    ));
    while cursor.next().await.is_some() {}
    assert_eq!(cursor.position(), record.length());
}

#[tokio::test]
async fn followers_see_every_byte_while_it_is_written() {
    for memory in [SMALL, 1 << 20] {
        let (store, _directory) = store(memory, 1 << 30);
        let record = store.record();
        let pieces = pieces(2000, 300);
        let followers: Vec<_> = (0..8)
            .map(|_| tokio::spawn(read(record.follow(0).unwrap())))
            .collect();
        for (n, (channel, bytes)) in pieces.iter().enumerate() {
            record.append(*channel, bytes.clone());
            if n % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
        record.complete();
        record.append(Channel::Stdout, "later".into());
        for follower in followers {
            assert!(follower.await.unwrap() == flat(&pieces));
        }
        let all = read(record.follow(0).unwrap()).await;
        assert_eq!(all.len() as u64, record.length());
    }
}

#[tokio::test]
async fn a_thousand_followers_share_the_bytes() {
    let (store, _directory) = store(1 << 20, 1 << 30);
    let record = store.record();
    let followers: Vec<_> = (0..1000)
        .map(|_| {
            let mut cursor = record.follow(0).unwrap();
            tokio::spawn(async move {
                let mut first = None;
                while let Some(Piece::Data { bytes, .. }) = cursor.next().await {
                    first.get_or_insert(bytes.as_ptr() as usize);
                }
                (first, cursor.position())
            })
        })
        .collect();
    record.append(Channel::Stdout, vec![b'x'; 100_000].into());
    record.complete();
    let mut seen = std::collections::HashSet::new();
    for follower in followers {
        let (first, position) = follower.await.unwrap();
        assert_eq!(position, 100_000);
        seen.insert(first.unwrap());
    }
    assert_eq!(seen.len(), 1, "bytes were copied");
}

#[tokio::test]
async fn a_cancelled_read_has_taken_nothing() {
    let (store, _directory) = store(SMALL, 1 << 30);
    let record = store.record();
    let pieces = pieces(200, 200);
    for (channel, bytes) in &pieces {
        record.append(*channel, bytes.clone());
    }
    record.complete();
    let mut cursor = record.follow(0).unwrap();
    for _ in 0..20 {
        let mut next = Box::pin(cursor.next());
        // Starts to read the file, and is dropped.
        let polled = next.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending | Poll::Ready(Some(_))));
        if polled.is_ready() {
            break;
        }
        drop(next);
        assert_eq!(cursor.position(), 0);
    }
    let cursor = record.follow(0).unwrap();
    assert!(read(cursor).await == flat(&pieces));
}

#[tokio::test]
async fn records_of_ended_commands_cost_little() {
    let (store, _directory) = store(1 << 20, 1 << 30);
    let pieces = pieces(40, 1000);
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    let records: Vec<_> = (0..200)
        .map(|_| {
            let record = store.record();
            for (channel, bytes) in &pieces {
                record.append(*channel, bytes.clone());
            }
            record.complete();
            record.move_to_file();
            assert_eq!(record.log().memory_cost(), 0);
            record
        })
        .collect();
    assert!(files() < before + 100, "a descriptor for each");
    for record in records {
        assert!(read(record.follow(0).unwrap()).await == flat(&pieces));
        record.append(Channel::Stderr, "later".into());
        assert_eq!(
            read(record.follow(0).unwrap()).await.len(),
            flat(&pieces).len() + 5
        );
    }
}

/// Returns how many bytes of a record are available, and how many are in gaps.
async fn had(record: &Record) -> (u64, u64) {
    let (mut bytes, mut gaps) = (0, 0);
    let mut cursor = record.snapshot(0).unwrap();
    while let Some(piece) = cursor.next().await {
        match piece {
            Piece::Data { bytes: some, .. } => bytes += some.len() as u64,
            Piece::Gap { length, .. } => gaps += length,
        }
    }
    assert_eq!((bytes + gaps, gaps), (record.length(), record.dropped()));
    (bytes, gaps)
}

#[tokio::test]
async fn the_oldest_ended_records_make_room_and_running_ones_do_not() {
    const LENGTH: u64 = 400_000;
    let (store, _directory) = store_of(1 << 16, 1 << 30, 1_000_000);
    let write = |record: &Record| {
        for _ in 0..LENGTH / 100 {
            record.append(Channel::Stdout, vec![b'x'; 100].into());
        }
    };
    let (running, oldest, newest) = (store.record(), store.record(), store.record());
    write(&running);
    for record in [&oldest, &newest] {
        write(record);
        record.complete();
        record.move_to_file();
    }
    // The only room for the second of them was that of the first.
    assert_eq!(had(&oldest).await, (0, LENGTH));
    for record in [&running, &newest] {
        assert_eq!(had(record).await, (LENGTH, 0));
    }
    // A child that the command left running is still writing.
    oldest.append(Channel::Stderr, "later".into());
    assert_eq!(had(&oldest).await, (5, LENGTH));
    // More than fits, although the newest is evicted, too.
    for _ in 0..3 {
        write(&running);
    }
    assert_eq!(had(&newest).await, (0, LENGTH));
    let (bytes, gap) = had(&running).await;
    assert!(
        gap > 0 && (900_000..1_066_000).contains(&bytes),
        "{bytes} {gap}"
    );
    assert!(store.spool().budget().used() <= 1_000_000);
    drop((running, oldest, newest));
    assert_eq!(store.spool().budget().used(), 0);
    let record = store.record();
    write(&record);
    assert_eq!(
        had(&record).await,
        (LENGTH, 0),
        "what was dropped makes room"
    );
}
