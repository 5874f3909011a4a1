//! The scripts that Node.js runs for the engine, and how a program is passed to `boot.cjs`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// A program for `boot.cjs` to run.
#[derive(Debug)]
pub(crate) struct Source {
    /// The letters that describe the text to `boot.cjs`.
    pub(crate) letters: String,
    /// The program's name in the working directory.
    pub(crate) name: String,
    /// The program's text; empty if it is in a file.
    pub(crate) text: String,
}

impl Source {
    /// Returns the message in the form that `boot.cjs` reads from a file.
    pub(crate) fn in_file(&self) -> Vec<u8> {
        self.message(&[], "")
    }

    /// Returns the message in the form that `boot.cjs` reads from a socket. None of the arguments has a NUL.
    pub(crate) fn in_socket(&self, arguments: &[OsString]) -> Vec<u8> {
        self.message(arguments, "w")
    }

    fn message(&self, arguments: &[OsString], letter: &str) -> Vec<u8> {
        let length: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        let bytes = self.text.len() + length;
        let Self { letters, name, .. } = self;
        let head = format!("{bytes} {length} {letters}{letter} {name} ");
        let mut message = format!("{head:HEAD_BYTES$}").into_bytes();
        for argument in arguments {
            message.extend(argument.as_bytes());
            message.push(0);
        }
        message.extend(self.text.as_bytes());
        message
    }
}

/// The length of the head before the text and its arguments, for `boot.cjs`: two numbers, a few letters and a name.
const HEAD_BYTES: usize = 64;

/// The script that makes Node.js run a program as a file in the working directory.
pub(crate) const BOOT: &str = include_str!("../../node/boot.cjs");

/// The script that runs pieces of code one after another in one global scope: the files of `node/worker/` as one text,
/// in one block.
pub(crate) const WORKER: &str = concat!(
    "'use strict';\n{\n",
    include_str!("../../node/worker/messages.cjs"),
    include_str!("../../node/worker/output.cjs"),
    include_str!("../../node/worker/errors.cjs"),
    include_str!("../../node/worker/values.cjs"),
    include_str!("../../node/worker/evaluation.cjs"),
    include_str!("../../node/worker/ends.cjs"),
    include_str!("../../node/worker/requests.cjs"),
    include_str!("../../node/worker/globals.cjs"),
    "}\n",
);
