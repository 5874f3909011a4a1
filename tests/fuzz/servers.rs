//! What servers send to clients, and the messages of both.

use sandbox_transport::fuzzing as client;
use sandbox_wire::fuzzing as wire;

use crate::runner::{JSON, run};

#[test]
fn endpoint() {
    let seeds: &[&[u8]] = &[
        b"http://[::1]:2280/a/b/",
        b"https://host/id",
        b"grpc://h:1/p",
        b"grpcs://host",
        b"grpc+unix:/run/x",
        b"unix:///run/x",
        b"host",
        b"//x",
    ];
    let words: &[&[u8]] = &[
        b"http", b"grpc", b"s://", b"unix:", b"+", b":", b"/", b"//", b"[", b"]", b"@", b"?", b"#",
        b"%", b":0", b":65536",
    ];
    run(client::endpoint, seeds, words, 8_000);
}

#[test]
fn error_body() {
    let seeds: &[&[u8]] = &[
        br#"{"statusCode":404,"message":["a",1],"code":"NOT_FOUND","error":"x","timestamp":"t"}"#,
        b"<html>bad gateway</html>",
    ];
    run(client::error_body, seeds, &[JSON, MESSAGES].concat(), 8_000);
}

#[test]
fn handshake_reply() {
    let seeds: &[&[u8]] = &[b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"a", b"a, b"];
    let words: &[&[u8]] = &[b" ", b",", b"a", b"b", b"="];
    run(client::handshake_reply, seeds, words, 8_000);
}

#[test]
fn log_messages() {
    let seeds: &[&[u8]] = &[
        b"\x03\x01\x01\x01abc\x02\x02\x02def",
        b"\x01\x00\x00\x00\x05hello",
    ];
    let words: &[&[u8]] = &[b"\x01\x01\x01", b"\x02\x02\x02", b"\x01", b"\x02", b"\xff"];
    run(client::log_messages, seeds, words, 5_000);
}

#[test]
fn wire_json() {
    let seeds: &[&[u8]] = &[
        br#"{"type":"start","request":{"command":"a","timeout":5},"input":true,"killOnDrop":true}"#,
        br#"{"type":"signal","signal":"TERM"}"#,
        br#"{"type":"ended","exitCode":1,"termination":{"kind":"signaled","signal":9}}"#,
        br#"{"type":"control","status":"exited","exitCode":137,"exitReason":"SIGKILL","offset":1,"missing":2}"#,
        br#"{"type":"display","text":"a","data":{"a/b":[1.5,null]},"omitted":{"c":7}}"#,
        br#"{"code":"a","contextId":"b","timeout":-1,"envs":{"A":null}}"#,
        br#"{"sessionId":"s","commands":[{"id":"c","command":"x","exitCode":0}]}"#,
        br#"{"cmdId":"c","output":"o","stdout":"p","stderr":"q","exitCode":3,"exit_code":4}"#,
        br#"{"exitCode":0,"result":"r","artifacts":{"stdout":"x","charts":[]}}"#,
    ];
    run(wire::json, seeds, &[JSON, MESSAGES].concat(), 2_500);
}

#[test]
fn wire_protobuf() {
    let seeds: &[&[u8]] = &[
        b"\x0a\x02\x08\x07",
        b"\x12\x05\x0a\x01a\x12\0",
        b"\x08\x96\x01\x1a\x03abc",
        b"\x0a\x01a\x12\x01b\x1a\x01c",
    ];
    let words: &[&[u8]] = &[
        b"\x08",
        b"\x0a",
        b"\x12",
        b"\x1a\x03abc",
        b"\x22",
        b"\xff\xff\xff\xff\x0f",
        b"\xa3\x06",
        b"\xa4\x06",
        b"\x0d\0\0\x80\x7f",
        b"\0",
    ];
    run(wire::protobuf, seeds, words, 3_000);
}

/// What such messages hold besides.
const MESSAGES: &[&[u8]] = &[
    b"\\u00e9",
    b"18446744073709551616",
    b"9",
    b"\"a\"",
    b"{}",
    b"[]",
    b"\"type\"",
    b"\"message\"",
    b"\"signal\"",
    b"\"exitCode\"",
];
