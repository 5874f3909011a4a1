//! Files over HTTP: what the clients send, what they get, and what becomes of requests that are not as they should be.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sandbox_daemon::Access;
use sandbox_daemon::limits::{FORM_FIELD_BYTES, FORM_HEAD_BYTES, REQUEST_BODY_BYTES};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::client::{Answer, TestServer};
use crate::robust::eventually;

const FORM: &str = "multipart/form-data; boundary=XX";

pub(crate) struct Place {
    pub(crate) server: TestServer,
    dir: PathBuf,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let server = TestServer::tcp(Access::Open).await;
        let dir = fs::canonicalize(server.engine.work_dir()).unwrap();
        Self { server, dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.server.get(path, &[]).await
    }

    async fn send(&self, method: &str, path: &str) -> Answer {
        self.server.send(method, path, &[], b"").await
    }

    async fn form(&self, path: &str, parts: &[(&str, &str)]) -> Answer {
        let headers = [("Content-Type", FORM)];
        self.server.send("POST", path, &headers, &form(parts)).await
    }
}

/// A form; a name that ends in `file` is that of a file.
fn form(parts: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        let is_file = name.ends_with("file");
        let file = if is_file { "; filename=\"x\"" } else { "" };
        let head = "--XX\r\nContent-Disposition: form-data; name=";
        format!("{head}\"{name}\"{file}\r\n\r\n{value}\r\n")
    };
    let parts: String = parts.iter().map(part).collect();
    (parts + "--XX--\r\n").into_bytes()
}

#[tokio::test]
async fn files_are_written_in_each_of_the_ways() {
    let place = Place::new().await;
    for route in ["/files/upload-v2", "/files/upload"] {
        let octets = [("Content-Type", "application/octet-stream")];
        let path = format!("{route}?path=a/raw");
        let answer = place.server.send("POST", &path, &octets, b"raw\0").await;
        assert_eq!(answer.status, 200);
        let whole = place.path("a/raw").to_str().unwrap().to_owned();
        assert_eq!(
            answer.json(),
            json!({"name": "raw", "path": whole, "type": "file"})
        );
        assert_eq!(place.text("a/raw"), "raw\0");
        let answer = place
            .form(&format!("{route}?path=one"), &[("file", "one\r\n--X")])
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(place.text("one"), "one\r\n--X");
    }
    let parts = [
        ("files[0].path", "b/first"),
        ("files[1].path", "second"),
        ("ignored", "x"),
        ("files[0].file", "1"),
        ("files[1].file", ""),
    ];
    assert_eq!(place.form("/files/bulk-upload", &parts).await.status, 200);
    assert_eq!(
        (place.text("b/first"), place.text("second")),
        ("1".into(), String::new())
    );
    fs::set_permissions(place.path("second"), fs::Permissions::from_mode(0o751)).unwrap();
    let parts = [("files[0].path", "second"), ("files[0].file", "new")];
    assert_eq!(place.form("/files/bulk-upload", &parts).await.status, 200);
    let mode = fs::metadata(place.path("second"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!((place.text("second"), mode & 0o7777), ("new".into(), 0o751));
    assert_eq!(place.names(), ["a", "b", "one", "second"]);
    place.server.end().await;
}

#[tokio::test]
async fn an_upload_may_be_longer_than_any_other_body_and_come_without_a_length() {
    let place = Place::new().await;
    let mut stream = place.server.connect().await;
    let head = "POST /files/upload-v2?path=large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = [&b"100000\r\n"[..], &[b'x'; 1 << 20], b"\r\n"].concat();
    let count = (REQUEST_BODY_BYTES >> 20) + 2;
    for _ in 0..count {
        stream.write_all(&chunk).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(Answer::parse(&bytes).status, 200);
    let length = fs::metadata(place.path("large")).unwrap().len();
    assert_eq!(length, (count as u64) << 20);
    let answer = place.get("/files/download?path=large").await;
    assert_eq!(answer.header("content-length"), Some(&*length.to_string()));
    assert_eq!(answer.body.len() as u64, length);
    place.server.end().await;
}

#[tokio::test]
async fn several_files_fail_each_for_itself() {
    let place = Place::new().await;
    fs::create_dir(place.path("dir")).unwrap();
    let long = "x".repeat(300);
    let parts = [
        ("files[0].file", "too early"),
        ("files[1].path", "dir"),
        ("files[1].file", "1"),
        ("files[2].path", &long),
        ("files[2].file", "2"),
        ("files[3].path", "good"),
        ("files[3].file", "3"),
        ("files[4].path", "without"),
    ];
    let answer = place.form("/files/bulk-upload", &parts).await;
    answer.expect_error(400, "BAD_REQUEST");
    let errors = answer.json()["errors"].clone();
    let errors: Vec<String> = serde_json::from_value(errors).unwrap();
    assert_eq!(errors[0], "files[0]: its path does not come before it");
    assert_eq!(errors[1], "dir: is a directory");
    assert!(
        errors[2].starts_with("xxx") && errors[2].contains("too long"),
        "{errors:?}"
    );
    assert_eq!(errors[3], "files[4]: the form has no file for it");
    assert_eq!(place.names(), ["dir", "good"]);
    place.server.end().await;
}

#[tokio::test]
async fn files_appear_with_the_permissions_of_the_upload() {
    let place = Place::new().await;
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o7777;
    let parts = [
        ("files[0].path", "run"),
        ("files[0].mode", "0751"),
        ("files[0].file", "#!"),
    ];
    let answer = place.form("/files/bulk-upload", &parts).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-sandbox-mode-applied"), Some("true"));
    assert_eq!(mode("run"), 0o751);
    let sent = place
        .server
        .send("POST", "/files/upload-v2?path=run&mode=600", &[], b"x");
    assert_eq!(sent.await.status, 200);
    assert_eq!(mode("run"), 0o600);
    // Neither writes a file that it cannot give what was asked for.
    for bad in ["8", "-1", "10000", "rwx", ""] {
        let parts = [
            ("files[0].mode", bad),
            ("files[0].path", "new"),
            ("files[0].file", "x"),
        ];
        let answer = place.form("/files/bulk-upload", &parts).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    let sent = place
        .server
        .send("POST", "/files/upload-v2?path=new&mode=8", &[], b"x");
    sent.await.expect_error(400, "BAD_REQUEST");
    assert_eq!(place.names(), ["run"]);
    place.server.end().await;
}

#[tokio::test]
async fn forms_that_are_none_leave_nothing() {
    let place = Place::new().await;
    let whole = form(&[("files[0].path", "a"), ("files[0].file", "text")]);
    let refused = async |content_type: &str, body: &[u8]| {
        let headers = [("Content-Type", content_type)];
        let bulk = place
            .server
            .send("POST", "/files/bulk-upload", &headers, body)
            .await;
        bulk.expect_error(400, "BAD_REQUEST");
        let one = place
            .server
            .send("POST", "/files/upload-v2?path=b", &headers, body)
            .await;
        if one.status != 200 {
            one.expect_error(400, "BAD_REQUEST");
        }
    };
    // Cut anywhere: within a file, its head, or before the end of the form.
    for length in 0..whole.len() - 4 {
        refused(FORM, &whole[..length]).await;
    }
    refused("multipart/form-data; boundary=YY", &whole).await;
    refused("multipart/form-data", &whole).await;
    let endless = [b"--XX\r\nA: ", &vec![b'x'; 3 * FORM_HEAD_BYTES][..]].concat();
    refused(FORM, &endless).await;
    let long = "x".repeat(FORM_FIELD_BYTES + 1);
    refused(
        FORM,
        &form(&[("files[0].path", &long), ("files[0].file", "")]),
    )
    .await;
    let headers = [("Content-Type", "application/octet-stream")];
    let answer = place
        .server
        .send("POST", "/files/bulk-upload", &headers, &whole)
        .await;
    answer.expect_error(400, "BAD_REQUEST");
    let answer = place
        .server
        .send("POST", "/files/upload-v2", &headers, b"x")
        .await;
    answer.expect_error(400, "BAD_REQUEST");
    let gzip = [("Content-Encoding", "gzip")];
    let answer = place
        .server
        .send("POST", "/files/upload-v2?path=b", &gzip, b"x")
        .await;
    answer.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    // A file whose part was whole is there, also if the form is not.
    assert!(
        place.names().iter().all(|name| name == "a"),
        "{:?}",
        place.names()
    );
    if place.path("a").exists() {
        assert_eq!(place.text("a"), "text");
    }
    place.server.end().await;
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_leaves_nothing() {
    let place = Place::new().await;
    fs::write(place.path("old"), "old").unwrap();
    let part = &form(&[("files[0].path", "old"), ("files[0].file", "new")]);
    let mut clients = Vec::new();
    for (path, content_type, body) in [
        (
            "/files/upload-v2?path=raw",
            "application/octet-stream",
            &b"half"[..],
        ),
        (
            "/files/upload-v2?path=old",
            "application/octet-stream",
            b"half",
        ),
        ("/files/bulk-upload", FORM, &part[..part.len() - 8]),
    ] {
        let mut stream = place.server.connect().await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n\
             Content-Length: 100000\r\n\r\n"
        );
        stream
            .write_all(&[head.as_bytes(), body].concat())
            .await
            .unwrap();
        clients.push(stream);
    }
    // The files in the making, which have no names where the file system can do that.
    let open = || {
        let open = fs::read_dir("/proc/self/fd").unwrap();
        let targets = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        let is_in_it = |target: &PathBuf| target.starts_with(&place.dir) && *target != place.dir;
        targets.filter(is_in_it).count()
    };
    eventually(|| open() == clients.len()).await;
    drop(clients);
    eventually(|| open() == 0).await;
    assert_eq!(place.names(), ["old"]);
    assert_eq!(place.text("old"), "old");
    place.server.end().await;
}

#[tokio::test]
async fn what_is_known_of_files_has_the_clients_shape() {
    let place = Place::new().await;
    fs::create_dir(place.path("dir")).unwrap();
    fs::write(place.path("dir/file"), "12345").unwrap();
    fs::set_permissions(place.path("dir/file"), fs::Permissions::from_mode(0o640)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_010_120);
    let file = fs::File::open(place.path("dir/file")).unwrap();
    file.set_modified(time).unwrap();
    symlink("dir", place.path("link")).unwrap();
    let info = place.get("/files/info?path=dir%2Ffile").await.json();
    let id = |id: u32| id.to_string();
    let owner = fs::metadata(place.path("dir/file")).unwrap();
    use std::os::unix::fs::MetadataExt;
    let expect = json!({
        "name": "file",
        "path": place.path("dir/file"),
        "isDir": false,
        "size": 5,
        "mode": "-rw-r-----",
        "permissions": "0640",
        "owner": id(owner.uid()),
        "group": id(owner.gid()),
        "modTime": "2023-11-14 22:13:30.12 +0000 UTC",
        "modifiedAt": "2023-11-14T22:13:30.12Z",
    });
    assert_eq!(info, expect);
    assert_eq!(
        place.get("/files/info?path=link").await.json()["isDir"],
        true
    );
    let paths = async |path: &str| {
        let listed = place.get(path).await.json();
        let entries = listed.as_array().unwrap().iter();
        let paths = entries.map(|entry| {
            let path = Path::new(entry["path"].as_str().unwrap());
            let path = path.strip_prefix(&place.dir).unwrap();
            path.to_str().unwrap().to_owned()
        });
        paths.collect::<Vec<_>>()
    };
    assert_eq!(paths("/files").await, ["dir", "link"]);
    assert_eq!(
        paths("/files?path=.&depth=2").await,
        ["dir", "dir/file", "link"]
    );
    assert_eq!(paths("/files?path=dir").await, ["dir/file"]);
    let listed = place.get("/files?path=").await.json();
    assert_eq!(listed[1]["mode"], "Lrwxrwxrwx");
    assert_eq!(
        listed[0]["mode"].as_str().unwrap().chars().next(),
        Some('d')
    );
    for depth in ["0", "-1", "x"] {
        let answer = place.get(&format!("/files?depth={depth}")).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    place.server.end().await;
}

#[tokio::test]
async fn directories_and_permissions_are_changed() {
    let place = Place::new().await;
    let expect = async |method: &str, path: &str, status: u16| {
        let answer = place.send(method, path).await;
        assert_eq!((answer.status, &*answer.body), (status, &b""[..]), "{path}");
    };
    expect("POST", "/files/folder?path=a/b&mode=0700", 201).await;
    expect("POST", "/files/folder?path=a/b&mode=755", 201).await;
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("a/b"), 0o700);
    expect("POST", "/files/permissions?path=a/b&mode=0711", 200).await;
    assert_eq!(mode("a/b"), 0o711);
    expect("POST", "/files/move?source=a/b&destination=c", 200).await;
    fs::write(place.path("c/file"), "").unwrap();
    place
        .send("DELETE", "/files?path=c")
        .await
        .expect_error(400, "INVALID_FILE_PATH");
    expect("DELETE", "/files?path=c/file&recursive=false", 204).await;
    expect("DELETE", "/files?path=c&recursive=true", 204).await;
    expect("DELETE", "/files?path=a&recursive=True", 204).await;
    assert_eq!(place.names(), [""; 0]);
    for path in [
        "/files/folder?path=x&mode=9",
        "/files/folder?path=x&mode=10000",
        "/files/folder?path=x&mode=%2B7",
        "/files/folder?mode=755",
        "/files/permissions?path=.&mode=rwx",
        "/files/permissions?path=.&owner=no%20such%20user",
        "/files/move?source=x",
    ] {
        place
            .send("POST", path)
            .await
            .expect_error(400, "BAD_REQUEST");
    }
    place
        .send("DELETE", "/files?path=x&recursive=2")
        .await
        .expect_error(400, "BAD_REQUEST");
    place.server.end().await;
}

#[tokio::test]
async fn text_and_names_are_found_and_replaced() {
    let place = Place::new().await;
    fs::create_dir(place.path("src")).unwrap();
    fs::write(place.path("src/a.py"), "one\ntwo needle\n").unwrap();
    fs::write(place.path("src/b.js"), "needle").unwrap();
    let found = place.get("/files/find?path=src&pattern=needle").await;
    assert_eq!(found.header("x-sandbox-truncated"), None);
    let expect = json!([
        {"file": "src/a.py", "line": 2, "content": "two needle"},
        {"file": "src/b.js", "line": 1, "content": "needle"},
    ]);
    assert_eq!(found.json(), expect);
    let found = place.get("/files/search?path=.&pattern=*.py").await.json();
    assert_eq!(found, json!({"files": ["./src/a.py"]}));
    let whole = place.path("src").to_str().unwrap().to_owned();
    let found = place
        .get(&format!("/files/search?path={whole}&pattern=b*"))
        .await
        .json();
    assert_eq!(found, json!({"files": [format!("{whole}/b.js")]}));
    assert_eq!(
        place
            .get("/files/find?path=src&pattern=nothing")
            .await
            .json(),
        json!([])
    );
    let body = json!({
        "files": ["src/a.py", "src/none", "src/b.js", "src"],
        "pattern": "needle",
        "newValue": "pin",
    });
    let replaced = place.server.post("/files/replace", &[], body).await.json();
    let expect = json!([
        {"file": "src/a.py", "success": true},
        {"file": "src/none", "success": false, "error": "file not found"},
        {"file": "src/b.js", "success": true},
        {"file": "src", "success": false, "error": "is a directory"},
    ]);
    assert_eq!(replaced, expect);
    assert_eq!(place.text("src/a.py"), "one\ntwo pin\n");
    place
        .get("/files/search?path=.&pattern=[a")
        .await
        .expect_error(400, "BAD_REQUEST");
    place
        .get("/files/find?path=.")
        .await
        .expect_error(400, "BAD_REQUEST");
    let body = json!({"files": ["src/a.py"], "pattern": "", "newValue": "x"});
    let answer = place.server.post("/files/replace", &[], body).await;
    answer.expect_error(400, "INVALID_REQUEST_BODY");
    // More lines than there may be.
    fs::write(place.path("many"), "x\n".repeat(10_001)).unwrap();
    let found = place.get("/files/find?path=many&pattern=x").await;
    assert_eq!(found.header("x-sandbox-truncated"), Some("true"));
    assert_eq!(found.json().as_array().unwrap().len(), 10_000);
    place.server.end().await;
}

#[tokio::test]
async fn several_files_come_as_the_parts_of_a_form() {
    let place = Place::new().await;
    fs::write(place.path("a"), "text\r\n--x").unwrap();
    fs::write(place.path("empty"), "").unwrap();
    fs::write(place.path("\u{e9}"), "e").unwrap();
    let body = json!({"paths": ["a", "none", "empty", "\u{e9}", "."]});
    let answer = place.server.post("/files/bulk-download", &[], body).await;
    assert_eq!(answer.status, 200);
    let content_type = answer.header("content-type").unwrap();
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let text = String::from_utf8(answer.body.clone()).unwrap();
    let text = text.replace(boundary, "B");
    let file = "Content-Type: application/octet-stream\r\nContent-Length:";
    let expect = [
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n",
        &format!("{file} 9\r\n\r\ntext\r\n--x\r\n"),
        "--B\r\nContent-Disposition: form-data; name=\"error\"; filename=\"none\"\r\n",
        "Content-Type: application/json\r\n\r\n",
        "{\"code\":\"FILE_NOT_FOUND\",\"message\":\"none: file not found\",",
        "\"source\":\"DAYTONA_DAEMON\",\"statusCode\":404}\r\n",
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"empty\"\r\n",
        &format!("{file} 0\r\n\r\n\r\n"),
        "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\u{e9}\"; filename*=UTF-8''%C3%A9\r\n",
        &format!("{file} 1\r\n\r\ne\r\n"),
        "--B\r\nContent-Disposition: form-data; name=\"error\"; filename=\".\"\r\n",
        "Content-Type: application/json\r\n\r\n",
        "{\"code\":\"INVALID_FILE_PATH\",\"message\":\".: is a directory\",",
        "\"source\":\"DAYTONA_DAEMON\",\"statusCode\":400}\r\n",
        "--B--\r\n",
    ];
    assert_eq!(text, expect.concat());
    for body in [json!({"paths": []}), json!({}), json!({"paths": "a"})] {
        let answer = place.server.post("/files/bulk-download", &[], body).await;
        answer.expect_error(400, "INVALID_REQUEST_BODY");
    }
    let empty = place.get("/files/download?path=empty").await;
    assert_eq!(
        (empty.status, empty.header("content-length")),
        (200, Some("0"))
    );
    let one = place.get("/files/download?path=a").await;
    assert_eq!(
        one.header("content-disposition"),
        Some("attachment; filename=\"a\"")
    );
    assert_eq!(one.body, b"text\r\n--x");
    // What has no length is read to its end.
    let version = place.get("/files/download?path=/proc/version").await;
    assert!(version.body.starts_with(b"Linux"), "{version:?}");
    place.server.end().await;
}

/// Requests, their status and their code.
const REFUSED: &str = "\
GET /files?path=none 404 FILE_NOT_FOUND
GET /files?path=file 400 INVALID_FILE_PATH
GET /files/info?path=none/below 404 FILE_NOT_FOUND
GET /files/info?path=file/below 400 INVALID_FILE_PATH
GET /files/info?path=a%00b 400 INVALID_FILE_PATH
GET /files/info?path=LONG 400 INVALID_FILE_PATH
GET /files/download?path=circle 400 INVALID_FILE_PATH
GET /files/download?path=fifo 400 INVALID_FILE_PATH
GET /files/download?path=/dev/zero 400 INVALID_FILE_PATH
GET /files/download?path=dir 400 INVALID_FILE_PATH
GET /files/download?path=../none 404 FILE_NOT_FOUND
GET /files/download 400 BAD_REQUEST
GET /files/find?path=none&pattern=x 404 FILE_NOT_FOUND
GET /files/search?path=none&pattern=x 404 FILE_NOT_FOUND
DELETE /files?path=none 404 FILE_NOT_FOUND
DELETE /files?path=/ 400 INVALID_FILE_PATH
POST /files/folder?path=file&mode=755 400 INVALID_FILE_PATH
POST /files/move?source=none&destination=x 404 FILE_NOT_FOUND
POST /files/move?source=file&destination=none/x 404 FILE_NOT_FOUND
POST /files/move?source=file&destination=dir 409 CONFLICT
POST /files/move?source=dir&destination=other 409 CONFLICT
POST /files/permissions?path=none&mode=644 404 FILE_NOT_FOUND
POST /files/upload-v2?path=fifo 400 INVALID_FILE_PATH
POST /files/upload-v2?path=dir 400 INVALID_FILE_PATH
POST /files/upload-v2?path=file/below 400 INVALID_FILE_PATH
POST /files/upload-v2?path=circle 400 INVALID_FILE_PATH
";

#[tokio::test]
async fn what_is_not_as_it_should_be_has_the_clients_code() {
    let place = Place::new().await;
    fs::write(place.path("file"), "x").unwrap();
    fs::create_dir_all(place.path("dir/full")).unwrap();
    fs::create_dir_all(place.path("other/full")).unwrap();
    symlink("circle", place.path("circle")).unwrap();
    let fifo = (rustix::fs::CWD, place.path("fifo"));
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(fifo.0, fifo.1, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for row in REFUSED.lines() {
        let [method, path, status, code] = *row.split(' ').collect::<Vec<_>>() else {
            panic!("{row}");
        };
        let path = path.replace("LONG", &"x".repeat(256));
        let response = place.send(method, &path).await;
        response.expect_error(status.parse().unwrap(), code);
    }
    place.server.end().await;
}

#[tokio::test]
async fn names_that_are_no_text_can_be_listed_read_and_deleted() {
    let place = Place::new().await;
    let name = std::ffi::OsStr::from_bytes(b"a\xff");
    fs::write(place.dir.join(name), "x").unwrap();
    let listed = place.get("/files").await.json();
    assert_eq!(listed[0]["name"], "a\u{EFFF}");
    // As it was listed, and as the bytes that it is.
    for path in ["a%EE%BF%BF", "a%ff", "a%FF"] {
        let answer = place.get(&format!("/files/download?path={path}")).await;
        assert_eq!((answer.status, &*answer.body), (200, &b"x"[..]), "{path}");
    }
    let found = place.get("/files/search?path=.&pattern=a*").await.json();
    assert_eq!(found["files"][0], "./a\u{EFFF}");
    let body = json!({"files": ["a\u{EFFF}"], "pattern": "x", "newValue": "y"});
    let replaced = place.server.post("/files/replace", &[], body).await.json();
    assert_eq!(replaced[0]["success"], true);
    assert_eq!(
        place.send("DELETE", "/files?path=a%EE%BF%BF").await.status,
        204
    );
    assert!(!place.dir.join(name).exists());
    place.server.end().await;
}

#[tokio::test]
async fn a_full_disk_is_distinct_from_other_failures() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
    let place = Place::new().await;
    let small = place.path("small");
    fs::create_dir(&small).unwrap();
    if mount("none", &small, "tmpfs", MountFlags::empty(), c"size=1m").is_err() {
        // Only root may, and not in every container.
        return place.server.end().await;
    }
    let large = "x".repeat(2 << 20);
    let octets = [("Content-Type", "application/octet-stream")];
    let path = "/files/upload-v2?path=small/file";
    let one = place
        .server
        .send("POST", path, &octets, large.as_bytes())
        .await;
    let parts = [
        ("files[0].path", "small/a"),
        ("files[0].file", &large),
        ("files[1].path", "small/b"),
        ("files[1].file", "b"),
    ];
    let several = place.form("/files/bulk-upload", &parts).await;
    let listed = place.get("/files?path=small").await;
    unmount(&small, UnmountFlags::DETACH).unwrap();
    one.expect_error(507, "INSUFFICIENT_STORAGE");
    several.expect_error(507, "INSUFFICIENT_STORAGE");
    assert_eq!(several.json()["errors"], json!(["small/a: no space left"]));
    let listed = listed.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "b");
    place.server.end().await;
}

#[tokio::test]
async fn a_directory_is_listed_page_by_page() {
    let place = Place::new().await;
    fs::create_dir(place.path("dir")).unwrap();
    for n in 0..5 {
        fs::write(place.path(&format!("dir/{n}")), "").unwrap();
    }
    let mut names = Vec::new();
    let mut query = "path=dir&page_size=2".to_owned();
    for pages in 1.. {
        let answer = place.get(&format!("/files?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        let listed = answer.json();
        let entries = listed.as_array().unwrap().iter();
        names.extend(entries.map(|entry| entry["name"].as_str().unwrap().to_owned()));
        match answer.sent_header("x-sandbox-next-page") {
            Some(token) => query = format!("path=dir&page_size=2&page_token={token}"),
            None => {
                assert_eq!(pages, 3);
                break;
            }
        }
    }
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    for bad in ["page_size=x", "page_token=*"] {
        let answer = place.get(&format!("/files?path=dir&{bad}")).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    place.server.end().await;
}

#[tokio::test]
async fn a_part_of_a_file_is_read_unless_it_has_changed() {
    let place = Place::new().await;
    fs::write(place.path("file"), "0123456789").unwrap();
    let get = async |headers: &[(&str, &str)]| {
        place.server.get("/files/download?path=file", headers).await
    };
    let whole = get(&[]).await;
    assert_eq!((whole.status, &*whole.body), (200, &b"0123456789"[..]));
    let tag = whole.header("etag").unwrap().to_owned();
    let part = get(&[("Range", "bytes=2-4"), ("If-Range", &tag)]).await;
    assert_eq!((part.status, &*part.body), (206, &b"234"[..]));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("content-length"), Some("3"));
    let beyond = get(&[("Range", "bytes=10-")]).await;
    beyond.expect_error(416, "RANGE_NOT_SATISFIABLE");
    assert_eq!(beyond.header("content-range"), Some("bytes */10"));
    let head = place
        .server
        .send("HEAD", "/files/download?path=file", &[], b"")
        .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("10"));
    assert_eq!(head.header("etag"), Some(&*tag));
    fs::write(place.path("file"), "another").unwrap();
    let changed = get(&[("Range", "bytes=2-4"), ("If-Range", &tag)]).await;
    assert_eq!((changed.status, &*changed.body), (200, &b"another"[..]));
    place.server.end().await;
}

#[tokio::test]
async fn ports_that_are_listened_on_are_listed() {
    let place = Place::new().await;
    // Below those that the system chooses.
    let listener =
        (3000..9999).find_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok());
    let listener = listener.unwrap();
    let port = listener.local_addr().unwrap().port();
    let ports = place.get("/port").await.json();
    assert!(
        ports["ports"].as_array().unwrap().contains(&json!(port)),
        "{ports}"
    );
    let is_in_use = place.get(&format!("/port/{port}/in-use")).await.json();
    assert_eq!(is_in_use, json!({"isInUse": true}));
    drop(listener);
    for port in ["2999", "10000", "x", "-1"] {
        let answer = place.get(&format!("/port/{port}/in-use")).await;
        answer.expect_error(400, "BAD_REQUEST");
    }
    place.server.end().await;
}
