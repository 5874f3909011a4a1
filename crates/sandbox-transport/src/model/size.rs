//! Sizes of terminals.

use std::fmt;

use crate::limits::PTY_SIDE;

/// The size of a terminal, in characters.
///
/// Both sides are 1 to [`PTY_SIDE`]; [`check`](Self::check) verifies that.
///
/// # Examples
///
/// ```
/// use sandbox_transport::PtySize;
///
/// let size = PtySize { rows: 40, cols: 150 };
/// assert_eq!(PtySize::new(40, 150), Ok(size));
/// let error = PtySize::new(0, 150).unwrap_err();
/// assert_eq!(error.to_string(), "a terminal cannot have 0 rows and 150 columns; each is 1 to 1000");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PtySize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub cols: u16,
}

impl PtySize {
    /// Creates a size.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPtySize`] if a side is 0 or more than [`PTY_SIDE`].
    pub const fn new(rows: u16, cols: u16) -> Result<Self, InvalidPtySize> {
        Self { rows, cols }.check()
    }

    /// Returns the size if a terminal can have it.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPtySize`] if a side is 0 or more than [`PTY_SIDE`].
    pub const fn check(self) -> Result<Self, InvalidPtySize> {
        if self.rows == 0 || self.rows > PTY_SIDE || self.cols == 0 || self.cols > PTY_SIDE {
            return Err(InvalidPtySize(self));
        }
        Ok(self)
    }
}

impl Default for PtySize {
    /// Returns 24 lines of 80 characters.
    fn default() -> Self {
        Self { rows: 24, cols: 80 }
    }
}

/// The error of a [`PtySize`] that no terminal can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPtySize(PtySize);

impl fmt::Display for InvalidPtySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PtySize { rows, cols } = self.0;
        write!(
            f,
            "a terminal cannot have {rows} rows and {cols} columns; each is 1 to {PTY_SIDE}"
        )
    }
}

impl std::error::Error for InvalidPtySize {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_of_terminals_are_bounded() {
        for (rows, cols) in [(1, 1), (PTY_SIDE, PTY_SIDE), (24, 80)] {
            assert_eq!(PtySize::new(rows, cols), Ok(PtySize { rows, cols }));
        }
        for (rows, cols) in [(0, 80), (24, 0), (PTY_SIDE + 1, 80), (24, u16::MAX)] {
            let size = PtySize { rows, cols };
            assert_eq!(size.check(), Err(InvalidPtySize(size)));
        }
    }
}
