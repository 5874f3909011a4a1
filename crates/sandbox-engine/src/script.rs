//! How a command text is passed to the shell: never on standard input, which is the command's own.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use crate::limits::COMMAND_ARGUMENT_BYTES;
use crate::spawner::ChildFd;
use crate::sys;

/// The descriptor number of a long text.
const SCRIPT_FD: usize = 3;

/// The shell's `-c` argument for a command, and the memory file that it reads, if any.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) argument: OsString,
    pub(crate) file: Option<ChildFd>,
}

impl Script {
    /// Creates a script; fails only if the system has no memory or descriptor for a long text.
    pub(crate) fn new(text: &str) -> io::Result<Self> {
        if text.len() <= COMMAND_ARGUMENT_BYTES && !text.contains('\0') {
            return Ok(Self {
                argument: as_argument(text),
                file: None,
            });
        }
        // The shell reads the file through a descriptor of its own, so the text may close descriptor 3 first, and on its
        // first line, so that line numbers remain the user's.
        let prefix = format!("exec {SCRIPT_FD}<&-; ");
        // Shells drop a NUL in a script, but some print a warning.
        let text: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
        let parts = [prefix.as_bytes(), &text, b"\n"];
        let file = sys::sealed_memory("sandbox-command", &parts)?;
        Ok(Self {
            argument: format!(". /proc/self/fd/{SCRIPT_FD}").into(),
            file: Some(ChildFd::Given(Arc::new(file))),
        })
    }
}

/// Escapes a text for `-c`: one that begins with `-` or `+` would be taken for an option, and one without a final newline
/// would read differently from a script's where it ends in a backslash or in a here-document.
fn as_argument(text: &str) -> OsString {
    let guard = if text.starts_with(['-', '+']) {
        " "
    } else {
        ""
    };
    let end = if text.ends_with('\n') { "" } else { "\n" };
    [guard, text, end].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_arguments() {
        let script = Script::new("echo hi").unwrap();
        assert_eq!(script.argument, "echo hi\n");
        assert!(script.file.is_none());
        assert_eq!(Script::new("-x\n").unwrap().argument, " -x\n");
    }

    #[test]
    fn long_texts_and_nul_travel_as_a_file() {
        for text in ["x".repeat(COMMAND_ARGUMENT_BYTES + 1), "a\0b".to_owned()] {
            let script = Script::new(&text).unwrap();
            assert_eq!(script.argument, ". /proc/self/fd/3");
            assert!(script.file.is_some());
        }
    }
}
