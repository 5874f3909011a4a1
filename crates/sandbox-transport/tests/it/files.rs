//! Files over HTTP: against this project's daemon, and against servers that do exactly what a test specifies.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use sandbox_transport::{
    Delivery, Error, ErrorKind, FileContent, FileKind, FileReader, FilesApi, Permissions,
    ProcessApi, limits,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::daemon::Daemon;
use crate::fake::{Fake, Manual, Script, answer, json, kinds};

async fn collect(mut reader: FileReader) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await {
        bytes.extend_from_slice(&piece?);
    }
    Ok(bytes)
}

async fn read(files: &dyn FilesApi, path: impl AsRef<Path>) -> Result<Vec<u8>, Error> {
    collect(files.read(path.as_ref()).await?).await
}

fn pieces(count: u8, size: usize) -> impl stream::Stream<Item = io::Result<Bytes>> {
    stream::iter(0..count).map(move |index| Ok(Bytes::from(vec![index; size])))
}

fn reason(error: &Error) -> (ErrorKind, Option<&str>) {
    (error.kind(), error.code())
}

#[tokio::test]
async fn files_are_written_and_read() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    let content = FileContent::stream(pieces(40, 100_000));
    files.write("a/b/big".as_ref(), content).await.unwrap();
    let reader = files.read("a/b/big".as_ref()).await.unwrap();
    assert_eq!(reader.size(), Some(4_000_000));
    let bytes = collect(reader).await.unwrap();
    assert!(
        bytes
            .chunks(100_000)
            .zip(0..)
            .all(|(chunk, index)| chunk.iter().all(|byte| *byte == index))
    );

    files
        .write("a/empty".as_ref(), Bytes::new().into())
        .await
        .unwrap();
    assert_eq!(read(&*files, "a/empty").await.unwrap(), b"");
    daemon.end().await;
}

#[tokio::test]
async fn text_is_found_and_replaced() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    files
        .write("a/text".as_ref(), "one two\ntwo\n".into())
        .await
        .unwrap();
    let found = files.find("a".as_ref(), "two").await.unwrap();
    let lines: Vec<_> = found
        .into_iter()
        .map(|line| (line.path, line.number, line.text))
        .collect();
    let line = |number, text: &str| (PathBuf::from("a/text"), number, text.to_owned());
    assert_eq!(lines, [line(1, "one two"), line(2, "two")]);
    let replaced = files
        .replace(&["a/text".into(), "a/none".into()], "two", "2")
        .await
        .unwrap();
    assert_eq!(replaced[0].error, None);
    assert_eq!(replaced[1].path, Path::new("a/none"));
    assert!(replaced[1].error.is_some());
    assert_eq!(read(&*files, "a/text").await.unwrap(), b"one 2\n2\n");
    daemon.end().await;
}

#[tokio::test]
async fn permissions_outlast_an_overwriting() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    files
        .write("a/text".as_ref(), "one 2\n2\n".into())
        .await
        .unwrap();
    files
        .set_permissions("a/text".as_ref(), Permissions::from_mode(0o4711))
        .await
        .unwrap();
    let info = files.metadata("a/text".as_ref()).await.unwrap();
    assert_eq!(
        (info.kind, info.size, info.mode),
        (FileKind::File, 8, 0o4711)
    );
    assert_eq!(info.path, daemon.work_dir().join("a/text"));
    assert!(info.modified.unwrap() <= std::time::SystemTime::now());
    // What is overwritten retains its mode.
    files.write("a/text".as_ref(), "x".into()).await.unwrap();
    assert_eq!(
        files.metadata("a/text".as_ref()).await.unwrap().mode & 0o777,
        0o711
    );
    daemon.end().await;
}

#[tokio::test]
async fn directories_are_listed_searched_and_removed() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    files.write("a/b/big".as_ref(), "x".into()).await.unwrap();
    files
        .write("a/empty".as_ref(), Bytes::new().into())
        .await
        .unwrap();
    files
        .write("a/text".as_ref(), "one 2\n2\n".into())
        .await
        .unwrap();
    files
        .create_dir("a/c/d".as_ref(), Some(0o700))
        .await
        .unwrap();
    assert_eq!(files.metadata("a/c/d".as_ref()).await.unwrap().mode, 0o700);
    files
        .rename("a/text".as_ref(), "a/c/d/moved".as_ref())
        .await
        .unwrap();
    std::os::unix::fs::symlink("nowhere", daemon.work_dir().join("a/link")).unwrap();
    let mut listed: Vec<_> = files.list("a".as_ref(), 1).await.unwrap().items;
    listed.sort_by(|one, other| one.path.cmp(&other.path));
    let listed: Vec<_> = listed
        .iter()
        .map(|entry| (entry.name(), entry.kind))
        .collect();
    let entry = |name, kind| (Path::new(name), kind);
    let (dir, file, link) = (FileKind::Dir, FileKind::File, FileKind::Symlink);
    let expect = [
        entry("b", dir),
        entry("c", dir),
        entry("empty", file),
        entry("link", link),
    ];
    assert_eq!(listed, expect);
    assert_eq!(files.list("a".as_ref(), 3).await.unwrap().items.len(), 7);
    let searched = files.search("a".as_ref(), "mov*").await.unwrap();
    assert_eq!(searched.items, [PathBuf::from("a/c/d/moved")]);
    assert!(!searched.is_truncated);

    files.remove("a/empty".as_ref()).await.unwrap();
    files.remove_all("a/c".as_ref()).await.unwrap();
    assert!(!daemon.work_dir().join("a/c").exists());
    daemon.end().await;
}

#[tokio::test]
async fn names_are_bytes() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    let names: [&[u8]; 5] = [
        b"\xFF\xC3.txt",
        "\u{e9} ?&=#%+;\"\\".as_bytes(),
        "\u{EFFF}\u{EF80}".as_bytes(),
        b" \t\r\n",
        b"\xEE\xBF\xBF\xFF",
    ];
    for name in names {
        let path = Path::new("dir").join(OsStr::from_bytes(name));
        let content = Bytes::copy_from_slice(name);
        files.write(&path, content.into()).await.unwrap();
        assert_eq!(std::fs::read(daemon.work_dir().join(&path)).unwrap(), name);
        assert_eq!(read(&*files, &path).await.unwrap(), name, "{path:?}");
        let info = files.metadata(&path).await.unwrap();
        assert_eq!(info.path, daemon.work_dir().join(&path));
        let replaced = files
            .replace(std::slice::from_ref(&path), "no such text", "x")
            .await;
        assert_eq!(replaced.unwrap()[0].error, None);
    }
    let listed = files.list("dir".as_ref(), 1).await.unwrap();
    let mut listed: Vec<_> = listed
        .items
        .iter()
        .map(|entry| entry.name().as_os_str().as_bytes())
        .collect();
    listed.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(listed, names);
    for path in files.search("dir".as_ref(), "*").await.unwrap() {
        files.remove(&path).await.unwrap();
    }
    assert_eq!(files.list("dir".as_ref(), 1).await.unwrap().items, []);
    daemon.end().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_an_error_with_a_code() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    files.write("file".as_ref(), "x".into()).await.unwrap();
    files.create_dir("dir".as_ref(), None).await.unwrap();
    let not_found = (ErrorKind::NotFound, Some("FILE_NOT_FOUND"));
    let invalid = (ErrorKind::InvalidInput, Some("INVALID_FILE_PATH"));
    let conflict = (ErrorKind::Conflict, Some("CONFLICT"));
    let check = |error: Error, expect| {
        assert_eq!(reason(&error), expect, "{error}");
        assert_eq!(error.delivery(), Delivery::Rejected);
    };
    check(files.read("none".as_ref()).await.unwrap_err(), not_found);
    check(files.read("dir".as_ref()).await.unwrap_err(), invalid);
    check(files.read("/dev/zero".as_ref()).await.unwrap_err(), invalid);
    check(files.read("file/x".as_ref()).await.unwrap_err(), invalid);
    check(
        files.metadata("none".as_ref()).await.unwrap_err(),
        not_found,
    );
    check(files.list("none".as_ref(), 1).await.unwrap_err(), not_found);
    check(files.list("file".as_ref(), 1).await.unwrap_err(), invalid);
    check(
        files.write("dir".as_ref(), "x".into()).await.unwrap_err(),
        invalid,
    );
    check(
        files
            .write("file/x".as_ref(), "x".into())
            .await
            .unwrap_err(),
        invalid,
    );
    check(files.remove("dir".as_ref()).await.unwrap_err(), invalid);
    check(files.remove("none".as_ref()).await.unwrap_err(), not_found);
    check(
        files.create_dir("file".as_ref(), None).await.unwrap_err(),
        invalid,
    );
    check(
        files
            .rename("file".as_ref(), "dir".as_ref())
            .await
            .unwrap_err(),
        conflict,
    );
    let long = PathBuf::from("n".repeat(300));
    check(files.write(&long, "x".into()).await.unwrap_err(), invalid);
    check(files.read("a\0b".as_ref()).await.unwrap_err(), invalid);
    let error = files.write("".as_ref(), "x".into()).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::InvalidInput, Delivery::NotSent));
    let error = files.find("file".as_ref(), "").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    daemon.end().await;
}

#[tokio::test]
async fn content_that_fails_leaves_the_file_as_it_was() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let files = client.files();
    files.write("file".as_ref(), "before".into()).await.unwrap();
    let broken = stream::iter([Err(io::Error::other("the disk is broken"))]);
    let broken = FileContent::stream(pieces(5, 100_000).chain(broken));
    let error = files.write("file".as_ref(), broken).await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Local, Delivery::Uncertain));
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "the disk is broken");
    for length in [99, 499_999, 500_001, u64::MAX] {
        let content = FileContent::stream(pieces(5, 100_000)).with_length(length);
        let error = files.write("file".as_ref(), content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local, "{length}");
    }
    let exact = FileContent::stream(pieces(5, 100_000)).with_length(500_000);
    files.write("other".as_ref(), exact).await.unwrap();

    // Dropped in the middle: the content is dropped as well.
    let dropped = Dropped::default();
    let (mut started, started_rx) = (Some(()), Arc::new(tokio::sync::Notify::new()));
    let notify = started_rx.clone();
    let guard = dropped.guard();
    let endless = stream::repeat_with(move || {
        let _ = &guard;
        if started.take().is_some() {
            notify.notify_one();
        }
        Ok(Bytes::from_static(&[1; 1000]))
    });
    let writing = files.write("file".as_ref(), FileContent::stream(endless));
    tokio::select! {
        result = writing => panic!("{result:?}"),
        () = started_rx.notified() => {}
    }
    assert!(dropped.0.load(Ordering::SeqCst));
    assert_eq!(read(&*files, "file").await.unwrap(), b"before");
    let mut names: Vec<_> = std::fs::read_dir(daemon.work_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name == "file" || name == "other" || name.as_bytes().starts_with(b".f"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["file", "other"]);
    daemon.end().await;
}

/// Reports that something was dropped.
#[derive(Default)]
struct Dropped(Arc<AtomicBool>);

struct OnDrop(Arc<AtomicBool>);

impl Dropped {
    fn guard(&self) -> OnDrop {
        OnDrop(self.0.clone())
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_refusal_ends_an_upload_that_has_no_end() {
    let mut manual = Manual::start().await;
    let files = manual.client().files();
    let dropped = Dropped::default();
    let guard = dropped.guard();
    let endless = stream::repeat_with(move || {
        let _ = &guard;
        Ok(Bytes::from_static(&[1; 1000]))
    });
    let serve = async {
        let (mut stream, _) = manual.next().await;
        let refusal = r#"{"message":"no","code":"FILE_ACCESS_DENIED","statusCode":403}"#;
        stream
            .write_all(&answer(403, "application/json", refusal))
            .await
            .unwrap();
        // The client closes its side, and without the end of a form.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.ends_with(b"0\r\n\r\n"));
    };
    let writing = files.write("file".as_ref(), FileContent::stream(endless));
    let (result, ()) = tokio::join!(writing, serve);
    let error = result.unwrap_err();
    assert_eq!(
        kinds(&error),
        (ErrorKind::PermissionDenied, Delivery::Rejected)
    );
    assert!(dropped.0.load(Ordering::SeqCst));
}

#[tokio::test]
async fn content_in_one_piece_is_sent_in_several() {
    let daemon = Daemon::start().await;
    let files = daemon.client().files();
    let content = vec![7; 5 * limits::UPLOAD_PIECE_BYTES + 1];
    files
        .write("file".as_ref(), content.clone().into())
        .await
        .unwrap();
    assert_eq!(read(&*files, "file").await.unwrap(), content);
    daemon.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_caller_does_not_count() {
    let fake = Fake::start([Script::Answer(json(""))]).await;
    let slow = stream::once(async {
        tokio::time::sleep(3 * limits::TRANSFER_IDLE).await;
        Ok(Bytes::from_static(b"late"))
    });
    let content = FileContent::stream(slow).with_length(4);
    let files = fake.client().files();
    files.write("file".as_ref(), content).await.unwrap();
    let body = fake.request(0).body;
    assert!(body.windows(4).any(|four| four == b"late"));
}

#[tokio::test(start_paused = true)]
async fn a_transfer_without_progress_times_out() {
    // The server reads the head, and takes nothing of the content.
    let mut manual = Manual::start().await;
    let files = manual.client().files();
    let endless = stream::repeat_with(|| Ok(Bytes::from_static(&[1; 1000])));
    let begin = Instant::now();
    let writing = files.write("file".as_ref(), FileContent::stream(endless));
    let (result, _connection) = tokio::join!(writing, manual.next());
    let error = result.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Timeout, Delivery::Uncertain));
    assert!(begin.elapsed() >= limits::TRANSFER_IDLE);

    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
    let fake = Fake::start([Script::Answer(head.to_vec())]).await;
    let mut reader = fake.client().files().read("file".as_ref()).await.unwrap();
    assert_eq!(reader.next().await.unwrap().unwrap(), "abc");
    let begin = Instant::now();
    let error = reader.next().await.unwrap().unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Timeout, Delivery::Uncertain));
    assert_eq!(begin.elapsed(), limits::TRANSFER_IDLE);
    assert!(reader.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_search_without_a_response_times_out() {
    let fake = Fake::start([Script::Silence]).await;
    let files = fake.client().files();
    let begin = Instant::now();
    let error = files.search("/".as_ref(), "*").await.unwrap_err();
    assert_eq!(kinds(&error), (ErrorKind::Timeout, Delivery::Uncertain));
    assert_eq!(begin.elapsed(), limits::SEARCH);
}

fn part(status: &str, headers: &str, length: usize, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_read_that_is_cut_is_resumed() {
    let tag = "ETag: \"t1\"\r\n";
    let rest = |from: usize, body| {
        let range = format!("{tag}Content-Range: bytes {from}-9/10\r\n");
        part("206 Partial Content", &range, 10 - from, body)
    };
    let fake = Fake::start([
        Script::Cut(part("200 OK", tag, 10, "abc")),
        Script::Cut(rest(3, "de")),
        Script::Cut(answer(503, "", "")),
        // Less than what was requested.
        Script::Cut(part(
            "206 Partial Content",
            &format!("{tag}Content-Range: bytes 5-6/10\r\n"),
            2,
            "fg",
        )),
        Script::Answer(rest(7, "hij")),
    ])
    .await;
    assert_eq!(
        read(&*fake.client().files(), "/x y").await.unwrap(),
        b"abcdefghij"
    );
    let ranges = [None, Some(3), Some(5), Some(5), Some(7)];
    for (index, first) in ranges.into_iter().enumerate() {
        let range = first.map(|first| format!("bytes={first}-"));
        let range = range.as_deref();
        let request = fake.request(index);
        assert_eq!(request.line(), "GET /files/download?path=%2Fx%20y");
        assert_eq!(request.header("range"), range);
        assert_eq!(request.header("if-range"), range.map(|_| "\"t1\""));
    }
}

#[tokio::test]
async fn a_read_that_cannot_be_resumed_is_an_error() {
    let tag = "ETag: \"t1\"\r\n";
    let check = async |first: &str, second: Vec<u8>, expect, requests| {
        let cut = Script::Cut(part("200 OK", first, 10, "abc"));
        let fake = Fake::start([cut, Script::Answer(second)]).await;
        let mut reader = fake.client().files().read("x".as_ref()).await.unwrap();
        assert_eq!(reader.next().await.unwrap().unwrap(), "abc");
        let error = reader.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), expect, "{error}");
        assert!(reader.next().await.is_none());
        assert_eq!(fake.count(), requests);
    };
    let whole = || part("200 OK", tag, 10, "abcdefghij");
    let range = |range: &str| part("206 Partial Content", range, 7, "defghij");
    // The daemon does not report tags, or weak ones.
    check("", whole(), ErrorKind::Closed, 1).await;
    check("ETag: W/\"t1\"\r\n", whole(), ErrorKind::Closed, 1).await;
    // The file has changed, or is shorter, or no longer exists.
    check(tag, whole(), ErrorKind::Conflict, 2).await;
    check(tag, answer(416, "", ""), ErrorKind::InvalidInput, 2).await;
    check(tag, answer(404, "", ""), ErrorKind::NotFound, 2).await;
    // Another part than the one that was requested.
    check(
        tag,
        range("Content-Range: bytes 2-8/10\r\n"),
        ErrorKind::Protocol,
        2,
    )
    .await;
    check(
        tag,
        range("Content-Range: bytes 3-9/10\r\nETag: \"t2\"\r\n"),
        ErrorKind::Protocol,
        2,
    )
    .await;
    check(tag, range(""), ErrorKind::Protocol, 2).await;
}

#[tokio::test]
async fn stock_daemons_are_understood() {
    let fake = Fake::start([
        Script::AnswerOnce(json(
            r#"[{"name":"a","isDir":true,"size":1,"mode":"drwxr-xr-x","permissions":"0755","owner":"u","group":"g","modTime":"2024-01-02 03:04:05.5 +0000 UTC"}]"#,
        )),
        Script::AnswerOnce(json("null")),
        Script::AnswerOnce(json(r#"{"files":null}"#)),
        Script::AnswerOnce(answer(400, "application/json", r#"{"errors":["a: full","b: full"]}"#)),
        Script::AnswerOnce(answer(404, "text/plain", "404 page not found")),
    ])
    .await;
    let files = fake.client().files();
    let listed = files.list("/x".as_ref(), 1).await.unwrap();
    assert_eq!(listed.items[0].path, Path::new("/x/a"));
    assert!(listed.items[0].is_dir());
    assert!(listed.items[0].modified.is_some());
    // A new connection for each script.
    let files = fake.client().files();
    assert_eq!(files.find("/x".as_ref(), "y").await.unwrap().items, []);
    let files = fake.client().files();
    assert_eq!(
        files.search("/x".as_ref(), "y").await.unwrap().items,
        [""; 0].map(PathBuf::from)
    );
    let files = fake.client().files();
    let error = files.write("/x".as_ref(), "abc".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "a: full, b: full");
    let request = fake.request(3);
    let boundary = request.header("content-type").unwrap();
    let boundary = boundary
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let expect = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"files[0].path\"\r\n\r\n/x\r\n\
         --{boundary}\r\nContent-Disposition: form-data; name=\"files[0].file\"; filename=\"file\"\r\n\
         Content-Type: application/octet-stream\r\n\r\nabc\r\n--{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8_lossy(&request.body), expect);
    let files = fake.client().files();
    let error = files.read_archive("/x".as_ref()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn ports_are_listed() {
    let fake = Fake::start([
        Script::AnswerOnce(json(r#"{"ports":[3000,9999]}"#)),
        Script::AnswerOnce(json(r#"{"isInUse":true}"#)),
    ])
    .await;
    assert_eq!(fake.client().ports().await.unwrap(), [3000, 9999]);
    assert!(fake.client().port_in_use(3000).await.unwrap());
    assert_eq!(fake.request(1).line(), "GET /port/3000/in-use");
}

#[tokio::test]
async fn permissions_that_an_upload_did_not_apply_are_set_afterwards() {
    let applied = "HTTP/1.1 200 OK\r\nX-Sandbox-Mode-Applied: true\r\nContent-Length: 0\r\n\r\n";
    let stock = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let refused = answer(400, "application/json", r#"{"message":"no modes here"}"#);
    let content = || FileContent::from("x").with_mode(0o750);
    let permissions = "POST /files/permissions?path=f&mode=0750";

    let fake = Fake::start([Script::Answer(applied.into())]).await;
    fake.client()
        .files()
        .write("f".as_ref(), content())
        .await
        .unwrap();
    assert_eq!(fake.count(), 1);
    let form = String::from_utf8_lossy(&fake.request(0).body).into_owned();
    assert!(
        form.contains("name=\"files[0].mode\"\r\n\r\n0750\r\n"),
        "{form}"
    );

    let fake = Fake::start([Script::Answer(stock.into())]).await;
    fake.client()
        .files()
        .write("f".as_ref(), content())
        .await
        .unwrap();
    assert_eq!((fake.count(), fake.request(1).line()), (2, permissions));

    // What fails there is not hidden.
    let fake = Fake::start([Script::Cut(stock.into()), Script::Answer(refused)]).await;
    let error = fake.client().files().write("f".as_ref(), content()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}
