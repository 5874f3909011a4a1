//! Frames, made up and written.

use bytes::{Bytes, BytesMut};

use super::Source;
use crate::Channel;
use crate::frame::{Frame, FrameError, Reader, Writer};

/// No bytes make the reader panic or read differently in pieces, and what was written is read, as far as it is whole.
///
/// # Panics
///
/// Where that does not hold.
pub fn log_frame(input: &[u8]) {
    let mut source = Source(input);
    let piece = 1 + source.byte();
    let (_, result, reader) = read(source.0, piece);
    let position = result.map_or_else(|error| error.position(), |()| source.0.len() as u64);
    assert_eq!(position, reader.position());

    let damage = source.byte() * 256 + source.byte();
    let mut written = BytesMut::new();
    let mut writer = Writer::new();
    let mut frames = Vec::new();
    let mut ends = Vec::new();
    while !source.is_empty() {
        writer.skip(source.byte().saturating_sub(200) as u64);
        let frame = Frame {
            channel: source.channel(),
            offset: writer.offset(),
            payload: Bytes::copy_from_slice(source.bytes(piece)),
        };
        writer.encode(frame.channel, &frame.payload, &mut written);
        frames.push(frame);
        ends.push(written.len());
    }
    let (found, result, _) = read(&written, piece);
    assert_eq!((found, result), (frames.clone(), Ok(())));

    // What is cut off or damaged costs the frames from there on, and no more.
    let damage = damage % (written.len() + 1);
    let whole = ends.iter().filter(|&&end| end <= damage).count();
    let (found, _, reader) = read(&written[..damage], piece);
    assert_eq!(found, frames[..whole]);
    if let Some(byte) = written.get_mut(damage) {
        *byte ^= 0x10;
        let (found, result, reader) = read(&written, piece);
        assert_eq!(found, frames[..whole]);
        assert_eq!(
            result.map_err(|error| error.position()),
            Err(reader.position())
        );
    }

    // From there a writer can go on.
    let kept = usize::try_from(reader.position()).expect("it is in memory");
    written.truncate(kept);
    let mut writer = match kept {
        0 => Writer::new(),
        _ => Writer::resume(reader.offset()),
    };
    writer.encode(Channel::Stderr, b"more", &mut written);
    let (found, result, _) = read(&written, piece);
    assert_eq!((found.len(), result), (whole + 1, Ok(())));
}

/// Reads at once and in pieces, which must be the same.
fn read(stream: &[u8], piece: usize) -> (Vec<Frame>, Result<(), FrameError>, Reader) {
    let (frames, result, reader) = read_pieces([stream]);
    let (again, result_again, reader_again) = read_pieces(stream.chunks(piece));
    assert_eq!((&again, &result_again), (&frames, &result));
    assert_eq!(
        (reader_again.position(), reader_again.offset()),
        (reader.position(), reader.offset())
    );
    (frames, result, reader)
}

fn read_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Result<(), FrameError>, Reader) {
    let mut reader = Reader::new();
    let mut input = BytesMut::new();
    let mut frames = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match reader.decode(&mut input) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error), reader),
            }
        }
    }
    let result = reader.finish(&input);
    (frames, result, reader)
}
