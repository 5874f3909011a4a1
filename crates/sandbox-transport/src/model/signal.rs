//! Signals.

use std::fmt;
use std::str::FromStr;

use sandbox_wire::rest::SignalSpec;

/// A signal, by its number on Linux.
///
/// # Examples
///
/// ```
/// use sandbox_transport::Signal;
///
/// assert_eq!("TERM".parse(), Ok(Signal::TERM));
/// assert_eq!("sigint".parse(), Ok(Signal::INT));
/// assert_eq!("9".parse(), Ok(Signal::KILL));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal(pub i32);

impl Signal {
    /// Hangup: the terminal has closed.
    pub const HUP: Self = Self(1);
    /// Interrupt, as Ctrl-C sends it.
    pub const INT: Self = Self(2);
    /// Kill, which no process can catch.
    pub const KILL: Self = Self(9);
    /// Termination, which a process can catch.
    pub const TERM: Self = Self(15);

    /// Returns the signal's number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

/// Writes the number.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a number, or a name as `kill -l` writes it: in either case, with or without `SIG`. Whether a number is a signal's
/// is for the daemon to decide.
impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        let number = match text.parse() {
            Ok(number) => Some(number),
            Err(_) => SignalSpec::Name(text.to_owned()).number(),
        };
        number
            .map(Self)
            .ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}

/// The error of reading a [`Signal`] from a text that is neither a number nor a signal's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSignal(String);

impl fmt::Display for UnknownSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no signal is called '{}'", self.0)
    }
}

impl std::error::Error for UnknownSignal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, signal) in [
            ("HUP", Signal::HUP),
            ("SIGINT", Signal::INT),
            ("kill", Signal::KILL),
            ("15", Signal::TERM),
            ("999", Signal(999)),
        ] {
            assert_eq!(text.parse(), Ok(signal), "{text}");
            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
        for unknown in ["", "NONE", "SIG", "1.5"] {
            assert!(unknown.parse::<Signal>().is_err(), "{unknown}");
        }
    }
}
