//! Passes the lines for a command to bash in a file.
//!
//! bash reads a pipe by one system call for each byte, since it cannot give back what it has read too much: a thousand
//! for the lines of one command. It reads a file as a whole. So the pipe has only a short line, which reads the list of
//! `step.rs` from a file and evaluates that:
//!
//! ```text
//! if command mapfile -n1 -td "" _NONCE <FILE; then command eval "$_NONCE"; fi; IDLE
//! ```
//!
//! The list begins with `unset _NONCE`, so that the text of the command does not see the variable. Where `mapfile` fails
//! (disabled, no descriptor is free, the file was removed), only IDLE is reported, and the lines follow in the pipe, as
//! those of the session's later commands do.
//!
//! A trace would have another `+` for the second `eval`: a command that may trace gets its lines by the pipe.

use std::path::Path;

use super::channels::SINK;
use super::dialect::{Dialect, may_set, quoted};
use super::report::Stage;
use super::step::{Body, Step, Writer};

/// How a session's shell gets the lines for its commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Filing {
    /// Those of the current command are in the pipe; the next ones may be in the file.
    #[default]
    Possible,
    /// Those of the current command are in the file.
    Used,
    /// The shell could not evaluate the file: all are in the pipe.
    Failed,
}

impl Writer<'_> {
    /// Returns whether the lines for a command can be passed in a file unnoticed.
    pub(super) fn can_be_filed(self, step: &Step) -> bool {
        let text = match &step.body {
            Body::Text(text) => text,
            // Unknown.
            Body::File(_) => return false,
        };
        self.dialect == Dialect::Bash
            // A function could have the name `mapfile`.
            && self.route.prefix.ends_with("command ")
            && !step.before.traces
            && !may_set(text, 'x', "xtrace")
    }

    /// Returns the text of the file that has `list`.
    pub(super) fn in_file(self, list: &str) -> String {
        let p = self.route.prefix;
        let variable = self.variable();
        format!("{p}unset {variable}; {list}\0")
    }

    /// Returns the line that evaluates the file at `path`.
    pub(super) fn of_file(self, path: &Path) -> String {
        let p = self.route.prefix;
        let (variable, path) = (self.variable(), quoted(path));
        // As short as it can be: nothing of the shell's state is read from this report.
        let idle = format!(
            r"if {{ {{ {{ \:;}} </dev/null/{nonce},{},0,,{nonce};}} 2>|{control};}} 2>|{SINK};then \:;fi",
            Stage::Idle.letter(),
            nonce = self.nonce,
            control = self.control_word(),
        );
        format!(
            r#"if {p}mapfile -n1 -td "" {variable}<{path};then {p}eval "${variable}";fi;{idle}"#
        )
    }

    /// Returns a name that no variable of the user's has.
    fn variable(self) -> String {
        let (distinct, _) = self.nonce.split_at(self.nonce.len().min(VARIABLE_DIGITS));
        format!("_{distinct}")
    }
}

/// The number of digits of the nonce that are in the name of the variable.
const VARIABLE_DIGITS: usize = 8;
