//! The bodies of the fuzz targets, for the fuzzer and for tests on the stable compiler.

use crate::picture::{NotDrawn, Protocol};

/// Any bytes are drawn or not, as little as the terminal holds, and with no control sequences but ours.
///
/// The input is a picture, or the chunks of one: each a length of one byte, a type and the data.
///
/// # Panics
///
/// Panics if that does not hold.
pub fn picture(input: &[u8]) {
    let (columns, input) = input.split_first().unwrap_or((&0, &[]));
    let columns = 1 + u16::from(columns % 8);
    check(input, columns);
    check(&png(chunks(input)), columns);
}

fn check(png: &[u8], columns: u16) {
    for has_all_colors in [false, true] {
        let drawn = Protocol::Blocks { has_all_colors }.draw(png, columns);
        let Ok(drawn) = drawn else {
            continue;
        };
        let most = usize::from(columns);
        assert!((1..=most).contains(&drawn.lines().count()), "{drawn:?}");
        assert!(drawn.matches('\u{2580}').count() <= most * most);
        assert!(
            drawn
                .replace("\x1b[", "")
                .replace('\n', "")
                .chars()
                .all(|one| !one.is_control())
        );
    }
    for protocol in [Protocol::Kitty, Protocol::Iterm, Protocol::Sixel] {
        match protocol.draw(png, columns) {
            Ok(drawn) => {
                let inner = drawn.strip_prefix('\x1b').unwrap_or_default();
                assert!(inner.starts_with(['_', ']', 'P']), "{drawn:?}");
                assert!(drawn.ends_with('\n'));
            }
            Err(NotDrawn::TooLarge { .. } | NotDrawn::Invalid) => {}
        }
    }
}

fn chunks(mut input: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let mut chunks = Vec::new();
    while let [length, kind @ ..] = input
        && let Some((kind, rest)) = kind.split_first_chunk::<4>()
    {
        let (data, rest) = rest.split_at(rest.len().min((*length).into()));
        chunks.push((*kind, data));
        input = rest;
    }
    chunks
}

/// Returns a PNG of these chunks, whose checksums are right.
pub fn png<'a>(chunks: impl IntoIterator<Item = ([u8; 4], &'a [u8])>) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in chunks {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let body = [&kind, data].concat();
        png.extend(length.to_be_bytes());
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    }
    png
}

/// CRC-32 as PNG has it, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ 0xEDB8_8320,
            _ => crc >> 1,
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}
