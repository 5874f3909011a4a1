//! The work of a compiler as plain values and their bytes, so that another process can do it.
//!
//! A [`Task`] and a text result in a [`Translated`], or in a report of why the text cannot be parsed: pure functions,
//! which recurse as deeply as the text nests. They run in a translator process, never in the engine's own.

use super::cell::{self, Interop};
use super::translated::Translated;
use super::typescript::{self, Options};

/// The result that is wanted of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// The JavaScript of a TypeScript program.
    Program(Options),
    /// The JavaScript of a TypeScript file that a program imports. The text is the file's name, a NUL and its content.
    Import(Options),
    /// The JavaScript of a piece of TypeScript for a context.
    Cell,
    /// The code that a context runs for a piece of JavaScript.
    JavaScriptCell,
    /// No text: only whether a JavaScript program is an ECMAScript module. One that cannot be parsed is refused.
    ModuleKind,
}

/// A translation, or the compiler's report of why there is none.
pub(crate) type Response = Result<Translated, String>;

impl Task {
    /// Runs the task on a text.
    pub(crate) fn run(self, text: &str) -> Response {
        let code = |code| Translated {
            code,
            ..Translated::default()
        };
        match self {
            Self::Program(options) => typescript::translate(text, options),
            Self::Import(options) => {
                let (name, text) = text.split_once('\0').unwrap_or_default();
                typescript::translate_import(name, text, options)
            }
            Self::Cell => typescript::translate_cell(text)
                .map(|translated| code(cell::without_modules(&translated, Interop::TypeScript))),
            Self::JavaScriptCell => Ok(code(cell::without_modules(text, Interop::None))),
            Self::ModuleKind => {
                let is_module = typescript::is_module(text).ok_or_else(String::new)?;
                Ok(Translated {
                    is_module,
                    ..Translated::default()
                })
            }
        }
    }

    /// Returns the number that stands for the task in a request.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Cell => 1,
            Self::JavaScriptCell => 2,
            Self::ModuleKind => 3,
            // The low four bits are 0 or `IMPORT`, which no number above is.
            Self::Program(options) => options.bits() << 4,
            Self::Import(options) => IMPORT | options.bits() << 4,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Cell),
            2 => Some(Self::JavaScriptCell),
            3 => Some(Self::ModuleKind),
            _ => {
                let options = Options::from_bits(number >> 4)?;
                match number & 15 {
                    0 => Some(Self::Program(options)),
                    IMPORT => Some(Self::Import(options)),
                    _ => None,
                }
            }
        }
    }
}

/// Runs the task of a request and returns the response, both as bytes: a number, then text.
///
/// Returns no bytes if the request is invalid.
pub(crate) fn work(request: &[u8]) -> Vec<u8> {
    let asked = request
        .split_first()
        .and_then(|(number, text)| Some((Task::from_number(*number)?, str::from_utf8(text).ok()?)));
    asked.map_or_else(Vec::new, |(task, text)| encode(task.run(text)))
}

/// Returns the bytes of a response: a number, then the text. A translation's text follows lines, ended by a NUL: where
/// more text can be inserted, and which paths are required.
pub(crate) fn encode(response: Response) -> Vec<u8> {
    let (number, text) = match response {
        Ok(translated) => {
            let mut text = translated.beginning.to_string();
            for request in &translated.requests {
                text.push('\n');
                text += request;
            }
            text.push('\0');
            text += &translated.code;
            (u8::from(translated.is_module), text)
        }
        Err(report) => (REFUSED, report),
    };
    let mut bytes = text.into_bytes();
    bytes.insert(0, number);
    bytes
}

/// Decodes a response of [`work`]. Returns `None` if it is invalid.
pub(crate) fn decode(mut bytes: Vec<u8>) -> Option<Response> {
    let number = *bytes.first()?;
    bytes.remove(0);
    let mut code = String::from_utf8(bytes).ok()?;
    match number {
        0 | 1 => {
            let lines: String = code.drain(..=code.find('\0')?).collect();
            let mut lines = lines.trim_end_matches('\0').split('\n');
            let beginning = lines.next()?.parse().ok()?;
            let requests = lines.map(str::to_owned).collect();
            // The response is another process's: an insertion within a character would panic.
            code.is_char_boundary(beginning).then_some(Ok(Translated {
                code,
                is_module: number == 1,
                requests,
                beginning,
            }))
        }
        REFUSED => Some(Err(code)),
        _ => None,
    }
}

/// The part of a task's number that marks an imported file.
const IMPORT: u8 = 4;

/// The number of a response that is a report.
const REFUSED: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(task: Task, text: &str) -> Option<Response> {
        decode(work(&[&[task.number()], text.as_bytes()].concat()))
    }

    #[test]
    fn what_is_asked_in_bytes_is_what_is_done() {
        let table = [
            (
                Task::Program(Options::default()),
                "let a: number = 1; export {}",
            ),
            (
                Task::Program(Options::from_bits(7).unwrap()),
                "class A { @b c = 1 }",
            ),
            (Task::Program(Options::default()), "let = : number"),
            (
                Task::Program(Options::default()),
                "import './a'; export * from '../b'; require('./\u{e9}')",
            ),
            (Task::Import(Options::default()), "a.ts\0import './b'"),
            (Task::Import(Options::default()), "a.ts\0let ="),
            (Task::Cell, "import a from 'b'; let c: any = a"),
            (Task::JavaScriptCell, "import a from 'b'"),
            (Task::ModuleKind, "import 'a'"),
            (Task::ModuleKind, "require('a') // \u{e9}"),
            (Task::ModuleKind, "let ="),
        ];
        for (task, text) in table {
            assert_eq!(
                answered(task, text),
                Some(task.run(text)),
                "{task:?} {text}"
            );
        }
    }

    #[test]
    fn nonsense_is_nothing() {
        for request in [&b""[..], b"\x05let a", b"\0\xff"] {
            assert_eq!(work(request), b"", "{request:?}");
        }
        for response in [
            &b""[..],
            b"\x03text",
            b"\0\xff",
            b"\0text",
            b"\x001\0",
            b"\0a\0text",
        ] {
            assert_eq!(decode(response.to_vec()), None, "{response:?}");
        }
    }
}
