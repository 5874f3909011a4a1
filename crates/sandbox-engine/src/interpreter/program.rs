//! The programs of contexts' workers, by language.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::LazyLock;

use super::execution::Ended;
#[cfg(feature = "typescript")]
use super::execution::{Ending, Failure};
use crate::code::Language;
use crate::core::Core;
use crate::runtimes::{NODE, PYTHON, Runtime};
use crate::scripts::node::WORKER;
use crate::scripts::python::CHARTS;
use crate::sys;

/// The program of a language's workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Python,
    Node,
}

impl Program {
    /// Returns the program of a language, or `None` if the language has no contexts.
    pub(super) fn of(language: Language) -> Option<Self> {
        match language {
            Language::Python => Some(Self::Python),
            Language::JavaScript => Some(Self::Node),
            #[cfg(feature = "typescript")]
            Language::TypeScript => Some(Self::Node),
            _ => None,
        }
    }

    pub(super) fn runtime(self) -> &'static Runtime {
        match self {
            Self::Python => &PYTHON,
            Self::Node => &NODE,
        }
    }

    /// Returns the arguments, the executable's own path first.
    pub(super) fn argv(self, executable: &Path) -> Vec<OsString> {
        let arguments: &[&str] = match self {
            Self::Python => &["-c", &PYTHON_STUB],
            // Without this option Node.js checks what interrupted code has left open.
            Self::Node => &["--no-force-async-hooks-checks", "-e", &NODE_WORKER, "--"],
        };
        let executable = OsString::from(executable);
        [executable]
            .into_iter()
            .chain(arguments.iter().map(Into::into))
            .collect()
    }

    /// Returns the content of the descriptor after those of the protocol.
    pub(super) fn memory(self) -> io::Result<Option<OwnedFd>> {
        match self {
            Self::Python => {
                let texts = [PYTHON_WORKER.as_bytes(), CHARTS.as_bytes()];
                sys::sealed_memory("sandbox-worker", &texts).map(Some)
            }
            Self::Node => Ok(None),
        }
    }

    /// Returns whether an interrupt is also sent as a message: Node.js handles signals only when it is not busy.
    pub(super) fn receives_interrupts(self) -> bool {
        self == Self::Node
    }
}

/// Converts a piece of code to what its worker evaluates, or returns how it has ended without one.
pub(super) async fn prepare(
    core: &Core,
    language: Language,
    code: String,
) -> Result<String, Ended> {
    #[cfg(feature = "typescript")]
    if matches!(language, Language::JavaScript | Language::TypeScript) {
        return match crate::code::cell(core, language, code).await {
            Ok(Ok(code)) => Ok(code),
            Ok(Err(report)) => Err(Ended {
                failure: Some(unreadable(report)),
                ..Ended::just(Ending::Completed)
            }),
            Err(error) => Err(Ended::just(Ending::NotStarted {
                reason: error.to_string(),
            })),
        };
    }
    // Only used with the feature.
    let _ = (core, language);
    Ok(code)
}

/// Returns the compiler's report as if the worker had sent it.
#[cfg(feature = "typescript")]
fn unreadable(report: String) -> Failure {
    let traceback = report.replace(crate::code::TYPESCRIPT_NAME, "[stdin]");
    let first = traceback.lines().next().unwrap_or_default();
    let value = first.split_once(": ").map_or(first, |(_, said)| said);
    Failure {
        name: "SyntaxError".to_owned(),
        value: value.to_owned(),
        traceback,
    }
}

const PYTHON_WORKER: &str = include_str!("../../python/worker.py");

/// The program of a Node.js worker. The helpers that translated TypeScript calls are a global that is not enumerable.
#[cfg(feature = "typescript")]
static NODE_WORKER: LazyLock<String> = LazyLock::new(|| {
    let helpers = crate::code::typescript_helpers();
    format!(
        "Object.defineProperty(globalThis, 'babelHelpers', {{ configurable: true, value: {helpers} }});\n{WORKER}"
    )
});

#[cfg(not(feature = "typescript"))]
static NODE_WORKER: LazyLock<String> = LazyLock::new(|| WORKER.to_owned());

/// Reads `worker.py` from descriptor 6 and runs it outside the program's namespace; `charts.py` follows it there.
static PYTHON_STUB: LazyLock<String> = LazyLock::new(|| {
    let length = PYTHON_WORKER.len();
    format!(
        "exec(compile(__import__('os').pread(6,{length},0),'<sandbox>','exec'),\
         {{'__name__':'_sandbox_worker','charts_offset':{length}}})"
    )
});
