//! Pictures drawn on a terminal: by the protocol of kitty, of iTerm or sixel where the terminal has one, else as half-blocks.
//!
//! Which one is told by the variables that terminals set: asking the terminal would mean waiting for those that do not answer.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icy_sixel::{DiffusionMethod, MethodForLargest, MethodForRep, PixelFormat, Quality};
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};

use sandbox_process::Channel;

use crate::error::CliError;
use crate::{output, terminal};

/// Draws a PNG on standard output, if that is a terminal and the user has not asked for a plain one.
///
/// Best effort: the picture was saved, and what cannot be drawn is left out.
pub(crate) fn draw(png: &[u8]) -> Result<(), CliError> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let Some(protocol) = protocol(variable) else {
        return Ok(());
    };
    if !output::is_terminal() {
        return Ok(());
    }
    let columns = terminal::size().0.clamp(1, WIDEST);
    let drawn = match protocol {
        Protocol::Kitty => Some(kitty(png, columns)),
        Protocol::Iterm => Some(iterm(png, columns)),
        Protocol::Sixel => sixel(png),
        Protocol::Blocks { has_all_colors } => blocks(png, columns, has_all_colors),
    };
    match drawn {
        Some(drawn) => output::print(Channel::Stdout, drawn.as_bytes()),
        None => Ok(()),
    }
}

/// No wider than is good to look at.
const WIDEST: u16 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Kitty,
    Iterm,
    Sixel,
    Blocks { has_all_colors: bool },
}

/// What a terminal with these variables understands; `None` for one that shows nonsense, or whose user wants no colors
/// (<https://no-color.org>).
fn protocol(variable: impl Fn(&str) -> String) -> Option<Protocol> {
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
        true if is_kitty => Protocol::Kitty,
        true if program == "iTerm.app" || program == "WezTerm" => Protocol::Iterm,
        true if has_sixel => Protocol::Sixel,
        _ => Protocol::Blocks {
            has_all_colors: ["truecolor", "24bit"].contains(&&*variable("COLORTERM")),
        },
    })
}

/// The PNG itself, in pieces of at most 4096 characters of base64.
fn kitty(png: &[u8], columns: u16) -> String {
    let data = STANDARD.encode(png);
    let pieces: Vec<&[u8]> = data.as_bytes().chunks(4096).collect();
    let mut drawn = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let more = u8::from(index + 1 < pieces.len());
        let head = match index {
            0 => format!("a=T,f=100,c={columns},"),
            _ => String::new(),
        };
        let piece = String::from_utf8_lossy(piece);
        let _ = write!(drawn, "\x1b_G{head}m={more};{piece}\x1b\\");
    }
    drawn.push('\n');
    drawn
}

fn iterm(png: &[u8], columns: u16) -> String {
    let data = STANDARD.encode(png);
    let size = png.len();
    format!(
        "\x1b]1337;File=inline=1;size={size};width={columns};preserveAspectRatio=1:{data}\x07\n"
    )
}

fn sixel(png: &[u8]) -> Option<String> {
    let picture = decode(png)?.to_rgba8();
    let (width, height) = picture.dimensions();
    let drawn = icy_sixel::sixel_string(
        picture.as_raw(),
        i32::try_from(width).ok()?,
        i32::try_from(height).ok()?,
        PixelFormat::RGBA8888,
        DiffusionMethod::Stucki,
        MethodForLargest::Auto,
        MethodForRep::Auto,
        Quality::HIGH,
    );
    Some(format!("{}\n", drawn.ok()?))
}

/// Two pixels to a character: the upper one as its color, the lower one behind it.
fn blocks(png: &[u8], columns: u16, has_all_colors: bool) -> Option<String> {
    let picture = decode(png)?;
    let width = u32::from(columns).min(picture.width());
    let height = (picture.height() * width)
        .div_ceil(picture.width().max(1))
        .max(1);
    let picture = picture
        .resize_exact(width, height, FilterType::Triangle)
        .to_rgba8();
    // What is transparent is paper.
    let color = |x, y| {
        let pixel = picture
            .get_pixel_checked(x, y)
            .map_or([255, 255, 255, 0], |pixel| pixel.0);
        let [red, green, blue, alpha] = pixel.map(u32::from);
        [red, green, blue].map(|part| (part * alpha + 255 * (255 - alpha)) / 255)
    };
    let code = |[red, green, blue]: [u32; 3]| match has_all_colors {
        true => format!("2;{red};{green};{blue}"),
        // The cube of six steps that a palette of 256 has behind its first sixteen.
        false => {
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
    Some(drawn)
}

fn decode(png: &[u8]) -> Option<DynamicImage> {
    image::load_from_memory_with_format(png, ImageFormat::Png).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Option<Protocol> {
        protocol(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map_or_else(String::new, |(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_are_told_apart() {
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

    #[test]
    fn pictures_are_drawn_by_each() {
        let mut png = std::io::Cursor::new(Vec::new());
        let picture = DynamicImage::new_rgb8(64, 32);
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let png = png.into_inner();
        let drawn = blocks(&png, 40, true).unwrap();
        assert_eq!(drawn.lines().count(), 10);
        assert_eq!(drawn.matches('\u{2580}').count(), 400);
        assert!(drawn.contains("38;2;0;0;0m"), "black");
        assert!(blocks(&png, 40, false).unwrap().contains("38;5;16m"));
        assert!(sixel(&png).unwrap().starts_with("\x1bP"));
        let long = kitty(&[7; 10_000], 40);
        assert_eq!(long.matches("\x1b_G").count(), 4);
        assert!(long.contains("m=0;"), "the last one says so");
        assert!(iterm(&png, 40).contains("inline=1"));
        assert_eq!(blocks(b"no picture", 40, true), None);
    }
}
