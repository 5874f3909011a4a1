//! Directories as archives over HTTP.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::fs::Place;
use crate::robust::eventually;

#[tokio::test]
async fn directories_are_sent_and_received_as_archives() {
    let place = Place::new().await;
    fs::create_dir_all(place.path("tree/a")).unwrap();
    fs::write(place.path("tree/a/file"), "text").unwrap();
    fs::set_permissions(place.path("tree/a/file"), fs::Permissions::from_mode(0o751)).unwrap();
    symlink("a/file", place.path("tree/link")).unwrap();
    let archive = place.get("/files/archive?path=tree").await;
    assert_eq!(archive.status, 200);
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    let extract = async |path: &str, archive: &[u8]| {
        let path = format!("/files/archive?path={path}");
        let headers = [("Content-Type", "application/x-tar")];
        place.server.send("POST", &path, &headers, archive).await
    };
    let extracted = extract("new/copy", &archive.body).await;
    let expect = json!({"files": 1, "directories": 2, "links": 1, "bytes": 4});
    assert_eq!((extracted.status, extracted.json()), (200, expect));
    assert_eq!(place.text("new/copy/link"), "text");
    let metadata = fs::metadata(place.path("new/copy/a/file")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o7777, 0o751);

    let truncated = extract("short", &archive.body[..archive.body.len() - 1024]).await;
    truncated.expect_error(400, "BAD_REQUEST");
    let message = truncated.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("after 1 files, 2 directories and 1 links"),
        "{message}"
    );
    extract("garbage", &[b'x'; 1024])
        .await
        .expect_error(400, "BAD_REQUEST");
    extract("tree/a/file", &archive.body)
        .await
        .expect_error(400, "INVALID_FILE_PATH");
    let missing = place.get("/files/archive?path=none").await;
    missing.expect_error(404, "FILE_NOT_FOUND");
    place
        .get("/files/archive")
        .await
        .expect_error(400, "BAD_REQUEST");
    place.server.end().await;
}

/// The body of a client that leaves has no end, and what was extracted of it has no part of a file.
#[tokio::test]
async fn an_archive_whose_client_leaves_is_not_completed() {
    let place = Place::new().await;
    fs::write(place.path("one"), "1").unwrap();
    let archive = place.get("/files/archive?path=one").await.body;
    let mut stream = place.server.connect().await;
    let head = "POST /files/archive?path=into HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The whole first entry, and of a second one the beginning.
    stream.write_all(&archive[..1024]).await.unwrap();
    let mut second = archive[..512].to_vec();
    second[..3].copy_from_slice(b"two");
    second[148..156].fill(b' ');
    let sum: u32 = second.iter().map(|byte| u32::from(*byte)).sum();
    second[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    stream.write_all(&second).await.unwrap();
    eventually(|| place.path("into/one").exists()).await;
    drop(stream);
    let is_in_use = || {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        let mut paths = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        paths.any(|path| path.starts_with(place.path("into")))
    };
    eventually(|| !is_in_use()).await;
    assert_eq!(fs::read_dir(place.path("into")).unwrap().count(), 1);
    place.server.end().await;
}
