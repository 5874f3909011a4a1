//! What clients send to a control plane.

use sandbox_control::fuzzing;

use crate::runner::{JSON, run};

#[test]
fn bodies() {
    let seeds: &[&[u8]] = &[
        br#"{"name":"a","env":{"A":"1"},"labels":{"b":""},"public":true,"networkBlockAll":true,"autoStopInterval":15}"#,
        br#"{"snapshot":"s","user":"u","cpu":1,"memory":2,"disk":3,"autoDeleteInterval":-1,"ttlMinutes":0}"#,
        br#"{"buildInfo":{"dockerfileContent":"FROM debian:12\n","contextHashes":[]},"volumes":[],"gpu":0}"#,
        br#"{"networkAllowList":"10.0.0.0/8","domainAllowList":"a.b","secrets":[{}],"kvm":true,"gpuType":["x"]}"#,
    ];
    let words: &[&[u8]] = &[
        b"\"env\":",
        b"\"networkBlockAll\":",
        b"\"autoPauseInterval\":",
        b"\"image\":",
        b"\"volumes\":",
        b"\"linkedSandbox\":",
        b"52560001",
        b"-9223372036854775809",
        b"\"\"",
        b"{}",
        b"[]",
    ];
    run(fuzzing::bodies, seeds, &[JSON, words].concat(), 6_000);
}

#[test]
fn cursors() {
    let seeds: &[&[u8]] = &[b"61620063", b"00", b"name\0id", b"\0\0a"];
    let words: &[&[u8]] = &[b"00", b"+f", b"0x", b"fF", b"\0", b"\xff"];
    run(fuzzing::cursors, seeds, words, 8_000);
}

#[test]
fn events() {
    let seeds: &[&[u8]] = &[
        b"40{\"token\":\"key\"}",
        b"40/admin,{\"token\":\"key\"}",
        b"42[\"a\",{}]",
        b"41",
        b"3",
    ];
    let words: &[&[u8]] = &[b"40", b"41", b"3", b"/", b"[[[[", b"\"token\":"];
    run(fuzzing::events, seeds, &[JSON, words].concat(), 8_000);
}

#[test]
fn previews() {
    let seeds: &[&[u8]] = &[
        b"3000-abc.localhost:3986",
        b"/preview/a%20b/80/x/y",
        b"a=b&DAYTONA_SANDBOX_AUTH_KEY=x&c",
        b"sandbox-preview-token=x; a=b;c",
    ];
    let words: &[&[u8]] = &[
        b"-",
        b".localhost",
        b".",
        b":",
        b"/",
        b"/preview/",
        b"80",
        b"+80",
        b"%2F",
        b"%",
        b"+",
        b"&",
        b"=",
        b";",
        b"DAYTONA_SANDBOX_AUTH_KE",
        b"%59",
        b"\xff",
    ];
    run(fuzzing::previews, seeds, words, 5_000);
}
