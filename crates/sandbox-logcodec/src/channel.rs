//! The two channels of a command's output, and the markers that announce them.

use std::fmt;

/// Which of a command's two outputs a byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Standard output, file descriptor 1.
    Stdout,
    /// Standard error, file descriptor 2.
    Stderr,
}

impl Channel {
    /// Returns the marker that puts the bytes after it on this channel.
    pub const fn marker(self) -> [u8; 3] {
        match self {
            Self::Stdout => STDOUT_MARKER,
            Self::Stderr => STDERR_MARKER,
        }
    }

    /// Returns the other channel.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Stdout => Self::Stderr,
            Self::Stderr => Self::Stdout,
        }
    }

    /// Returns `stdout` or `stderr`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }

    /// The byte that a marker repeats three times.
    pub(crate) const fn byte(self) -> u8 {
        self.marker()[0]
    }

    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Stdout),
            0x02 => Some(Self::Stderr),
            _ => None,
        }
    }

    /// A place in an array that has one for each channel.
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The bytes `01 01 01`: what follows, up to the next marker, is standard output.
pub const STDOUT_MARKER: [u8; 3] = [0x01; 3];

/// The bytes `02 02 02`: what follows, up to the next marker, is standard error.
pub const STDERR_MARKER: [u8; 3] = [0x02; 3];
