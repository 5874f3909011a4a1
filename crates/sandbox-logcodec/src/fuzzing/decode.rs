//! Taking streams apart.

use bytes::Bytes;

use super::{Outputs, Source, output};
use crate::{Decoder, demux_log, mux_log};

/// Any bytes, cut anywhere, come apart as the whole does; no byte waits that need not.
///
/// # Panics
///
/// Where that does not hold.
pub fn log_decode(input: &[u8]) {
    let mut source = Source(input);
    let lengths: Vec<_> = source.bytes(4).to_vec();
    let log = source.payload(usize::MAX);
    let whole = demux_log(&log);

    let mut decoder = Decoder::new();
    let mut found = Outputs::default();
    let mut rest = Bytes::from(log.clone());
    for length in lengths.iter().cycle() {
        let mut piece = rest.split_to(rest.len().min(1 + usize::from(*length % 16)));
        while let Some((channel, chunk)) = decoder.decode(&mut piece) {
            assert!(!chunk.is_empty());
            output(&mut found, channel).extend_from_slice(&chunk);
        }
        assert!(piece.is_empty());

        let so_far = demux_log(&log[..log.len() - rest.len()]);
        let waiting = so_far.0.len() + so_far.1.len() - found.0.len() - found.1.len();
        assert!(waiting <= 2, "{waiting} bytes wait");
        if rest.is_empty() {
            break;
        }
    }
    if let Some((channel, chunk)) = decoder.finish() {
        output(&mut found, channel).extend_from_slice(&chunk);
    }
    assert_eq!(found, whole);

    let joined = mux_log([
        (crate::Channel::Stdout, &whole.0[..]),
        (crate::Channel::Stderr, &whole.1[..]),
    ]);
    assert_eq!(demux_log(&joined), whole);
}
