//! The options that a `tsconfig.json` changes.

use std::path::{Path, PathBuf};

use super::super::{json, place};

/// Options of a translation. Default: as without a `tsconfig.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Whether decorators are those of `experimentalDecorators`.
    pub(crate) has_old_decorators: bool,
    /// Whether the types of decorated members are emitted (`emitDecoratorMetadata`).
    pub(crate) has_metadata: bool,
    /// Whether fields are defined, not assigned (`useDefineForClassFields`).
    pub(crate) defines_fields: bool,
}

impl Options {
    /// Returns the options of a program in `directory`.
    pub(crate) fn of(directory: &Path) -> Self {
        let file = Some(directory.join("tsconfig.json"));
        // A file may extend another, and that one again.
        let files = std::iter::successors(file, |file| extended(file));
        let texts: Vec<_> = files
            // Bounded, since files may extend each other in a circle.
            .take(DEPTH)
            .map_while(|file| place::read(&file).ok())
            .collect();
        let find = |name: &str| {
            let path = ["compilerOptions", name];
            texts.iter().find_map(|text| json::find(text, &path))
        };
        let is_on = |name: &str| find(name).map(|value| value == "true");
        // TypeScript defines fields by default for targets from ES2022 on.
        let is_new = find("target").is_some_and(|target| {
            let target = target.to_lowercase();
            let year = target.strip_prefix("es").and_then(|year| year.parse().ok());
            target == "esnext" || year.is_some_and(|year: u32| year >= 2022)
        });
        Self {
            has_old_decorators: is_on("experimentalDecorators").unwrap_or(false),
            has_metadata: is_on("emitDecoratorMetadata").unwrap_or(false),
            defines_fields: is_on("useDefineForClassFields").unwrap_or(is_new),
        }
    }

    /// Returns a number that encodes the options.
    pub(crate) fn bits(self) -> u8 {
        let Self {
            has_old_decorators,
            has_metadata,
            defines_fields,
        } = self;
        u8::from(has_old_decorators) | u8::from(has_metadata) << 1 | u8::from(defines_fields) << 2
    }

    /// Returns the options that a number encodes.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        (bits < 8).then_some(Self {
            has_old_decorators: bits & 1 != 0,
            has_metadata: bits & 2 != 0,
            defines_fields: bits & 4 != 0,
        })
    }
}

fn extended(file: &Path) -> Option<PathBuf> {
    let text = place::read(file).ok()?;
    let other = json::find(&text, &["extends"])?;
    // The configuration of a package, which may be anywhere above: it is not looked for.
    if !other.starts_with('.') && !other.starts_with('/') {
        return None;
    }
    let other = file.parent()?.join(other);
    if other.is_file() {
        Some(other)
    } else {
        Some(other.with_added_extension("json"))
    }
}

/// The maximum number of files that extend each other.
const DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_with_what_it_extends() {
        let directory = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        assert_eq!(Options::of(directory.path()), Options::default());
        write(
            "tsconfig.json",
            "{ // old\n \"extends\": \"./base\", \"compilerOptions\": { \"experimentalDecorators\": true, }, }",
        );
        write(
            "base.json",
            "{\"extends\": \"./base.json\", \"compilerOptions\": {\"target\": \"ES2022\", \"experimentalDecorators\": false}}",
        );
        let found = Options::of(directory.path());
        assert_eq!(found.bits(), 0b101);
        for bits in 0..8 {
            assert_eq!(Options::from_bits(bits).unwrap().bits(), bits);
        }
        assert_eq!(Options::from_bits(8), None);
    }
}
