//! Files that are not as a client expects them, or not any longer.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fs::Place;

const OCTETS: [(&str, &str); 1] = [("Content-Type", "application/octet-stream")];

/// Runs as an ordinary user, or as root with a file system that may only be read.
#[tokio::test]
async fn what_the_user_may_not_do_has_the_clients_code() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let place = Place::new().await;
    let closed = place.path("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("file"), "x").unwrap();
    let mut refused = vec![
        ("POST", "/files/upload-v2?path=closed/file"),
        ("POST", "/files/upload-v2?path=closed/new"),
        ("POST", "/files/folder?path=closed/dir&mode=755"),
        ("DELETE", "/files?path=closed/file"),
        ("POST", "/files/permissions?path=closed/file&mode=600"),
    ];
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        let mounted = mount("none", &closed, "tmpfs", MountFlags::RDONLY, c"size=1m");
        if mounted.is_err() {
            return place.server.end().await;
        }
        // There is nothing in it.
        refused.retain(|(_, path)| path.contains("new") || path.contains("dir"));
    } else {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        refused.push(("GET", "/files/download?path=closed/file"));
        refused.push(("GET", "/files?path=closed"));
    }
    let mut answers = Vec::new();
    for (method, path) in refused {
        answers.push(place.server.send(method, path, &OCTETS, b"y").await);
    }
    if is_root {
        unmount(&closed, UnmountFlags::DETACH).unwrap()
    } else {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap()
    }
    for answer in answers {
        answer.expect_error(403, "FILE_ACCESS_DENIED");
    }
    assert_eq!(place.text("closed/file"), "x");
    place.server.end().await;
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_sent_ends_the_response_early() {
    const LENGTH: u64 = 64 << 20;
    let place = Place::new().await;
    let file = fs::File::create(place.path("file")).unwrap();
    file.set_len(LENGTH).unwrap();
    let mut stream = place.server.connect().await;
    let request = "GET /files/download?path=file HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = vec![0; 1000];
    stream.read_exact(&mut received).await.unwrap();
    let head = String::from_utf8_lossy(&received).to_lowercase();
    assert!(
        head.contains(&format!("content-length: {LENGTH}\r\n")),
        "{head}"
    );
    // The rest does not fit into the buffers of the connection.
    file.set_len(10).unwrap();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut received).await;
    assert!((received.len() as u64) < LENGTH, "{}", received.len());
    place.server.end().await;
}

#[tokio::test]
async fn of_two_clients_that_write_a_file_the_last_one_wins_whole() {
    let place = Place::new().await;
    let contents = [b'a', b'b'].map(|byte| vec![byte; 3 << 20]);
    for round in 0..5 {
        let path = format!("/files/upload-v2?path=file-{round}");
        let write = |content| place.server.send("POST", &path, &OCTETS, content);
        let (one, other) = tokio::join!(write(&contents[0]), write(&contents[1]));
        assert_eq!((one.status, other.status), (200, 200));
        let found = fs::read(place.path(&format!("file-{round}"))).unwrap();
        assert!(contents.contains(&found), "{} bytes", found.len());
    }
    assert_eq!(fs::read_dir(place.path(".")).unwrap().count(), 5);
    place.server.end().await;
}
