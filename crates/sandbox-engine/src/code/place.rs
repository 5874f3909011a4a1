//! The place of a Node.js program: its name, and whether it has a file.
//!
//! A program has the name that a file in its working directory would have, which is where it finds modules and data.
//! Node.js gets most programs' texts without such a file, so that none appears there. Only these two need one:
//!
//! - an ECMAScript module, which Node.js reads from a file alone. It removes the file when it is loaded, before its first
//!   statement runs.
//! - a program that can name its own path, and so have a thread or another process load it, or whose lines Node.js
//!   reads when an assertion fails. The file stays until the program ends.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::limits::MANIFEST_BYTES;
use crate::state::{Note, State};

use super::json;

/// The module format of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Node.js chooses: it looks for a `package.json`, and then at the text.
    Chosen,
    /// A CommonJS module, whatever a `package.json` says.
    CommonJs,
    /// An ECMAScript module.
    #[cfg_attr(
        not(any(feature = "typescript", test)),
        expect(
            dead_code,
            reason = "only the compiler of TypeScript tells what a program is"
        )
    )]
    Module,
    /// Only Node.js can find out the format.
    Unclear,
}

/// A program's name in the working directory, and the file if there is one.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) file: Option<ProgramFile>,
    /// Whether a file is needed, and could not be written.
    pub(super) is_hooked: bool,
}

/// A file in the working directory, removed when this is dropped, or by the next engine if this process is killed.
#[derive(Debug)]
pub(super) struct ProgramFile {
    path: PathBuf,
    /// Removed after the file.
    _note: Option<Note>,
}

impl Drop for ProgramFile {
    fn drop(&mut self) {
        // The program may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

impl Place {
    /// Finds a place in `directory` for a program, and writes its file if it needs one and `state` is there to note it.
    pub(super) fn find(
        state: Option<&State>,
        directory: &Path,
        format: Format,
        text: &str,
    ) -> Self {
        let is_module = match format {
            Format::Module => true,
            Format::Chosen => is_module_package(directory),
            Format::CommonJs | Format::Unclear => false,
        };
        let extension = match format {
            Format::Module => "mjs",
            Format::CommonJs if is_module_package(directory) => "cjs",
            Format::Chosen | Format::CommonJs | Format::Unclear => "js",
        };
        let is_named = names_itself(text);
        let needs_file = is_module || is_named || format == Format::Unclear;
        let file = match state.filter(|_| needs_file) {
            Some(state) => {
                let is_passing = is_module && !is_named;
                let whole = |path: &Path| {
                    if is_passing {
                        text.to_owned() + &removal(path)
                    } else {
                        text.to_owned()
                    }
                };
                ProgramFile::create(state, directory, extension, whole).ok()
            }
            None => None,
        };
        let name = match &file {
            Some((_, name)) => name.clone(),
            None => format!("[program].{extension}"),
        };
        Self {
            is_hooked: is_module && file.is_none(),
            file: file.map(|(file, _)| file),
            name,
        }
    }
}

impl ProgramFile {
    /// Creates a file under a name that no other file has, and returns the name, too.
    fn create(
        state: &State,
        directory: &Path,
        extension: &str,
        text: impl Fn(&Path) -> String,
    ) -> io::Result<(Self, String)> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        for number in 1.. {
            let name = match number {
                1 => format!(".program.{extension}"),
                _ => format!(".program-{number}.{extension}"),
            };
            let path = directory.join(&name);
            // First, so that there is no moment at which a killed daemon leaves a file without a note. The program runs
            // even if the note cannot be written.
            let mut note = std::path::absolute(&path).and_then(|path| state.note(&path));
            let mut file = match options.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let identified = match &mut note {
                Ok(note) => note.identify(&file),
                Err(_) => Ok(()),
            };
            if let Some(error) = identified.err().as_ref().or_else(|| note.as_ref().err()) {
                tracing::debug!(%error, "cannot note where a program's file is");
            }
            let written = Self {
                _note: note.ok(),
                path,
            };
            file.write_all(text(&written.path).as_bytes())?;
            return Ok((written, name));
        }
        unreachable!("there is no end to the names")
    }
}

/// Returns a last import of a module, which removes the module's file: all of it has been read when its imports run.
fn removal(path: &Path) -> String {
    let Some(path) = path.to_str() else {
        return String::new();
    };
    let code = format!("import{{unlinkSync}}from'fs';try{{unlinkSync({path:?})}}catch{{}}");
    let mut url = "data:text/javascript,".to_owned();
    for byte in code.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => url.push(byte.into()),
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    format!("\nimport \"{url}\";\n")
}

/// Returns whether a text contains a keyword of modules.
pub(super) fn mentions_modules(text: &str) -> bool {
    ["import", "export", "await"]
        .iter()
        .any(|word| text.contains(word))
}

/// Returns whether a text contains a word by which a program finds its own path, or by which Node.js reads its file
/// while it runs, as an assertion does to quote itself. This searches the text and does not analyze it.
fn names_itself(text: &str) -> bool {
    let has_meta = || {
        text.match_indices("import.meta").any(|(at, word)| {
            let rest = &text[at + word.len()..];
            ![".dirname", ".resolve"]
                .iter()
                .any(|word| rest.starts_with(word))
        })
    };
    let words = [
        "__filename",
        ".filename",
        "argv[1]",
        "assert",
        "cluster",
        "mainModule",
    ];
    words.iter().any(|word| text.contains(word)) || has_meta()
}

/// Returns whether the nearest `package.json` makes ECMAScript modules of files whose extension is `.js`.
fn is_module_package(directory: &Path) -> bool {
    let Ok(directory) = fs::canonicalize(directory) else {
        return false;
    };
    for directory in directory.ancestors() {
        // Node.js looks no further: what is above belongs to another package.
        if directory.ends_with("node_modules") {
            break;
        }
        if let Ok(text) = read(&directory.join("package.json")) {
            return json::find(&text, &["type"]).is_some_and(|kind| kind == "module");
        }
    }
    false
}

/// Reads a user's file, which may have any size or kind.
pub(super) fn read(path: &Path) -> io::Result<String> {
    // Opening a FIFO would block until there is a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut text = String::new();
    File::open(path)?
        .take(MANIFEST_BYTES as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::Instance;

    fn place_in(directory: &Path, format: Format, text: &str) -> Place {
        let state = State::temporary(Instance::draw());
        Place::find(Some(&state), directory, format, text)
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_file_is_written_when_it_is_needed_and_removed_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let find = |format, text: &str| place_in(directory.path(), format, text);
        for (format, text, name) in [
            (Format::Chosen, "1", "[program].js"),
            (Format::CommonJs, "1", "[program].js"),
            (Format::CommonJs, "fork(__filename)", ".program.js"),
            (Format::Module, "export {}", ".program.mjs"),
            (Format::Unclear, "export {", ".program.js"),
        ] {
            let place = find(format, text);
            assert_eq!(place.name, name, "{text}");
            assert!(!place.is_hooked);
            let expect: Vec<_> = place.file.iter().map(|_| name.to_owned()).collect();
            assert_eq!(names(directory.path()), expect, "{text}");
        }
        assert!(names(directory.path()).is_empty());
        let first = find(Format::Module, "import.meta.url");
        let second = find(Format::Module, "import.meta.url");
        assert_eq!(
            [first.name, second.name],
            [".program.mjs", ".program-2.mjs"]
        );
        let nowhere = directory.path().join("none");
        assert!(place_in(&nowhere, Format::Module, "").is_hooked);
    }

    #[test]
    fn the_nearest_package_decides() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        let write = |at: &Path, text: &str| fs::write(at.join("package.json"), text).unwrap();
        write(directory.path(), "{\"type\": \"module\"}");
        assert!(is_module_package(&inner));
        assert_eq!(place_in(&inner, Format::Chosen, "1").name, ".program.js");
        assert_eq!(
            place_in(&inner, Format::CommonJs, "1").name,
            "[program].cjs"
        );
        let long = " ".repeat(MANIFEST_BYTES);
        write(&inner, &format!("{long}{{\"type\": \"module\"}}"));
        assert!(!is_module_package(&inner));
        fs::remove_file(inner.join("package.json")).unwrap();
        write(&directory.path().join("a"), "{}");
        assert!(!is_module_package(&inner));
        assert_eq!(place_in(&inner, Format::Chosen, "1").name, "[program].js");
    }

    #[test]
    fn words_of_a_path_are_found() {
        for text in [
            "new Worker(__filename)",
            "fileURLToPath(import.meta.url)",
            "require.main.filename",
            "f(import.meta)",
        ] {
            assert!(names_itself(text), "{text}");
        }
        for text in ["__dirname", "import.meta.dirname", "const filename = 1"] {
            assert!(!names_itself(text), "{text}");
        }
    }
}
