//! What describes a run, and what describes files.

use sandbox_engine::fuzzing;

use crate::runner::run;

#[test]
fn isolations() {
    let seeds: &[&[u8]] = &[
        b"\x00\x03\x01\x07\x0b\x00\x00\x03\x01\x0a\x0b\x00",
        b"\x00\x03\x01\x00\x0b\x00\x00\x03\x01",
        b"\x04\x05\x02\x07\x02\x00\x0c\x00\x00\x0d\x01\x00\x0e\x01\x01",
        b"\x0f\x00\x00a/../b",
    ];
    let words: &[&[u8]] = &[
        b"\x00\x02\x00",
        b"\x00\x02\x01",
        b"\x00\x0a\x00",
        b"\x04\x02\x0b",
        b"\x07\x0a\x00",
        b"\x0a\x04\x00",
        b"\x04\x06\x02",
    ];
    run(fuzzing::isolations, seeds, words, 50);
}

#[test]
fn limits() {
    let seeds: &[&[u8]] = &[
        b"\x1f\x14\x40\x00\x0a\x00\x64\x0a\x01\x05\x01\x01\x14\x20",
        b"\x00\x05\x00\x00\x00\x01",
    ];
    let words: &[&[u8]] = &[b"\x14\x01", b"\x94\x01", b"\x00\x00", b"\x1f", b"\xff"];
    run(fuzzing::limits, seeds, words, 10_000);
}

#[test]
fn archives() {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let target = |input: &[u8]| sandbox_files::fuzzing::archives(dir.path(), input);
    let seeds: &[&[u8]] = &[
        b"5\0\x01\0a0\0\x03\x05a/bhello",
        b"2\0\x04\x06back../out0\0\x09\x01back/filex",
        b"1\0\x04\x09hard/link/file1\0\x02\x01aab",
        b"0\0\x09\x01link/filex",
        b"L\0\x01\x09xlink/file\x000\0\x01\x01yz",
        b"x\0\x01\x16x21 path=../out/file1\n\n0\x07\x01\x0cy\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let words: &[&[u8]] = &[
        b"../",
        b"/",
        b"link/",
        b"0\0\x04\x00file",
        b"5\0\x04\x00link",
        b"2\0\x01\x04aout/",
        b"K\0\x01\x01a",
        b"x\0\x01",
        b"11 size=99\n",
        b"g\0\x01\x00a",
        b"3\0\x01\x00a",
        b"S\0\x01\x00a",
        b"\0",
        b"\xff",
    ];
    run(target, seeds, words, 40);
}
