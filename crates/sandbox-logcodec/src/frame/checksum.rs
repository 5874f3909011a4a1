//! XXH64, the checksum of a frame.

/// Returns the XXH64 of `bytes` with seed 0.
///
/// It finds accidents, not forgeries: a program that can write a frame can also write its checksum.
pub(super) fn xxh64(bytes: &[u8]) -> u64 {
    let (stripes, rest) = bytes.as_chunks::<32>();
    let mut hash = match stripes {
        [] => PRIMES[4],
        _ => long(stripes),
    };
    hash = hash.wrapping_add(bytes.len() as u64);

    let (words, rest) = rest.as_chunks::<8>();
    for word in words {
        hash ^= round(0, u64::from_le_bytes(*word));
        hash = step(hash.rotate_left(27), PRIMES[0], PRIMES[3]);
    }
    let (halves, rest) = rest.as_chunks::<4>();
    for half in halves {
        hash ^= u64::from(u32::from_le_bytes(*half)).wrapping_mul(PRIMES[0]);
        hash = step(hash.rotate_left(23), PRIMES[1], PRIMES[2]);
    }
    for byte in rest {
        hash ^= u64::from(*byte).wrapping_mul(PRIMES[4]);
        hash = hash.rotate_left(11).wrapping_mul(PRIMES[0]);
    }

    hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
    hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
    hash ^ (hash >> 32)
}

/// Four lanes side by side, so that the processor multiplies for one while another's result is under way.
fn long(stripes: &[[u8; 32]]) -> u64 {
    let mut lanes = [
        PRIMES[0].wrapping_add(PRIMES[1]),
        PRIMES[1],
        0,
        PRIMES[0].wrapping_neg(),
    ];
    for stripe in stripes {
        let (words, _) = stripe.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = round(*lane, u64::from_le_bytes(*word));
        }
    }
    let rotated = lanes.iter().zip([1, 7, 12, 18]);
    let sum = rotated.fold(0, |sum: u64, (lane, by)| {
        sum.wrapping_add(lane.rotate_left(by))
    });
    lanes.iter().fold(sum, |hash, lane| {
        step(hash ^ round(0, *lane), PRIMES[0], PRIMES[3])
    })
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIMES[1]))
        .rotate_left(31)
        .wrapping_mul(PRIMES[0])
}

fn step(hash: u64, factor: u64, summand: u64) -> u64 {
    hash.wrapping_mul(factor).wrapping_add(summand)
}

const PRIMES: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_reference_implementation() {
        let check = |length: u8, expect| {
            let bytes: Vec<_> = (0..length).collect();
            assert_eq!(xxh64(&bytes), expect, "of the bytes 0..{length}");
        };
        check(0, 0xEF46_DB37_51D8_E999);
        check(1, 0xE934_A84A_DB05_2768);
        check(4, 0xFFCE_D860_4453_CC1E);
        check(5, 0xDD02_7438_6E26_030C);
        check(8, 0x884A_1736_14B8_1B8D);
        check(15, 0xA948_F5F0_F6AB_AC2D);
        check(31, 0xC346_D2B5_9B4D_8EE1);
        check(32, 0xCBF5_9C51_16FF_32B4);
        check(33, 0x0C53_5D1A_CAFB_8EAD);
        check(63, 0xE26A_A9E2_A95F_8E4F);
        check(64, 0xF7C6_7301_DB67_13F0);
        check(100, 0x6AC1_E580_3216_6597);
        check(255, 0x0F7D_9750_7CAA_D693);
    }
}
