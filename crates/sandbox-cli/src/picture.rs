//! Pictures drawn on a terminal: by the protocol of kitty, iTerm or sixel where the terminal has one, else as half-blocks.

use std::io::{IsTerminal, Write};

use image::ImageFormat;

/// Draws a PNG on standard output, if that is a terminal and the user has not asked for a plain one.
///
/// Best effort: the picture was saved, and what cannot be drawn is left out.
pub(crate) fn draw(png: &[u8]) {
    if !can_draw() {
        return;
    }
    let Ok(picture) = image::load_from_memory_with_format(png, ImageFormat::Png) else {
        return;
    };
    let config = viuer::Config {
        absolute_offset: false,
        width: Some(columns()),
        ..viuer::Config::default()
    };
    let _ = viuer::print(&picture, &config);
    let _ = std::io::stdout().flush();
}

/// Whether drawing makes sense: <https://no-color.org> asks for none, and a dumb terminal shows nonsense.
fn can_draw() -> bool {
    let has = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && !has("NO_COLOR")
        && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// How wide a picture is: as the terminal, but no wider than is good to look at.
fn columns() -> u32 {
    let columns = viuer::terminal_size().0;
    u32::from(columns.clamp(1, WIDEST))
}

const WIDEST: u16 = 100;
