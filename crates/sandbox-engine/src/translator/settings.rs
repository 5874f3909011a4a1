//! The settings of a translator: a variable of its environment.

use std::time::Duration;

use crate::limits::{
    TRANSLATOR_IDLE, TRANSLATOR_MEMORY_BYTES, TRANSLATOR_RESIDENT_BYTES, TRANSLATOR_STACK_BYTES,
};

/// The limits of one translator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) stack_bytes: usize,
    pub(super) memory_bytes: u64,
    pub(super) resident_bytes: u64,
    pub(super) idle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stack_bytes: TRANSLATOR_STACK_BYTES,
            memory_bytes: TRANSLATOR_MEMORY_BYTES,
            resident_bytes: TRANSLATOR_RESIDENT_BYTES,
            idle: TRANSLATOR_IDLE,
        }
    }
}

impl Settings {
    /// The variable whose presence makes a process a translator.
    pub(super) const VARIABLE: &str = "SANDBOX_ENGINE_TRANSLATOR";

    /// Returns the settings of this process, if it is to be a translator.
    pub(crate) fn of_this_process() -> Option<Self> {
        Self::parse(std::env::var_os(Self::VARIABLE)?.to_str()?)
    }

    pub(crate) fn to_text(self) -> String {
        let Self {
            stack_bytes,
            memory_bytes,
            resident_bytes,
            idle,
        } = self;
        let idle = idle.as_millis();
        format!("{stack_bytes} {memory_bytes} {resident_bytes} {idle}")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let settings = Self {
            stack_bytes: words.next()?.parse().ok()?,
            memory_bytes: words.next()?.parse().ok()?,
            resident_bytes: words.next()?.parse().ok()?,
            idle: Duration::from_millis(words.next()?.parse().ok()?),
        };
        words.next().is_none().then_some(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_travel_as_text() {
        let settings = Settings::default();
        assert_eq!(Settings::parse(&settings.to_text()), Some(settings));
        for text in ["", "1", "1 2 3 4 5", "1 2 3 x"] {
            assert_eq!(Settings::parse(text), None, "{text}");
        }
    }
}
