//! The size of a terminal.

use thiserror::Error;

use crate::limits::PTY_SIDE;

/// The columns and rows of a terminal, each from 1 to [`PTY_SIDE`]. The default is 80 by 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PtySize {
    cols: u16,
    rows: u16,
}

/// The error for a size that no terminal can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a terminal has 1 to {limit} columns and rows, not {cols} by {rows}")]
pub struct InvalidPtySize {
    /// The requested columns.
    pub cols: u16,
    /// The requested rows.
    pub rows: u16,
    /// The maximum of either.
    pub limit: u16,
}

impl PtySize {
    /// Creates a size of `cols` columns and `rows` rows.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPtySize`] unless both are from 1 to [`PTY_SIDE`].
    pub fn new(cols: u16, rows: u16) -> Result<Self, InvalidPtySize> {
        let is_valid = |side| (1..=PTY_SIDE).contains(&side);
        if is_valid(cols) && is_valid(rows) {
            Ok(Self { cols, rows })
        } else {
            Err(InvalidPtySize {
                cols,
                rows,
                limit: PTY_SIDE,
            })
        }
    }

    /// Returns the number of columns.
    pub fn cols(self) -> u16 {
        self.cols
    }

    /// Returns the number of rows.
    pub fn rows(self) -> u16 {
        self.rows
    }
}

impl Default for PtySize {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_bounded() {
        for (cols, rows) in [(1, 1), (PTY_SIDE, PTY_SIDE), (80, 24)] {
            let size = PtySize::new(cols, rows).unwrap();
            assert_eq!((size.cols(), size.rows()), (cols, rows));
        }
        for (cols, rows) in [(0, 24), (80, 0), (PTY_SIDE + 1, 1), (1, u16::MAX)] {
            let error = PtySize::new(cols, rows).unwrap_err();
            assert_eq!((error.cols, error.rows), (cols, rows));
        }
    }
}
