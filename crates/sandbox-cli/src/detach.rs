//! The keys that leave a terminal without ending it.

use std::str::FromStr;

/// A sequence of keys, such as `ctrl-p,ctrl-q`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = |name: &str| match name.as_bytes() {
            [key] => Ok(*key),
            [
                b'c' | b'C',
                b't',
                b'r',
                b'l',
                b'-',
                key @ (b'a'..=b'z' | b'A'..=b'Z' | b'@' | b'['..=b'_'),
            ] => Ok(key & 0x1f),
            _ => Err(format!("'{name}' is neither a character nor ctrl-LETTER")),
        };
        let keys: Result<Vec<_>, _> = text.split(',').map(key).collect();
        keys.map(Self)
    }
}

/// Looks for the keys in what is typed, over any number of reads.
#[derive(Debug)]
pub(crate) struct Watch {
    keys: DetachKeys,
    /// How many of them were typed last, and are held back.
    seen: usize,
}

impl Watch {
    pub(crate) fn new(keys: DetachKeys) -> Self {
        Self { keys, seen: 0 }
    }

    /// Returns what of `typed` is to be passed on, and whether the keys were in it; what follows them is dropped.
    pub(crate) fn look(&mut self, typed: &[u8]) -> (Vec<u8>, bool) {
        let mut pass = Vec::with_capacity(typed.len());
        for byte in typed {
            let Self { keys, seen } = self;
            if *byte != keys.0[*seen] {
                // They were meant for the program after all; this one may begin the keys anew.
                pass.extend_from_slice(&keys.0[..*seen]);
                *seen = 0;
            }
            if *byte == keys.0[*seen] {
                *seen += 1;
                if *seen == keys.0.len() {
                    return (pass, true);
                }
            } else {
                pass.push(*byte);
            }
        }
        (pass, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let keys = |text: &str| text.parse::<DetachKeys>();
        assert_eq!(keys("ctrl-p,ctrl-q"), Ok(DetachKeys(vec![0x10, 0x11])));
        assert_eq!(keys("ctrl-],~,."), Ok(DetachKeys(vec![0x1d, b'~', b'.'])));
        for bad in ["", "ctrl-", "ctrl-pp", "a,,b", "strg-p"] {
            assert!(keys(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn they_are_found_wherever_reads_split_them() {
        let typed = b"ls\x10x\x10\x10\x11more";
        for at in 0..typed.len() {
            let mut watch = Watch::new(DetachKeys(vec![0x10, 0x11]));
            let (mut pass, mut detached) = watch.look(&typed[..at]);
            if !detached {
                let (more, found) = watch.look(&typed[at..]);
                pass.extend(more);
                detached = found;
            }
            assert!(detached, "{at}");
            assert_eq!(pass, b"ls\x10x\x10", "{at}");
        }
    }
}
