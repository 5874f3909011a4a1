//! Makes inputs out of seeds, and calls targets with them.

use std::any::type_name;
use std::panic::{self, RefUnwindSafe};
use std::time::{Duration, Instant};

/// Calls `target` with `count` inputs, made of `seeds` by exchanging parts of them for others and for `words`.
#[expect(clippy::print_stdout, reason = "a long run says what it has done")]
pub(crate) fn run<T>(target: T, seeds: &[&[u8]], words: &[&[u8]], count: usize)
where
    T: Fn(&[u8]) + RefUnwindSafe,
{
    let mut random = Random(0x5EED);
    let seconds = std::env::var("SANDBOX_FUZZ_SECONDS").ok();
    let seconds = seconds.map(|text| text.parse().expect("it is a number of seconds"));
    let started = Instant::now();
    let is_over = |done: usize| match seconds {
        Some(seconds) => started.elapsed() >= Duration::from_secs(seconds),
        None => done == count,
    };
    for seed in seeds {
        call(&target, seed);
    }
    let mut done = 0;
    while !is_over(done) {
        call(&target, &mutated(seeds, words, &mut random));
        done += 1;
    }
    let (name, took) = (type_name::<T>(), started.elapsed());
    println!("{name}: {done} inputs in {took:.1?}");
}

fn call(target: &(impl Fn(&[u8]) + RefUnwindSafe), input: &[u8]) {
    let result = panic::catch_unwind(|| target(input));
    assert!(result.is_ok(), "fails for b\"{}\"", input.escape_ascii());
}

/// Returns a seed, or noise, after some changes.
fn mutated(seeds: &[&[u8]], words: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut input = match random.below(4) {
        0 => noise(random),
        _ => seeds[random.below(seeds.len())].to_vec(),
    };
    for _ in 0..random.below(6) {
        let from = random.below(input.len() + 1);
        let to = (from + random.below(8)).min(input.len());
        let piece = match random.below(8) {
            0 => Vec::new(),
            1 => noise(random)[..].iter().copied().take(4).collect(),
            2 => {
                let other = seeds[random.below(seeds.len())];
                let at = random.below(other.len() + 1);
                let end = at + random.below(other.len() - at + 1);
                other[at..end].to_vec()
            }
            3 => input[from..to].repeat(2),
            _ => words[random.below(words.len())].to_vec(),
        };
        input.splice(from..to, piece);
    }
    input.truncate(LONGEST);
    input
}

/// Inputs of few different bytes go deeper than noise of all.
fn noise(random: &mut Random) -> Vec<u8> {
    let length = random.below(300);
    let kinds = [2, 4, 16, 128, 256][random.below(5)];
    let byte = |_| u8::try_from(random.below(kinds)).expect("there are 256 bytes");
    (0..length).map(byte).collect()
}

const LONGEST: usize = 4096;

/// What JSON is made of, whatever it says.
pub(crate) const JSON: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"true",
    b"-1",
    b"1e1",
    b"1.0",
    b"4294967296",
    b"\xff",
];

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
