//! TypeScript files that a program imports.
//!
//! A file that a program requires by a relative path is looked up before it starts, as in TypeScript: `./a` and
//! `./a.js` are `a.ts` if that exists. The files are translated, with all that they require in the same way, and their
//! texts are put at the beginning of the program, which passes them to Node.js's loader (`local.js`). Nothing is
//! written.
//!
//! Only literal paths are seen, in TypeScript files. `.tsx` and `.mts` are not translated, nor is a file that a thread or
//! another process runs as its own program.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::compiler;
use super::program::CodeError;
use super::translated::Translated;
use super::typescript::{self, Options};
use crate::core::Core;
use crate::limits::{LOCAL_MODULE_BYTES, LOCAL_MODULES};
use crate::offload::file_calls;

/// The TypeScript files that a program imports, translated.
#[derive(Debug, Default)]
struct Modules {
    texts: BTreeMap<PathBuf, String>,
    found: Vec<Found>,
    bytes: usize,
}

/// The file to which a request from a directory leads.
#[derive(Debug)]
struct Found {
    request: String,
    directory: PathBuf,
    file: PathBuf,
}

/// Adds the files that a program in `directory` imports, and that it sees, to its text. Returns a report if one of them cannot be
/// translated.
pub(super) async fn with_modules(
    core: &Core,
    options: Options,
    directory: &Path,
    program: Translated,
    sees: impl Fn(&Path) -> bool + Send + Clone + 'static,
) -> Result<Result<Translated, String>, CodeError> {
    if program.requests.is_empty() {
        return Ok(Ok(program));
    }
    // Node.js's loader uses paths without links.
    let unresponsive = |error| super::node::unresponsive(directory, error);
    let root = directory.to_owned();
    let root = file_calls(|| fs::canonicalize(root)).await;
    let Ok(root) = root.map_err(unresponsive)? else {
        return Ok(Ok(program));
    };
    let mut modules = Modules::default();
    let mut seen = HashSet::new();
    let mut waiting: VecDeque<_> = requests(&root, &program).collect();
    while let Some((directory, request)) = waiting.pop_front() {
        // Files may import each other in a circle.
        if !seen.insert((directory.clone(), request.clone())) {
            continue;
        }
        let sought = (directory.clone(), request.clone());
        let sees = sees.clone();
        let file = file_calls(move || resolve(&sought.0, &sought.1).filter(|file| sees(file)));
        let file = file.await;
        let Some(file) = file.map_err(unresponsive)? else {
            continue;
        };
        if !modules.texts.contains_key(&file) {
            let name = file.strip_prefix(&root).unwrap_or(&file).to_string_lossy();
            let (found, left) = (file.clone(), modules.left());
            let code = file_calls(move || read(&found, left?)).await;
            let code = match code.map_err(unresponsive)? {
                Ok(code) => code,
                Err(why) => return Ok(Err(format!("{name}: {why}\n"))),
            };
            let module = match compiler::import(core, options, &name, &code).await? {
                Ok(module) => module,
                Err(report) => return Ok(Err(report)),
            };
            waiting.extend(requests(file.parent().unwrap_or(&root), &module));
            modules.bytes += code.len();
            modules.texts.insert(file.clone(), module.code);
        }
        modules.found.push(Found {
            request,
            directory,
            file,
        });
    }
    Ok(Ok(modules.put_into(program)))
}

/// Returns the requests of a file in `directory`, each with that directory.
fn requests(directory: &Path, module: &Translated) -> impl Iterator<Item = (PathBuf, String)> {
    let requests = module.requests.iter();
    requests.map(|request| (directory.to_owned(), request.clone()))
}

impl Modules {
    /// Returns how many bytes another file may have.
    fn left(&self) -> Result<usize, String> {
        if self.texts.len() == LOCAL_MODULES {
            Err(format!(
                "the program imports more than {LOCAL_MODULES} TypeScript files"
            ))
        } else {
            Ok(LOCAL_MODULE_BYTES - self.bytes)
        }
    }

    fn put_into(self, mut program: Translated) -> Translated {
        if self.found.is_empty() {
            return program;
        }
        let lines = LOCAL.lines().map(str::trim);
        let lines: Vec<_> = lines.filter(|line| !line.starts_with("//")).collect();
        let require = typescript::require(program.is_module);
        let mut text = format!("{}({require},{{", lines.join(" "));
        for (file, code) in &self.texts {
            let _ = write!(
                text,
                "{}:{},",
                quoted(&file.to_string_lossy()),
                quoted(code)
            );
        }
        text += "},[";
        for found in &self.found {
            let _ = write!(
                text,
                "[{},{},{}],",
                quoted(&found.request),
                quoted(&found.directory.to_string_lossy()),
                quoted(&found.file.to_string_lossy())
            );
        }
        text += "]);";
        program.code.insert_str(program.beginning, &text);
        program
    }
}

/// Returns the TypeScript file that a request from a directory refers to. `None` if it refers to another file, or to
/// none: then Node.js resolves it.
fn resolve(directory: &Path, request: &str) -> Option<PathBuf> {
    let path = directory.join(request);
    let with = |extension: &str| {
        let mut path = path.clone().into_os_string();
        path.push(extension);
        PathBuf::from(path)
    };
    let is_folder = request.ends_with('/') || request.ends_with("/.") || request.ends_with("..");
    let mut files = Vec::new();
    if !is_folder && request != "." {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("ts" | "cts") => files.push(path.clone()),
            Some("js") => files.push(path.with_extension("ts")),
            Some("cjs") => files.push(path.with_extension("cts")),
            _ => {}
        }
        if !path.is_file() {
            files.push(with(".ts"));
        }
    }
    // Files have precedence over folders, and a manifest may name another file.
    let others = [".js", ".json", ".node", "/package.json"];
    if path.is_dir() && !others.iter().any(|end| with(end).is_file()) {
        files.push(path.join("index.ts"));
    }
    let file = files.into_iter().find(|file| file.is_file())?;
    fs::canonicalize(file).ok()
}

/// Reads a file of any size; fails if it has more than `left` bytes.
fn read(file: &Path, left: usize) -> Result<String, String> {
    let mut code = String::new();
    open(file)
        .and_then(|file| file.take(left as u64 + 1).read_to_string(&mut code))
        .map_err(|error| error.to_string())?;
    if code.len() > left {
        Err(format!(
            "the program imports more than {LOCAL_MODULE_BYTES} bytes of TypeScript"
        ))
    } else {
        Ok(code)
    }
}

/// Opens a file that was found, and that a program may have replaced by one which is never ready.
fn open(file: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    // What was found has no links on its path: one that a program has put there since leads elsewhere.
    let no_links = ResolveFlags::NO_SYMLINKS;
    let file = match rustix::fs::openat2(CWD, file, flags, Mode::empty(), no_links) {
        Err(Errno::NOSYS) => rustix::fs::open(file, flags, Mode::empty()),
        opened => opened,
    };
    let file = File::from(file?);
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}

/// Returns the text as a literal of JavaScript.
fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            '\n' => literal += "\\n",
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(literal, "\\u{:04x}", u32::from(c));
            }
            c => literal.push(c),
        }
    }
    literal.push('"');
    literal
}

const LOCAL: &str = include_str!("../../node/local.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_lead_to_what_typescript_compiles() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        for file in [
            "a.ts",
            "b.ts",
            "b.js",
            "c.cts",
            "d.js",
            "e/index.ts",
            "f.ts",
            "f/index.ts",
            "g.json",
            "g/index.ts",
            "h/index.ts",
            "h/package.json",
            "i.ts.ts",
            "j.x.ts",
            "plain",
            "plain.ts",
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        for (request, file) in [
            ("./a", Some("a.ts")),
            ("./a.ts", Some("a.ts")),
            ("./a.js", Some("a.ts")),
            ("./a.cjs", None),
            ("./b", Some("b.ts")),
            ("./b.js", Some("b.ts")),
            ("./c", None),
            ("./c.cjs", Some("c.cts")),
            ("./d", None),
            ("./e", Some("e/index.ts")),
            ("./e/", Some("e/index.ts")),
            ("./e/index", Some("e/index.ts")),
            ("./e/../a", Some("a.ts")),
            ("./f", Some("f.ts")),
            ("./f/", Some("f/index.ts")),
            ("./g", None),
            ("./h", None),
            ("./i.ts", Some("i.ts.ts")),
            ("./j.x", Some("j.x.ts")),
            ("./plain", None),
            ("./none", None),
            (".", None),
        ] {
            let expect = file.map(|file| root.join(file));
            assert_eq!(resolve(&root, request), expect, "{request}");
        }
        assert_eq!(resolve(&root.join("e"), "."), Some(root.join("e/index.ts")));
        assert_eq!(resolve(&root.join("e"), ".."), None);
        assert_eq!(resolve(&root.join("e"), "../b"), Some(root.join("b.ts")));
    }

    #[test]
    fn literals_are_what_they_were() {
        let text = "a\"\\\n\r\t\0\u{2028}\u{e9}";
        assert_eq!(
            quoted(text),
            "\"a\\\"\\\\\\n\\u000d\\u0009\\u0000\\u2028\u{e9}\""
        );
    }
}
