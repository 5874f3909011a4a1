//! Files over gRPC.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use bytes::Bytes;
use sandbox_daemon::Access;
use sandbox_daemon::limits::{FILES_MESSAGE_BYTES, GRPC_CHUNK_BYTES, REQUEST_KEY_BYTES};
use sandbox_wire::pb::files_service_client::FilesServiceClient;
use sandbox_wire::pb::{self, read_archive_response, read_response};
use sandbox_wire::pb::{write_archive_request, write_request};
use tonic::{Code, Status};

use super::{Channel, open, refusal};
use crate::client::TestServer;
use crate::robust::eventually;

struct Place {
    server: TestServer,
    dir: PathBuf,
    client: FilesServiceClient<Channel>,
}

impl Place {
    async fn new() -> Self {
        let server = TestServer::unix(Access::Open).await;
        let dir = fs::canonicalize(server.engine.work_dir())
            .unwrap()
            .join("d");
        // The socket of the server is beside it.
        fs::create_dir(&dir).unwrap();
        let client = Channel::to(&server).await.files();
        Self {
            server,
            dir,
            client,
        }
    }

    fn files(&self) -> FilesServiceClient<Channel> {
        self.client.clone()
    }

    fn path(&self, name: &str) -> Bytes {
        self.dir.join(name).as_os_str().as_bytes().to_vec().into()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Returns how many files the daemon writes that have no name yet. It is part of this process.
    fn parts(&self) -> usize {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        let paths = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        let is_part = |path: &PathBuf| {
            let text = path.to_string_lossy();
            path.starts_with(&self.dir) && (text.ends_with(" (deleted)") || text.ends_with(".part"))
        };
        paths.filter(is_part).count()
    }

    /// Makes `a/c/file`, of two lines.
    fn with_a_file(&self) {
        fs::create_dir_all(self.dir.join("a/c")).unwrap();
        fs::write(self.dir.join("a/c/file"), "one\ntwo\n").unwrap();
    }

    async fn stat(&self, name: &str) -> Result<pb::FileInfo, Status> {
        let request = pb::StatRequest {
            path: self.path(name),
            ..pb::StatRequest::default()
        };
        let response = self.files().stat(request).await?;
        Ok(response.into_inner().file.unwrap())
    }

    /// Returns the first message and the bytes.
    async fn read(&self, request: pb::ReadRequest) -> Result<(pb::ReadStarted, Vec<u8>), Status> {
        let mut events = self.files().read(request).await?.into_inner();
        let first = events.message().await?.unwrap().event.unwrap();
        let read_response::Event::Started(started) = first else {
            panic!("{first:?}");
        };
        let mut bytes = Vec::new();
        while let Some(response) = events.message().await? {
            let Some(read_response::Event::Data(data)) = response.event else {
                panic!("{response:?}");
            };
            assert!(!data.is_empty() && data.len() <= GRPC_CHUNK_BYTES);
            bytes.extend_from_slice(&data);
        }
        Ok((started, bytes))
    }

    fn start(&self, name: &str) -> pb::WriteStart {
        pb::WriteStart {
            path: self.path(name),
            ..pb::WriteStart::default()
        }
    }

    async fn write(&self, start: pb::WriteStart, pieces: &[&[u8]]) -> Result<pb::FileInfo, Status> {
        let data = pieces.iter().map(|piece| data(piece));
        let requests: Vec<_> = std::iter::once(started(start)).chain(data).collect();
        let response = self
            .files()
            .write(futures_util::stream::iter(requests))
            .await?;
        Ok(response.into_inner().file.unwrap())
    }

    async fn progress(&self, id: &str) -> Result<(u64, bool), Status> {
        let request = pb::GetUploadRequest {
            upload_id: id.to_owned(),
        };
        let response = self.files().get_upload(request).await?.into_inner();
        Ok((response.offset, response.is_complete))
    }

    /// Starts an upload and ends its call when the daemon has received its bytes.
    async fn interrupt(&self, start: pb::WriteStart, bytes: &[u8]) {
        let (id, end) = (start.upload_id.clone(), start.offset + bytes.len() as u64);
        let (sender, requests) = open([started(start), data(bytes)]);
        let call = tokio::spawn({
            let mut files = self.files();
            async move { files.write(requests).await }
        });
        while self.progress(&id).await.ok() != Some((end, false)) {
            tokio::task::yield_now().await;
        }
        call.abort();
        drop(sender);
    }

    async fn extract(&self, name: &str, archive: &[u8]) -> Result<pb::ArchiveSummary, Status> {
        let start = pb::WriteArchiveStart {
            path: self.path(name),
        };
        let message = |message| pb::WriteArchiveRequest {
            message: Some(message),
        };
        let start = message(write_archive_request::Message::Start(start));
        let pieces = archive
            .chunks(1000)
            .map(|piece| message(write_archive_request::Message::Data(piece.to_vec().into())));
        let requests: Vec<_> = std::iter::once(start).chain(pieces).collect();
        let requests = futures_util::stream::iter(requests);
        let response = self
            .files()
            .clone()
            .write_archive(requests)
            .await?
            .into_inner();
        Ok(response.summary.unwrap())
    }
}

fn started(start: pb::WriteStart) -> pb::WriteRequest {
    pb::WriteRequest {
        message: Some(write_request::Message::Start(start)),
    }
}

fn data(bytes: &[u8]) -> pb::WriteRequest {
    pb::WriteRequest {
        message: Some(write_request::Message::Data(bytes.to_vec().into())),
    }
}

fn named(error: &Status) -> &str {
    refusal(error).1
}

#[tokio::test]
async fn a_directory_is_created_with_its_mode() {
    let place = Place::new().await;
    let directory = pb::CreateDirectoryRequest {
        path: place.path("a/b"),
        mode: Some(0o750),
    };
    place
        .files()
        .clone()
        .create_directory(directory)
        .await
        .unwrap();
    assert_eq!(
        fs::metadata(place.dir.join("a/b")).unwrap().mode() & 0o7777,
        0o750
    );
    place.server.end().await;
}

#[tokio::test]
async fn a_file_is_written_and_read() {
    let place = Place::new().await;
    let start = pb::WriteStart {
        mode: Some(0o640),
        create_directories: true,
        sync: true,
        ..place.start("a/c/file")
    };
    let written = place
        .write(start, &[b"one\n", b"", b"two\n"])
        .await
        .unwrap();
    let found = place.stat("a/c/file").await.unwrap();
    assert_eq!(written, found);
    assert_eq!(
        (found.size, found.mode, &found.path),
        (8, 0o640, &place.path("a/c/file"))
    );
    assert_eq!(found.r#type(), pb::FileType::Regular);
    let (started, bytes) = place
        .read(pb::ReadRequest {
            path: place.path("a/c/file"),
            ..pb::ReadRequest::default()
        })
        .await
        .unwrap();
    assert_eq!(
        (started.file.unwrap(), started.length, &*bytes),
        (found, Some(8), &b"one\ntwo\n"[..])
    );

    place.server.end().await;
}

#[tokio::test]
async fn permissions_are_those_of_a_links_target() {
    let place = Place::new().await;
    place.with_a_file();
    symlink("c/file", place.dir.join("a/link")).unwrap();
    let request = pb::StatRequest {
        path: place.path("a/link"),
        no_follow: true,
    };
    let link = place
        .files()
        .stat(request)
        .await
        .unwrap()
        .into_inner()
        .file
        .unwrap();
    assert_eq!(link.r#type(), pb::FileType::Symlink);

    let request = pb::SetPermissionsRequest {
        path: place.path("a/c/file"),
        mode: Some(0o600),
        owner: fs::metadata(&place.dir).unwrap().uid().to_string(),
        ..pb::SetPermissionsRequest::default()
    };
    place.files().set_permissions(request).await.unwrap();
    assert_eq!(place.stat("a/link").await.unwrap().mode, 0o600);

    place.server.end().await;
}

#[tokio::test]
async fn lines_with_a_text_are_found() {
    let place = Place::new().await;
    place.with_a_file();
    let request = pb::FindRequest {
        path: place.path("a"),
        text: "two".to_owned(),
    };
    let mut lines = place
        .files()
        .clone()
        .find(request)
        .await
        .unwrap()
        .into_inner();
    let response = lines.message().await.unwrap().unwrap();
    let line = pb::FoundLine {
        path: place.path("a/c/file"),
        number: 2,
        text: "two".into(),
    };
    assert_eq!((response.lines, response.is_truncated), (vec![line], false));
    assert!(lines.message().await.unwrap().is_none());
    place.server.end().await;
}

#[tokio::test]
async fn names_are_searched_for() {
    let place = Place::new().await;
    place.with_a_file();
    let request = pb::SearchRequest {
        path: place.path(""),
        pattern: "f*".to_owned(),
    };
    let mut paths = place
        .files()
        .clone()
        .search(request)
        .await
        .unwrap()
        .into_inner();
    let response = paths.message().await.unwrap().unwrap();
    assert_eq!(response.paths, [place.path("a/c/file")]);
    let request = pb::SearchRequest {
        path: place.path(""),
        pattern: "nothing".to_owned(),
    };
    let mut paths = place
        .files()
        .clone()
        .search(request)
        .await
        .unwrap()
        .into_inner();
    assert!(paths.message().await.unwrap().unwrap().paths.is_empty());
    place.server.end().await;
}

#[tokio::test]
async fn texts_are_replaced_file_by_file() {
    let place = Place::new().await;
    place.with_a_file();
    let request = pb::ReplaceRequest {
        paths: vec![place.path("a/c/file"), place.path("none")],
        old: "o".into(),
        new: "00".into(),
    };
    let results = place
        .files()
        .replace(request)
        .await
        .unwrap()
        .into_inner()
        .results;
    assert_eq!((results[0].count, &*results[0].error_code), (2, ""));
    assert_eq!(
        (results[1].count, &*results[1].error_code),
        (0, "FILE_NOT_FOUND")
    );
    assert_eq!(
        fs::read(place.dir.join("a/c/file")).unwrap(),
        b"00ne\ntw00\n"
    );
    place.server.end().await;
}

#[tokio::test]
async fn a_directory_is_renamed_and_removed() {
    let place = Place::new().await;
    place.with_a_file();
    let request = pb::RenameRequest {
        from: place.path("a/c"),
        to: place.path("moved"),
    };
    place.files().rename(request).await.unwrap();
    let mut remove = pb::RemoveRequest {
        path: place.path("moved"),
        recursive: false,
    };
    let refused = place
        .files()
        .clone()
        .remove(remove.clone())
        .await
        .unwrap_err();
    assert_eq!(refusal(&refused), (3, "INVALID_FILE_PATH"));
    assert!(refused.message().contains("recursive"), "{refused}");
    remove.recursive = true;
    place.files().remove(remove).await.unwrap();
    assert_eq!(place.names(), ["a"]);
    place.server.end().await;
}

#[tokio::test]
async fn directories_are_listed_page_by_page_with_any_names() {
    let place = Place::new().await;
    let odd = std::ffi::OsStr::from_bytes(b"\xFF\n");
    fs::write(place.dir.join(odd), "").unwrap();
    for n in 0..10 {
        fs::write(place.dir.join(n.to_string()), "").unwrap();
    }
    let mut request = pb::ListRequest {
        path: place.path(""),
        page_size: 4,
        ..pb::ListRequest::default()
    };
    let mut paths = Vec::new();
    for pages in 1.. {
        let response = place
            .files()
            .list(request.clone())
            .await
            .unwrap()
            .into_inner();
        assert!(!response.is_incomplete);
        paths.extend(response.files.into_iter().map(|file| file.path));
        request.page_token = response.next_page_token;
        if request.page_token.is_empty() {
            assert_eq!(pages, 3);
            break;
        }
    }
    assert_eq!(paths.len(), 11);
    assert!(paths.is_sorted());
    assert!(paths[10].ends_with(b"/\xFF\n"));
    let request = pb::StatRequest {
        path: paths[10].clone(),
        ..pb::StatRequest::default()
    };
    place.files().stat(request).await.unwrap();
    let request = pb::ListRequest {
        path: place.path(""),
        page_token: "?".to_owned(),
        ..pb::ListRequest::default()
    };
    let refused = place.files().list(request).await.unwrap_err();
    assert_eq!(refusal(&refused), (3, "BAD_REQUEST"));
    place.server.end().await;
}

#[tokio::test]
async fn ranges_of_a_file_are_read_unless_it_has_changed() {
    let place = Place::new().await;
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    fs::write(place.dir.join("file"), &bytes).unwrap();
    let request = |offset, length, if_match: &str| pb::ReadRequest {
        path: place
            .dir
            .join("file")
            .as_os_str()
            .as_bytes()
            .to_vec()
            .into(),
        offset,
        length,
        if_match: if_match.to_owned(),
    };
    let tag = place.stat("file").await.unwrap().entity_tag;
    for (offset, length) in [
        (0, None),
        (299_999, None),
        (300_000, None),
        (5, Some(0)),
        (70_000, Some(100_000)),
        (299_000, Some(u64::MAX)),
    ] {
        let (started, read) = place.read(request(offset, length, &tag)).await.unwrap();
        let start = usize::try_from(offset).unwrap();
        let length = usize::try_from(length.unwrap_or(u64::MAX)).unwrap();
        let end = start.saturating_add(length).min(bytes.len());
        assert!(read == bytes[start..end], "{offset}");
        assert_eq!(started.length, Some(read.len() as u64));
    }
    let refused = place.read(request(300_001, None, "")).await.unwrap_err();
    assert_eq!(refusal(&refused), (11, "RANGE_NOT_SATISFIABLE"));
    fs::write(place.dir.join("file"), "another").unwrap();
    let refused = place.read(request(5, None, &tag)).await.unwrap_err();
    assert_eq!(refusal(&refused), (9, "FILE_CHANGED"));
    fs::write(place.dir.join("file"), "").unwrap();
    assert_eq!(place.read(request(0, None, "")).await.unwrap().1, b"");
    let refused = place.read(request(1, None, "")).await.unwrap_err();
    assert_eq!(named(&refused), "RANGE_NOT_SATISFIABLE");
    place.server.end().await;
}

#[tokio::test]
async fn a_file_that_becomes_shorter_while_it_is_read_is_an_error() {
    let place = Place::new().await;
    let path = place.dir.join("file");
    // More than fits into the windows of the stream.
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let request = pb::ReadRequest {
        path: place.path("file"),
        ..pb::ReadRequest::default()
    };
    let mut events = place
        .files()
        .clone()
        .read(request)
        .await
        .unwrap()
        .into_inner();
    events.message().await.unwrap();
    fs::write(&path, "short").unwrap();
    let error = loop {
        match events.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the file was read to its end"),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal(&error), (9, "FILE_CHANGED"));
    place.server.end().await;
}

#[tokio::test]
async fn of_a_file_whose_client_leaves_nothing_remains() {
    let place = Place::new().await;
    fs::write(place.dir.join("file"), "old").unwrap();
    let (sender, requests) = open([started(place.start("file")), data(&[1; 1 << 20])]);
    let mut files = place.files();
    let call = tokio::spawn(async move { files.write(requests).await });
    eventually(|| place.parts() == 1).await;
    call.abort();
    drop(sender);
    eventually(|| place.parts() == 0).await;
    assert_eq!(place.names(), ["file"]);
    assert_eq!(fs::read(place.dir.join("file")).unwrap(), b"old");
    place.server.end().await;
}

#[tokio::test]
async fn an_upload_is_continued_where_it_was_interrupted() {
    let place = Place::new().await;
    fs::write(place.dir.join("file"), "old").unwrap();
    let start = |offset| pb::WriteStart {
        upload_id: "id".to_owned(),
        offset,
        ..place.start("file")
    };
    let [first, second, third] = [start(0), start(6), start(8)];
    let (beyond, repeated, longer) = (start(99), start(0), start(0));
    let elsewhere = pb::WriteStart {
        upload_id: "id".to_owned(),
        ..place.start("elsewhere")
    };
    assert_eq!(
        place.progress("id").await.unwrap_err().code(),
        Code::NotFound
    );
    place.interrupt(first, b"0123456789").await;
    assert_eq!(fs::read(place.dir.join("file")).unwrap(), b"old");
    assert_eq!(place.names(), ["file"]);
    let refused = place.write(elsewhere, &[b"x"]).await.unwrap_err();
    assert_eq!(refusal(&refused), (6, "CONFLICT"));
    let refused = place.write(beyond, &[b"x"]).await.unwrap_err();
    assert_eq!(refusal(&refused), (11, "RANGE_NOT_SATISFIABLE"));
    // What was received before is skipped, whatever it is.
    place.interrupt(second, b"____abcd").await;
    assert_eq!(place.progress("id").await.unwrap(), (14, false));
    let written = place.write(third, &[b"______", b"ef"]).await.unwrap();
    assert_eq!(written.size, 16);
    assert_eq!(
        fs::read(place.dir.join("file")).unwrap(),
        b"0123456789abcdef"
    );
    assert_eq!(place.progress("id").await.unwrap(), (16, true));
    // The same again changes nothing.
    let again = place.write(repeated, &[b"0123456789abcdef"]).await.unwrap();
    assert_eq!(again, written);
    let refused = place.write(longer, &[b"0123456789abcdef", b"g"]).await;
    assert_eq!(refusal(&refused.unwrap_err()), (3, "BAD_REQUEST"));
    assert_eq!(fs::read(place.dir.join("file")).unwrap().len(), 16);
    assert_eq!(place.names(), ["file"]);
    place.server.end().await;
}

#[tokio::test]
async fn a_newer_call_takes_an_upload_over() {
    let place = Place::new().await;
    let start = pb::WriteStart {
        upload_id: "id".to_owned(),
        ..place.start("file")
    };
    let (sender, requests) = open([started(start.clone()), data(b"01234")]);
    let older = tokio::spawn({
        let mut files = place.files();
        async move { files.write(requests).await }
    });
    while place.progress("id").await.ok() != Some((5, false)) {
        tokio::task::yield_now().await;
    }
    let newer = pb::WriteStart {
        offset: 5,
        ..start.clone()
    };
    place.write(newer, &[b"56789"]).await.unwrap();
    let refused = older.await.unwrap().unwrap_err();
    assert_eq!(refusal(&refused), (6, "CONFLICT"));
    drop(sender);
    assert_eq!(fs::read(place.dir.join("file")).unwrap(), b"0123456789");

    let delete = pb::DeleteUploadRequest {
        upload_id: "id".to_owned(),
    };
    place
        .files()
        .clone()
        .delete_upload(delete.clone())
        .await
        .unwrap();
    assert_eq!(
        place.progress("id").await.unwrap_err().code(),
        Code::NotFound
    );
    let (sender, requests) = open([started(start.clone()), data(b"new")]);
    let older = tokio::spawn({
        let mut files = place.files();
        async move { files.write(requests).await }
    });
    while place.progress("id").await.ok() != Some((3, false)) {
        tokio::task::yield_now().await;
    }
    place.files().delete_upload(delete).await.unwrap();
    assert_eq!(named(&older.await.unwrap().unwrap_err()), "CONFLICT");
    drop(sender);
    assert_eq!(fs::read(place.dir.join("file")).unwrap(), b"0123456789");
    assert_eq!(place.names(), ["file"]);
    place.server.end().await;
}

#[tokio::test]
async fn requests_that_are_not_as_they_should_be_are_refused() {
    let place = Place::new().await;
    fs::write(place.dir.join("file"), "old").unwrap();
    let fifo = place.dir.join("pipe");
    let mode = rustix::fs::Mode::from(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    symlink("loop", place.dir.join("loop")).unwrap();
    let long = "x".repeat(256);
    for (name, expect) in [
        ("none/file", (5, "FILE_NOT_FOUND")),
        ("file/below", (3, "INVALID_FILE_PATH")),
        ("", (3, "INVALID_FILE_PATH")),
        ("pipe", (3, "INVALID_FILE_PATH")),
        ("loop", (3, "INVALID_FILE_PATH")),
        ("a\0b", (3, "INVALID_FILE_PATH")),
        (&long, (3, "INVALID_FILE_PATH")),
    ] {
        let refused = place.write(place.start(name), &[b"x"]).await.unwrap_err();
        assert_eq!(refusal(&refused), expect, "{name}");
        let request = pb::ReadRequest {
            path: place.path(name),
            ..pb::ReadRequest::default()
        };
        let refused = place.read(request).await.unwrap_err();
        assert_eq!(refusal(&refused), expect, "{name}");
    }
    let bad = (3, "BAD_REQUEST");
    let no_start = place
        .files()
        .write(futures_util::stream::iter([data(b"x")]))
        .await;
    assert_eq!(refusal(&no_start.unwrap_err()), bad);
    let nothing = place
        .files()
        .clone()
        .write(futures_util::stream::empty())
        .await;
    assert_eq!(refusal(&nothing.unwrap_err()), bad);
    let twice = [started(place.start("new")), started(place.start("new"))];
    let twice = place
        .files()
        .clone()
        .write(futures_util::stream::iter(twice))
        .await;
    assert_eq!(refusal(&twice.unwrap_err()), bad);
    for start in [
        pb::WriteStart {
            mode: Some(0o10000),
            ..place.start("new")
        },
        pb::WriteStart {
            offset: 1,
            ..place.start("new")
        },
        pb::WriteStart {
            upload_id: "x".repeat(REQUEST_KEY_BYTES + 1),
            ..place.start("new")
        },
    ] {
        let refused = place.write(start, &[]).await.unwrap_err();
        assert_eq!(refusal(&refused), bad);
    }
    let large = vec![1; FILES_MESSAGE_BYTES];
    let refused = place
        .write(place.start("new"), &[&large])
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    place
        .write(place.start("fits"), &[&large[..FILES_MESSAGE_BYTES - 10]])
        .await
        .unwrap();
    assert_eq!(place.names(), ["file", "fits", "loop", "pipe"]);
    place.server.end().await;
}

#[tokio::test]
async fn directories_are_sent_and_received_as_archives() {
    let place = Place::new().await;
    fs::create_dir_all(place.dir.join("tree/a")).unwrap();
    fs::write(place.dir.join("tree/a/file"), vec![7; 200_000]).unwrap();
    fs::set_permissions(place.dir.join("tree/a"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("a/file", place.dir.join("tree/link")).unwrap();
    let mode = rustix::fs::Mode::from(0o600);
    let pipe = place.dir.join("tree/pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let request = pb::ReadArchiveRequest {
        path: place.path("tree"),
    };
    let mut events = place
        .files()
        .read_archive(request)
        .await
        .unwrap()
        .into_inner();
    let (mut archive, mut summary) = (Vec::new(), None);
    while let Some(response) = events.message().await.unwrap() {
        assert_eq!(summary, None, "it is the last message");
        match response.event.unwrap() {
            read_archive_response::Event::Data(data) => archive.extend_from_slice(&data),
            read_archive_response::Event::Summary(last) => summary = Some(last),
        }
    }
    let sent = summary.unwrap();
    assert_eq!(
        (sent.files, sent.directories, sent.links, sent.bytes),
        (1, 2, 1, 200_000)
    );
    assert_eq!(
        (sent.skipped, &*sent.skipped_paths),
        (1, &[Bytes::from("pipe")][..])
    );
    let extracted = place.extract("new/copy", &archive).await.unwrap();
    assert_eq!(
        (extracted.files, extracted.directories, extracted.links),
        (1, 2, 1)
    );
    let copy = place.dir.join("new/copy");
    assert_eq!(fs::read(copy.join("link")).unwrap(), [7; 200_000]);
    assert_eq!(fs::metadata(copy.join("a")).unwrap().mode() & 0o7777, 0o700);

    // A truncated archive, with what was extracted of it.
    let truncated = &archive[..archive.len() - 1024];
    let refused = place.extract("truncated", truncated).await.unwrap_err();
    assert_eq!(refusal(&refused), (3, "BAD_REQUEST"));
    let counts = "(after 1 files, 2 directories and 1 links)";
    assert!(refused.message().ends_with(counts), "{refused}");
    // One whose entries lead out.
    let mut header = archive[..512].to_vec();
    header[..10].copy_from_slice(b"../outside");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let refused = place.extract("out", &header).await.unwrap_err();
    assert_eq!(refusal(&refused), (3, "INVALID_FILE_PATH"));
    assert!(!place.dir.join("outside").exists());
    place.server.end().await;
}
