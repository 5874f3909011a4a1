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

#[test]
fn calls() {
    let seeds: &[&[u8]] = &[
        b"\x06\x08\n\x06\n\x02id\x10\x07\x0b\x12\x09\x08\x01\x10\x00\x1a\x03abc\x06\x1a\x04\x08\x03\x10\x04\n\x12\x08\x08\x02\x10\x07\x1a\x02d\xc3\x10*\x0e\n\x08CONFLICT\x12\x02no\n\"\x08\n\x04\n\x02\x08\x03\x10\x09",
        b"\x02\x02\n\x00\x09\x12\x07\x08\x03\x10\x00\x1a\x01x'*%\n\x04line\x12\x1d{\"type\":\"line\",\"elements\":[]}\x13:\x11\n\x0f\n\ntext/plain\x12\x011\n\"\x08\n\x04\x12\x02\x08\x09\x10\x01",
        b"\x0e\x0b\n\x09\x08\x01\x10\x00\x1a\x03log\x06\x12\x04\x08\x03\x10\x02\x0c\x1a\n\n\x06\x1a\x04\n\x02\x08\x05\x10\x05",
        b"\x00\"\n \n\x01s\x12\x0f\n\x01c\x12\x04true*\x04\n\x02\x08\x00\x1a\x04\x08\x09\x10\x01*\x04\x12\x02\x08\x0f",
        b"\x00\x15\n\x13\n\x01p\x1a\x06\n\x01A\x12\x011\"\x04\x08P\x10\x180\x01",
    ];
    let words: &[&[u8]] = &[
        b"\x04\x0a\x02\x08\x01",
        b"\x06\x22\x04\x0a\x02\x0a\0",
        b"\xff\xff\xff\xff\x07",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\0",
        b"\x10",
        b"\x1a\x01a",
        b"\0\0\0\0\x02",
    ];
    run(client::calls, seeds, words, 80);
}

#[test]
fn sockets() {
    let seeds: &[&[u8]] = &[
        b"\x00\x812{\"type\":\"control\",\"status\":\"connected\",\"offset\":0}\x82\x02$ \x81\x02\xc3\xa9\x89\x01p\x811{\"type\":\"control\",\"status\":\"exited\",\"exitCode\":0}",
        b"\x00\x81'{\"type\":\"control\",\"status\":\"connected\"}\x02\x01a\x80\x01b\x88)\x03\xe8{\"exitCode\":137,\"exitReason\":\"SIGKILL\"}",
        b"\x00\x81\x1a{\"type\":\"started\",\"pid\":7}\x82\x10\x01\x00\x00\x00\x03out\x02\x00\x00\x00\x03err\x81J{\"type\":\"ended\",\"exitCode\":1,\"termination\":{\"kind\":\"exited\",\"exitCode\":1}}",
        b"\x00\x81\x1c{\"type\":\"stdout\",\"text\":\"a\"}\x81%{\"type\":\"control\",\"text\":\"completed\"}\x88\x02\x03\xe8",
    ];
    let words: &[&[u8]] = &[
        b"\x81\x02{}",
        b"\x82\x01a",
        b"\x88\0",
        b"\x88\x02\x03\xf3",
        b"\x89\0",
        b"\x02\x01a",
        b"\x80\0",
        b"\x82\x05\0\0\0\0\x02",
        b"\xc1",
        b"\x7f",
        b"-1",
        b"\xff",
    ];
    run(
        client::sockets,
        seeds,
        &[JSON, MESSAGES, words].concat(),
        700,
    );
}

#[test]
fn terminal_closes() {
    let seeds: &[&[u8]] = &[
        br#"{"exitCode":137,"exitReason":"SIGKILL"}"#,
        br#"{"exitCode":-1}"#,
        b"gone",
    ];
    run(
        client::terminal_closes,
        seeds,
        &[JSON, MESSAGES].concat(),
        5_000,
    );
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
