//! The bodies of the fuzz targets: properties that hold for all input from clients and files.
//!
//! Each takes the bytes that a fuzzer generated and panics if a property is violated. Tests run them on the stable compiler.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header};
use sandbox_wire::ErrorCode;
use sandbox_wire::rest::{CreateSessionRequest, ExecuteRequest, PtyCreateRequest};
use sandbox_wire::ws::subprotocol::PTY_ENVS_PREFIX;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::body::outline::Outline;
use crate::http::body::{mend_surrogates, parse};
use crate::http::files::form;
use crate::http::peer::{LogForm, Peer};
use crate::http::pty::connect::variables;
use crate::http::ws::{self, handshake::is_key};
use crate::service::files::names;
use crate::{Token, admission, head, uri};

/// Checks that a body parses as a request exactly if serde parses its object as one, however it is split.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn request_body(input: &[u8]) {
    let whole = Outline::default().feed(input);
    let size = 1 + usize::from(input.first().copied().unwrap_or_default() % 16);
    let mut outline = Outline::default();
    let mut pieces = input.chunks(size);
    assert_eq!(pieces.try_for_each(|piece| outline.feed(piece)), whole);

    same_as_serde::<ExecuteRequest>(input);
    same_as_serde::<CreateSessionRequest>(input);
    same_as_serde::<PtyCreateRequest>(input);
}

/// Compares with serde. A [`Value`] takes the last value of a repeated name, as a body does.
fn same_as_serde<T: DeserializeOwned + PartialEq + std::fmt::Debug + Send + 'static>(input: &[u8]) {
    let found = parse::<T>(input, ErrorCode::BadRequest).ok();
    let text = String::from_utf8_lossy(input);
    let text = mend_surrogates(&text);
    let first = serde_json::Deserializer::from_str(&text)
        .into_iter::<Value>()
        .next();
    let expect = match first {
        Some(Ok(value @ Value::Object(_))) => T::deserialize(value).ok(),
        _ => None,
    };
    assert_eq!(found, expect);
}

/// Checks that escapes of any UTF-16 units decode to the same text as Rust decodes from the units.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn surrogates(input: &[u8]) {
    let unit = |pair: &[u8]| match *pair {
        // Most units are surrogates, since these are the interesting case.
        [high, low] if high < 0xC0 => 0xD800 | (u16::from(high & 7) << 8) | u16::from(low),
        [high, low] => u16::from_be_bytes([high, low]),
        _ => 0x41,
    };
    let units: Vec<u16> = input.chunks(2).map(unit).collect();
    let escaped: Vec<_> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    let text = format!("\"{}\"", escaped.concat());
    let read: String = serde_json::from_str(&mend_surrogates(&text)).expect("it is a text");
    assert_eq!(read, String::from_utf16_lossy(&units));

    // In any other text, only the beginnings of escaped surrogates are changed.
    let text = String::from_utf8_lossy(input);
    let mended = mend_surrogates(&text);
    assert_eq!(mend_surrogates(&mended), mended);
    if !text.contains("\\u") {
        assert_eq!(mended, text);
    }
}

/// Checks that a path has one spelling with the same meaning, and that a query returns the encoded values.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn paths(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(path) = uri::normalize(&text) {
        assert_eq!(uri::normalize(&path).ok().as_deref(), Some(&*path));
        assert_eq!(uri::decode_segment(&path), uri::decode_segment(&text));
        assert_eq!(path.matches('/').count(), text.matches('/').count());
    }
    let escaped: String = input.iter().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(uri::decode_segment(&escaped), text);
    let found = uri::query_value(Some(&format!("a=b&{escaped}=1&k={escaped}&k=2")), "k");
    let expect = if text == "k" { "1" } else { &*text };
    assert_eq!(found.as_deref(), Some(expect));
    let _ = uri::query_value(Some(&text), "k");
}

/// Checks that every file name has one text that maps back to it, and that a query finds it by its bytes.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn file_names(input: &[u8]) {
    let path = PathBuf::from(OsString::from_vec(input.to_vec()));
    let text = names::to_text(&path);
    assert_eq!(names::to_path(text.as_bytes()), path);
    // A text that encodes no name is still one name, which has a text of its own.
    let other = names::to_path(input);
    assert_eq!(names::to_path(names::to_text(&other).as_bytes()), other);
    let escaped: String = input.iter().map(|byte| format!("%{byte:02X}")).collect();
    let found = uri::query_bytes(Some(&format!("path={escaped}")), "path");
    assert_eq!(found.as_deref(), Some(input));
}

/// Checks that a form has no more in its parts than in its bytes, and that a part has the content that was put into it.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn forms(input: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without a driver needs nothing");
    let parts = |form: Vec<u8>| runtime.block_on(form::parts(form.into(), "XX"));
    if let Ok(parts) = parts(input.to_vec()) {
        let lengths = parts.iter().map(|(_, content)| content.len());
        assert!(lengths.sum::<usize>() < input.len());
    }
    if position(input, b"\r\n--XX").is_none() {
        let head = b"--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
        let form = [head, input, b"\r\n--XX--\r\n"].concat();
        let found = parts(form).expect("it is a form");
        assert_eq!(found, [("file".to_owned(), input.to_vec())]);
        // A form that is truncated anywhere is not a form.
        let cut = input.len() + head.len();
        let form = [head, input, b"\r\n--XX--\r\n"].concat();
        assert!(parts(form[..cut].to_vec()).is_err());
    }
}

/// Returns the position of one byte string in another.
fn position(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

/// Checks that headers are interpreted by value: versions as numbers, hosts as addresses, keys as bytes.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn headers(input: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(input) else {
        return;
    };
    let mut map = HeaderMap::new();
    for name in [
        header::AUTHORIZATION,
        header::HOST,
        header::UPGRADE,
        header::SEC_WEBSOCKET_PROTOCOL,
    ] {
        map.append(name, value.clone());
    }
    map.append("x-daytona-sdk-version", value.clone());
    check_peer(&Peer::of(&map));
    check_version(input);

    for offer in ws::offered(&map) {
        assert!(!offer.is_empty() && !offer.contains(',') && offer.trim() == offer);
    }
    let _ = ws::is_upgrade(&map);
    let decoded = STANDARD.decode(value.as_bytes());
    if decoded.is_ok_and(|bytes| bytes.len() == 16) {
        assert!(is_key(&value));
    }
    if is_key(&value) {
        assert_eq!(value.len(), 24);
    }
    let bearer = admission::bearer(&map);
    if let Some(token) = bearer {
        assert!(
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"bearer ")
        );
        assert!(
            Token::new(token).is_err() || Token::new(token).is_ok_and(|own| own.matches(token))
        );
    }
    if let Ok(host) = value.to_str() {
        let is_loopback = admission::is_loopback(host);
        if let Ok(address) = host.parse::<SocketAddr>() {
            // `%` and the text after it are a zone, which is not accepted in a host here.
            assert!(is_loopback == address.ip().is_loopback() || host.contains('%'));
        }
        assert!(!is_loopback || head::is_host(&value), "{host:?}");
    }
}

fn check_peer(peer: &Peer) {
    if peer.entrypoint_log_form() == LogForm::Json {
        assert_eq!(peer.log_form(), LogForm::Json);
    }
    let _ = (peer.takes_extensions(), peer.starts_at_home());
}

/// Compares the version that is parsed from these bytes with the numbers themselves.
fn check_version(input: &[u8]) {
    let number = |index: usize| u64::from(input.get(index).copied().unwrap_or_default());
    let version = [number(0) % 2, number(1), number(2)];
    let [major, minor, patch] = version;
    let mut map = HeaderMap::new();
    for text in [
        format!("{major}.{minor}.{patch}"),
        format!("v{major}.{minor}.{patch}rc1"),
    ] {
        map.insert(
            "x-daytona-sdk-version",
            HeaderValue::from_str(&text).expect("it is ASCII"),
        );
        map.insert("x-daytona-source", HeaderValue::from_static("sdk-go"));
        let peer = Peer::of(&map);
        assert_eq!(peer.takes_extensions(), version >= [0, 188, 0], "{text}");
        assert_eq!(peer.starts_at_home(), version < [0, 103, 0], "{text}");
    }
}

/// Checks that variables sent as a subprotocol arrive unchanged, and that anything else is refused.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn terminal_variables(input: &[u8]) {
    let read = |offer: &str| {
        let mut map = HeaderMap::new();
        let offer = HeaderValue::from_str(&format!("{PTY_ENVS_PREFIX}{offer}"));
        map.insert(header::SEC_WEBSOCKET_PROTOCOL, offer.ok()?);
        variables(&map).ok().flatten()
    };
    let texts: Vec<_> = input.split(|byte| *byte == b'=').collect();
    let pair = |pair: &[&[u8]]| {
        let text = |at: usize| {
            pair.get(at)
                .map(|part| String::from_utf8_lossy(part).into_owned())
        };
        (text(0).unwrap_or_default(), text(1))
    };
    let sent: BTreeMap<String, Option<String>> = texts.chunks(2).map(pair).collect();
    let json = serde_json::to_vec(&sent).expect("a map of texts can be written");
    assert_eq!(read(&URL_SAFE_NO_PAD.encode(&json)), Some(sent));

    let expect: Option<BTreeMap<String, Option<String>>> = serde_json::from_slice(input).ok();
    assert_eq!(read(&URL_SAFE_NO_PAD.encode(input)), expect);
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = read(text);
    }
}

/// Checks that a connection is detected as HTTP/2 exactly if it begins with the preface, and that no byte is lost, however
/// the input is split.
///
/// # Panics
///
/// Panics if that does not hold.
#[cfg(feature = "grpc")]
pub fn preface(input: &[u8]) {
    use futures_util::FutureExt;
    use tokio::io::AsyncReadExt;

    let at = usize::from(input.first().copied().unwrap_or_default() % 32);
    for text in [input, input.get(1..).unwrap_or_default()] {
        let (first, rest) = text.split_at(at.min(text.len()));
        let read = async {
            let opened = crate::grpc::preface::opening(first.chain(rest)).await;
            let (mut opening, is_h2) = opened.expect("memory can be read");
            let mut all = Vec::new();
            opening
                .read_to_end(&mut all)
                .await
                .expect("memory can be read");
            (is_h2, all)
        };
        let (is_h2, all) = read.now_or_never().expect("memory is read without a wait");
        assert_eq!(is_h2, text.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert_eq!(all, text);
    }
}

/// Checks that settings are parsed or refused with the file's name, and that an address parses as the same after formatting.
///
/// # Panics
///
/// Panics if that does not hold.
#[cfg(feature = "cli")]
pub fn settings(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match crate::settings::parse(&text, "f.toml".as_ref()) {
        Ok(read) => {
            // Only numeric addresses: a name would be resolved.
            let text = read.listen.as_deref().unwrap_or_default();
            let is_socket = sandbox_wire::unix::path(text).is_some_and(|path| !path.is_empty());
            if is_socket || text.parse::<SocketAddr>().is_ok() {
                let listen = read.listen().expect("it is an address");
                let url = listen.to_string();
                let again = url.strip_prefix("http://").unwrap_or(&url).parse();
                assert_eq!(again, Ok(listen));
            }
        }
        Err(error) => assert!(error.to_string().contains("f.toml")),
    }
}

/// Checks that the messages of any call are counted alike however they are split, and that a decodable one is accepted.
///
/// The input is the number of the method, the size of the pieces, and the message.
///
/// # Panics
///
/// Panics if that does not hold.
#[cfg(feature = "grpc")]
pub fn call_messages(input: &[u8]) {
    use crate::grpc::outline::Outline as Messages;
    use sandbox_wire::pb;

    type Reads = fn(&[u8]) -> bool;
    let calls: [(&str, Reads); 46] = [
        ("CodeService/RunCode", reads::<pb::RunCodeRequest>),
        ("ExecService/Exec", reads::<pb::ExecRequest>),
        ("ExecService/ListExecs", reads::<pb::ListExecsRequest>),
        ("ExecService/GetExec", reads::<pb::GetExecRequest>),
        (
            "ExecService/SendExecInput",
            reads::<pb::SendExecInputRequest>,
        ),
        ("ExecService/SignalExec", reads::<pb::SignalExecRequest>),
        ("ExecService/ResizeExec", reads::<pb::ResizeExecRequest>),
        ("FilesService/Stat", reads::<pb::StatRequest>),
        ("FilesService/List", reads::<pb::ListRequest>),
        ("FilesService/Read", reads::<pb::ReadRequest>),
        ("FilesService/Write", reads::<pb::WriteRequest>),
        ("FilesService/GetUpload", reads::<pb::GetUploadRequest>),
        (
            "FilesService/DeleteUpload",
            reads::<pb::DeleteUploadRequest>,
        ),
        (
            "FilesService/CreateDirectory",
            reads::<pb::CreateDirectoryRequest>,
        ),
        ("FilesService/Remove", reads::<pb::RemoveRequest>),
        ("FilesService/Rename", reads::<pb::RenameRequest>),
        (
            "FilesService/SetPermissions",
            reads::<pb::SetPermissionsRequest>,
        ),
        ("FilesService/Find", reads::<pb::FindRequest>),
        ("FilesService/Search", reads::<pb::SearchRequest>),
        ("FilesService/Replace", reads::<pb::ReplaceRequest>),
        ("FilesService/ReadArchive", reads::<pb::ReadArchiveRequest>),
        (
            "FilesService/WriteArchive",
            reads::<pb::WriteArchiveRequest>,
        ),
        ("InfoService/GetInfo", reads::<pb::GetInfoRequest>),
        ("InfoService/GetMetrics", reads::<pb::GetMetricsRequest>),
        (
            "InfoService/UpdateEnvironment",
            reads::<pb::UpdateEnvironmentRequest>,
        ),
        (
            "InterpreterService/CreateContext",
            reads::<pb::CreateContextRequest>,
        ),
        (
            "InterpreterService/ListContexts",
            reads::<pb::ListContextsRequest>,
        ),
        (
            "InterpreterService/DeleteContext",
            reads::<pb::DeleteContextRequest>,
        ),
        (
            "InterpreterService/ExecuteCode",
            reads::<pb::ExecuteCodeRequest>,
        ),
        (
            "InterpreterService/Interrupt",
            reads::<pb::InterruptRequest>,
        ),
        (
            "InterpreterService/RestartContext",
            reads::<pb::RestartContextRequest>,
        ),
        ("PtyService/ConnectPty", reads::<pb::ConnectPtyRequest>),
        ("PtyService/ListPtys", reads::<pb::ListPtysRequest>),
        ("PtyService/GetPty", reads::<pb::GetPtyRequest>),
        ("PtyService/ResizePty", reads::<pb::ResizePtyRequest>),
        ("PtyService/KillPty", reads::<pb::KillPtyRequest>),
        (
            "SessionService/CreateSession",
            reads::<pb::CreateSessionRequest>,
        ),
        (
            "SessionService/ListSessions",
            reads::<pb::ListSessionsRequest>,
        ),
        ("SessionService/GetSession", reads::<pb::GetSessionRequest>),
        (
            "SessionService/DeleteSession",
            reads::<pb::DeleteSessionRequest>,
        ),
        (
            "SessionService/ExecuteCommand",
            reads::<pb::ExecuteCommandRequest>,
        ),
        (
            "SessionService/StartCommand",
            reads::<pb::StartCommandRequest>,
        ),
        ("SessionService/GetCommand", reads::<pb::GetCommandRequest>),
        ("SessionService/FollowLog", reads::<pb::FollowLogRequest>),
        (
            "SessionService/SendCommandInput",
            reads::<pb::SendCommandInputRequest>,
        ),
        (
            "SessionService/SignalCommand",
            reads::<pb::SignalCommandRequest>,
        ),
    ];
    let ([which, size], rest) = input.split_first_chunk().unwrap_or((&[0; 2], &[]));
    let (method, reads) = calls[usize::from(*which) % calls.len()];
    let size = 1 + usize::from(size % 16);
    let length = u32::try_from(rest.len()).unwrap_or(u32::MAX).to_be_bytes();
    let framed = [&[0][..], &length, rest].concat();
    let method = format!("/sandbox.process.v1.{method}");
    let feed = |bytes: &[u8], size: usize| {
        let mut messages = Messages::of(&method).expect("there is such a method");
        let fed = bytes
            .chunks(size)
            .try_for_each(|piece| messages.feed(piece));
        fed.map_err(|status| status.code())
    };
    assert_eq!(feed(rest, size), feed(rest, usize::MAX));
    let fed = feed(&framed, size);
    assert_eq!(fed, feed(&framed, usize::MAX));
    assert!(fed.is_ok() || !reads(rest), "{method}: {fed:?}");
}

#[cfg(feature = "grpc")]
fn reads<M: prost::Message + Default>(bytes: &[u8]) -> bool {
    M::decode(bytes).is_ok()
}
