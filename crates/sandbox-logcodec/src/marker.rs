//! Finds markers in a piece of a log.

use memchr::memchr2;

use crate::channel::Channel;

/// The length of a marker.
pub(crate) const LENGTH: usize = 3;

/// Returns where the leftmost marker begins, and its channel.
#[inline]
pub(crate) fn find(bytes: &[u8]) -> Option<(usize, Channel)> {
    let mut from = 0;
    loop {
        let at = from + memchr2(0x01, 0x02, &bytes[from..])?;
        match bytes[at..] {
            [first, second, third, ..] if first == second && second == third => {
                return Some((at, Channel::from_byte(first)?));
            }
            _ => from = at + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{Stderr, Stdout};

    #[test]
    fn the_leftmost_marker_wins() {
        let check = |bytes: &[u8], expect| assert_eq!(find(bytes), expect, "{bytes:?}");
        check(b"", None);
        check(b"abc", None);
        check(b"\x01\x01", None);
        check(b"a\x01\x01\x01", Some((1, Stdout)));
        check(b"\x01\x02\x02\x02", Some((1, Stderr)));
        check(b"\x01\x01\x02\x02\x01\x01\x01\x01", Some((4, Stdout)));
        check(b"\x02\x02\x02\x01\x01\x01", Some((0, Stderr)));
        check(b"\x01\x01a\x01\x01b\x02\x02", None);
    }
}
