//! What programs are, and what they and the system's files say to the engine.

use sandbox_engine::fuzzing;

use crate::runner::run;

#[test]
fn session_reports() {
    let seeds: &[&[u8]] = &[
        b"\x03noise bash: line 3: /dev/null/nonce,begun,0,hB,nonce: Not a directory\n",
        b"\x07/dev/null/nonce,within,7,hxvB,1,0,7,:,a,b\nc,nonce: no\n",
        b"\x1f/nonce,ended,0,,nonce: x\ntrap -- 'echo a\n' DEBUG\nbash: nonce,idle,0,,nonce: x\n",
    ];
    let words: &[&[u8]] = &[
        b"nonce",
        b"nonce,",
        b",nonce",
        b"begun",
        b"idle",
        b",255,",
        b",256,",
        b",:,",
        b"\ntrap -- ",
        b" DEBUG\n",
        b"'",
        b"\\'",
    ];
    run(fuzzing::session_reports, seeds, words, 4_000);
}

#[test]
fn worker_reports() {
    let seeds: &[&[u8]] = &[
        b"\x02\x01\0\0\0D\x01\0\0\0B\x01\0\0\0S",
        b"\x05\x11\0\0\0E\x01\0\0\0a\x01\0\0\0b\x02\0\0\0cd",
        b"\x03\x16\0\0\0V\x01\0\0\0a\x02\0\0\x001b\x01\0\0\0c\x03\0\0\x00012",
        b"\x03a,1b,c,012",
    ];
    let words: &[&[u8]] = &[
        b"\x01\0\0\0",
        b"\xff\xff\xff\xff",
        b"V",
        b"E",
        b"D",
        b",",
        b"0",
        b"1",
    ];
    run(fuzzing::worker_reports, seeds, words, 8_000);
}

#[test]
fn artifacts() {
    let seeds: &[&[u8]] = &[
        b"\x01\x02\0\0\0ab\0\0\0\0\x03\0\0\0xyz",
        b"\x09\xff\xff\xff\xffabc",
    ];
    let words: &[&[u8]] = &[
        b"\x01\0\0\0a",
        b"\0\0\0\0",
        b"\x40\0\0\0",
        b"\xff\xff\xff\xff",
    ];
    run(fuzzing::artifacts, seeds, words, 10_000);
}

#[test]
fn warm_messages() {
    let seeds: &[&[u8]] = &[b"7\0ready", b"0\0", b"exit 3", b"signal 9 1", b"4711"];
    let words: &[&[u8]] = &[
        b"\0",
        b"18446744073709551615",
        b"2147483647",
        b"-1",
        b"256",
        b"64",
        b"ready",
        b"cold",
        b"exit ",
        b"signal ",
        b" ",
    ];
    run(fuzzing::warm_messages, seeds, words, 10_000);
}

#[test]
fn spare_messages() {
    let seeds: &[&[u8]] = &[b"-x\0\0a b\0console.log('\xc3\xa9')", b"1"];
    let words: &[&[u8]] = &[b"\0", b" ", b"\xff", b"\n", "\u{2028}".as_bytes()];
    run(fuzzing::spare_messages, seeds, words, 8_000);
}

#[test]
fn process_files() {
    let seeds: &[&[u8]] = &[
        b"7 (a) R 1 (b)) S 3 4 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9988 1 2",
        b"Max realtime timeout      5980780305148018689  unlimited            us        \n",
        b"1000-2000 r-xp 00000000 00:1 7 /a b (deleted)\n2000-3000 rw-p 0 00:0 0 [heap]\n",
    ];
    let words: &[&[u8]] = &[
        b") R 1 2 3",
        b"(",
        b")",
        b"\n",
        b"\0",
        b"-",
        b" ",
        b"/",
        b"\xff",
    ];
    run(fuzzing::process_files, seeds, words, 10_000);
}

#[test]
fn control_groups() {
    let seeds: &[&[u8]] = &[
        b"11:memory:/a/b\n4:cpu,cpuacct:/\n0::/c\n",
        b"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    ];
    let words: &[&[u8]] = &[
        b":",
        b"memory",
        b"/",
        b"..",
        b"\n",
        b"oom_kill ",
        b"18446744073709551616",
        b"+",
    ];
    run(fuzzing::control_groups, seeds, words, 8_000);
}

#[test]
fn users() {
    let seeds: &[&[u8]] = &[
        b"root:x:0:0:root:/root:/bin/bash\nshort:x:5:5\n-c:x:1:1::/:\nnobody:x:65534:65535::/:/bin/false\n",
    ];
    let words: &[&[u8]] = &[
        b":",
        b"\n",
        b"root",
        b"last",
        b"nobody:x",
        b"-1",
        b"+0",
        b"4294967296",
        b"\r",
    ];
    run(fuzzing::users, seeds, words, 8_000);
}

#[test]
fn shells() {
    let seeds: &[&[u8]] = &[b"# shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n/usr/bin/zsh\n"];
    let words: &[&[u8]] = &[
        b"/bin/zsh",
        b"/bin/bash",
        b"/usr/bin/zsh\n",
        b"#",
        b"\n",
        b" ",
        b"\r",
    ];
    run(fuzzing::shells, seeds, words, 10_000);
}

#[test]
fn terminal_output() {
    let seeds: &[&[u8]] = &[
        "\x05a\x1b[6n\x1b[cé\x1b[m\x1b]11;?\x1b\\b\x1b[1\x1b[5nc\x1b[6n".as_bytes(),
        b"\x01\x1bP+q544e\x1b\\\x1b_Gi=31,a=q;AAAA\x1b\\\x1bZ\x1b[18;2t",
    ];
    let words: &[&[u8]] = &[
        b"\x1b",
        b"\x1b[",
        b"\x1b]",
        b"\x1b\\",
        b"\x07",
        b"\x18",
        b"\x1bP",
        b"?",
        b";",
        b"6n",
        b"c",
        "é".as_bytes(),
    ];
    run(fuzzing::terminal_output, seeds, words, 1_500);
}

#[test]
fn programs() {
    let seeds: &[&[u8]] = &[
        b"import a, { b as c, type D } from 'g' with { type: 'json' };\nexport * from 'c';\nlet x: D = await import('a');",
        b"enum A { B = 1, C = `x` }\nnamespace N { export const y = A.B }\nexport default class<T> { @d f!: T = <any>1; }",
        b"export = f; function f(this: X, ...a: number[]): asserts a is any { using r = g(); return a?.b!.c satisfies D }",
        b"@d() export class C { constructor(private readonly x = 1) {} static { } accessor z = 2; get [k]() { return /[/]/g } }",
        b"for await (const q of w) { label: while (1) { if (a) break label; else continue } }\nexport { x as 'y-z' }",
    ];
    let words: &[&[u8]] = &[
        b"import ",
        b"export ",
        b"default ",
        b"from 'x'",
        b"class ",
        b"@d ",
        b"{",
        b"}",
        b"(",
        b")",
        b"`",
        b"${",
        b"'",
        b"\n",
        b"/*",
        b"*/",
        b"//",
        b"=>",
        b"await ",
        b"import('a')",
        b"import.meta",
        b": T",
        b"<",
        b">",
        b";",
        b"type ",
        b"\xef\xbb\xbf",
        "é".as_bytes(),
        "\u{2028}".as_bytes(),
        b"enum ",
        b"declare ",
        b"abstract ",
        b"using ",
        b"\\\n",
        b"=",
        b",",
    ];
    run(fuzzing::programs, seeds, words, 250);
}

#[test]
fn translator_requests() {
    let seeds: &[&[u8]] = &[b"1 2 3 4", b"\x00code", b"\x02report\xff"];
    let words: &[&[u8]] = &[
        b" ",
        b"18446744073709551615",
        b"18446744073709551616",
        b"\x02",
        b"\x03",
        b"\xff",
    ];
    run(fuzzing::translator_requests, seeds, words, 10_000);
}
