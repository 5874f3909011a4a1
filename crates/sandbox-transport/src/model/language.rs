//! Languages.

use std::fmt;
use std::str::FromStr;

/// A language of the protocol, or one that this project's daemon runs in addition (*extensions*). A daemon may not know
/// a language, or its runtime may not be installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python 3; the only one whose charts are reported.
    #[default]
    Python,
    /// JavaScript, by Node.js.
    JavaScript,
    /// TypeScript, by Node.js. Types are not checked.
    TypeScript,
    /// A bash script. *Extension.*
    Bash,
    /// Ruby. *Extension.*
    Ruby,
    /// R, by `Rscript`. *Extension.*
    R,
    /// TypeScript or JavaScript, by Deno with all permissions. *Extension.*
    Deno,
    /// TypeScript or JavaScript, by Bun. *Extension.*
    Bun,
}

impl Language {
    /// All languages.
    pub const ALL: [Self; 8] = [
        Self::Python,
        Self::JavaScript,
        Self::TypeScript,
        Self::Bash,
        Self::Ruby,
        Self::R,
        Self::Deno,
        Self::Bun,
    ];

    /// Returns the language's name in requests, in lower case; [`FromStr`] is the inverse.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::JavaScript => "javascript",
            Self::TypeScript => "typescript",
            Self::Bash => "bash",
            Self::Ruby => "ruby",
            Self::R => "r",
            Self::Deno => "deno",
            Self::Bun => "bun",
        }
    }
}

/// Writes the [name](Language::name).
impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Reads the [name](Language::name).
impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Self, UnknownLanguage> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|language| language.name() == name);
        found.ok_or(UnknownLanguage(()))
    }
}

/// The error of reading a [`Language`] from a text that is no language's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLanguage(());

impl fmt::Display for UnknownLanguage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown language; the languages are")?;
        for (index, language) in Language::ALL.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}{language}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownLanguage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_by_the_names_that_they_write() {
        for language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        for unknown in ["", "Python", "py"] {
            assert_eq!(unknown.parse::<Language>(), Err(UnknownLanguage(())));
        }
        assert_eq!(
            UnknownLanguage(()).to_string(),
            "unknown language; the languages are python, javascript, typescript, bash, ruby, r, deno, bun"
        );
    }
}
