//! Runs the fuzz targets on the stable compiler: the same inputs each time, a few seconds in all.

use std::path::Path;
use std::{fs, panic};

use sandbox_charts::artifacts::PREFIX;
use sandbox_charts::fuzzing;

/// Calls `target` with `count` inputs that are charts no more, and some that never were.
fn run(target: fn(&[u8]), count: usize, around: fn(&[u8]) -> Vec<u8>) {
    let seeds = seeds();
    let mut random = Random(0x5EED);
    for _ in 0..count {
        let input = around(&mutated(&seeds, &mut random));
        let result = panic::catch_unwind(|| target(&input));
        assert!(
            result.is_ok(),
            "fails for {:?}",
            String::from_utf8_lossy(&input)
        );
    }
}

/// The charts of every dialect.
fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/read");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    paths.sort();
    let read = |path| fs::read(path).expect("the file can be read");
    paths.iter().map(read).collect()
}

/// One of the seeds with some of its JSON tokens exchanged, or, seldom, its bytes.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let seed = &seeds[random.below(seeds.len())];
    let mut tokens: Vec<Vec<u8>> = Vec::new();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+-".contains(&byte);
    for &byte in seed {
        match tokens.last_mut() {
            Some(token) if is_word(byte) && is_word(token[0]) => token.push(byte),
            _ => tokens.push(vec![byte]),
        }
    }
    let others: Vec<_> = TOKENS.split_whitespace().collect();
    for _ in 0..random.below(6) {
        let place = random.below(tokens.len());
        tokens[place] = match random.below(8) {
            0 => Vec::new(),
            1 => vec![u8::try_from(random.below(256)).expect("it is a byte")],
            2 => tokens[random.below(tokens.len())].clone(),
            _ => others[random.below(others.len())].as_bytes().to_vec(),
        };
    }
    tokens.concat()
}

/// What takes the place of a token, separated by blanks.
const TOKENS: &str = r#"
    null true 0 -1 1e999 -1e308 9007199254740993 NaN -Infinity "" "NaN" "12" "a" "2024-01-01" "2024-01-01T00:00:00+01:00"
    [] {} [null] [["a",1],["b",2]] \ line scatter bar pie box_and_whisker composite_chart superchart unknown categorical
    datetime linear x_ticks x_tick_labels points value elements png title label
"#;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % end as u64).expect("it is below a usize")
    }
}

#[test]
fn chart_json() {
    run(fuzzing::chart_json, 10_000, <[u8]>::to_vec);
}

#[test]
fn artifacts() {
    run(fuzzing::artifacts, 5_000, |chart| {
        let prefix = PREFIX.as_bytes();
        let line = [prefix, b"{\"type\": \"chart\", \"value\": ", chart, b"}\n"].concat();
        [
            &b"a\n"[..],
            &line,
            chart,
            b"\n",
            prefix,
            &line[1..],
            prefix,
            chart,
        ]
        .concat()
    });
}
