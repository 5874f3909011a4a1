//! Output of programs on a terminal.

use bytes::Bytes;

use super::pieces;
use crate::pty::boundary::Boundaries;

/// Checks that output in any pieces has the same boundaries and queries as the whole, that no boundary is within a character
/// or an escape sequence, and that blanking changes bytes of queries only.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn terminal_output(input: &[u8]) {
    let (size, output) = pieces(input);
    let spacing = 1 + size as u64 / 4;
    let mut cut = Boundaries::new(spacing);
    output.chunks(size).for_each(|piece| cut.push(piece));
    let mut whole = Boundaries::new(spacing);
    whole.push(output);

    let end = output.len() as u64;
    let shown = blanked(&whole, output, output.len().max(1), end);
    assert_eq!(blanked(&cut, output, size, end), shown);
    assert_eq!(shown.len(), output.len());
    for (shown, written) in shown.iter().zip(output) {
        assert!(shown == written || *shown == 0);
    }
    for offset in 0..=end {
        let place = whole.first_from(offset);
        assert_eq!(cut.first_from(offset), place);
        assert!((offset..=end).contains(&place));
        let at = usize::try_from(place).expect("it is in memory");
        if let Some(byte) = output.get(at) {
            assert_ne!(byte & 0xC0, 0x80, "within a character");
            // The rest has the boundaries that the whole has there, so the state was the initial one.
            let mut after = Boundaries::new(spacing);
            after.push(&output[at..]);
            let rest = blanked(&after, &output[at..], size, end - place);
            assert_eq!(rest, shown[at..], "within a sequence");
        }
    }
    // Discarding bytes leaves the others unchanged.
    let half = end / 2;
    cut.forget_before(half);
    let at = usize::try_from(cut.first_from(half)).expect("it is in memory");
    let rest = Bytes::copy_from_slice(&output[at..]);
    let rest = cut.queries().blank(at as u64, rest, end);
    assert_eq!(rest, shown[at..]);
}

fn blanked(boundaries: &Boundaries, output: &[u8], size: usize, end: u64) -> Vec<u8> {
    let mut shown = Vec::new();
    for piece in output.chunks(size) {
        let piece = Bytes::copy_from_slice(piece);
        let offset = shown.len() as u64;
        shown.extend_from_slice(&boundaries.queries().blank(offset, piece, end));
    }
    shown
}
