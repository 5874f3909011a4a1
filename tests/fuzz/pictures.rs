//! Pictures in charts, which the command draws on a terminal.

use sandbox_cli::fuzzing;

use crate::runner::run;

#[test]
fn pictures() {
    let seeds: &[&[u8]] = &[
        b"\x03\x0dIHDR\0\0\0\x04\0\0\0\x02\x08\x02\0\0\0%IDATx\x01\x01\x1a\0\xe5\xff\0\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffRD\x0c7\0IEND",
        b"\x07\x0dIHDR\0\0\0\x04\0\0\0\x03\x02\x03\0\0\0\x0cPLTE\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x02tRNS\0\x80\x0eIDATx\x9cc\x90fx\xc2\xa0\x0e\0\x03`\x01'\0IEND",
        b"\0\x0dIHDR\0\0\0\x01\0\0\0\x09\x10\x06\0\0\x01\x0fIDATx\x9cc8\x01\x05\x0cTb\0\0\xe6\xe98A\0IEND",
    ];
    let words: &[&[u8]] = &[
        b"\0\0\0\x01",
        b"\0\0\x10\0",
        b"\x7f\xff\xff\xff",
        b"\0IEND",
        b"\x01IDAT",
        b"\x03PLTE",
        b"\x02tRNS",
        b"\x08acTL",
        b"\x1afcTL",
        b"\x08iCCPa\0\0",
        b"\x78\x01\x03\x00",
        b"\x01",
        b"\x10",
        b"\xff",
    ];
    run(fuzzing::picture, seeds, words, 1_500);
}
