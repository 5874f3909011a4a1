//! Runs the fuzz targets on the stable compiler: the same inputs each time, a few seconds in all.

use sandbox_logcodec::fuzzing;

/// Calls `target` with `count` inputs of up to `longest` bytes.
fn run(target: fn(&[u8]), count: usize, longest: usize) {
    let mut random = Random(0x5EED);
    for _ in 0..count {
        let length = random.below(longest + 1);
        // Inputs of few different bytes go deeper than noise.
        let kinds = [2, 4, 16, 256][random.below(4)];
        let input: Vec<_> = (0..length)
            .map(|_| u8::try_from(random.below(kinds)).expect("there are 256 bytes"))
            .collect();
        let result = std::panic::catch_unwind(|| target(&input));
        assert!(result.is_ok(), "fails for {input:?}");
    }
}

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
fn log_decode() {
    run(fuzzing::log_decode, 6_000, 200);
}

#[test]
fn log_encode() {
    run(fuzzing::log_encode, 6_000, 400);
}

#[test]
fn log_frame() {
    run(fuzzing::log_frame, 4_000, 600);
}

#[test]
fn log_text() {
    run(fuzzing::log_text, 6_000, 200);
}
