//! Pictures for a terminal: by the protocol of kitty, of iTerm or sixel where the terminal has one, else as half-blocks.
//!
//! The variables that terminals set say which one: to ask the terminal would mean to wait for those that do not respond.
//!
//! A picture comes from a program that is not trusted. A few bytes of PNG can hold as many pixels as they like, so they are
//! counted before anything is decoded or sent to the terminal, which would decode it; and whatever its shape, a picture takes
//! no more columns than it is given and no more rows than that.

use std::fmt::Write as _;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icy_sixel::{DiffusionMethod, MethodForLargest, MethodForRep, PixelFormat, Quality};
use image::codecs::png::PngDecoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, Limits, RgbaImage, imageops};

use crate::limits::PICTURE_PIXELS;

/// A way to draw on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the protocols")]
pub enum Protocol {
    Kitty,
    Iterm,
    Sixel,
    /// Two pixels to a character, in 16 million colors or in 256.
    Blocks {
        has_all_colors: bool,
    },
}

/// Why a picture is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDrawn {
    /// It has too many pixels.
    #[error("{width} x {height} pixels are more than {PICTURE_PIXELS}")]
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows of pixels.
        height: u32,
    },
    /// It cannot be decoded, or the protocol cannot express it.
    #[error("not a valid PNG")]
    Invalid,
}

impl Protocol {
    /// Returns what a terminal with these variables understands; `None` for one that shows nonsense, or whose user wants no
    /// colors (<https://no-color.org>).
    pub fn of(variable: impl Fn(&str) -> String) -> Option<Self> {
        let term = variable("TERM");
        if term.is_empty() || term == "dumb" || !variable("NO_COLOR").is_empty() {
            return None;
        }
        // A multiplexer passes none of the protocols on by itself.
        let is_direct = variable("TMUX").is_empty() && !term.starts_with("screen");
        let program = variable("TERM_PROGRAM");
        let is_kitty = term == "xterm-kitty" || term == "xterm-ghostty" || program == "ghostty";
        let has_sixel = ["foot", "mlterm", "yaft"]
            .iter()
            .any(|name| term.starts_with(name))
            || term.contains("sixel");
        Some(match is_direct {
            true if is_kitty => Self::Kitty,
            true if program == "iTerm.app" || program == "WezTerm" => Self::Iterm,
            true if has_sixel => Self::Sixel,
            _ => Self::Blocks {
                has_all_colors: ["truecolor", "24bit"].contains(&&*variable("COLORTERM")),
            },
        })
    }

    /// Returns what draws a PNG in at most `columns` columns and as many rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the picture has more than [`PICTURE_PIXELS`] or is not valid; kitty and iTerm get the data of
    /// one whose header is.
    pub fn draw(self, png: &[u8], columns: u16) -> Result<String, NotDrawn> {
        let columns = columns.max(1);
        let picture = open(png)?;
        let (width, height) = picture.dimensions();
        // A cell is about twice as high as it is wide.
        let is_tall = u64::from(height) > 2 * u64::from(width);
        match self {
            Self::Kitty => Ok(kitty(png, if is_tall { 'r' } else { 'c' }, columns)),
            Self::Iterm => {
                let side = if is_tall { "height" } else { "width" };
                Ok(iterm(png, side, columns))
            }
            Self::Sixel => sixel(&fit(picture, u32::from(columns) * SIXEL_PIXELS)?),
            Self::Blocks { has_all_colors } => {
                Ok(blocks(&fit(picture, columns.into())?, has_all_colors))
            }
        }
    }
}

/// About as many pixels as a column is wide.
const SIXEL_PIXELS: u32 = 10;

type Picture<'a> = PngDecoder<Cursor<&'a [u8]>>;

/// Reads the header of a PNG.
fn open(png: &[u8]) -> Result<Picture<'_>, NotDrawn> {
    let mut limits = Limits::no_limits();
    // For what is compressed besides the pixels, and not discarded.
    limits.max_alloc = Some(DECODED_BYTES);
    let picture =
        PngDecoder::with_limits(Cursor::new(png), limits).map_err(|_| NotDrawn::Invalid)?;
    let (width, height) = picture.dimensions();
    match u64::from(width) * u64::from(height) {
        0..=PICTURE_PIXELS => Ok(picture),
        _ => Err(NotDrawn::TooLarge { width, height }),
    }
}

/// Four channels of 16 bits are the most that a pixel has.
const DECODED_BYTES: u64 = PICTURE_PIXELS * 8;

/// Decodes a picture, and makes it smaller if it is wider than `width` or more than twice as high as that.
fn fit(picture: Picture<'_>, width: u32) -> Result<RgbaImage, NotDrawn> {
    let picture = DynamicImage::from_decoder(picture).map_err(|_| NotDrawn::Invalid)?;
    let picture = picture.into_rgba8();
    let (to_width, to_height) = fitted(picture.dimensions(), (width, 2 * width));
    if picture.dimensions() == (to_width, to_height) {
        Ok(picture)
    } else {
        Ok(imageops::thumbnail(&picture, to_width, to_height))
    }
}

/// Pixels that become one are added up in 32 bits, which hold all of them, with 8 bits each, and a half of their number.
const _: () = assert!(PICTURE_PIXELS * 255 + PICTURE_PIXELS / 2 <= u32::MAX as u64);

fn fitted((width, height): (u32, u32), (most_width, most_height): (u32, u32)) -> (u32, u32) {
    if width <= most_width && height <= most_height {
        return (width, height);
    }
    let scaled = |side: u32, most: u32, of: u32| {
        let scaled = (u64::from(side) * u64::from(most)).div_ceil(u64::from(of).max(1));
        u32::try_from(scaled).unwrap_or(most).max(1)
    };
    if u64::from(width) * u64::from(most_height) >= u64::from(height) * u64::from(most_width) {
        (most_width, scaled(height, most_width, width))
    } else {
        (scaled(width, most_height, height), most_height)
    }
}

/// The PNG itself, in pieces of at most 4096 characters of base64.
fn kitty(png: &[u8], side: char, cells: u16) -> String {
    let data = STANDARD.encode(png);
    let pieces: Vec<&[u8]> = data.as_bytes().chunks(4096).collect();
    let mut drawn = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let more = u8::from(index + 1 < pieces.len());
        let head = match index {
            0 => format!("a=T,f=100,{side}={cells},"),
            _ => String::new(),
        };
        let piece = String::from_utf8_lossy(piece);
        let _ = write!(drawn, "\x1b_G{head}m={more};{piece}\x1b\\");
    }
    drawn.push('\n');
    drawn
}

fn iterm(png: &[u8], side: &str, cells: u16) -> String {
    let data = STANDARD.encode(png);
    let size = png.len();
    format!("\x1b]1337;File=inline=1;size={size};{side}={cells};preserveAspectRatio=1:{data}\x07\n")
}

fn sixel(picture: &RgbaImage) -> Result<String, NotDrawn> {
    let (width, height) = picture.dimensions();
    if width == 1 {
        // The encoder passes errors on to neighbors two pixels away, and panics if a row has none.
        return sixel(&imageops::resize(picture, 2, height, FilterType::Nearest));
    }
    let side = |side: u32| i32::try_from(side).map_err(|_| NotDrawn::Invalid);
    let drawn = icy_sixel::sixel_string(
        picture.as_raw(),
        side(width)?,
        side(height)?,
        PixelFormat::RGBA8888,
        DiffusionMethod::Stucki,
        MethodForLargest::Auto,
        MethodForRep::Auto,
        Quality::HIGH,
    );
    Ok(format!("{}\n", drawn.map_err(|_| NotDrawn::Invalid)?))
}

/// Two pixels to a character: the upper one as its color, the lower one as its background.
fn blocks(picture: &RgbaImage, has_all_colors: bool) -> String {
    let (width, height) = picture.dimensions();
    // What is transparent is paper.
    let color = |x, y| {
        let pixel = picture
            .get_pixel_checked(x, y)
            .map_or([255, 255, 255, 0], |pixel| pixel.0);
        let [red, green, blue, alpha] = pixel.map(u32::from);
        [red, green, blue].map(|part| (part * alpha + 255 * (255 - alpha)) / 255)
    };
    let code = |[red, green, blue]: [u32; 3]| {
        if has_all_colors {
            format!("2;{red};{green};{blue}")
        } else {
            // The cube of six steps that a palette of 256 has after its first sixteen.
            let [red, green, blue] = [red, green, blue].map(|part| (part * 5 + 127) / 255);
            format!("5;{}", 16 + 36 * red + 6 * green + blue)
        }
    };
    let mut drawn = String::new();
    for y in (0..height).step_by(2) {
        for x in 0..width {
            let (upper, lower) = (code(color(x, y)), code(color(x, y + 1)));
            let _ = write!(drawn, "\x1b[38;{upper}m\x1b[48;{lower}m\u{2580}");
        }
        drawn.push_str("\x1b[0m\n");
    }
    drawn
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;
    use crate::fuzzing::png as png_of;

    fn of(variables: &[(&str, &str)]) -> Option<Protocol> {
        Protocol::of(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map_or_else(String::new, |(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_are_distinguished() {
        let blocks = |has_all_colors| Some(Protocol::Blocks { has_all_colors });
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("TERM", "dumb")]), None);
        assert_eq!(of(&[("TERM", "xterm"), ("NO_COLOR", "1")]), None);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(
            of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]),
            Some(Protocol::Iterm)
        );
        assert_eq!(of(&[("TERM", "foot-extra")]), Some(Protocol::Sixel));
        assert_eq!(
            of(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            blocks(true)
        );
        assert_eq!(
            of(&[("TERM", "xterm-kitty"), ("TMUX", "/tmp/x")]),
            blocks(false)
        );
    }

    const ALL: [Protocol; 5] = [
        Protocol::Kitty,
        Protocol::Iterm,
        Protocol::Sixel,
        BLOCKS,
        Protocol::Blocks {
            has_all_colors: false,
        },
    ];

    const BLOCKS: Protocol = Protocol::Blocks {
        has_all_colors: true,
    };

    /// Returns a black picture.
    fn black(width: u32, height: u32) -> Vec<u8> {
        let mut png = Cursor::new(Vec::new());
        let picture = DynamicImage::new_rgb8(width, height);
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        png.into_inner()
    }

    #[test]
    fn pictures_are_drawn_by_each() {
        let png = black(64, 32);
        let [kitty, iterm, sixel, all, few] = ALL.map(|by| by.draw(&png, 40).unwrap());
        assert_eq!(all.lines().count(), 10);
        assert_eq!(all.matches('\u{2580}').count(), 400);
        assert!(all.contains("38;2;0;0;0m"), "black");
        assert!(few.contains("38;5;16m"));
        assert!(sixel.starts_with("\x1bP"));
        assert!(
            kitty.contains("c=40,") && iterm.contains("inline=1") && iterm.contains("width=40")
        );
        let long = super::kitty(&[7; 10_000], 'c', 40);
        assert_eq!(long.matches("\x1b_G").count(), 4);
        assert!(long.contains("m=0;"), "the last one says so");
        for protocol in ALL {
            assert_eq!(protocol.draw(b"no picture", 40), Err(NotDrawn::Invalid));
        }
    }

    #[test]
    fn pictures_fit_whatever_their_shape() {
        let thin = black(1, 100_000);
        let [kitty, iterm, sixel, blocks, _] = ALL.map(|by| by.draw(&thin, 4).unwrap());
        assert!(kitty.contains("r=4,") && iterm.contains("height=4;"));
        assert_eq!(blocks.lines().count(), 4);
        assert!(sixel.len() < 10_000, "{}", sixel.len());
        for (size, expect) in [
            ((8, 16), (8, 16)),
            ((9, 16), (8, 15)),
            ((u32::MAX, 1), (8, 1)),
            ((1, u32::MAX), (1, 16)),
            ((u32::MAX, u32::MAX), (8, 8)),
        ] {
            assert_eq!(fitted(size, (8, 16)), expect, "{size:?}");
        }
    }

    /// A header is all that is looked at: the data is that of no pixel at all.
    #[test]
    fn pictures_with_too_many_pixels_are_not_drawn() {
        let headed = |width: u32, height: u32| {
            let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
            let header = [&sides[..], &[16, 6, 0, 0, 0]].concat();
            png_of([(*b"IHDR", &header[..]), (*b"IDAT", &[]), (*b"IEND", &[])])
        };
        for protocol in ALL {
            for (width, height) in [(4097, 4096), (1, 16_777_217), (65_536, 65_536)] {
                let too_large = Err(NotDrawn::TooLarge { width, height });
                assert_eq!(protocol.draw(&headed(width, height), 40), too_large);
            }
            assert_ne!(
                protocol.draw(&headed(4096, 4096), 40),
                Err(NotDrawn::TooLarge {
                    width: 4096,
                    height: 4096
                })
            );
        }
    }
}
