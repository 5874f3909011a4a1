//! What clients send, and what a daemon's settings say.

use sandbox_daemon::fuzzing;

use crate::runner::{JSON, run};

/// What such requests hold besides.
const REQUESTS: &[&[u8]] = &[
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\"command\"",
    b"\"envs\"",
    b"\"timeout\"",
    b"\"comm\\u0061nd\"",
    b"{\"A\":null}",
    b" ",
];

#[test]
fn request_body() {
    let seeds: &[&[u8]] = &[
        br#"{"command":"a","envs":{"A":"1","B":null},"cwd":"/","timeout":5,"stdin":"x"} x"#,
        br#"{"command":7,"zzz":[{}],"comm\u0061nd":"b","envs":{"A":"1","A":null},"envs":{}}"#,
        br#"{"sessionId":"a","cwd":null,"id":"p","cols":80,"rows":24,"lazyStart":true}"#,
        br#"{"command":"\udc00\ud83d\ude00\ud83d"}"#,
    ];
    run(
        fuzzing::request_body,
        seeds,
        &[JSON, REQUESTS].concat(),
        4_000,
    );
}

#[test]
fn surrogates() {
    let seeds: &[&[u8]] = &[
        b"\\ud83d\\ude00",
        b"\xd8\0\xdc\0\xd8\0",
        br#"{"a":"\\ud800 \ud800\ud800"}"#,
    ];
    run(
        fuzzing::surrogates,
        seeds,
        &[JSON, REQUESTS].concat(),
        5_000,
    );
}

#[test]
fn paths() {
    let seeds: &[&[u8]] = &[
        b"/%2e%2E/%C3%A9/%ff+",
        b"/a%2fb/%2576",
        b"a=x%26y+z%2B&k=1",
        b"k",
    ];
    let words: &[&[u8]] = &[
        b"%", b"%2F", b"%25", b"%C3", b"%A9", b"%zz", b"/", b"&", b"=", b"+", b"k",
    ];
    run(fuzzing::paths, seeds, words, 8_000);
}

#[test]
fn file_names() {
    let seeds: &[&[u8]] = &[b"a/\xc3\xa9", b"a\xff/\xee\xbf\xbf", "\u{ef80}".as_bytes()];
    let words: &[&[u8]] = &[b"\xee\xbe\x80", b"\xee\xbf", b"\xee", b"/", b"\xff", b"\0"];
    run(fuzzing::file_names, seeds, words, 8_000);
}

#[test]
fn forms() {
    let seeds: &[&[u8]] = &[
        b"--XX\r\nContent-Disposition: form-data; name=\"files[0].path\"\r\n\r\na\r\n--XX--\r\n",
        b"--XX\r\nContent-Disposition: form-data; name=a; filename*=UTF-8''%C3%A9\r\n\r\n\r\n--XX--",
        b"\r\n--X\r\n-",
    ];
    let words: &[&[u8]] = &[
        b"--XX",
        b"--XX--",
        b"\r\n",
        b"\r",
        b"-",
        b"name=\"",
        b"\"",
        b"Content-Disposition: ",
        b": ",
        b" ",
        b"\0",
        b"\xff",
    ];
    run(fuzzing::forms, seeds, words, 2_000);
}

#[test]
fn headers() {
    let seeds: &[&[u8]] = &[
        b"Bearer secret",
        b"localhost:2280",
        b"[::1]:80",
        b"127.0.0.1:1",
        b"[fe80::1%25eth0]:80",
        b"v0.27.0-rc.1+b",
        b"0.0.0-dev",
        b"a, b ,, X-Daytona-SDK-Version~0.226.1",
        b"dGhlIHNhbXBsZSBub25jZQ==",
        b"h2c, WebSocket",
    ];
    let words: &[&[u8]] = &[
        b"bearer ",
        b"localhost",
        b"127.0.0.1",
        b"[",
        b"]",
        b"::1",
        b":",
        b"@",
        b"%",
        b".",
        b"-",
        b"+",
        b"dev",
        b"rc1",
        b"99999999999999999999",
        b",",
        b" ",
        b"==",
        b"\xff",
    ];
    run(fuzzing::headers, seeds, words, 6_000);
}

#[test]
fn terminal_variables() {
    let seeds: &[&[u8]] = &[
        b"A=1=B=2",
        br#"{"A":"\u00e9 ???","B":null}"#,
        b"eyJBIjoiw6kgPz8_In0=",
    ];
    run(
        fuzzing::terminal_variables,
        seeds,
        &[JSON, REQUESTS].concat(),
        6_000,
    );
}

#[test]
fn preface() {
    let seeds: &[&[u8]] = &[
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore",
        b"\x05PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
    ];
    let words: &[&[u8]] = &[b"PRI ", b"\r\n", b"SM", b"\x17", b"P"];
    run(fuzzing::preface, seeds, words, 10_000);
}

#[test]
fn settings() {
    let seeds: &[&[u8]] = &[
        b"listen = \"127.0.0.1:80\"\nno-warm = true\nshutdown-grace = 3\nentrypoint = [\"sleep\", \"1\"]\n",
        b"record-bytes = 1000\nshell = \"/bin/dash\"\n[a]\nb = {c = 1979-05-27T07:32:00Z}\n",
    ];
    let words: &[&[u8]] = &[
        b"=", b"\"", b"[", b"]", b"{", b"}", b"\n", b"listen", b"'''", b"-1", b"inf", b"\\u", b".",
    ];
    run(fuzzing::settings, seeds, words, 2_500);
}

#[test]
fn call_messages() {
    let seeds: &[&[u8]] = &[
        b"\x00\x03\x0a\x01a\x12\x06python\x1a\x01b\x1a\0\x22\x0e\x0a\x01/\x12\x05\x0a\x01A\x12\0\x1a\x02\x08\x01",
        b"\x01\x01\x0a\x0f\x12\x06\x0a\x01a\x0a\x01b\x1a\x05\x12\x03\x0a\x01A",
        b"\x01\x02\0\0\0\0\x02\x0a\0\0\0\0\0\x05\x22\x03\x12\x01\x0a",
        b"\x1c\x04\x0a\x01s\x12\x01c\x18\x07\x20\x01",
        b"\x19\x05\x0a\x01s\x12\x04true\x2a\x04\x0a\x01A\x12\0",
        b"\x10\x02\x0a\x08\x0a\x01p\x1a\x03\x0a\x01A",
    ];
    let words: &[&[u8]] = &[
        b"\x0a",
        b"\x12",
        b"\x22",
        b"\x0b",
        b"\x0c",
        b"\x09",
        b"\x0d",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff\x0f",
        b"\x80",
    ];
    run(fuzzing::call_messages, seeds, words, 5_000);
}
